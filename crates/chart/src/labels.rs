//! Where labels stand: beside what they name, over no line, no point and no other label.

/// Height of a line of text.
pub(crate) const LINE: f64 = 16.0;
/// About how wide a character is, at 13 pixels.
pub(crate) const CHARACTER: f64 = 7.0;
/// How often a label may move one line away before it stays where it was.
const RINGS: usize = 12;

/// An area of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Area {
    /// A square around a point.
    pub(crate) fn around(x: f64, y: f64, half: f64) -> Self {
        Self {
            left: x - half,
            top: y - half,
            right: x + half,
            bottom: y + half,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn contains(&self, other: &Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && self.right >= other.right
            && self.bottom >= other.bottom
    }
}

/// A label's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    /// Of the baseline.
    pub(crate) baseline: f64,
    /// Whether the text ends at `x` instead of starting there.
    pub(crate) ends: bool,
}

/// Finds places one after the other; what is placed is taken.
pub(crate) struct Labels {
    bounds: Area,
    taken: Vec<Area>,
}

impl Labels {
    /// `taken` is what no label may cover; labels stay within `bounds`.
    pub(crate) fn new(bounds: Area, taken: Vec<Area>) -> Self {
        Self { bounds, taken }
    }

    /// The free place that is nearest to a point; right of the point when none is free.
    pub(crate) fn place(&mut self, text: &str, x: f64, y: f64) -> Place {
        let width = width(text);
        let candidates: Vec<(Area, bool)> = (0..RINGS)
            .flat_map(|ring| {
                let near = 9.0 + 2.0 * ring as f64;
                let far = 0.75 * ring as f64 * LINE;
                [
                    (x + near, -far, false),
                    (x + near, far, false),
                    (x - near - width, -far, true),
                    (x - near - width, far, true),
                ]
            })
            .map(|(left, shift, ends)| {
                let top = y - 0.5 * LINE + shift;
                let area = Area {
                    left,
                    top,
                    right: left + width,
                    bottom: top + LINE,
                };
                (area, ends)
            })
            .collect();
        let free = |(area, _): &&(Area, bool)| {
            self.bounds.contains(area) && !self.taken.iter().any(|other| area.overlaps(other))
        };
        let (area, ends) = *candidates.iter().find(free).unwrap_or(&candidates[0]);
        self.taken.push(area);
        Place {
            x: if ends { area.right } else { area.left },
            baseline: area.bottom - 4.0,
            ends,
        }
    }
}

/// About how wide a label is.
pub(crate) fn width(text: &str) -> f64 {
    CHARACTER * text.chars().count() as f64
}

/// A text in lines of about so many pixels, where a character takes so many. A no-break space
/// divides nothing.
pub(crate) fn wrap(text: &str, pixels: f64, character: f64) -> Vec<String> {
    let most = (pixels / character).max(10.0) as usize;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Area = Area {
        left: 0.0,
        top: 0.0,
        right: 200.0,
        bottom: 100.0,
    };

    #[test]
    fn labels_of_one_point_stand_apart() {
        let mut labels = Labels::new(BOUNDS, vec![Area::around(100.0, 50.0, 5.0)]);
        let places: Vec<Place> = ["one", "two", "three"]
            .map(|text| labels.place(text, 100.0, 50.0))
            .to_vec();
        assert!(!places[0].ends && places[0].x > 105.0);
        for (i, place) in places.iter().enumerate() {
            assert!(!places[..i].contains(place), "{places:?}");
        }
        for (i, area) in labels.taken.iter().enumerate() {
            assert!(labels.taken[..i].iter().all(|other| !area.overlaps(other)));
        }
    }

    #[test]
    fn a_label_at_the_right_edge_goes_to_the_left_of_its_point() {
        let place = Labels::new(BOUNDS, Vec::new()).place("recommended", 195.0, 50.0);
        assert!(place.ends && place.x < 195.0);
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(
            wrap("one two three four", 90.0, 9.0),
            ["one two", "three four"]
        );
        assert_eq!(wrap("", 90.0, 9.0), Vec::<String>::new());
    }
}
