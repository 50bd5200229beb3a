//! What can go wrong in a journal.

use std::{io, path::PathBuf};

/// An error of the journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The system refused.
    #[error("{}: {action}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Another process has the folder.
    #[error(
        "{}: another process uses this journal folder; stop it, or give this one a folder of its own",
        path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The file of the run or of the sequence says something else.
    #[error("{}: `{content}` is not {expected}; restore the file, or move the journal folder away", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The beginning of its content.
        content: String,
        /// What should.
        expected: &'static str,
    },
    /// A segment of a newer program.
    #[error(
        "{}: the segment has format version {found}, and this program reads up to {known}; convert it with a newer program",
        path.display()
    )]
    NewerVersion {
        /// The segment.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is read.
        known: u32,
    },
    /// The file has no readable header.
    #[error("{}: this is not a segment, or its header is damaged; move it away", path.display())]
    NotASegment {
        /// The file.
        path: PathBuf,
    },
    /// A segment that is larger than any that is written.
    #[error("{}: the segment has {length} bytes, more than {most}; move it away", path.display())]
    SegmentTooLarge {
        /// The segment.
        path: PathBuf,
        /// Its length.
        length: u64,
        /// The most that a segment may have.
        most: u64,
    },
    /// A part of that name has other content.
    #[error(
        "{}: the part exists with other content than the segment {} gives; move one of them away",
        part.display(), segment.display()
    )]
    PartDiffers {
        /// The segment.
        segment: PathBuf,
        /// The part.
        part: PathBuf,
    },
    /// The Parquet writer refused.
    #[error("{}: the part cannot be written: {problem}", path.display())]
    Parquet {
        /// The unfinished part.
        path: PathBuf,
        /// What the writer said.
        problem: String,
    },
    /// A part is not in the object store yet.
    #[error("{}: the part cannot be uploaded to {url}: {problem}", path.display())]
    NotUploaded {
        /// The part.
        path: PathBuf,
        /// Where it should go.
        url: String,
        /// Why it cannot.
        problem: String,
    },
    /// An option is out of its range.
    #[error("{name} is {value}; {allowed}")]
    Option {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl JournalError {
    /// True where the same would happen again.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::NewerVersion { .. }
            | Self::NotASegment { .. }
            | Self::SegmentTooLarge { .. }
            | Self::PartDiffers { .. }
            | Self::Option { .. } => true,
            Self::Io { .. }
            | Self::Locked { .. }
            | Self::State { .. }
            | Self::Parquet { .. }
            | Self::NotUploaded { .. } => false,
        }
    }
}

/// Why a record was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DropReason {
    /// The queue has no room.
    #[error("the queue of the journal is full")]
    QueueFull,
    /// The record is longer than a frame may be.
    #[error("the record is larger than a frame may be")]
    TooLarge,
    /// The disk has no room.
    #[error("the disk is full")]
    DiskFull,
    /// A write or a sync failed.
    #[error("the record could not be written or synced")]
    WriteFailed,
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
    /// The folder of the journal cannot be opened.
    #[error("the folder of the journal cannot be opened")]
    NotOpen,
    /// The segments that are no parts yet take all the room that the log may have.
    #[error("the segments of the journal wait for their conversion and have no more room")]
    Backlog,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::TooLarge,
        Self::DiskFull,
        Self::WriteFailed,
        Self::Closed,
        Self::NotOpen,
        Self::Backlog,
    ];

    /// A short name, for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::DiskFull => "disk_full",
            Self::WriteFailed => "write_failed",
            Self::Closed => "closed",
            Self::NotOpen => "not_open",
            Self::Backlog => "backlog",
        }
    }

    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::WriteFailed,
        }
    }
}
