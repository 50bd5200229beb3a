//! Off-policy estimates: what they rest on, what they refuse, and that they find the way the log
//! was made.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::common;

use common::{Csv, sample};
use counterweight_dataset::Dataset;
use counterweight_evaluation::{
    Basis, Draws, Goal, Log, LogOptions, OffPolicy, OpeOptions, OpeReport, Parts, Policy, Question,
    Recommendation, Swept, estimate, write_ope_curves,
};

fn options(at: &[f64], anyway: bool) -> OpeOptions {
    OpeOptions {
        policy: Policy::Lambda(at.to_vec()),
        level: 0.95,
        anyway,
    }
}

fn ask(log: &mut Log, options: &OpeOptions) -> Result<OpeReport, String> {
    estimate(log, &Question::default(), options, &mut |_| ())
        .map(|(report, _)| report)
        .map_err(|error| error.to_string())
}

#[test]
fn the_sample_is_estimated_over_the_range_that_it_explored() {
    let report = ask(&mut sample(), &options(&[], false)).unwrap();
    assert_eq!(
        (report.requests, report.unlabelled, report.contradicted),
        (2_000, 0, 0)
    );
    assert_eq!(report.range, Some((0.0, 1.25)));
    assert_eq!(report.rows.len(), 22);
    for row in &report.rows {
        let names: Vec<&str> = row
            .estimates
            .iter()
            .map(|estimate| estimate.estimator)
            .collect();
        assert_eq!(
            names,
            ["SIPS", "SNSIPS", "RIPS", "SNRIPS", "IIPS", "SNIIPS", "DR"]
        );
    }
    // Over the whole range the logged mean is the mean of the estimates: λ was uniform.
    let bait = |at: usize| report.rows[11 + at].estimates[6].value;
    assert!(bait(3).unwrap() > bait(8).unwrap(), "more λ, less bait");
}

#[test]
fn a_target_beyond_what_was_explored_is_refused() {
    let report = ask(&mut sample(), &options(&[3.0], false)).unwrap();
    for estimate in &report.rows[0].estimates {
        assert_eq!(estimate.value, None);
        assert!(
            estimate
                .refusals
                .iter()
                .any(|why| why.contains("never did")),
            "{:?}",
            estimate.refusals
        );
    }
}

#[test]
fn a_log_that_did_not_explore_is_refused() {
    let csv = Csv::new(
        "request_id,candidate_id,k,position,p_e,p_b,label_e,label_b\nr,a,1,1,0.5,0.5,1,0\n",
    );
    let message = ask(&mut csv.open().unwrap(), &options(&[0.5], false)).unwrap_err();
    assert!(
        message.contains("nothing in it was randomised"),
        "{message}"
    );
    let uniform = OpeOptions {
        policy: Policy::Uniform,
        ..options(&[], false)
    };
    let message = ask(&mut csv.open().unwrap(), &uniform).unwrap_err();
    assert!(
        message.contains("nothing in it was randomised"),
        "{message}"
    );
}

#[test]
fn options_that_are_none_are_refused() {
    assert!(
        ask(&mut sample(), &options(&[-1.0], false))
            .unwrap_err()
            .contains("a λ is -1")
    );
    let level = OpeOptions {
        level: 1.0,
        ..options(&[], false)
    };
    assert!(
        ask(&mut sample(), &level)
            .unwrap_err()
            .contains("the level is 1")
    );
}

/// A slate that no λ of the range gives: the log says it was ranked by other numbers.
#[test]
fn a_log_that_contradicts_itself_is_refused() {
    let csv = Csv::new(
        "request_id,candidate_id,k,position,p_e,p_b,label_e,label_b,lambda_low,lambda_high,lambda_density\nr,a,1,1,0.1,0.9,1,0,0,1,uniform\nr,b,1,,0.9,0.1,,,0,1,uniform\n",
    );
    let message = ask(&mut csv.open().unwrap(), &options(&[0.5], false)).unwrap_err();
    assert!(message.contains("not those that ranked"), "{message}");
}

#[test]
fn requests_whose_outcomes_are_not_known_yet_are_left_out_and_counted() {
    let header = "request_id,candidate_id,k,position,p_e,p_b,label_e,label_b,lambda_low,lambda_high,lambda_density\n";
    let csv = Csv::new(&format!(
        "{header}r,a,1,1,0.9,0.1,1,0,0,1,uniform\ns,a,1,1,0.9,0.1,,0,0,1,uniform\n"
    ));
    let report = ask(&mut csv.open().unwrap(), &options(&[0.5], true)).unwrap();
    assert_eq!((report.requests, report.unlabelled), (1, 1));
    let iips = report.rows[0]
        .estimates
        .iter()
        .find(|estimate| estimate.estimator == "IIPS")
        .unwrap();
    assert_eq!(
        iips.value,
        Some(1.0),
        "one candidate is shown with probability 1"
    );
}

/// Logged propensities of single actions serve ranking targets too: places only, for slates are not
/// known.
#[test]
fn logged_propensities_serve_a_ranking_target() {
    let rows: String = (0..400)
        .map(|r| {
            // a is shown with probability 0.8 and engages, b with 0.2 and does not.
            let a = r % 5 < 4;
            format!(
                "r{r},a,{},0.8,0.5,0.1,{}\nr{r},b,{},0.2,0.4,0.05,{}\n",
                if a { "1" } else { "" },
                if a { "1" } else { "" },
                if a { "" } else { "1" },
                if a { "" } else { "0" },
            )
        })
        .collect();
    let csv = Csv::new(&format!("r,c,pos,pi,p_engagement,p_bait,y\n{rows}"));
    let text = "name = \"bandit\"\nfiles = [\"log.csv\"]\n[columns]\nrequest = \"r\"\ncandidate = \"c\"\nposition = \"pos\"\npropensity = \"pi\"\n[[objective]]\nname = \"engagement\"\nlabel = { column = \"y\" }\n";
    let dataset = Dataset::parse(text, "bandit.toml", csv.folder()).unwrap();
    let one = LogOptions {
        k: Some(1),
        ..LogOptions::default()
    };
    let mut log = Log::open(dataset, Vec::new(), one).unwrap();
    // λ = 0 shows a (0.5 > 0.4); λ = 3 shows b (0.2 < 0.25).
    let report = ask(&mut log, &options(&[0.0, 3.0], false)).unwrap();
    let names: Vec<&str> = report.rows[0]
        .estimates
        .iter()
        .map(|estimate| estimate.estimator)
        .collect();
    assert_eq!(names, ["IIPS", "SNIIPS", "DR"]);
    let values: Vec<f64> = report
        .rows
        .iter()
        .map(|row| row.estimates[0].value.unwrap())
        .collect();
    assert_eq!(values, [1.0, 0.0]);
}

/// What the log was made by has a value; a budget of just that finds a λ near it.
#[test]
fn a_weight_is_recommended_on_off_policy_estimates() {
    let question = Question {
        reference: 0.5,
        ..Question::default()
    };
    let mut log = sample();
    let mut off_policy = OffPolicy::default();
    let swept = Swept::read(
        &mut log,
        &question,
        Parts::All,
        &mut |_| (),
        &mut |question, batch| off_policy.add(question, "sample", batch),
    )
    .unwrap();
    let answer = Recommendation::new(
        &log,
        &swept,
        &off_policy,
        Goal::Budget(0.08),
        Basis::OffPolicy,
        Draws::default(),
    )
    .unwrap();
    let found = answer
        .recommended
        .unwrap_or_else(|| panic!("{:?}", answer.reason));
    assert!((0.0..=1.25).contains(&found.lambda));
    assert!(found.tune.cost.high <= 0.08);
    assert!(
        found.test.cost.value < found.reference.cost.value,
        "{found:?}"
    );
    let none = Recommendation::new(
        &log,
        &swept,
        &OffPolicy::default(),
        Goal::Budget(0.08),
        Basis::OffPolicy,
        Draws::default(),
    )
    .unwrap();
    assert!(none.reason.unwrap().contains("λ was not randomised"));
}

/// The curves agree with the estimates at points.
#[test]
fn whole_curves_hold_the_estimates_at_points() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("curves.csv");
    let intervals =
        write_ope_curves(&mut sample(), &Question::default(), &file, &mut |_| ()).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(
        header[..3],
        ["lambda_low", "lambda_high", "iips_engagement"]
    );
    let rows: Vec<Vec<f64>> = lines
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), intervals);
    let at = [0.31, 0.77, 1.03];
    let report = ask(&mut sample(), &options(&at, true)).unwrap();
    for (row, lambda) in report.rows.iter().zip(at.iter().cycle()) {
        let interval = rows
            .iter()
            .find(|own| own[0] <= *lambda && *lambda < own[1])
            .unwrap();
        let column = |name: &str| {
            header
                .iter()
                .position(|own| *own == format!("{name}_{}", row.objective))
                .unwrap()
        };
        for (name, estimator) in [("iips", "IIPS"), ("sniips", "SNIIPS")] {
            let estimate = row
                .estimates
                .iter()
                .find(|own| own.estimator == estimator)
                .unwrap();
            let (curve, point) = (interval[column(name)], estimate.value.unwrap());
            assert!(
                (curve - point).abs() < 1e-9,
                "{estimator} at {lambda}: {curve}, {point}"
            );
        }
    }
}
