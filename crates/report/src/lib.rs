//! A finished report of one log, for people as HTML or Markdown and for programs as JSON, all from
//! the same values.
//!
//! This crate renders values. Reading logs and models is up to its callers.

mod document;
mod error;
mod markdown;
mod render;
mod report;
mod sections;
mod view;
mod words;

pub use counterweight_chart::Theme;
pub use error::ReportError;
pub use render::front_picture;
pub use report::{Report, ReportParts};
