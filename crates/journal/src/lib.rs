//! Durable logs: records go through a bounded queue into write-ahead segments, and closed segments
//! become Parquet parts.
//!
//! A [`JournalFolder`] is locked by one process. A [`Wal`] writes the records of one [`Kind`] into
//! segments of one UTC hour each. [`convert`] turns a closed segment of requests into one part and
//! deletes the segment only when the part is in place. [`retain`] deletes old parts. A [`Log`] does all
//! of this by itself, and uploads the parts where it has a [`PartStore`].

#[cfg(feature = "object-store")]
mod bucket;
mod clock;
mod contents;
mod disk;
mod error;
mod event;
mod folder;
mod forgotten;
mod keeper;
mod log;
mod log_state;
#[cfg(feature = "test")]
mod lossy_disk;
mod metrics;
#[cfg(not(feature = "object-store"))]
mod no_bucket;
mod part_schema;
mod part_store;
mod parts;
mod pending;
mod queue;
mod ranking;
mod retention;
mod segment;
mod segment_writer;
mod store_options;
mod table;
mod units;
mod upload_status;
mod uploader;
mod wal;

pub use clock::{Clock, HOUR_MS, SystemClock, hour_folder};
pub use contents::{Contents, PartFile, oldest_unconverted_hour, parts_of};
pub use disk::{Disk, DiskFile, OsDisk};
pub use error::{DropReason, JournalError};
pub use event::{EVENT_SCHEMA, EventsRecord, LoggedEvent};
pub use folder::JournalFolder;
pub use forgotten::Forgotten;
pub use log::Log;
pub use log_state::{LogOptions, LogStatus};
#[cfg(feature = "test")]
pub use lossy_disk::LossyDisk;
pub use metrics::LogMetrics;
pub use part_store::PartStore;
pub use parts::{Converted, Decode, PartOptions, convert};
pub use queue::{Durability, Receipt, Record};
pub use ranking::{
    Candidates, LoggedDraw, LoggedFeature, LoggedObjective, RANKING_SCHEMA, RankingRecord,
};
pub use retention::{Removed, Retention, retain};
pub use segment::{Found, Frames, Header, Kind, MAX_FRAME_BYTES, MAX_SEGMENT_BYTES, encode_frame};
pub use segment_writer::{ClosedSegment, WalOptions};
pub use store_options::{StoreOptions, StoreOptionsError};
pub use table::{Cells, Column, ColumnType, Columns, Values};
pub use units::{UnitRule, Units};
pub use upload_status::UploadStatus;
pub use wal::{Recovered, Wal};
