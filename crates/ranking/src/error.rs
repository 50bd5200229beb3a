//! Why this crate refuses what it is given. Weights have [`crate::WeightsError`].

/// What is wrong, where, and what to do. Requests, candidates and objectives are counted from 0, in
/// the order in which they came.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RankingError {
    /// A page without places.
    #[error("k is 0; a page has at least one place")]
    NoPlaces,
    /// An index of an objective beyond the objectives there are.
    #[error("{what} names objective {objective}, but there are {objectives} objectives")]
    UnknownObjective {
        /// Who names it.
        what: &'static str,
        /// The index.
        objective: usize,
        /// How many there are.
        objectives: usize,
    },
    /// A fixed weight that is not finite, or fixed weights that are all zero.
    #[error("the fixed weights are {weights:?}; give finite ones, at least one of them not zero")]
    FixedWeights {
        /// Without the swept one.
        weights: Vec<f64>,
    },
    /// A number outside the range that its meaning allows.
    #[error("{what} is {value}; it must be {range}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: f64,
        /// In words.
        range: &'static str,
    },
    /// A request without candidates.
    #[error("request {request} has no candidates; leave it out")]
    NoCandidates {
        /// The request.
        request: usize,
    },
    /// More candidates than can be counted in 32 bits.
    #[error(
        "request {request} has {candidates} candidates, more than 2^32 - 2; check the column that names the request"
    )]
    TooManyCandidates {
        /// The request.
        request: usize,
        /// How many.
        candidates: usize,
    },
    /// A column that is missing, or of another length.
    #[error("request {request}: {what} has {found} entries where {expected} are due")]
    Length {
        /// The request.
        request: usize,
        /// Which column.
        what: &'static str,
        /// What is there.
        found: usize,
        /// What should be.
        expected: usize,
    },
    /// A probability outside [0, 1], or not a number.
    #[error(
        "request {request}, candidate {candidate}: the probability of objective {objective} is {value}; it must be from 0 to 1"
    )]
    Probability {
        /// The request.
        request: usize,
        /// The candidate.
        candidate: usize,
        /// The objective.
        objective: usize,
        /// What is there.
        value: f64,
    },
    /// A label outside [0, 1].
    #[error(
        "request {request}, candidate {candidate}: the label of objective {objective} is {value}; it must be from 0 to 1, or NaN where it is not known"
    )]
    Label {
        /// The request.
        request: usize,
        /// The candidate.
        candidate: usize,
        /// The objective.
        objective: usize,
        /// What is there.
        value: f64,
    },
    /// A slate that names a candidate twice, or one that is not there.
    #[error(
        "the slate contains candidate {candidate} twice, or it is not one of the {candidates} candidates"
    )]
    Slate {
        /// The candidate.
        candidate: usize,
        /// How many there are.
        candidates: usize,
    },
    /// A slate that the logging policy would not have shown.
    #[error(
        "request {request}: the candidate at place {place} (from 0) had probability {propensity:e} there; the probabilities, weights and positions of this log do not belong together"
    )]
    NeverShown {
        /// The request.
        request: usize,
        /// The place.
        place: usize,
        /// Its probability.
        propensity: f64,
    },
    /// Requests whose weights were drawn from ranges without a common part.
    #[error(
        "the requests explored no common range of weights: the highest lower end is {low}, the lowest upper end {high}; evaluate the periods apart"
    )]
    NoCommonRange {
        /// The highest lower end.
        low: f64,
        /// The lowest upper end.
        high: f64,
    },
    /// Gain and cost of one objective.
    #[error(
        "the gain and the sought weight are both of objective {objective}; name two objectives"
    )]
    GainIsCost {
        /// The objective.
        objective: usize,
    },
    /// A request that does not want the gain.
    #[error(
        "request {request}: the weight of the gain is {weight}; it must be above 0 for a weight to be solved for"
    )]
    GainWeight {
        /// The request.
        request: usize,
        /// Its weight.
        weight: f64,
    },
    /// No request that the sought weight applies to.
    #[error(
        "no request depends on the sought weight of objective {objective}: all have another one in its place"
    )]
    NothingFree {
        /// The objective.
        objective: usize,
    },
    /// Bounds without a weight that could be the answer.
    #[error("no weight of at most 0 lies well within {low} to {high}; widen the bounds")]
    NoWeight {
        /// The least weight.
        low: f64,
        /// The most.
        high: f64,
    },
    /// A budget below all that can be had.
    #[error(
        "no weight within the bounds keeps the cost to {budget}: the lowest is {lowest}, at weight {weight}"
    )]
    BudgetOutOfReach {
        /// The limit of the goal.
        budget: f64,
        /// The lowest cost.
        lowest: f64,
        /// A weight that gives it.
        weight: f64,
    },
    /// A gain above all that can be had.
    #[error(
        "no weight within the bounds reaches a gain of {gain}: the highest is {highest}, at weight {weight}"
    )]
    GainOutOfReach {
        /// The limit of the goal.
        gain: f64,
        /// The highest gain.
        highest: f64,
        /// A weight that gives it.
        weight: f64,
    },
    /// The caller stopped the computation.
    #[error("the computation was stopped before its end")]
    Stopped,
    /// Nothing was fed.
    #[error("no request was added; add at least one")]
    NoRequests,
    /// Two sets of replicates that were not drawn alike.
    #[error(
        "the replicates differ in {what} ({left} and {right}); draw both with the same seed, count and units, at as many points, of the same metrics"
    )]
    NotPaired {
        /// In what.
        what: &'static str,
        /// Of the left one.
        left: u64,
        /// Of the right one.
        right: u64,
    },
}
