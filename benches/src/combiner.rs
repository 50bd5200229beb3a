//! A combiner in this process with its embedded store, on a loopback socket, whose objectives are
//! probability columns: nothing but the combiner is measured.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use counterweight_combiner::{Config, Listener, Listeners, serve};
use counterweight_proto::counterweight::v1::{
    RankRequest, ranking_service_client::RankingServiceClient,
};
use counterweight_ranking::splitmix64;
use counterweight_tensor::{Datatype, encode_f32, tensor};
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

const CONFIG: &str = "[[objective]]\nname = \"engagement\"\ncolumn = { name = \"e\" }\n\
                      [[objective]]\nname = \"engagement_bait\"\ncolumn = { name = \"b\" }\n\
                      [profile.default]\nweights = { engagement = 1.0, engagement_bait = -0.5 }\n\
                      [profile.other]\nweights = { engagement = 1.0, engagement_bait = -0.5 }\n";

/// The combiner, with the profiles `default` and `other`. It ends when this is dropped.
#[derive(Debug)]
pub struct Combiner {
    address: String,
    server: JoinHandle<Result<(), counterweight_combiner::CombinerError>>,
}

impl Combiner {
    /// Starts it with its weights log in a folder; `more` is further TOML, tables only.
    ///
    /// # Errors
    /// TOML that is none, a port that cannot be bound.
    pub async fn start(folder: &Path, more: &str) -> anyhow::Result<Self> {
        let text = format!("{CONFIG}[store]\npath = \"weights.log\"\n{more}");
        let config = Config::parse(&text, "bench.toml", folder)?;
        let grpc = Listener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", grpc.address()?);
        let listeners = Listeners {
            grpc,
            metrics: None,
        };
        let server = tokio::spawn(serve(config, listeners, std::future::pending()));
        Ok(Self { address, server })
    }

    /// Opens a separate connection.
    ///
    /// # Errors
    /// It is not reached.
    pub async fn channel(&self) -> anyhow::Result<Channel> {
        let endpoint = Endpoint::from_shared(self.address.clone())?.tcp_nodelay(true);
        Ok(endpoint.connect().await?)
    }

    /// The times of so many rankings of the same candidates for a profile, one after another, after
    /// a tenth as many that are not timed.
    ///
    /// # Errors
    /// A request fails, or a later one is answered under an earlier revision.
    pub async fn rankings(
        &self,
        profile: &str,
        count: usize,
        candidates: usize,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut client = RankingServiceClient::new(self.channel().await?);
        let request = RankRequest {
            profile: profile.to_owned(),
            ..rank_request(candidates, 0)
        };
        for _ in 0..count / 10 {
            client.rank(request.clone()).await?;
        }
        let mut times = Vec::with_capacity(count);
        let mut last = 0;
        for _ in 0..count {
            let request = request.clone();
            let begun = Instant::now();
            let answer = client.rank(request).await?.into_inner();
            times.push(begun.elapsed());
            ensure!(answer.revision >= last, "a revision went back");
            last = answer.revision;
        }
        Ok(times)
    }
}

impl Drop for Combiner {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A request of `candidates` candidates whose probabilities are as good as independent and uniform,
/// other ones for every number.
pub fn rank_request(candidates: usize, number: u64) -> RankRequest {
    let column = |objective: u64| {
        let values: Vec<f32> = (0..candidates as u64)
            .map(|at| {
                (splitmix64(number << 32 | at << 1 | objective) >> 40) as f32 / (1 << 24) as f32
            })
            .collect();
        encode_f32(&values)
    };
    RankRequest {
        candidate_ids: (0..candidates).map(|at| format!("c{at:06}")).collect(),
        inputs: vec![
            tensor("e", Datatype::Fp32, &[candidates]),
            tensor("b", Datatype::Fp32, &[candidates]),
        ],
        raw_input_contents: vec![column(0), column(1)],
        ..RankRequest::default()
    }
}
