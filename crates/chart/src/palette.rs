//! Colours: engagement is blue and engagement bait orange everywhere, in hues that people who do
//! not see all colours tell apart (Okabe and Ito). Every colour of a text is readable on the paper.

/// The colours of one theme.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    pub(crate) paper: &'static str,
    /// The background of boxes that stand out.
    pub(crate) wash: &'static str,
    pub(crate) grid: &'static str,
    pub(crate) ink: &'static str,
    pub(crate) quiet: &'static str,
    pub(crate) blue: &'static str,
    pub(crate) orange: &'static str,
    pub(crate) green: &'static str,
    pub(crate) purple: &'static str,
}

pub(crate) const LIGHT: Palette = Palette {
    paper: "#ffffff",
    wash: "#f4f6f8",
    grid: "#d9dee4",
    ink: "#1b1f24",
    quiet: "#57606a",
    blue: "#0072b2",
    orange: "#b84f00",
    green: "#00724f",
    purple: "#9a3f73",
};

pub(crate) const DARK: Palette = Palette {
    paper: "#0d1117",
    wash: "#161b22",
    grid: "#30363d",
    ink: "#e6edf3",
    quiet: "#9ba5b0",
    blue: "#56b4e9",
    orange: "#f0a04b",
    green: "#3fc79a",
    purple: "#e08fbd",
};

/// The variables of a page, which follow the reader's theme.
pub(crate) const VARIABLES: Palette = Palette {
    paper: "var(--paper)",
    wash: "var(--wash)",
    grid: "var(--grid)",
    ink: "var(--ink)",
    quiet: "var(--quiet)",
    blue: "var(--blue)",
    orange: "var(--orange)",
    green: "var(--green)",
    purple: "var(--purple)",
};

impl Palette {
    /// Colours of lines, points and labels, by the name of their class.
    pub(crate) fn inks(&self) -> [(&'static str, &'static str); 6] {
        [
            ("ink", self.ink),
            ("quiet", self.quiet),
            ("blue", self.blue),
            ("orange", self.orange),
            ("green", self.green),
            ("purple", self.purple),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of sRGB, as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let share = f64::from(value) / 255.0;
            match share <= 0.04045 {
                true => share / 12.92,
                false => ((share + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn every_colour_of_a_text_is_readable_on_paper_and_on_boxes() {
        for palette in [LIGHT, DARK] {
            for (name, colour) in palette.inks() {
                for background in [palette.paper, palette.wash] {
                    let [a, b] = [luminance(colour), luminance(background)];
                    let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(
                        contrast >= 4.5,
                        "{name} on {background}: contrast {contrast:.2}"
                    );
                }
            }
        }
    }
}
