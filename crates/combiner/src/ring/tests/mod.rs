//! What the ring promises: bounded, fair, by profile, and out of Rank's way.

mod fair;
mod rings;
