//! Requests that mean harm, or that are broken: they are refused with a reason, cost no more than
//! the budget, and hurt nobody else.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

use std::io::Write as _;

use bytes::Bytes;
use counterweight_serving::Limits;
use counterweight_test_support::eventually;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use futures::future::join_all;
use http_body_util::Full;
use tonic::{Code, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;

use crate::support::{
    LARGE, STUCK, answers, call, connect, endless, framed, limits, metric, named, pieces, prefix,
    start,
};

const CHARGED: &str = "counterweight_memory_charged_bytes";
const WINDOW: u32 = 1 << 20;

fn whole(bytes: Bytes) -> Body {
    Body::new(Full::new(bytes))
}

#[tokio::test]
async fn empty_messages_are_refused_before_they_are_decoded() {
    let server = start(limits()).await;
    let channel = connect(&server.address, WINDOW).await;
    let many = framed(0, &[0x2a, 0].repeat(2_000_000));
    let refused = call(&channel, &[], whole(many)).await.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert_eq!(refused.reason(), "MESSAGE_TOO_LARGE");
    assert!(answers(&channel, "next").await);
    assert_eq!(metric(&server, CHARGED).await, 0.0);
}

#[tokio::test]
async fn an_announced_length_costs_nothing() {
    let server = start(limits()).await;
    let channel = connect(&server.address, WINDOW).await;
    let refused = call(&channel, &[], endless(vec![prefix(0, u32::MAX)])).await;
    let refused = refused.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert_eq!(refused.reason(), "MESSAGE_TOO_LARGE");
    // Within the limit, the message is awaited; only what has come is charged.
    let promises = (0..20).map(|_| {
        let channel = channel.clone();
        async move { call(&channel, &[], endless(vec![prefix(0, 4 << 20)])).await }
    });
    let promised = tokio::spawn(join_all(promises.collect::<Vec<_>>()));
    eventually("the promises arrive", || async {
        metric(&server, CHARGED).await > 20.0 * 5.0
    })
    .await;
    assert!(metric(&server, CHARGED).await < 300_000.0);
    promised.abort();
}

#[tokio::test]
async fn messages_that_never_come_take_no_places_and_end_in_time() {
    let server = start(limits()).await;
    let (bad, good) = tokio::join!(
        connect(&server.address, WINDOW),
        connect(&server.address, WINDOW)
    );
    let slow = (0..300).map(|call_number| {
        let (bad, began) = (bad.clone(), call_number % 2 == 0);
        let sent = if began {
            vec![named("x").slice(..6)]
        } else {
            Vec::new()
        };
        async move { call(&bad, &[], endless(sent)).await.unwrap() }
    });
    let slow = tokio::spawn(join_all(slow.collect::<Vec<_>>()));
    while !slow.is_finished() {
        assert!(answers(&good, "good").await);
    }
    for answered in slow.await.unwrap() {
        assert_eq!(answered.code(), Code::DeadlineExceeded, "{answered:?}");
        assert_eq!(answered.reason(), "READ_TIMEOUT");
    }
    assert!(answers(&bad, "later").await);
}

#[tokio::test]
async fn one_connection_cannot_hold_all_memory() {
    let small = Limits {
        memory_budget: 4 << 20,
        read_timeout: std::time::Duration::from_secs(60),
        ..limits()
    };
    let server = start(small).await;
    let (greedy, quiet) = tokio::join!(
        connect(&server.address, WINDOW),
        connect(&server.address, WINDOW)
    );
    let large = || endless(vec![prefix(0, 3 << 20), Bytes::from(vec![0; 900_000])]);
    let calls: Vec<_> = (0..6).map(|_| call(&greedy, &[], large())).collect();
    let mut calls = Box::pin(futures::future::select_all(calls.into_iter().map(Box::pin)));
    // Two such pieces fit into half of the budget; one of the others is refused at once.
    let (refused, _, _) = (&mut calls).await;
    let refused = refused.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert_eq!(refused.reason(), "OVER_MEMORY_BUDGET");
    assert!(answers(&quiet, "quiet").await);
    let counted = "counterweight_refusals_total{reason=\"OVER_MEMORY_BUDGET\"}";
    assert!(metric(&server, counted).await >= 1.0);
}

#[tokio::test]
async fn broken_messages_are_invalid_arguments() {
    let server = start(limits()).await;
    let channel = connect(&server.address, WINDOW).await;
    let not_utf8 = framed(0, &[0x0a, 1, 0xff]);
    let broken = [
        (vec![], "ends before"),
        (vec![Bytes::from_static(&[0, 0])], "ends before"),
        (vec![prefix(0, 3), Bytes::from_static(b"ab")], "ends within"),
        (vec![named("one"), named("two")], "something follows"),
        (vec![prefix(7, 0)], "first byte"),
        (vec![prefix(1, 0)], "grpc-encoding"),
        (vec![not_utf8], "model_name"),
        (vec![framed(0, &[0xfc, 0x7f])], "group"),
    ];
    for (body, text) in broken {
        let answered = call(&channel, &[], pieces(body)).await.unwrap();
        assert_eq!(answered.code(), Code::InvalidArgument, "{answered:?}");
        assert_eq!(answered.reason(), "MALFORMED_MESSAGE");
        let message = answered.status.message();
        assert!(message.contains(text), "{message}");
    }
    let answered = call(&channel, &[], whole(framed(0, &[0x0a, 1, 0xff]))).await;
    let info = answered.unwrap().status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["field"], "model_name");
    let counted = "counterweight_refusals_total{reason=\"MALFORMED_MESSAGE\"}";
    assert_eq!(metric(&server, counted).await, 9.0);
}

#[tokio::test]
async fn a_message_in_many_pieces_is_put_together() {
    let server = start(limits()).await;
    let channel = connect(&server.address, WINDOW).await;
    // More pieces at once would look like an attack on a window as small as this server's.
    let id = "i".repeat(1000);
    for size in [1, 4, 5, 6, 1000] {
        let body = named(&id);
        let chunks = body.chunks(size).map(Bytes::copy_from_slice).collect();
        let answered = call(&channel, &[], pieces(chunks)).await.unwrap();
        assert_eq!(answered.code(), Code::Ok, "{answered:?}");
        assert!(answered.message.ends_with(id.as_bytes()));
    }
}

#[tokio::test]
async fn compressed_messages_are_bounded_and_unknown_encodings_refused() {
    let server = start(limits()).await;
    let channel = connect(&server.address, WINDOW).await;
    let gzip = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        framed(1, &encoder.finish().unwrap())
    };
    let deflate = |content: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        framed(1, &encoder.finish().unwrap())
    };
    let message = &named(&"abc".repeat(50_000))[5..];
    for (name, body) in [("gzip", gzip(message)), ("deflate", deflate(message))] {
        let encoding = [("grpc-encoding", name)];
        let answered = call(&channel, &encoding, whole(body.clone()))
            .await
            .unwrap();
        assert_eq!(answered.code(), Code::Ok, "{answered:?}");
        assert!(answered.message.ends_with(b"abc"));
        let torn = framed(1, &body[5..body.len() / 2]);
        let answered = call(&channel, &encoding, whole(torn)).await.unwrap();
        assert_eq!(answered.code(), Code::InvalidArgument, "{answered:?}");
        assert_eq!(answered.reason(), "MALFORMED_MESSAGE");
    }
    for (name, bomb) in [
        ("gzip", gzip(&vec![0; 50 << 20])),
        ("deflate", deflate(&vec![0; 50 << 20])),
    ] {
        let answered = call(&channel, &[("grpc-encoding", name)], whole(bomb)).await;
        let answered = answered.unwrap();
        assert_eq!(answered.code(), Code::ResourceExhausted, "{answered:?}");
        assert_eq!(answered.reason(), "MESSAGE_TOO_LARGE");
    }
    let unknown = [("grpc-encoding", "snappy")];
    let answered = call(&channel, &unknown, whole(named("x"))).await.unwrap();
    assert_eq!(answered.code(), Code::Unimplemented, "{answered:?}");
    assert!(answered.encodings.unwrap().contains("gzip"));
    assert_eq!(metric(&server, CHARGED).await, 0.0);
}

#[tokio::test]
async fn cancels_on_a_shared_connection_hurt_no_other_caller() {
    let server = start(limits()).await;
    let shared = connect(&server.address, WINDOW).await;
    // A proxy's connection carries the cancels of many callers: far more than the usual limits on
    // resets, at all stages of a call.
    for round in 0..100 {
        let cancelled = (0..40).map(|number| {
            let body = match number % 3 {
                0 => whole(named(STUCK)),
                1 => endless(vec![named("x").slice(..4)]),
                _ => whole(named("quick")),
            };
            tokio::spawn({
                let shared = shared.clone();
                async move { call(&shared, &[], body).await.is_ok() }
            })
        });
        let cancelled: Vec<_> = cancelled.collect();
        let healthy = call(&shared, &[], whole(named("healthy"))).await;
        cancelled.iter().for_each(tokio::task::JoinHandle::abort);
        let healthy = healthy.unwrap_or_else(|error| panic!("round {round}: {error}"));
        // The limit on calls may be reached, but the connection lives.
        assert!(
            [Code::Ok, Code::ResourceExhausted].contains(&healthy.code()),
            "{healthy:?}"
        );
    }
    eventually("all places are free", || answers(&shared, "at last")).await;
    eventually("all memory is free", || async {
        metric(&server, CHARGED).await == 0.0
    })
    .await;
}

#[tokio::test]
async fn answers_that_nobody_reads_are_charged_and_freed_with_their_connection() {
    let server = start(limits()).await;
    let (deaf, good) = tokio::join!(
        connect(&server.address, 0),
        connect(&server.address, WINDOW)
    );
    let unread = (0..8).map(|_| {
        let deaf = deaf.clone();
        async move { call(&deaf, &[], whole(named(LARGE))).await }
    });
    let unread = tokio::spawn(join_all(unread.collect::<Vec<_>>()));
    let mut most = 0.0_f64;
    while !unread.is_finished() {
        assert!(answers(&good, "good").await);
        most = most.max(metric(&server, CHARGED).await);
    }
    assert!(most >= 8.0 * 200_000.0, "{most}");
    for answered in unread.await.unwrap() {
        let failed = answered.map_or(true, |answered| answered.code() != Code::Ok);
        assert!(failed, "the connection was closed");
    }
    eventually("all memory is free", || async {
        metric(&server, CHARGED).await == 0.0
    })
    .await;
}

#[tokio::test]
async fn open_streams_are_limited() {
    let server = start(Limits {
        max_streams: 2,
        ..limits()
    })
    .await;
    let mut client = HealthClient::new(connect(&server.address, WINDOW).await);
    let watch = HealthCheckRequest::default;
    let first = client.watch(watch()).await.unwrap();
    let _second = client.watch(watch()).await.unwrap();
    let refused = client.watch(watch()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["limit"].as_str()),
        ("TOO_MANY_STREAMS", "2")
    );
    client.check(watch()).await.unwrap();
    drop(first);
    eventually("a place for a stream", || {
        let mut client = client.clone();
        async move { client.watch(watch()).await.is_ok() }
    })
    .await;
}

#[tokio::test]
async fn the_limits_in_effect_are_metrics() {
    let server = start(limits()).await;
    for (name, value) in [
        ("memory_budget", f64::from(64 << 20)),
        ("max_message_bytes", f64::from(4 << 20)),
        ("max_decoded_bytes", f64::from(16 << 20)),
        ("read_timeout", 0.5),
    ] {
        let name = format!("counterweight_limit{{name=\"{name}\"}}");
        assert_eq!(metric(&server, &name).await, value, "{name}");
    }
}
