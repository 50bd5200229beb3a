//! The flag for the length of the page, for commands that rank recent requests again.

use clap::Args;

/// The length of the page.
#[derive(Args)]
pub(super) struct PageSize {
    /// The number of places of the page [default: the most frequent k of the recent requests].
    #[arg(short, long, value_name = "PLACES", value_parser = clap::value_parser!(u32).range(1..))]
    k: Option<u32>,
}

impl PageSize {
    /// The value that is sent; 0 lets the combiner choose.
    pub(super) fn places(&self) -> u32 {
        self.k.unwrap_or(0)
    }
}
