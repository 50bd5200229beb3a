//! `counterweight rank`: ranks the candidates of a file, or of standard input, over gRPC.

use std::path::PathBuf;

use clap::Args;
use counterweight_proto::counterweight::v1::{
    Attribute, DescribeRankingRequest, RankRequest, ranking_service_client::RankingServiceClient,
};

use crate::{
    client::{Combiner, MESSAGE_LIMIT, explain_status},
    condition::parse_attribute,
    output::Output,
    runtime::runtime,
};

mod answer;
mod candidates;
mod encode;

use answer::{answer_json, answer_table};
use candidates::Candidates;
use encode::{add_attribute, add_column};

/// Rank the candidates of a file or of standard input.
#[derive(Args)]
pub(crate) struct Rank {
    /// The file of candidates, one per row: .ndjson, .csv or .parquet; `-` reads NDJSON from
    /// standard input. Columns that no objective uses are ignored.
    #[arg(value_name = "FILE")]
    candidates: PathBuf,
    /// The column with the ids of the candidates.
    #[arg(long, default_value = "candidate_id", value_name = "COLUMN")]
    id: String,
    /// A context feature (one value for the whole request); it replaces the column of that name.
    /// Lists and vectors are JSON arrays.
    #[arg(long, value_name = "FEATURE=VALUE", value_parser = parse_feature)]
    context: Vec<(String, String)>,
    /// An attribute for segments that is not a feature of any model, such as user_tier=gold. A
    /// value in digits is a number, true and false are 1 and 0, and "1" in double quotes is text.
    #[arg(long, value_name = "ATTRIBUTE=VALUE", value_parser = parse_attribute)]
    attribute: Vec<Attribute>,
    /// The profile to rank with.
    #[arg(long, default_value = "default")]
    profile: String,
    /// How many candidates to return; 0 means the limit of the profile, which is all by default.
    #[arg(long, short = 'k', default_value_t = 10)]
    limit: u32,
    /// A column of the file to print beside each candidate, such as its title.
    #[arg(long, value_name = "COLUMN")]
    show: Option<String>,
    /// The id of the request, as it appears in logs [default: a new one].
    #[arg(long, default_value = "", hide_default_value = true)]
    request_id: String,
    /// The unit that experiments assign to an arm, usually a user id.
    #[arg(
        long,
        visible_alias = "unit",
        default_value = "",
        hide_default_value = true
    )]
    unit_id: String,
    /// Show how far each weight can move before this page changes, and before each candidate leaves
    /// the page.
    #[arg(long)]
    stability: bool,
    #[command(flatten)]
    combiner: Combiner,
}

fn parse_feature(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write FEATURE=VALUE, for example user_age_days=31")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Rank {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        runtime()?.block_on(self.rank(output))
    }

    async fn rank(self, output: Output) -> anyhow::Result<()> {
        let mut client = RankingServiceClient::new(self.combiner.connect().await?)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let described = client.describe_ranking(DescribeRankingRequest {}).await;
        let described = described
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let candidates = Candidates::read(
            &self.candidates,
            &self.id,
            &self.context,
            self.show.as_deref(),
            &described.features,
        )?;
        let answer = client.rank(self.request(&candidates)?).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let shown = self.show.as_deref().zip(candidates.shown());
        output.print(&answer_json(&answer, shown.as_ref())?, |_| {
            answer_table(&answer, shown.as_ref())
        })
    }

    fn request(&self, candidates: &Candidates) -> anyhow::Result<RankRequest> {
        let mut request = RankRequest {
            request_id: self.request_id.clone(),
            profile: self.profile.clone(),
            unit_id: self.unit_id.clone(),
            candidate_ids: candidates.ids().to_vec(),
            limit: self.limit,
            stability: self.stability,
            ..RankRequest::default()
        };
        for (input, column) in candidates.columns() {
            add_column(&mut request, input, column)?;
        }
        for (input, column) in &candidates.context {
            add_column(&mut request, input, column)?;
        }
        for attribute in &self.attribute {
            add_attribute(&mut request, attribute);
        }
        Ok(request)
    }
}
