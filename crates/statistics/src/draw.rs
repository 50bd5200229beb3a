//! Bits that look random and follow from a number alone, and what is drawn from them.

/// The first output of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) from this state.
pub fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The number in [0, 1) that the upper 53 bits of a hash stand for.
///
/// ```
/// use counterweight_statistics::unit_interval;
///
/// assert_eq!(unit_interval(0), 0.0);
/// assert_eq!(unit_interval(1 << 63), 0.5);
/// assert!(unit_interval(u64::MAX) < 1.0);
/// ```
pub fn unit_interval(hash: u64) -> f64 {
    // 53 bits are what a double holds: dividing by 2^53 is exact, and the result stays below 1.
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// The same in the middle of its step, so that it is above 0: for a quantile whose end has no
/// chance.
pub fn open_unit_interval(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// The Poisson count of mean 1 that a number in [0, 1) draws, by inversion; at most 20.
///
/// ```
/// use counterweight_statistics::poisson;
///
/// assert_eq!([0.0, 0.36, 0.37, 0.73, 0.74].map(poisson), [0, 0, 1, 1, 2]);
/// ```
pub fn poisson(uniform: f64) -> u32 {
    let (mut count, mut mass) = (0, (-1.0_f64).exp());
    let mut below = mass;
    while uniform >= below && count < 20 {
        count += 1;
        mass /= f64::from(count);
        below += mass;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outputs_are_the_published_ones() {
        // The first three from seed 1234567, as the reference implementation of Vigna gives them.
        let golden = 0x9e37_79b9_7f4a_7c15_u64;
        let outputs = [0, 1, 2].map(|i| splitmix64(golden.wrapping_mul(i).wrapping_add(1_234_567)));
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn counts_are_poisson_of_mean_one() {
        let n = 200_000;
        let mut seen = [0_u32; 21];
        (0..n).for_each(|i| seen[poisson(unit_interval(splitmix64(i))) as usize] += 1);
        let mut mass = (-1.0_f64).exp();
        for (count, &seen) in seen.iter().enumerate().take(6) {
            if count > 0 {
                mass /= count as f64;
            }
            let expected = mass * n as f64;
            assert!(
                (f64::from(seen) - expected).abs() < 5.0 * expected.sqrt(),
                "{count}: {seen} against {expected}"
            );
        }
    }

    #[test]
    fn an_open_interval_has_neither_end() {
        assert!(open_unit_interval(0) > 0.0);
        assert!(open_unit_interval(u64::MAX) <= 1.0);
    }
}
