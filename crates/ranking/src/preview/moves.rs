//! The candidates that move farthest.

use std::cmp::Reverse;

use super::orders::Orders;

/// A candidate of the page, before or after, that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The request, by the number of its push from 0.
    pub request: usize,
    /// The candidate, by its position in the columns.
    pub candidate: usize,
    /// Its place before, from 1, among all candidates of the request.
    pub from: u32,
    /// Its place after, from 1.
    pub to: u32,
}

/// How many are kept.
const KEPT: usize = 10;

/// The best so far, best first.
#[derive(Debug, Default)]
pub(super) struct Farthest {
    moves: Vec<Move>,
}

impl Farthest {
    /// Looks at those on the page in one of the two orders.
    pub(super) fn add(&mut self, request: usize, [before, after]: [&Orders; 2], places: usize) {
        let came = after.page(places).iter();
        let came = came.filter(|&&candidate| before.place(candidate) as usize >= places);
        for &candidate in before.page(places).iter().chain(came) {
            let (from, to) = (before.place(candidate), after.place(candidate));
            let worst = match self.moves.get(KEPT - 1) {
                Some(worst) => worst.from.abs_diff(worst.to),
                None => 1,
            };
            if from.abs_diff(to) >= worst && from != to {
                self.insert(Move {
                    request,
                    candidate: candidate as usize,
                    from: from + 1,
                    to: to + 1,
                });
            }
        }
    }

    fn insert(&mut self, new: Move) {
        let rank = |m: &Move| (Reverse(m.from.abs_diff(m.to)), m.request, m.candidate);
        let at = self.moves.partition_point(|kept| rank(kept) < rank(&new));
        self.moves.insert(at, new);
        self.moves.truncate(KEPT);
    }

    /// Farthest first; of equals the earlier request, then the lower position.
    pub(super) fn into_sorted(self) -> Vec<Move> {
        self.moves
    }
}
