//! A report as HTML, as Markdown and as files of its plots.

use std::{fs, path::Path};

use counterweight_chart::{Chart, Theme};
use counterweight_evaluation::{CheckedQuestion, FrontReport};
use counterweight_files::write_file;

use crate::{error::ReportError, report::Report, sections, view::FrontView};

impl Report {
    /// One HTML file that needs nothing but itself.
    ///
    /// # Errors
    /// [`ReportError::Template`] where the text cannot be written.
    pub fn html(&self) -> Result<String, ReportError> {
        sections::document(self)?.html()
    }

    /// Markdown. `plots` is the folder of the plots as the text names it; none leaves them out.
    ///
    /// # Errors
    /// As [`Report::html`].
    pub fn markdown(&self, plots: Option<&str>) -> Result<String, ReportError> {
        sections::document(self)?.markdown(plots)
    }

    /// Writes every plot as an SVG file into a folder, which is made if need be; returns their
    /// names.
    ///
    /// # Errors
    /// [`ReportError::Write`] names the file; else as [`Report::html`].
    pub fn write_plots(&self, folder: &Path) -> Result<Vec<String>, ReportError> {
        let failed = |path: &Path, problem: std::io::Error| ReportError::Write {
            path: path.to_owned(),
            problem: problem.to_string(),
        };
        fs::create_dir_all(folder).map_err(|problem| failed(folder, problem))?;
        let mut names = Vec::new();
        for plot in sections::document(self)?.plots() {
            let name = format!("{}.svg", plot.name);
            let path = folder.join(&name);
            write_file(&path, plot.chart.file(Theme::Light)?.as_bytes())
                .map_err(|problem| failed(&path, problem))?;
            names.push(name);
        }
        Ok(names)
    }
}

/// The front alone as an SVG picture.
///
/// # Errors
/// [`ReportError::Template`] where the picture cannot be written.
pub fn front_picture(
    front: &FrontReport,
    question: &CheckedQuestion,
    theme: Theme,
) -> Result<String, ReportError> {
    let view = FrontView {
        front,
        question,
        recommended: None,
    };
    let chart = Chart {
        size: [760.0, 370.0],
        ..sections::front::chart(&view)?
    };
    Ok(chart.file(theme)?)
}
