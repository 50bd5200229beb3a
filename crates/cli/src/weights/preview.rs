//! `weights preview`: shows what new weights would do to the recent requests.

use clap::Args;
use counterweight_proto::counterweight::v1::ProfileChange;

use super::{
    page::PageSize,
    preview_text::print_preview,
    session::{connect, read_profile, resolve_weights},
};
use crate::{client::Combiner, number::parse_weight, output::Output};

/// Show what new weights would do to the recent requests that the combiner keeps. No model is
/// called and nothing is changed.
#[derive(Args)]
pub(crate) struct Preview {
    /// New weights, as OBJECTIVE=WEIGHT; `alpha=` and `beta=` (or `α=`, `β=`) name the first two
    /// objectives. Objectives that are not named keep their weight.
    #[arg(required = true, value_name = "OBJECTIVE=WEIGHT", value_parser = parse_weight)]
    weights: Vec<(String, f64)>,
    /// The profile that would be changed.
    #[arg(long, default_value = "default")]
    profile: String,
    #[command(flatten)]
    page: PageSize,
    #[command(flatten)]
    combiner: Combiner,
}

impl Preview {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let before = read_profile(&mut client, &self.profile).await?;
        let change = ProfileChange {
            weights: resolve_weights(&self.weights, &before)?,
            profile: self.profile,
            ..ProfileChange::default()
        };
        print_preview(&mut client, change, self.page.places(), output).await
    }
}
