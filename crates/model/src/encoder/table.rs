//! A read-only map from the hash of a string to a number, for hundreds of thousands of n-grams or
//! categories.
//!
//! In the artefact it is one base64 string: the sorted 64-bit hashes, then the values as 32-bit
//! floats, both little-endian. In memory it is an open-addressing table with 8 bytes per slot. The
//! upper bits of the hash select the slot, and the lower 32 bits are compared. An unknown string is
//! therefore mistaken for a known one about once in 2³² look-ups.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The hash by which a [`Table`] looks up strings.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Maps hashes to numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Table {
    /// Sorted by hash; each hash occurs once.
    entries: Vec<(u64, f32)>,
    slots: Vec<Slot>,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    low: u32,
    /// NaN in a free slot.
    value: f32,
}

const FREE: Slot = Slot {
    low: 0,
    value: f32::NAN,
};
const ENTRY_BYTES: usize = 12;

impl Table {
    /// A table of these hashes and values. Values that are not finite are dropped. Of entries with
    /// equal hashes, the one with the smallest value is kept.
    #[must_use]
    pub fn new(mut entries: Vec<(u64, f32)>) -> Self {
        entries.retain(|(_, value)| value.is_finite());
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        entries.dedup_by_key(|entry| entry.0);
        let bits = (entries.len() * 2)
            .next_power_of_two()
            .max(2)
            .trailing_zeros();
        let mut table = Self {
            entries,
            slots: vec![FREE; 1 << bits],
            shift: 64 - bits,
        };
        for index in 0..table.entries.len() {
            let (hash, value) = table.entries[index];
            let slot = table.find(hash);
            table.slots[slot] = Slot {
                low: hash as u32,
                value,
            };
        }
        table
    }

    /// Number of entries.
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number that is stored for a hash.
    #[inline]
    #[must_use]
    pub fn get(&self, hash: u64) -> Option<f64> {
        let value = self.slots[self.find(hash)].value;
        if value.is_nan() {
            None
        } else {
            Some(f64::from(value))
        }
    }

    /// The slot of `hash`, or the free slot where it would be stored. At most half of the slots are
    /// used, so the search ends.
    #[inline]
    fn find(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut index = (hash >> self.shift) as usize;
        loop {
            let slot = self.slots[index];
            if slot.value.is_nan() || slot.low == hash as u32 {
                return index;
            }
            index = (index + 1) & mask;
        }
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl From<Table> for String {
    fn from(table: Table) -> Self {
        let mut bytes = Vec::with_capacity(table.entries.len() * ENTRY_BYTES);
        table
            .entries
            .iter()
            .for_each(|(hash, _)| bytes.extend(hash.to_le_bytes()));
        table
            .entries
            .iter()
            .for_each(|(_, value)| bytes.extend(value.to_le_bytes()));
        BASE64.encode(bytes)
    }
}

impl TryFrom<String> for Table {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = BASE64
            .decode(text)
            .map_err(|error| format!("a table is not base64: {error}"))?;
        let count = bytes.len() / ENTRY_BYTES;
        if bytes.len() != count * ENTRY_BYTES {
            return Err(format!("a table of {} bytes was cut short", bytes.len()));
        }
        let (hashes, values) = bytes.split_at(count * 8);
        let hashes = hashes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes));
        let values = values
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes));
        let table = Self::new(hashes.zip(values).collect());
        if table.len() == count {
            Ok(table)
        } else {
            Err("a table contains a hash twice or a number that is not finite".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_stored_hashes_and_no_others() {
        let key = |i: u32| hash(&i.to_le_bytes());
        let table = Table::new((0..10_000).map(|i| (key(i), i as f32)).collect());
        assert!((0..10_000).all(|i| table.get(key(i)) == Some(f64::from(i))));
        assert!((10_000..50_000).all(|i| table.get(key(i)).is_none()));
        assert_eq!(Table::new(vec![]).get(key(1)), None);
        // Hashes that all belong in the last slot wrap around.
        let crowd = Table::new((0..8).map(|i| (u64::MAX - i, i as f32)).collect());
        assert!((0..8).all(|i| crowd.get(u64::MAX - i) == Some(i as f64)));
    }

    #[test]
    fn survives_its_text_form_exactly_and_rejects_damage() {
        let table = Table::new(
            (0..1000_u64)
                .map(|i| (hash(&i.to_le_bytes()), (i as f32).sin()))
                .collect(),
        );
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
        let bytes = |text: &str| {
            serde_json::from_str::<Table>(&format!("\"{text}\""))
                .unwrap_err()
                .to_string()
        };
        assert!(bytes("!!!!").contains("not base64"));
        assert!(bytes(&BASE64.encode([0; 13])).contains("cut short"));
        assert!(bytes(&BASE64.encode([0; 24])).contains("twice"));
    }
}
