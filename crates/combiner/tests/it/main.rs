//! Every integration test of this crate, in one binary: one link instead of 14.

mod common;

mod audience;
mod binding;
mod bounded;
mod bounds;
mod clock;
mod crash;
mod decoders;
mod displaced;
mod endpoints;
mod faults;
mod fire;
mod history;
mod lifecycle;
mod local_kill;
mod log;
mod outage;
mod preview;
mod ranking;
mod replicas;
mod request_log;
mod solve;
mod stability;
mod steering;
mod weights;
