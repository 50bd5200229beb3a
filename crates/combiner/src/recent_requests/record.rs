//! The record of a request: packed, candidates by id, so that it can be ranked again without a
//! model and exported as it was ranked.

use std::sync::Arc;

use super::sample::Sample;
use crate::{
    ranking::{Combined, Ranking},
    weights::{Attribute, Draw, RequestContext, Value},
};

/// The longest attribute text that is kept, in bytes. A segment that uses a longer one does not
/// match when the request is ranked again.
const LONGEST_TEXT: usize = 256;
/// The most places of a page that the log's column can store; a larger page is stored as this.
const MOST_PLACES: usize = i32::MAX as usize;
/// Bytes per candidate; a longer one counts as several.
const BYTES_PER_CANDIDATE: usize = 256;

/// The recent requests of one profile.
pub(crate) type Recent = Sample<Arc<Record>>;

/// One request that was ranked.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) request_id: Box<str>,
    /// Empty when the caller sent none.
    pub(crate) unit_id: Box<str>,
    pub(crate) attributes: Box<[Attribute]>,
    /// Milliseconds since 1970.
    pub(crate) time_ms: u64,
    /// The profile's position in the configuration.
    pub(crate) profile: usize,
    pub(crate) revision: u64,
    /// The most candidates to show; at least 1.
    pub(crate) k: usize,
    pub(crate) segment: Option<Arc<str>>,
    pub(crate) arm: Option<Arc<str>>,
    pub(crate) draw: Option<Draw>,
    /// Ascending.
    pub(crate) ids: Ids,
    /// The candidates that were shown, best first.
    pub(crate) page: Box<[u32]>,
    /// The objectives that were combined, in order.
    pub(crate) objectives: Box<[Column]>,
}

/// One objective of a request.
#[derive(Debug)]
pub(crate) struct Column {
    /// Position in the configuration.
    pub(crate) objective: usize,
    pub(crate) weight: f64,
    pub(crate) model_version: Box<str>,
    pub(crate) calibrator: Box<str>,
    /// One per candidate.
    pub(crate) probabilities: Box<[f64]>,
    /// The model's answer before the combiner's calibrator, when it applied one.
    pub(crate) raw: Option<Box<[f64]>>,
}

impl AsRef<[f64]> for Column {
    fn as_ref(&self) -> &[f64] {
        &self.probabilities
    }
}

impl Record {
    /// The record of a ranking whose ids were packed before its answer took them. None beyond 2^32
    /// candidates.
    pub(super) fn new(ranking: Ranking, ids: &Ids, time_ms: u64) -> Option<Self> {
        let order = ids.ascending()?;
        let mut place = vec![0_u32; order.len()];
        for (to, &from) in (0..).zip(&order) {
            place[from as usize] = to;
        }
        let n = order.len();
        let kept = |attribute: &Attribute| match &attribute.value {
            Value::Text(text) => text.len() <= LONGEST_TEXT,
            Value::Number(_) => true,
        };
        let mut attributes = ranking.attributes;
        attributes.retain(kept);
        Some(Self {
            request_id: ranking.request_id.into(),
            unit_id: ranking.unit_id.into(),
            attributes: attributes.into(),
            time_ms,
            profile: ranking.profile,
            revision: ranking.revision,
            k: if ranking.limit == 0 {
                n
            } else {
                ranking.limit.min(MOST_PLACES)
            },
            segment: ranking.chosen.segment,
            arm: ranking.chosen.arm,
            draw: ranking.chosen.draw,
            ids: ids.permuted(&order),
            page: ranking.order.iter().map(|&at| place[at]).collect(),
            objectives: ranking
                .objectives
                .into_iter()
                .map(|combined| Column {
                    objective: combined.objective,
                    weight: combined.weight,
                    model_version: combined.answer.model_version.into(),
                    calibrator: combined.answer.calibrator.into(),
                    probabilities: permuted(&combined.answer.probabilities, &order),
                    raw: combined.answer.raw.map(|raw| permuted(&raw, &order)),
                })
                .collect(),
        })
    }

    /// The facts that decide the weights of this request.
    pub(crate) fn context(&self) -> RequestContext<'_> {
        RequestContext {
            attributes: &self.attributes,
            unit_id: &self.unit_id,
            request_id: &self.request_id,
        }
    }
}

/// The size of a ranking in candidates: their number, or more when they are few or their ids are
/// long, so that a bound in candidates bounds the memory too.
pub(super) fn size(ranking: &Ranking, ids: &Ids) -> usize {
    let text = |attribute: &Attribute| {
        let value = match &attribute.value {
            Value::Text(text) => text.len(),
            Value::Number(_) => 0,
        };
        size_of::<Attribute>() + attribute.name.len() + value
    };
    let objective = |combined: &Combined| {
        let answer = &combined.answer;
        let numbers = answer.probabilities.len() + answer.raw.as_ref().map_or(0, Vec::len);
        size_of::<Column>() + answer.model_version.len() + answer.calibrator.len() + 8 * numbers
    };
    let bytes = size_of::<Record>()
        + ranking.request_id.len()
        + ranking.unit_id.len()
        + ranking.attributes.iter().map(text).sum::<usize>()
        + ids.bytes()
        + 4 * ranking.order.len()
        + ranking.objectives.iter().map(objective).sum::<usize>();
    bytes.div_ceil(BYTES_PER_CANDIDATE).max(ids.len())
}

/// Ids packed into one text.
#[derive(Debug)]
pub(crate) struct Ids {
    text: Box<str>,
    /// Where each ends.
    ends: Box<[u32]>,
}

impl Ids {
    /// Packs ids; none when they have 2^32 bytes or more.
    pub(super) fn pack(ids: &[String]) -> Option<Self> {
        let mut ends = Vec::with_capacity(ids.len());
        let mut end = 0_u32;
        for id in ids {
            end = end.checked_add(u32::try_from(id.len()).ok()?)?;
            ends.push(end);
        }
        Some(Self {
            text: ids.concat().into(),
            ends: ends.into(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The id at a place below [`Ids::len`].
    pub(crate) fn get(&self, at: usize) -> &str {
        let start = match at {
            0 => 0,
            at => self.ends[at - 1] as usize,
        };
        &self.text[start..self.ends[at] as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.get(at))
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends)
    }

    /// The places of the ids from the smallest on; none beyond 2^32.
    fn ascending(&self) -> Option<Vec<u32>> {
        let mut order: Vec<u32> = (0..u32::try_from(self.len()).ok()?).collect();
        order.sort_unstable_by(|&a, &b| self.get(a as usize).cmp(self.get(b as usize)));
        Some(order)
    }

    fn permuted(&self, order: &[u32]) -> Self {
        let mut text = String::with_capacity(self.text.len());
        let ends = order
            .iter()
            .map(|&at| {
                text.push_str(self.get(at as usize));
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the same text was packed before"
                )]
                let end = text.len() as u32;
                end
            })
            .collect();
        Self {
            text: text.into(),
            ends,
        }
    }
}

fn permuted(values: &[f64], order: &[u32]) -> Box<[f64]> {
    order.iter().map(|&at| values[at as usize]).collect()
}
