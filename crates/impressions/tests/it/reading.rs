//! Reads logs: what is accepted, and every reason to refuse a log.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use std::collections::HashSet;

use common::{Csv, error, read, sample};
use counterweight_dataset::Dataset;
use counterweight_impressions::{Exploration, Log, LogOptions, Part};

const HEADER: &str = "request_id,user_id,candidate_id,k,position,\
    p_engagement,p_engagement_bait,label_engagement,label_engagement_bait";

fn log(rows: &str) -> String {
    format!("{HEADER}\n{rows}")
}

#[test]
fn the_sample_is_read_whole_with_users_in_one_part_each() {
    let mut log = sample();
    let (requests, summary) = read(&mut log).unwrap();
    assert_eq!(requests.len(), 2_000);
    assert_eq!(summary.tune + summary.test, 2_000);
    assert_eq!(summary.rows, 50_093);
    assert_eq!(summary.candidates, 50_093);
    assert_eq!(summary.k, 10);
    assert_eq!(summary.explored, 2_000);
    assert_eq!(summary.known, [20_000, 20_000]);
    let users = |part: Part| -> HashSet<u64> {
        let own = requests.iter().filter(|request| request.part == part);
        own.map(|request| request.unit).collect()
    };
    assert!(users(Part::Tune).is_disjoint(&users(Part::Test)));
    assert_eq!(users(Part::Tune).len() as u64, summary.tune_users);
    for request in &requests {
        assert!(request.ids.is_sorted());
        let logged = request.logged.as_ref().unwrap();
        assert_eq!(logged.shown.len(), 10);
        assert!(matches!(logged.exploration, Exploration::Lambda { .. }));
        for &(candidate, _) in &logged.shown {
            assert!(!request.realised[0][candidate].is_nan());
        }
    }
    assert_eq!(
        log.objectives()[1].model.as_deref(),
        Some("older-bait-1"),
        "{:?}",
        log.objectives()
    );
}

#[test]
fn rows_of_a_request_may_have_any_order_and_a_request_may_have_one_row() {
    let csv = Csv::new(&log(
        "r1,u1,b,2,2,0.5,0.1,1,0\nr1,u1,a,2,1,0.6,0.2,0,\nr2,u2,x,2,1,0.5,0.5,,\n",
    ));
    let (requests, _) = read(&mut csv.open().unwrap()).unwrap();
    assert_eq!(requests[0].ids, ["a", "b"]);
    assert_eq!(requests[0].probabilities[0], [0.6, 0.5]);
    assert_eq!(requests[0].realised[0], [0.0, 1.0]);
    assert!(requests[0].realised[1][0].is_nan());
    assert_eq!(requests[1].ids.len(), 1);
    assert!(requests[1].logged.is_none(), "nothing was randomised");
}

#[test]
fn a_request_that_was_ranked_without_an_objective_is_left_out_and_counted() {
    let csv = Csv::new(&log("r1,u1,a,1,1,0.5,,1,0\nr2,u2,a,1,1,0.5,0.5,1,0\n"));
    let (requests, summary) = read(&mut csv.open().unwrap()).unwrap();
    assert_eq!((requests.len(), summary.incomplete), (1, 1));
}

#[test]
fn an_invalid_row_is_reported_with_its_request() {
    for (rows, wanted) in [
        (
            "r1,u,a,2,1,0.5,0.5,2,0\n",
            "\"2\" is not true, false, 1 or 0",
        ),
        (
            "r1,u,a,2,1,1.5,0.5,1,0\n",
            "p_engagement is 1.5; a probability is from 0 to 1",
        ),
        (
            "r1,u,a,2,1,-0.1,0.5,1,0\n",
            "request \"r1\": row 1, candidate \"a\": p_engagement is -0.1",
        ),
        (",u,a,2,1,0.5,0.5,1,0\n", "row 1 has no request id"),
        ("r1,u,,2,1,0.5,0.5,1,0\n", "row 1 has no candidate id"),
        (
            "r1,u,a,2,1,0.5,0.5,1,0\nr1,u,a,2,,0.5,0.5,,\n",
            "\"a\" has two rows",
        ),
        (
            "r1,u,a,2,1,0.5,0.5,1,0\nr2,u,a,2,1,0.5,0.5,1,0\nr1,u,b,2,2,0.5,0.5,1,0\n",
            "\"r1\" are not adjacent",
        ),
        (
            "r1,u,a,2,first,0.5,0.5,1,0\n",
            "position \"first\" is not a whole number",
        ),
        (
            "r1,u,a,2,1,0.5,0.5,1,0\nr1,u,b,2,1,0.5,0.5,1,0\n",
            "two candidates were shown at position 1",
        ),
        (
            "r1,u,a,0,1,0.5,0.5,1,0\n",
            "k is 0; it is a whole number from 1",
        ),
        ("r1,u,a,,1,0.5,0.5,1,0\n", "its `k` is missing"),
        (
            "r1,u,a,2,1,0.5,0.5,1,0\nr2,u,a,3,1,0.5,0.5,1,0\n",
            "has 3 places, but earlier pages have 2",
        ),
        (
            "r1,u,a,2,1,,0.5,1,0\n",
            "none of the 1 rows gives a request",
        ),
    ] {
        let message = error(&log(rows));
        assert!(message.contains(wanted), "{rows}: {message}");
    }
}

#[test]
fn a_log_of_two_versions_is_refused_by_name() {
    let text =
        "request_id,candidate_id,k,p_engagement,model_engagement\nr1,a,1,0.5,v1\nr2,a,1,0.5,v2\n";
    let message = error(text);
    assert!(
        message.contains("`engagement` was ranked by model versions \"v1\" and \"v2\""),
        "{message}"
    );
}

#[test]
fn invalid_randomisation_is_refused() {
    let header = "request_id,candidate_id,k,position,p_e,p_b,lambda_low,lambda_high,lambda_density";
    for (rows, wanted) in [
        (
            "r1,a,1,1,0.5,0.5,1,0.5,uniform\n",
            "λ was drawn from \"uniform\" on [1, 0.5]",
        ),
        (
            "r1,a,1,1,0.5,0.5,0,1,log_uniform\n",
            "log_uniform with 0 < lambda_low",
        ),
        (
            "r1,a,1,1,0.5,0.5,0,1,normal\n",
            "λ was drawn from \"normal\"",
        ),
        (
            "r1,a,1,1,0.5,0.5,0,1,uniform\nr1,b,1,3,0.5,0.5,0,1,uniform\n",
            "have a gap",
        ),
    ] {
        let message = error(&format!("{header}\n{rows}"));
        assert!(message.contains(wanted), "{rows}: {message}");
    }
}

const BANDIT: &str = "name = \"bandit\"\nfiles = [\"log.csv\"]\n\
    [columns]\nrequest = \"r\"\ncandidate = \"c\"\nposition = \"pos\"\npropensity = \"pi\"\n\
    [[objective]]\nname = \"engagement\"\nlabel = { column = \"y\" }\n";

fn bandit_error(rows: &str) -> String {
    let csv = Csv::new(&format!("r,c,pos,pi,y\n{rows}"));
    let dataset = Dataset::parse(BANDIT, "bandit.toml", csv.folder()).unwrap();
    let options = LogOptions {
        k: Some(1),
        ..LogOptions::default()
    };
    let mut log = Log::open(dataset, Vec::new(), options).unwrap();
    read(&mut log).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn invalid_propensities_are_refused() {
    for (rows, wanted) in [
        (
            "r1,a,1,0,1\n",
            "the propensity of candidate \"a\" at position 1 is 0;",
        ),
        ("r1,a,1,1.5,1\n", "position 1 is 1.5;"),
        ("r1,a,1,,1\n", "position 1 is NaN;"),
        (
            "r1,a,1,0.5,1\nr1,b,,0.4,\n",
            "sum to 0.9; one candidate was shown",
        ),
    ] {
        let message = bandit_error(rows);
        assert!(message.contains(wanted), "{rows}: {message}");
    }
}

const VIDEOS: &str = "name = \"videos\"\nfiles = [\"log.csv\"]\n\
    [requests]\ncandidates = 3\nseed = 7\n[columns]\ngroup = \"channel\"\n\
    [[objective]]\nname = \"e\"\nlabel = { column = \"y\" }\n\
    [split]\nby = \"group\"\ntrain = 0.4\ntune = 0.3\ntest = 0.3\nseed = 1\n";

#[test]
fn rows_are_grouped_into_requests_within_their_part_in_a_reproducible_way() {
    let rows: String = (0..200)
        .map(|row| format!("c{},0.{row:03},{}\n", row % 20, row % 2))
        .collect();
    let csv = Csv::new(&format!("channel,p_e,y\n{rows}"));
    let deal = || {
        let dataset = Dataset::parse(VIDEOS, "videos.toml", csv.folder()).unwrap();
        let options = LogOptions {
            k: Some(2),
            ..LogOptions::default()
        };
        read(&mut Log::open(dataset, Vec::new(), options).unwrap()).unwrap()
    };
    let (requests, summary) = deal();
    assert!(requests.iter().all(|request| request.ids.len() == 3));
    assert_eq!(requests.len() as u64 * 3 + summary.undealt, 200);
    assert!(summary.tune > 0 && summary.test > 0);
    assert_eq!(requests, deal().0);
    let mut found: Vec<f64> = requests
        .iter()
        .flat_map(|request| request.probabilities[0].clone())
        .collect();
    found.sort_by(f64::total_cmp);
    found.dedup();
    assert_eq!(found.len(), requests.len() * 3, "no row is in two requests");
}

#[test]
fn a_user_in_both_parts_is_refused() {
    let csv = Csv::new("r,u,t,p_e\nr1,u1,1,0.5\nr2,u2,2,0.5\nr3,u1,3,0.5\nr4,u3,4,0.5\n");
    let text = "name = \"t\"\nfiles = [\"log.csv\"]\n\
                [columns]\nrequest = \"r\"\nuser = \"u\"\ntime = \"t\"\n\
                [split]\nby = \"time\"\ntrain = 0.25\ntune = 0.25\ntest = 0.5\n";
    let dataset = Dataset::parse(text, "t.toml", csv.folder()).unwrap();
    let options = LogOptions {
        k: Some(1),
        ..LogOptions::default()
    };
    let mut log = Log::open(dataset, Vec::new(), options).unwrap();
    let message = read(&mut log).unwrap_err().to_string();
    assert!(message.contains("split by the user"), "{message}");
}
