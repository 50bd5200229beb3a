//! How the time grows: from 10⁵ to 10⁷ candidates in requests of 100, then 10⁷ in one request.

use std::{path::Path, time::Instant};

use anyhow::Result;
use counterweight_benches::median;

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
    use plotters::prelude::*;
    let area = SVGBackend::new(file, (760, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            format!(
                "Exact front, requests of 100 candidates, k = 10, {} threads",
                threads()
            ),
            ("sans-serif", 18),
        )
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(60)
        .build_cartesian_2d((8e4..1.25e7).log_scale(), (3e-3..5.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("candidates")
        .y_desc("seconds (median of 5)")
        .x_label_formatter(&|x| format!("{x:.0e}"))
        .y_label_formatter(&|y| format!("{y}"))
        .light_line_style(WHITE)
        .draw()?;
    for ((name, points), colour) in lines
        .iter()
        .zip([RGBColor(0, 90, 160), RGBColor(190, 80, 0)])
    {
        chart
            .draw_series(
                LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(4),
            )?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK)
        .background_style(WHITE)
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(area.present()?)
}
