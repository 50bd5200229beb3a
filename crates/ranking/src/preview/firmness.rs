//! How little each weight must move before the page changes, from the crossings of the scores as
//! lines in that weight.

/// By which shares of a weight it is moved.
pub(super) const SHARES: [f64; 2] = [0.01, 0.1];

/// Buffers, and the finding for the last request.
#[derive(Debug, Default)]
pub(super) struct Firmness {
    /// By candidate, how far its score is below that of the last on the page; ∞ for those on the
    /// page.
    gaps: Vec<f64>,
    /// Per objective and share, whether the ordered page changes.
    within: Vec<[bool; 2]>,
}

impl Firmness {
    /// Per objective, whether the ordered page changes somewhere while its weight w goes from w·(1
    /// − x) to w·(1 + x), ends included and the other weights fixed, for each x of [`SHARES`].
    ///
    /// The page changes with a neighbouring pair on it, or with the last on it and one off it, and
    /// that is where the gap of their scores is used up by x·|w|·|difference of their
    /// probabilities|; where both are equal, right at the end, the one with the lower position
    /// wins. O(n) per objective.
    pub(super) fn measure(
        &mut self,
        weights: &[f64],
        columns: &[&[f64]],
        scores: &[f64],
        page: &[u32],
    ) {
        self.within.clear();
        let Some(last) = page.last().map(|&last| last as usize) else {
            return;
        };
        self.gaps.clear();
        self.gaps
            .extend(scores.iter().map(|score| scores[last] - score));
        page.iter()
            .for_each(|&shown| self.gaps[shown as usize] = f64::INFINITY);
        for (weight, column) in weights.iter().zip(columns) {
            let reach = SHARES.map(|share| share * weight.abs());
            let mut within = [false; 2];
            for pair in page.windows(2) {
                let [upper, lower] = [pair[0] as usize, pair[1] as usize];
                let gap = scores[upper] - scores[lower];
                let slope = (column[upper] - column[lower]).abs();
                for (within, reach) in within.iter_mut().zip(reach) {
                    *within |= gap < reach * slope || (gap == reach * slope && lower < upper);
                }
            }
            // From the last on the page to those off it; equal ones before it in position win
            // against it.
            let (before, after) = (0..last, last + 1..column.len());
            let at = column[last];
            let wins = crossed(
                &self.gaps[before.clone()],
                &column[before],
                at,
                reach,
                |gap, way| gap <= way,
            );
            let loses = crossed(
                &self.gaps[after.clone()],
                &column[after],
                at,
                reach,
                |gap, way| gap < way,
            );
            for (within, (wins, loses)) in within.iter_mut().zip(wins.into_iter().zip(loses)) {
                *within |= wins | loses;
            }
            self.within.push(within);
        }
    }

    pub(super) fn within(&self) -> &[[bool; 2]] {
        &self.within
    }
}

/// Whether any gap is used up, for either reach. No way out of the loop, so that it is several at a
/// time.
fn crossed(
    gaps: &[f64],
    column: &[f64],
    at: f64,
    reach: [f64; 2],
    used_up: impl Fn(f64, f64) -> bool,
) -> [bool; 2] {
    let mut found = [0_u64; 2];
    for (&gap, &probability) in gaps.iter().zip(column) {
        let slope = (at - probability).abs();
        for (found, reach) in found.iter_mut().zip(reach) {
            *found |= u64::from(used_up(gap, reach * slope));
        }
    }
    found.map(|found| found > 0)
}
