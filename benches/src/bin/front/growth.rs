//! How the time grows: from 10⁵ to 10⁷ candidates in requests of 100, then 10⁷ in one request.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use counterweight_benches::median;
use counterweight_chart::{Axis, Chart, Ink, Line, Theme};

use crate::{CANDIDATES, cases, log::Log, threads};

/// Prints the table, and draws it where asked.
#[expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]
pub(crate) fn run(svg: Option<&Path>) -> Result<()> {
    println!("\n| candidates | requests | curves | breakpoints | seconds |\n|---|---|---|---|---|");
    let mut lines = Vec::new();
    for case in cases().iter().filter(|case| case.aim.is_some()) {
        let mut points = Vec::new();
        for requests in [1_000, 3_162, 10_000, 31_623, 100_000] {
            let log = Log::generate(requests, CANDIDATES, 11);
            let (times, curves) = case.run(&log)?;
            let (candidates, time) = (requests * CANDIDATES, median(&times));
            println!(
                "| {candidates} | {requests} | {} | {} | {time:.4} |",
                case.name,
                curves.breakpoints().len()
            );
            points.push((candidates as f64, time));
        }
        lines.push((case.name, points));
    }
    for (law, log) in [
        ("independent", Log::generate(1, 10_000_000, 11)),
        ("all on one convex front", Log::convex(10_000_000)),
    ] {
        let clock = Instant::now();
        let curves = log.curves(&cases()[0].metrics)?;
        let time = clock.elapsed().as_secs_f64();
        println!(
            "| 10000000 | 1, {law} | {} | {} | {time:.2} |",
            cases()[0].name,
            curves.breakpoints().len()
        );
    }
    svg.map_or(Ok(()), |file| draw(file, &lines))
}

/// Seconds over candidates, both axes logarithmic.
fn draw(file: &Path, lines: &[(&str, Vec<(f64, f64)>)]) -> Result<()> {
    let most = lines.first().and_then(|(_, points)| points.last());
    let &(candidates, seconds) = most.context("nothing was measured")?;
    let axis = |name: &str| Axis {
        logarithmic: true,
        ..Axis::named(name)
    };
    let lines = lines.iter().zip([Ink::Blue, Ink::Orange]);
    let lines = lines.map(|((name, points), ink)| Line {
        label: (*name).to_owned(),
        ink,
        points: points.clone(),
        ..Line::default()
    });
    let chart = Chart {
        title: format!("The exact front of {candidates:.0} candidates takes {seconds:.2} s"),
        subtitle: format!(
            "Requests of 100 candidates, k = 10, {} threads; median of 5",
            threads()
        ),
        description: "Seconds over candidates".to_owned(),
        x: axis("Candidates"),
        y: axis("Seconds"),
        lines: lines.collect(),
        size: [760.0, 370.0],
        ..Chart::default()
    };
    Ok(fs::write(file, chart.file(Theme::Light)?)?)
}
