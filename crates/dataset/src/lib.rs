//! Datasets: a TOML description of where the rows are and what their columns mean, read into the columns a model takes.
//!
//! [`Dataset::open`] reads and checks the description; [`Dataset::load`] reads the rows of one objective with their
//! labels, parts and groups; [`Dataset::inputs`] reads the rows to predict on and
//! [`Dataset::log`] those to benchmark on, piece by piece; [`describe()`] sums up what the files hold. Files are CSV, NDJSON or Parquet, by their ending.
//!
//! ```toml
//! name = "videos"
//! files = ["videos-*.csv"]           # relative to this file's folder, or to the folder given in its place; patterns
//! max_text_bytes = 16384             # optional: longer texts are cut
//!
//! [columns]                          # all optional: request, user, candidate, time, position, group, propensity
//! candidate = "video_id"
//! group = "channel_id"               # rows of one group share a part (`by = "group"`) and a fold (always)
//!
//! [[filter]]                         # rows must pass every filter; a missing value passes none
//! column = "views"
//! min = 1000                         # or max, equals, in = [..], not_between = [low, high], not_missing = true
//!
//! [[input]]                          # a column that is sent when serving; by itself a feature
//! name = "title"                     # unless `feature = false`
//! column = "headline"                # optional: the files' column, where its name is another
//! kind = "text"                      # numeric, boolean, categorical, text, list, vector (with `dim`)
//! side = "candidate"                 # or context; candidate when left out
//!
//! [[input]]
//! name = "position"
//! kind = "numeric"
//! side = "candidate"
//! served = 1.0                       # trains as it is, is served as 1
//!
//! [[feature]]                        # a derived feature: one of log1p, ratio, product, pair, contains, equal, dot
//! name = "rate"
//! ratio = ["a", "b"]
//!
//! [[objective]]
//! name = "engagement"
//! label = { ratio = ["likes", "views"], above = "training median" }  # or { column = "clicked" }, or above = 0.03
//! filter = [{ column = "views", min = 1000 }]
//! features = ["title"]               # optional: only these
//! sample_negatives = 0.1             # optional: the share of training negatives that is kept
//! outcome = { ratio = ["clicks", "views"] } # optional: what `bench` counts, in [0, 1], in place of the label; or `column`
//!
//! [requests]                         # optional, where there is no request column: how `bench` deals the rows of a part into
//! candidates = 30                    # requests, in an order drawn by the seed; what remains is left out
//! seed = 1                           # or, where there is one and its rows do not stand together: scattered = true
//!
//! [split]                            # left out: every row trains
//! by = "group"                       # or hash, time, column (with `column = ".."`)
//! train = 0.7
//! tune = 0.1
//! test = 0.2                         # calibrate = 0 when left out; at most 1 together, rows beyond are left out
//! seed = 1
//! ```
//!
//! # Logs larger than memory
//! Files are read piece by piece: 16 MiB of CSV or NDJSON, 128 Ki rows of a Parquet row group, only the columns that are
//! needed. Filters, the split and `sample_negatives` act on each piece before the next is read, so memory holds one
//! piece and the rows that are kept. Three things make a large log small: filters; `sample_negatives`, which keeps
//! a share of the training negatives and lets the trainer correct the prior; and fractions that sum to less than 1, whose remaining rows are left out. A
//! split by time reads the time column once more, before the rest, to find where to cut. `sample_negatives` needs labels that can
//! be told row by row, so it is refused with `above = "training median"`.
//!
//! # Values
//! An empty cell, a null and NaN are missing. ±∞ is an error. Numbers in a text or categorical column become their
//! shortest decimal form (`3.0` of a float column is `3`, as `3` of an integer column is). Lists and vectors are list
//! columns, or JSON arrays as text. Broken UTF-8 is replaced and the rows are counted. Row numbers in errors start from 1 and
//! leave out a CSV header and blank lines.

mod check;
mod convert;
mod dataset;
mod describe;
mod error;
mod files;
mod filter;
mod fingerprint;
mod folds;
mod gather;
mod label;
mod loaded;
mod log;
mod pieces;
mod plan;
mod reading;
mod rows;
mod schema;
mod spec;
mod split;

pub use dataset::{Dataset, InputPieces};
pub use describe::{
    ColumnDescription, Description, ObjectiveDescription, PartDescription, Range, RoleDescription,
    Table, describe,
};
pub use error::DatasetError;
pub use loaded::{Counts, Labels, Loaded, Part};
pub use log::{DealtRequests, LogColumns, LogPiece, LogPieces};
pub use rows::{IdColumn, Role, Rows};
pub use spec::SplitBy;
