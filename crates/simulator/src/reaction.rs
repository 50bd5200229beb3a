//! How users react to a page: what they do by the law of the labels, when they do it, and when the
//! events that say so arrive. `data/README.md` states the same delays: change both together.

use crate::request::{Candidate, Shown};
use crate::stream::Stream;

const SECOND_MS: f64 = 1_000.0;
const MINUTE_MS: f64 = 60.0 * SECOND_MS;
const HOUR_MS: f64 = 60.0 * MINUTE_MS;

/// The window after a ranking within which most reactions happen.
const WINDOW_MS: i64 = 24 * HOUR_MS as i64;
/// Time on a place before the user moves on: median and deviation of its logarithm.
const LOOK: (f64, f64) = (4.0 * SECOND_MS, 0.6);
/// From seeing a post to engaging with it, and to reporting it: median and deviation of the
/// logarithm.
const REACT: [(f64, f64); 2] = [(10.0 * MINUTE_MS, 1.5), (HOUR_MS, 1.2)];
/// The longest of these, so that a reaction within the window is well within it.
const LONGEST_REACTION_MS: f64 = 23.0 * HOUR_MS;
/// The share of reactions that happen after the window, and when, after the ranking.
const AFTER_WINDOW: f64 = 0.02;
const AFTER_WINDOW_MS: (f64, f64) = (25.0 * HOUR_MS, 48.0 * HOUR_MS);
/// From the event to its arrival: median and deviation of the logarithm.
const UPLOAD: (f64, f64) = (10.0 * SECOND_MS, 1.0);
/// The share of events that wait until the user's device has a network again, and for how long.
const OFFLINE: f64 = 0.03;
const OFFLINE_MS: (f64, f64) = (HOUR_MS, 6.0 * HOUR_MS);
/// The share of events that are sent twice, and how long after the first time.
const TWICE: f64 = 0.03;
const TWICE_MS: (f64, f64) = (0.0, HOUR_MS);

/// What one user does with one shown candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// The candidate.
    pub candidate_id: String,
    /// Its position on the page, from 1.
    pub position: i32,
    /// True P(engagement) at position 1.
    pub engagement_at_1: f64,
    /// The true probabilities at this position, in the order of [`OBJECTIVES`](crate::OBJECTIVES).
    pub truth: [f64; 2],
    /// The labels that were drawn from them.
    pub labels: [bool; 2],
    /// That it was seen.
    pub seen: Happening,
    /// When the positive labels came about, in the order of [`OBJECTIVES`](crate::OBJECTIVES).
    pub reacted: [Option<Happening>; 2],
}

/// When something happens and when the event that says so is sent, in milliseconds after the
/// ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When it happens.
    pub at_ms: i64,
    /// When the event arrives.
    pub sent_ms: i64,
    /// When it arrives again.
    pub sent_again_ms: Option<i64>,
}

impl Happening {
    /// Whether it happens after the window of 24 hours.
    #[must_use]
    pub fn is_after_window(&self) -> bool {
        self.at_ms > WINDOW_MS
    }

    fn draw(at: f64, s: &mut Stream) -> Self {
        let mut sent = at + log_normal(UPLOAD, s);
        if s.chance(OFFLINE) {
            sent += between(OFFLINE_MS, s);
        }
        let again = s.chance(TWICE).then(|| sent + between(TWICE_MS, s));
        Self {
            at_ms: at as i64,
            sent_ms: sent as i64,
            sent_again_ms: again.map(|again| again as i64),
        }
    }
}

/// Draws the reaction to a candidate at a position. `looked_ms` is when the user is done with the
/// places before, and moves on by the time on this one.
pub(crate) fn react(
    candidate: &Candidate,
    position: i32,
    looked_ms: &mut f64,
    s: &mut Stream,
) -> Reaction {
    let Shown {
        engagement, labels, ..
    } = candidate.show_at(position, s);
    *looked_ms += log_normal(LOOK, s);
    let seen = Happening::draw(*looked_ms, s);
    let reacted = [0, 1].map(|objective| {
        let after = log_normal(REACT[objective], s).min(LONGEST_REACTION_MS);
        let late = s.chance(AFTER_WINDOW).then(|| between(AFTER_WINDOW_MS, s));
        let happening = Happening::draw(late.unwrap_or(*looked_ms + after), s);
        labels[objective].then_some(happening)
    });
    Reaction {
        candidate_id: candidate.post.id.clone(),
        position,
        engagement_at_1: candidate.truth[0],
        truth: [engagement, candidate.truth[1]],
        labels,
        seen,
        reacted,
    }
}

fn log_normal((median, deviation): (f64, f64), s: &mut Stream) -> f64 {
    median * libm::exp(deviation * s.normal())
}

fn between((low, high): (f64, f64), s: &mut Stream) -> f64 {
    low + (high - low) * s.unit()
}
