//! Formats a drawn λ; `rank` and `weights explain` show it in the same way.

use counterweight_proto::counterweight::v1::{Density, Draw};
use counterweight_ranking::number_text;

/// The words for a draw from a density.
pub(crate) fn density_words(density: Density) -> &'static str {
    match density {
        Density::Unspecified => "from an unknown density",
        Density::Uniform => "uniformly",
        Density::LogUniform => "log-uniformly",
    }
}

/// A drawn λ with its range and density.
pub(crate) fn draw_text(draw: &Draw) -> String {
    format!(
        "λ = {}, drawn {} from {} to {}",
        number_text(draw.lambda),
        density_words(draw.density()),
        number_text(draw.low),
        number_text(draw.high)
    )
}
