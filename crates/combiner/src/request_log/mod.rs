//! The request log: what was ranked, how and from what, for training and for proof.
//!
//! Rank makes a record of its answer and hands it to the log, which never makes it wait. Only where
//! the configuration asks for proof of every ranking is the answer held back until its record is
//! durable.

mod record;

use std::{fmt, sync::Arc};

use counterweight_journal::{
    DropReason, Durability, Kind, Log, LogOptions, LoggedFeature, OsDisk, PartOptions,
    RANKING_SCHEMA, RankingRecord, Units, WalOptions,
};
use counterweight_model_client::Batch;
use counterweight_serving::lower_thread_priority;

use crate::{
    config::{self, Config, Features},
    error::{CombinerError, RequestError},
    objectives::Objectives,
    ranking::Ranking,
};

/// The request log of a combiner.
pub(crate) struct RequestLog {
    log: Arc<Log>,
    config: config::RequestLog,
    units: Units,
}

impl fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestLog")
            .field(&self.config.path)
            .finish()
    }
}

impl RequestLog {
    /// Starts the log; none when the configuration has none. A folder or a key that cannot be used
    /// is not an error: the combiner goes on ranking, and counts the rankings that are not logged.
    pub(crate) fn start(config: &Config) -> Result<Option<Self>, CombinerError> {
        let Some(log) = config.request_log.clone() else {
            return Ok(None);
        };
        let options = LogOptions {
            path: log.path.clone(),
            wal: WalOptions {
                kind: Kind::Requests,
                queue_bytes: log.queue_bytes,
                segment_bytes: log.part_bytes,
                segment_age: log.part_age,
            },
            parts: PartOptions::new(&config.replica, RANKING_SCHEMA),
            retention: log.retention,
            store: log.store.clone(),
            decode: RankingRecord::rows,
            on_thread: lower_thread_priority,
        };
        let started = Log::start(Arc::new(OsDisk), Arc::clone(&config.clock), options);
        Ok(Some(Self {
            log: Arc::new(started.map_err(|error| CombinerError::Internal {
                what: format!("the request log: {error}"),
            })?),
            units: Units::new(log.unit.clone()),
            config: log,
        }))
    }

    /// The log itself.
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Reads the key of the units as soon as it can be read.
    pub(crate) async fn find_key(&self) {
        self.units.find_key().await;
    }

    /// The features of a ranking that are logged.
    pub(crate) fn features(
        &self,
        objectives: &Objectives,
        batch: &Batch<'_>,
        page: &[usize],
    ) -> Vec<LoggedFeature> {
        let all = self.config.all_share > 0.0 && rand::random::<f64>() < self.config.all_share;
        let of = match all {
            true => Features::All,
            false => self.config.features,
        };
        record::features(objectives, batch, page, of, &self.config.left_out)
    }

    /// The record of a ranking, before its answer takes the ids away.
    pub(crate) fn record(
        &self,
        config: &Config,
        ranking: &mut Ranking,
    ) -> Result<RankingRecord, DropReason> {
        let unit = self.units.logged(&ranking.unit_id);
        let unit = unit.ok_or_else(|| self.log.drop_one(DropReason::NotOpen))?;
        Ok(record::record(config, ranking, unit))
    }

    /// Logs a ranking. Waits only where every ranking must be durable.
    ///
    /// # Errors
    /// [`RequestError::NotLogged`] where every ranking must be durable and this one is not.
    pub(crate) async fn write(
        &self,
        record: Result<RankingRecord, DropReason>,
    ) -> Result<(), RequestError> {
        let durability = self.config.durability;
        let written = match record {
            Ok(record) => self.log.write(record.to_record(), durability).await,
            Err(reason) => Err(reason),
        };
        match durability {
            Durability::Request => written.map_err(RequestError::NotLogged),
            // The log counts what it drops.
            _ => Ok(()),
        }
    }

    /// What an operator should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.log.status().notes("the request log")
    }
}
