//! Runs every case in turn, several times over, so that what drifts on the machine falls on all of
//! them; medians and extremes.

use anyhow::{Context as _, Result, ensure};
use counterweight_benches::{Figure, program::note};
use counterweight_load::{Latency, Options, Report, run as load};

/// Something to measure.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) options: Options,
}

impl Case {
    pub(crate) fn new(name: String, options: Options) -> Self {
        Self { name, options }
    }
}

/// A case with all its runs.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) runs: Vec<Report>,
}

impl Measured {
    pub(crate) fn p50(&self) -> Figure {
        self.latency(|latency| latency.p50_ms)
    }

    pub(crate) fn p99(&self) -> Figure {
        self.latency(|latency| latency.p99_ms)
    }

    pub(crate) fn throughput(&self) -> Figure {
        Figure::from_runs(self.runs.iter().map(|run| run.throughput))
    }

    fn latency(&self, of: impl Fn(&Latency) -> f64) -> Figure {
        let latencies = self.runs.iter().filter_map(|run| run.latency.as_ref());
        Figure::from_runs(latencies.map(of))
    }
}

/// Measures every case `runs` times, in rounds. A failed request fails the bench: figures with
/// errors in them mean nothing.
pub(crate) async fn run(cases: &[Case], runs: u16) -> Result<Vec<Measured>> {
    let mut measured: Vec<Measured> = cases
        .iter()
        .map(|case| Measured {
            name: case.name.clone(),
            runs: Vec::new(),
        })
        .collect();
    for round in 1..=runs {
        for (case, into) in cases.iter().zip(&mut measured) {
            note(&format!("round {round} of {runs}: {}", case.name));
            let report = once(&case.options)
                .await
                .with_context(|| case.name.clone())?;
            into.runs.push(report);
        }
    }
    Ok(measured)
}

/// One run without a failed request.
pub(crate) async fn once(options: &Options) -> Result<Report> {
    let report = load(options, |_| {}).await?;
    ensure!(report.failed() == 0, "requests failed: {:?}", report.errors);
    Ok(report)
}

/// A Markdown table: the median of the runs, and the lowest and highest.
pub(crate) fn table(measured: &[Measured]) -> String {
    let runs = measured.first().map_or(0, |case| case.runs.len());
    let mut text = format!(
        "Medians of {runs} runs (lowest–highest); {} cores.\n\n| | p50, ms | p99, ms | requests/s |\n|---|---|---|---|\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    for case in measured {
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            case.name,
            case.p50().cell(3),
            case.p99().cell(3),
            case.throughput().cell(0)
        ));
    }
    text
}
