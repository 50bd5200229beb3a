//! The time of the record is that of the injected clock: of rankings and their ids, of entries and
//! ramps, and of the check of events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use std::{fs, path::Path, sync::Arc, time::Duration};

use counterweight_clock::DrivenClock;
use counterweight_journal::{EventsRecord, Found, Frames, RankingRecord};
use counterweight_proto::counterweight::v1::{
    Event, ListRevisionsRequest, ReadLogRequest, WriteEventsRequest,
    feedback_service_client::FeedbackServiceClient,
};
use counterweight_test_support::eventually;
use prost::Message as _;
use prost_types::Timestamp;
use uuid::Uuid;

use crate::common::{
    Combiner, Model, PROFILES, request, two_objectives,
    weights::{bait, get, ramp, values},
};

/// 8 March 2031, 06:40 UTC.
const START_MS: i64 = 1_930_718_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A combiner with both logs whose clock stands at [`START_MS`].
async fn start() -> (Model, Model, Combiner, DrivenClock) {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let logs = "request_log = { path = \"log\" }\nfeedback = { path = \"events\" }";
    let config = format!("{logs}\n{}{PROFILES}", two_objectives(&e, &b));
    let clock = DrivenClock::new(START_MS);
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let store = "path = \"weights.log\"";
    let combiner = Combiner::start_at(&config, store, folder, clock.clone()).await;
    (e, b, combiner, clock)
}

/// The payloads in the segments of a log whose server has stopped.
fn payloads(log: &Path) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for segment in fs::read_dir(log.join("wal")).unwrap() {
        let bytes = fs::read(segment.unwrap().path()).unwrap();
        for found in Frames::new(&bytes) {
            let Found::Record(payload) = found else {
                panic!("a damaged segment");
            };
            payloads.push(payload.to_vec());
        }
    }
    payloads
}

fn millis(time: &Timestamp) -> i64 {
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}

#[tokio::test]
async fn rankings_and_their_ids_have_the_time_of_the_clock() {
    let (_e, _b, combiner, clock) = start().await;
    let mut client = combiner.ranking().await;
    let mut times = Vec::new();
    for time_ms in [START_MS, START_MS + HOUR_MS, START_MS + 30 * 24 * HOUR_MS] {
        clock.set(time_ms);
        let answer = client.rank(request(&[0.5], &[0.5])).await.unwrap();
        times.push((answer.into_inner().ranking_id, time_ms));
    }
    let all = ReadLogRequest::default();
    let mut recent = client.read_log(all).await.unwrap().into_inner();
    for (_, time_ms) in &times {
        let one = recent.message().await.unwrap().unwrap().request.unwrap();
        assert_eq!(millis(&one.time.unwrap()), *time_ms);
    }
    let folder = combiner.stop().await;
    // The three are in segments of three hours, of which two may be parts by now.
    let log = folder.path().join("log");
    let segments = fs::read_dir(log.join("wal")).unwrap().count();
    assert!((1..=3).contains(&segments));
    for payload in payloads(&log) {
        let record = RankingRecord::decode(&*payload).unwrap();
        assert!(times.contains(&(record.ranking_id, record.time_ms)));
    }
    for (id, time_ms) in times {
        let time = Uuid::parse_str(&id).unwrap().get_timestamp().unwrap();
        let (seconds, nanos) = time.to_unix();
        let of_id = Duration::new(seconds, nanos).as_millis();
        assert_eq!(of_id, u128::try_from(time_ms).unwrap());
    }
}

#[tokio::test]
async fn events_are_checked_and_kept_by_the_clock() {
    let (_e, _b, combiner, clock) = start().await;
    let mut client = FeedbackServiceClient::new(combiner.channel().await);
    let event = Event {
        event_id: "e".to_owned(),
        ranking_id: "r".to_owned(),
        candidate_id: "c".to_owned(),
        r#type: "seen".to_owned(),
        time: Some(Timestamp {
            seconds: (START_MS + HOUR_MS) / 1_000,
            nanos: 0,
        }),
        ..Event::default()
    };
    let mut write = async || {
        let events = vec![event.clone()];
        let answer = client.write_events(WriteEventsRequest { events }).await;
        answer.unwrap().into_inner().statuses[0].field.clone()
    };
    assert_eq!(write().await, "time", "an hour ahead");
    clock.set(START_MS + HOUR_MS);
    assert_eq!(write().await, "");
    let folder = combiner.stop().await;
    let payloads = payloads(&folder.path().join("events"));
    assert_eq!(payloads.len(), 1);
    let record = EventsRecord::decode(&*payloads[0]).unwrap();
    assert_eq!(record.received_ms, START_MS + HOUR_MS);
    assert_eq!(record.events[0].time_ms, START_MS + HOUR_MS);
}

#[tokio::test]
async fn entries_and_ramps_follow_the_clock() {
    let (_e, _b, combiner, clock) = start().await;
    let mut client = combiner.weights().await;
    client.set_weights(bait(-1.0, None)).await.unwrap();
    clock.set(START_MS + HOUR_MS);
    let day = ramp(&[("engagement_bait", -2.0)], 24 * 3_600_000, 24);
    client.start_ramp(day).await.unwrap();
    let ramp = get(&mut client, "default").await.ramp.unwrap();
    assert_eq!(millis(&ramp.start.unwrap()), START_MS + HOUR_MS);
    // Half a day later, half of the way, whatever the machine's clock says.
    clock.set(START_MS + HOUR_MS + 12 * HOUR_MS);
    eventually("the twelfth step", async || {
        let ramp = get(&mut client, "default").await.ramp;
        ramp.is_some_and(|ramp| ramp.step == 12)
    })
    .await;
    clock.set(START_MS + HOUR_MS + 24 * HOUR_MS);
    eventually("the end of the ramp", async || {
        get(&mut client, "default").await.ramp.is_none()
    })
    .await;
    assert_eq!(values(&get(&mut client, "default").await)[1], -2.0);
    let all = ListRevisionsRequest::default();
    let listed = client.list_revisions(all).await.unwrap().into_inner();
    let mut times: Vec<i64> = listed
        .entries
        .iter()
        .map(|entry| millis(entry.time.as_ref().unwrap()))
        .collect();
    times.sort_unstable();
    let hours: Vec<i64> = times
        .iter()
        .map(|time| (time - START_MS) / HOUR_MS)
        .collect();
    assert_eq!(hours, [0, 1, 13, 25]);
}
