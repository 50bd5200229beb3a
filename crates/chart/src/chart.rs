//! What a chart shows: its axes, lines and points.

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ink {
    /// As dark as text.
    #[default]
    Text,
    /// What stays in the background.
    Quiet,
    /// Engagement, and what is gained.
    Blue,
    /// Engagement bait, and what is lost.
    Orange,
    /// A third colour.
    Green,
    /// A fourth colour.
    Purple,
}

impl Ink {
    /// The class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Text => "ink",
            Self::Quiet => "quiet",
            Self::Blue => "blue",
            Self::Orange => "orange",
            Self::Green => "green",
            Self::Purple => "purple",
        }
    }
}

/// The colours of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white.
    Light,
    /// Light on black.
    Dark,
}

/// An axis.
#[derive(Debug, Clone, Default)]
pub struct Axis {
    /// What is measured, and in which unit; an arrow is added.
    pub name: String,
    /// The colour of the name.
    pub ink: Ink,
    /// The lowest and the highest value; as wide as the data where none is given.
    pub range: Option<(f64, f64)>,
    /// Whether equal distances are equal factors. All values are then above 0.
    pub logarithmic: bool,
}

impl Axis {
    /// A linear axis as wide as the data.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// A line, with the band around it where there is one.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Written at its end; empty for none.
    pub label: String,
    /// Its colour.
    pub ink: Ink,
    /// Whether it is thin and dashed.
    pub dashed: bool,
    /// x and y.
    pub points: Vec<(f64, f64)>,
    /// x, low, high.
    pub band: Vec<(f64, f64, f64)>,
}

/// A point with a label beside it.
#[derive(Debug, Clone, Default)]
pub struct Mark {
    /// Empty for none.
    pub label: String,
    /// Its colour.
    pub ink: Ink,
    /// In pixels.
    pub radius: f64,
    /// Whether it is a disc; else it is a ring.
    pub filled: bool,
    /// x and y.
    pub at: (f64, f64),
    /// Ends of an interval of y, where there is one.
    pub interval: Option<(f64, f64)>,
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The finding, as a sentence. A file shows it; a page writes it above the chart.
    pub title: String,
    /// How to read it. A file shows it below the title.
    pub subtitle: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Drawn in this order.
    pub lines: Vec<Line>,
    /// Drawn over the lines.
    pub marks: Vec<Mark>,
    /// Width and height in pixels, without title and subtitle.
    pub size: [f64; 2],
}

impl Default for Chart {
    fn default() -> Self {
        Self {
            title: String::new(),
            subtitle: String::new(),
            description: String::new(),
            x: Axis::default(),
            y: Axis::default(),
            lines: Vec::new(),
            marks: Vec::new(),
            size: [420.0, 320.0],
        }
    }
}

impl Chart {
    /// Everything that the axes must hold.
    pub(crate) fn points(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let lines = self.lines.iter().flat_map(|line| {
            let band = line.band.iter();
            let band = band.flat_map(|&(x, low, high)| [(x, low), (x, high)]);
            line.points.iter().copied().chain(band)
        });
        let marks = self.marks.iter().flat_map(|mark| {
            let (low, high) = mark.interval.unwrap_or((mark.at.1, mark.at.1));
            [(mark.at.0, low), (mark.at.0, high), mark.at]
        });
        lines.chain(marks)
    }
}
