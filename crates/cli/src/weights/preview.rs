//! `weights preview`: what new weights would do to the recent requests.

use clap::Args;
use counterweight_proto::counterweight::v1::ProfileChange;

use super::{assignment, connect, current, named, previewed};
use crate::{client::Combiner, output::Output};

/// Show what new weights would do to the recent requests that the combiner keeps; no model is called and nothing is changed.
#[derive(Args)]
pub(crate) struct Preview {
    /// New weights, as OBJECTIVE=WEIGHT; `alpha=` and `beta=` (or `α=`, `β=`) name the first two objectives. Objectives that are not named keep their weight.
    #[arg(required = true, value_name = "OBJECTIVE=WEIGHT", value_parser = assignment)]
    weights: Vec<(String, f64)>,
    /// The profile that would be changed.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    combiner: Combiner,
}

/// How large the page is.
#[derive(Args)]
pub(super) struct Page {
    /// Places of the page [default: the k of most of the recent requests].
    #[arg(short, long, env = "COUNTERWEIGHT_K", value_name = "PLACES", value_parser = clap::value_parser!(u32).range(1..))]
    k: Option<u32>,
}

impl Page {
    /// As the combiner takes it: 0 is for it to choose.
    pub(super) fn places(&self) -> u32 {
        self.k.unwrap_or(0)
    }
}

impl Preview {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let before = current(&mut client, &self.profile).await?;
        let change = ProfileChange {
            weights: named(&self.weights, &before)?,
            profile: self.profile,
            ..ProfileChange::default()
        };
        previewed::preview(&mut client, change, self.page.places(), output).await
    }
}
