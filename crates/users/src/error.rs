//! Why the users cannot play.

use counterweight_proto::code_name;
use counterweight_simulator::SimulatorError;
use tonic::Status;

/// Why the users cannot play.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The simulation failed, or the truth cannot be written.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The combiner does not say what it ranks by.
    #[error("DescribeRanking: {}: {}", code_name(.0.code()), .0.message())]
    Describe(Box<Status>),
    /// A model does not answer.
    #[error("the objective {objective:?} cannot be ranked: {reason}; start its model first")]
    NotReady {
        /// The objective.
        objective: String,
        /// Why.
        reason: String,
    },
    /// A model needs what the simulated feed does not have.
    #[error(
        "the objectives {objectives} need the feature {feature:?}, which the simulated feed does not have; serve models that were trained on data/sample"
    )]
    UnknownFeature {
        /// The feature.
        feature: String,
        /// The objectives that need it.
        objectives: String,
    },
    /// The speed is not one.
    #[error("the speed {0} is not valid; give a number above 0, for example 1000")]
    Speed(f64),
}
