//! Steps over entries of the stream that cannot be read: an entry names them and their hashes, and
//! continues the chain with the hash of the last of them, so that every combiner skips the same.
//! The copy keeps their bytes.

use std::path::Path;

use prost_types::Timestamp;

use super::{link::Published, stream::Nats, unreadable::MOST};
use crate::{
    entry::{Cause, Change, Entry, Sealed, Skipped, digest},
    error::{Error, PlanError, StoreError},
    profile::Action,
    store::line::{decode_line, encode_line},
};

impl Nats {
    /// Appends an entry that skips the unreadable entry `revision`, the first that this combiner
    /// cannot read, and all after it.
    ///
    /// # Errors
    /// The entry can be read, or one after it can; the stream is out of reach.
    pub(crate) async fn skip(
        &self,
        revision: u64,
        cause: Cause,
        time: Timestamp,
    ) -> Result<Entry, Error> {
        let refused = |problem: String| PlanError::NotSkippable { revision, problem };
        let mut end = self.turn().await?;
        match self.catch_up(&mut end).await {
            Err(StoreError::Unreadable { revision: at, .. }) if at == revision => {}
            Err(StoreError::Unreadable { revision: at, .. }) => {
                return Err(refused(format!(
                    "the first entry that cannot be read is revision {at}; skip that one"
                ))
                .into());
            }
            Err(error) => return Err(error.into()),
            Ok(()) => {
                let last = end.revision;
                return Err(refused(format!(
                    "every entry can be read; the log ends at revision {last}"
                ))
                .into());
            }
        }
        let last = self.link.last().await?.map_or(revision, |(last, _)| last);
        let (skipped, previous) = self.unreadable(revision, last).await?;
        let change = Change {
            action: Action::Skip,
            forced: false,
            profiles: Vec::new(),
            moved: None,
            skipped,
        };
        let sealed = Sealed::new(last + 1, &previous, change, cause, time).map_err(|error| {
            let what = error.to_string();
            StoreError::Internal { what }
        })?;
        let line = encode_line(&sealed.entry.hash, &sealed.payload);
        match self.link.publish(last, line).await? {
            Published::Stored => {}
            Published::Conflict => {
                return Err(
                    refused("the log has gone on; read it and try again".to_owned()).into(),
                );
            }
            Published::Rejected(reason) => {
                return Err(self
                    .link
                    .broken(format!("it rejects an entry: {reason}"))
                    .into());
            }
            Published::Unknown(reason) => {
                return Err(StoreError::Ambiguous {
                    store: self.link.store.clone(),
                    reason,
                    key: sealed.entry.cause.idempotency_key,
                }
                .into());
            }
        }
        self.catch_up(&mut end).await?;
        Ok(sealed.entry)
    }

    /// The entries from `first` to `last`, none of which can be read, and the hash of the last.
    async fn unreadable(&self, first: u64, last: u64) -> Result<(Vec<Skipped>, String), Error> {
        let refused = |problem: String| PlanError::NotSkippable {
            revision: first,
            problem,
        };
        if last - first >= MOST {
            return Err(refused(format!(
                "{} entries from it on cannot be applied, and at most {MOST} are skipped at once; \
                 find out who writes to the stream",
                last - first + 1
            ))
            .into());
        }
        let mut skipped = Vec::new();
        let mut previous = String::new();
        for (line, revision) in self.link.lines(first..=last).await?.iter().zip(first..) {
            match decode_line(Path::new(&self.link.store), revision, line) {
                Err(StoreError::Corrupt { .. }) => {}
                // It was acknowledged to somebody.
                _ => {
                    return Err(refused(format!(
                        "revision {revision} after it is an entry of this or of a newer version; \
                         find out who wrote it, and use that version"
                    ))
                    .into());
                }
            }
            previous = digest(line);
            skipped.push(Skipped {
                revision,
                hash: previous.clone(),
            });
        }
        Ok((skipped, previous))
    }
}
