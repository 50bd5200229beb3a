//! `weights explain`: which weights a request would get, and why.

use clap::Args;
use counterweight_proto::{
    counterweight::v1::{Attribute, ExplainWeightsRequest, ExplainWeightsResponse, Verdict},
    to_json,
};

use super::{session::connect, text::weights_line};
use crate::{
    client::{Combiner, explain_status},
    condition::parse_attribute,
    draw_text::draw_text,
    output::{Output, escape, table},
};

/// Show which segment, arm and weights a request would get, and why.
#[derive(Args)]
pub(crate) struct Explain {
    /// Attributes of the request, such as user_country=DE. A value in digits is a number, true and
    /// false are 1 and 0, and "1" in double quotes is text.
    #[arg(value_name = "ATTRIBUTE=VALUE", value_parser = parse_attribute)]
    attributes: Vec<Attribute>,
    /// The unit that experiments assign to an arm, usually a user id [default: none, so that no
    /// experiment applies].
    #[arg(long, alias = "unit-id", default_value = "", hide_default_value = true)]
    unit: String,
    /// The request id, which decides the drawn λ if the profile explores [default: none is drawn].
    #[arg(long, default_value = "", hide_default_value = true)]
    request_id: String,
    /// The profile that the request names.
    #[arg(long, default_value = "default")]
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
        let answer = client.explain_weights(request).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        output.print(&to_json(&answer)?, |_| answer_text(&answer))
    }
}

fn answer_text(answer: &ExplainWeightsResponse) -> String {
    let from = match (answer.segment.as_str(), answer.arm.as_str()) {
        ("", "") => "of the profile".to_owned(),
        (segment, "") => format!("of segment {segment}"),
        ("", arm) => format!("of arm {arm}"),
        (segment, arm) => format!("of segment {segment} and arm {arm}"),
    };
    let mut text = format!(
        "{}, {} · profile {} · revision {}",
        weights_line(&answer.weights),
        escape(&from),
        escape(&answer.profile),
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
        text.push_str(&format!("\nexploration: {}", escape(&answer.exploration)));
    }
    text
}
