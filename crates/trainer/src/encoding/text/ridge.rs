//! The ridge score: one least-squares model over all n-grams together, so that n-grams that usually
//! occur together do not count twice.
//!
//! A row of X has 1/√(number of known n-grams) for each known n-gram of a text, and 0 otherwise.
//! The target is the label (or the share of positive copies) minus its mean, and the penalty is
//! ‖w‖². Conjugate gradients solve the model from 0, once without each fold and once with all rows.
//! The order of the sums is fixed, so that the result does not depend on threads.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use counterweight_model::encoder::text::{GramBuffer, GramKind};

use super::scored::Scored;
use super::vocabulary::Vocabulary;
use crate::encoding::rows::TrainingRows;

/// The factor λ of the penalty.
const PENALTY: f64 = 1.0;
/// The largest number of steps of the solver.
const MAX_STEPS: usize = 40;
/// The solver stops when the squared residual is at most this share of the first one.
const TOLERANCE: f64 = 1e-6;

pub(super) fn fit(
    texts: &[Cow<'_, str>],
    training: &TrainingRows<'_>,
    kinds: &[GramKind],
    min_texts: u32,
) -> Scored {
    let vocabulary = Vocabulary::from_texts(texts, kinds, min_texts);
    let problem = Problem {
        rows: Rows::from_texts(texts, kinds, &vocabulary),
        width: vocabulary.len(),
        training,
        min_texts,
    };
    let mut out_of_fold = vec![f64::NAN; texts.len()];
    let mut solutions = problem.solve_all();
    let all = solutions.pop().unwrap_or_default();
    for (row, value) in out_of_fold
        .iter_mut()
        .enumerate()
        .filter(|(row, _)| !texts[*row].is_empty())
    {
        *value = score(problem.rows.row(row), &solutions[training.fold_of[row]]);
    }
    Scored {
        out_of_fold,
        table: vocabulary.table(&all),
    }
}

/// As [`score`](counterweight_model::encoder::text::score), for a text whose n-grams have ids. The
/// number of an unknown n-gram is NaN.
fn score(row: &[u32], numbers: &[f32]) -> f64 {
    let known = row
        .iter()
        .map(|id| f64::from(numbers[*id as usize]))
        .filter(|number| !number.is_nan());
    let (count, sum) = known.fold((0.0_f64, 0.0), |(count, sum), number| {
        (count + 1.0, sum + number)
    });
    if count == 0.0 {
        0.0
    } else {
        sum / count.sqrt()
    }
}

/// The ids of the n-grams of every text.
struct Rows {
    ids: Vec<u32>,
    /// The start of each row in `ids`, then the end of the last row.
    starts: Vec<usize>,
}

impl Rows {
    fn from_texts(texts: &[Cow<'_, str>], kinds: &[GramKind], vocabulary: &Vocabulary) -> Self {
        let (mut ids, mut starts, mut buffer) = (vec![], vec![0], GramBuffer::default());
        for text in texts {
            if !text.is_empty() {
                buffer.read(text, kinds);
                let grams = kinds.iter().flat_map(|kind| buffer.grams(*kind));
                ids.extend(
                    grams
                        .filter_map(|hash| vocabulary.id(*hash))
                        .map(|id| id as u32),
                );
            }
            starts.push(ids.len());
        }
        Self { ids, starts }
    }

    fn row(&self, row: usize) -> &[u32] {
        &self.ids[self.starts[row]..self.starts[row + 1]]
    }
}

struct Problem<'t> {
    rows: Rows,
    /// Number of n-grams.
    width: usize,
    training: &'t TrainingRows<'t>,
    min_texts: u32,
}

impl Problem<'_> {
    /// Solves the model without each fold, then with all rows, on as many threads as there are
    /// processors. The solutions are in this order.
    fn solve_all(&self) -> Vec<Vec<f32>> {
        let next = AtomicUsize::new(0);
        let tasks = self.training.folds + 1;
        let work = || {
            let mut done = vec![];
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return done;
                }
                done.push((
                    task,
                    self.solve((task < self.training.folds).then_some(task)),
                ));
            }
        };
        let threads =
            std::thread::available_parallelism().map_or(1, |threads| threads.get().min(tasks));
        let mut solved: Vec<(usize, Vec<f32>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().flat_map(join).collect()
        });
        solved.sort_unstable_by_key(|(task, _)| *task);
        solved.into_iter().map(|(_, solution)| solution).collect()
    }

    /// The weights from all folds except `without`; NaN for an n-gram that occurs in too few texts.
    fn solve(&self, without: Option<usize>) -> Vec<f32> {
        let rows = self.rows_without(without);
        let mut texts = vec![0_u32; self.width];
        rows.iter()
            .flat_map(|row| self.rows.row(*row))
            .for_each(|id| texts[*id as usize] += 1);
        let known: Vec<bool> = texts.iter().map(|count| *count >= self.min_texts).collect();
        let count = |row: &usize| {
            self.rows
                .row(*row)
                .iter()
                .filter(|id| known[**id as usize])
                .count()
        };
        let share = |row: &usize| (*row, 1.0 / count(row).max(1) as f64);
        let system = System {
            rows: &self.rows,
            shares: rows.iter().map(share).collect(),
            known: &known,
        };
        let weights = conjugate_gradients(&system, system.right_side(self.training.targets));
        let number = |(weight, known): (f64, &bool)| if *known { weight as f32 } else { f32::NAN };
        weights.into_iter().zip(&known).map(number).collect()
    }

    /// The rows outside `fold` whose text has at least one n-gram of the vocabulary.
    fn rows_without(&self, fold: Option<usize>) -> Vec<usize> {
        let kept = |row: &usize| {
            Some(self.training.fold_of[*row]) != fold && !self.rows.row(*row).is_empty()
        };
        (0..self.training.targets.len()).filter(kept).collect()
    }
}

/// The matrix `XᵀX + λI`. X is not stored, because the ids of each row determine it.
struct System<'t> {
    rows: &'t Rows,
    /// Each row with 1 / (number of its known n-grams).
    shares: Vec<(usize, f64)>,
    known: &'t [bool],
}

impl System<'_> {
    /// `Xᵀ(y − mean of y)`.
    fn right_side(&self, targets: &[f64]) -> Vec<f64> {
        let target = |row: usize| targets[row];
        let mean = self.shares.iter().map(|(row, _)| target(*row)).sum::<f64>()
            / self.shares.len().max(1) as f64;
        let mut out = vec![0.0; self.known.len()];
        for (row, share) in &self.shares {
            let value = (target(*row) - mean) * share.sqrt();
            self.rows
                .row(*row)
                .iter()
                .for_each(|id| out[*id as usize] += value);
        }
        self.zero_unknown(&mut out);
        out
    }

    /// Writes `(XᵀX + λI) v` to `out`; `v` must be 0 for unknown n-grams.
    fn apply(&self, v: &[f64], out: &mut [f64]) {
        out.iter_mut()
            .zip(v)
            .for_each(|(out, v)| *out = PENALTY * v);
        for (row, share) in &self.shares {
            let ids = self.rows.row(*row);
            // `share` is the product of the factor 1/√n of X and that of Xᵀ.
            let value = ids.iter().map(|id| v[*id as usize]).sum::<f64>() * share;
            ids.iter().for_each(|id| out[*id as usize] += value);
        }
        self.zero_unknown(out);
    }

    /// Sets the entries of unknown n-grams to 0, which removes them from the system.
    fn zero_unknown(&self, v: &mut [f64]) {
        v.iter_mut()
            .zip(self.known)
            .filter(|(_, known)| !**known)
            .for_each(|(v, _)| *v = 0.0);
    }
}

/// Solves the system by conjugate gradients, which start at 0. The residual is updated in each step
/// instead of computed again, so a step takes one product with the matrix.
fn conjugate_gradients(system: &System<'_>, right: Vec<f64>) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mut solution, mut image) = (vec![0.0; right.len()], vec![0.0; right.len()]);
    let (mut residual, mut direction) = (right.clone(), right);
    let mut norm = dot(&residual, &residual);
    let enough = TOLERANCE * norm;
    for _ in 0..MAX_STEPS {
        if norm <= enough {
            break;
        }
        system.apply(&direction, &mut image);
        let step = norm / dot(&direction, &image);
        solution
            .iter_mut()
            .zip(&direction)
            .for_each(|(x, d)| *x += step * d);
        residual
            .iter_mut()
            .zip(&image)
            .for_each(|(r, i)| *r -= step * i);
        let next = dot(&residual, &residual);
        direction
            .iter_mut()
            .zip(&residual)
            .for_each(|(d, r)| *d = r + next / norm * *d);
        norm = next;
    }
    solution
}
