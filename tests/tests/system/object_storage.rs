//! Two combiners log to one bucket of a foreign S3 server. Killed, stopped, and with a server that
//! does not answer, they lose no ranking and upload none twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use counterweight_proto::counterweight::v1::{
    Event, WriteEventsRequest, feedback_service_client::FeedbackServiceClient,
    ranking_service_client::RankingServiceClient,
};
use counterweight_test_support::wait_until;

use crate::{
    steering::{CONFIG, request},
    support::{Server, counterweight, python, root, stderr, stdout},
};

const REPLICAS: [&str; 2] = ["a", "b"];
/// Rankings of each combiner between its start and its end.
const RANKINGS: u64 = 60;
const MODULES: &str = "boto3, moto.server, pyarrow.dataset";
/// Candidates of a ranking.
const CANDIDATES: u64 = 20;

/// A combiner that logs to the bucket `logs` of the server at `address`, and its own address.
fn start(folder: &Path, replica: &str, address: &str) -> (Server, String) {
    let folder = folder.join(replica);
    fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "{CONFIG}\n[request_log]\npath = \"log\"\nsync = \"request\"\nunit = \"raw\"\n\
         [request_log.store]\nurl = \"s3://logs/feed\"\nendpoint = \"http://{address}\"\n\
         allow_http = true\n"
    );
    let path = folder.join("combiner.toml");
    fs::write(&path, config).unwrap();
    let mut command = counterweight();
    command
        .args(["serve-combiner", "--listen", "127.0.0.1:0"])
        .args(["--replica", replica, "--config"])
        .arg(path)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let server = Server::start(&mut command);
    let address = server.hello.trim().rsplit(' ').next().unwrap().to_owned();
    (server, address)
}

/// Ranks, and returns the ids of the rankings.
async fn rank(address: &str, first: u64) -> Vec<String> {
    let address = format!("http://{address}");
    let mut client = RankingServiceClient::connect(address).await.unwrap();
    let mut ids = Vec::new();
    for number in first..first + RANKINGS {
        let answer = client.rank(request(number)).await.unwrap();
        ids.push(answer.into_inner().ranking_id);
    }
    ids
}

fn signal(server: &Server, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &server.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// The files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// Waits until the folder of a log holds neither segments nor parts.
fn wait_until_uploaded(log: &Path) {
    wait_until("everything is uploaded", || {
        let mut left = Vec::new();
        for kind in ["wal", "requests", "events"] {
            files(&log.join(kind), &mut left);
        }
        left.is_empty().then_some(())
    });
}

/// Rows by ranking, and the names of the parts, as pyarrow finds them in the bucket.
fn read(python: &str, address: &str, kind: &str) -> (BTreeMap<String, u64>, BTreeSet<String>) {
    let output = Command::new(python)
        .arg(root().join("tests/python/read_bucket.py"))
        .args([address, &format!("logs/feed/{kind}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let (mut rankings, mut parts) = (BTreeMap::new(), BTreeSet::new());
    for line in stdout(&output).lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [part, ranking, rows] = fields[..] else {
            panic!("{line}")
        };
        parts.insert(part.to_owned());
        let before = rankings.insert(ranking.to_owned(), rows.parse().unwrap());
        assert_eq!(before, None, "{ranking} is there twice");
    }
    (rankings, parts)
}

/// A foreign S3 server; its address is what it said.
fn bucket(python: &str) -> Server {
    let script = root().join("tests/python/s3_server.py");
    Server::start(Command::new(python).arg(script).arg("logs"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn combiners_log_to_one_bucket_and_each_ranking_is_there_once() {
    let Some(python) = python(MODULES) else {
        return;
    };
    let bucket = bucket(&python);
    let address = bucket.hello.trim();
    let folder = tempfile::tempdir().unwrap();
    let mut answered = BTreeSet::new();
    for round in 0..3 {
        let mut combiners = REPLICAS.map(|replica| start(folder.path(), replica, address));
        // Each start uploads what was ranked before it.
        if round == 1 {
            signal(&bucket, "-STOP");
        }
        for (at, (_, combiner)) in combiners.iter().enumerate() {
            let first = 1000 * (2 * round + at as u64);
            answered.extend(rank(combiner, first).await);
        }
        let [(killed, _), (stopped, _)] = &mut combiners;
        killed.kill();
        assert!(stopped.stop().success());
        if round == 1 {
            signal(&bucket, "-CONT");
        }
    }
    let servers = REPLICAS.map(|replica| start(folder.path(), replica, address));
    for replica in REPLICAS {
        wait_until_uploaded(&folder.path().join(replica).join("log"));
    }
    drop(servers);
    assert_eq!(answered.len() as u64, 3 * 2 * RANKINGS);
    let (rankings, parts) = read(&python, address, "requests");
    let found: BTreeSet<_> = rankings.keys().cloned().collect();
    assert_eq!(found, answered);
    assert!(rankings.values().all(|&rows| rows == CANDIDATES));
    for replica in REPLICAS {
        let run = fs::read_to_string(folder.path().join(replica).join("log/run")).unwrap();
        let name = format!("/part-{replica}-{}-", run.trim());
        let own: Vec<_> = parts.iter().filter(|part| part.contains(&name)).collect();
        assert!(own.len() >= 3, "{replica}: {parts:?}");
        for part in own {
            assert!(part.starts_with("logs/feed/requests/dt=20"), "{part}");
        }
    }
    let of = |replica: &str| {
        parts
            .iter()
            .filter(|part| part.contains(&format!("/part-{replica}-")))
            .count()
    };
    assert_eq!(of("a") + of("b"), parts.len(), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_to_the_bucket_too() {
    let Some(python) = python(MODULES) else {
        return;
    };
    let bucket = bucket(&python);
    let address = bucket.hello.trim();
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = counterweight();
        command
            .args(["serve-journal", "--listen", "127.0.0.1:0"])
            .args(["--store", "s3://logs/feed", "--events"])
            .arg(folder.path().join("log"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AWS_ALLOW_HTTP", "true");
        Server::start(&mut command)
    };
    let mut server = start();
    let own = server.hello.trim().rsplit(' ').next().unwrap().to_owned();
    let channel = FeedbackServiceClient::connect(format!("http://{own}"));
    let events = (0..3).map(|number| Event {
        event_id: number.to_string(),
        ranking_id: "r".to_owned(),
        candidate_id: "c".to_owned(),
        r#type: "click".to_owned(),
        time: Some(SystemTime::now().into()),
        ..Event::default()
    });
    let request = WriteEventsRequest {
        events: events.collect(),
    };
    channel.await.unwrap().write_events(request).await.unwrap();
    server.kill();
    let server = start();
    wait_until_uploaded(&folder.path().join("log"));
    drop(server);
    let (rows, parts) = read(&python, address, "events");
    assert_eq!(rows, BTreeMap::from([("r".to_owned(), 3)]));
    let part = parts.first().unwrap();
    assert!(part.contains("/part-journal-"), "{part}");
}
