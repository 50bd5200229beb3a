//! ReadLog: the recent requests in the schema of the impression log (data/SCHEMA.md), one message
//! each.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use counterweight_proto::counterweight::v1::{LoggedObjective, LoggedRequest, ReadLogResponse};
use tokio_stream::Stream;
use tonic::Status;

use super::common::draw;
use crate::{
    config::Config,
    engine::Engine,
    error::RequestError,
    recent_requests::{Column, Recent, Record},
};

/// The recent requests of a profile, or of all for an empty name, oldest first. They are encoded
/// one by one, as the caller reads them.
pub(super) async fn read(
    engine: &Engine,
    profile: &str,
) -> Result<impl Stream<Item = Result<ReadLogResponse, Status>> + Send + use<>, RequestError> {
    let only = match profile {
        "" => None,
        name => Some(engine.config.profile(name)?),
    };
    let recent = engine.recent_requests()?;
    let place = recent.reserve_place()?;
    let work = move |recent: &[Recent]| oldest_first(recent, only);
    let records = recent.run(&place, work).await?;
    let config = Arc::clone(&engine.config);
    let messages = records.into_iter().map(move |(share, record)| {
        // Released when the stream ends or the caller goes away.
        let _place = &place;
        Ok(ReadLogResponse {
            request: Some(logged(&config, &record, share)),
        })
    });
    Ok(tokio_stream::iter(messages))
}

fn oldest_first(recent: &[Recent], only: Option<usize>) -> Vec<(f64, Arc<Record>)> {
    let mut records = Vec::new();
    for (profile, recent) in recent.iter().enumerate() {
        if only.is_none_or(|only| only == profile) {
            let (share, kept) = recent.read();
            records.extend(kept.map(|record| (share, Arc::clone(record))));
        }
    }
    records.sort_by_key(|(_, record)| record.time_ms);
    records
}

fn logged(config: &Config, record: &Record, share: f64) -> LoggedRequest {
    LoggedRequest {
        request_id: record.request_id.to_string(),
        unit_id: record.unit_id.to_string(),
        time: Some((UNIX_EPOCH + Duration::from_millis(record.time_ms)).into()),
        k: u32::try_from(record.k).unwrap_or(u32::MAX),
        profile: config.profiles[record.profile].name.clone(),
        revision: record.revision,
        segment: record.segment.as_deref().unwrap_or_default().to_owned(),
        arm: record.arm.as_deref().unwrap_or_default().to_owned(),
        draw: record.draw.map(draw),
        candidate_ids: record.ids.iter().map(str::to_owned).collect(),
        page: record.page.to_vec(),
        objectives: record
            .objectives
            .iter()
            .map(|column| objective(config, column))
            .collect(),
        share,
    }
}

fn objective(config: &Config, column: &Column) -> LoggedObjective {
    LoggedObjective {
        name: config.objectives[column.objective].name.clone(),
        weight: column.weight,
        model_version: column.model_version.to_string(),
        calibrator: column.calibrator.to_string(),
        probabilities: column.probabilities.to_vec(),
        raw_probabilities: column.raw.as_deref().unwrap_or_default().to_vec(),
    }
}
