//! Random streams that depend only on the seed, their purpose and a number.
//!
//! The draws are computed from the output of ChaCha with integer arithmetic and a portable
//! mathematical library, so that the same seed gives the same bytes on every machine.

use counterweight_statistics::unit_interval;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of a stream. Streams with different purposes are independent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    User = 1,
    Author = 2,
    Post = 3,
    Request = 4,
    Lambda = 5,
    Topics = 6,
    Reaction = 7,
    Batch = 8,
}

/// One stream of random numbers.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream for this seed, this purpose and the entity with this number.
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&number.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform on [0, 1), in steps of 2⁻⁵³.
    pub(crate) fn unit(&mut self) -> f64 {
        unit_interval(self.bits())
    }

    /// Uniform on 0..n; n must be positive.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Normal with mean 0 and variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// A count: exp of a normal draw, at most `max`, rounded down.
    pub(crate) fn count(&mut self, mean: f64, sd: f64, max: f64) -> i32 {
        libm::exp(mean + sd * self.normal()).min(max) as i32
    }

    /// One element. `from` must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Puts the elements into a random order.
    pub(crate) fn shuffle<T>(&mut self, elements: &mut [T]) {
        for last in (1..elements.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            elements.swap(last, other);
        }
    }

    /// An index drawn in proportion to `weights`, which must not be empty.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (i, weight) in weights.enumerate() {
            last = i;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_stable_and_differ_by_purpose_and_number() {
        let first = |seed, purpose, number| Stream::new(seed, purpose, number).bits();
        assert_eq!(first(1, Purpose::User, 0), first(1, Purpose::User, 0));
        assert_ne!(first(1, Purpose::User, 0), first(1, Purpose::Author, 0));
        assert_ne!(first(1, Purpose::User, 0), first(1, Purpose::User, 1));
        assert_ne!(first(1, Purpose::User, 0), first(2, Purpose::User, 0));
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut stream = Stream::new(1, Purpose::User, 0);
        let draws: Vec<f64> = (0..40_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 40_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.03, "variance {variance}");
    }

    #[test]
    fn weighted_draws_follow_the_weights_and_never_take_a_zero() {
        let mut stream = Stream::new(2, Purpose::User, 0);
        let mut seen = [0; 3];
        for _ in 0..10_000 {
            seen[stream.weighted([1.0, 0.0, 3.0].into_iter())] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((seen[0] - 2_500_i32).abs() < 200, "{seen:?}");
    }
}
