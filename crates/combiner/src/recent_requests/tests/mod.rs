//! What the recent requests promise: bounded, fair, by profile, and out of Rank's way.

mod fair;
mod recent;
