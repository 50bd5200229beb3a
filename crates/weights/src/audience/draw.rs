//! Draws the λ of one request from the profile's density. The seed and the request id alone decide
//! it, so it cannot depend on the candidates.

use counterweight_ranking::Density;
use counterweight_statistics::{open_unit_interval, splitmix64};

use super::{Draw, Exploration, assign::hash};

impl Exploration {
    /// The density that λ is drawn from.
    #[must_use]
    pub fn density(&self) -> Density {
        let (low, high) = (self.low, self.high);
        if self.log_uniform {
            Density::LogUniform { low, high }
        } else {
            Density::Uniform { low, high }
        }
    }
}

impl Draw {
    /// The draw of one request.
    pub(super) fn new(density: Density, seed: u64, request_id: &str) -> Self {
        let seed = hash([&seed.to_be_bytes(), request_id.as_bytes(), &[]]) >> 1;
        Self {
            lambda: lambda(density, seed),
            density,
            seed,
        }
    }
}

/// The λ that a draw's own seed gives: the quantile of ((splitmix64(seed) >> 11) + 0.5) / 2^53.
fn lambda(density: Density, seed: u64) -> f64 {
    density.quantile(open_unit_interval(splitmix64(seed)))
}
