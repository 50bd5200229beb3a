//! Requests out of rows that belong to none: the rows of each part, in an order drawn by the seed,
//! are cut into requests of a stated number of candidates; what remains is left out. The candidates
//! stay in memory until the log's end.

use counterweight_dataset::{DealtRequests, Part};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::gathering::Gathering;

/// Rows that wait to be dealt.
#[derive(Debug, Default)]
pub(crate) struct Deal {
    rule: Option<DealtRequests>,
    /// By part, in the order of [`Part::ALL`], rows without a part last; each with the hash that
    /// orders it.
    rows: [Vec<(u64, Gathering)>; 5],
}

impl Deal {
    pub(crate) fn new(rule: Option<DealtRequests>) -> Self {
        Self {
            rule,
            ..Self::default()
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.rule.is_some()
    }

    /// Adds one row, as a request of one candidate.
    pub(crate) fn push(&mut self, part: Option<Part>, row: Gathering) {
        let Some(rule) = self.rule else {
            return;
        };
        let place = Part::ALL.iter().position(|own| Some(*own) == part);
        let order = xxh3_64_with_seed(row.ids()[0].as_bytes(), rule.seed);
        self.rows[place.unwrap_or(Part::ALL.len())].push((order, row));
    }

    /// The requests, and the number of rows that are left over.
    pub(crate) fn requests(self) -> (Vec<Gathering>, u64) {
        let Some(rule) = self.rule else {
            return (Vec::new(), 0);
        };
        let parts = Part::ALL.into_iter().map(Some).chain([None]);
        let (mut requests, mut left): (Vec<Gathering>, u64) = (Vec::new(), 0);
        for (part, mut rows) in parts.zip(self.rows) {
            // Ids that are equal fall to the order of the rows.
            rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.ids().cmp(b.1.ids())));
            let whole = rows.len() / rule.candidates * rule.candidates;
            left += (rows.len() - whole) as u64;
            for (place, (_, row)) in rows.into_iter().take(whole).enumerate() {
                if place % rule.candidates == 0 {
                    let mut begun = row;
                    begun.part = part;
                    begun.id = (requests.len() + 1).to_string();
                    begun.user = None; // its candidates were shown to many
                    requests.push(begun);
                } else if let Some(request) = requests.last_mut() {
                    request.append(row);
                }
            }
        }
        (requests, left)
    }
}
