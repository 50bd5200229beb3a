//! The writer is killed at random points, with room on the disk and without: what was acknowledged
//! is there, nothing is torn, and the chain holds. The writer is this test's own executable, run
//! again as its own process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking
#![allow(clippy::print_stdout)] // the process tells its port

use crate::common;

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use common::weights::{Weights, change, set};
use counterweight_combiner::{Config, Listener, Listeners, serve, verify_log};
use counterweight_test_support::{LONG, soon};
use tokio::sync::watch;
use tonic::transport::Channel;

/// Where the process keeps its log; only set for the process.
const FOLDER: &str = "COUNTERWEIGHT_TEST_CRASH_FOLDER";
const CONFIG: &str = "[store]\npath = \"weights.log\"\n[[objective]]\nname = \"engagement\"\ncolumn = { name = \"p\" }\n\
                      [profile.default]\nweights = { engagement = 1.0 }\n";
const WRITERS: u64 = 4;

/// Not a test by itself: the combiner that the tests below start and kill.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Ok(folder) = env::var(FOLDER) else {
        return;
    };
    let config = Config::parse(CONFIG, "crash.toml", Path::new(&folder)).unwrap();
    let grpc = Listener::bind("127.0.0.1:0").await.unwrap();
    println!("ADDRESS {}", grpc.address().unwrap());
    let listeners = Listeners {
        grpc,
        metrics: None,
    };
    serve(config, listeners, std::future::pending())
        .await
        .unwrap();
}

/// Starts the process; with a limit, no file of it grows beyond so many blocks of 512 bytes, as on
/// a full disk.
fn start(folder: &Path, blocks: Option<u64>) -> (Child, String) {
    let mut command = Command::new("sh");
    let limit = blocks.map_or_else(String::new, |blocks| {
        format!("trap '' XFSZ; ulimit -f {blocks}; ")
    });
    let mut child = command
        .args(["-c", &format!("{limit}exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::the_process_that_is_killed",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        line.split_once("ADDRESS ")
            .map(|(_, address)| address.to_owned())
    });
    (child, address.expect("the process tells its port"))
}

/// Writes until the process is gone; gives back what was acknowledged.
async fn write(
    address: String,
    writer: u64,
    answered: Arc<watch::Sender<u64>>,
) -> Vec<(u64, String)> {
    // A call that was under way when the process was killed may never end by itself.
    let channel = Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .timeout(LONG / 4)
        .connect_lazy();
    let mut client = Weights::new(channel);
    let mut done = Vec::new();
    for number in 1.. {
        let weight = 1.0 + writer as f64 + f64::from(number) / 1e6;
        let request = set(vec![change("default", &[("engagement", weight)], None)]);
        match client.set_weights(request).await {
            Ok(answer) => {
                let entry = answer.into_inner().entry.unwrap();
                done.push((entry.revision, entry.hash));
            }
            // The disk is full; the store goes on refusing, and the process goes on living.
            Err(status) if status.message().contains("cannot be written") => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(_) => break,
        }
        answered.send_modify(|answers| *answers += 1);
    }
    done
}

/// One life of the process: it is killed after so many answers and so many microseconds.
async fn life(folder: &Path, blocks: Option<u64>, answers: u64, micros: u64) -> Vec<(u64, String)> {
    let (mut child, address) = start(folder, blocks);
    let answered = Arc::new(watch::Sender::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(address.clone(), writer, Arc::clone(&answered))))
        .collect();
    let mut count = answered.subscribe();
    let enough = count.wait_for(|&count| count >= answers);
    soon("the process answers", enough).await.unwrap();
    tokio::time::sleep(Duration::from_micros(micros)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    acknowledged
}

/// Every acknowledged revision is in the log with the hash that was answered, and the chain holds.
fn assert_kept(log: &Path, acknowledged: &[(u64, String)]) {
    let verified = verify_log(log, "").unwrap();
    assert_eq!(verified.broken, None);
    let text = fs::read(log).unwrap();
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    for (revision, hash) in acknowledged {
        assert!(*revision <= verified.entries, "revision {revision} is lost");
        let line = lines[usize::try_from(revision - 1).unwrap()];
        assert!(line.starts_with(hash.as_bytes()), "revision {revision}");
    }
}

/// Numbers that look random, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_two_hundred_times_it_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("weights.log");
    let mut random = Random(1);
    let mut acknowledged = Vec::new();
    for _ in 0..200 {
        let (answers, micros) = (random.below(12), random.below(3_000));
        acknowledged.extend(life(folder.path(), None, answers, micros).await);
        assert_kept(&log, &acknowledged);
    }
    assert!(acknowledged.len() > 200, "only {}", acknowledged.len());
    let mut revisions: Vec<u64> = acknowledged.iter().map(|(revision, _)| *revision).collect();
    revisions.sort_unstable();
    assert!(
        revisions.windows(2).all(|pair| pair[0] < pair[1]),
        "no revision was given twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_a_full_disk_it_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("weights.log");
    let mut random = Random(2);
    let mut acknowledged = Vec::new();
    let mut full = 0;
    for _ in 0..200 {
        let size = fs::metadata(&log).map_or(0, |log| log.len());
        // Room for none to about six more entries.
        let blocks = size.div_ceil(512) + random.below(8);
        let (answers, micros) = (8 + random.below(12), random.below(3_000));
        acknowledged.extend(life(folder.path(), Some(blocks), answers, micros).await);
        let after = fs::metadata(&log).unwrap().len();
        assert!(after <= blocks * 512);
        full += u64::from(after + 512 > blocks * 512);
        assert_kept(&log, &acknowledged);
    }
    assert!(full > 20, "the disk was full only {full} times");
    // With room again, it goes on.
    let more = life(folder.path(), None, 5, 0).await;
    acknowledged.extend(more);
    assert_kept(&log, &acknowledged);
}
