//! The format of write-ahead segments: a header, then frames.
//!
//! Header, integers little-endian: magic (8 bytes), format version (u32), kind (u32), run (16
//! bytes), UTC hour of all records (i64, hours since 1970), CRC-32 of what precedes (u32).
//! Frame: length of the payload (u32), CRC-32 over these four bytes and the payload (u32), payload.

use std::path::Path;

use uuid::Uuid;

use crate::error::JournalError;

const MAGIC: &[u8; 8] = b"CWJOURNL";
/// The format that is written.
const FORMAT_VERSION: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 44;
const FRAME_HEAD: usize = 8;
/// The longest payload of a frame.
pub const MAX_FRAME_BYTES: usize = 16 << 20;
/// The longest segment; a reader has one in memory.
pub const MAX_SEGMENT_BYTES: u64 = 256 << 20;
/// How many bytes a search for the next valid frame may checksum, per byte of the segment. Without
/// it a damaged segment could cost quadratic time.
const SEARCH_FACTOR: usize = 16;

/// What the records of a segment are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Requests that were ranked.
    Requests,
    /// What users did.
    Events,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Requests, Self::Events];

    /// The name that files and folders have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Events => "events",
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Requests => 1,
            Self::Events => 2,
        }
    }
}

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What its records are.
    pub kind: Kind,
    /// The run of the journal folder.
    pub run: Uuid,
    /// The UTC hour of all its records, since 1970.
    pub hour: i64,
}

impl Header {
    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend(self.kind.code().to_le_bytes());
        bytes.extend(self.run.as_bytes());
        bytes.extend(self.hour.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the header; `None` where it was torn off by a crash before any record was written.
    ///
    /// # Errors
    /// [`JournalError::NewerVersion`] and [`JournalError::NotASegment`].
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Option<Self>, JournalError> {
        let not_a_segment = || JournalError::NotASegment {
            path: path.to_owned(),
        };
        let starts_as_segment = MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]);
        if bytes.iter().all(|&byte| byte == 0) || (starts_as_segment && bytes.len() < 12) {
            return Ok(None);
        }
        if !starts_as_segment {
            return Err(not_a_segment());
        }
        // A newer header may have another layout, so its version is read before its checksum.
        match u32_at(bytes, 8) {
            Some(found) if found > FORMAT_VERSION => {
                return Err(JournalError::NewerVersion {
                    path: path.to_owned(),
                    found,
                    known: FORMAT_VERSION,
                });
            }
            _ if bytes.len() < HEADER_BYTES => return Ok(None),
            _ => {}
        }
        let sum = u32_at(bytes, HEADER_BYTES - 4);
        if sum != Some(crc32fast::hash(&bytes[..HEADER_BYTES - 4])) {
            return Err(not_a_segment());
        }
        let code = u32_at(bytes, 12);
        let mut kinds = Kind::ALL.into_iter();
        let kind = kinds.find(|kind| code == Some(kind.code()));
        let kind = kind.ok_or_else(not_a_segment)?;
        let run = Uuid::from_slice(&bytes[16..32]).map_err(|_| not_a_segment())?;
        let hour = <[u8; 8]>::try_from(&bytes[32..40]).map_err(|_| not_a_segment())?;
        Ok(Some(Self {
            kind,
            run,
            hour: i64::from_le_bytes(hour),
        }))
    }
}

/// The frame of a payload, `None` for one that is empty or longer than [`MAX_FRAME_BYTES`].
#[must_use]
pub fn encode_frame(payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?;
    if payload.is_empty() || payload.len() > MAX_FRAME_BYTES {
        return None;
    }
    let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
    frame.extend(length.to_le_bytes());
    frame.extend(checksum(length, payload).to_le_bytes());
    frame.extend(payload);
    Some(frame)
}

/// What a segment has at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record.
    Record(&'a [u8]),
    /// Bytes that are no frame, with a whole valid frame behind them.
    Damaged {
        /// Where they start.
        offset: u64,
        /// How many they are.
        bytes: u64,
    },
}

impl Found<'_> {
    pub(crate) fn is_record(&self) -> bool {
        matches!(self, Self::Record(_))
    }
}

/// Reads the frames of a segment.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    /// End of what was read.
    at: usize,
    search_budget: usize,
}

impl<'a> Frames<'a> {
    /// Begins behind the header of a whole segment.
    #[must_use]
    pub fn new(segment: &'a [u8]) -> Self {
        Self {
            bytes: segment,
            at: HEADER_BYTES.min(segment.len()),
            search_budget: segment.len().saturating_mul(SEARCH_FACTOR),
        }
    }

    /// Once the iterator has ended, the end of the last valid frame. A crash tore what follows it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.at as u64
    }

    /// Where the next valid frame begins behind a place that has none.
    fn next_valid(&mut self) -> Option<usize> {
        for at in self.at + 1..self.bytes.len().saturating_sub(FRAME_HEAD) {
            let Some(length) = plausible_length(self.bytes, at) else {
                continue;
            };
            if length > self.search_budget {
                return None;
            }
            self.search_budget -= length;
            if frame_at(self.bytes, at).is_some() {
                return Some(at);
            }
        }
        None
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        if let Some(payload) = frame_at(self.bytes, self.at) {
            self.at += FRAME_HEAD + payload.len();
            return Some(Found::Record(payload));
        }
        let start = self.at;
        self.at = self.next_valid()?;
        Some(Found::Damaged {
            offset: start as u64,
            bytes: (self.at - start) as u64,
        })
    }
}

/// The payload of a whole valid frame at a place.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = plausible_length(bytes, at)?;
    let start = at + FRAME_HEAD;
    let payload = bytes.get(start..start + length)?;
    let sum = checksum(u32_at(bytes, at)?, payload);
    (u32_at(bytes, at + 4)? == sum).then_some(payload)
}

/// The length at a place, where a frame of that length would fit.
fn plausible_length(bytes: &[u8], at: usize) -> Option<usize> {
    let length = u32_at(bytes, at)? as usize;
    let room = bytes.len().checked_sub(at + FRAME_HEAD)?;
    (1..=MAX_FRAME_BYTES.min(room))
        .contains(&length)
        .then_some(length)
}

fn checksum(length: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    four.try_into().ok().map(u32::from_le_bytes)
}
