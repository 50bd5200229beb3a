//! The section that says how everything came about, so that it can be checked and made again.

use counterweight_offline::Source;

use super::front::counted;
use crate::{Report, document::Block};

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let mut facts = vec![parts(report)];
    let objectives = report.objectives.iter().map(|objective| {
        let source = match (&objective.source, &objective.model) {
            (Source::Model, Some(version)) => format!("model {version}"),
            (Source::Logged, Some(version)) => format!("as logged, by model {version}"),
            (Source::Logged, None) => "as logged; the log names no model version".to_owned(),
            _ => "no probabilities, only outcomes".to_owned(),
        };
        let calibrator = match &objective.calibrator {
            Some(calibrator) => format!(", calibrator {calibrator}"),
            None => String::new(),
        };
        format!("{}: {source}{calibrator}.", objective.name)
    });
    facts.extend(objectives);
    facts.push("All of this holds for these models and calibrators only: another calibration changes what a weight means.".to_owned());
    if let Some(front) = &report.front {
        facts.push(format!(
            "The swept weight takes every value: per request the breakpoints of its page, over all requests their steps sorted and added up. Gain and cost are counted by {}; a front of outcomes is chosen on the tune part and shown on the test part.",
            counted(report, front)
        ));
        facts.push(format!(
            "Bands: {} Poisson bootstrap replicates over users (seed {}), widened until {:.0} % of the replicates lie within the band at all points at once.",
            front.draws.replicates,
            front.draws.seed,
            100.0 * front.draws.level
        ));
    }
    if report.recommendation.is_some() {
        facts.push("A recommendation keeps its limit at the unfavourable end of the band on the tune part; of what is feasible the best is found, and of what lies within one paired standard error of it the most cautious is taken, at the middle of its interval.".to_owned());
    }
    facts.push("Intervals cover the draw of users, not errors of the models, nor how users would respond to other pages.".to_owned());
    facts.extend(report.read.notes.iter().map(|note| format!("{note}.")));
    let mut blocks = vec![Block::List(facts)];
    if !report.made_by.is_empty() {
        blocks.push(Block::Text(format!(
            "Counterweight {} made this report, and makes it again, from the same files, by",
            report.version
        )));
        blocks.push(Block::Code(report.made_by.clone()));
    }
    blocks
}

fn parts(report: &Report) -> String {
    let read = &report.read;
    let mut text = format!(
        "{} rows read; {} requests of {} users tune, {} of {} test, no user in both; {} candidates, pages of {} places",
        read.rows, read.tune, read.tune_users, read.test, read.test_users, read.candidates, read.k
    );
    let left_out = [
        (
            read.training,
            "requests that the models may have been trained on",
        ),
        (read.divided, "requests divided between parts"),
        (read.incomplete, "requests ranked without an objective"),
        (read.undealt, "rows beyond the last whole request"),
    ];
    for (count, what) in left_out {
        if count > 0 {
            text.push_str(&format!("; left out: {count} {what}"));
        }
    }
    text.push('.');
    text
}
