//! Which combiners there are and what each has applied: every one says so once a second and after each change.
//!
//! The last word of each is kept in a stream in memory, so that a combiner that has just started knows of those that are silent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, Weak},
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

use super::{Nats, link::Link};
use crate::{entry::digest, store::Heard};

/// How often each combiner says what it has applied.
const BEAT: Duration = Duration::from_secs(1);
/// At most so often, however many changes there are.
const SHORTEST: Duration = Duration::from_millis(50);
/// How long the last word of a combiner is kept.
const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after another one of the same name was heard the name counts as taken twice.
const CLASH: Duration = Duration::from_secs(5);

/// What a combiner says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Beat {
    name: String,
    /// Tells two processes of one name apart.
    instance: String,
    revision: u64,
    hash: String,
}

/// Everyone that was heard.
#[derive(Debug)]
pub(crate) struct Replicas {
    name: String,
    instance: String,
    heard: Mutex<BTreeMap<String, Heard>>,
    /// When another combiner of this name was last heard.
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

    /// This combiner has applied that entry.
    pub(crate) fn applied(&self, revision: u64, hash: &str) {
        self.applied.send_replace((revision, hash.to_owned()));
    }

    /// The others, by name.
    pub(crate) fn others(&self) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.values().cloned().collect()
    }

    /// Whether another combiner runs under this one's name.
    pub(crate) fn name_taken(&self) -> bool {
        let namesake = self.namesake.lock().unwrap_or_else(PoisonError::into_inner);
        namesake.is_some_and(|heard| heard.elapsed() < CLASH)
    }

    fn hear(&self, payload: &[u8], heard: Instant) {
        let Ok(beat) = serde_json::from_slice::<Beat>(payload) else {
            return;
        };
        if beat.name != self.name {
            let replica = Heard {
                name: beat.name.clone(),
                revision: beat.revision,
                hash: beat.hash,
                at: heard,
            };
            let mut all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(beat.name, replica);
        } else if beat.instance != self.instance {
            let mut namesake = self.namesake.lock().unwrap_or_else(PoisonError::into_inner);
            if namesake
                .replace(heard)
                .is_none_or(|before| before.elapsed() > CLASH)
            {
                tracing::error!(
                    replica = self.name,
                    "another combiner runs under this name; give each its own `replica`, or nobody can tell which one is behind"
                );
            }
        }
    }

    async fn say(&self, link: &Link) {
        let (revision, hash) = self.applied.borrow().clone();
        let beat = Beat {
            name: self.name.clone(),
            instance: self.instance.clone(),
            revision,
            hash,
        };
        let subject = format!("{}.{}", prefix(link), &digest(self.name.as_bytes())[..16]);
        if let (Ok(()), Ok(payload)) = (link.connected(), serde_json::to_vec(&beat)) {
            // Who misses it hears the next one.
            let _ = link.client.publish(subject, payload.into()).await;
        }
    }
}

/// Says what this combiner has applied, and hears the others, for as long as there is a store.
pub(super) async fn beat(store: Weak<Nats>, closing: CancellationToken) {
    let Some(mut applied) = store
        .upgrade()
        .map(|store| store.replicas.applied.subscribe())
    else {
        return;
    };
    let mut tick = interval(BEAT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut others: Option<Subscriber> = None;
    let mut recalled_on = None;
    let mut said = Instant::now();
    loop {
        let word = async {
            match &mut others {
                Some(others) => others.next().await,
                None => pending().await,
            }
        };
        let heard = tokio::select! {
            _ = tick.tick() => None,
            Ok(()) = applied.changed() => {
                sleep_until(said + SHORTEST).await;
                None
            }
            word = word => word,
            () = closing.cancelled() => return,
        };
        let Some(store) = store.upgrade() else { return };
        let (link, replicas) = (&store.link, &store.replicas);
        if let Some(word) = heard {
            replicas.hear(&word.payload, Instant::now());
            continue;
        }
        if others.is_none() {
            let all = format!("{}.*", prefix(link));
            others = link.client.subscribe(all).await.ok();
        }
        if recalled_on != Some(link.connections()) && recall(link, replicas).await.is_some() {
            recalled_on = Some(link.connections());
        }
        replicas.say(link).await;
        said = Instant::now();
    }
}

/// Makes the stream of last words if there is none, and reads them.
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
    // By the server's clock: how long before the newest word, which is at most a second old where anybody lives.
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

fn prefix(link: &Link) -> String {
    format!("{}.replica", link.name)
}
