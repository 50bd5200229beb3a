//! Progress bars on standard error. They are hidden if standard error is not a terminal.

use counterweight_trainer::{Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::escape;

/// One bar that follows the stages of training or evaluation.
pub(crate) struct Bar {
    bar: ProgressBar,
    stage: Option<Stage>,
    subject: String,
}

impl Bar {
    /// A bar for work on `subject`, such as an objective.
    pub(crate) fn new(subject: &str) -> Self {
        Self {
            bar: spinner(),
            stage: None,
            subject: escape(subject).into_owned(),
        }
    }

    /// Shows the progress of the work.
    pub(crate) fn show(&mut self, progress: Progress) {
        if self.stage != Some(progress.stage) {
            self.stage = Some(progress.stage);
            self.bar
                .set_message(format!("{}: {}", self.subject, progress.stage.name()));
        }
        match progress.total {
            Some(total) => {
                self.bar
                    .set_style(style("{spinner} {msg} {wide_bar} {pos}/{len}"));
                self.bar.set_length(total);
            }
            None => self.bar.set_style(style("{spinner} {msg} {pos}")),
        }
        self.bar.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar that counts to `total`.
pub(crate) fn counter(message: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_style(style(
        "{spinner} {msg} {wide_bar} {human_pos}/{human_len} {eta}",
    ));
    bar.set_message(escape(message).into_owned());
    bar
}

/// A spinner that counts the rows of a log; their total is not known in advance.
pub(crate) fn rows(log: &str) -> ProgressBar {
    let bar = spinner();
    bar.set_style(style("{spinner} {msg} {human_pos} rows"));
    bar.set_message(escape(log).into_owned());
    bar
}

/// A spinner for work of unknown length.
pub(crate) fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
