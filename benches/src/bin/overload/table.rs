//! What was measured, as a Markdown table, and whether it meets the aims.

use counterweight_benches::program::print;
use counterweight_load::{Latency, Report};

use crate::Point;

/// Goodput under overload, as a share of the peak.
const GOODPUT: f64 = 0.9;
/// The 99th percentile of the latency of refusals, in milliseconds.
const REFUSAL_MS: f64 = 10.0;

/// One workload with everything that was measured of it.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// Requests per second of the closed loop.
    pub(crate) capacity: f64,
    /// Requests per second of the generator against a server that does nothing.
    pub(crate) ceiling: f64,
    pub(crate) points: Vec<(Point, Report)>,
}

impl Measured {
    /// The most requests that were answered per second, closed loop or open.
    fn peak(&self) -> f64 {
        let goodputs = self.points.iter().map(|(_, report)| report.throughput);
        goodputs.fold(self.capacity, f64::max)
    }

    /// Prints the table. Returns false when an aim is missed, and says which.
    pub(crate) fn print(&self) -> bool {
        let Self {
            name,
            capacity,
            ceiling,
            ..
        } = self;
        let peak = self.peak();
        print(&format!(
            "\n{name}: capacity {capacity:.0}/s, peak {peak:.0}/s; the generator reaches \
             {ceiling:.0}/s with a server that does nothing.\n\n\
             | deadline | × capacity | sent/s | answered in time/s | of the peak | \
             answered p50 / p99, ms | refused p50 / p99, ms | sent late p99, ms | codes |\n\
             |---|---|---|---|---|---|---|---|---|"
        ));
        let mut missed = Vec::new();
        for (point, report) in &self.points {
            let goodput = report.throughput / peak;
            let sent = report.requests as f64 / report.seconds;
            let errors: Vec<String> = report
                .errors
                .iter()
                .map(|(code, count)| format!(", {code} {count}"))
                .collect();
            let answered = report.requests - report.failed();
            print(&format!(
                "| {:?} | {} | {sent:.0} | {:.0} | {:.0} % | {} | {} | {} | OK {answered}{} |",
                point.deadline,
                point.factor,
                report.throughput,
                100.0 * goodput,
                p50_and_p99(report.latency),
                p50_and_p99(report.refusals),
                report
                    .send_lag
                    .map_or_else(String::new, |lag| format!("{:.2}", lag.p99_ms)),
                errors.concat()
            ));
            let at = format!("{:?} at {} ×", point.deadline, point.factor);
            if point.factor > 1.0 && goodput < GOODPUT {
                missed.push(format!(
                    "{at}: goodput {:.0} % of the peak",
                    100.0 * goodput
                ));
            }
            if let Some(refusals) = report.refusals
                && refusals.p99_ms > REFUSAL_MS
            {
                missed.push(format!("{at}: refusals p99 {:.1} ms", refusals.p99_ms));
            }
            if report.errors.contains_key("UNKNOWN") {
                missed.push(format!("{at}: UNKNOWN"));
            }
        }
        for miss in &missed {
            print(&format!("- missed: {miss}"));
        }
        missed.is_empty()
    }
}

fn p50_and_p99(latency: Option<Latency>) -> String {
    latency.map_or_else(
        || "none".to_owned(),
        |latency| format!("{:.1} / {:.1}", latency.p50_ms, latency.p99_ms),
    )
}
