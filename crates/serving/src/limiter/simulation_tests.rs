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

/// A ranking, one with text, and one whose models are on other machines.
const MACHINES: [(&str, Machine); 4] = [
    (
        "small",
        Machine {
            cores: 1.0,
            throttled: true,
            demand: 0.0008,
            remote: 0.0,
        },
    ),
    (
        "large",
        Machine {
            cores: 1.0,
            throttled: true,
            demand: 0.02,
            remote: 0.0,
        },
    ),
    (
        "remote",
        Machine {
            cores: 2.0,
            throttled: false,
            demand: 0.001,
            remote: 0.02,
        },
    ),
    (
        "mixed",
        Machine {
            cores: 4.0,
            throttled: false,
            demand: 0.01,
            remote: 0.005,
        },
    ),
];

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

    /// Moves on by one step.
    fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
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
                self.core.ended(now, job.start, Outcome::Answered);
            }
            self.core.free(now, job.start, true);
        }
        while let Some((request, start)) = self.core.grant(now) {
            self.forget(request);
            self.begin(request, start);
        }
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

#[test]
fn explore() {
    let seconds = Duration::from_secs(10);
    for (name, machine) in MACHINES {
        for deadline in [200, 10_000].map(Duration::from_millis) {
            for factor in [0.7, 1.2, 3.0, 10.0] {
                let mut simulation = Simulation::new(machine);
                let rate = machine.capacity() * factor;
                simulation.open_loop(1, rate, deadline, seconds);
                let start = simulation.take_seen();
                simulation.open_loop(1, rate, deadline, seconds);
                let seen = simulation.take_seen();
                let share = |seen: Seen| f64::from(seen.answered) / 10.0 / machine.capacity();
                println!(
                    "{name:8} {deadline:?} {factor}: {:.3} {:.3} limit {} waiting {} start {start:?} then {seen:?}",
                    share(start),
                    share(seen),
                    simulation.core.limit(),
                    simulation.core.waiting()
                );
            }
        }
    }
}
