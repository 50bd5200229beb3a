//! How long one candidate stays on the page: until more have come to stand above it than there is
//! room for.

use super::{lines::Lines, range::Range, shown::Shown};

impl<P: AsRef<[f64]>> Lines<'_, P> {
    /// Where fewer than k others can stand above the candidate on this place, k being the length of
    /// the page, around the weight as it is.
    pub(super) fn stays(
        &self,
        shown: &Shown,
        page: &[usize],
        place: usize,
        events: &mut Events,
    ) -> Range {
        let (candidate, now) = (page[place], self.weights[self.objective]);
        events.clear();
        for (other, &there) in shown.places.iter().enumerate() {
            if there == place {
                continue;
            }
            let below = self.above(candidate, other);
            if there > place {
                let below = below.filter(|below| below.contains(now));
                let (low, high) = below.map_or((now, now), |below| (below.low, below.high));
                events.up.comes(high);
                events.down.comes(-low);
            } else if let Some(below) = below {
                // It stands above now: somewhere it may go, and beyond that come back.
                if below.low > now {
                    events.up.turns.push((below.low, false));
                    events.up.turns.push((below.high, true));
                } else if below.high < now {
                    events.down.turns.push((-below.high, false));
                    events.down.turns.push((-below.low, true));
                }
            }
        }
        let room = page.len() - 1 - place;
        Range {
            low: -events.down.end(room, page.len()),
            high: events.up.end(room, page.len()),
        }
    }
}

/// Where others come to stand above a candidate, and where they certainly do no more, on either
/// side of the weight as it is.
#[derive(Debug, Default)]
pub(super) struct Events {
    up: Side,
    /// With weights negated, so that they grow away from the weight, too.
    down: Side,
}

impl Events {
    fn clear(&mut self) {
        for side in [&mut self.up, &mut self.down] {
            side.comes.clear();
            side.turns.clear();
        }
    }
}

#[derive(Debug, Default)]
struct Side {
    /// Of those who are below now, where each comes; who never comes is left out.
    comes: Vec<f64>,
    /// Of those who are above now, where each goes (false), and comes back (true).
    turns: Vec<(f64, bool)>,
}

impl Side {
    fn comes(&mut self, at: f64) {
        if at < f64::INFINITY {
            self.comes.push(at);
        }
    }

    /// Where one comes for whom there is no room; ∞ where that never is. `room` is how many may
    /// come before, on a page of `k`.
    fn end(&mut self, room: usize, k: usize) -> f64 {
        // Room grows by those above at most, of whom there are k − 1 − room: the first k to come
        // decide.
        if k < self.comes.len() {
            self.comes.select_nth_unstable_by(k, f64::total_cmp);
            self.comes.truncate(k);
        }
        let comes = self.comes.iter().map(|&at| (at, true));
        self.turns.extend(comes);
        // In the same place who comes counts before who goes.
        self.turns
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut room = room;
        for &(at, comes) in &self.turns {
            match (comes, room) {
                (true, 0) => return at,
                (true, _) => room -= 1,
                (false, _) => room += 1,
            }
        }
        f64::INFINITY
    }
}
