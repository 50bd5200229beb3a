//! One axis: from values to pixels, and the round values that are written beside it.

/// From values to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    logarithmic: bool,
}

/// A value that is written beside an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Its pixel.
    pub(crate) at: f64,
    pub(crate) text: String,
}

impl Scale {
    /// Values `low..high` over pixels `start..end`.
    pub(crate) fn new(
        (low, high): (f64, f64),
        (start, end): (f64, f64),
        logarithmic: bool,
    ) -> Self {
        let own = |value: f64| if logarithmic { value.log10() } else { value };
        Self {
            low: own(low),
            high: own(high),
            start,
            end,
            logarithmic,
        }
    }

    /// The pixel of a value; values beyond the axis stand at its end.
    pub(crate) fn pixel(&self, value: f64) -> f64 {
        let value = if self.logarithmic {
            value.log10()
        } else {
            value
        };
        let share = (value - self.low) / (self.high - self.low);
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// About `wanted` round values.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        if self.logarithmic {
            return self.decades();
        }
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * decade)
            .into_iter()
            .find(|step| *step >= 0.999 * rough)
            .unwrap_or(rough);
        let digits = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        // Rounding must not lose the tick at either end.
        let slack = 1e-9 * step;
        let first = ((self.low - slack) / step).ceil() as i64;
        let last = ((self.high + slack) / step).floor() as i64;
        (first..=last)
            .map(|i| {
                let value = i as f64 * step;
                Tick {
                    at: self.pixel(value),
                    text: minus(&format!("{value:.digits$}")),
                }
            })
            .collect()
    }

    fn decades(&self) -> Vec<Tick> {
        let exponents = self.low.ceil() as i32..=self.high.floor() as i32;
        exponents
            .map(|exponent| {
                let value = 10_f64.powi(exponent);
                Tick {
                    at: self.pixel(value),
                    text: match exponent {
                        -3..=3 => value.to_string(),
                        _ => format!("10{}", superscript(exponent)),
                    },
                }
            })
            .collect()
    }
}

/// A range that holds all values with some room at both ends.
pub(crate) fn range(values: impl Iterator<Item = f64> + Clone, logarithmic: bool) -> (f64, f64) {
    let usable = values.filter(|value| value.is_finite() && (!logarithmic || *value > 0.0));
    let low = usable.clone().fold(f64::INFINITY, f64::min);
    let high = usable.fold(f64::NEG_INFINITY, f64::max);
    match (high - low, logarithmic) {
        (width, false) if width > 0.0 => (low - 0.05 * width, high + 0.05 * width),
        (width, true) if width > 0.0 => {
            let room = (high / low).powf(0.05);
            (low / room, high * room)
        }
        // A flat curve is drawn in the middle.
        (_, false) if low.is_finite() => (low - 0.5, low + 0.5),
        (_, true) if low.is_finite() => (0.5 * low, 2.0 * low),
        (_, false) => (0.0, 1.0),
        (_, true) => (1.0, 10.0),
    }
}

/// A number with the minus sign that is as wide as a plus.
fn minus(text: &str) -> String {
    text.replace('-', "−")
}

fn superscript(exponent: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    };
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: (f64, f64), logarithmic: bool) -> Vec<String> {
        let ticks = Scale::new(range, (0.0, 100.0), logarithmic).ticks(5);
        ticks.into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_round_and_tell_values_apart() {
        assert_eq!(
            texts((0.0, 1.0), false),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts((-0.011, 0.012), false),
            ["−0.010", "−0.005", "0.000", "0.005", "0.010"]
        );
        assert_eq!(texts((0.0, 12_000.0), false), ["0", "5000", "10000"]);
        assert_eq!(texts((0.05, 2e5), true).len(), 7);
        assert_eq!(texts((1e-5, 1e-3), true), ["10⁻⁵", "10⁻⁴", "0.001"]);
    }

    #[test]
    fn pixels_run_from_end_to_end_and_stay_within() {
        let scale = Scale::new((10.0, 1000.0), (0.0, 200.0), true);
        assert_eq!(scale.pixel(100.0), 100.0);
        let scale = Scale::new((0.0, 1.0), (200.0, 0.0), false);
        assert_eq!([scale.pixel(0.25), scale.pixel(7.0)], [150.0, 0.0]);
    }

    #[test]
    fn a_range_holds_flat_and_empty_values() {
        assert_eq!(range([2.0, 2.0].into_iter(), false), (1.5, 2.5));
        assert_eq!(range(std::iter::empty(), false), (0.0, 1.0));
        assert_eq!(range([f64::NAN].into_iter(), true), (1.0, 10.0));
    }
}
