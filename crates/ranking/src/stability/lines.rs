//! The candidates' scores as lines in one weight, and where one certainly ranks above another.

use super::range::Range;

/// Above 0, where a tie would be, by something that products of it survive.
const TINY: f64 = 1e-250;

/// The scores as lines in one weight.
pub(super) struct Lines<'a, P> {
    pub(super) weights: &'a [f64],
    probabilities: &'a [P],
    pub(super) objective: usize,
    /// What the other weights give.
    fixed: Vec<f64>,
    /// The sum of the sizes of what was added there.
    size: Vec<f64>,
    swept: &'a [f64],
    /// How far a sum can be off, per unit of its terms' sizes.
    rounding: f64,
}

impl<'a, P: AsRef<[f64]>> Lines<'a, P> {
    pub(super) fn new(weights: &'a [f64], probabilities: &'a [P], objective: usize) -> Self {
        let swept = probabilities[objective].as_ref();
        let mut lines = Self {
            weights,
            probabilities,
            objective,
            fixed: vec![0.0; swept.len()],
            size: vec![0.0; swept.len()],
            swept,
            // Twice the bound for one product and one addition per objective, for either candidate,
            // and as much for this computation.
            rounding: 4.0 * (weights.len() as f64 + 2.0) * f64::EPSILON,
        };
        for (other, (&weight, column)) in weights.iter().zip(probabilities).enumerate() {
            if other != objective {
                let sums = lines.fixed.iter_mut().zip(&mut lines.size);
                for ((fixed, size), &p) in sums.zip(column.as_ref()) {
                    let contribution = crate::contribution(weight, p);
                    *fixed += contribution;
                    *size += contribution.abs();
                }
            }
        }
        lines
    }

    /// Whether all that is fixed adds the same to both, piece by piece, so that it is rounded
    /// alike.
    fn alike(&self, a: usize, b: usize) -> bool {
        self.fixed[a] == self.fixed[b]
            && self.weights.iter().zip(self.probabilities).enumerate().all(
                |(other, (&weight, column))| {
                    let piece = |i: usize| crate::contribution(weight, column.as_ref()[i]);
                    other == self.objective || piece(a) == piece(b)
                },
            )
    }

    /// The weights for which a certainly stands above b; `None` where there are none.
    pub(super) fn above(&self, a: usize, b: usize) -> Option<Range> {
        let slope = self.swept[a] - self.swept[b];
        if a < b && self.alike(a, b) {
            // Rounded alike: a scores at least as much wherever w·p does, and wins the tie.
            return Some(if slope > 0.0 {
                Range {
                    low: 0.0,
                    ..Range::ALL
                }
            } else if slope < 0.0 {
                Range {
                    high: 0.0,
                    ..Range::ALL
                }
            } else {
                Range::ALL
            });
        }
        // Where (vₐ − v_b) + w·slope ≥ rounding · (size + |w|·spread): at 0, and with its slopes
        // right and left of it.
        let spread = self.rounding * (self.swept[a].abs() + self.swept[b].abs());
        let at_zero =
            self.fixed[a] - self.fixed[b] - self.rounding * (self.size[a] + self.size[b]) - TINY;
        let (right, left) = (slope - spread, slope + spread);
        if at_zero >= 0.0 {
            Some(Range {
                low: if left > 0.0 {
                    -at_zero / left
                } else {
                    f64::NEG_INFINITY
                },
                high: if right < 0.0 {
                    -at_zero / right
                } else {
                    f64::INFINITY
                },
            })
        } else if right > 0.0 {
            Some(Range {
                low: -at_zero / right,
                ..Range::ALL
            })
        } else if left < 0.0 {
            Some(Range {
                high: -at_zero / left,
                ..Range::ALL
            })
        } else {
            None
        }
    }
}
