//! Who leads the candidates off the page, as the swept weight grows: a kinetic tournament.
//!
//! Each match of the tournament knows its winner, and where the loser overtakes it. Growing x
//! replays only the matches whose winner has changed, so that a request of ten million candidates
//! on one convex front is walked as surely as one of a hundred.

use super::line::Line;

/// A match between the winners of two others.
#[derive(Debug, Clone, Copy)]
struct Match {
    winner: u32,
    /// Whether the winner came from the right-hand side.
    right: bool,
    /// Where this match, or one that leads to it, has another winner.
    changes_at: f64,
}

const NOBODY: u32 = u32::MAX;
const EMPTY: Match = Match {
    winner: NOBODY,
    right: false,
    changes_at: f64::INFINITY,
};

/// A complete binary tree: match `m` is fed by `2m` and `2m + 1`; the final is match 1; leaves are
/// lines.
#[derive(Debug, Default)]
pub(super) struct Pool {
    matches: Vec<Match>,
}

impl Pool {
    /// Fills the pool with the lines from `first` on, which stand best first at `now`.
    pub(super) fn build(&mut self, lines: &[Line], first: usize, now: f64) {
        let size = lines.len() - first;
        self.matches.clear();
        if size == 0 {
            return;
        }
        let leaves = size.next_power_of_two();
        self.matches.resize(2 * leaves, EMPTY);
        for (leaf, line) in self.matches[leaves..].iter_mut().zip(first..lines.len()) {
            leaf.winner = line as u32;
        }
        // On the left stand the better lines: the left side wins every match.
        for m in (1..leaves).rev() {
            self.settle(lines, m, now);
        }
    }

    /// The best line, if there is one.
    pub(super) fn leader(&self) -> Option<u32> {
        self.matches.get(1).map(|last| last.winner)
    }

    /// Where a match changes next.
    pub(super) fn changes_at(&self) -> f64 {
        self.matches
            .get(1)
            .map_or(f64::INFINITY, |last| last.changes_at)
    }

    /// Replays what has changed up to `now`.
    pub(super) fn advance(&mut self, lines: &[Line], now: f64) {
        if self.changes_at() <= now {
            self.replay(lines, 1, now);
        }
    }

    /// Takes the leader out and puts in `line`, which is as good as it at `now` and so leads.
    pub(super) fn replace_leader(&mut self, lines: &[Line], line: u32, now: f64) -> u32 {
        let leader = self.matches[1].winner;
        let leaves = self.matches.len() / 2;
        let mut m = 1;
        while m < leaves {
            m = 2 * m + usize::from(self.matches[m].right);
        }
        // It is as good as the leader was, so it wins every match of that leaf's path as it stands.
        self.matches[m].winner = line;
        while m > 1 {
            m /= 2;
            self.settle(lines, m, now);
        }
        leader
    }

    fn replay(&mut self, lines: &[Line], m: usize, now: f64) {
        if m < self.matches.len() / 2 {
            for side in [2 * m, 2 * m + 1] {
                if self.matches[side].changes_at <= now {
                    self.replay(lines, side, now);
                }
            }
            let upset = self.settle(lines, m, now);
            // The winner may have changed below, or been overtaken here; turning the match once is
            // enough, since the one that is now on top has the smaller slope and cannot be
            // overtaken back.
            if upset <= now {
                self.matches[m].right = !self.matches[m].right;
                self.settle(lines, m, now);
            }
        }
    }

    /// Takes over the winner of the winning side, and finds where the other side's overtakes it.
    fn settle(&mut self, lines: &[Line], m: usize, now: f64) -> f64 {
        let (left, right) = (self.matches[2 * m], self.matches[2 * m + 1]);
        let (winner, loser) = if self.matches[m].right {
            (right.winner, left.winner)
        } else {
            (left.winner, right.winner)
        };
        let upset = if loser == NOBODY {
            f64::INFINITY
        } else {
            lines[winner as usize].overtaken_by(&lines[loser as usize], now)
        };
        self.matches[m].winner = winner;
        self.matches[m].changes_at = upset.min(left.changes_at).min(right.changes_at);
        upset
    }
}
