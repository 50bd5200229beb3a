//! The system as its users meet it: real processes, real sockets, clients that others wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

mod support;

mod architecture;
mod changes;
mod command_line;
mod corpus;
mod explored;
mod feedback;
mod foreign;
mod foreign_log;
mod learned;
mod log_show;
mod object_storage;
mod offline;
mod parity;
mod report;
mod request_log;
mod serve;
mod steering;
mod tables;
mod up;
mod users;
mod watching;
