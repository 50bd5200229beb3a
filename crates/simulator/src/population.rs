//! The users of the feed as they visit a running system: each visit is a request that nobody has
//! ranked yet, and the user's reactions to whatever page is shown.

use counterweight_model::Column;
use polars::prelude::{Column as Values, DataType, PolarsResult};

use crate::config::{Config, SimulatorError};
use crate::frame;
use crate::reaction::{Reaction, react};
use crate::request::{Feed, Request, START_MS};
use crate::stream::{Purpose, Stream};

/// More than the candidates of any request, so that each candidate has a stream of its own.
const STREAMS_PER_VISIT: u64 = 1_000;

/// The users who visit the feed, the posts that they may see, and what the users do.
pub struct Population {
    config: Config,
    feed: Feed,
}

impl Population {
    /// A population with the seed, the sizes and the pace of a configuration. Its policy of ranking
    /// has no effect.
    ///
    /// # Errors
    /// [`SimulatorError::Config`].
    pub fn new(config: Config) -> Result<Self, SimulatorError> {
        config.check()?;
        Ok(Self {
            feed: Feed::new(config.clone()),
            config,
        })
    }

    /// How many visits there are.
    #[must_use]
    pub fn visits(&self) -> u64 {
        self.config.requests
    }

    /// How many places a page has.
    #[must_use]
    pub fn places(&self) -> usize {
        self.config.k
    }

    /// When the first visit may come, in milliseconds since 1970.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        START_MS
    }

    /// The visit with this number. It does not depend on earlier calls.
    pub fn visit(&mut self, number: u64) -> Visit {
        Visit {
            request: self.feed.request(number),
            seed: self.config.seed,
            number,
        }
    }

    /// Puts the events of a batch into the order in which they arrive, which is not theirs.
    pub fn shuffle<T>(&self, batch: u64, events: &mut [T]) {
        Stream::new(self.config.seed, Purpose::Batch, batch).shuffle(events);
    }
}

/// One visit of a user.
pub struct Visit {
    request: Request,
    seed: u64,
    number: u64,
}

/// One feature of a request.
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Whether it is of the user and the moment, with one value for all candidates.
    pub context: bool,
    /// Its values: one for each candidate, or one.
    pub column: Column<'static>,
}

impl Visit {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it comes, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.request.time_ms
    }

    /// The id of the request.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request.id
    }

    /// The user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.request.user.id
    }

    /// The candidates, in the order of the values of the features.
    pub fn candidate_ids(&self) -> impl Iterator<Item = &str> {
        self.request.candidates.iter().map(|one| &*one.post.id)
    }

    /// All features of the request.
    ///
    /// # Errors
    /// [`SimulatorError::Feature`].
    pub fn features(&self) -> Result<Vec<Feature>, SimulatorError> {
        let [context, candidates] = frame::features(&self.request);
        let context = context
            .into_iter()
            .map(|column| (true, column.head(Some(1))));
        let candidates = candidates.into_iter().map(|column| (false, column));
        let feature = |(context, column): (bool, Values)| {
            let name = column.name().to_string();
            match values(&column) {
                Ok(column) => Ok(Feature {
                    name,
                    context,
                    column,
                }),
                Err(source) => Err(SimulatorError::Feature { name, source }),
            }
        };
        context.chain(candidates).map(feature).collect()
    }

    /// What the user does with the candidates of a page, best place first. Each candidate has its
    /// own random numbers, so a user reacts to a candidate at a place in the same way whatever else
    /// is on the page; only the time at which it is seen depends on the places before.
    ///
    /// # Errors
    /// [`SimulatorError::UnknownCandidate`].
    pub fn reactions<'a>(
        &self,
        page: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Reaction>, SimulatorError> {
        let mut looked_ms = 0.0;
        let reaction = |(position, id): (i32, &str)| {
            let mut candidates = self.request.candidates.iter();
            let index = candidates
                .position(|candidate| candidate.post.id == id)
                .ok_or_else(|| SimulatorError::UnknownCandidate {
                    request: self.request.id.clone(),
                    candidate: id.to_owned(),
                })?;
            let stream = self.number * STREAMS_PER_VISIT + index as u64;
            let mut s = Stream::new(self.seed, Purpose::Reaction, stream);
            let candidate = &self.request.candidates[index];
            Ok(react(candidate, position, &mut looked_ms, &mut s))
        };
        (1..).zip(page).map(reaction).collect()
    }
}

/// The values of a column as models accept them.
fn values(column: &Values) -> PolarsResult<Column<'static>> {
    Ok(match column.dtype() {
        DataType::String => {
            let texts = column.str()?.iter();
            Column::Text(
                texts
                    .map(|text| text.unwrap_or_default().to_owned().into())
                    .collect(),
            )
        }
        DataType::List(inner) if **inner == DataType::String => {
            let lists = column.list()?.series_iter().map(|list| {
                let Some(list) = list else {
                    return Ok(Vec::new());
                };
                let texts = list.str()?.iter().flatten();
                Ok(texts.map(str::to_owned).collect())
            });
            Column::List(lists.collect::<PolarsResult<_>>()?)
        }
        DataType::List(_) => {
            let dim = crate::user::EMBEDDING;
            let mut values = Vec::with_capacity(column.len() * dim);
            for vector in column.list()?.series_iter() {
                match vector {
                    Some(vector) => values.extend(vector.f32()?.into_no_null_iter()),
                    None => values.extend([f32::NAN].repeat(dim)),
                }
            }
            Column::Vector { dim, values }
        }
        _ => {
            let numbers = column.cast(&DataType::Float64)?;
            let numbers = numbers.f64()?.iter();
            Column::Numeric(numbers.map(|number| number.unwrap_or(f64::NAN)).collect())
        }
    })
}
