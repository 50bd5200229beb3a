//! A limit on the size of files (`ulimit -f`) does not end a combiner: it refuses the write,
//! continues to rank, and can still put the safe weights in force locally.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use counterweight_test_support::wait_until;

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
[store]
path = "weights.log"
[[objective]]
name = "engagement"
column = { name = "xe" }
[[objective]]
name = "engagement_bait"
column = { name = "xb" }
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5 }
safe = { engagement = 1.0, engagement_bait = -9.0 }
"#;

/// A running combiner, with or without a limit on the size of its files.
struct Combiner {
    process: Child,
    address: String,
}

impl Combiner {
    fn start(folder: &Path, kib: Option<u32>) -> Self {
        let limit = kib.map_or_else(String::new, |kib| format!("ulimit -f {kib}; "));
        let serve = format!("{limit}exec \"$0\" serve-combiner --config \"$1\"");
        let mut process = Command::new("bash")
            .args(["-c", &serve, env!("CARGO_BIN_EXE_counterweight")])
            .arg(folder.join("combiner.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ranking on ").unwrap().to_owned();
        Self { process, address }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_counterweight"))
            .args(arguments)
            .args(["--address", &self.address])
            .output()
            .unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Combiner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_log_at_the_limit_refuses_changes_and_the_combiner_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("combiner.toml"), CONFIG).unwrap();
    let mut combiner = Combiner::start(folder.path(), Some(8));
    let reason = "x".repeat(3000);
    let set = ["weights", "set", "β=-1", "-m", &reason];
    let refused = (0..9).map(|_| combiner.run(&set));
    let refused = refused
        .into_iter()
        .find(|output| !output.status.success())
        .unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("an entry cannot be written"), "{error}");
    assert_eq!(error.matches("os error").count(), 1, "{error}");
    assert!(combiner.process.try_wait().unwrap().is_none(), "it runs");
    assert!(
        combiner
            .text(&["weights", "get"])
            .contains("has not reached")
    );

    let kill = combiner.text(&["weights", "kill", "--local", "-m", "no room"]);
    assert!(
        kill.contains("on this combiner alone") && !kill.contains("forget"),
        "{kill}"
    );
    drop(combiner);
    let combiner = Combiner::start(folder.path(), Some(8));
    let weights = combiner.text(&["weights", "get"]);
    assert!(
        weights.contains("-9") && weights.contains("a local kill of default"),
        "{weights}"
    );
    drop(combiner);

    // Without the limit, the weights of the log are in force again.
    let combiner = Combiner::start(folder.path(), None);
    combiner.text(&["weights", "set", "β=-1e-300", "-m", "room"]);
    let weights = wait_until("the local kill ends", || {
        Some(combiner.text(&["weights", "get"])).filter(|text| text.contains("ended at"))
    });
    assert!(
        weights.contains("-1e-300") && !weights.contains("0000000000"),
        "{weights}"
    );
    combiner.text(&["weights", "verify"]);
}
