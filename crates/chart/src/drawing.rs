//! A chart in pixels: everything that the template writes, computed.

use crate::{
    chart::{Axis, Chart, Ink, Mark},
    labels::{Area, CHARACTER, LINE, Labels, width, wrap},
    scale::{Scale, Tick, range},
};

const MARGIN: f64 = 14.0;

/// What the template draws.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) description: String,
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) bottom: String,
    pub(crate) y_ticks: Vec<GridLine>,
    pub(crate) bands: Vec<Shape>,
    pub(crate) lines: Vec<Shape>,
    pub(crate) intervals: Vec<Shape>,
    pub(crate) marks: Vec<Circle>,
    pub(crate) texts: Vec<Text>,
}

/// A horizontal line of the grid.
#[derive(Debug)]
pub(crate) struct GridLine {
    pub(crate) at: String,
}

/// A path.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) ink: &'static str,
    pub(crate) dashed: bool,
    pub(crate) d: String,
}

/// A point.
#[derive(Debug)]
pub(crate) struct Circle {
    pub(crate) ink: &'static str,
    pub(crate) filled: bool,
    pub(crate) radius: f64,
    pub(crate) x: String,
    pub(crate) y: String,
}

/// A text.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) class: String,
    pub(crate) anchor: &'static str,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) content: String,
}

impl Text {
    fn new(class: &str, anchor: &'static str, (x, y): (f64, f64), content: &str) -> Self {
        Self {
            class: class.to_owned(),
            anchor,
            x: pixel(x),
            y: pixel(y),
            content: content.to_owned(),
        }
    }
}

/// The scales of a chart and the area that they span.
struct Plane {
    x: Scale,
    y: Scale,
    area: Area,
}

impl Plane {
    fn point(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.pixel(x), self.y.pixel(y))
    }

    fn y_ticks(&self) -> Vec<Tick> {
        self.y
            .ticks(wanted_y_ticks(self.area.top, self.area.bottom))
    }
}

/// Computes a chart, with its title and subtitle where `titled`.
pub(crate) fn drawing(chart: &Chart, titled: bool) -> Drawing {
    let margin = if titled { MARGIN } else { 1.0 };
    let (mut texts, mut top) = match titled {
        true => heading(chart),
        false => (Vec::new(), 0.0),
    };
    let (width, height) = (chart.size[0], chart.size[1] + top);
    let room = width - 2.0 * margin;
    for line in wrap(&format!("↑ {}", chart.y.name), room, CHARACTER) {
        top += LINE;
        let at = (margin, top - 3.0);
        texts.push(Text::new(&name_class(&chart.y), "start", at, &line));
    }
    let x_name = wrap(&format!("{}\u{a0}→", chart.x.name), room, CHARACTER);
    let below = 26.0 + LINE * x_name.len() as f64 + 0.5 * margin;
    let plane = plane(chart, (top + 8.0, height - below), margin);
    let Area {
        left,
        right,
        bottom,
        ..
    } = plane.area;
    let y_ticks = plane.y_ticks();
    for Tick { at, text } in &y_ticks {
        texts.push(Text::new("tick", "end", (left - 7.0, at + 4.5), text));
    }
    for Tick { at, text } in plane.x.ticks(((right - left) / 60.0) as usize) {
        texts.push(Text::new("tick", "middle", (at, bottom + 18.0), &text));
    }
    for (line, number) in x_name.iter().zip(1..) {
        let at = (width - margin, bottom + 22.0 + LINE * f64::from(number));
        texts.push(Text::new(&name_class(&chart.x), "end", at, line));
    }
    texts.extend(labels(chart, &plane));
    Drawing {
        width,
        height,
        description: chart.description.clone(),
        left: pixel(left),
        right: pixel(right),
        bottom: pixel(bottom),
        y_ticks: y_ticks
            .iter()
            .map(|tick| GridLine { at: pixel(tick.at) })
            .collect(),
        bands: bands(chart, &plane),
        lines: lines(chart, &plane),
        intervals: intervals(chart, &plane),
        marks: marks(chart, &plane),
        texts,
    }
}

/// Title and subtitle, and where they end.
fn heading(chart: &Chart) -> (Vec<Text>, f64) {
    let room = chart.size[0] - 2.0 * MARGIN;
    let (mut texts, mut top) = (Vec::new(), MARGIN);
    // A bold character at 17 pixels is about 10 wide.
    for line in wrap(&chart.title, room, 10.0) {
        top += 21.0;
        texts.push(Text::new("title", "start", (MARGIN, top - 4.0), &line));
    }
    for line in wrap(&chart.subtitle, room, CHARACTER) {
        top += 18.0;
        texts.push(Text::new("subtitle", "start", (MARGIN, top - 3.0), &line));
    }
    (texts, top + 12.0)
}

fn name_class(axis: &Axis) -> String {
    format!("axis-name {}", axis.ink.class())
}

/// The scales between `top` and `bottom`; left of them is room for the values of y.
fn plane(chart: &Chart, (top, bottom): (f64, f64), margin: f64) -> Plane {
    let x_range = axis_range(&chart.x, chart.points().map(|(x, _)| x));
    let y_range = axis_range(&chart.y, chart.points().map(|(_, y)| y));
    let y = Scale::new(y_range, (bottom, top), chart.y.logarithmic);
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(width).fold(0.0, f64::max);
    let ticks = y.ticks(wanted_y_ticks(top, bottom));
    let left = margin + 8.0 + widest(&mut ticks.iter().map(|tick| tick.text.as_str()));
    // Labels of lines stand right of their ends; a chart with points finds room for them inside.
    let ends = match chart.marks.is_empty() {
        true => widest(&mut chart.lines.iter().map(|line| line.label.as_str())),
        false => 0.0,
    };
    let right = chart.size[0] - margin - 10.0 - ends.min(0.35 * chart.size[0]);
    Plane {
        x: Scale::new(x_range, (left, right), chart.x.logarithmic),
        y,
        area: Area {
            left,
            top,
            right,
            bottom,
        },
    }
}

fn wanted_y_ticks(top: f64, bottom: f64) -> usize {
    ((bottom - top) / 40.0) as usize
}

fn axis_range(axis: &Axis, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    axis.range
        .unwrap_or_else(|| range(values, axis.logarithmic))
}

fn bands(chart: &Chart, plane: &Plane) -> Vec<Shape> {
    let banded = chart.lines.iter().filter(|line| !line.band.is_empty());
    banded
        .map(|line| {
            let upper = line.band.iter().map(|&(x, _, high)| (x, high));
            let lower = line.band.iter().rev().map(|&(x, low, _)| (x, low));
            Shape {
                ink: line.ink.class(),
                dashed: false,
                d: path(plane, upper.chain(lower)) + "Z",
            }
        })
        .collect()
}

fn lines(chart: &Chart, plane: &Plane) -> Vec<Shape> {
    let drawn = chart.lines.iter().filter(|line| !line.points.is_empty());
    drawn
        .map(|line| Shape {
            ink: line.ink.class(),
            dashed: line.dashed,
            d: path(plane, line.points.iter().copied()),
        })
        .collect()
}

fn intervals(chart: &Chart, plane: &Plane) -> Vec<Shape> {
    let marks = chart.marks.iter();
    marks
        .filter_map(|mark| {
            let (low, high) = mark.interval?;
            Some(Shape {
                ink: mark.ink.class(),
                dashed: false,
                d: path(plane, [(mark.at.0, low), (mark.at.0, high)].into_iter()),
            })
        })
        .collect()
}

fn marks(chart: &Chart, plane: &Plane) -> Vec<Circle> {
    let circle = |mark: &Mark| {
        let (x, y) = plane.point(mark.at);
        Circle {
            ink: mark.ink.class(),
            filled: mark.filled,
            radius: mark.radius,
            x: pixel(x),
            y: pixel(y),
        }
    };
    chart.marks.iter().map(circle).collect()
}

fn labels(chart: &Chart, plane: &Plane) -> Vec<Text> {
    let mut taken: Vec<Area> = Vec::new();
    for mark in &chart.marks {
        let (x, y) = plane.point(mark.at);
        taken.push(Area::around(x, y, mark.radius + 1.0));
    }
    for line in &chart.lines {
        // Sixty places of a line are enough to keep labels off it.
        let step = line.points.len() / 60 + 1;
        for (x, y) in line.points.iter().step_by(step).map(|at| plane.point(*at)) {
            taken.push(Area::around(x, y, 2.0));
        }
    }
    let bounds = Area {
        right: chart.size[0],
        ..plane.area
    };
    let mut labels = Labels::new(bounds, taken);
    let of_marks = chart
        .marks
        .iter()
        .map(|mark| (&mark.label, mark.ink, mark.at));
    let of_lines = chart.lines.iter().filter_map(|line| {
        let end = line.points.last()?;
        Some((&line.label, line.ink, *end))
    });
    let named = of_marks
        .chain(of_lines)
        .filter(|(label, _, _)| !label.is_empty());
    named
        .map(|(label, ink, at): (&String, Ink, _)| {
            let (x, y) = plane.point(at);
            let place = labels.place(label, x, y);
            let anchor = if place.ends { "end" } else { "start" };
            let class = format!("label {}", ink.class());
            Text::new(&class, anchor, (place.x, place.baseline), label)
        })
        .collect()
}

fn path(plane: &Plane, points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (x, y) in points.map(|at| plane.point(at)) {
        let command = if d.is_empty() { "M" } else { "L" };
        d.push_str(&format!("{command}{} {}", pixel(x), pixel(y)));
    }
    d
}

/// A tenth of a pixel is all that anybody sees.
fn pixel(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
