//! The simulated users of `counterweight-simulator`, in front of a running combiner: they ask for
//! pages, see them, react by the known law, and send events. So the whole loop of a feed runs on one
//! machine, with the truth at hand.
//!
//! [`play`] is an ordinary client over gRPC. It says of every visit what was sent and what the
//! server kept, as a [`Played`]; [`TruthFile`] writes that to Parquet. With the feature `driven`,
//! the players drive the clock of the combiner, and a simulated month takes minutes.

mod counts;
#[cfg(feature = "driven")]
mod days;
mod error;
mod features;
mod outbox;
mod pace;
mod play;
mod played;
mod rank;
mod truth_file;

pub use counts::Counts;
#[cfg(feature = "driven")]
pub use days::play_days;
pub use error::UsersError;
pub use pace::Pace;
pub use play::play;
pub use played::{EVENT_TYPES, Played, Sent, Shown};
pub use truth_file::TruthFile;
