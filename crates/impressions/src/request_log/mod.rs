//! Reads the parts of a request log: ranks them again, and finds and explains one ranking.

mod explain;
mod find;
mod model_inputs;
mod part;
mod ranking;
mod replay;
mod rescore;

pub use explain::{Explained, FeatureTerms, NotExplained, RowExplained, TermOfColumn};
pub use find::{FoundRanking, find_ranking, nearest_ranking};
pub use model_inputs::InputValue;
pub use ranking::{LoggedRanking, read_ranking};
pub use replay::{Replayed, replay};
pub use rescore::{ProbabilityDifference, Rescored, Uncompared, Unlogged};
