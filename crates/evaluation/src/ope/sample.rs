//! The estimators, over slates of one or more places.
//!
//! Place l of a slate has a reward r and an importance weight w, the probability under the target
//! policy divided by that under the logging policy. What the probability is of depends on what is
//! assumed of users: of the whole slate (SIPS: nothing is assumed), of the slate down to the place
//! (RIPS: users look from the top), or of the candidate at its place (IIPS: places do not influence
//! each other). With one place all three are IPS. References: Swaminathan et al. 2017 and Li et al. 2018 (IIPS), McInerney et
//! al. 2020 (RIPS), Dudík et al. 2011 (DR).

use std::collections::BTreeMap;

use counterweight_ranking::RankingError;
use counterweight_statistics::clustered_error;

use super::diagnostics::{Diagnostics, PlaceWeights};

/// What an estimator says of the target policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The expected sum of rewards per slate.
    pub value: f64,
    /// Its standard error over slates (over users, where [`Sample::shown_to`] names them), by the
    /// delta method where weights are normalised; NaN for fewer than two slates.
    pub standard_error: f64,
}

/// The logged slates as an estimator needs them.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    rows: Vec<Row>,
    /// Per slate, where its rows end and what a reward model expects of the target policy.
    slates: Vec<(usize, f64)>,
    /// The unit that each slate was shown to; none when each slate is a unit of its own.
    users: Vec<Option<u64>>,
    unsupported: usize,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    weight: f64,
    /// The reward, less what the reward model expects of what was shown.
    reward: f64,
}

/// What a reward model expects, for a doubly robust estimate: it takes variance out where the model
/// is good and no bias in where it is bad.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// For what was shown, per place.
    pub logged: &'a [f64],
    /// For what the target policy would show: the sum over places of its expectation.
    pub target: f64,
}

impl Sample {
    /// Adds a slate: rewards and weights by place, and what a reward model expects where the
    /// estimate is to be doubly robust.
    ///
    /// # Errors
    /// [`RankingError`] when the lengths differ, a reward is not finite (leave slates out whose
    /// labels are not known yet), or a weight is negative or not finite.
    pub fn push(
        &mut self,
        rewards: &[f64],
        weights: &[f64],
        expected: Option<Expected<'_>>,
    ) -> Result<(), RankingError> {
        let request = self.slates.len();
        let logged = expected.map(|expected| expected.logged);
        for (what, found) in [
            ("`weights`", weights.len()),
            (
                "`expected.logged`",
                logged.map_or(rewards.len(), <[f64]>::len),
            ),
        ] {
            if found != rewards.len() {
                return Err(RankingError::Length {
                    request,
                    what,
                    found,
                    expected: rewards.len(),
                });
            }
        }
        let target = expected.map_or(0.0, |expected| expected.target);
        let values = rewards
            .iter()
            .chain(logged.into_iter().flatten())
            .chain([&target]);
        check(
            "a reward",
            values.copied(),
            f64::is_finite,
            "finite; leave out slates whose labels are not known",
        )?;
        check(
            "a weight",
            weights.iter().copied(),
            |w| w.is_finite() && w >= 0.0,
            "finite and at least 0",
        )?;
        for (place, (&reward, &weight)) in rewards.iter().zip(weights).enumerate() {
            let reward = reward - logged.map_or(0.0, |logged| logged[place]);
            self.rows.push(Row { weight, reward });
        }
        self.slates.push((self.rows.len(), target));
        self.users.push(None);
        Ok(())
    }

    /// Says whom the last slate was shown to. Slates of one user are not independent: standard
    /// errors are over users then.
    pub fn shown_to(&mut self, user: u64) {
        if let Some(last) = self.users.last_mut() {
            *last = Some(user);
        }
    }

    /// Adds a single action by its two propensities.
    ///
    /// ```
    /// use counterweight_evaluation::ope::Sample;
    ///
    /// // Two candidates were equally likely; the target always shows the first.
    /// let mut sample = Sample::default();
    /// sample.push_action(1.0, 0.5, 1.0, None)?; // the first was shown, and clicked
    /// sample.push_action(1.0, 0.5, 0.0, None)?; // the second was
    /// sample.push_action(0.0, 0.5, 1.0, None)?;
    /// sample.push_action(0.0, 0.5, 0.0, None)?;
    /// assert_eq!(sample.ips().value, 0.5);
    /// assert_eq!(sample.diagnostics().effective, 2.0); // two of four say something of the target
    /// # Ok::<(), counterweight_ranking::RankingError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::push`]; and when the logged propensity is not in (0, 1] or the target's not in
    /// [0, 1].
    pub fn push_action(
        &mut self,
        reward: f64,
        logged: f64,
        target: f64,
        expected: Option<Expected<'_>>,
    ) -> Result<(), RankingError> {
        check(
            "a logged propensity",
            [logged].into_iter(),
            |p| p > 0.0 && p <= 1.0,
            "above 0 and at most 1: what was shown cannot have been impossible",
        )?;
        check(
            "a target propensity",
            [target].into_iter(),
            |p| (0.0..=1.0).contains(&p),
            "from 0 to 1",
        )?;
        self.push(&[reward], &[target / logged], expected)
    }

    /// Counts a slate for which the target policy may do what the logging policy never does: no
    /// weighting makes up for that, and [`Diagnostics::refusals`] says so.
    pub fn count_unsupported(&mut self) {
        self.unsupported += 1;
    }

    /// How many slates there are.
    pub fn len(&self) -> usize {
        self.slates.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.slates.is_empty()
    }

    /// Σ w·r / n (with a reward model: of what it leaves over, plus what it expects). Unbiased
    /// where the assumption behind the weights holds. NaN without slates.
    pub fn ips(&self) -> Estimate {
        let normalisers = vec![1.0; self.places()];
        self.estimate(&normalisers, &vec![0.0; self.places()])
    }

    /// The same with each place's weights divided by their mean: a little bias for much less
    /// variance, and no drift with the level of the rewards. A place whose weights are all 0 adds
    /// nothing.
    pub fn snips(&self) -> Estimate {
        let (mut weights, mut rewards, mut counts) = (
            vec![0.0; self.places()],
            vec![0.0; self.places()],
            vec![0.0; self.places()],
        );
        for (_, rows) in self.each() {
            for (place, row) in rows.iter().enumerate() {
                counts[place] += 1.0;
                weights[place] += row.weight;
                rewards[place] += row.weight * row.reward;
            }
        }
        let normalisers: Vec<f64> = weights
            .iter()
            .zip(&counts)
            .map(|(w, n)| if *w > 0.0 { n / w } else { 0.0 })
            .collect();
        let means: Vec<f64> = rewards
            .iter()
            .zip(&weights)
            .map(|(r, w)| if *w > 0.0 { r / w } else { 0.0 })
            .collect();
        self.estimate(&normalisers, &means)
    }

    /// Whether the weights can carry an estimate.
    pub fn diagnostics(&self) -> Diagnostics {
        let mut places = vec![PlaceWeights::default(); self.places()];
        for (_, rows) in self.each() {
            for (place, row) in places.iter_mut().zip(rows) {
                place.add(row.weight);
            }
        }
        Diagnostics::new(self.len(), &places, self.unsupported)
    }

    /// The value with each place's weights multiplied, and its standard error with rewards centred.
    fn estimate(&self, normalisers: &[f64], centres: &[f64]) -> Estimate {
        let n = self.len() as f64;
        let mut value = 0.0;
        let mut influence = Vec::with_capacity(self.len());
        for (expected, rows) in self.each() {
            let terms = rows.iter().zip(normalisers).zip(centres);
            let (sum, centred) = terms.fold(
                (expected, expected),
                |(sum, centred), ((row, normaliser), centre)| {
                    let weight = row.weight * normaliser;
                    (
                        sum + weight * row.reward,
                        centred + weight * (row.reward - centre),
                    )
                },
            );
            value += sum;
            influence.push(centred);
        }
        let mean = influence.iter().sum::<f64>() / n;
        let mut by_user: BTreeMap<u64, f64> = BTreeMap::new();
        let (mut units, mut squares) = (0.0, 0.0);
        for (term, user) in influence.iter().zip(&self.users) {
            match user {
                Some(user) => *by_user.entry(*user).or_default() += term - mean,
                None => {
                    units += 1.0;
                    squares += (term - mean) * (term - mean);
                }
            }
        }
        units += by_user.len() as f64;
        squares += by_user.values().map(|sum| sum * sum).sum::<f64>();
        Estimate {
            value: value / n,
            standard_error: clustered_error(squares, units) / n,
        }
    }

    /// Each slate: what the model expects of the target, and its rows.
    fn each(&self) -> impl Iterator<Item = (f64, &[Row])> {
        let mut begin = 0;
        self.slates.iter().map(move |&(end, expected)| {
            let rows = &self.rows[begin..end];
            begin = end;
            (expected, rows)
        })
    }

    fn places(&self) -> usize {
        self.each().map(|(_, rows)| rows.len()).max().unwrap_or(0)
    }
}

fn check(
    what: &'static str,
    mut values: impl Iterator<Item = f64>,
    good: impl Fn(f64) -> bool,
    range: &'static str,
) -> Result<(), RankingError> {
    match values.find(|&value| !good(value)) {
        Some(value) => Err(RankingError::OutOfRange { what, value, range }),
        None => Ok(()),
    }
}

/// Checks that probabilities of alternatives are each in [0, 1] and sum to 1 within 1e-6.
///
/// # Errors
/// [`RankingError::OutOfRange`] for the probability or the sum.
pub fn check_distribution(probabilities: &[f64]) -> Result<(), RankingError> {
    check(
        "a propensity",
        probabilities.iter().copied(),
        |p| (0.0..=1.0).contains(&p),
        "from 0 to 1",
    )?;
    let sum: f64 = probabilities.iter().sum();
    check(
        "the sum of the propensities of all alternatives",
        [sum].into_iter(),
        |sum| (sum - 1.0).abs() <= 1e-6,
        "1",
    )
}
