//! `counterweight log`: exports the recent requests of a combiner as an impression log, and looks
//! into request logs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use counterweight_impressions::{
    DrawnLambda, LogWriter, RankedObjective, RankedRequest, WrittenLog, replay,
};
use counterweight_journal::{Contents, Kind, parts_of};
use counterweight_proto::counterweight::v1::{
    Density as WireDensity, DescribeRankingRequest, Draw, GetWeightsRequest, LoggedObjective,
    LoggedRequest, ReadLogRequest, ranking_service_client::RankingServiceClient,
    weights_service_client::WeightsServiceClient,
};
use counterweight_ranking::Density;
use serde_json::json;
use tonic::transport::Channel;

use crate::{
    client::{Combiner, MESSAGE_LIMIT, explain_status},
    log_join::Join,
    output::Output,
    progress,
    runtime::runtime,
};

/// Export the recent requests of a running combiner, and look into request logs.
#[derive(Subcommand)]
pub(crate) enum Log {
    /// Write the recent requests that the combiner keeps to a Parquet file, which `bench --log`
    /// reads.
    ///
    /// data/SCHEMA.md describes the file. It contains all candidates with the probabilities that
    /// were combined, so that other weights can be tried on it. If λ was drawn, it also contains
    /// the range and density of the draw. It does not contain what users did: join that by
    /// request_id and candidate_id, as columns label_<objective>.
    Export(Export),
    /// Count what the folder of a log holds, and name files that are damaged.
    ///
    /// The log may be in use. In a request log `rows` are candidates of rankings in Parquet parts,
    /// and `records` are rankings that are written and in no part yet; in an event log they are
    /// events and batches of events.
    Status(Status),
    /// Rank everything that a request log has again, from its own numbers, and say what differs.
    ///
    /// The score of a candidate is Σ w_<objective> · p_<objective>, and the page is the first k by
    /// score, then by id. Rankings that are in no Parquet part yet are not read.
    Replay(Replay),
    Join(Join),
}

/// Rank everything that a request log has again.
#[derive(Args)]
pub(crate) struct Replay {
    /// The folder of the log: `path` in [request_log] of the combiner's configuration.
    #[arg(long, value_name = "DIR")]
    requests: PathBuf,
}

impl Replay {
    /// Exit code 1 when a ranking differs.
    fn run(self, output: Output) -> anyhow::Result<()> {
        let parts = parts_of(&self.requests, Kind::Requests)?;
        if parts.is_empty() {
            bail!(
                "{} has no parts yet; rankings become a part when their write-ahead segment is closed",
                self.requests.display()
            );
        }
        let replayed = replay(parts.iter().map(|part| part.path.as_path()))?;
        let value =
            json!({ "requests": self.requests, "parts": parts.len(), "replayed": replayed });
        output.print(&value, |_| {
            let mut text = format!(
                "{}: {} rankings of {} candidates in {} parts; {} differ from their own numbers",
                self.requests.display(),
                replayed.rankings,
                replayed.candidates,
                parts.len(),
                replayed.differing
            );
            for (ranking, difference) in &replayed.differences {
                text.push_str(&format!("\n{ranking}: {difference}"));
            }
            text
        })?;
        match replayed.differing {
            0 => Ok(()),
            count => bail!("{count} rankings differ from their own numbers"),
        }
    }
}

/// Count what the folder of a log holds.
#[derive(Args)]
pub(crate) struct Status {
    /// The folder of the log: `path` in [request_log] or [feedback] of the combiner's configuration.
    #[arg(value_name = "DIR")]
    log: PathBuf,
}

impl Status {
    /// Exit code 1 when a file is damaged.
    fn run(self, output: Output) -> anyhow::Result<()> {
        // A log has records of one kind.
        let mut contents = Contents::read(&self.log, Kind::Requests)?;
        if contents == Contents::default() {
            contents = Contents::read(&self.log, Kind::Events)?;
        }
        let problems: Vec<_> = contents
            .problems
            .iter()
            .map(|(path, problem)| json!({ "file": path, "problem": problem }))
            .collect();
        let value = json!({
            "log": self.log,
            "parts": contents.parts,
            "rows": contents.rows,
            "bytes": contents.bytes,
            "oldest": contents.oldest,
            "newest": contents.newest,
            "segments": contents.segments,
            "records": contents.records,
            "segment_bytes": contents.segment_bytes,
            "problems": problems,
        });
        output.print(&value, |_| Self::summary(&self.log, &contents))?;
        match contents.problems.len() {
            0 => Ok(()),
            count => bail!("{count} files of the log are damaged; restore them, or move them away"),
        }
    }

    fn summary(log: &Path, contents: &Contents) -> String {
        let mut text = format!(
            "{}: {} parts with {} rows, {} bytes",
            log.display(),
            contents.parts,
            contents.rows,
            contents.bytes
        );
        if let (Some(oldest), Some(newest)) = (&contents.oldest, &contents.newest) {
            text.push_str(&format!("\nhours: {oldest} to {newest} (UTC)"));
        }
        text.push_str(&format!(
            "\nin no part yet: {} records in {} write-ahead segments, {} bytes",
            contents.records, contents.segments, contents.segment_bytes
        ));
        for (path, problem) in &contents.problems {
            text.push_str(&format!("\ndamaged: {}: {problem}", path.display()));
        }
        text
    }
}

/// Write the recent requests that the combiner keeps to a Parquet file.
#[derive(Args)]
pub(crate) struct Export {
    /// The file to write (.parquet); it appears under this name when it is complete.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Export only the requests of this profile [default: all].
    #[arg(long)]
    profile: Option<String>,
    #[command(flatten)]
    combiner: Combiner,
}

impl Log {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Export(export) => runtime()?.block_on(export.run(output)),
            Self::Status(status) => status.run(output),
            Self::Replay(replay) => replay.run(output),
            Self::Join(join) => join.run(output),
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
        let mut stream = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let bar = progress::rows(&self.out.display().to_string());
        let mut share: f64 = 1.0;
        while let Some(message) = stream
            .message()
            .await
            .map_err(|status| explain_status(&status))?
        {
            let request = message
                .request
                .context("the combiner sent an empty message: use the same version of the program on both sides")?;
            share = share.min(request.share);
            bar.inc(request.candidate_ids.len() as u64);
            log.push(ranked_request(request)?)?;
        }
        bar.finish_and_clear();
        if log.is_empty() {
            bail!("{}", self.nothing_to_export());
        }
        let written = log.finish()?;
        let value = json!({
            "out": self.out,
            "objectives": objectives,
            "written": written,
            "lowest_share": share,
        });
        output.print(&value, |_| self.summary(&written, share))
    }

    /// The objectives that the exported profiles weigh, in the order of the combiner.
    async fn objectives(&self, channel: &Channel) -> anyhow::Result<Vec<String>> {
        let mut weights = WeightsServiceClient::new(channel.clone());
        let request = GetWeightsRequest {
            profile: self.profile.clone().unwrap_or_default(),
        };
        let answer = weights.get_weights(request).await;
        let profiles = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let mut ranking = RankingServiceClient::new(channel.clone());
        let answer = ranking.describe_ranking(DescribeRankingRequest {}).await;
        let described = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let weighed = |name: &String| {
            let mut profiles = profiles.profiles.iter();
            profiles.any(|profile| profile.weights.iter().any(|own| own.objective == *name))
        };
        let names = described.objectives.into_iter().map(|own| own.name);
        Ok(names.filter(weighed).collect())
    }

    fn nothing_to_export(&self) -> String {
        let profile = match &self.profile {
            Some(profile) => format!("of profile {profile}"),
            None => "of any profile".to_owned(),
        };
        format!(
            "the combiner at {} has no recent requests {profile}, so nothing was written; rank some first, and if it ranked some lately, check that its configuration does not set [recent_requests] candidates = 0",
            self.combiner.address
        )
    }

    fn summary(&self, written: &WrittenLog, share: f64) -> String {
        let out = self.out.display();
        let mut text = format!(
            "{out}: {} requests with {} candidates, {} bytes",
            written.requests, written.candidates, written.bytes
        );
        if share < 1.0 {
            text.push_str(&format!(
                "\na random sample: at least {:.2} % of the requests of each profile",
                100.0 * share
            ));
        }
        if written.repeated > 0 {
            text.push_str(&format!(
                "\nleft out: {} requests with the id of an earlier one",
                written.repeated
            ));
        }
        text.push_str(&format!("\ncounterweight bench front --log {out}"));
        if written.explored > 0 {
            text.push_str(&format!(
                "\nafter you join the outcomes as columns label_<objective>: counterweight bench ope --log {out}"
            ));
        }
        text
    }
}

/// Converts a request for the writer; texts that are empty on the wire become `None`.
fn ranked_request(request: LoggedRequest) -> anyhow::Result<RankedRequest> {
    let id = request.request_id;
    let time = request
        .time
        .with_context(|| format!("request {id} has no time"))?;
    Ok(RankedRequest {
        user: non_empty(request.unit_id),
        time_ms: time.seconds * 1000 + i64::from(time.nanos / 1_000_000),
        k: request.k,
        profile: request.profile,
        revision: request.revision,
        segment: non_empty(request.segment),
        arm: non_empty(request.arm),
        draw: request
            .draw
            .map(|draw| drawn_lambda(&id, draw))
            .transpose()?,
        candidates: request.candidate_ids,
        page: request
            .page
            .into_iter()
            .map(|place| place as usize)
            .collect(),
        objectives: request
            .objectives
            .into_iter()
            .map(ranked_objective)
            .collect(),
        id,
    })
}

fn drawn_lambda(id: &str, draw: Draw) -> anyhow::Result<DrawnLambda> {
    let (low, high) = (draw.low, draw.high);
    Ok(DrawnLambda {
        lambda: draw.lambda,
        seed: draw.seed,
        density: match draw.density() {
            WireDensity::Uniform => Density::Uniform { low, high },
            WireDensity::LogUniform => Density::LogUniform { low, high },
            WireDensity::Unspecified => bail!(
                "request {id}: λ was drawn from a density that this program does not know: use the same version on both sides"
            ),
        },
    })
}

fn ranked_objective(objective: LoggedObjective) -> RankedObjective {
    RankedObjective {
        name: objective.name,
        weight: objective.weight,
        model: non_empty(objective.model_version),
        calibrator: non_empty(objective.calibrator),
        probabilities: objective.probabilities,
        raw: objective.raw_probabilities,
    }
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_texts_on_the_wire_are_none_in_the_log() {
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
        let read = ranked_request(request.clone()).unwrap();
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
        assert!(ranked_request(unknown).is_err());
        let timeless = LoggedRequest {
            time: None,
            ..request
        };
        assert!(ranked_request(timeless).is_err());
    }
}
