//! The counterweight binary.
fn main() {}
