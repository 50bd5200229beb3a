//! The record of a ranking.

use std::collections::BTreeSet;

use counterweight_journal::{
    Candidates, LoggedDraw, LoggedFeature, LoggedObjective, RankingRecord,
};
use counterweight_model_client::Batch;
use counterweight_ranking::Density;

use crate::{
    config::{Config, Features},
    objectives::Objectives,
    ranking::{Combined, Ranking},
    weights::Draw,
};

/// The features of a ranking that are logged.
///
/// A single value that all candidates share is an attribute of the request: it may have decided the
/// weights, and it costs next to nothing. So it is logged for all candidates whatever `of` says.
pub(super) fn features(
    objectives: &Objectives,
    batch: &Batch<'_>,
    page: &[usize],
    of: Features,
    left_out: &BTreeSet<String>,
) -> Vec<LoggedFeature> {
    let inputs: Vec<_> = objectives
        .models()
        .filter_map(|model| model.inputs())
        .collect();
    let logged = batch.tensors.iter().filter_map(|(view, _)| {
        if left_out.contains(view.name) || objectives.is_probability(view.name) {
            return None;
        }
        let shared = view.rows == 1 && batch.candidates > 1;
        let attribute = view.rows == 1 && view.width == 1;
        let candidates = match of {
            _ if attribute => Candidates::All,
            Features::None => return None,
            Features::Page => Candidates::Page,
            Features::All => Candidates::All,
        };
        let contents = match candidates {
            Candidates::Page if !shared => view.picked_rows(page),
            _ => view.raw_bytes(),
        };
        let declared = inputs.iter().find_map(|inputs| inputs.get(view.name));
        Some(LoggedFeature {
            name: view.name.to_owned(),
            kind: declared.map_or_else(String::new, |input| input.kind.clone()),
            side: declared
                .and_then(|input| input.side)
                .map_or_else(String::new, |side| side.as_str().to_owned()),
            datatype: view.datatype.as_str().to_owned(),
            width: number(view.width),
            candidates: candidates.into(),
            shared,
            contents,
        })
    });
    logged.collect()
}

/// The record of a ranking, before its answer takes the ids away. The features are moved into it.
pub(super) fn record(config: &Config, ranking: &mut Ranking, unit: String) -> RankingRecord {
    let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
    let k = match ranking.limit {
        0 => ranking.ids.len(),
        limit => limit,
    };
    RankingRecord {
        ranking_id: ranking.ranking_id.clone(),
        request_id: ranking.request_id.clone(),
        unit,
        time_ms: ranking.time_ms,
        k: i32::try_from(k).unwrap_or(i32::MAX),
        profile: config.profiles[ranking.profile].name.clone(),
        revision: ranking.revision,
        segment: name(ranking.chosen.segment.as_deref()),
        arm: name(ranking.chosen.arm.as_deref()),
        draw: ranking.chosen.draw.map(draw),
        ids: ranking.ids.concat(),
        id_lengths: ranking.ids.iter().map(|id| number(id.len())).collect(),
        page: ranking.order.iter().map(|&at| number(at)).collect(),
        objectives: (0..config.objectives.len())
            .map(|at| objective(config, ranking, at))
            .collect(),
        features: std::mem::take(&mut ranking.logged_features),
    }
}

/// One objective of the configuration. Those without which the request was ranked are logged too, so
/// that the columns of all parts are in the order of the objectives, in which scores are summed.
fn objective(config: &Config, ranking: &Ranking, at: usize) -> LoggedObjective {
    let name = config.objectives[at].name.clone();
    let mut combined = ranking.objectives.iter();
    let Some(Combined { weight, answer, .. }) = combined.find(|one| one.objective == at) else {
        return LoggedObjective {
            name,
            ..LoggedObjective::default()
        };
    };
    LoggedObjective {
        name,
        weight: *weight,
        model_version: answer.model_version.clone(),
        calibrator: answer.calibrator.clone(),
        probabilities: answer.probabilities.clone(),
        raw: answer.raw.clone().unwrap_or_default(),
    }
}

fn draw(draw: Draw) -> LoggedDraw {
    let (low, high) = draw.density.range();
    let density = match draw.density {
        Density::Uniform { .. } => "uniform",
        Density::LogUniform { .. } => "log_uniform",
    };
    LoggedDraw {
        lambda: draw.lambda,
        low,
        high,
        density: density.to_owned(),
        seed: i64::try_from(draw.seed).unwrap_or(i64::MAX),
    }
}

/// A request is shorter than 2^32 bytes, and so is everything in it.
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
