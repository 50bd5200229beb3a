//! Fronts of one part and of both: what is needed is asked for at once, and nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use common::Csv;
use counterweight_dataset::Dataset;
use counterweight_evaluation::{
    Basis, Draws, FrontReport, Log, LogOptions, Parts, Question, Swept, check_curve_file,
};

/// Twenty requests of three candidates; with all outcomes, or with none.
fn log(labels: bool) -> Csv {
    let mut text = "request_id,candidate_id,p_e,p_b,label_e,label_b\n".to_owned();
    for request in 0..20 {
        for candidate in 0..3 {
            let p = 0.1 + 0.03 * f64::from((request * 7 + candidate * 5) % 11);
            let labels = match labels {
                true => format!("{},{}", (request + candidate) % 2, candidate % 2),
                false => ",".to_owned(),
            };
            text.push_str(&format!("r{request},c{candidate},{p},{},{labels}\n", p * p));
        }
    }
    Csv::new(&text)
}

fn open(csv: &Csv, tune: f64, test: f64) -> Log {
    let objective = |name: &str| {
        format!("[[objective]]\nname = \"{name}\"\nlabel = {{ column = \"label_{name}\" }}\n")
    };
    let text = format!(
        "name = \"t\"\nfiles = [\"log.csv\"]\n[columns]\nrequest = \"request_id\"\ncandidate = \"candidate_id\"\ngroup = \"request_id\"\n{}{}[split]\nby = \"group\"\ntrain = 0\ntune = {tune}\ntest = {test}\nseed = 1\n",
        objective("e"),
        objective("b")
    );
    let options = LogOptions {
        k: Some(2),
        ..LogOptions::default()
    };
    let dataset = Dataset::parse(&text, "t.toml", csv.folder()).unwrap();
    Log::open(dataset, Vec::new(), options).unwrap()
}

fn front(log: &mut Log, part: Parts) -> FrontReport {
    let question = Question::default();
    let parts = FrontReport::parts(log, &question, part).unwrap();
    let mut swept = Swept::read(log, &question, parts, &mut |_| (), &mut |_, _| Ok(())).unwrap();
    if part == Parts::All {
        swept = swept.joined();
    }
    let draws = Draws {
        replicates: 20,
        ..Draws::default()
    };
    FrontReport::new(log, &swept, part, draws).unwrap()
}

#[test]
fn a_front_of_the_test_part_needs_no_tune_part() {
    let csv = log(true);
    let mut log = open(&csv, 0.0, 1.0);
    let report = front(&mut log, Parts::Test);
    assert_eq!(report.basis, Basis::Realised);
    assert_eq!(report.chosen_on, Parts::Test);
    assert!(!report.hull.is_empty());
    // The part that is not there is refused before the log is read.
    let error = FrontReport::parts(&log, &Question::default(), Parts::Tune).unwrap_err();
    assert!(
        error.to_string().contains("leaves the tune part empty"),
        "{error}"
    );
}

#[test]
fn points_are_chosen_on_the_tune_part_where_outcomes_choose_them() {
    let csv = log(true);
    let mut both = open(&csv, 0.5, 0.5);
    assert_eq!(front(&mut both, Parts::Test).chosen_on, Parts::Tune);
    assert_eq!(front(&mut both, Parts::Tune).chosen_on, Parts::Tune);
}

#[test]
fn a_front_of_predictions_reads_the_part_that_is_asked_for_alone() {
    let text = "request_id,candidate_id,k,p_e,p_b\nr1,a,1,0.5,0.5\n";
    let csv = Csv::new(text);
    let log = csv.open().unwrap();
    let parts = |part| FrontReport::parts(&log, &Question::default(), part).unwrap();
    assert_eq!(parts(Parts::Test), Parts::Test);
    assert_eq!(parts(Parts::All), Parts::All);
}

#[test]
fn both_parts_as_one_are_the_log_without_a_split() {
    let csv = log(true);
    let all = front(&mut open(&csv, 0.5, 0.5), Parts::All);
    assert_eq!((all.part, all.chosen_on), (Parts::All, Parts::All));
    // Every request of the log in one part.
    let whole = front(&mut open(&csv, 0.0, 1.0), Parts::Test);
    assert_eq!(all.hull, whole.hull);
    assert_eq!(all.grid, whole.grid);
    assert_eq!(all.baselines, whole.baselines);
}

#[test]
fn a_file_that_cannot_take_curves_is_told_before_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    check_curve_file(&folder.path().join("curves.csv")).unwrap();
    for (name, wanted) in [
        ("curves.txt", "must be .csv or .parquet"),
        ("absent/curves.csv", "does not exist"),
    ] {
        let error = check_curve_file(&folder.path().join(name)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
