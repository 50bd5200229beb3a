//! The law of the labels: one logit per objective. It depends on logged values, the strength of the
//! bait and, for engagement, the hidden effect of the author. `data/README.md` states the same
//! coefficients, and a test recomputes them: change all three together.

use crate::post::Post;
use crate::text::{Category, topics};
use crate::user::User;

/// Everything on which the labels of one candidate of a request depend.
pub(crate) struct Impression<'a> {
    pub(crate) user: &'a User,
    pub(crate) post: &'a Post,
    pub(crate) daypart: &'static str,
    pub(crate) on_wifi: Option<bool>,
    pub(crate) age_hours: f64,
}

/// Change of the engagement logit per unit of ln(position).
pub(crate) const POSITION: f64 = -0.35;
const ENGAGEMENT_INTERCEPT: f64 = -1.25;
const BAIT_INTERCEPT: f64 = -3.9;

fn log1p(x: i32) -> f64 {
    libm::log1p(f64::from(x))
}

/// The engagement logit at position 1.
pub(crate) fn engagement(i: &Impression<'_>) -> f64 {
    ENGAGEMENT_INTERCEPT
        + moment(i)
        + affinity(i)
        + author(i)
        + content(i)
        + uplift(i.post.category) * i.post.strength
}

/// The logit of a report as engagement bait. It does not depend on the position.
pub(crate) fn engagement_bait(i: &Impression<'_>) -> f64 {
    let strictness = (log1p(i.user.reports_90d) - 1.0) / 0.7;
    let strikes = (log1p(i.post.author.strikes_365d) - 0.4) / 0.6;
    let verified = if i.post.author.verified == Some(true) {
        -0.3
    } else {
        0.0
    };
    BAIT_INTERCEPT
        + 6.2 * i.post.strength
        + 0.4 * strictness
        + 0.35 * strikes
        + verified
        + notoriety(i.post.category)
}

/// The effect of the user and the moment, which is the same for all candidates of a request.
fn moment(i: &Impression<'_>) -> f64 {
    let sessions = 0.45 * (log1p(i.user.sessions_7d) - 2.1) / 0.75;
    let device = match i.user.device {
        "ios" => 0.1,
        "web" => -0.3,
        "tablet" => -0.1,
        _ => 0.0,
    };
    let daypart = match i.daypart {
        "night" => -0.25,
        "evening" => 0.25,
        _ => 0.0,
    };
    sessions + device + daypart + if i.on_wifi == Some(true) { 0.1 } else { 0.0 }
}

/// How well the topic of the post matches the user.
fn affinity(i: &Impression<'_>) -> f64 {
    let topic = topics()[i.post.topic];
    let likeness = i.post.embedding.map_or(0.0, |post| {
        let dot: f64 = post
            .iter()
            .zip(i.user.embedding)
            .map(|(p, u)| f64::from(*p) * f64::from(u))
            .sum();
        1.1 * (dot - 0.4)
    });
    let favourite = if i.user.favourite == Some(topic) {
        0.4
    } else {
        0.0
    };
    let followed = if i.user.followed.contains(&topic) {
        0.3
    } else {
        0.0
    };
    likeness + favourite + followed
}

fn author(i: &Impression<'_>) -> f64 {
    let author = &i.post.author;
    let likes_per_post = match author.posts_30d {
        0 => 0.0,
        posts => 0.5 * (f64::from(author.likes_30d) / f64::from(posts) - 23.0) / 14.0,
    };
    let followers = 0.2 * (log1p(author.followers) - 7.0) / 2.0;
    let verified = if author.verified == Some(true) {
        0.2
    } else {
        0.0
    };
    likes_per_post + followers + verified + author.hidden_effect
}

fn content(i: &Impression<'_>) -> f64 {
    let format = match i.post.format {
        "text" => -0.3,
        "link" => -0.4,
        "album" => 0.1,
        "video" => 0.4,
        "poll" => 0.2,
        _ => 0.0,
    };
    let age = -0.35 * (libm::log1p(i.age_hours) - 2.2) / 0.8;
    let media = 0.05 * f64::from(i.post.media_count - 1);
    let length = i
        .post
        .video_seconds
        .map_or(0.0, |seconds| -0.2 * (f64::from(seconds) - 50.0) / 35.0);
    let link = if i.post.has_link { -0.1 } else { 0.0 };
    let tags: f64 = i.post.hashtags.iter().map(|tag| hashtag(tag)).sum();
    format + age + media + length + link + tags
}

fn hashtag(tag: &str) -> f64 {
    match tag {
        "viral" => 0.35,
        "breaking" | "win" => 0.25,
        "howto" => 0.2,
        "follow4follow" => -0.4,
        _ => 0.0,
    }
}

/// The effect of bait of full strength on the engagement logit: bait increases engagement.
fn uplift(category: Category) -> f64 {
    match category {
        Category::None => 0.0,
        Category::Vote => 0.7,
        Category::React => 0.8,
        Category::Share => 0.6,
        Category::Tag => 0.9,
        Category::Comment => 1.0,
    }
}

/// How much more often a kind of bait is reported than other kinds, as a logit.
fn notoriety(category: Category) -> f64 {
    match category {
        Category::Vote => -0.3,
        Category::Share => 0.3,
        Category::Tag => 0.1,
        Category::None | Category::React | Category::Comment => 0.0,
    }
}

/// The probability of a logit, rounded to a multiple of 2⁻²⁰ inside (0, 1), so that logs compress.
pub(crate) fn probability(logit: f64) -> f64 {
    const STEPS: f64 = 1_048_576.0;
    let p = 1.0 / (1.0 + libm::exp(-logit));
    (p * STEPS).round().clamp(1.0, STEPS - 1.0) / STEPS
}

/// The engagement logit at a position (from 1), given the logit at position 1.
pub(crate) fn at_position(logit: f64, position: i32) -> f64 {
    logit + POSITION * libm::log(f64::from(position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_lie_on_the_grid_inside_zero_and_one() {
        for logit in [-1e4, -40.0, -1.0, 0.0, 0.3, 40.0, 1e4] {
            let p = probability(logit);
            assert!(p > 0.0 && p < 1.0, "{logit}: {p}");
            assert_eq!((p * 1_048_576.0).fract(), 0.0);
        }
        assert_eq!(probability(0.0), 0.5);
    }

    #[test]
    fn position_one_changes_nothing_and_later_ones_lower_the_logit() {
        assert_eq!(at_position(0.7, 1), 0.7);
        assert!((at_position(0.7, 10) - (0.7 - 0.35 * 10_f64.ln())).abs() < 1e-12);
    }
}
