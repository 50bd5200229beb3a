//! The plots of a report.

use counterweight_offline::{
    Calibrated, Comparison, FrontReport, GridPoint, OptionFront, PolicyRow,
};

use super::{
    Report, ReportError,
    chart::{Chart, Ink, Line, Mark},
    document::Plot,
};

const INKS: [Ink; 4] = [Ink::Blue, Ink::Orange, Ink::Green, Ink::Purple];

fn plot(name: &str, caption: String, chart: &Chart) -> Result<Plot, ReportError> {
    Ok(Plot {
        name: name.to_owned(),
        caption,
        svg: chart.draw()?,
    })
}

fn line(label: &str, ink: Ink, points: Vec<(f64, f64)>) -> Line {
    Line {
        label: label.to_owned(),
        ink,
        width: 2,
        dashed: false,
        points,
        band: Vec::new(),
    }
}

fn mark(label: &str, ink: Ink, at: (f64, f64)) -> Mark {
    Mark {
        label: label.to_owned(),
        ink,
        size: 5,
        filled: true,
        at,
        interval: None,
    }
}

/// A name as it is read.
pub(super) fn said(name: &str) -> String {
    name.replace('_', " ")
}

/// The front with its band, the weights now, those recommended, and a random order.
pub(super) fn front(report: &Report, front: &FrontReport) -> Result<Plot, ReportError> {
    let [gain, cost] = report.gain_and_cost();
    let usable = |point: &&GridPoint| {
        point.values[front.gain].value.is_finite() && point.values[front.cost].value.is_finite()
    };
    let mut points: Vec<&GridPoint> = front.grid.iter().filter(usable).collect();
    points.sort_by(|a, b| {
        a.values[front.cost]
            .value
            .total_cmp(&b.values[front.cost].value)
    });
    let at = |point: &GridPoint| {
        (
            point.values[front.cost].value,
            point.values[front.gain].value,
        )
    };
    let mut curve = line(
        "",
        Ink::Blue,
        points.iter().map(|point| at(point)).collect(),
    );
    curve.band = points
        .iter()
        .map(|point| {
            let gain = point.values[front.gain];
            (point.values[front.cost].value, gain.low, gain.high)
        })
        .collect();
    let mut marks = Vec::new();
    if let Some(now) = nearest(front, report.reference) {
        marks.push(mark(
            &format!("now, λ = {}", short(report.reference)),
            Ink::Text,
            at(now),
        ));
    }
    if let Some(found) = report.recommended() {
        // Where the curve has it: a recommendation may be counted in something else than the curve.
        if let Some(point) = nearest(front, found.lambda) {
            let label = format!("recommended, λ = {}", short(found.lambda));
            marks.push(mark(&label, Ink::Orange, at(point)));
        }
    }
    if let [Some(x), Some(y)] = [&cost, &gain].map(|name| report.random(front, name)) {
        marks.push(mark("random order", Ink::Quiet, (x, y)));
    }
    let chart = Chart {
        title: format!("What each weight gains and costs ({})", part(front)),
        x: format!("{}, mean per place of the page", said(&cost)),
        y: format!("{}, mean per place", said(&gain)),
        lines: vec![curve],
        marks,
        ranges: None,
    };
    plot(
        "front",
        format!(
            "The front on the {}: each λ gives one point, left is less {}, up is more {}. The band holds the whole curve of {} with {:.0} % probability as far as the draw of users goes.",
            part(front),
            said(&cost),
            said(&gain),
            said(&gain),
            100.0 * front.draws.level
        ),
        &chart,
    )
}

fn part(front: &FrontReport) -> &'static str {
    match front.part {
        counterweight_offline::Part::Tune => "tune part",
        counterweight_offline::Part::Test => "test part",
    }
}

fn nearest(front: &FrontReport, lambda: f64) -> Option<&GridPoint> {
    let far = |point: &GridPoint| (point.lambda - lambda).abs();
    let points = front
        .grid
        .iter()
        .filter(|point| point.values[front.gain].value.is_finite());
    points.min_by(|a, b| far(a).total_cmp(&far(b)))
}

/// A number as short as its size allows.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Gain and cost over λ, and what changes.
pub(super) fn curves(report: &Report, front: &FrontReport) -> Result<Vec<Plot>, ReportError> {
    let [gain, cost] = report.gain_and_cost();
    let end = last_lambda(report, front);
    let shown: Vec<&GridPoint> = front
        .grid
        .iter()
        .filter(|point| point.lambda <= end)
        .collect();
    let curve = |label: &str, ink, at: usize| {
        let usable = || {
            let points = shown.iter();
            points
                .map(|point| (point.lambda, point.values[at]))
                .filter(|(_, value)| value.value.is_finite())
        };
        Line {
            band: usable()
                .map(|(x, value)| (x, value.low, value.high))
                .collect(),
            ..line(
                label,
                ink,
                usable().map(|(x, value)| (x, value.value)).collect(),
            )
        }
    };
    let x = format!("λ: {} given up per {} avoided", said(&gain), said(&cost));
    let mut plots = vec![plot(
        "curves",
        format!(
            "{} and {} over λ, with {:.0} % bands that hold for a whole curve at once.",
            said(&gain),
            said(&cost),
            100.0 * front.draws.level
        ),
        &Chart {
            title: "Gain and cost over λ".to_owned(),
            x: x.clone(),
            y: "mean per place of the page".to_owned(),
            lines: vec![
                curve(&said(&gain), Ink::Blue, front.gain),
                curve(&said(&cost), Ink::Orange, front.cost),
            ],
            ..Chart::default()
        },
    )?];
    if let Some(changed) = front.curves.iter().position(|name| name == "changed") {
        plots.push(plot(
            "changed",
            format!(
                "The share of requests whose page holds other candidates than at λ = {}.",
                short(report.reference)
            ),
            &Chart {
                title: "Pages that change".to_owned(),
                x,
                y: "share of requests".to_owned(),
                lines: vec![curve("", Ink::Purple, changed)],
                ..Chart::default()
            },
        )?);
    }
    Ok(plots)
}

/// Where the curves of λ end: where nearly all is given up that can be, so that a few late breakpoints do not squeeze the rest.
fn last_lambda(report: &Report, front: &FrontReport) -> f64 {
    let costs = front
        .grid
        .iter()
        .map(|point| (point.lambda, point.values[front.cost].value));
    let costs: Vec<(f64, f64)> = costs.filter(|(_, cost)| cost.is_finite()).collect();
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else {
        return 1.0;
    };
    let near = |cost: f64| (cost - last.1).abs() <= 0.05 * (first.1 - last.1).abs();
    let settled = costs
        .iter()
        .find(|(_, cost)| near(*cost))
        .map_or(last.0, |point| point.0);
    let found = report.recommended().map_or(0.0, |found| found.lambda);
    settled.max(1.5 * report.reference).max(1.5 * found)
}

/// What came true against what was foretold.
pub(super) fn calibration(own: &Calibrated, number: usize) -> Result<Plot, ReportError> {
    let most = own.bins.iter().map(|bin| bin.predicted.max(bin.realised));
    let most = (1.1 * most.fold(0.0, f64::max)).clamp(0.05, 1.0);
    let points = own.bins.iter().map(|bin| {
        // Two standard errors of a share; a rough guide for the eye.
        let error = 2.0
            * (bin.realised * (1.0 - bin.realised) / bin.rows as f64)
                .max(0.0)
                .sqrt();
        Mark {
            interval: Some((
                (bin.realised - error).max(0.0),
                (bin.realised + error).min(1.0),
            )),
            size: 4,
            ..mark("", INKS[number % INKS.len()], (bin.predicted, bin.realised))
        }
    });
    let diagonal = Line {
        dashed: true,
        width: 1,
        ..line("", Ink::Quiet, vec![(0.0, 0.0), (most, most)])
    };
    plot(
        &format!("calibration-{number}"),
        format!(
            "{}: on the dashed line probabilities mean what they say; bars are two standard errors. ECE {:.4}; {:.4} foretold, {:.4} came true, on {}.",
            said(&own.objective),
            own.ece,
            own.predicted,
            own.realised,
            own.rows
        ),
        &Chart {
            title: format!("Calibration of {}", said(&own.objective)),
            x: format!("foretold P({})", said(&own.objective)),
            y: "share that came true".to_owned(),
            lines: vec![diagonal],
            marks: points.collect(),
            ranges: Some([(0.0, most), (0.0, most)]),
        },
    )
}

/// The fronts of two models, of one, and of the truth.
pub(super) fn comparison(own: &Comparison) -> Result<Plot, ReportError> {
    let [gain, cost] = &own.objectives;
    let mut lines = vec![Line {
        width: 1,
        dashed: true,
        ..line(
            "",
            Ink::Blue,
            own.sweep
                .iter()
                .map(|point| (point.cost, point.gain))
                .collect(),
        )
    }];
    let mut marks = Vec::new();
    let options: [(Option<&OptionFront>, Ink, &str); 3] = [
        (Some(&own.two), Ink::Blue, "two models"),
        (Some(&own.one), Ink::Orange, "one model"),
        (own.oracle.as_ref(), Ink::Green, "oracle"),
    ];
    for (option, ink, label) in options {
        let Some(option) = option else { continue };
        let hull = option.hull.iter().map(|point| (point.cost, point.gain));
        lines.push(line(label, ink, hull.collect()));
        marks.extend(option.points.iter().map(|point| Mark {
            size: 3,
            filled: point.chosen,
            ..mark("", ink, (point.cost.value, point.gain.value))
        }));
    }
    if let Some(random) = own.baselines.iter().find(|row| row.order == "random") {
        marks.push(mark(
            "random order",
            Ink::Quiet,
            (random.cost.value, random.gain.value),
        ));
    }
    plot(
        "comparison",
        format!(
            "Test part, {} weights each. Lines: hulls through the points that were chosen on the tune part (filled). Dashed: every weight of two models, which is drawn and not scored.",
            own.two.points.len()
        ),
        &Chart {
            title: "Two models against one".to_owned(),
            x: format!("{}, mean per place of the page", said(cost)),
            y: format!("{}, mean per place", said(gain)),
            lines,
            marks,
            ranges: None,
        },
    )
}

/// Off-policy estimates over λ, a line per objective: of the estimator that is refused least, DR where it serves.
pub(super) fn off_policy(rows: &[PolicyRow]) -> Result<Option<Plot>, ReportError> {
    let mut lines = Vec::new();
    for (own, ink) in rows.chunk_by(|a, b| a.objective == b.objective).zip(INKS) {
        let at = |row: &PolicyRow| {
            let estimate = row.estimates.iter().rev().find(|own| own.value.is_some())?;
            Some((row.lambda?, estimate.value?, estimate.interval?))
        };
        let points: Vec<_> = own.iter().filter_map(at).collect();
        lines.push(Line {
            band: points
                .iter()
                .map(|&(x, _, (low, high))| (x, low, high))
                .collect(),
            ..line(
                &said(&own[0].objective),
                ink,
                points.iter().map(|&(x, y, _)| (x, y)).collect(),
            )
        });
    }
    if lines.iter().all(|line| line.points.is_empty()) {
        return Ok(None);
    }
    let chart = Chart {
        title: "Off-policy estimates over λ".to_owned(),
        x: "λ".to_owned(),
        y: "mean per place of the page".to_owned(),
        lines,
        ..Chart::default()
    };
    plot(
        "off-policy",
        "What a fixed λ would have brought, estimated from what was shown under randomised ones; intervals hold point by point.".to_owned(),
        &chart,
    )
    .map(Some)
}
