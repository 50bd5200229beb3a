//! The write-ahead log: a bounded queue, and one thread that writes, syncs and rotates segments.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    clock::Clock,
    error::{DropReason, JournalError},
    folder::{JournalFolder, io_error, read_segment},
    queue::{Durability, Queue, Queued, Receipt, Record, cost},
    segment::{Found, Frames, HEADER_BYTES, Header, Kind},
    segment_writer::{ClosedSegment, SegmentWriter, WalOptions},
};

/// How often the thread looks at the clock without any record.
const TICK: Duration = Duration::from_secs(1);
/// With one more record a segment stays shorter than what a reader accepts.
const LONGEST_SEGMENT: u64 = 200 << 20;

/// What an earlier process left.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Segments that were handed on.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of torn ends that were cut off.
    pub torn_bytes: u64,
    /// Segments that cannot be read; they stay where they are.
    pub refused: Vec<JournalError>,
}

/// Writes the records of one kind.
pub struct Wal {
    queue: Arc<Queue>,
    /// None once it is closed.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wal {
    /// Hands on the segments that an earlier process left, then starts the thread. `on_closed` gets
    /// each closed segment, later ones on the thread: it should return at once.
    ///
    /// # Errors
    /// [`JournalError::Option`] and [`JournalError::Io`].
    pub fn start(
        folder: Arc<JournalFolder>,
        clock: Arc<dyn Clock>,
        options: WalOptions,
        mut on_closed: impl FnMut(ClosedSegment) + Send + 'static,
    ) -> Result<(Self, Recovered), JournalError> {
        options.check()?;
        let recovered = recover(&folder, options.kind, &mut on_closed)?;
        let queue = Arc::new(Queue::new(options.queue_bytes));
        let name = format!("log-{}", options.kind.name());
        let path = folder.path().to_owned();
        let writer = SegmentWriter::new(folder, clock, options);
        let worker = Worker {
            queue: Arc::clone(&queue),
            writer,
            on_closed,
        };
        let thread = Builder::new().name(name).spawn(move || worker.run());
        let thread = thread.map_err(io_error(&path, "the thread of the log cannot start"))?;
        Ok((
            Self {
                queue,
                thread: Mutex::new(Some(thread)),
            },
            recovered,
        ))
    }

    /// Hands a record to the thread without waiting. With [`Durability::Request`] the receipt
    /// resolves when the record is durable.
    ///
    /// # Errors
    /// Why the record is dropped; it is counted.
    pub fn offer(
        &self,
        record: Record,
        durability: Durability,
    ) -> Result<Option<Receipt>, DropReason> {
        self.queue.offer(record, durability)
    }

    /// How many records were dropped for a reason since the start.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.queue.drops.get(reason)
    }

    /// How many records were written to a segment since the start.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.queue.written.load(Relaxed)
    }

    /// Writes and syncs what waits, closes the segment and ends the thread. Offers are refused from
    /// now on.
    pub fn close(&self) {
        self.queue.close();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the log panicked");
        }
    }
}

impl Drop for Wal {
    /// The thread ends by itself. Nobody waits for a disk that hangs.
    fn drop(&mut self) {
        self.queue.close();
    }
}

struct Worker<F> {
    queue: Arc<Queue>,
    writer: SegmentWriter,
    on_closed: F,
}

impl<F: FnMut(ClosedSegment)> Worker<F> {
    fn run(mut self) {
        let _abandon = AbandonOnExit(Arc::clone(&self.queue));
        let mut sync_at: Option<Instant> = None;
        loop {
            let tick = Instant::now() + TICK;
            let Some(batch) = self.queue.take(sync_at.map_or(tick, |at| at.min(tick))) else {
                break;
            };
            let bytes = cost(&batch);
            self.write(batch, &mut sync_at);
            self.writer.rotate_by_age();
            if !self.writer.has_unsynced() {
                sync_at = None;
            }
            self.report();
            self.queue.finish(bytes);
        }
        self.writer.close_synced();
        self.report();
    }

    /// Writes a batch, and syncs once for all of it that waits for a sync.
    fn write(&mut self, batch: Vec<Queued>, sync_at: &mut Option<Instant>) {
        let mut receipts = Vec::new();
        for Queued {
            record,
            durability,
            receipt,
        } in batch
        {
            let lost_before = self.writer.lost_records();
            let written = self.writer.write(record.time_ms, &record.payload);
            if self.writer.lost_records() > lost_before {
                // The segment before this record could not be synced: callers that wait for its
                // records get an error.
                fail_all(&mut receipts, DropReason::WriteFailed);
            }
            if let Err(reason) = written {
                self.queue.drops.add(reason, 1);
                if let Some(receipt) = receipt {
                    let _ = receipt.send(Err(reason));
                }
                continue;
            }
            self.queue.written.fetch_add(1, Relaxed);
            receipts.extend(receipt);
            if let Durability::Interval(interval) = durability {
                let at = Instant::now() + interval;
                *sync_at = Some(sync_at.map_or(at, |earlier| earlier.min(at)));
            }
        }
        let is_due = sync_at.is_some_and(|at| at <= Instant::now());
        if receipts.is_empty() && !is_due {
            return;
        }
        match self.writer.sync() {
            Ok(()) => {
                for receipt in receipts {
                    // A caller may have stopped waiting.
                    let _ = receipt.send(Ok(()));
                }
            }
            Err(reason) => fail_all(&mut receipts, reason),
        }
    }

    /// Counts what a failed sync lost, and hands on what was closed.
    fn report(&mut self) {
        self.queue
            .drops
            .add(DropReason::WriteFailed, self.writer.take_lost());
        for segment in self.writer.take_closed() {
            (self.on_closed)(segment);
        }
    }
}

fn fail_all(receipts: &mut Vec<oneshot::Sender<Result<(), DropReason>>>, reason: DropReason) {
    for receipt in receipts.drain(..) {
        let _ = receipt.send(Err(reason));
    }
}

/// Tells all who wait that the thread has ended, whatever ended it.
struct AbandonOnExit(Arc<Queue>);

impl Drop for AbandonOnExit {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl WalOptions {
    /// # Errors
    /// [`JournalError::Option`].
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        if !(1..=LONGEST_SEGMENT).contains(&self.segment_bytes) {
            return Err(JournalError::Option {
                name: "segment_bytes",
                value: self.segment_bytes.to_string(),
                allowed: "use at least 1 byte and at most 200 MiB",
            });
        }
        Ok(())
    }
}

/// Cuts off the torn ends of the segments that were left, and hands them on.
fn recover(
    folder: &JournalFolder,
    kind: Kind,
    on_closed: &mut impl FnMut(ClosedSegment),
) -> Result<Recovered, JournalError> {
    let mut recovered = Recovered::default();
    for (sequence, path) in folder.segments(kind)? {
        match close_left_over(folder, &path, &mut recovered) {
            Ok(0) => {}
            Ok(bytes) => {
                recovered.segments += 1;
                on_closed(ClosedSegment {
                    path,
                    sequence,
                    bytes,
                });
            }
            Err(error @ JournalError::Io { .. }) => return Err(error),
            Err(refused) => recovered.refused.push(refused),
        }
    }
    Ok(recovered)
}

/// The length of the segment without its torn end. One without any record is removed and has 0.
fn close_left_over(
    folder: &JournalFolder,
    path: &Path,
    recovered: &mut Recovered,
) -> Result<u64, JournalError> {
    let disk = folder.disk();
    let bytes = read_segment(&**disk, path)?;
    let mut end = 0;
    if Header::decode(path, &bytes)?.is_some() {
        let mut frames = Frames::new(&bytes);
        recovered.records += frames.by_ref().filter(Found::is_record).count() as u64;
        end = frames.end();
    }
    recovered.torn_bytes += bytes.len() as u64 - end;
    if end <= HEADER_BYTES as u64 {
        disk.remove(path)
            .map_err(io_error(path, "cannot be removed"))?;
        return Ok(0);
    }
    let cut = || -> io::Result<()> {
        let mut file = disk.open(path)?;
        if end < bytes.len() as u64 {
            file.truncate(end)?;
        }
        // What was read may never have been synced.
        file.sync()
    };
    cut().map_err(io_error(path, "its torn end cannot be cut off"))?;
    Ok(end)
}
