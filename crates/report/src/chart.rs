//! Charts as SVG: axes with units, lines with bands, points, and labels beside what they name instead of a legend.
//!
//! Colours are drawn as [`Ink`]s, which are put in afterwards: CSS variables within a page, so that it follows light and dark, and fixed
//! ones in a file of its own. Both palettes are told apart by people who do not see all colours (Okabe and Ito).

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::ReportError;

const WIDTH: u32 = 420;
const HEIGHT: u32 = 330;
/// Pixels that a character of a label takes, about.
const CHARACTER: i32 = 7;
const LINE: i32 = 15;

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Quiet,
    Grid,
    Blue,
    Orange,
    Green,
    Purple,
}

const INKS: [(Ink, &str, &str); 7] = [
    (Ink::Text, "var(--ink)", "#1b1f24"),
    (Ink::Quiet, "var(--quiet)", "#5b6470"),
    (Ink::Grid, "var(--grid)", "#d9dee4"),
    (Ink::Blue, "var(--blue)", "#0072b2"),
    (Ink::Orange, "var(--orange)", "#d55e00"),
    (Ink::Green, "var(--green)", "#00805c"),
    (Ink::Purple, "var(--purple)", "#a8457f"),
];

impl Ink {
    /// A colour that stands for the ink until it is put in.
    fn colour(self) -> RGBColor {
        let place = INKS.iter().position(|(own, _, _)| *own == self);
        RGBColor(1, 2, 3 + place.unwrap_or_default() as u8)
    }

    fn sentinel(self) -> String {
        let RGBColor(r, g, b) = self.colour();
        format!("#{r:02X}{g:02X}{b:02X}")
    }
}

/// The chart for a page, in the page's own colours.
pub(super) fn inline(svg: &str) -> String {
    let coloured = INKS.iter().fold(svg.to_owned(), |svg, (ink, variable, _)| {
        svg.replace(&ink.sentinel(), variable)
    });
    let start = coloured.find("<svg").unwrap_or_default();
    coloured[start..]
        .replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1)
        .replacen(&format!(" width=\"{WIDTH}\" height=\"{HEIGHT}\""), "", 1)
}

/// The chart as a file, on white.
pub(super) fn standalone(svg: &str) -> String {
    let coloured = INKS.iter().fold(svg.to_owned(), |svg, (ink, _, colour)| {
        svg.replace(&ink.sentinel(), colour)
    });
    match coloured.find("<svg").and_then(|start| {
        let end = coloured[start..].find('>')?;
        Some(start + end + 1)
    }) {
        Some(end) => format!(
            "{}\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>{}\n",
            &coloured[..end],
            &coloured[end..]
        ),
        None => coloured,
    }
}

/// A line, with the band around it where there is one.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Written at its right end; empty for none.
    pub(super) label: String,
    pub(super) ink: Ink,
    pub(super) width: u32,
    pub(super) dashed: bool,
    pub(super) points: Vec<(f64, f64)>,
    /// x, low, high.
    pub(super) band: Vec<(f64, f64, f64)>,
}

/// A point with a label beside it.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// Empty for none.
    pub(super) label: String,
    pub(super) ink: Ink,
    pub(super) size: i32,
    pub(super) filled: bool,
    pub(super) at: (f64, f64),
    /// Ends of an interval of y, where there is one.
    pub(super) interval: Option<(f64, f64)>,
}

/// A chart.
#[derive(Debug, Clone, Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
    /// Ranges of the axes; as wide as the data where none is given.
    pub(super) ranges: Option<[(f64, f64); 2]>,
}

impl Chart {
    /// Draws it.
    pub(super) fn draw(&self) -> Result<String, ReportError> {
        let mut svg = String::new();
        self.draw_on(&mut svg)
            .map_err(|problem| ReportError::Write {
                path: format!("{}.svg", self.title).into(),
                problem: problem.to_string(),
            })?;
        Ok(svg)
    }

    fn draw_on<'a>(&self, svg: &'a mut String) -> Result<(), Box<dyn std::error::Error + 'a>> {
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        let [(x0, x1), (y0, y1)] = self.ranges.unwrap_or_else(|| self.extent());
        let text = |size: u32, ink: Ink| ("sans-serif", size).into_font().color(&ink.colour());
        let right = self.lines.iter().filter(|line| !line.label.is_empty());
        let right = right.map(|line| width(&line.label)).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, text(15, Ink::Text))
            .margin(8)
            .margin_right(12 + if self.marks.is_empty() { right } else { 0 })
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        let (x_digits, y_digits) = (digits(x1 - x0), digits(y1 - y0));
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Ink::Grid.colour())
            .axis_style(Ink::Quiet.colour())
            .label_style(text(13, Ink::Quiet))
            .axis_desc_style(text(13, Ink::Text))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.x_digits$}"))
            .y_label_formatter(&|y| format!("{y:.y_digits$}"))
            .x_desc(&self.x)
            .y_desc(&self.y)
            .draw()?;
        for line in &self.lines {
            let colour = line.ink.colour();
            if !line.band.is_empty() {
                let upper = line.band.iter().map(|&(x, _, high)| (x, high.min(y1)));
                let lower = line.band.iter().rev();
                let lower = lower.map(|&(x, low, _)| (x, low.max(y0)));
                let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
                chart.draw_series([Polygon::new(outline, colour.mix(0.18).filled())])?;
            }
            let style = colour.stroke_width(line.width);
            let points = line.points.iter().copied();
            if line.dashed {
                chart.draw_series(DashedLineSeries::new(points, 6, 4, style))?;
            } else {
                chart.draw_series(LineSeries::new(points, style))?;
            }
        }
        for mark in &self.marks {
            let colour = mark.ink.colour();
            if let Some((low, high)) = mark.interval {
                let ends = vec![(mark.at.0, low.max(y0)), (mark.at.0, high.min(y1))];
                chart.draw_series([PathElement::new(ends, colour.stroke_width(1))])?;
            }
            let style = if mark.filled {
                colour.filled()
            } else {
                colour.stroke_width(2)
            };
            chart.draw_series([Circle::new(mark.at, mark.size, style)])?;
        }
        let place = |at: &(f64, f64)| chart.backend_coord(at);
        self.write_labels(&root, &place)?;
        root.present()?;
        drop(chart);
        Ok(())
    }

    /// Labels where they cover neither one another nor the edge.
    fn write_labels<'a>(
        &self,
        root: &DrawingArea<SVGBackend<'a>, Shift>,
        place: &Place<'_>,
    ) -> Result<(), Box<dyn std::error::Error + 'a>> {
        let mut taken: Vec<[i32; 4]> = Vec::new();
        for mark in &self.marks {
            let (x, y) = place(&mark.at);
            taken.push([x - 5, y - 5, x + 5, y + 5]);
        }
        for line in &self.lines {
            for at in line.points.iter().step_by(line.points.len() / 60 + 1) {
                let (x, y) = place(at);
                taken.push([x - 2, y - 2, x + 2, y + 2]);
            }
        }
        let ends = self.lines.iter().filter(|line| !line.label.is_empty());
        let ends = ends.filter_map(|line| Some((&line.label, line.ink, *line.points.last()?)));
        let marks = self.marks.iter().filter(|mark| !mark.label.is_empty());
        let marks = marks.map(|mark| (&mark.label, mark.ink, mark.at));
        for (label, ink, at) in marks.chain(ends) {
            let (x, y) = place(&at);
            let free = |[left, top]: &[i32; 2]| {
                let own = [*left, *top, left + width(label), top + LINE];
                let inside = own[0] >= 60
                    && own[1] >= 26
                    && own[2] <= WIDTH.cast_signed()
                    && own[3] <= HEIGHT.cast_signed() - 50;
                let apart = |other: &[i32; 4]| {
                    own[2] <= other[0]
                        || own[0] >= other[2]
                        || own[3] <= other[1]
                        || own[1] >= other[3]
                };
                inside && taken.iter().all(apart)
            };
            let candidates: Vec<[i32; 2]> = (0..12)
                .flat_map(|ring| {
                    let (near, far) = (8 + 2 * ring, ring * LINE);
                    [
                        [x + near, y - LINE / 2 - far],
                        [x + near, y - LINE / 2 + far],
                        [x - near - width(label), y - LINE / 2 - far],
                        [x - near - width(label), y - LINE / 2 + far],
                    ]
                })
                .collect();
            let [left, top] = candidates
                .iter()
                .copied()
                .find(free)
                .unwrap_or(candidates[0]);
            taken.push([left, top, left + width(label), top + LINE]);
            let colour = ink.colour();
            let style = TextStyle::from(("sans-serif", 13).into_font())
                .color(&colour)
                .pos(Pos::new(HPos::Left, VPos::Top));
            root.draw_text(label, &style, (left, top))?;
        }
        Ok(())
    }

    /// What holds all points and marks, with some room.
    fn extent(&self) -> [(f64, f64); 2] {
        let lines = self.lines.iter().flat_map(|line| {
            let band = line.band.iter();
            let band = band.flat_map(|&(x, low, high)| [(x, low), (x, high)]);
            line.points.iter().copied().chain(band)
        });
        let marks = self.marks.iter().flat_map(|mark| {
            let (low, high) = mark.interval.unwrap_or((mark.at.1, mark.at.1));
            [(mark.at.0, low), (mark.at.0, high), mark.at]
        });
        let points: Vec<(f64, f64)> = lines.chain(marks).collect();
        let range = |of: fn(&(f64, f64)) -> f64| {
            let values = points.iter().map(of).filter(|value| value.is_finite());
            let low = values.clone().fold(f64::INFINITY, f64::min);
            let high = values.fold(f64::NEG_INFINITY, f64::max);
            match high - low {
                width if width > 0.0 => (low - 0.05 * width, high + 0.05 * width),
                _ if low.is_finite() => (low - 0.5, low + 0.5),
                _ => (0.0, 1.0),
            }
        };
        [range(|point| point.0), range(|point| point.1)]
    }
}

/// From a point of the data to one of the drawing.
type Place<'a> = dyn Fn(&(f64, f64)) -> (i32, i32) + 'a;

fn width(label: &str) -> i32 {
    i32::try_from(label.chars().count()).unwrap_or(i32::MAX / CHARACTER) * CHARACTER
}

/// Decimals that tell the labels of an axis apart.
fn digits(range: f64) -> usize {
    match range {
        range if range > 8.0 => 0,
        range if range > 0.8 => 1,
        range if range > 0.08 => 2,
        range if range > 0.008 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let mark = |label: &str, at| Mark {
            label: label.to_owned(),
            ink: Ink::Orange,
            size: 4,
            filled: true,
            at,
            interval: None,
        };
        Chart {
            title: "A <title> & more".to_owned(),
            x: "x, unit".to_owned(),
            y: "y, unit".to_owned(),
            lines: vec![Line {
                label: "line".to_owned(),
                ink: Ink::Blue,
                width: 2,
                dashed: false,
                points: vec![(0.0, 0.0), (1.0, 2.0)],
                band: vec![(0.0, -0.5, 0.5), (1.0, 1.5, 2.5)],
            }],
            marks: vec![mark("one", (0.5, 1.0)), mark("two", (0.5, 1.0))],
            ranges: None,
        }
    }

    #[test]
    fn a_chart_has_its_title_units_and_labels_and_no_colour_is_left_over() {
        let svg = chart().draw().unwrap();
        let (page, file) = (inline(&svg), standalone(&svg));
        for text in [
            "A &lt;title&gt; &amp; more",
            "x, unit",
            "y, unit",
            "line",
            "one",
            "two",
        ] {
            assert!(page.contains(text) && file.contains(text), "{text}");
        }
        assert!(page.contains("var(--blue)") && page.contains("viewBox"));
        assert!(
            !page.contains("http://") && !page.contains("#0102"),
            "{page}"
        );
        assert!(file.contains("#0072b2") && !file.contains("var("));
        assert!(file.contains("xmlns=\"http://www.w3.org/2000/svg\""));
    }

    #[test]
    fn labels_of_one_place_stand_apart() {
        let svg = chart().draw().unwrap();
        let at = |label: &str| {
            let end = svg.find(&format!("\n{label}\n")).unwrap();
            svg[..end].rsplit("<text ").next().unwrap().to_owned()
        };
        assert_ne!(at("one"), at("two"));
    }

    #[test]
    fn what_is_empty_or_flat_is_drawn_too() {
        let empty = Chart::default();
        assert!(empty.draw().unwrap().contains("<svg"));
        let mut flat = chart();
        flat.lines[0].points = vec![(1.0, 1.0), (1.0, 1.0)];
        flat.lines[0].band.clear();
        flat.marks.clear();
        assert!(!flat.draw().unwrap().contains("NaN"));
    }
}
