//! Formats a preview for people, of weights that were given or solved for.

use counterweight_proto::{
    counterweight::v1::{
        Estimate, ExposureChange, Preview, PreviewWeightsRequest, ProfileChange, Replayed,
    },
    to_json,
};
use counterweight_ranking::symbol;

use super::{session::Client, text::weight_changes};
use crate::{
    client::explain_status,
    clock::local_time_or_empty,
    output::{Output, escape, table},
};

/// What exposure means, and what its intervals cover.
const COVERED: &str = "Exposure is the mean predicted probability on the page. The 95 % intervals cover the sampling of requests only, not errors of the models or how users respond.";

/// Requests the preview of a change and prints it; k = 0 means the most frequent k.
pub(super) async fn print_preview(
    client: &mut Client,
    change: ProfileChange,
    k: u32,
    output: Output,
) -> anyhow::Result<()> {
    let change = Some(change);
    let answer = client
        .preview_weights(PreviewWeightsRequest { change, k })
        .await;
    let answer = answer
        .map_err(|status| explain_status(&status))?
        .into_inner();
    let preview = answer.preview.unwrap_or_default();
    output.print(&to_json(&preview)?, |_| preview_text(&preview))
}

pub(super) fn preview_text(preview: &Preview) -> String {
    let mut parts = vec![
        format!(
            "{} · profile {} · revision {}\n{}",
            weight_changes(&preview.before, &preview.after),
            escape(&preview.profile),
            preview.revision,
            replayed_text(&preview.replayed.unwrap_or_default(), preview.k)
        ),
        format!("{}\n{COVERED}", exposures_table(&preview.exposures)),
        format!(
            "{} of the pages contain other candidates than before, {} differ in candidates or order; the rank correlation of all candidates is {:.4}",
            share(preview.changed_set),
            share(preview.changed_order),
            preview.rank_correlation
        ),
        format!(
            "Requests whose page would change again if a weight moved a little further:\n{}",
            sensitivity_table(preview)
        ),
    ];
    if !preview.moves.is_empty() {
        parts.push(format!("Largest moves:\n{}", moves_table(preview)));
    }
    if !preview.refusal.is_empty() {
        parts.push(format!(
            "`weights set` would reject this change: {}",
            escape(&preview.refusal)
        ));
    }
    parts.join("\n\n")
}

fn replayed_text(replayed: &Replayed, k: u32) -> String {
    let mut text = format!(
        "{} recent requests of {} units, {} candidates, k = {k}, from {} to {}; {} of all requests of that time",
        replayed.requests,
        replayed.units,
        replayed.candidates,
        local_time_or_empty(replayed.from.as_ref()),
        local_time_or_empty(replayed.to.as_ref()),
        share(replayed.share)
    );
    let left_out = [
        (
            replayed.left_out_other_models,
            "ranked by other models than the newest request",
        ),
        (replayed.left_out_incomplete, "ranked without an objective"),
    ];
    for (count, why) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("\nleft out: {count} requests {why}"));
    }
    text
}

fn exposures_table(exposures: &[ExposureChange]) -> String {
    let rows = exposures.iter().enumerate().map(|(position, exposure)| {
        let ends = [&exposure.before, &exposure.after, &exposure.change];
        let mut row = vec![format!("{} {}", symbol(position), exposure.objective)];
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
        // One unit gives no estimate of the variation between units.
        return format!("{:.4} (−∞ … ∞)", estimate.value);
    }
    format!(
        "{:.4} ({:.4} … {:.4})",
        estimate.value, estimate.low, estimate.high
    )
}

fn sensitivity_table(preview: &Preview) -> String {
    let rows = preview.sensitivities.iter().enumerate();
    let rows = rows.map(|(position, sensitivity)| {
        [
            format!("{} {}", symbol(position), sensitivity.objective),
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
        row.extend([moved.from_place.to_string(), moved.to_place.to_string()]);
        row.extend(moved.probabilities.iter().map(|p| format!("{p:.4}")));
        row
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    table(&header, 2, rows)
}

fn share(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
