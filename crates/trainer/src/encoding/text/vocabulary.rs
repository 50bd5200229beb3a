//! The vocabulary: an id for each n-gram of the training texts.

use std::borrow::Cow;

use counterweight_model::encoder::Table;
use counterweight_model::encoder::text::{GramBuffer, GramKind};

use crate::encoding::hashed::HashedMap;

/// The n-grams that occur in enough texts, each with an id from 0.
pub(super) struct Vocabulary {
    ids: HashedMap<u32>,
}

impl Vocabulary {
    pub(super) fn from_texts(texts: &[Cow<'_, str>], kinds: &[GramKind], min_texts: u32) -> Self {
        let (mut counts, mut buffer) = (HashedMap::<u32>::default(), GramBuffer::default());
        for text in texts.iter().filter(|text| !text.is_empty()) {
            buffer.read(text, kinds);
            for hash in kinds.iter().flat_map(|kind| buffer.grams(*kind)) {
                *counts.entry(*hash).or_default() += 1;
            }
        }
        counts.retain(|_, count| *count >= min_texts);
        // The ids are in a fixed order, because the last bits of the ridge score's sums depend on
        // it.
        let mut hashes: Vec<u64> = counts.into_keys().collect();
        hashes.sort_unstable();
        Self {
            ids: hashes.into_iter().zip(0..).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, hash: u64) -> Option<usize> {
        self.ids.get(&hash).map(|id| *id as usize)
    }

    /// A table with the numbers of the n-grams, which are given by id; NaN is left out.
    pub(super) fn table(&self, numbers: &[f32]) -> Table {
        Table::new(
            self.ids
                .iter()
                .map(|(hash, id)| (*hash, numbers[*id as usize]))
                .collect(),
        )
    }
}
