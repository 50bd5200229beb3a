//! Datasets: a TOML description says where the rows are and what their columns mean. This crate
//! reads the rows into the columns that a model accepts.
//!
//! - [`Dataset::open`] reads and checks the description.
//! - [`Dataset::load`] reads the rows of one objective with their labels, parts and groups.
//! - [`Dataset::inputs`] reads the rows to predict on, piece by piece.
//! - [`Dataset::log`] reads the rows to evaluate on, piece by piece.
//! - [`describe()`] summarises what the files contain.
//!
//! Files are CSV, NDJSON or Parquet. The ending of a file's name determines its format.
//!
//! ```toml
//! name = "videos"
//! # Files, folders and patterns, relative to this file's folder, or to the data folder if given.
//! files = ["videos-*.csv"]
//! max_text_bytes = 16384       # optional: longer texts are cut
//!
//! # All optional: request, user, candidate, time, position, group, propensity.
//! [columns]
//! candidate = "video_id"
//! # Rows of one group share a fold, and a part if the split is `by = "group"`.
//! # A row without a group is its own group.
//! group = "channel_id"
//!
//! # Rows must pass every filter; a missing value fails each of them.
//! [[filter]]
//! column = "views"
//! # or max, equals, in = [..], not_between = [low, high], not_missing = true
//! min = 1000
//!
//! # A column that is sent when serving. It is also a feature, unless `feature = false`.
//! [[input]]
//! name = "title"
//! column = "headline"          # optional: the column in the files, if its name differs
//! kind = "text"                # numeric, boolean, categorical, text, list, vector (with `dim`)
//! side = "candidate"           # or context; the default is candidate
//!
//! [[input]]
//! name = "position"
//! kind = "numeric"
//! side = "candidate"
//! served = 1.0                 # training reads the column; serving uses 1
//!
//! # A derived feature: one of log1p, ratio, product, pair, contains, equal, dot.
//! [[feature]]
//! name = "rate"
//! ratio = ["a", "b"]
//!
//! [[objective]]
//! name = "engagement"
//! # or { column = "clicked" }, or above = 0.03
//! label = { ratio = ["likes", "views"], above = "training median" }
//! filter = [{ column = "views", min = 1000 }]
//! features = ["title"]         # optional: the features to use; the default is all
//! sample_negatives = 0.1       # optional: the share of training negatives to keep
//! # optional: a value in [0, 1] that `bench` counts instead of the label; or { column = ".." }
//! outcome = { ratio = ["clicks", "views"] }
//!
//! # Optional. Without a request column, `bench` groups the rows of a part into requests of this
//! # many candidates, in an order drawn by the seed, and leaves the remaining rows out. With a
//! # request column whose rows are not adjacent, write `scattered = true` instead.
//! [requests]
//! candidates = 30
//! seed = 1
//!
//! # Optional. Without it, every row is a training row.
//! [split]
//! by = "group"                 # or hash, time, column (with `column = ".."`)
//! train = 0.7                  # the fractions sum to at most 1; remaining rows are left out
//! tune = 0.1
//! test = 0.2                   # calibrate defaults to 0
//! seed = 1
//! ```
//!
//! # Folders
//! A folder is read with all of its subfolders. Hidden files and names that begin with `_`, such as
//! `_SUCCESS`, are skipped. A folder name such as `dt=2024-01-01` adds a column `dt` to the files
//! below it, unless they have a column of that name with values.
//!
//! # Logs larger than memory
//! Files are read piece by piece: 16 MiB of CSV or NDJSON, 128 Ki rows of a Parquet row group, and
//! only the columns that are needed. Filters, the split and `sample_negatives` act on each piece
//! before the next is read, so memory contains one piece and the rows that are kept. Three settings
//! reduce a large log:
//! - filters;
//! - `sample_negatives`, which keeps a share of the training negatives and lets the trainer correct
//!   the prior; each row must determine its own label, so it is refused with
//!   `above = "training median"`;
//! - fractions that sum to less than 1, which leave the remaining rows out.
//!
//! A split by time first reads the time column alone, to find where each part starts.
//!
//! # Values
//! - An empty cell, a null and NaN are missing. ±∞ is an error.
//! - Numbers in a text or categorical column become their shortest decimal form: `3.0` in a float
//!   column becomes `3`, like `3` in an integer column.
//! - A DECIMAL is a number; without fractional digits it is an integer.
//! - Times are ISO 8601, the file's own dates and times, or numbers in one unit for all rows. A
//!   time without an offset is UTC.
//! - Lists and vectors are list columns, or JSON arrays as text.
//! - Broken UTF-8 is replaced and the affected rows are counted. A byte order mark is skipped.
//!
//! Row numbers in errors start at 1 and do not count a CSV header or blank lines.

mod builder;
mod check;
mod convert;
mod dataset;
mod describe;
mod error;
mod excerpt;
mod files;
mod filter;
mod fingerprint;
mod folds;
mod gather;
mod label;
mod loaded;
mod log;
mod moment;
mod parquet_frames;
mod parquet_rows;
mod pieces;
mod plan;
mod reading;
mod rows;
mod schema;
mod shares;
mod spec;
mod split;
mod whole;

pub use builder::DatasetBuilder;
pub use dataset::{Dataset, InputPieces};
pub use describe::{
    ColumnDescription, Description, ObjectiveDescription, PartDescription, Range, RoleDescription,
    Table, describe,
};
pub use error::DatasetError;
pub use excerpt::Excerpt;
pub use loaded::{Counts, Labels, Loaded, Part};
pub use log::{DealtRequests, LogColumns, LogPiece, LogPieces};
pub use parquet_frames::ParquetFrames;
pub use parquet_rows::ParquetRows;
pub use rows::{IdColumn, Role, Rows};
pub use spec::SplitBy;
pub use whole::whole_number;
