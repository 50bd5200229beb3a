//! How a preview is shown, of given weights and of weights that were solved for.

use counterweight_proto::counterweight::v1::{
    Estimate, ExposureChange, Preview, PreviewWeightsRequest, ProfileChange, Replayed, Sensitivity,
};
use counterweight_ranking::symbol;
use serde_json::{Value, json};

use super::{
    Client,
    show::{changes, weights_json},
};
use crate::{
    client::explain,
    output::{Output, table},
};

/// What the intervals cover, and what they do not.
const COVERED: &str = "Exposure is the mean predicted probability on the page. The 95 % intervals cover the sampling of requests only: not errors of the models, and not how users respond.";

/// Asks what a change would do, and prints it; k = 0 takes the k of most of the recent requests.
pub(super) async fn preview(
    client: &mut Client,
    change: ProfileChange,
    k: u32,
    output: Output,
) -> anyhow::Result<()> {
    let change = Some(change);
    let answer = client
        .preview_weights(PreviewWeightsRequest { change, k })
        .await
        .map_err(|status| explain(&status))?
        .into_inner();
    let preview = answer.preview.unwrap_or_default();
    output.print(&preview_json(&preview), |_| preview_text(&preview))
}

pub(super) fn preview_text(preview: &Preview) -> String {
    let mut parts = vec![
        format!(
            "{} · profile {} · revision {}\n{}",
            changes(&preview.before, &preview.after),
            preview.profile,
            preview.revision,
            replayed_text(&preview.replayed.unwrap_or_default(), preview.k)
        ),
        format!("{}\n{COVERED}", exposures_table(&preview.exposures)),
        format!(
            "{} of the requests show another candidate, {} another page; orders of all candidates: rank correlation {:.4}",
            share(preview.changed_set),
            share(preview.changed_order),
            preview.rank_correlation
        ),
        format!(
            "Requests whose page would change again if a weight moved a little from there:\n{}",
            sensitivity_table(preview)
        ),
    ];
    if !preview.moves.is_empty() {
        parts.push(format!("Largest moves:\n{}", moves_table(preview)));
    }
    if !preview.refusal.is_empty() {
        parts.push(format!(
            "`weights set` would refuse this: {}",
            preview.refusal
        ));
    }
    parts.join("\n\n")
}

fn replayed_text(replayed: &Replayed, k: u32) -> String {
    let time = |time: &Option<_>| time.as_ref().map_or_else(String::new, ToString::to_string);
    let mut text = format!(
        "{} recent requests of {} units, {} candidates, k = {k}, from {} to {}; {} of all requests of that time",
        replayed.requests,
        replayed.units,
        replayed.candidates,
        time(&replayed.from),
        time(&replayed.to),
        share(replayed.share)
    );
    let left_out = [
        (
            replayed.other_models,
            "ranked by other models than the newest",
        ),
        (replayed.incomplete, "ranked without an objective"),
    ];
    for (count, why) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("\nleft out: {count} requests {why}"));
    }
    text
}

fn exposures_table(exposures: &[ExposureChange]) -> String {
    let rows = exposures.iter().enumerate().map(|(at, exposure)| {
        let ends = [&exposure.before, &exposure.after, &exposure.change];
        let mut row = vec![format!("{} {}", symbol(at), exposure.objective)];
        row.extend(ends.map(|estimate| interval(estimate.unwrap_or_default())));
        row
    });
    table(&["exposure", "before", "after", "change"], 1, rows)
}

fn interval(estimate: Estimate) -> String {
    if !estimate.value.is_finite() {
        return "–".to_owned();
    }
    if !(estimate.low.is_finite() && estimate.high.is_finite()) {
        // One unit alone tells nothing of what others would bring.
        return format!("{:.4} (−∞ … ∞)", estimate.value);
    }
    format!(
        "{:.4} ({:.4} … {:.4})",
        estimate.value, estimate.low, estimate.high
    )
}

fn sensitivity_table(preview: &Preview) -> String {
    let rows = preview.sensitivities.iter().enumerate();
    let rows = rows.map(|(at, sensitivity)| {
        [
            format!("{} {}", symbol(at), sensitivity.objective),
            share(sensitivity.within_1_percent),
            share(sensitivity.within_10_percent),
        ]
    });
    table(&["weight", "within ±1 %", "within ±10 %"], 1, rows)
}

fn moves_table(preview: &Preview) -> String {
    let mut header = vec!["request".to_owned(), "candidate".to_owned()];
    header.extend(["from", "to"].map(str::to_owned));
    let names = preview.before.iter();
    header.extend(names.map(|weight| format!("P({})", weight.objective)));
    let rows = preview.moves.iter().map(|moved| {
        let mut row = vec![moved.request_id.clone(), moved.candidate_id.clone()];
        row.extend([moved.from.to_string(), moved.to.to_string()]);
        row.extend(moved.probabilities.iter().map(|p| format!("{p:.4}")));
        row
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    table(&header, 2, rows)
}

fn share(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

pub(super) fn preview_json(preview: &Preview) -> Value {
    let moves = preview.moves.iter().map(|moved| {
        json!({
            "request_id": moved.request_id,
            "candidate_id": moved.candidate_id,
            "from": moved.from,
            "to": moved.to,
            "probabilities": moved.probabilities,
        })
    });
    json!({
        "profile": preview.profile,
        "revision": preview.revision,
        "before": weights_json(&preview.before),
        "after": weights_json(&preview.after),
        "k": preview.k,
        "replayed": replayed_json(&preview.replayed.unwrap_or_default()),
        "exposures": preview.exposures.iter().map(exposure_json).collect::<Vec<_>>(),
        "intervals_cover": "the sampling of requests only",
        "changed_set": preview.changed_set,
        "changed_order": preview.changed_order,
        "sensitivities": preview.sensitivities.iter().map(sensitivity_json).collect::<Vec<_>>(),
        "rank_correlation": preview.rank_correlation,
        "moves": moves.collect::<Vec<_>>(),
        "refusal": Some(&preview.refusal).filter(|refusal| !refusal.is_empty()),
    })
}

fn replayed_json(replayed: &Replayed) -> Value {
    json!({
        "requests": replayed.requests,
        "candidates": replayed.candidates,
        "units": replayed.units,
        "from": replayed.from.as_ref().map(ToString::to_string),
        "to": replayed.to.as_ref().map(ToString::to_string),
        "share": replayed.share,
        "other_models": replayed.other_models,
        "incomplete": replayed.incomplete,
    })
}

fn exposure_json(exposure: &ExposureChange) -> Value {
    let estimate = |estimate: Option<Estimate>| {
        let estimate = estimate.unwrap_or_default();
        json!({ "value": estimate.value, "low": estimate.low, "high": estimate.high })
    };
    json!({
        "objective": exposure.objective,
        "before": estimate(exposure.before),
        "after": estimate(exposure.after),
        "change": estimate(exposure.change),
    })
}

fn sensitivity_json(sensitivity: &Sensitivity) -> Value {
    json!({
        "objective": sensitivity.objective,
        "within_1_percent": sensitivity.within_1_percent,
        "within_10_percent": sensitivity.within_10_percent,
    })
}
