//! Lists the combiners on a log: what each has applied, and which of them is behind.

use std::time::Duration;

use crate::{error::StoreError, live::LiveWeights, store::PeerStatus};

/// A combiner counts as silent after this long without a heartbeat, which comes once a second.
const SILENT: Duration = Duration::from_secs(4);

/// A combiner and what it has applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// Name.
    pub name: String,
    /// The last revision that it had applied at its last report.
    pub applied: u64,
    /// The hash of that entry; empty at revision 0.
    pub hash: String,
    /// How long ago it last reported; zero for the combiner itself.
    pub reported_ago: Duration,
    /// How many revisions it lacks.
    pub revisions_behind: u64,
    /// What is wrong with it; empty when nothing is.
    pub problem: String,
}

impl LiveWeights {
    /// This combiner, and after it the others by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn replicas(&self) -> Result<Vec<Replica>, StoreError> {
        let (applied, hash) = self.end();
        let known = self.store.last_known().max(self.last());
        let mut own = Replica {
            name: self.config.replica.clone(),
            applied,
            hash,
            reported_ago: Duration::ZERO,
            revisions_behind: known - applied,
            problem: String::new(),
        };
        own.problem = problem(&own, false);
        if let Some(mismatch) = self.blocked() {
            own.problem = format!("stopped at revision {applied}: {mismatch}");
        }
        if let Some(since) = self.lost_since() {
            let since = since.elapsed().unwrap_or_default().as_secs();
            own.problem = format!("has not reached the weights store for {since} s");
        }
        if self.store.name_taken() {
            own.problem = "another combiner runs under this name".to_owned();
        }
        let mut replicas = vec![own];
        for peer in self.store.peers() {
            let strange = self.has_other_history(&peer).await?;
            replicas.push(other(peer, known, strange));
        }
        Ok(replicas)
    }

    /// Whether the entry that a peer has applied last is another one here.
    async fn has_other_history(&self, peer: &PeerStatus) -> Result<bool, StoreError> {
        if peer.revision == 0 || peer.revision > self.last() {
            return Ok(false);
        }
        let same = self.store.read(peer.revision, 1).await?;
        Ok(same.first().is_some_and(|entry| entry.hash != peer.hash))
    }
}

fn other(peer: PeerStatus, known: u64, strange: bool) -> Replica {
    let mut replica = Replica {
        revisions_behind: known.saturating_sub(peer.revision),
        reported_ago: peer.heard.elapsed(),
        name: peer.name,
        applied: peer.revision,
        hash: peer.hash,
        problem: String::new(),
    };
    replica.problem = problem(&replica, strange);
    replica
}

fn problem(replica: &Replica, strange: bool) -> String {
    let mut problems = Vec::new();
    if strange {
        problems.push("has another history".to_owned());
    }
    if replica.reported_ago > SILENT {
        problems.push(format!("was last heard {} s ago", replica.reported_ago.as_secs()));
    }
    match replica.revisions_behind {
        0 => {}
        1 => problems.push("is 1 revision behind".to_owned()),
        behind => problems.push(format!("is {behind} revisions behind")),
    }
    problems.join(", ")
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn replica(revision: u64, ago: u64, strange: bool) -> String {
        let at = Instant::now()
            .checked_sub(Duration::from_secs(ago))
            .unwrap();
        let peer = PeerStatus {
            name: "b".into(),
            revision,
            hash: "h".into(),
            heard: at,
        };
        other(peer, 7, strange).problem
    }

    #[test]
    fn a_peer_that_is_behind_silent_or_of_another_history_has_that_as_its_problem() {
        assert_eq!(replica(7, 0, false), "");
        assert_eq!(replica(8, 0, false), "", "it may know more than this one");
        assert_eq!(replica(6, 1, false), "is 1 revision behind");
        assert_eq!(
            replica(4, 60, false),
            "was last heard 60 s ago, is 3 revisions behind"
        );
        assert_eq!(replica(7, 0, true), "has another history");
    }
}
