//! Writes records into segments: one open at a time, cut off again after a failed write.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    clock::{Clock, HOUR_MS},
    disk::DiskFile,
    error::DropReason,
    folder::JournalFolder,
    segment::{HEADER_BYTES, Header, Kind, encode_frame},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How a log is written.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// What its records are.
    pub kind: Kind,
    /// Bytes that may wait for the disk.
    pub queue_bytes: usize,
    /// Bytes of a segment, but for a single record that is larger.
    pub segment_bytes: u64,
    /// Age at which a segment is closed.
    pub segment_age: Duration,
}

/// A segment to which nothing is written any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSegment {
    /// The file.
    pub path: PathBuf,
    /// Its number.
    pub sequence: u64,
    /// Its length.
    pub bytes: u64,
}

/// An open segment.
struct Segment {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    sequence: u64,
    hour: i64,
    opened_ms: i64,
    /// The last good length.
    length: u64,
    /// The length that was synced, and the records behind it.
    synced: u64,
    unsynced: u64,
}

/// After a failure nothing is tried until a time, so that a broken disk costs no processor time.
struct BackOff {
    reason: DropReason,
    pause: Duration,
    until: Instant,
}

pub(crate) struct SegmentWriter {
    folder: Arc<JournalFolder>,
    clock: Arc<dyn Clock>,
    options: WalOptions,
    open: Option<Segment>,
    back_off: Option<BackOff>,
    closed: Vec<ClosedSegment>,
    /// Written records that a failed sync lost and that nobody has counted yet.
    lost: u64,
}

impl SegmentWriter {
    pub(crate) fn new(
        folder: Arc<JournalFolder>,
        clock: Arc<dyn Clock>,
        options: WalOptions,
    ) -> Self {
        Self {
            folder,
            clock,
            options,
            open: None,
            back_off: None,
            closed: Vec::new(),
            lost: 0,
        }
    }

    /// Appends a record to the segment of its hour.
    pub(crate) fn write(&mut self, time_ms: i64, payload: &[u8]) -> Result<(), DropReason> {
        if let Some(back_off) = &self.back_off
            && Instant::now() < back_off.until
        {
            return Err(back_off.reason);
        }
        let frame = encode_frame(payload).ok_or(DropReason::TooLarge)?;
        let hour = time_ms.div_euclid(HOUR_MS);
        self.rotate_for(hour, frame.len() as u64);
        let appended = self
            .segment(hour)
            .and_then(|segment| segment.append(&frame));
        match appended {
            Ok(()) => {
                self.back_off = None;
                Ok(())
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Makes all records durable. After an error those behind the last sync are lost.
    pub(crate) fn sync(&mut self) -> Result<(), DropReason> {
        let Some(segment) = self.open.as_mut().filter(|segment| segment.unsynced > 0) else {
            return Ok(());
        };
        let Err(error) = segment.file.sync() else {
            segment.synced = segment.length;
            segment.unsynced = 0;
            return Ok(());
        };
        // After a failed sync the system may have forgotten what was not written. Nothing behind
        // the last sync is trusted: `fail` cuts it off, so that what is lost is what is counted.
        self.lost += std::mem::take(&mut segment.unsynced);
        segment.length = segment.synced;
        let reason = self.fail(&error);
        self.close();
        Err(reason)
    }

    /// Closes the segment if it is too old.
    pub(crate) fn rotate_by_age(&mut self) {
        let now_ms = self.clock.now_ms();
        let longest = i64::try_from(self.options.segment_age.as_millis()).unwrap_or(i64::MAX);
        let is_old = |segment: &Segment| {
            // A clock that was set back cannot tell the age.
            now_ms < segment.opened_ms || now_ms - segment.opened_ms >= longest
        };
        if self.open.as_ref().is_some_and(is_old) {
            self.close_synced();
        }
    }

    /// Syncs and closes the open segment.
    pub(crate) fn close_synced(&mut self) {
        // A failed sync closes the segment, too, and its records are in `lost`.
        if self.sync().is_ok() {
            self.close();
        }
    }

    pub(crate) fn take_closed(&mut self) -> Vec<ClosedSegment> {
        std::mem::take(&mut self.closed)
    }

    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Records that are lost and not counted yet.
    pub(crate) fn lost_records(&self) -> u64 {
        self.lost
    }

    /// Whether records wait for a sync.
    pub(crate) fn has_unsynced(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|segment| segment.unsynced > 0)
    }

    fn rotate_for(&mut self, hour: i64, frame_bytes: u64) {
        let fits = |segment: &Segment| {
            segment.hour == hour
                && (segment.length == HEADER_BYTES as u64
                    || segment.length + frame_bytes <= self.options.segment_bytes)
        };
        if self.open.as_ref().is_some_and(|segment| !fits(segment)) {
            self.close_synced();
        }
    }

    /// The open segment, or a new one.
    fn segment(&mut self, hour: i64) -> io::Result<&mut Segment> {
        if self.open.is_none() {
            self.open = Some(self.create(hour)?);
        }
        self.open
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Creates a segment whose name and header are durable, so that syncing its bytes is enough to
    /// make a record durable.
    fn create(&self, hour: i64) -> io::Result<Segment> {
        let disk = self.folder.disk();
        let sequence = self.folder.next_sequence()?;
        let path = self.folder.segment_path(self.options.kind, sequence);
        let header = Header {
            kind: self.options.kind,
            run: self.folder.run(),
            hour,
        };
        let mut file = disk.create(&path)?;
        let written = file
            .append(&header.encode())
            .and_then(|()| file.sync())
            .and_then(|()| disk.sync_folder(&self.folder.wal()));
        if let Err(error) = written {
            // What stays behind is removed at the next start.
            let _ = disk.remove(&path);
            return Err(error);
        }
        let length = HEADER_BYTES as u64;
        Ok(Segment {
            path,
            file,
            sequence,
            hour,
            opened_ms: self.clock.now_ms(),
            length,
            synced: length,
            unsynced: 0,
        })
    }

    /// Begins or lengthens the pause after a failure. A segment whose end is unknown is closed.
    fn fail(&mut self, error: &io::Error) -> DropReason {
        let reason = DropReason::from_io(error);
        let pause = self
            .back_off
            .as_ref()
            .map_or(FIRST_PAUSE, |last| (last.pause * 2).min(LONGEST_PAUSE));
        self.back_off = Some(BackOff {
            reason,
            pause,
            until: Instant::now() + pause,
        });
        tracing::warn!(%error, ?pause, "the journal cannot write and drops records; it tries again after the pause");
        let Some(segment) = &mut self.open else {
            return reason;
        };
        if let Err(error) = segment.file.truncate(segment.length) {
            tracing::error!(
                segment = %segment.path.display(), %error,
                "records that were counted as lost could not be cut off and may still be there"
            );
            // Its end is unknown. Readers take a torn end for that of a crash.
            self.close_synced();
        }
        reason
    }

    fn close(&mut self) {
        let Some(segment) = self.open.take() else {
            return;
        };
        if segment.length > HEADER_BYTES as u64 {
            self.closed.push(ClosedSegment {
                path: segment.path,
                sequence: segment.sequence,
                bytes: segment.length,
            });
        } else {
            // An empty one that stays behind is removed at the next start.
            let _ = self.folder.disk().remove(&segment.path);
        }
    }
}

impl Segment {
    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        self.file.append(frame)?;
        self.length += frame.len() as u64;
        self.unsynced += 1;
        Ok(())
    }
}
