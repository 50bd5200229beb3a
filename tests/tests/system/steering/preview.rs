//! Preview and solve: what they tell comes true, and the command that is printed applies it.

use serde_json::Value;

use super::{CONFIG, Combiner, K};
use crate::support::{run, stderr, stdout, weight};

fn value<'a>(preview: &'a Value, objective: usize, when: &str) -> &'a Value {
    &preview["exposures"][objective][when]["value"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_previewed_solved_for_and_applied_as_printed() {
    let combiner = Combiner::start(CONFIG);
    let nothing = combiner.run(&["weights", "preview", "β=-2"]);
    assert_eq!(nothing.status.code(), Some(1), "{}", stdout(&nothing));
    combiner.rank(200).await;

    let preview = combiner.json(&["weights", "preview", "β=-2"]);
    assert_eq!(preview["replayed"]["requests"], 200);
    assert_eq!(preview["replayed"]["units"], 50);
    assert_eq!(preview["k"], K);
    assert_eq!(*weight(&preview["after"], "engagement_bait"), -2.0);
    assert_eq!(preview["refusal"], "");
    assert_eq!(preview["moves"].as_array().unwrap().len(), 10);
    assert!(
        value(&preview, 1, "change").as_f64().unwrap() < 0.0,
        "{preview}"
    );
    let text = stdout(&combiner.run(&["weights", "preview", "β=-2", "-k", "3"]));
    for wanted in [
        "k = 3",
        "β engagement_bait -1 → -2",
        "sampling of requests only",
        "within ±10 %",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let refused = combiner.json(&["weights", "preview", "β=-9"]);
    assert!(
        refused["refusal"].as_str().unwrap().contains("-4"),
        "{refused}"
    );
    let wrong = combiner.run(&["weights", "preview", "shares=1"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));

    // The promise of the solution is kept by the very command that is printed.
    let budget = value(&preview, 1, "before").as_f64().unwrap() * 0.8;
    let solved = combiner.json(&["weights", "solve", "--bait-budget", &budget.to_string()]);
    let bait = solved["bait"].as_f64().unwrap();
    assert!(bait <= budget + 1e-12, "{bait} above {budget}");
    let command = solved["command"].as_str().unwrap();
    let words = shlex::split(command).unwrap();
    let arguments = &words[1..];
    let applied = run(arguments);
    assert!(applied.status.success(), "{command}: {}", stderr(&applied));
    let reported = combiner.json(&["weights", "get"]);
    assert_eq!(
        *weight(&reported["profiles"][0]["weights"], "engagement_bait"),
        solved["solved"]["weight"]
    );
    let again = run(arguments);
    assert!(
        stderr(&again).contains("ABORTED"),
        "it is bound to the revision: {}",
        stderr(&again)
    );
    let same = combiner.json(&[
        "weights",
        "preview",
        &format!("β={}", solved["solved"]["weight"]),
    ]);
    let exposed = value(&same, 1, "after").as_f64().unwrap();
    assert!((exposed - bait).abs() < 1e-12, "{exposed} for {bait}");
    assert_eq!(same["changed_order"], 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_can_be_seen_first() {
    let combiner = Combiner::start(CONFIG);
    combiner.rank(200).await;
    let plain = combiner.json(&["weights", "preview", "β=-2"]);
    let dry = combiner.json(&["weights", "set", "β=-2", "--dry-run"]);
    assert_eq!(dry, plain);

    let rule = ["--when", "user_country=DE", "β=-3"];
    let segment = [&["weights", "segment", "set", "german"][..], &rule].concat();
    let seen = combiner.json(&[&segment[..], &["--dry-run"]].concat());
    assert_eq!(
        seen["before"], seen["after"],
        "the profile's own weights stay"
    );
    assert!(value(&seen, 1, "change").as_f64().unwrap() < 0.0, "{seen}");
    let reported = combiner.json(&["weights", "get"]);
    assert_eq!(reported["applied_revision"], 0, "nothing is changed");

    combiner.json(&segment);
    let back = combiner.json(&["weights", "segment", "remove", "german", "--dry-run"]);
    assert_eq!(value(&back, 1, "before"), value(&seen, 1, "after"));
    assert_eq!(value(&back, 1, "after"), value(&seen, 1, "before"));
    assert_eq!(back["changed_order"], seen["changed_order"]);
    let late = ["weights", "set", "β=-2", "--dry-run", "--expect", "0"];
    let refused = combiner.json(&late);
    let reason = refused["refusal"].as_str().unwrap();
    assert!(reason.contains("revision 1"), "{reason}");
}
