//! `weights watch`: prints every change as it happens.

use clap::Args;
use counterweight_proto::counterweight::v1::{
    WatchWeightsRequest, weights_service_client::WeightsServiceClient,
};

use super::show::{entry_json, entry_line};
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Print every change as it happens.
#[derive(Args)]
pub(crate) struct Watch {
    /// The first revision to print, 1 for the whole history; 0 prints only what comes from now on.
    #[arg(
        long,
        env = "COUNTERWEIGHT_FROM",
        default_value_t = 0,
        value_name = "REVISION"
    )]
    from: u64,
    /// Stop after this many changes.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    combiner: Combiner,
}

impl Watch {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = WeightsServiceClient::new(self.combiner.connect_stream().await?);
        let request = WatchWeightsRequest {
            from_revision: self.from,
        };
        let mut stream = client
            .watch_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let mut left = self.count;
        while left != Some(0) {
            let Some(message) = stream.message().await.map_err(|status| explain(&status))? else {
                anyhow::bail!(
                    "the combiner closed the stream; call again with --from the next revision"
                );
            };
            if let Some(entry) = message.entry {
                output.print_element(&entry_json(&entry), |_| entry_line(&entry))?;
                left = left.map(|left| left - 1);
            }
        }
        Ok(())
    }
}
