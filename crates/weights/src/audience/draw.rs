//! The λ of one request. It is drawn from the profile's density by the seed and the request's id
//! alone, before anything is known of the candidates.

use counterweight_ranking::{Density, splitmix64};

use super::{Draw, Exploration, assign::hash};

impl Exploration {
    /// From what λ is drawn.
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
    let u = ((splitmix64(seed) >> 11) as f64 + 0.5) * 0.5_f64.powi(53);
    density.quantile(u)
}
