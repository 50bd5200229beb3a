//! `weights explain`: which weights a request would get, and why.

use clap::Args;
use counterweight_proto::counterweight::v1::{
    Attribute, ExplainWeightsRequest, ExplainWeightsResponse, Verdict,
};
use serde_json::{Value, json};

use super::{
    audience::attribute_json,
    condition::attribute,
    connect,
    show::{weights_json, weights_line},
};
use crate::{
    client::{Combiner, explain},
    draw::{draw_json, draw_text},
    output::{Output, table},
};

/// Tell which segment, arm and weights a request would get, and why.
#[derive(Args)]
pub(crate) struct Explain {
    /// What is known of the request, as user_country=DE. A value that reads as a number is one, true and false are 1 and 0, and "1" in double quotes is text.
    #[arg(value_name = "ATTRIBUTE=VALUE", value_parser = attribute)]
    attributes: Vec<Attribute>,
    /// The unit of experiments, usually a user id [default: none, and so in no experiment].
    #[arg(
        long,
        alias = "unit-id",
        env = "COUNTERWEIGHT_UNIT_ID",
        default_value = "",
        hide_default_value = true
    )]
    unit: String,
    /// The request's id, from which the draw of an exploring profile follows [default: none is drawn].
    #[arg(
        long,
        env = "COUNTERWEIGHT_REQUEST_ID",
        default_value = "",
        hide_default_value = true
    )]
    request_id: String,
    /// The profile that the request is ranked for.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    #[command(flatten)]
    combiner: Combiner,
}

impl Explain {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let request = ExplainWeightsRequest {
            profile: self.profile,
            unit_id: self.unit,
            request_id: self.request_id,
            attributes: self.attributes,
        };
        let answer = client
            .explain_weights(request.clone())
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        output.print(&answer_json(&request, &answer), |_| human(&answer))
    }
}

fn human(answer: &ExplainWeightsResponse) -> String {
    let from = match (answer.segment.as_str(), answer.arm.as_str()) {
        ("", "") => "the profile's own".to_owned(),
        (segment, "") => format!("of segment {segment}"),
        ("", arm) => format!("of arm {arm}"),
        (segment, arm) => format!("of segment {segment} and arm {arm}"),
    };
    let mut text = format!(
        "{}, {from} · profile {} · revision {}",
        weights_line(&answer.weights),
        answer.profile,
        answer.revision
    );
    if let Some(draw) = &answer.draw {
        text.push_str(&format!("\n{}", draw_text(draw)));
    }
    let row = |what: &str, verdict: &Verdict| {
        let bucket = verdict.bucket.map(|bucket| bucket.to_string());
        [
            what.to_owned(),
            verdict.name.clone(),
            if verdict.applies { "applies" } else { "" }.to_owned(),
            verdict.reason.clone(),
            bucket.unwrap_or_default(),
        ]
    };
    let segments = answer.segments.iter().map(|v| row("segment", v));
    let experiments = answer.experiments.iter().map(|v| row("experiment", v));
    let rows: Vec<[String; 5]> = segments.chain(experiments).collect();
    if !rows.is_empty() {
        text.push_str(&format!(
            "\n{}",
            table(&["", "name", "", "why", "bucket"], 4, rows)
        ));
    }
    if !answer.exploration.is_empty() {
        text.push_str(&format!("\nexploration: {}", answer.exploration));
    }
    text
}

fn answer_json(request: &ExplainWeightsRequest, answer: &ExplainWeightsResponse) -> Value {
    let verdicts = |verdicts: &[Verdict]| -> Vec<Value> {
        let each = verdicts.iter().map(|verdict| {
            json!({
                "name": verdict.name,
                "applies": verdict.applies,
                "reason": verdict.reason,
                "bucket": verdict.bucket,
            })
        });
        each.collect()
    };
    json!({
        "profile": answer.profile,
        "revision": answer.revision,
        "unit": request.unit_id,
        "request_id": request.request_id,
        "attributes": request.attributes.iter().map(attribute_json).collect::<Vec<_>>(),
        "profile_weights": weights_json(&answer.profile_weights),
        "weights": weights_json(&answer.weights),
        "segment": answer.segment,
        "arm": answer.arm,
        "draw": answer.draw.as_ref().map(draw_json),
        "segments": verdicts(&answer.segments),
        "experiments": verdicts(&answer.experiments),
        "exploration": answer.exploration,
    })
}
