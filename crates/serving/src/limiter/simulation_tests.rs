//! A simulated server under the limiter: time moves in steps, and the same seed gives the same run.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    Outcome,
    concurrency::Start,
    decisions::{Core, Decision},
};

const STEP: Duration = Duration::from_micros(200);
const MOST: usize = 512;

/// A server whose requests wait for others, then share its cores.
#[derive(Debug, Clone, Copy)]
struct Machine {
    cores: f64,
    /// Runs during the first half of every 10 ms only, as under a quota of CPU time.
    throttled: bool,
    /// Mean CPU time of a request, in seconds; single ones need 0.5 to 1.5 times as much.
    demand: f64,
    /// Time that a request waits for other servers, in seconds.
    remote: f64,
}

impl Machine {
    /// Requests per second.
    fn capacity(&self) -> f64 {
        let share = if self.throttled { 0.5 } else { 1.0 };
        self.cores * share / self.demand
    }
}

/// Small and large requests under half a core, and two servers that wait for others.
const MACHINES: [(&str, Machine); 4] = [
    ("small", machine(1.0, true, 0.0008, 0.0)),
    ("large", machine(1.0, true, 0.01, 0.0)),
    ("remote", machine(2.0, false, 0.001, 0.02)),
    ("mixed", machine(4.0, false, 0.01, 0.005)),
];

const fn machine(cores: f64, throttled: bool, demand: f64, remote: f64) -> Machine {
    Machine {
        cores,
        throttled,
        demand,
        remote,
    }
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
struct Request {
    number: u64,
    connection: u64,
    arrived: Instant,
    deadline: Instant,
}

struct Job {
    request: Request,
    start: Start,
    remote: f64,
    cpu: f64,
    late: bool,
}

/// What became of requests.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    answered: u32,
    late: u32,
    refused: u32,
    /// Refused more than 10 ms after the arrival.
    refused_late: u32,
}

struct Simulation {
    machine: Machine,
    began: Instant,
    now: Instant,
    rng: StdRng,
    core: Core<Request>,
    requests: u64,
    jobs: Vec<Job>,
    /// Those who wait and their tickets, by the time at which they give up and by their number.
    waiting: BTreeMap<(Instant, u64), (Request, u64)>,
    seen: BTreeMap<u64, Seen>,
}

impl Simulation {
    fn new(machine: Machine) -> Self {
        let now = Instant::now();
        Self {
            machine,
            began: now,
            now,
            rng: StdRng::seed_from_u64(7),
            core: Core::new(machine.cores as usize, MOST, now),
            requests: 0,
            jobs: Vec::new(),
            waiting: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    fn arrive(&mut self, connection: u64, timeout: Duration) {
        self.requests += 1;
        let request = Request {
            number: self.requests,
            connection,
            arrived: self.now,
            deadline: self.now + timeout,
        };
        let deadline = Some(request.deadline);
        match self.core.arrive(self.now, deadline, connection, request) {
            Decision::Admitted(start) => self.begin(request, start),
            Decision::Refused(_) => self.refuse(request),
            Decision::Waiting {
                ticket,
                give_up,
                displaced,
            } => {
                if let Some(displaced) = displaced {
                    self.forget(displaced);
                    self.refuse(displaced);
                }
                let key = (give_up, request.number);
                self.waiting.insert(key, (request, ticket));
            }
        }
    }

    fn begin(&mut self, request: Request, start: Start) {
        self.jobs.push(Job {
            request,
            start,
            remote: self.machine.remote,
            cpu: self.machine.demand * self.rng.random_range(0.5..1.5),
            late: false,
        });
    }

    fn forget(&mut self, request: Request) {
        self.waiting.retain(|key, _| key.1 != request.number);
    }

    fn seen(&mut self, request: Request) -> &mut Seen {
        self.seen.entry(request.connection).or_default()
    }

    fn refuse(&mut self, request: Request) {
        let late = self.now - request.arrived > Duration::from_millis(10);
        let seen = self.seen(request);
        seen.refused += 1;
        seen.refused_late += u32::from(late);
    }

    /// Moves on by one step. Returns the connections that were answered.
    fn step(&mut self) -> Vec<u64> {
        self.now += STEP;
        let now = self.now;
        let mut answered = Vec::new();
        while let Some((&key, &(request, ticket))) = self.waiting.first_key_value()
            && key.0 <= now
        {
            self.waiting.remove(&key);
            self.core.leave(request.connection, ticket);
            self.refuse(request);
        }
        self.work();
        let jobs = std::mem::take(&mut self.jobs);
        let (done, mut jobs): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.cpu <= 0.0);
        for job in &mut jobs {
            if !job.late && job.request.deadline <= now {
                job.late = true;
                self.core.ended(now, job.start, Outcome::Late);
            }
        }
        self.jobs = jobs;
        for job in done {
            if job.late {
                self.seen(job.request).late += 1;
            } else {
                self.seen(job.request).answered += 1;
                answered.push(job.request.connection);
                self.core.ended(now, job.start, Outcome::Answered);
            }
            self.core.free(now, job.start, true);
        }
        while let Some((request, start)) = self.core.grant(now) {
            self.forget(request);
            self.begin(request, start);
        }
        answered
    }

    /// The cores work for one step; requests share them equally.
    fn work(&mut self) {
        let step = STEP.as_secs_f64();
        let elapsed = self.now - self.began;
        let paused = self.machine.throttled && elapsed.as_micros() % 10_000 >= 5_000;
        let ready = self.jobs.iter().filter(|job| job.remote <= 0.0).count();
        let share = match paused {
            true => 0.0,
            false => (self.machine.cores / ready as f64).min(1.0),
        };
        for job in &mut self.jobs {
            match job.remote <= 0.0 {
                true => job.cpu -= step * share,
                false => job.remote -= step,
            }
        }
    }

    /// Requests arrive at random, `rate` a second in the mean, and independently of the answers.
    fn open_loop(&mut self, connection: u64, rate: f64, timeout: Duration, length: Duration) {
        let (until, mut due) = (self.now + length, self.now);
        while self.now < until {
            while due <= self.now {
                self.arrive(connection, timeout);
                let gap = -self.rng.random_range(f64::MIN_POSITIVE..1.0).ln() / rate;
                due += Duration::from_secs_f64(gap);
            }
            self.step();
        }
    }

    /// Forgets what was seen so far and returns it, over all connections.
    fn take_seen(&mut self) -> Seen {
        let all = std::mem::take(&mut self.seen);
        all.into_values().fold(Seen::default(), |sum, seen| Seen {
            answered: sum.answered + seen.answered,
            late: sum.late + seen.late,
            refused: sum.refused + seen.refused,
            refused_late: sum.refused_late + seen.refused_late,
        })
    }
}

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

/// What is seen of a steady load, some multiple of the capacity, after the limit has settled.
fn settled(machine: Machine, factor: f64, deadline: Duration) -> (Simulation, Seen) {
    let mut simulation = Simulation::new(machine);
    let rate = machine.capacity() * factor;
    simulation.open_loop(1, rate, deadline, 5 * SECOND);
    simulation.take_seen();
    simulation.open_loop(1, rate, deadline, 5 * SECOND);
    let seen = simulation.take_seen();
    (simulation, seen)
}

/// Answers per second of a run of five seconds, as a share of the capacity.
fn goodput(seen: Seen, machine: Machine) -> f64 {
    f64::from(seen.answered) / 5.0 / machine.capacity()
}

#[test]
fn goodput_under_overload_is_the_capacity_and_refusals_are_made_at_once() {
    for (name, machine) in MACHINES {
        for deadline in [SHORT, LONG] {
            for factor in [1.2, 3.0, 10.0] {
                let (_, seen) = settled(machine, factor, deadline);
                let at = format!("{name}, {deadline:?}, {factor} ×: {seen:?}");
                assert!(goodput(seen, machine) >= 0.9, "{at}");
                assert!(seen.refused_late * 100 <= seen.refused, "{at}");
                assert!(seen.late * 100 <= seen.answered, "{at}");
            }
        }
    }
}

#[test]
fn little_is_refused_below_the_capacity() {
    for (name, machine) in MACHINES {
        for deadline in [SHORT, LONG] {
            let (_, seen) = settled(machine, 0.7, deadline);
            // Arrivals are random, so that a short deadline is sometimes out of reach.
            let most = if deadline == SHORT { 30 } else { 0 };
            let lost = seen.refused + seen.late;
            assert!(
                lost * 1000 <= most * seen.answered,
                "{name}, {deadline:?}: {seen:?}"
            );
        }
    }
}

#[test]
fn clients_that_wait_for_their_answers_are_never_refused() {
    for (name, machine) in MACHINES {
        let mut simulation = Simulation::new(machine);
        for client in 0..16 {
            simulation.arrive(client, LONG);
        }
        let until = simulation.now + 10 * SECOND;
        while simulation.now < until {
            for client in simulation.step() {
                simulation.arrive(client, LONG);
            }
        }
        let seen = simulation.take_seen();
        assert_eq!((seen.refused, seen.late), (0, 0), "{name}: {seen:?}");
        let answered = f64::from(seen.answered) / 10.0;
        let possible = machine.capacity().min(16.0 / machine.remote);
        assert!(answered >= 0.9 * possible, "{name}: {seen:?}");
    }
}

#[test]
fn a_burst_is_answered_if_its_deadline_is_far() {
    for (name, machine) in MACHINES {
        let mut simulation = Simulation::new(machine);
        for _ in 0..3 {
            for _ in 0..100 {
                simulation.arrive(1, LONG);
            }
            let until = simulation.now + LONG;
            while simulation.now < until {
                simulation.step();
            }
            let seen = simulation.take_seen();
            assert_eq!(seen.answered, 100, "{name}: {seen:?}");
        }
    }
}

#[test]
fn a_quiet_connection_is_served_beside_a_flood() {
    for (name, machine) in MACHINES {
        for deadline in [SHORT, LONG] {
            let (mut simulation, _) = settled(machine, 10.0, deadline);
            let gap = Duration::from_secs_f64(20.0 / machine.capacity());
            for _ in 0..100 {
                simulation.arrive(2, deadline);
                let rate = machine.capacity() * 10.0;
                simulation.open_loop(1, rate, deadline, gap);
            }
            let quiet = simulation.seen[&2];
            let lost = quiet.refused + quiet.late;
            assert!(lost <= 1, "{name}, {deadline:?}: {quiet:?}");
        }
    }
}

#[test]
fn goodput_follows_a_machine_that_becomes_slower_and_recovers() {
    for (name, machine) in MACHINES {
        for deadline in [SHORT, LONG] {
            let (mut simulation, _) = settled(machine, 1.2, deadline);
            let rate = machine.capacity() * 1.2;
            let slower = Machine {
                demand: machine.demand * 4.0,
                ..machine
            };
            let mut run = |machine| {
                simulation.machine = machine;
                simulation.open_loop(1, rate, deadline, 5 * SECOND);
                goodput(simulation.take_seen(), machine)
            };
            let shares = [slower, slower, machine, machine].map(&mut run);
            // The slow "large" machine needs nearly half of the short deadline for one request.
            let least = [0.6, 0.75, 0.8, 0.9];
            let high_enough = shares
                .iter()
                .zip(least)
                .all(|(share, least)| *share >= least);
            assert!(high_enough, "{name}, {deadline:?}: {shares:?}");
        }
    }
}

#[test]
fn slow_servers_behind_this_one_are_not_taken_for_its_own_load() {
    for (name, machine) in MACHINES {
        let (mut simulation, _) = settled(machine, 0.7, LONG);
        let rate = machine.capacity() * 0.7;
        simulation.machine.remote = 0.3;
        simulation.open_loop(1, rate, LONG, 5 * SECOND);
        simulation.take_seen();
        simulation.open_loop(1, rate, LONG, 5 * SECOND);
        let seen = simulation.take_seen();
        let answered = f64::from(seen.answered) / 5.0;
        assert!(answered >= 0.95 * rate, "{name}: {seen:?}");
        assert_eq!(seen.refused + seen.late, 0, "{name}: {seen:?}");
    }
}
