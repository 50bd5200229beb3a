//! How many places a page has, where recent requests are ranked again.

use clap::Args;

/// The size of the page.
#[derive(Args)]
pub(super) struct PageSize {
    /// Places of the page [default: the k of most of the recent requests].
    #[arg(short, long, value_name = "PLACES", value_parser = clap::value_parser!(u32).range(1..))]
    k: Option<u32>,
}

impl PageSize {
    /// As the combiner takes it: 0 lets it choose.
    pub(super) fn places(&self) -> u32 {
        self.k.unwrap_or(0)
    }
}
