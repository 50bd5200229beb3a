//! Heartbeats: every combiner publishes what it has applied, once a second and after each change.
//!
//! The last heartbeat of each is kept in a stream in memory, so that a combiner that has just
//! started knows of those that are silent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{
    Subscriber,
    jetstream::stream::{Config, StorageType},
};
use futures::{StreamExt as _, future::pending};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use tokio_util::sync::CancellationToken;

use super::link::Link;
use crate::{entry::digest, store::PeerStatus};

/// How often each combiner sends a heartbeat.
const BEAT: Duration = Duration::from_secs(1);
/// The least time between two heartbeats, also after many changes.
const SHORTEST: Duration = Duration::from_millis(50);
/// How long the last heartbeat of a combiner is kept, here and in the stream.
const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a name counts as taken twice after another combiner used it.
const CLASH: Duration = Duration::from_secs(5);

/// The report of a combiner, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Heartbeat {
    name: String,
    /// Distinguishes two processes of one name.
    instance: String,
    revision: u64,
    hash: String,
}

/// The combiners that sent a heartbeat.
#[derive(Debug)]
pub(crate) struct Replicas {
    name: String,
    instance: String,
    heard: Mutex<BTreeMap<String, PeerStatus>>,
    /// When another combiner last used this name.
    namesake: Mutex<Option<Instant>>,
    applied: watch::Sender<(u64, String)>,
}

impl Replicas {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            instance: uuid::Uuid::now_v7().to_string(),
            heard: Mutex::default(),
            namesake: Mutex::default(),
            applied: watch::Sender::new((0, String::new())),
        }
    }

    /// Publishes that this combiner has applied the entry.
    pub(crate) fn applied(&self, revision: u64, hash: &str) {
        self.applied.send_replace((revision, hash.to_owned()));
    }

    /// The other combiners that sent a heartbeat within a day before `now`, by name.
    pub(crate) fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        prune(&mut heard, now);
        heard.values().cloned().collect()
    }

    /// Whether another combiner runs under this one's name.
    pub(crate) fn name_taken(&self) -> bool {
        let namesake = self.namesake.lock().unwrap_or_else(PoisonError::into_inner);
        namesake.is_some_and(|heard| heard.elapsed() < CLASH)
    }

    fn hear(&self, payload: &[u8], heard: Instant) {
        let Ok(heartbeat) = serde_json::from_slice::<Heartbeat>(payload) else {
            return;
        };
        if heartbeat.name != self.name {
            let peer = PeerStatus {
                name: heartbeat.name.clone(),
                revision: heartbeat.revision,
                hash: heartbeat.hash,
                heard,
            };
            let mut all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(heartbeat.name, peer);
            prune(&mut all, heard);
        } else if heartbeat.instance != self.instance {
            let mut namesake = self.namesake.lock().unwrap_or_else(PoisonError::into_inner);
            if namesake
                .replace(heard)
                .is_none_or(|before| before.elapsed() > CLASH)
            {
                tracing::error!(
                    replica = self.name,
                    "another combiner runs under this name; give each its own `replica`, or the two cannot be told apart"
                );
            }
        }
    }

    async fn send_heartbeat(&self, link: &Link) {
        let (revision, hash) = self.applied.borrow().clone();
        let heartbeat = Heartbeat {
            name: self.name.clone(),
            instance: self.instance.clone(),
            revision,
            hash,
        };
        let subject = format!("{}.{}", prefix(link), &digest(self.name.as_bytes())[..16]);
        if let (Ok(()), Ok(payload)) = (link.connected(), serde_json::to_vec(&heartbeat)) {
            // A peer that misses it hears the next one.
            let _ = link.client.publish(subject, payload.into()).await;
        }
    }
}

/// Sends heartbeats and receives those of others, until `closing` is cancelled.
pub(super) async fn exchange(link: Arc<Link>, replicas: Arc<Replicas>, closing: CancellationToken) {
    let mut applied = replicas.applied.subscribe();
    let mut tick = interval(BEAT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut others: Option<Subscriber> = None;
    let mut recalled_on = None;
    let mut sent = Instant::now();
    loop {
        let heartbeat = async {
            match &mut others {
                Some(others) => others.next().await,
                None => pending().await,
            }
        };
        let heard = tokio::select! {
            _ = tick.tick() => None,
            Ok(()) = applied.changed() => {
                sleep_until(sent + SHORTEST).await;
                None
            }
            heartbeat = heartbeat => heartbeat,
            () = closing.cancelled() => return,
        };
        if let Some(heartbeat) = heard {
            replicas.hear(&heartbeat.payload, Instant::now());
            continue;
        }
        if others.is_none() {
            let all = format!("{}.*", prefix(&link));
            others = link.client.subscribe(all).await.ok();
        }
        if recalled_on != Some(link.connections()) && recall(&link, &replicas).await.is_some() {
            recalled_on = Some(link.connections());
        }
        replicas.send_heartbeat(&link).await;
        sent = Instant::now();
    }
}

/// Reads the stream of the last heartbeats, and creates a missing one.
async fn recall(link: &Link, replicas: &Replicas) -> Option<()> {
    link.connected().ok()?;
    let stream = link
        .context
        .get_or_create_stream(Config {
            name: format!("{}_replicas", link.name),
            description: Some("what each combiner of Counterweight has applied".to_owned()),
            subjects: vec![format!("{}.*", prefix(link))],
            storage: StorageType::Memory,
            max_messages_per_subject: 1,
            max_age: REMEMBER,
            num_replicas: 1,
            ..Config::default()
        })
        .await
        .ok()?;
    let mut subjects = stream.info_with_subjects(">").await.ok()?;
    let mut last = Vec::new();
    while let Some(subject) = subjects.next().await {
        let (subject, _) = subject.ok()?;
        last.push(
            stream
                .get_last_raw_message_by_subject(&subject)
                .await
                .ok()?,
        );
    }
    // Ages are taken by the server's clock, against the newest heartbeat: it is at most a second
    // old while any combiner runs.
    let newest = last.iter().map(|message| message.time).max()?;
    for message in last {
        let before = (newest - message.time).try_into().unwrap_or(Duration::ZERO);
        let heard = Instant::now()
            .checked_sub(before)
            .unwrap_or_else(Instant::now);
        replicas.hear(&message.payload, heard);
    }
    Some(())
}

/// Forgets combiners whose last heartbeat is older than [`REMEMBER`].
fn prune(heard: &mut BTreeMap<String, PeerStatus>, now: Instant) {
    heard.retain(|_, peer| now.saturating_duration_since(peer.heard) <= REMEMBER);
}

fn prefix(link: &Link) -> String {
    format!("{}.replica", link.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_not_heard_for_a_day_is_forgotten() {
        let replicas = Replicas::new("a");
        let start = Instant::now();
        let hear = |name: &str, at| {
            let heartbeat = Heartbeat {
                name: name.to_owned(),
                instance: "other".to_owned(),
                revision: 1,
                hash: String::new(),
            };
            replicas.hear(&serde_json::to_vec(&heartbeat).unwrap(), at);
        };
        let names = |at| {
            let peers = replicas.peers(at).into_iter();
            peers.map(|peer| peer.name).collect::<Vec<_>>()
        };
        hear("b", start);
        hear("c", start + REMEMBER / 2);
        assert_eq!(names(start + REMEMBER), ["b", "c"]);
        // A heartbeat of another combiner is enough to prune.
        hear("d", start + REMEMBER + BEAT);
        assert_eq!(replicas.heard.lock().unwrap().len(), 2);
        assert_eq!(names(start + REMEMBER + BEAT), ["c", "d"]);
        assert!(names(start + 3 * REMEMBER).is_empty());
    }
}
