//! A drawn λ for people and for programs: `rank` and `weights explain` show it alike.

use counterweight_proto::counterweight::v1::{Density, Draw};
use serde_json::{Value, json};

/// The name of a density, as the impression log has it.
pub(crate) fn density_name(density: Density) -> &'static str {
    match density {
        Density::Unspecified => "unspecified",
        Density::Uniform => "uniform",
        Density::LogUniform => "log_uniform",
    }
}

/// How a density draws, for people.
pub(crate) fn density_words(density: Density) -> &'static str {
    match density {
        Density::Unspecified => "somehow",
        Density::Uniform => "uniformly",
        Density::LogUniform => "log-uniformly",
    }
}

pub(crate) fn draw_text(draw: &Draw) -> String {
    format!(
        "λ = {}, drawn {} from {} to {}",
        draw.lambda,
        density_words(draw.density()),
        draw.low,
        draw.high
    )
}

pub(crate) fn draw_json(draw: &Draw) -> Value {
    json!({
        "lambda": draw.lambda,
        "low": draw.low,
        "high": draw.high,
        "density": density_name(draw.density()),
        "seed": draw.seed,
    })
}
