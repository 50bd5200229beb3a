//! Fronts and recommendations on logs whose truth is known.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::common;

use std::fmt::Write as _;

use common::{Csv, sample};
use counterweight_evaluation::{
    Basis, Curve, Draws, FrontReport, Goal, Log, LogOptions, OffPolicy, Order, Parts, Question,
    Recommendation, Swept, write_curves,
};
use counterweight_simulator::{Config, TRUTH_FILE, simulate};
use polars::prelude::{ParquetReader, SerReader};
use xxhash_rust::xxh3::xxh3_64_with_seed;

fn swept(log: &mut Log, question: &Question) -> Swept {
    Swept::read(log, question, Parts::All, &mut |_| (), &mut |_, _| Ok(())).unwrap()
}

/// A number in [0, 1) that depends on nothing but its arguments.
fn unit(seed: u64, number: usize) -> f64 {
    (xxh3_64_with_seed(&number.to_le_bytes(), seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The simulated feed with the probabilities that its labels were drawn from, and labels drawn for
/// all candidates.
fn truth_log(requests: u64, seed: u64) -> Csv {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        requests,
        seed,
        ..Config::default()
    };
    simulate(&config, folder.path(), |_| ()).unwrap();
    let file = std::fs::File::open(folder.path().join(TRUTH_FILE)).unwrap();
    let frame = ParquetReader::new(file).finish().unwrap();
    let text = |name: &str| frame.column(name).unwrap().str().unwrap().clone();
    let number = |name: &str| frame.column(name).unwrap().f64().unwrap().clone();
    let (request, candidate) = (text("request_id"), text("candidate_id"));
    let (engagement, bait) = (
        number("truth_engagement_at_1"),
        number("truth_engagement_bait"),
    );
    let mut csv = String::from(
        "request_id,candidate_id,k,p_engagement,p_engagement_bait,label_engagement,label_engagement_bait\n",
    );
    for row in 0..frame.height() {
        let (e, b) = (engagement.get(row).unwrap(), bait.get(row).unwrap());
        let (y, z) = (unit(seed, 2 * row) < e, unit(seed, 2 * row + 1) < b);
        let (request, candidate) = (request.get(row).unwrap(), candidate.get(row).unwrap());
        writeln!(csv, "{request},{candidate},10,{e},{b},{y},{z}").unwrap();
    }
    Csv::new(&csv)
}

/// Ranking by the truth at λ* maximises what is gained at the exchange rate λ*: it must be found
/// again.
#[test]
fn a_planted_lambda_is_recovered_within_its_interval() {
    let mut found = 0;
    for (seed, planted) in [
        (1, 0.3),
        (2, 0.5),
        (3, 0.7),
        (4, 1.0),
        (5, 0.3),
        (6, 0.5),
        (7, 0.7),
        (8, 1.0),
    ] {
        let csv = truth_log(1_000, seed);
        let mut log = csv.open().unwrap();
        let swept = swept(&mut log, &Question::default());
        let answer = Recommendation::new(
            &log,
            &swept,
            &OffPolicy::default(),
            Goal::Rate(planted),
            Basis::Realised,
            Draws::default(),
        )
        .unwrap();
        let recommended = answer.recommended.unwrap();
        let (low, high) = recommended.range;
        assert!(low <= recommended.lambda && recommended.lambda <= high);
        assert!(
            (recommended.lambda - planted).abs() < 0.6 && low > 0.3 * planted,
            "{planted}: {recommended:?}"
        );
        found += u32::from((low..=high).contains(&planted));
    }
    assert!(found >= 6, "{found} of 8 95 % ranges hold the planted λ");
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut log = sample();
            let swept = swept(&mut log, &Question::default());
            let draws = Draws {
                replicates: 50,
                ..Draws::default()
            };
            let report = FrontReport::new(&log, &swept, Parts::Test, draws).unwrap();
            let answer = Recommendation::new(
                &log,
                &swept,
                &OffPolicy::default(),
                Goal::Budget(0.1),
                Basis::Predicted,
                draws,
            )
            .unwrap();
            let curves = swept.curves(&log, Parts::Test).unwrap();
            let bits: Vec<u64> = (0..curves.metrics().len())
                .flat_map(|curve| curves.values(curve).iter().map(|value| value.to_bits()))
                .collect();
            (bits, serde_json::to_string(&(report, answer)).unwrap())
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn a_front_ends_at_its_orders() {
    let csv = truth_log(400, 9);
    let mut log = csv.open().unwrap();
    let swept = swept(&mut log, &Question::default());
    let report = FrontReport::new(&log, &swept, Parts::Test, Draws::default()).unwrap();
    assert_eq!(report.basis, Basis::Realised);
    let baselines = swept.baselines(Parts::Test).unwrap();
    let curves = swept.curves(&log, Parts::Test).unwrap();
    let realised = curves.values(swept.question.position(Curve::Realised(0)));
    let alone = baselines.mean(0, Order::Highest(0)).unwrap();
    assert!(
        (realised[0] - alone.value).abs() < 1e-9,
        "λ = 0 is engagement alone"
    );
    let least = baselines.mean(1, Order::Lowest(1)).unwrap();
    let bait = curves.values(swept.question.position(Curve::Realised(1)));
    assert!(
        (bait[bait.len() - 1] - least.value).abs() < 5e-3,
        "λ = ∞ is bait alone, but for ties"
    );
    let oracle = baselines.mean(0, Order::Oracle).unwrap();
    let random = baselines.mean(0, Order::Random).unwrap();
    assert!(oracle.value > alone.value && alone.value > random.value);
    assert_eq!(random.lift, 0.0);
    assert!(
        report
            .hull
            .windows(2)
            .all(|pair| pair[0].cost < pair[1].cost && pair[0].gain < pair[1].gain)
    );
    // NDCG and the changed share begin where they must.
    let first = &report.grid[0];
    let changed = report
        .curves
        .iter()
        .position(|name| name == "changed")
        .unwrap();
    assert_eq!((first.lambda, first.values[changed].value), (0.0, 0.0));
}

#[test]
fn there_is_no_recommendation_without_evidence() {
    let reason = |log: &mut Log, goal, basis| {
        let swept = swept(log, &Question::default());
        let answer = Recommendation::new(
            log,
            &swept,
            &OffPolicy::default(),
            goal,
            basis,
            Draws::default(),
        )
        .unwrap();
        assert!(answer.command().is_none());
        answer.reason.unwrap()
    };
    let few = Csv::new(
        "request_id,candidate_id,k,p_e,p_b,label_e,label_b\nr1,a,1,0.5,0.5,1,0\nr2,a,1,0.5,0.5,1,0\n",
    );
    let why = reason(&mut few.open().unwrap(), Goal::Budget(0.5), Basis::Realised);
    assert!(why.contains("users or requests to draw from"), "{why}");
    let why = reason(&mut sample(), Goal::Budget(0.1), Basis::Realised);
    assert!(why.contains("favour what was shown"), "{why}");
    let why = reason(&mut sample(), Goal::Budget(0.0001), Basis::Predicted);
    assert!(why.contains("no λ keeps the upper bound"), "{why}");
    let why = reason(&mut sample(), Goal::AtLeast(0.99), Basis::Predicted);
    assert!(why.contains("no λ keeps the lower bound"), "{why}");
}

#[test]
fn a_goal_or_a_draw_that_is_none_is_refused() {
    let mut log = sample();
    let swept = swept(&mut log, &Question::default());
    let message = |goal, draws| {
        Recommendation::new(
            &log,
            &swept,
            &OffPolicy::default(),
            goal,
            Basis::Predicted,
            draws,
        )
        .unwrap_err()
        .to_string()
    };
    assert!(message(Goal::Budget(1.5), Draws::default()).contains("the budget is 1.5"));
    assert!(message(Goal::Rate(-1.0), Draws::default()).contains("the exchange rate is -1"));
    let one = Draws {
        replicates: 1,
        ..Draws::default()
    };
    assert!(message(Goal::Rate(1.0), one).contains("at least 2"));
    let level = Draws {
        level: 95.0,
        ..Draws::default()
    };
    assert!(message(Goal::Rate(1.0), level).contains("above 0 and below 1"));
}

#[test]
fn a_command_says_what_was_asked_and_found() {
    let mut log = sample();
    let swept = swept(&mut log, &Question::default());
    let answer = Recommendation::new(
        &log,
        &swept,
        &OffPolicy::default(),
        Goal::Budget(0.1),
        Basis::Predicted,
        Draws::default(),
    )
    .unwrap();
    let recommended = answer.recommended.as_ref().unwrap();
    assert_eq!(
        answer.command().unwrap(),
        format!(
            "counterweight weights set engagement=1 engagement_bait={} -m 'bench recommend: engagement_bait of at most 0.1'",
            -recommended.lambda
        )
    );
    assert!(
        recommended.tune.cost.high <= 0.1,
        "the bound keeps the budget, not the estimate alone"
    );
    assert_eq!(answer.bound_to[1].model.as_deref(), Some("older-bait-1"));
}

/// Three objectives: one moves, the others are fixed.
#[test]
fn a_third_objective_is_held_or_moved() {
    let mut text = String::from("request_id,candidate_id,k,p_e,p_b,p_s,label_e,label_b,label_s\n");
    for request in 0..200 {
        for candidate in 0..8 {
            let at = request * 8 + candidate;
            let [e, b, s] = [1, 2, 3].map(|seed| unit(seed, at));
            let [y, z, t] = [4, 5, 6].map(|seed| u8::from(unit(seed, at) < 0.5));
            writeln!(text, "r{request},c{candidate},3,{e},{b},{s},{y},{z},{t}").unwrap();
        }
    }
    let csv = Csv::new(&text);
    let ask = |question: Question| swept(&mut csv.open().unwrap(), &question);
    let fixed = ask(Question {
        vary: Some("s".to_owned()),
        hold: vec![("b".to_owned(), -0.5)],
        positive: true,
        ..Question::default()
    });
    assert_eq!(fixed.question.weights_at(2.0), [1.0, -0.5, 2.0]);
    let curves = fixed.curves(&csv.open().unwrap(), Parts::Test).unwrap();
    let s = curves.values(fixed.question.position(Curve::Predicted(2)));
    assert!(
        s.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12),
        "β > 0 raises its objective"
    );
    let wrong = |question: Question| {
        let mut log = csv.open().unwrap();
        Swept::read(&mut log, &question, Parts::All, &mut |_| (), &mut |_, _| {
            Ok(())
        })
        .map(|_| ())
        .unwrap_err()
        .to_string()
    };
    let unknown = wrong(Question {
        vary: Some("shares".to_owned()),
        ..Question::default()
    });
    assert!(
        unknown.contains("no objective \"shares\" has probabilities; there are e, b, s"),
        "{unknown}"
    );
    let nothing = wrong(Question {
        hold: vec![("e".to_owned(), 0.0)],
        ..Question::default()
    });
    assert!(nothing.contains("at least one is above 0"), "{nothing}");
}

#[test]
fn one_objective_makes_no_front() {
    let csv = Csv::new("request_id,candidate_id,k,p_e\nr,a,1,0.5\n");
    let mut log = csv.open().unwrap();
    let error = Swept::read(
        &mut log,
        &Question::default(),
        Parts::All,
        &mut |_| (),
        &mut |_, _| Ok(()),
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("weighing takes two")
    );
}

/// Equal scores, one candidate and fewer than k: a page of what there is, and no breakpoint.
#[test]
fn requests_that_nothing_can_reorder_have_no_breakpoints() {
    let rows: String = (0..60)
        .map(|r| format!("r{r},a,5,0.5,0.5,1,0\nr{r},b,5,0.5,0.5,0,1\ns{r},only,5,0.9,0.1,1,1\n"))
        .collect();
    let csv = Csv::new(&format!(
        "request_id,candidate_id,k,p_e,p_b,label_e,label_b\n{rows}"
    ));
    let mut log = csv.open().unwrap();
    let swept = swept(&mut log, &Question::default());
    let report = FrontReport::new(&log, &swept, Parts::Test, Draws::default()).unwrap();
    assert_eq!((report.breakpoints, report.front_points), (0, 1));
    let curves = swept.curves(&log, Parts::Test).unwrap();
    let e = curves.values(swept.question.position(Curve::Predicted(0)));
    assert!(
        e.iter().all(|value| (0.5..=0.9).contains(value)),
        "pages of 2 and of 1: {e:?}"
    );
}

#[test]
fn a_request_beyond_memory_is_refused() {
    let mut text = String::from("request_id,candidate_id,k,p_e,p_b\n");
    for row in 0..=counterweight_impressions::MOST_CANDIDATES {
        writeln!(text, "r,{row},5,0.5,0.5").unwrap();
    }
    let message = common::error(&text);
    assert!(
        message.contains("more than 1000000 candidates"),
        "{message}"
    );
}

#[test]
fn curves_are_written_whole() {
    let mut log = sample();
    let swept = swept(&mut log, &Question::default());
    let curves = swept.curves(&log, Parts::Test).unwrap();
    let names: Vec<String> = swept
        .question
        .curves()
        .into_iter()
        .map(|curve| swept.question.name(curve))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("curves.csv");
    write_curves(&file, &curves, &names).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("lambda_low,lambda_high,lambda,predicted_engagement,")
    );
    assert_eq!(lines.count(), curves.breakpoints().len() + 1);
    write_curves(&folder.path().join("curves.parquet"), &curves, &names).unwrap();
    let refused = write_curves(&folder.path().join("curves.txt"), &curves, &names).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("the ending must be .csv or .parquet")
    );
}

#[test]
fn a_part_without_requests_is_told() {
    let csv = Csv::new("request_id,candidate_id,k,p_e,p_b\nr,a,1,0.5,0.5\n");
    let options = LogOptions {
        tune: 0.999_999,
        ..LogOptions::default()
    };
    let mut log = Log::open_files(&[csv.file()], Vec::new(), options).unwrap();
    let swept = swept(&mut log, &Question::default());
    let error = FrontReport::new(&log, &swept, Parts::Test, Draws::default()).unwrap_err();
    assert!(error.to_string().contains("the test part has no request"));
}
