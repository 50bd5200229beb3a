//! `counterweight log`: the recent requests that a combiner keeps, as an impression log for the offline benchmark.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use counterweight_offline::{DrawnLambda, LogWriter, RankedObjective, RankedRequest, WrittenLog};
use counterweight_proto::counterweight::v1::{
    Density as WireDensity, DescribeRankingRequest, Draw, GetWeightsRequest, LoggedObjective,
    LoggedRequest, ReadLogRequest, ranking_service_client::RankingServiceClient,
    weights_service_client::WeightsServiceClient,
};
use counterweight_ranking::ope::Density;
use serde_json::json;
use tonic::transport::Channel;

use crate::{
    client::{Combiner, MESSAGE_LIMIT, explain},
    output::Output,
    progress, runtime,
};

/// Take the recent requests out of a running combiner.
#[derive(Subcommand)]
pub(crate) enum Log {
    /// Write the recent requests that the combiner keeps to a Parquet file after data/SCHEMA.md, which `bench --log` reads.
    ///
    /// All candidates are in it with the probabilities that were combined, so that any other weights can be replayed; where λ was drawn, with
    /// its range and density. Outcomes are not in it: join them by request_id and candidate_id as the columns label_<objective>.
    Export(Export),
}

/// Write the recent requests that the combiner keeps to a Parquet file.
#[derive(Args)]
pub(crate) struct Export {
    /// The file to write, ending in .parquet; it takes its name when it is complete.
    #[arg(long, short, env = "COUNTERWEIGHT_OUT", value_name = "FILE")]
    out: PathBuf,
    /// Only requests of this profile [default: all].
    #[arg(long, env = "COUNTERWEIGHT_PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    combiner: Combiner,
}

impl Log {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Export(export) => runtime()?.block_on(export.run(output)),
        }
    }
}

impl Export {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let channel = self.combiner.connect_stream().await?;
        let objectives = self.objectives(&channel).await?;
        let mut log = LogWriter::create(&self.out, &objectives)?;
        let request = ReadLogRequest {
            profile: self.profile.clone().unwrap_or_default(),
        };
        let mut client =
            RankingServiceClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
        let answer = client.read_log(request).await;
        let mut stream = answer.map_err(|status| explain(&status))?.into_inner();
        let bar = progress::rows(&self.out.display().to_string());
        let mut share: f64 = 1.0;
        while let Some(message) = stream.message().await.map_err(|status| explain(&status))? {
            let request = message
                .request
                .context("the combiner answered no request; use the same version here and there")?;
            share = share.min(request.share);
            bar.inc(request.candidate_ids.len() as u64);
            log.push(plain(request)?)?;
        }
        bar.finish_and_clear();
        if log.is_empty() {
            bail!("{}", self.nothing());
        }
        let written = log.finish()?;
        let value = json!({
            "out": self.out,
            "objectives": objectives,
            "written": written,
            "lowest_share": share,
        });
        output.print(&value, |_| self.words(&written, share))
    }

    /// The objectives of the profiles that are exported, in their order.
    async fn objectives(&self, channel: &Channel) -> anyhow::Result<Vec<String>> {
        let mut weights = WeightsServiceClient::new(channel.clone());
        let request = GetWeightsRequest {
            profile: self.profile.clone().unwrap_or_default(),
        };
        let answer = weights.get_weights(request).await;
        let profiles = answer.map_err(|status| explain(&status))?.into_inner();
        let mut ranking = RankingServiceClient::new(channel.clone());
        let answer = ranking.describe_ranking(DescribeRankingRequest {}).await;
        let described = answer.map_err(|status| explain(&status))?.into_inner();
        let taken = |name: &String| {
            let mut profiles = profiles.profiles.iter();
            profiles.any(|profile| profile.weights.iter().any(|own| own.objective == *name))
        };
        let names = described.objectives.into_iter().map(|own| own.name);
        Ok(names.filter(taken).collect())
    }

    fn nothing(&self) -> String {
        let of = match &self.profile {
            Some(profile) => format!("of profile {profile}"),
            None => "of any profile".to_owned(),
        };
        format!(
            "the combiner at {} keeps no request {of}, so that nothing is written: rank some first; if it has ranked some within the time that it keeps, its configuration says [ring] candidates = 0",
            self.combiner.address
        )
    }

    fn words(&self, written: &WrittenLog, share: f64) -> String {
        let out = self.out.display();
        let mut text = format!(
            "{out}: {} requests with {} candidates, {} bytes",
            written.requests, written.candidates, written.bytes
        );
        if share < 1.0 {
            text.push_str(&format!(
                "\na fair sample: at least {:.2} % of a profile's requests, each with the same chance",
                100.0 * share
            ));
        }
        if written.repeated > 0 {
            text.push_str(&format!(
                "\nleft out: {} requests whose id an earlier one has",
                written.repeated
            ));
        }
        text.push_str(&format!("\ncounterweight bench front --log {out}"));
        if written.explored > 0 {
            text.push_str(&format!(
                "\nand once outcomes are joined as the columns label_<objective>: counterweight bench ope --log {out}"
            ));
        }
        text
    }
}

/// A request as the writer takes it: empty texts of the wire are none.
fn plain(request: LoggedRequest) -> anyhow::Result<RankedRequest> {
    let id = request.request_id;
    let time = request
        .time
        .with_context(|| format!("request {id}: it says no time"))?;
    Ok(RankedRequest {
        user: some(request.unit_id),
        time_ms: time.seconds * 1000 + i64::from(time.nanos / 1_000_000),
        k: request.k,
        profile: request.profile,
        revision: request.revision,
        segment: some(request.segment),
        arm: some(request.arm),
        draw: request.draw.map(|draw| drawn(&id, draw)).transpose()?,
        candidates: request.candidate_ids,
        page: request.page.into_iter().map(|at| at as usize).collect(),
        objectives: request.objectives.into_iter().map(objective).collect(),
        id,
    })
}

fn drawn(id: &str, draw: Draw) -> anyhow::Result<DrawnLambda> {
    let (low, high) = (draw.low, draw.high);
    Ok(DrawnLambda {
        lambda: draw.lambda,
        seed: draw.seed,
        density: match draw.density() {
            WireDensity::Uniform => Density::Uniform { low, high },
            WireDensity::LogUniform => Density::LogUniform { low, high },
            WireDensity::Unspecified => bail!(
                "request {id}: λ was drawn from a density that this program does not know; use the same version here and there"
            ),
        },
    })
}

fn objective(objective: LoggedObjective) -> RankedObjective {
    RankedObjective {
        name: objective.name,
        weight: objective.weight,
        model: some(objective.model_version),
        calibrator: some(objective.calibrator),
        probabilities: objective.probabilities,
        raw: objective.raw,
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_on_the_wire_is_none_in_the_log() {
        let request = LoggedRequest {
            request_id: "r".to_owned(),
            unit_id: "u".to_owned(),
            time: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
            k: 1,
            candidate_ids: vec!["a".to_owned()],
            page: vec![0],
            draw: Some(Draw {
                lambda: 0.5,
                low: 0.0,
                high: 1.0,
                density: WireDensity::Uniform.into(),
                seed: 9,
            }),
            objectives: vec![LoggedObjective {
                name: "engagement".to_owned(),
                probabilities: vec![0.5],
                ..LoggedObjective::default()
            }],
            ..LoggedRequest::default()
        };
        let read = plain(request.clone()).unwrap();
        assert_eq!(read.time_ms, 1_767_323_045_678);
        assert_eq!(
            (read.user.as_deref(), read.segment, read.arm),
            (Some("u"), None, None)
        );
        assert_eq!(read.objectives[0].model, None);
        let low_high = Density::Uniform {
            low: 0.0,
            high: 1.0,
        };
        assert_eq!(read.draw.unwrap().density, low_high);

        let mut unknown = request.clone();
        unknown.draw.as_mut().unwrap().density = 0;
        assert!(plain(unknown).is_err());
        let timeless = LoggedRequest {
            time: None,
            ..request
        };
        assert!(plain(timeless).is_err());
    }
}
