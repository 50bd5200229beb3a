//! The request log of real processes: killed, stopped and started, it holds every ranking once, and
//! its parts open elsewhere.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use counterweight_proto::counterweight::v1::{
    RankResponse, ranking_service_client::RankingServiceClient,
};
use counterweight_test_support::wait_until;
use tonic::transport::Channel;

use crate::{
    explored::Columns,
    steering::{CONFIG, request},
    support::{Server, combiner, json},
    tables::rows_elsewhere,
};

/// Kills of the process.
const KILLS: u64 = 8;
const WRITERS: u64 = 4;

fn start(folder: &Path, log: &str) -> (Server, String) {
    let config = format!("request_log = {{ path = \"log\", part_mib = 1, {log} }}\n{CONFIG}");
    combiner(folder, &config)
}

/// Ranks until the process is gone, and returns what was answered.
async fn rank(address: String, first: u64, answered: Arc<AtomicU64>) -> Vec<RankResponse> {
    // A call that was under way when the process was killed may never end by itself.
    let channel = Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .timeout(Duration::from_secs(15))
        .connect_lazy();
    let mut client = RankingServiceClient::new(channel);
    let mut answers = Vec::new();
    for number in first.. {
        match client.rank(request(number)).await {
            Ok(answer) => answers.push(answer.into_inner()),
            Err(_) => break,
        }
        answered.fetch_add(1, Relaxed);
    }
    answers
}

/// The parts of a log, once all of its segments are converted.
pub(crate) fn parts(log: &Path, kind: &str) -> Vec<PathBuf> {
    wait_until("all segments are converted", || {
        let segments = fs::read_dir(log.join("wal")).unwrap().count();
        (segments == 0).then_some(())
    });
    let folders = |path: PathBuf| {
        fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let days = folders(log.join(kind));
    let mut parts: Vec<_> = days.flat_map(folders).flat_map(folders).collect();
    parts.sort();
    parts
}

/// The pages in the parts by ranking: the candidates by place, with their scores.
fn pages(parts: &[PathBuf]) -> BTreeMap<String, BTreeMap<i32, (String, f64)>> {
    let mut pages: BTreeMap<String, BTreeMap<i32, (String, f64)>> = BTreeMap::new();
    for part in parts {
        let columns = Columns::read(part);
        let [p, b] = ["p_engagement", "p_engagement_bait"].map(|name| columns.numbers(name));
        let [alpha, beta] = ["w_engagement", "w_engagement_bait"].map(|name| columns.numbers(name));
        let (rankings, ids) = (columns.text("ranking_id"), columns.text("candidate_id"));
        for (row, place) in columns.places().into_iter().enumerate() {
            let page = pages.entry(rankings[row].clone()).or_default();
            let Some(place) = place else { continue };
            let score = alpha[row] * p[row] + beta[row] * b[row];
            let before = page.insert(place, (ids[row].clone(), score));
            assert!(before.is_none(), "{} is there twice", rankings[row]);
        }
    }
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_combiner_loses_no_ranking_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut answers = Vec::new();
    for kill in 0..KILLS {
        let (mut server, address) = start(folder.path(), "sync = \"request\", unit = \"raw\"");
        let answered = Arc::new(AtomicU64::new(0));
        let first = |writer| 1_000_000 * (kill * WRITERS + writer);
        let writers = (0..WRITERS)
            .map(|writer| tokio::spawn(rank(address.clone(), first(writer), answered.clone())));
        let writers: Vec<_> = writers.collect();
        let enough = 100 + 37 * kill;
        wait_until("it answers", || {
            (answered.load(Relaxed) >= enough).then_some(())
        });
        server.kill();
        for writer in writers {
            answers.extend(writer.await.unwrap());
        }
    }
    let (server, _) = start(folder.path(), "unit = \"raw\"");
    let parts = parts(&folder.path().join("log"), "requests");
    drop(server);
    let pages = pages(&parts);
    for answer in &answers {
        let page = pages.get(&answer.ranking_id);
        let page: Vec<_> = page.into_iter().flat_map(BTreeMap::values).collect();
        let answered = answer.candidates.iter();
        let answered: Vec<_> = answered.map(|one| (one.id.clone(), one.score)).collect();
        assert!(page.into_iter().eq(&answered), "{}", answer.ranking_id);
    }
    // Some were written and not answered, as the process was killed before.
    assert!(pages.len() >= answers.len());
    let most = answers.len() + usize::try_from(KILLS * WRITERS).unwrap();
    assert!(pages.len() <= most, "{} of {}", pages.len(), answers.len());
    let log = folder.path().join("log");
    let log = log.to_str().unwrap();
    let replayed = json(["log", "replay", "--requests", log]);
    let replayed = &replayed["replayed"];
    assert_eq!(replayed["rankings"], pages.len());
    assert_eq!(replayed["differing"], 0, "{replayed}");
    let status = json(["log", "status", log]);
    assert_eq!(status["rows"], 20 * pages.len(), "{status}");
    let files: Vec<_> = parts.iter().map(PathBuf::as_path).collect();
    if let Some(rows) = rows_elsewhere(&files) {
        assert_eq!(rows.iter().sum::<u64>(), 20 * pages.len() as u64);
    }
}
