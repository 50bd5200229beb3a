//! The servers of one model. A host name stands for all of its addresses, which are looked up again
//! while the combiner runs. Calls use the servers in turn, and suspects last.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use counterweight_proto::{
    Unary, inference::grpc_inference_service_client::GrpcInferenceServiceClient,
};
use http::Uri;
use tokio::{net::lookup_host, sync::Mutex, time::timeout};

use crate::{
    connection::{Connection, Peer},
    error::NotAnAddress,
    health::{Health, Outcome},
};

/// A client of a model server.
pub(crate) type InferenceClient = GrpcInferenceServiceClient<Unary<Connection>>;

/// Connections to one server, used in turn: one that the server closes does not hold up the others.
const CONNECTIONS: usize = 4;
/// Host names are looked up this often, and this soon after a call that failed.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(10);
const LOOKUP_AFTER_FAILURE: Duration = Duration::from_secs(1);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// One server.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Its name in messages.
    pub(crate) address: String,
    clients: Vec<InferenceClient>,
    /// Whose turn it is.
    next: AtomicUsize,
    health: Health,
    /// The version of its last answer to a call that pinned none.
    version: ArcSwapOption<String>,
}

/// All servers of one model.
#[derive(Debug)]
pub(crate) struct Endpoints {
    targets: Vec<Target>,
    settings: Settings,
    /// In the order of the configuration, and of the addresses of a name.
    all: ArcSwap<Vec<Arc<Endpoint>>>,
    next: AtomicUsize,
    born: Instant,
    /// When names are due to be looked up, in milliseconds since `born`.
    lookup_due: AtomicU64,
    /// Locks the lookup, one at a time; the failure of the last one.
    lookup: Mutex<Option<String>>,
}

/// An endpoint of the configuration.
#[derive(Debug)]
struct Target {
    uri: String,
    /// The name to look up and the port; none when the endpoint is an address or a socket.
    name: Option<(String, u16)>,
    /// The address or the socket.
    peer: Option<Peer>,
}

#[derive(Debug)]
struct Settings {
    connect_timeout: Duration,
    max_message_bytes: usize,
}

impl Endpoints {
    /// Prepares the channels of addresses and sockets; each connects when it is first used. Names
    /// are looked up by the first call.
    pub(crate) fn new(
        uris: &[String],
        connect_timeout: Duration,
        max_message_bytes: usize,
    ) -> Result<Self, NotAnAddress> {
        let settings = Settings {
            connect_timeout,
            max_message_bytes,
        };
        let targets: Vec<Target> = uris.iter().map(|uri| Target::new(uri)).collect();
        let mut all = Vec::with_capacity(targets.len());
        for target in targets.iter().filter(|target| target.name.is_none()) {
            let peer = target.peer.clone().ok_or_else(|| NotAnAddress {
                uri: target.uri.clone(),
            })?;
            let address = target.uri.clone();
            all.push(Arc::new(Endpoint::new(target, &peer, address, &settings)));
        }
        Ok(Self {
            targets,
            settings,
            all: ArcSwap::from_pointee(all),
            next: AtomicUsize::new(0),
            born: Instant::now(),
            lookup_due: AtomicU64::new(0),
            lookup: Mutex::new(None),
        })
    }

    /// Every endpoint once, beginning with the next in turn; suspects come last.
    ///
    /// # Errors
    /// No name could be looked up so far; the message says why.
    pub(crate) async fn next_endpoints(self: &Arc<Self>) -> Result<Vec<Arc<Endpoint>>, String> {
        let mut all = self.all.load_full();
        let due = self.claim_lookup();
        if all.is_empty() {
            // A caller that goes away here leaves the lookup to the next waiting caller.
            let mut failure = self.lookup.lock().await;
            if self.all.load().is_empty() && (due || failure.is_none()) {
                *failure = self.look_up().await;
            }
            all = self.all.load_full();
            if all.is_empty() {
                return Err(failure.clone().unwrap_or_default());
            }
        } else if due {
            // No caller waits for the lookup of a name whose addresses are known.
            let endpoints = Arc::clone(self);
            tokio::spawn(async move {
                let mut failure = endpoints.lookup.lock().await;
                *failure = endpoints.look_up().await;
            });
        }
        Ok(self.ordered(&all))
    }

    fn ordered(&self, all: &[Arc<Endpoint>]) -> Vec<Arc<Endpoint>> {
        let first = self.next.fetch_add(1, Relaxed) % all.len();
        let mut order: Vec<_> = all[first..].iter().chain(&all[..first]).cloned().collect();
        if order.len() > 1 {
            let tried = order[0].health.takes_turn(Instant::now());
            let from = usize::from(tried);
            order[from..].sort_by_key(|endpoint| endpoint.health.suspect());
        }
        order
    }

    /// Records the outcome of a call that began at `began`.
    pub(crate) fn report(&self, endpoint: &Endpoint, outcome: Outcome, began: Instant) {
        let changed = endpoint.health.record(outcome, began, Instant::now());
        let address = &endpoint.address;
        match outcome {
            Outcome::Answered if changed => {
                tracing::info!(endpoint = address, "the model server answers again");
            }
            Outcome::Answered => {}
            Outcome::Unreachable | Outcome::Silent { .. } => {
                if changed {
                    tracing::warn!(endpoint = address, "the model server does not answer");
                }
                // The name may have other addresses now.
                let soon = self.millis() + millis(LOOKUP_AFTER_FAILURE);
                self.lookup_due.fetch_min(soon, Relaxed);
            }
        }
    }

    /// True when some endpoint answers at present.
    pub(crate) fn any_live(&self) -> bool {
        self.all.load().iter().any(|endpoint| endpoint.is_live())
    }

    /// True when no endpoint answers at present.
    pub(crate) fn all_suspect(&self) -> bool {
        let all = self.all.load();
        all.iter().all(|endpoint| endpoint.health.suspect())
    }

    /// The versions of the endpoints' last answers; those of suspects only when all are suspect.
    pub(crate) fn versions(&self) -> Vec<Arc<String>> {
        let all = self.all.load();
        let none_answers = self.all_suspect();
        all.iter()
            .filter(|endpoint| none_answers || !endpoint.health.suspect())
            .filter_map(|endpoint| endpoint.version.load_full())
            .collect()
    }

    /// Whether a lookup of names is due and this caller has to do it.
    fn claim_lookup(&self) -> bool {
        if self.targets.iter().all(|target| target.name.is_none()) {
            return false;
        }
        let (due, now) = (self.lookup_due.load(Relaxed), self.millis());
        let next = now
            + millis(match self.all.load().is_empty() {
                true => LOOKUP_AFTER_FAILURE,
                false => LOOKUP_INTERVAL,
            });
        now >= due
            && self
                .lookup_due
                .compare_exchange(due, next, Relaxed, Relaxed)
                .is_ok()
    }

    /// Looks up every name; returns the failures.
    async fn look_up(&self) -> Option<String> {
        let mut found = Vec::with_capacity(self.targets.len());
        let mut failures = Vec::new();
        for target in &self.targets {
            let Some((name, port)) = &target.name else {
                found.push(None);
                continue;
            };
            let looked_up = timeout(LOOKUP_TIMEOUT, lookup_host((name.as_str(), *port))).await;
            let reason = match looked_up {
                Ok(Ok(addresses)) => {
                    found.push(Some(addresses.collect()));
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            found.push(None);
            failures.push(format!("{name} cannot be looked up: {reason}"));
        }
        if !failures.is_empty() {
            tracing::warn!(
                reason = failures.join("; "),
                "cannot look up the name of a model server"
            );
            self.lookup_due
                .fetch_min(self.millis() + millis(LOOKUP_AFTER_FAILURE), Relaxed);
        }
        self.set_addresses(&found);
        (!failures.is_empty()).then(|| failures.join("; "))
    }

    /// Replaces the addresses of each target that has some here, in the order of the
    /// configuration. What is known of an address that stays is kept, and so are all of a name
    /// that could not be looked up.
    fn set_addresses(&self, found: &[Option<Vec<SocketAddr>>]) {
        let before = self.all.load_full();
        let mut all: Vec<Arc<Endpoint>> = Vec::with_capacity(before.len());
        for (target, found) in self.targets.iter().zip(found) {
            let Some(found) = found else {
                let same = |endpoint: &&Arc<Endpoint>| endpoint.belongs_to(target);
                all.extend(before.iter().filter(same).cloned());
                continue;
            };
            let mut seen = HashSet::new();
            for address in found.iter().filter(|address| seen.insert(**address)) {
                let name = target.address_name(*address);
                let known = before.iter().find(|endpoint| endpoint.address == name);
                all.push(match known {
                    Some(known) => Arc::clone(known),
                    None => {
                        let peer = Peer::Tcp(*address);
                        Arc::new(Endpoint::new(target, &peer, name, &self.settings))
                    }
                });
            }
        }
        let names = |all: &[Arc<Endpoint>]| -> Vec<String> {
            all.iter()
                .map(|endpoint| endpoint.address.clone())
                .collect()
        };
        if names(&all) != names(&before) {
            tracing::info!(addresses = ?names(&all), "the addresses of a model's servers");
            self.all.store(Arc::new(all));
        }
    }

    fn millis(&self) -> u64 {
        millis(self.born.elapsed())
    }
}

impl Target {
    fn new(uri: &str) -> Self {
        let peer = Peer::of_uri(uri);
        let parsed = uri.parse::<Uri>().ok().filter(|_| peer.is_none());
        let name = parsed.as_ref().and_then(|parsed| {
            let host = parsed
                .host()
                .filter(|_| parsed.scheme_str() == Some("http"))?;
            Some((host.to_owned(), parsed.port_u16().unwrap_or(80)))
        });
        Self {
            uri: uri.to_owned(),
            name,
            peer,
        }
    }

    /// The name of an address of this target in messages.
    fn address_name(&self, address: SocketAddr) -> String {
        format!("{} ({address})", self.uri)
    }
}

impl Endpoint {
    fn new(target: &Target, peer: &Peer, address: String, settings: &Settings) -> Self {
        let client = || {
            let connection = Connection::new(peer.clone(), &target.uri, settings.connect_timeout);
            GrpcInferenceServiceClient::new(Unary(connection))
                .max_decoding_message_size(settings.max_message_bytes)
                .max_encoding_message_size(settings.max_message_bytes)
        };
        Self {
            address,
            clients: (0..CONNECTIONS).map(|_| client()).collect(),
            next: AtomicUsize::new(0),
            health: Health::new(Instant::now()),
            version: ArcSwapOption::empty(),
        }
    }

    fn belongs_to(&self, target: &Target) -> bool {
        let rest = self.address.strip_prefix(&target.uri);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    }

    /// A client on the connection whose turn it is.
    pub(crate) fn client(&self) -> InferenceClient {
        let turn = self.next.fetch_add(1, Relaxed);
        self.clients[turn % self.clients.len()].clone()
    }

    /// True when it has answered, and nothing since then says that it does not.
    fn is_live(&self) -> bool {
        self.health.has_answered() && !self.health.suspect()
    }

    /// Records the duration of an inference call.
    pub(crate) fn record_time(&self, took: Duration) {
        self.health.record_time(took);
    }

    /// The version of its last answer.
    pub(crate) fn version(&self) -> Option<Arc<String>> {
        self.version.load_full()
    }

    /// Records the version of an answer. Returns true when it has changed.
    pub(crate) fn record_version(&self, version: &str) -> bool {
        let known = self.version.load();
        if known
            .as_ref()
            .is_some_and(|known| known.as_str() == version)
        {
            return false;
        }
        self.version.store(Some(Arc::new(version.to_owned())));
        true
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(uris: &[&str]) -> Arc<Endpoints> {
        let uris: Vec<String> = uris.iter().map(|&uri| uri.to_owned()).collect();
        Arc::new(Endpoints::new(&uris, Duration::from_secs(1), 1 << 20).unwrap())
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    async fn firsts(endpoints: &Arc<Endpoints>, count: usize) -> Vec<String> {
        let mut firsts = Vec::new();
        for _ in 0..count {
            firsts.push(endpoints.next_endpoints().await.unwrap()[0].address.clone());
        }
        firsts
    }

    #[tokio::test]
    async fn endpoints_take_turns_and_suspects_come_last() {
        let endpoints = endpoints(&["http://10.0.0.1:1", "http://[::2]:1", "http://10.0.0.3:1"]);
        let all = ["http://10.0.0.1:1", "http://[::2]:1", "http://10.0.0.3:1"];
        assert_eq!(
            firsts(&endpoints, 4).await,
            [all[0], all[1], all[2], all[0]]
        );
        let bad = Arc::clone(&endpoints.all.load()[1]);
        endpoints.report(&bad, Outcome::Unreachable, Instant::now());
        for _ in 0..4 {
            let order = endpoints.next_endpoints().await.unwrap();
            assert_eq!((order.len(), order[2].address.as_str()), (3, all[1]));
        }
        endpoints.report(&bad, Outcome::Answered, Instant::now());
        assert!(firsts(&endpoints, 3).await.contains(&all[1].to_owned()));
    }

    #[tokio::test]
    async fn a_name_stands_for_all_of_its_addresses_and_they_may_change() {
        let endpoints = endpoints(&["http://models:8001", "http://10.0.0.9:1"]);
        // Looked up already, for this test.
        endpoints.lookup_due.store(u64::MAX, Relaxed);
        let (one, two, three) = ("10.0.0.1:8001", "[::2]:8001", "10.0.0.3:8001");
        let named = |one: &str| format!("http://models:8001 ({one})");
        let found = [Some(vec![address(one), address(two), address(one)]), None];
        endpoints.set_addresses(&found);
        let fixed = "http://10.0.0.9:1".to_owned();
        assert_eq!(
            firsts(&endpoints, 3).await,
            [named(one), named(two), fixed.clone()]
        );

        let kept = Arc::clone(&endpoints.all.load()[1]);
        endpoints.report(&kept, Outcome::Unreachable, Instant::now());
        let found = [Some(vec![address(three), address(two)]), None];
        endpoints.set_addresses(&found);
        let all = endpoints.all.load_full();
        let names: Vec<&str> = all.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(names, [named(three), named(two), fixed]);
        assert!(Arc::ptr_eq(&all[1], &kept) && kept.health.suspect());

        endpoints.set_addresses(&[None, None]);
        assert_eq!(
            endpoints.all.load().len(),
            3,
            "a failed lookup changes nothing"
        );
    }

    #[tokio::test]
    async fn names_are_looked_up_at_first_after_a_while_and_soon_after_a_failure() {
        let named = endpoints(&["http://models:8001"]);
        assert!(named.claim_lookup());
        assert!(!named.claim_lookup(), "one lookup at a time");
        let due = named.lookup_due.load(Relaxed);
        assert!(due >= millis(LOOKUP_AFTER_FAILURE), "{due}");
        named.set_addresses(&[Some(vec![address("10.0.0.1:1")])]);
        named.lookup_due.store(0, Relaxed);
        assert!(named.claim_lookup());
        let due = named.lookup_due.load(Relaxed);
        assert!(due >= millis(LOOKUP_INTERVAL), "{due}");
        let bad = Arc::clone(&named.all.load()[0]);
        named.report(&bad, Outcome::Silent { own_timeout: true }, Instant::now());
        assert!(named.lookup_due.load(Relaxed) < due);
        let fixed = endpoints(&["http://127.0.0.1:1", "unix:/run/model.sock"]);
        assert!(!fixed.claim_lookup());
    }

    #[tokio::test]
    async fn localhost_is_looked_up_and_a_name_that_does_not_exist_says_so() {
        let here = endpoints(&["http://localhost:8001"]);
        let first = here.next_endpoints().await.unwrap()[0].address.clone();
        assert!(first.starts_with("http://localhost:8001 ("), "{first}");
        let nowhere = endpoints(&["http://nowhere.invalid:8001"]);
        let refusal = nowhere.next_endpoints().await.unwrap_err();
        assert!(
            refusal.contains("nowhere.invalid cannot be looked up"),
            "{refusal}"
        );
    }

    #[tokio::test]
    async fn versions_are_those_of_endpoints_that_answer() {
        let endpoints = endpoints(&["http://10.0.0.1:1", "http://10.0.0.2:1"]);
        let all = endpoints.all.load_full();
        assert!(all[0].record_version("v1") && !all[0].record_version("v1"));
        assert!(all[1].record_version("v2"));
        assert_eq!(endpoints.versions().len(), 2);
        endpoints.report(&all[1], Outcome::Unreachable, Instant::now());
        assert_eq!(*endpoints.versions()[0], "v1");
        assert_eq!(endpoints.versions().len(), 1);
    }
}
