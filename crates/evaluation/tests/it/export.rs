//! What is exported is what the benchmark reads, and what does not fit the schema is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::common;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use common::read;
use counterweight_evaluation::{OpeOptions, Policy, Question, estimate};
use counterweight_impressions::{
    DrawnLambda, Exploration, Log, LogError, LogOptions, LogWriter, RankedObjective, RankedRequest,
    WrittenLog,
};
use counterweight_ranking::Density;
use polars::prelude::{Column, ParquetReader, ParquetWriter, SerReader};

const OBJECTIVES: [&str; 2] = ["engagement", "engagement_bait"];
const DRAWN: Density = Density::LogUniform {
    low: 0.25,
    high: 4.0,
};

fn names() -> Vec<String> {
    OBJECTIVES.map(str::to_owned).to_vec()
}

/// Numbers in [0, 1) that repeat with nothing.
fn noise(seed: u64) -> f64 {
    let mixed = (seed + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(31)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// A request of `n` candidates ranked with its own λ.
fn request(number: u64, n: usize) -> RankedRequest {
    let lambda = 0.25 * 16f64.powf(noise(number));
    let weights = [1.0, -lambda];
    let p: Vec<Vec<f64>> = (0..2)
        .map(|m| {
            (0..n as u64)
                .map(|at| noise(7919 * number + 2 * at + m))
                .collect()
        })
        .collect();
    let score = |at: usize| weights[0] * p[0][at] + weights[1] * p[1][at];
    let mut page: Vec<usize> = (0..n).collect();
    page.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    page.truncate(3);
    RankedRequest {
        id: format!("r{number}"),
        user: (!number.is_multiple_of(5)).then(|| format!("u{}", number % 90)),
        time_ms: 1_767_323_045_678 + number.cast_signed(),
        k: 3,
        profile: "home".to_owned(),
        revision: 4,
        segment: (!number.is_multiple_of(2)).then(|| "odd".to_owned()),
        arm: None,
        draw: Some(DrawnLambda {
            lambda,
            density: DRAWN,
            seed: (1 << 63) - 1,
        }),
        candidates: (0..n).map(|at| format!("c{at:05}")).collect(),
        page,
        objectives: (0..2)
            .map(|m| RankedObjective {
                name: OBJECTIVES[m].to_owned(),
                weight: weights[m],
                model: Some(format!("model-{m}")),
                calibrator: None,
                probabilities: p[m].clone(),
                raw: Vec::new(),
            })
            .collect(),
    }
}

fn write(path: &Path, requests: &[RankedRequest]) -> Result<WrittenLog, LogError> {
    let mut log = LogWriter::create(path, &names())?;
    for request in requests {
        log.push(request.clone())?;
    }
    log.finish()
}

fn open(path: &Path) -> Log {
    Log::open_files(&[path.to_owned()], Vec::new(), LogOptions::default()).unwrap()
}

#[test]
fn what_is_written_is_read_again_to_the_bit_over_many_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    let mut requests: Vec<RankedRequest> = (0..200).map(|number| request(number, 20)).collect();
    requests.push(request(200, 70_000));
    requests.push(request(201, 2));
    let written = write(&path, &requests).unwrap();
    assert_eq!((written.requests, written.candidates), (202, 74_002));
    assert_eq!((written.explored, written.repeated), (202, 0));
    assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());

    let mut log = open(&path);
    let (again, summary) = read(&mut log).unwrap();
    let objectives: Vec<&str> = log
        .objectives()
        .iter()
        .map(|own| own.name.as_str())
        .collect();
    assert_eq!(objectives, OBJECTIVES);
    assert_eq!(log.objectives()[1].model.as_deref(), Some("model-1"));
    assert_eq!((again.len(), summary.k, summary.explored), (202, 3, 202));
    for (again, own) in again.iter().zip(&requests) {
        assert_eq!((&again.id, &again.ids), (&own.id, &own.candidates));
        for (again, own) in again.probabilities.iter().zip(&own.objectives) {
            assert_eq!(*again, own.probabilities);
        }
        let logged = again.logged.as_ref().unwrap();
        let shown: Vec<usize> = logged.shown.iter().map(|&(at, _)| at).collect();
        assert_eq!(shown, own.page);
        assert!(
            matches!(logged.exploration, Exploration::Lambda { density, .. } if density == DRAWN)
        );
    }
    // Units are the users, and requests without a user stand for themselves.
    assert_eq!(summary.tune_users + summary.test_users, 72 + 41);
}

/// The log with outcomes joined to what was shown, as drawn from the probabilities, and where it
/// is.
fn labelled(path: &Path, requests: &[RankedRequest]) -> PathBuf {
    let mut rows = ParquetReader::new(File::open(path).unwrap())
        .finish()
        .unwrap();
    for (m, name) in OBJECTIVES.iter().enumerate() {
        let labels: Vec<Option<bool>> = requests
            .iter()
            .enumerate()
            .flat_map(|(number, request)| {
                let outcome = move |at: usize| {
                    let draw = noise(1_000_003 * (number as u64 + 1) + 2 * at as u64 + m as u64);
                    draw < request.objectives[m].probabilities[at]
                };
                let candidates = 0..request.candidates.len();
                candidates.map(move |at| request.page.contains(&at).then(|| outcome(at)))
            })
            .collect();
        rows.with_column(Column::new(format!("label_{name}").into(), labels))
            .unwrap();
    }
    let path = path.with_file_name("labelled.parquet");
    ParquetWriter::new(File::create(&path).unwrap())
        .finish(&mut rows)
        .unwrap();
    path
}

/// Exposure of an objective if all requests were ranked with this λ: the truth, since outcomes are
/// drawn from the probabilities.
fn truth(requests: &[RankedRequest], lambda: f64, m: usize) -> f64 {
    let exposure = |request: &RankedRequest| -> f64 {
        let p = |m: usize, at: usize| request.objectives[m].probabilities[at];
        let score = |at: usize| p(0, at) - lambda * p(1, at);
        let mut order: Vec<usize> = (0..request.candidates.len()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        order[..3].iter().map(|&at| p(m, at)).sum::<f64>() / 3.0
    };
    requests.iter().map(exposure).sum::<f64>() / requests.len() as f64
}

#[test]
fn estimates_on_an_exported_log_cover_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    let requests: Vec<RankedRequest> = (0..3_000).map(|number| request(number, 12)).collect();
    write(&path, &requests).unwrap();
    let options = OpeOptions {
        policy: Policy::Lambda(vec![0.5, 1.0, 2.0]),
        level: 0.999,
        anyway: false,
    };
    let error = estimate(
        &mut open(&path),
        &Question::default(),
        &options,
        &mut |_| (),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("no outcome of what was shown is known"),
        "{error}"
    );

    let mut log = open(&labelled(&path, &requests));
    let (report, _) = estimate(&mut log, &Question::default(), &options, &mut |_| ()).unwrap();
    assert_eq!((report.requests, report.contradicted), (3_000, 0));
    assert_eq!(report.range, Some((0.25, 4.0)));
    let mut given = 0;
    for row in &report.rows {
        let m = usize::from(row.objective == OBJECTIVES[1]);
        let truth = truth(&requests, row.lambda.unwrap(), m);
        for estimate in &row.estimates {
            let Some((low, high)) = estimate.interval else {
                continue;
            };
            given += 1;
            assert!(
                (low..high).contains(&truth),
                "{} of {} at {:?}: {truth} is not in {low} … {high}",
                estimate.estimator,
                row.objective,
                row.lambda
            );
        }
    }
    assert!(given >= 6, "only {given} estimates were given");
}

#[test]
fn a_request_ranked_without_an_objective_has_nothing_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    let mut without = request(1, 4);
    without.objectives.pop();
    without.draw = None;
    write(&path, &[request(0, 4), without]).unwrap();
    let (requests, summary) = read(&mut open(&path)).unwrap();
    assert_eq!((requests.len(), summary.incomplete), (1, 1));
}

#[test]
fn an_id_that_comes_again_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    let written = write(&path, &[request(0, 4), request(1, 4), request(0, 9)]).unwrap();
    assert_eq!((written.requests, written.repeated), (2, 1));
    assert_eq!(read(&mut open(&path)).unwrap().0[0].ids.len(), 4);
}

#[test]
fn a_file_is_there_when_it_is_complete_and_never_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    fs::write(&path, "what was there before").unwrap();
    let mut log = LogWriter::create(&path, &names()).unwrap();
    log.push(request(0, 100_000)).unwrap();
    drop(log);
    assert_eq!(fs::read_to_string(&path).unwrap(), "what was there before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    write(&path, &[request(0, 4)]).unwrap();
    assert_eq!(read(&mut open(&path)).unwrap().0.len(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_place_that_can_not_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("a.parquet");
    fs::create_dir(&own).unwrap();
    for (path, wanted) in [
        (
            folder.path().join("log.csv"),
            "the name must end in .parquet",
        ),
        (folder.path().join("log"), "the name must end in .parquet"),
        (
            folder.path().join("absent/log.parquet"),
            "absent/log.parquet",
        ),
        (own, "this is a folder"),
    ] {
        let Err(error) = LogWriter::create(&path, &names()) else {
            panic!("{} was taken", path.display());
        };
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let error = LogWriter::create(&folder.path().join("b.parquet"), &[])
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("at least one objective"),
        "{error}"
    );
}

#[test]
fn what_does_not_fit_the_schema_is_refused_with_the_request() {
    type Break = fn(&mut RankedRequest);
    let cases: [(Break, &str); 10] = [
        (|r| r.id.clear(), "an id and at least one candidate"),
        (|r| r.candidates.clear(), "an id and at least one candidate"),
        (|r| r.page.push(4), "not a selection of its 4 candidates"),
        (
            |r| r.page.push(r.page[0]),
            "not a selection of its 4 candidates",
        ),
        (|r| r.k = 0, "k is out of the range"),
        (|r| r.revision = u64::MAX, "revision is out of the range"),
        (
            |r| r.draw.as_mut().unwrap().seed = 1 << 63,
            "the seed of its draw is out",
        ),
        (
            |r| r.objectives[1].name = "shares".to_owned(),
            "ranked by `shares`, but the objectives of the log are engagement, engagement_bait",
        ),
        (
            |r| {
                r.objectives[0].probabilities.pop();
            },
            "not have one probability per candidate",
        ),
        (
            |r| r.objectives[0].raw.push(0.5),
            "not have one probability per candidate",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(&folder.path().join("log.parquet"), &names()).unwrap();
    for (change, wanted) in cases {
        let mut wrong = request(5, 4);
        change(&mut wrong);
        let error = log.push(wrong).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    log.push(request(5, 4)).unwrap();
    assert_eq!(log.finish().unwrap().requests, 1);
}
