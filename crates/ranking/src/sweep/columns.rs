//! The sums that the metrics are made of.
//!
//! A metric is a ratio. Its numerator is a sum over the page of discount × gain. Its denominator is
//! the number of requests that take part, or another such sum. Sums over the page change with x;
//! the others are totals.

use super::plan::{Discount, Metric};

/// What a candidate on the page adds, before the discount and the request's own normaliser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gain {
    Predicted(usize),
    Realised(usize),
    Known(usize),
    Ndcg(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) gain: Gain,
    pub(super) discount: Discount,
}

/// One of the sums, by its position in a row of sums: page sums, then flags, then totals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub(super) above: usize,
    pub(super) below: usize,
}

/// How a row of sums is laid out. The flat page sums come first, so that a swap touches one range
/// only.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) page: Vec<Column>,
    /// How many of `page` are flat.
    pub(super) flat: usize,
    pub(super) changed_set: Option<usize>,
    pub(super) changed_order: Option<usize>,
    /// Objectives whose requests with a known label are counted.
    pub(super) judged: Vec<usize>,
    /// One per metric.
    pub(super) ratios: Vec<Ratio>,
}

impl Columns {
    pub(super) fn new(metrics: &[Metric]) -> Self {
        let mut page: Vec<Column> = Vec::new();
        let mut judged = Vec::new();
        for metric in metrics {
            for column in page_sums(metric).into_iter().flatten() {
                if !page.contains(&column) {
                    page.push(column);
                }
            }
            if let Metric::Ndcg { objective } = *metric
                && !judged.contains(&objective)
            {
                judged.push(objective);
            }
        }
        page.sort_by_key(|column| column.discount == Discount::Log2);
        let flag = |metric| metrics.contains(&metric);
        let changed_set = flag(Metric::ChangedSet).then_some(page.len());
        let flags = usize::from(changed_set.is_some());
        let changed_order = flag(Metric::ChangedOrder).then_some(page.len() + flags);
        let mut columns = Self {
            flat: page
                .iter()
                .filter(|column| column.discount == Discount::Flat)
                .count(),
            page,
            changed_set,
            changed_order,
            judged,
            ratios: Vec::new(),
        };
        columns.ratios = metrics.iter().map(|metric| columns.ratio(metric)).collect();
        columns
    }

    /// Sums that change with x.
    pub(super) fn moving(&self) -> usize {
        self.page.len()
            + usize::from(self.changed_set.is_some())
            + usize::from(self.changed_order.is_some())
    }

    /// All sums: those, the number of requests, and the numbers of judged requests.
    pub(super) fn all(&self) -> usize {
        self.moving() + 1 + self.judged.len()
    }

    /// Writes the flags of [the set, the order], each where a metric reads it.
    pub(super) fn set_flags(&self, row: &mut [i64], flags: [i64; 2]) {
        for (at, flag) in [self.changed_set, self.changed_order]
            .into_iter()
            .zip(flags)
        {
            if let Some(at) = at {
                row[at] = flag;
            }
        }
    }

    /// Whether a swap within the page changes a sum.
    pub(super) fn order_matters(&self) -> bool {
        self.flat < self.page.len() || self.changed_order.is_some()
    }

    /// Whether labels are read.
    pub(super) fn labels_matter(&self) -> bool {
        self.page
            .iter()
            .any(|column| !matches!(column.gain, Gain::Predicted(_)))
    }

    fn ratio(&self, metric: &Metric) -> Ratio {
        let requests = self.moving();
        let [above, below] = page_sums(metric)
            .map(|sum| sum.and_then(|sum| self.page.iter().position(|column| *column == sum)));
        let flag = match metric {
            Metric::ChangedSet => self.changed_set,
            Metric::ChangedOrder => self.changed_order,
            _ => None,
        };
        let judged = match metric {
            Metric::Ndcg { objective } => self.judged.iter().position(|judged| judged == objective),
            _ => None,
        };
        Ratio {
            above: above.or(flag).unwrap_or(requests),
            below: below
                .or(judged.map(|judged| requests + 1 + judged))
                .unwrap_or(requests),
        }
    }
}

/// The page sums above and below.
fn page_sums(metric: &Metric) -> [Option<Column>; 2] {
    let sum = |gain, discount| Some(Column { gain, discount });
    match *metric {
        Metric::Predicted {
            objective,
            discount,
        } => [sum(Gain::Predicted(objective), discount), None],
        Metric::Realised {
            objective,
            discount,
        } => [
            sum(Gain::Realised(objective), discount),
            sum(Gain::Known(objective), discount),
        ],
        Metric::Coverage {
            objective,
            discount,
        } => [sum(Gain::Known(objective), discount), None],
        Metric::Ndcg { objective } => [sum(Gain::Ndcg(objective), Discount::Log2), None],
        Metric::ChangedSet | Metric::ChangedOrder => [None, None],
    }
}
