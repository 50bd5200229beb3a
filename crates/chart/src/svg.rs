//! A chart as SVG, and the style sheets that colour it.

use askama::Template as _;

use crate::{
    chart::{Chart, Theme},
    drawing::{Drawing, drawing},
    palette::{DARK, LIGHT, Palette, VARIABLES},
};

#[derive(askama::Template)]
#[template(path = "chart.svg")]
struct Svg<'a> {
    drawing: &'a Drawing,
    style: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "chart.css", escape = "none")]
struct Rules {
    palette: Palette,
}

#[derive(askama::Template)]
#[template(path = "page.css", escape = "none")]
struct PageStyle {
    light: Palette,
    dark: Palette,
    rules: Rules,
}

impl Chart {
    /// The chart for a page that has [`page_style`], without its title.
    ///
    /// # Errors
    /// [`askama::Error`] where the template cannot be written.
    pub fn inline(&self) -> askama::Result<String> {
        let drawing = &drawing(self, false);
        Svg {
            drawing,
            style: None,
        }
        .render()
    }

    /// The chart as its own file, with its title.
    ///
    /// # Errors
    /// As [`Chart::inline`].
    pub fn file(&self, theme: Theme) -> askama::Result<String> {
        let palette = match theme {
            Theme::Light => LIGHT,
            Theme::Dark => DARK,
        };
        let drawing = &drawing(self, true);
        let style = Some(Rules { palette }.render()?);
        Svg { drawing, style }.render()
    }
}

/// The style sheet of a page with charts: variables for the colours of both themes (`--paper`,
/// `--wash`, `--grid`, `--ink`, `--quiet`, `--blue`, `--orange`, `--green`, `--purple`), and the
/// rules of the charts. A page that is printed is light.
///
/// # Errors
/// As [`Chart::inline`].
pub fn page_style() -> askama::Result<String> {
    let style = PageStyle {
        light: LIGHT,
        dark: DARK,
        rules: Rules { palette: VARIABLES },
    };
    style.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Axis, Ink, Line, Mark};

    fn chart() -> Chart {
        let mark = |label: &str, at| Mark {
            label: label.to_owned(),
            ink: Ink::Orange,
            radius: 4.0,
            filled: true,
            at,
            interval: None,
        };
        Chart {
            title: "A <title> & more".to_owned(),
            description: "\"quoted\" <script>".to_owned(),
            x: Axis::named("x, unit"),
            y: Axis::named("y, unit"),
            lines: vec![Line {
                label: "line".to_owned(),
                ink: Ink::Blue,
                points: vec![(0.0, 0.0), (1.0, 2.0)],
                band: vec![(0.0, -0.5, 0.5), (1.0, 1.5, 2.5)],
                ..Line::default()
            }],
            marks: vec![mark("one", (0.5, 1.0)), mark("two", (0.5, 1.0))],
            ..Chart::default()
        }
    }

    #[test]
    fn a_chart_of_a_page_has_names_and_labels_and_no_colours_of_its_own() {
        let svg = chart().inline().unwrap();
        for text in ["x, unit", "y, unit", ">line<", ">one<", ">two<", "viewBox"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        for text in ["<title>", "<script", "<style", "http://", "fill=\"#"] {
            assert!(!svg.contains(text), "{text}: {svg}");
        }
        assert!(page_style().unwrap().contains("stroke: var(--blue)"));
    }

    #[test]
    fn a_file_shows_its_title_in_the_colours_of_its_theme() {
        let light = chart().file(Theme::Light).unwrap();
        let dark = chart().file(Theme::Dark).unwrap();
        assert!(light.contains("#0072b2") && !light.contains("var("));
        assert!(dark.contains("#56b4e9") && !dark.contains("#0072b2"));
        assert!(light.contains("xmlns=\"http://www.w3.org/2000/svg\""));
        assert!(!light.contains("<title>") && light.contains("&#60;title&#62; &#38; more"));
    }

    #[test]
    fn what_is_empty_or_flat_is_drawn_too() {
        assert!(Chart::default().inline().unwrap().contains("<svg"));
        let mut flat = chart();
        flat.lines[0].points = vec![(1.0, 1.0), (1.0, 1.0)];
        flat.lines[0].band.clear();
        flat.marks.clear();
        let svg = flat.file(Theme::Light).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
