//! Assigns groups to folds: balanced by rows, each group in one fold, reproducible by seed.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::DatasetError;

/// The fold of each row.
pub(crate) fn assign(groups: &[u64], k: usize, seed: u64) -> Result<Vec<u32>, DatasetError> {
    let mut sizes: HashMap<u64, usize> = HashMap::new();
    for &group in groups {
        *sizes.entry(group).or_default() += 1;
    }
    let problem = match k {
        0 | 1 => Some("use at least 2"),
        _ if k > sizes.len() => Some("use fewer folds or add data: a group is never divided"),
        _ => None,
    };
    if let Some(problem) = problem {
        return Err(DatasetError::Folds {
            folds: k,
            groups: sizes.len(),
            problem,
        });
    }
    let mut order: Vec<(usize, u64, u64)> = sizes
        .into_iter()
        .map(|(group, size)| (size, xxh3_64_with_seed(&group.to_le_bytes(), seed), group))
        .collect();
    order.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));

    // A min-heap of fold sizes: the smallest fold is first, and ties go to the lowest number.
    let mut heap: std::collections::BinaryHeap<std::cmp::Reverse<(usize, u32)>> = (0..)
        .take(k)
        .map(|fold| std::cmp::Reverse((0, fold)))
        .collect();
    let mut fold_of = HashMap::with_capacity(order.len());
    for (size, _, group) in order {
        if let Some(std::cmp::Reverse((rows, fold))) = heap.pop() {
            fold_of.insert(group, fold);
            heap.push(std::cmp::Reverse((rows + size, fold)));
        }
    }
    Ok(groups.iter().map(|group| fold_of[group]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folds_divide_no_group_and_are_as_even_as_the_largest_group_allows(
            groups in prop::collection::vec(0u64..40, 60..300),
            k in 2usize..6,
            seed in any::<u64>(),
        ) {
            prop_assume!(groups.iter().collect::<std::collections::HashSet<_>>().len() >= k);
            let folds = assign(&groups, k, seed).unwrap();
            prop_assert_eq!(&folds, &assign(&groups, k, seed).unwrap());
            let mut fold_of = HashMap::new();
            let mut rows = vec![0usize; k];
            let mut sizes: HashMap<u64, usize> = HashMap::new();
            for (&group, &fold) in groups.iter().zip(&folds) {
                prop_assert_eq!(*fold_of.entry(group).or_insert(fold), fold);
                rows[fold as usize] += 1;
                *sizes.entry(group).or_default() += 1;
            }
            let largest = *sizes.values().max().unwrap();
            prop_assert!(rows.iter().all(|&n| n > 0));
            prop_assert!(rows.iter().max().unwrap() - rows.iter().min().unwrap() <= largest);
        }
    }

    #[test]
    fn too_few_folds_or_groups_are_refused() {
        assert!(
            assign(&[1, 2, 3], 1, 0)
                .unwrap_err()
                .to_string()
                .contains("at least 2")
        );
        assert!(
            assign(&[1, 1, 2], 3, 0)
                .unwrap_err()
                .to_string()
                .contains("divide 2 groups into 3 folds")
        );
    }

    #[test]
    fn the_seed_decides_among_groups_of_one_size() {
        let groups: Vec<u64> = (0..100).collect();
        assert_ne!(
            assign(&groups, 5, 1).unwrap(),
            assign(&groups, 5, 2).unwrap()
        );
    }
}
