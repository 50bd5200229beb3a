//! Measures how long a change of weights takes: SetWeights over gRPC to a combiner that this module
//! starts on this machine, with a weights store on disk.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use counterweight_combiner::{Config, Listener, Listeners, serve};
use counterweight_evaluation::SetWeights;
use counterweight_proto::counterweight::v1::{
    Cause, ObjectiveWeight, ProfileChange, SetWeightsRequest,
    weights_service_client::WeightsServiceClient,
};
use serde_json::json;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::{client::explain_status, runtime::runtime};

/// The number of changes before the timed ones.
const WARM_UP: usize = 10;
/// The number of timed changes.
const CHANGES: usize = 200;

/// Times changes of the second objective's weight, one after another. Each is answered when it is
/// on disk and in force.
pub(crate) fn measure([gained, avoided]: &[String; 2]) -> anyhow::Result<SetWeights> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let objective = |name: &String| json!({ "name": name, "column": { "name": name } });
    let text = toml::to_string(&json!({
        "listen": "127.0.0.1:0",
        "store": { "path": "weights.log" },
        "objective": [objective(gained), objective(avoided)],
        "profile": { "default": { "weights": { (gained): 1.0, (avoided): -1.0 } } },
    }))?;
    let config = Config::parse(&text, "the combiner to measure", folder.path())?;
    runtime()?.block_on(async {
        let grpc = Listener::bind("127.0.0.1:0").await?;
        let address = grpc.address()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let listeners = Listeners {
            grpc,
            metrics: None,
        };
        let server = tokio::spawn(serve(config, listeners, async {
            // An error means that the sender was dropped, which also means stop.
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
            how: "SetWeights over gRPC on this machine with the embedded store; each entry is on disk and in force before its answer".to_owned(),
        })
    })
}

async fn changes(url: &str, avoided: &str) -> anyhow::Result<Vec<Duration>> {
    let channel: Channel = Endpoint::from_shared(url.to_owned())?
        .tcp_nodelay(true)
        .connect()
        .await
        .context("cannot reach the combiner to measure")?;
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
            cause: Some(Cause {
                author: "bench compare".to_owned(),
                reason: "timing".to_owned(),
                ..Cause::default()
            }),
            ..SetWeightsRequest::default()
        };
        let begun = Instant::now();
        client
            .set_weights(request)
            .await
            .map_err(|status| explain_status(&status))?;
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
        let names = ["engagement", "a \"second\" \u{301}\u{7f}"].map(str::to_owned);
        let timed = measure(&names).unwrap();
        assert_eq!(timed.changes, CHANGES);
        assert!(timed.median > 0.0 && timed.median <= timed.p99);
    }
}
