//! Groups rows without a request into requests: the rows of each part, in an order drawn by the
//! seed, are cut into requests of a stated number of candidates. The remaining rows are left out.
//! All candidates stay in memory until the end of the log.

use counterweight_dataset::{DealtRequests, Part};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::gathering::Gathering;

/// Rows to be grouped into requests.
#[derive(Debug, Default)]
pub(crate) struct Deal {
    rule: Option<DealtRequests>,
    /// The rows of each part in the order of [`Part::ALL`], and then the rows without a part. Each
    /// row has a hash that determines its place in the order.
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
        let part_index = Part::ALL.iter().position(|own| Some(*own) == part);
        let order = xxh3_64_with_seed(row.ids()[0].as_bytes(), rule.seed);
        self.rows[part_index.unwrap_or(Part::ALL.len())].push((order, row));
    }

    /// The requests, and the number of remaining rows.
    pub(crate) fn requests(self) -> (Vec<Gathering>, u64) {
        let Some(rule) = self.rule else {
            return (Vec::new(), 0);
        };
        let parts = Part::ALL.into_iter().map(Some).chain([None]);
        let (mut requests, mut left): (Vec<Gathering>, u64) = (Vec::new(), 0);
        for (part, mut rows) in parts.zip(self.rows) {
            // The ids decide between equal hashes. The sort is stable, so rows with equal ids stay
            // in log order.
            rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.ids().cmp(b.1.ids())));
            let whole = rows.len() / rule.candidates * rule.candidates;
            left += (rows.len() - whole) as u64;
            for (place, (_, row)) in rows.into_iter().take(whole).enumerate() {
                if place % rule.candidates == 0 {
                    let mut begun = row;
                    begun.part = part;
                    begun.id = (requests.len() + 1).to_string();
                    begun.user = None; // the candidates were shown to different users
                    requests.push(begun);
                } else if let Some(request) = requests.last_mut() {
                    request.append(row);
                }
            }
        }
        (requests, left)
    }
}
