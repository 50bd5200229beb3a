//! Converts requests to rows of the impression log and of the truth file, one row per candidate.

use counterweight_impressions::columns;
use polars::prelude::*;

use crate::config::Config;
use crate::policy::MODEL_VERSIONS;
use crate::request::{Candidate, Request};
use crate::text::topics;
use crate::user::{EMBEDDING, Vector};

/// The objectives, in the order of the weights.
pub const OBJECTIVES: [&str; 2] = ["engagement", "engagement_bait"];

/// Requests whose candidates are the rows, request by request.
struct Rows<'a>(&'a [Request]);

impl<'a> Rows<'a> {
    fn iter(&self) -> impl Iterator<Item = (&'a Request, &'a Candidate)> {
        self.0.iter().flat_map(|request| {
            request
                .candidates
                .iter()
                .map(move |candidate| (request, candidate))
        })
    }

    fn len(&self) -> usize {
        self.0.iter().map(|request| request.candidates.len()).sum()
    }

    fn text(
        &self,
        name: &str,
        value: impl Fn(&'a Request, &'a Candidate) -> Option<&'a str>,
    ) -> Column {
        let values: StringChunked = self.iter().map(|(r, c)| value(r, c)).collect();
        values.with_name(name.into()).into_column()
    }

    fn float(
        &self,
        name: &str,
        value: impl Fn(&'a Request, &'a Candidate) -> Option<f64>,
    ) -> Column {
        let values: Float64Chunked = self.iter().map(|(r, c)| value(r, c)).collect();
        values.with_name(name.into()).into_column()
    }

    fn integer(
        &self,
        name: &str,
        value: impl Fn(&'a Request, &'a Candidate) -> Option<i32>,
    ) -> Column {
        let values: Int32Chunked = self.iter().map(|(r, c)| value(r, c)).collect();
        values.with_name(name.into()).into_column()
    }

    fn long(&self, name: &str, value: impl Fn(&'a Request) -> i64) -> Column {
        let values: Int64Chunked = self.iter().map(|(r, _)| Some(value(r))).collect();
        values.with_name(name.into()).into_column()
    }

    fn boolean(
        &self,
        name: &str,
        value: impl Fn(&'a Request, &'a Candidate) -> Option<bool>,
    ) -> Column {
        let values: BooleanChunked = self.iter().map(|(r, c)| value(r, c)).collect();
        values.with_name(name.into()).into_column()
    }

    fn list<T: AsRef<str> + 'a>(
        &self,
        name: &str,
        values: impl Fn(&'a Request, &'a Candidate) -> &'a [T],
    ) -> Column {
        let rows = self.len();
        let mut builder = ListStringChunkedBuilder::new(name.into(), rows, 2 * rows);
        for (request, candidate) in self.iter() {
            builder.append_values_iter(values(request, candidate).iter().map(AsRef::as_ref));
        }
        builder.finish().into_column()
    }

    fn vector(
        &self,
        name: &str,
        vector: impl Fn(&'a Request, &'a Candidate) -> Option<&'a Vector>,
    ) -> Column {
        let rows = self.len();
        let mut builder = ListPrimitiveChunkedBuilder::<Float32Type>::new(
            name.into(),
            rows,
            rows * EMBEDDING,
            DataType::Float32,
        );
        for (request, candidate) in self.iter() {
            builder.append_opt_slice(vector(request, candidate).map(Vector::as_slice));
        }
        builder.finish().into_column()
    }
}

/// The rows of the impression log (`data/SCHEMA.md`).
pub(crate) fn impressions(requests: &[Request], config: &Config) -> PolarsResult<DataFrame> {
    let rows = Rows(requests);
    let mut all = log_columns(&rows, config);
    all.extend(context_columns(&rows));
    all.extend(candidate_columns(&rows));
    DataFrame::new(rows.len(), all)
}

/// The ids and features of the candidates of a request that has not been ranked.
pub(crate) fn candidates(request: &Request) -> PolarsResult<DataFrame> {
    let rows = Rows(std::slice::from_ref(request));
    let mut all = vec![
        rows.text(columns::REQUEST, |r, _| Some(&r.id)),
        rows.text(columns::CANDIDATE, |_, c| Some(&c.post.id)),
    ];
    all.extend(context_columns(&rows));
    all.extend(candidate_columns(&rows));
    DataFrame::new(rows.len(), all)
}

/// The features of a request: those of the user and the moment, whose rows are all alike, and those
/// of the candidates.
pub(crate) fn features(request: &Request) -> [Vec<Column>; 2] {
    let rows = Rows(std::slice::from_ref(request));
    [context_columns(&rows), candidate_columns(&rows)]
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "the configuration check limits k to 1000"
)]
fn log_columns<'a>(rows: &Rows<'a>, config: &Config) -> Vec<Column> {
    let k = config.k as i32;
    let (low, high) = (config.lambda_low, config.lambda_high);
    let mut all = vec![
        rows.text(columns::REQUEST, |r, _| Some(&r.id)),
        rows.text(columns::USER, |r, _| Some(&r.user.id)),
        rows.text(columns::CANDIDATE, |_, c| Some(&c.post.id)),
        rows.long(columns::TIME, |r| r.time_ms),
        rows.text(columns::PROFILE, |_, _| Some("home")),
        rows.long(columns::REVISION, |_| 1),
        rows.integer(columns::PLACES, |_, _| Some(k)),
        rows.integer(columns::POSITION, |_, c| {
            c.shown.map(|shown| shown.position)
        }),
        rows.float(columns::LAMBDA, |r, _| Some(r.lambda)),
        rows.float(columns::LAMBDA_LOW, |_, _| Some(low)),
        rows.float(columns::LAMBDA_HIGH, |_, _| Some(high)),
        rows.text(columns::LAMBDA_DENSITY, |_, _| Some("uniform")),
        rows.long(columns::LAMBDA_SEED, |r| r.lambda_seed),
    ];
    for (m, objective) in OBJECTIVES.into_iter().enumerate() {
        all.push(rows.float(&columns::probability(objective), |_, c| Some(c.logged[m])));
        all.push(rows.float(&columns::weight(objective), |r, _| {
            Some([1.0, -r.lambda][m])
        }));
        all.push(rows.text(&columns::model(objective), |_, _| Some(MODEL_VERSIONS[m])));
        all.push(rows.text(&columns::calibrator(objective), |_, _| None));
        all.push(rows.boolean(&columns::label(objective), |_, c| {
            c.shown.map(|shown| shown.labels[m])
        }));
    }
    all
}

fn context_columns(rows: &Rows<'_>) -> Vec<Column> {
    vec![
        rows.integer("user_sessions_7d", |r, _| Some(r.user.sessions_7d)),
        rows.integer("user_reports_90d", |r, _| Some(r.user.reports_90d)),
        rows.integer("user_account_days", |r, _| r.user.account_days),
        rows.text("user_country", |r, _| r.user.country),
        rows.text("user_device", |r, _| Some(r.user.device)),
        rows.text("user_favourite_topic", |r, _| r.user.favourite),
        rows.list("user_followed_topics", |r, _| &r.user.followed),
        rows.vector("user_embedding", |r, _| Some(&r.user.embedding)),
        rows.integer("hour", |r, _| Some(r.hour)),
        rows.text("daypart", |r, _| Some(r.daypart)),
        rows.boolean("on_wifi", |r, _| r.on_wifi),
    ]
}

fn candidate_columns(rows: &Rows<'_>) -> Vec<Column> {
    vec![
        rows.text("post_text", |_, c| c.post.text.as_deref()),
        rows.text("post_topic", |_, c| Some(topics()[c.post.topic])),
        rows.text("post_format", |_, c| Some(c.post.format)),
        rows.float("post_age_hours", |_, c| Some(c.age_hours)),
        rows.integer("post_media_count", |_, c| Some(c.post.media_count)),
        rows.integer("post_video_seconds", |_, c| c.post.video_seconds),
        rows.boolean("post_has_link", |_, c| Some(c.post.has_link)),
        rows.list("post_hashtags", |_, c| &c.post.hashtags),
        rows.vector("post_embedding", |_, c| c.post.embedding.as_ref()),
        rows.text("author_id", |_, c| Some(&c.post.author.id)),
        rows.integer("author_followers", |_, c| Some(c.post.author.followers)),
        rows.boolean("author_verified", |_, c| c.post.author.verified),
        rows.integer("author_posts_30d", |_, c| Some(c.post.author.posts_30d)),
        rows.integer("author_likes_30d", |_, c| Some(c.post.author.likes_30d)),
        rows.integer("author_strikes_365d", |_, c| {
            Some(c.post.author.strikes_365d)
        }),
    ]
}

/// The rows of the truth file, in the same order as those of the log.
pub(crate) fn truth(requests: &[Request]) -> PolarsResult<DataFrame> {
    let rows = Rows(requests);
    let [engagement_at_1, engagement] = columns::truth(OBJECTIVES[0]);
    let [_, bait] = columns::truth(OBJECTIVES[1]);
    let all = vec![
        rows.text(columns::REQUEST, |r, _| Some(&r.id)),
        rows.text(columns::CANDIDATE, |_, c| Some(&c.post.id)),
        rows.float(&engagement, |_, c| c.shown.map(|shown| shown.engagement)),
        rows.float(&engagement_at_1, |_, c| Some(c.truth[0])),
        rows.float(&bait, |_, c| Some(c.truth[1])),
        rows.text("bait_category", |_, c| Some(c.post.category.name())),
        rows.float("bait_strength", |_, c| Some(c.post.strength)),
    ];
    DataFrame::new(rows.len(), all)
}
