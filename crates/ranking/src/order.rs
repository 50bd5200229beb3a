//! Orders of numbers that every exact computation here shares.

/// An integer that orders as the number does; −0 is 0.
pub(crate) fn ascending(x: f64) -> u64 {
    let bits = (x + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

/// The `k` best candidates by `fixed − x·swept`, best first, ties by position: what is served at
/// exactly this x.
pub(crate) fn page_at(fixed: &[f64], swept: &[f64], x: f64, k: usize, page: &mut Vec<u32>) {
    let key = |&i: &u32| (!ascending(fixed[i as usize] - x * swept[i as usize]), i);
    page.clear();
    page.extend((0..).take(fixed.len()));
    if k < page.len() {
        page.select_nth_unstable_by_key(k, key);
        page.truncate(k);
    }
    page.sort_unstable_by_key(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_order_as_integers() {
        let numbers = [
            f64::NEG_INFINITY,
            -2.0,
            -1e-300,
            0.0,
            1e-300,
            0.5,
            2.0,
            f64::INFINITY,
        ];
        assert!(
            numbers
                .windows(2)
                .all(|pair| ascending(pair[0]) < ascending(pair[1]))
        );
        assert_eq!(ascending(-0.0), ascending(0.0));
    }

    #[test]
    fn a_page_at_one_point_breaks_ties_by_position() {
        let mut page = Vec::new();
        page_at(
            &[0.5, 0.9, 0.5, 0.5],
            &[0.0, 0.9, 0.0, 0.0],
            0.5,
            2,
            &mut page,
        );
        assert_eq!(page, [0, 2]);
        page_at(&[0.5, 0.9], &[0.0, 0.1], 0.5, 9, &mut page);
        assert_eq!(page, [1, 0]);
    }
}
