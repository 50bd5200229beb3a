//! Events of real processes: sent from files by the command line, and kept through kills.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use counterweight_proto::counterweight::v1::{
    Event, WriteEventsRequest, feedback_service_client::FeedbackServiceClient,
};
use counterweight_test_support::wait_until;
use tonic::transport::Channel;

use crate::{
    explored::Columns,
    request_log::parts,
    support::{Server, counterweight, json, run, stderr},
    tables::rows_elsewhere,
};

const KILLS: u64 = 8;
const WRITERS: u64 = 4;

/// An event server on a free port, and its address.
pub(crate) fn start(folder: &Path, more: &[&str]) -> (Server, String) {
    let mut command = counterweight();
    command.args(["serve-journal", "--listen", "127.0.0.1:0", "--events"]);
    let server = Server::start(command.arg(folder).args(more));
    let address = server.hello.trim().rsplit(' ').next().unwrap().to_owned();
    (server, format!("http://{address}"))
}

/// Writes batches until the process is gone, and returns the ids that were acknowledged.
async fn write(address: String, writer: u64, answered: Arc<AtomicU64>) -> Vec<String> {
    // A call that was under way when the process was killed may never end by itself.
    let channel = Channel::from_shared(address)
        .unwrap()
        .timeout(Duration::from_secs(15))
        .connect_lazy();
    let mut client = FeedbackServiceClient::new(channel);
    let mut acknowledged = Vec::new();
    for number in 0_u64.. {
        let id = |event| format!("{writer}-{number}-{event}");
        let events = (0..3).map(|event| Event {
            event_id: id(event),
            ranking_id: "r".to_owned(),
            candidate_id: "c".to_owned(),
            r#type: "click".to_owned(),
            time: Some(SystemTime::now().into()),
            ..Event::default()
        });
        let request = WriteEventsRequest {
            events: events.collect(),
        };
        match client.write_events(request).await {
            Ok(_) => acknowledged.extend((0..3).map(id)),
            Err(_) => break,
        }
        answered.fetch_add(1, Relaxed);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_every_event_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("events");
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        let (mut server, address) = start(&log, &[]);
        let answered = Arc::new(AtomicU64::new(0));
        let writers = (0..WRITERS).map(|writer| {
            let writer = kill * WRITERS + writer;
            tokio::spawn(write(address.clone(), writer, Arc::clone(&answered)))
        });
        let writers: Vec<_> = writers.collect();
        let enough = 50 + 23 * kill;
        wait_until("it answers", || {
            (answered.load(Relaxed) >= enough).then_some(())
        });
        server.kill();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    let (server, _) = start(&log, &[]);
    let parts = parts(&log, "events");
    drop(server);
    let kept: Vec<String> = parts
        .iter()
        .flat_map(|part| Columns::read(part).text("event_id"))
        .collect();
    let ids: BTreeSet<_> = kept.iter().collect();
    assert_eq!(ids.len(), kept.len(), "no event is there twice");
    for id in &acknowledged {
        assert!(ids.contains(id), "{id} is lost");
    }
    let files: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
    if let Some(rows) = rows_elsewhere(&files) {
        assert_eq!(rows.iter().sum::<u64>(), kept.len() as u64);
    }
}

#[test]
fn the_events_of_a_file_are_sent_and_refused_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("events");
    let (_server, address) = start(&log, &["--type", "seen,click", "--unit", "raw"]);
    let csv = folder.path().join("events.csv");
    fs::write(
        &csv,
        "request_id,candidate_id,type,value,time,user_id,position\n\
         q1,c1,seen,,2026-01-02T03:04:05Z,u,1\n\
         q1,c1,click,2.5,1767323045678,u,\n",
    )
    .unwrap();
    let send = |file: &Path| {
        [
            "feedback",
            "send",
            file.to_str().unwrap(),
            "--address",
            &address,
        ]
        .map(str::to_owned)
    };
    let arguments = send(&csv);
    let sent = json(arguments.iter().map(String::as_str));
    assert_eq!(
        (&sent["accepted"], &sent["refused"]),
        (&2.into(), &0.into()),
        "{sent}"
    );

    let ndjson = folder.path().join("events.ndjson");
    fs::write(
        &ndjson,
        "{\"event_id\":\"e\",\"ranking_id\":\"r\",\"candidate_id\":\"c\",\"type\":\"clik\",\"time\":1767323045678}\n\
         {\"event_id\":\"f\",\"ranking_id\":\"r\",\"candidate_id\":\"c\",\"type\":\"click\",\"time\":1767323045678}\n",
    )
    .unwrap();
    let arguments = send(&ndjson);
    let output = run(arguments.iter().map(String::as_str));
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    for expected in [
        "1 events are kept, 1 were refused",
        "row 1: type",
        "did you mean \"click\"?",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    fs::write(&csv, "ranking_id,candidate_id,type\nr,c,click\n").unwrap();
    let arguments = send(&csv);
    let output = run(arguments.iter().map(String::as_str));
    assert!(
        stderr(&output).contains("has no column time"),
        "{}",
        stderr(&output)
    );
    // The rows of NDJSON may have other keys than the first one: the server says what each lacks.
    fs::write(
        &ndjson,
        "{\"event_id\":\"g\",\"candidate_id\":\"c\",\"ranking_id\":\"r\",\"type\":\"click\"}\n\
         {\"event_id\":\"h\",\"candidate_id\":\"c\",\"request_id\":\"q\",\"type\":\"click\",\"time\":1767323045678}\n",
    )
    .unwrap();
    let arguments = send(&ndjson);
    let output = run(arguments.iter().map(String::as_str));
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 events are kept, 1 were refused"), "{told}");
    assert!(told.contains("row 1: time"), "{told}");

    let status = json(["log", "status", log.to_str().unwrap()]);
    assert_eq!(status["records"], 3, "a record for each batch: {status}");
}
