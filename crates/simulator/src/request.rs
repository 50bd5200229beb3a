//! One request of the feed: its user, its candidates, the page that the logging policy showed, and
//! the labels.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::law::{self, Impression};
use crate::policy;
use crate::post::{POST_EVERY_MS, Post};
use crate::stream::{Purpose, Stream};
use crate::user::User;

/// Time of the first request: Monday 5 January 2026, 00:00 UTC.
pub(crate) const START_MS: i64 = 1_767_571_200_000;
/// Number of posts of the last 48 hours, from which candidates are drawn.
const WINDOW_POSTS: u64 = 48 * 3_600_000 / POST_EVERY_MS as u64;

/// One request with all its candidates, including those that were not shown.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) time_ms: i64,
    pub(crate) user: User,
    pub(crate) hour: i32,
    pub(crate) daypart: &'static str,
    pub(crate) on_wifi: Option<bool>,
    pub(crate) lambda: f64,
    pub(crate) lambda_seed: i64,
    /// In ascending order of id, so that the order of the rows does not reveal the positions.
    pub(crate) candidates: Vec<Candidate>,
}

/// One candidate of a request.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) post: Arc<Post>,
    pub(crate) age_hours: f64,
    /// The logged models' probabilities, engagement and engagement bait.
    pub(crate) logged: [f64; 2],
    /// True P(engagement) at position 1 and true P(engagement bait).
    pub(crate) truth: [f64; 2],
    /// `None` if it was not shown.
    pub(crate) shown: Option<Shown>,
}

/// Position and labels of a candidate that was shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// Position on the page, from 1.
    pub(crate) position: i32,
    /// True P(engagement) at this position.
    pub(crate) engagement: f64,
    /// Engagement and engagement bait.
    pub(crate) labels: [bool; 2],
}

/// Generates requests. Many requests share the posts of the current window, which are cached.
pub(crate) struct Feed {
    config: Config,
    posts: HashMap<u64, Arc<Post>>,
}

impl Feed {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            posts: HashMap::new(),
        }
    }

    fn post(&mut self, number: u64) -> Arc<Post> {
        let seed = self.config.seed;
        Arc::clone(
            self.posts
                .entry(number)
                .or_insert_with(|| Arc::new(Post::new(seed, number))),
        )
    }

    /// The request with this number. It does not depend on earlier calls.
    pub(crate) fn request(&mut self, number: u64) -> Request {
        let mut s = Stream::new(self.config.seed, Purpose::Request, number);
        let user = User::draw(self.config.seed, number, &mut s);
        // Each request has a random time within its interval.
        let every = self.config.request_every_ms;
        let since_start = (number * every + s.below(every)).cast_signed();
        let hour = (since_start / 3_600_000 % 24) as i32;
        let on_wifi = (user.device != "web").then(|| s.chance(0.6));
        let lambda_seed = (s.bits() >> 1).cast_signed();
        let mut request = Request {
            id: format!("r{number:09}"),
            time_ms: START_MS + since_start,
            hour,
            daypart: daypart(hour),
            on_wifi,
            lambda: policy::lambda(lambda_seed, self.config.lambda_low, self.config.lambda_high),
            lambda_seed,
            candidates: Vec::new(),
            user,
        };
        // Number of the newest post. The first request sees a full window of posts before it.
        let newest = WINDOW_POSTS + since_start as u64 / POST_EVERY_MS as u64;
        let numbers = self.retrieve(newest, &request.user, &mut s);
        let now = WINDOW_POSTS.cast_signed() * POST_EVERY_MS + since_start;
        self.add_candidates(&mut request, &numbers, now, &mut s);
        serve(&mut request, self.config.k, &mut s);
        request
    }

    /// Draws distinct post numbers, ascending. Recent posts and posts that match the user's
    /// interests are drawn more often.
    fn retrieve(&mut self, newest: u64, user: &User, s: &mut Stream) -> Vec<u64> {
        if self.posts.len() as u64 > 2 * WINDOW_POSTS {
            self.posts
                .retain(|number, _| number + WINDOW_POSTS > newest);
        }
        let spread = (self.config.candidates_max - self.config.candidates_min + 1) as u64;
        let count = self.config.candidates_min + s.below(spread) as usize;
        let mut numbers: Vec<u64> = Vec::with_capacity(count);
        while numbers.len() < count {
            let age = (-libm::log(1.0 - s.unit()) * WINDOW_POSTS as f64 / 4.0) as u64;
            let number = newest - age.min(WINDOW_POSTS - 1);
            let interesting = user.interests.contains(&self.post(number).topic);
            if (interesting || s.chance(0.3)) && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        numbers
    }

    fn add_candidates(&mut self, request: &mut Request, numbers: &[u64], now: i64, s: &mut Stream) {
        for &number in numbers {
            let post = self.post(number);
            let age_ms = (now - Post::created_ms(number)) as f64;
            let age_hours = (age_ms / 360_000.0).round() / 10.0;
            let impression = Impression {
                user: &request.user,
                post: &post,
                daypart: request.daypart,
                on_wifi: request.on_wifi,
                age_hours,
            };
            let logits = [
                law::engagement(&impression),
                law::engagement_bait(&impression),
            ];
            // The older model does not know the hidden effect of the author.
            let without_hidden = logits[0] - post.author.hidden_effect;
            request.candidates.push(Candidate {
                logged: [
                    policy::older_engagement(without_hidden, s),
                    policy::older_bait(logits[1], s),
                ],
                truth: logits.map(law::probability),
                post,
                age_hours,
                shown: None,
            });
        }
    }
}

/// Ranks the candidates with the logging policy, shows the top k and draws their labels.
fn serve(request: &mut Request, k: usize, s: &mut Stream) {
    let column = |objective: usize| {
        request
            .candidates
            .iter()
            .map(|c| c.logged[objective])
            .collect::<Vec<_>>()
    };
    let ids: Vec<&str> = request
        .candidates
        .iter()
        .map(|c| c.post.id.as_str())
        .collect();
    let order = policy::order(&column(0), &column(1), &ids, request.lambda);
    for (position, index) in (1..).zip(order.into_iter().take(k)) {
        let candidate = &mut request.candidates[index];
        candidate.shown = Some(candidate.show_at(position, s));
    }
}

impl Candidate {
    /// Draws the labels of the candidate at a position, from 1.
    pub(crate) fn show_at(&self, position: i32, s: &mut Stream) -> Shown {
        let [at_first, bait] = self.truth;
        let logit = libm::log(at_first / (1.0 - at_first));
        let engagement = law::probability(law::at_position(logit, position));
        Shown {
            position,
            engagement,
            labels: [s.chance(engagement), s.chance(bait)],
        }
    }
}

fn daypart(hour: i32) -> &'static str {
    match hour {
        0..=5 => "night",
        6..=10 => "morning",
        11..=16 => "day",
        17..=21 => "evening",
        _ => "late",
    }
}
