//! The users of the feed: interests, habits and device. Everything except the interests is logged
//! as features.

use std::sync::LazyLock;

use crate::stream::{Purpose, Stream};
use crate::text::topics;

/// Length of the embeddings of users and posts.
pub(crate) const EMBEDDING: usize = 8;
/// One embedding.
pub(crate) type Vector = [f32; EMBEDDING];

/// A user. `None` or an empty list is a missing value.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    /// Sessions in the last 7 days.
    pub(crate) sessions_7d: i32,
    /// Posts reported or hidden in the last 90 days. Users with few reports tolerate more bait.
    pub(crate) reports_90d: i32,
    pub(crate) account_days: Option<i32>,
    pub(crate) country: Option<&'static str>,
    pub(crate) device: &'static str,
    pub(crate) favourite: Option<&'static str>,
    pub(crate) followed: Vec<&'static str>,
    pub(crate) embedding: Vector,
    /// Indices of the user's two main topics, from which most candidates come.
    pub(crate) interests: [usize; 2],
}

const COUNTRIES: [&str; 14] = [
    "DE", "US", "BR", "IN", "FR", "GB", "PL", "NG", "JP", "ES", "MX", "TR", "ID", "KE",
];
const DEVICES: [(&str, f64); 4] = [
    ("android", 0.5),
    ("ios", 0.32),
    ("web", 0.14),
    ("tablet", 0.04),
];

/// The direction of each topic in the embedding space: unit vectors, which are the same for every
/// seed.
static DIRECTIONS: LazyLock<Vec<[f64; EMBEDDING]>> = LazyLock::new(|| {
    let mut stream = Stream::new(0, Purpose::Topics, 0);
    let mut direction = |_| {
        let raw: [f64; EMBEDDING] = std::array::from_fn(|_| stream.normal());
        let norm = libm::sqrt(raw.iter().map(|x| x * x).sum());
        raw.map(|x| x / norm)
    };
    (0..topics().len()).map(&mut direction).collect()
});

/// The embedding of a mixture of topics, with noise of standard deviation `sd` per element, rounded
/// to multiples of 1/16.
pub(crate) fn embedding(mixture: &[(usize, f64)], sd: f64, stream: &mut Stream) -> Vector {
    std::array::from_fn(|i| {
        let mean: f64 = mixture
            .iter()
            .map(|(topic, share)| share * DIRECTIONS[*topic][i])
            .sum();
        ((mean + sd * stream.normal()) * 16.0).round() as f32 / 16.0
    })
}

impl User {
    /// The user with this number.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut s = Stream::new(seed, Purpose::User, number);
        let sessions_7d = s.count(2.1, 0.8, 200.0);
        let first = s.below(topics().len() as u64) as usize;
        let second = s.below(topics().len() as u64) as usize;
        let followed = (0..topics().len())
            .filter(|&t| {
                s.chance(if t == first {
                    0.8
                } else if t == second {
                    0.5
                } else {
                    0.05
                })
            })
            .map(|t| topics()[t])
            .collect();
        Self {
            id: format!("u{number:07}"),
            sessions_7d,
            reports_90d: s.count(0.6, 1.0, 100.0),
            account_days: (!s.chance(0.05)).then(|| s.count(6.0, 1.0, 5_000.0)),
            country: (!s.chance(0.06)).then(|| {
                COUNTRIES[s.weighted((1..=COUNTRIES.len()).map(|rank| 1.0 / rank as f64))]
            }),
            device: DEVICES[s.weighted(DEVICES.iter().map(|d| d.1))].0,
            favourite: (!s.chance(0.05)).then(|| topics()[first]),
            followed,
            embedding: embedding(&[(first, 0.85), (second, 0.5)], 0.15, &mut s),
            interests: [first, second],
        }
    }

    /// Draws the user of a request from a population that grows with the requests. Active users are
    /// drawn more often.
    pub(crate) fn draw(seed: u64, request: u64, stream: &mut Stream) -> Self {
        loop {
            let user = Self::new(seed, stream.below(700 + request / 4));
            if stream.chance(f64::from(user.sessions_7d + 1) / 60.0) {
                return user;
            }
        }
    }
}
