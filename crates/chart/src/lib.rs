//! Small SVG charts: axes with names and round values, lines with bands, points, and labels beside
//! what they name instead of a legend.
//!
//! A chart is drawn once and coloured by style sheets: within a page it follows the reader's theme
//! ([`page_style`]), in its own file it has the colours of one [`Theme`].

mod chart;
mod drawing;
mod labels;
mod palette;
mod scale;
mod svg;

pub use chart::{Axis, Chart, Ink, Line, Mark, Theme};
pub use svg::page_style;
