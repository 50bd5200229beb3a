//! Entries of the stream that cannot be read, and the later entries that skip them. Whoever can
//! publish to the stream can put anything into it, and no combiner deletes from it.

use std::path::Path;

use bytes::Bytes;

use super::link::Link;
use crate::{
    entry::{Skipped, digest},
    error::StoreError,
    store::line::{decode_line, encode_unreadable},
};

/// The most entries that are skipped at once.
pub(super) const MOST: u64 = 64;

/// The line of the copy for an unreadable entry of the stream, whose last revision is `last`; none
/// when no later entry skips it.
pub(super) async fn skipped_line(
    link: &Link,
    unreadable: &Bytes,
    revision: u64,
    last: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let skipped = Skipped {
        revision,
        hash: digest(unreadable),
    };
    // The entry that skips comes after at most so many that it skips.
    for at in revision + 1..=last.min(revision + MOST) {
        for line in link.lines(at..=at).await? {
            let entry = decode_line(Path::new(&link.store), at, &line);
            if let Ok(entry) = entry
                && entry.change.skipped.contains(&skipped)
            {
                return Ok(Some(encode_unreadable(unreadable)));
            }
        }
    }
    Ok(None)
}
