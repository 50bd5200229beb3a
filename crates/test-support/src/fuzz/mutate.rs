//! Damage to an encoded message that knows where its fields are.

use std::ops::Range;

use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;

/// Numbers at the edges of what a varint holds.
const VARINTS: [u64; 10] = [
    0,
    1,
    127,
    128,
    u32::MAX as u64,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
    60_000_000,
];
/// A damaged message is no longer than this, so that memory is bounded.
const MAX_LENGTH: usize = 1 << 14;

/// One field on the wire.
#[derive(Debug, Clone)]
struct Field {
    /// From its tag to its end.
    whole: Range<usize>,
    /// What follows its tag, or its length if it has one.
    payload: Range<usize>,
    /// Where the number that is its value or its length begins; none for fixed widths.
    number: Option<usize>,
    delimited: bool,
}

/// Damages a message at one or two places, so that about half of them can still be decoded. `other` is a message whose fields may be put into it.
pub(super) fn mutate(rng: &mut ChaCha8Rng, message: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..1 + usize::from(rng.random_bool(0.3)) {
        bytes = damage(rng, bytes, other, 0);
    }
    bytes.truncate(MAX_LENGTH);
    bytes
}

fn damage(rng: &mut ChaCha8Rng, mut bytes: Vec<u8>, other: &[u8], depth: usize) -> Vec<u8> {
    let fields = fields(&bytes);
    let Some(field) = fields.choose(rng).cloned() else {
        return raw(rng, bytes);
    };
    // A nested message is damaged inside, and its length follows.
    if field.delimited && depth < 4 && rng.random_bool(0.5) {
        let inner = damage(rng, bytes[field.payload.clone()].to_vec(), other, depth + 1);
        return with_payload(&bytes, &field, &inner);
    }
    let whole = bytes[field.whole.clone()].to_vec();
    match rng.random_range(0..9) {
        0 => drop(bytes.drain(field.whole)),
        1 => drop(bytes.splice(field.whole.end..field.whole.end, whole)),
        2 => {
            let times = rng.random_range(2..64);
            bytes.extend(whole.repeat(times));
        }
        3 => {
            if let Some(number) = field.number {
                let end = field.payload.start.max(number);
                let end = if field.delimited {
                    end
                } else {
                    field.payload.end
                };
                let value = VARINTS.choose(rng).copied().unwrap_or_default();
                bytes.splice(number..end, varint(value));
            }
        }
        // Another wire type or field number.
        4 => bytes[field.whole.start] ^= 1 << rng.random_range(0..7),
        5 => {
            if let Some(field) = self::fields(other).choose(rng) {
                bytes.extend(&other[field.whole.clone()]);
            }
        }
        // The message inside itself.
        6 => {
            let inner = bytes.clone();
            bytes = with_payload(&bytes, &field, &inner);
        }
        7 => bytes.truncate(field.payload.end.saturating_sub(1)),
        _ => return raw(rng, bytes),
    }
    bytes
}

/// Damage that knows nothing of fields.
fn raw(rng: &mut ChaCha8Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = rng.random_range(0..=bytes.len());
    match rng.random_range(0..4) {
        0 => bytes.truncate(at),
        1 => {
            let more: [u8; 4] = rng.random();
            bytes.splice(at..at, more);
        }
        2 => bytes.splice(at..at, [0xff; 11]).for_each(drop),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.random();
            }
        }
    }
    bytes
}

/// The message with other contents of a delimited field.
fn with_payload(bytes: &[u8], field: &Field, payload: &[u8]) -> Vec<u8> {
    let (true, Some(number)) = (field.delimited, field.number) else {
        return bytes.to_vec();
    };
    let length = varint(payload.len() as u64);
    let (before, after) = (&bytes[..number], &bytes[field.payload.end..]);
    [before, &length, payload, after].concat()
}

/// The fields of a message, as far as it can be read.
fn fields(bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut start = 0;
    while let Some(field) = field(bytes, start) {
        start = field.whole.end;
        fields.push(field);
    }
    fields
}

fn field(bytes: &[u8], start: usize) -> Option<Field> {
    let (tag, after_tag) = read_varint(bytes, start)?;
    let (payload, number) = match tag & 7 {
        0 => (after_tag..read_varint(bytes, after_tag)?.1, Some(after_tag)),
        1 => (after_tag..after_tag + 8, None),
        5 => (after_tag..after_tag + 4, None),
        2 => {
            let (length, begin) = read_varint(bytes, after_tag)?;
            let end = begin.checked_add(usize::try_from(length).ok()?)?;
            (begin..end, Some(after_tag))
        }
        _ => return None,
    };
    (payload.end <= bytes.len()).then_some(Field {
        whole: start..payload.end,
        payload,
        number,
        delimited: tag & 7 == 2,
    })
}

/// A number and where it ends.
fn read_varint(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().skip(start).take(9) {
        value |= u64::from(byte & 0x7f) << (7 * (at - start));
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_exchanged() {
        // Field 1 = 300, field 2 = "abc", field 3 = a fixed number of 4 bytes.
        let bytes = [8, 0xac, 2, 18, 3, b'a', b'b', b'c', 29, 1, 2, 3, 4];
        let found = fields(&bytes);
        let ranges: Vec<_> = found.iter().map(|field| field.payload.clone()).collect();
        assert_eq!(ranges, [1..3, 5..8, 9..13]);
        let changed = with_payload(&bytes, &found[1], &[b'x'; 200]);
        assert_eq!(changed.len(), bytes.len() + 198);
        assert_eq!(fields(&changed)[1].payload, 6..206);
        assert_eq!(varint(300), [0xac, 2]);
        assert_eq!(
            read_varint(&varint(u64::from(u32::MAX)), 0),
            Some((u32::MAX.into(), 5))
        );
    }
}
