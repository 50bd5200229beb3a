//! Posts and their authors. Posts appear at a steady rate, independent of the requests.

use crate::stream::{Purpose, Stream};
use crate::text::{self, Category, topics};
use crate::user::{Vector, embedding};

/// Milliseconds from one post to the next.
pub(crate) const POST_EVERY_MS: i64 = 30_000;

/// An author; `None` is a missing value.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    pub(crate) id: String,
    pub(crate) followers: i32,
    pub(crate) verified: Option<bool>,
    /// Posts in the last 30 days.
    pub(crate) posts_30d: i32,
    /// Likes on these posts.
    pub(crate) likes_30d: i32,
    /// Posts taken down in the last year.
    pub(crate) strikes_365d: i32,
    /// Share of baiting posts; not logged.
    bait_rate: f64,
    /// Effect on the engagement logit that no logged attribute except the id explains.
    pub(crate) hidden_effect: f64,
}

impl Author {
    /// The author with this number.
    fn new(seed: u64, number: u64) -> Self {
        let mut s = Stream::new(seed, Purpose::Author, number);
        let baits = s.chance(0.25);
        let posts_30d = s.count(2.2, 1.1, 150.0);
        let followers = s.count(7.0, 2.0, 5e7);
        let verified = s.chance(if followers > 5_000 { 0.5 } else { 0.08 });
        let rate = libm::exp(3.0 + 0.6 * s.normal()).min(100.0);
        Self {
            id: format!("a{number:06}"),
            followers,
            verified: (!s.chance(0.04)).then_some(verified),
            posts_30d,
            likes_30d: (f64::from(posts_30d) * rate) as i32,
            strikes_365d: s.count(if baits { 0.9 } else { -0.8 }, 0.8, 40.0),
            bait_rate: if baits { 0.8 } else { 0.1 },
            hidden_effect: 0.3 * s.normal(),
        }
    }

    /// Draws the author of a post from a population that grows with the posts. Busy authors are
    /// drawn more often.
    fn draw(seed: u64, post: u64, stream: &mut Stream) -> Self {
        loop {
            let author = Self::new(seed, stream.below(300 + post / 50));
            if stream.chance(f64::from(author.posts_30d + 1) / 80.0) {
                return author;
            }
        }
    }
}

/// A post; `None` is a missing value.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) author: Author,
    /// Index of the topic.
    pub(crate) topic: usize,
    pub(crate) format: &'static str,
    pub(crate) media_count: i32,
    /// Length in seconds; only videos have one.
    pub(crate) video_seconds: Option<i32>,
    pub(crate) has_link: bool,
    pub(crate) hashtags: Vec<String>,
    pub(crate) embedding: Option<Vector>,
    pub(crate) text: Option<String>,
    pub(crate) category: Category,
    /// Strength of the bait in the wording, in [0, 1].
    pub(crate) strength: f64,
}

const FORMATS: [(&str, f64); 6] = [
    ("photo", 0.34),
    ("text", 0.24),
    ("video", 0.18),
    ("link", 0.12),
    ("album", 0.08),
    ("poll", 0.04),
];
/// Hashtags that any post may have, in addition to those that contain its topic's name.
const HASHTAGS: [&str; 12] = [
    "love",
    "weekend",
    "tips",
    "viral",
    "breaking",
    "throwback",
    "daily",
    "win",
    "community",
    "howto",
    "follow4follow",
    "news",
];
/// Prefix and suffix of a topic name in a hashtag.
const TOPIC_TAGS: [(&str, &str); 4] = [("", ""), ("", "life"), ("my", ""), ("", "lovers")];

impl Post {
    /// The post with this number.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut s = Stream::new(seed, Purpose::Post, number);
        let author = Author::draw(seed, number, &mut s);
        let topic = s.below(topics().len() as u64) as usize;
        let format = FORMATS[s.weighted(FORMATS.iter().map(|f| f.1))].0;
        let wording = if s.chance(author.bait_rate) {
            text::bait(topics()[topic], &mut s)
        } else {
            text::honest(topics()[topic], &mut s)
        };
        let silent = wording.category == Category::None
            && matches!(format, "photo" | "album")
            && s.chance(0.05);
        Self {
            id: format!("p{number:08}"),
            topic,
            format,
            media_count: match format {
                "photo" | "video" => 1,
                "album" => 2 + s.below(8) as i32,
                _ => 0,
            },
            video_seconds: (format == "video").then(|| 5 + s.count(3.6, 0.7, 600.0)),
            has_link: format == "link" || s.chance(0.08),
            hashtags: hashtags(topics()[topic], &mut s),
            embedding: (!s.chance(0.03)).then(|| embedding(&[(topic, 1.0)], 0.2, &mut s)),
            text: (!silent).then_some(wording.text),
            category: wording.category,
            strength: if silent { 0.0 } else { wording.strength },
            author,
        }
    }

    /// The time when the post appeared, in milliseconds after the first post.
    pub(crate) fn created_ms(number: u64) -> i64 {
        number.cast_signed() * POST_EVERY_MS
    }
}

fn hashtags(topic: &str, s: &mut Stream) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for _ in 0..s.below(5) {
        let tag = if s.chance(0.5) {
            let (before, after) = s.pick(&TOPIC_TAGS);
            format!("{before}{topic}{after}")
        } else {
            s.pick(&HASHTAGS).to_owned()
        };
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}
