//! Parses shares and arms of experiments: `control=5%`, `gentle=5%:beta=-0.2`.

use counterweight_proto::counterweight::v1::{BucketRun, Experiment};
use serde::Serialize;

use crate::number::parse_weight;

/// The number of buckets into which an experiment divides units.
pub(super) const BUCKETS: u32 = 10_000;

/// An arm of the command line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TypedArm {
    pub(super) name: String,
    pub(super) buckets: u32,
    /// Weights by name or symbol of the objective.
    pub(super) weights: Vec<(String, f64)>,
}

/// Parses ARM=SHARE.
pub(super) fn parse_share(text: &str) -> Result<(String, u32), String> {
    let (name, share) = text
        .split_once('=')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or("write ARM=SHARE, for example control=5%")?;
    Ok((name.trim().to_owned(), parse_buckets(share)?))
}

/// Parses ARM=SHARE or ARM=SHARE:OBJECTIVE=WEIGHT,…
pub(super) fn parse_arm(text: &str) -> Result<TypedArm, String> {
    let (head, weights) = match text.split_once(':') {
        Some((head, weights)) => (head, Some(weights)),
        None => (text, None),
    };
    let (name, buckets) = parse_share(head)?;
    let weights = weights.map_or_else(
        || Ok(Vec::new()),
        |weights| weights.split(',').map(parse_weight).collect(),
    )?;
    Ok(TypedArm {
        name,
        buckets,
        weights,
    })
}

/// Parses a share in percent into a number of buckets. It works on decimal digits, so that no
/// floating-point error can reject or round a share.
fn parse_buckets(text: &str) -> Result<u32, String> {
    let text = text.trim();
    let wrong = || format!("{text:?} is not a share: write a percentage, for example 5% or 0.25%");
    let percent = text.strip_suffix('%').ok_or_else(wrong)?.trim_end();
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
    if whole.is_empty()
        || ![whole, decimals]
            .iter()
            .all(|part| part.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(wrong());
    }
    let (decimals, beyond) = decimals.split_at(decimals.len().min(2));
    if beyond.bytes().any(|digit| digit != b'0') {
        return Err(format!(
            "{text} is not a multiple of 0.01 %, the size of one of the {BUCKETS} buckets of units"
        ));
    }
    format!("{whole}{decimals:0<2}")
        .parse()
        .ok()
        .filter(|&buckets| buckets <= BUCKETS)
        .ok_or_else(|| format!("{text} is more than 100 % of the units"))
}

/// A number of buckets in percent.
pub(super) fn percent(buckets: u32) -> String {
    let (whole, hundredths) = (buckets / 100, buckets % 100);
    match (hundredths, hundredths % 10) {
        (0, _) => format!("{whole} %"),
        (_, 0) => format!("{whole}.{} %", hundredths / 10),
        _ => format!("{whole}.{hundredths:02} %"),
    }
}

/// The number of buckets whose arm changed.
pub(super) fn moved_buckets(before: &Experiment, after: &Experiment) -> usize {
    let table = |experiment: &Experiment| -> Vec<String> {
        let arms_of_run = |run: &BucketRun| vec![run.arm.clone(); run.count.min(BUCKETS) as usize];
        experiment.buckets.iter().flat_map(arms_of_run).collect()
    };
    let (before, after) = (table(before), table(after));
    before.iter().zip(&after).filter(|(a, b)| a != b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_an_exact_number_of_buckets() {
        for (text, expected, shown) in [
            ("5%", 500, "5 %"),
            ("0.01%", 1, "0.01 %"),
            ("33.33 %", 3333, "33.33 %"),
            ("2.5%", 250, "2.5 %"),
            ("2.500%", 250, "2.5 %"),
            ("100%", 10_000, "100 %"),
            ("0%", 0, "0 %"),
        ] {
            assert_eq!(parse_buckets(text), Ok(expected), "{text}");
            assert_eq!(percent(expected), shown);
        }
        for (wrong, wanted) in [
            ("5", "write a percentage"),
            ("0.05", "write a percentage"),
            ("-5%", "write a percentage"),
            ("%", "write a percentage"),
            (".5%", "write a percentage"),
            ("1e1%", "write a percentage"),
            ("5%%", "write a percentage"),
            ("0.005%", "not a multiple of 0.01 %"),
            ("33.333%", "not a multiple of 0.01 %"),
            ("100.01%", "more than 100 %"),
            ("99999999999999999999%", "more than 100 %"),
        ] {
            let error = parse_buckets(wrong).unwrap_err();
            assert!(error.contains(wanted), "{wrong}: {error}");
        }
    }

    #[test]
    fn an_arm_has_a_share_and_may_have_weights() {
        let control = parse_arm("control=5%").unwrap();
        assert_eq!((control.buckets, control.weights.len()), (500, 0));
        let gentle = parse_arm("gentle=0.5%:beta=-0.2,α=1").unwrap();
        assert_eq!(gentle.name, "gentle");
        assert_eq!(gentle.buckets, 50);
        assert_eq!(
            gentle.weights,
            [("beta".to_owned(), -0.2), ("α".to_owned(), 1.0)]
        );
        for wrong in [
            "control",
            "=5%",
            "a=5%:",
            "a=5%:beta",
            "a=5%:beta=x",
            "a=5%:beta=nan",
            "a=5",
        ] {
            assert!(parse_arm(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn buckets_that_change_their_arm_are_counted() {
        let experiment = |runs: &[(&str, u32)]| Experiment {
            buckets: runs
                .iter()
                .map(|&(arm, count)| BucketRun {
                    arm: arm.to_owned(),
                    count,
                })
                .collect(),
            ..Experiment::default()
        };
        let before = experiment(&[("a", 500), ("b", 500), ("", 9000)]);
        let after = experiment(&[("a", 300), ("b", 900), ("", 8800)]);
        assert_eq!(moved_buckets(&before, &after), 400);
        assert_eq!(moved_buckets(&before, &before), 0);
    }
}
