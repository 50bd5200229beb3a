//! Events over a real socket: what is acknowledged is on the disk, and one bad event keeps no other
//! out.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

use std::{fs, path::Path, time::SystemTime};

use counterweight_feedback::{FeedbackConfig, FeedbackError, serve};
use counterweight_journal::{EventsRecord, Found, Frames, LoggedEvent, UnitRule};
use counterweight_proto::counterweight::v1::{
    Event, WriteEventsRequest, feedback_service_client::FeedbackServiceClient,
};
use counterweight_serving::Limits;
use counterweight_test_support::Running;
use prost::Message as _;
use tonic::{Code, Status, transport::Channel};

struct Server {
    running: Running<FeedbackError>,
    client: FeedbackServiceClient<Channel>,
}

impl Server {
    async fn start(config: FeedbackConfig) -> Self {
        let running = Running::start(|listeners, shutdown| {
            serve(config, "a/b", Limits::default(), listeners, shutdown)
        })
        .await;
        let client = FeedbackServiceClient::new(running.channel().await);
        Self { running, client }
    }

    /// The field that is refused of each event; empty for none.
    async fn write(&mut self, events: Vec<Event>) -> Result<Vec<String>, Status> {
        let answer = self
            .client
            .write_events(WriteEventsRequest { events })
            .await?;
        let statuses = answer.into_inner().statuses.into_iter();
        Ok(statuses.map(|status| status.field).collect())
    }
}

fn config(folder: &Path) -> FeedbackConfig {
    FeedbackConfig {
        types: ["seen", "click"].map(str::to_owned).into(),
        ..FeedbackConfig::new(folder.join("events"))
    }
}

fn event(id: &str) -> Event {
    Event {
        event_id: id.to_owned(),
        ranking_id: "r".to_owned(),
        candidate_id: "c".to_owned(),
        r#type: "click".to_owned(),
        time: Some(SystemTime::now().into()),
        ..Event::default()
    }
}

/// The events in the segments of a log.
fn logged(folder: &Path) -> Vec<LoggedEvent> {
    let mut events = Vec::new();
    for segment in fs::read_dir(folder.join("events/wal")).unwrap() {
        let bytes = fs::read(segment.unwrap().path()).unwrap();
        for found in Frames::new(&bytes) {
            let Found::Record(payload) = found else {
                panic!("a damaged segment");
            };
            events.extend(EventsRecord::decode(payload).unwrap().events);
        }
    }
    events
}

#[tokio::test]
async fn what_is_acknowledged_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(config(folder.path())).await;
    let full = Event {
        request_id: "q".to_owned(),
        unit_id: "somebody".to_owned(),
        value: Some(2.5),
        position: Some(3),
        ..event("1")
    };
    assert_eq!(
        server.write(vec![full, event("2")]).await.unwrap(),
        ["", ""]
    );
    // The server runs on.
    let events = logged(folder.path());
    assert_eq!(events.len(), 2);
    let first = &events[0];
    assert_eq!(
        (&*first.event_id, &*first.ranking_id, &*first.request_id),
        ("1", "r", "q")
    );
    assert_eq!((&*first.candidate_id, &*first.event_type), ("c", "click"));
    assert_eq!((first.value, first.position), (Some(2.5), Some(3)));
    assert_eq!(first.unit.len(), 32, "a hash");
    assert_eq!(events[1].unit, "");
    let metrics = server.running.http("/metrics").await;
    assert!(
        metrics.contains("counterweight_events_total{outcome=\"accepted\"} 2"),
        "{metrics}"
    );
    assert!(
        metrics.contains("counterweight_event_log_written_total 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_bad_event_is_named_and_the_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(config(folder.path())).await;
    let change = |change: fn(&mut Event)| {
        let mut event = event("bad");
        change(&mut event);
        event
    };
    let cases: [(&str, Event); 16] = [
        ("event_id", change(|event| event.event_id.clear())),
        ("event_id", change(|event| event.event_id = "x".repeat(257))),
        ("ranking_id", change(|event| event.ranking_id.clear())),
        (
            "ranking_id",
            change(|event| event.ranking_id = "x".repeat(1 << 20)),
        ),
        (
            "request_id",
            change(|event| event.request_id = "x".repeat(1025)),
        ),
        ("unit_id", change(|event| event.unit_id = "x".repeat(1025))),
        ("candidate_id", change(|event| event.candidate_id.clear())),
        (
            "candidate_id",
            change(|event| event.candidate_id = "x".repeat(1025)),
        ),
        ("type", change(|event| event.r#type.clear())),
        ("type", change(|event| event.r#type = "clicks".to_owned())),
        (
            "type",
            change(|event| event.r#type = "Click\u{1b}".to_owned()),
        ),
        ("value", change(|event| event.value = Some(f64::NAN))),
        ("value", change(|event| event.value = Some(f64::INFINITY))),
        ("time", change(|event| event.time = None)),
        (
            "time",
            change(|event| event.time.as_mut().unwrap().seconds += 400),
        ),
        ("position", change(|event| event.position = Some(0))),
    ];
    let (fields, mut events): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    events.push(event("good"));
    let refused = server.write(events).await.unwrap();
    assert_eq!(refused[..fields.len()], fields);
    assert_eq!(refused.last().unwrap(), "");
    let kept = logged(folder.path());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].event_id, "good");

    let ahead = Event {
        time: Some((SystemTime::now() + std::time::Duration::from_secs(200)).into()),
        ..event("ahead")
    };
    let only_request = Event {
        ranking_id: String::new(),
        request_id: "q".to_owned(),
        ..event("request")
    };
    assert_eq!(
        server.write(vec![ahead, only_request]).await.unwrap(),
        ["", ""]
    );
}

#[tokio::test]
async fn a_batch_is_not_empty_and_not_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(config(folder.path())).await;
    for count in [0, 10_001] {
        let events = (0..count).map(|at| event(&at.to_string())).collect();
        let error = server.write(events).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().starts_with("events: "), "{error}");
    }
    let long = |at: usize| Event {
        request_id: "x".repeat(1000),
        ..event(&at.to_string())
    };
    let error = server
        .write((0..9_000).map(long).collect())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("bytes"), "{error}");
    let most = (0..10_000).map(|at| event(&at.to_string())).collect();
    assert_eq!(server.write(most).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn events_that_cannot_be_kept_are_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let blocked = FeedbackConfig {
        unit: UnitRule::Raw,
        ..FeedbackConfig::new(folder.path().join("file/events"))
    };
    let mut server = Server::start(blocked).await;
    let error = server.write(vec![event("1")]).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.message().contains("send them again"), "{error}");
    let health = server.running.http("/healthz").await;
    assert!(health.contains("the event log does not work"), "{health}");
    // The server still names the mistakes of the caller.
    let mut bad = event("2");
    bad.event_id.clear();
    assert_eq!(server.write(vec![bad]).await.unwrap(), ["event_id"]);
}

#[tokio::test]
async fn labels_of_posts_are_kept_and_wrong_ones_name_their_field() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(config(folder.path())).await;
    let label = |id: &str| Event {
        event_id: id.to_owned(),
        candidate_id: "post".to_owned(),
        objective: "engagement_bait".to_owned(),
        value: Some(1.0),
        sampling_probability: Some(0.25),
        time: Some(SystemTime::now().into()),
        ..Event::default()
    };
    let mut wrong = vec![label("a"); 8];
    wrong[1].value = Some(0.5);
    wrong[2].sampling_probability = Some(0.0);
    wrong[3].ranking_id = "r".to_owned();
    wrong[4].objective = "a b".to_owned();
    wrong[5].r#type = "click".to_owned();
    wrong[6].objective = String::new();
    wrong[7].position = Some(1);
    let fields = server.write(wrong).await.unwrap();
    let expected = [
        "",
        "value",
        "sampling_probability",
        "ranking_id",
        "objective",
        "type",
        "sampling_probability",
        "position",
    ];
    assert_eq!(fields, expected);
    let mut unnamed = event("b");
    unnamed.r#type = "label".to_owned();
    assert_eq!(server.write(vec![unnamed]).await.unwrap(), ["type"]);
    server.running.stop().await;
    let kept = logged(folder.path());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].objective, "engagement_bait");
    assert_eq!(kept[0].sampling_probability, Some(0.25));
    assert_eq!(kept[0].event_type, "label");
}
