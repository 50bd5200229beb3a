//! What is known of a visit when it is over: the page, the truth, and what was sent.

use counterweight_simulator::{OBJECTIVES, Reaction};

/// The types of events: that a candidate was seen, and one for each objective.
pub const EVENT_TYPES: [&str; 3] = ["seen", OBJECTIVES[0], OBJECTIVES[1]];

/// A visit that is over: all of its events have been sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The ranking, as Rank answered.
    pub ranking_id: String,
    /// The request.
    pub request_id: String,
    /// The user.
    pub user_id: String,
    /// When it was ranked, by the players, in milliseconds since 1970. On a driven clock this is
    /// the time in the request log.
    pub ranked_ms: i64,
    /// The candidates of the page, best place first.
    pub shown: Vec<Shown>,
}

/// A candidate that was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The truth, the labels, and what the user did.
    pub reaction: Reaction,
    /// The events, in the order of [`EVENT_TYPES`].
    pub events: [Option<Sent>; 3],
}

/// An event that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Its id, the same for every copy.
    pub event_id: String,
    /// When it happened, as the event says, in milliseconds since 1970.
    pub time_ms: i64,
    /// Whether it happened after the window of 24 hours.
    pub after_window: bool,
    /// Copies that the server acknowledged.
    pub copies: u32,
    /// When the first of them was sent, in milliseconds since 1970.
    pub first_sent_ms: Option<i64>,
}
