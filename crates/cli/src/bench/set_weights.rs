//! What a change of the weights takes: a combiner of its own on this machine, its store on disk, and SetWeights over gRPC.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use counterweight_combiner::{Config, Listeners, serve};
use counterweight_offline::SetWeights;
use counterweight_proto::counterweight::v1::{
    ObjectiveWeight, ProfileChange, SetWeightsRequest, weights_service_client::WeightsServiceClient,
};
use serde_json::Value;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::{client::explain, runtime, serve::bind};

/// Changes before any is timed.
const WARM_UP: usize = 10;
/// Changes that are timed.
const CHANGES: usize = 200;

/// Times changes of the second objective's weight, one after another. Each is answered when it is on disk and in force.
pub(crate) fn measure([gained, avoided]: &[String; 2]) -> anyhow::Result<SetWeights> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[store]\npath = \"weights.log\"\n{}{}[profile.default.weights]\n{} = 1.0\n{} = -1.0\n",
        objective(gained),
        objective(avoided),
        Value::from(gained.as_str()),
        Value::from(avoided.as_str()),
    );
    let config = Config::parse(&text, "the combiner that is timed", folder.path())?;
    runtime()?.block_on(async {
        let grpc = bind("127.0.0.1:0").await?;
        let address = grpc.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let listeners = Listeners {
            grpc,
            metrics: None,
        };
        let server = tokio::spawn(serve(config, listeners, async {
            // An error means that whoever would say stop is gone, which is a stop too.
            let _ = stopped.await;
        }));
        let times = changes(&format!("http://{address}"), avoided).await;
        let _ = stop.send(());
        server.await??;
        let mut times = times?;
        times.sort_unstable();
        let quantile = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize].as_secs_f64();
        Ok(SetWeights {
            changes: times.len(),
            median: quantile(0.5),
            p99: quantile(0.99),
            how: "SetWeights over gRPC on this machine, the store embedded, each entry synced to disk and in force before its answer".to_owned(),
        })
    })
}

fn objective(name: &str) -> String {
    let name = Value::from(name);
    format!("[[objective]]\nname = {name}\n[objective.column]\nname = {name}\n")
}

async fn changes(url: &str, avoided: &str) -> anyhow::Result<Vec<Duration>> {
    let channel: Channel = Endpoint::from_shared(url.to_owned())?
        .tcp_nodelay(true)
        .connect()
        .await
        .context("cannot reach the combiner that is timed")?;
    let mut client = WeightsServiceClient::new(channel);
    let mut times = Vec::with_capacity(CHANGES);
    for change in 0..WARM_UP + CHANGES {
        let request = SetWeightsRequest {
            changes: vec![ProfileChange {
                profile: "default".to_owned(),
                weights: vec![ObjectiveWeight {
                    objective: avoided.to_owned(),
                    weight: -0.5 - 0.001 * change as f64,
                }],
                ..ProfileChange::default()
            }],
            author: "bench compare".to_owned(),
            reason: "timing".to_owned(),
            ..SetWeightsRequest::default()
        };
        let begun = Instant::now();
        client
            .set_weights(request)
            .await
            .map_err(|status| explain(&status))?;
        if change >= WARM_UP {
            times.push(begun.elapsed());
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_timed_on_a_real_store() {
        let names = ["engagement", "a \"second\""].map(str::to_owned);
        let timed = measure(&names).unwrap();
        assert_eq!(timed.changes, CHANGES);
        assert!(timed.median > 0.0 && timed.median <= timed.p99);
    }
}
