//! How the simulated time passes: as fast as a clock is driven, or faster than real time by a
//! factor.

use std::time::Duration;

#[cfg(feature = "driven")]
use counterweight_clock::DrivenClock;
use counterweight_clock::{Clock as _, SystemClock};
use tokio::time::{Instant, sleep_until};

use crate::error::UsersError;

/// How the simulated time passes.
#[derive(Debug, Clone)]
pub enum Pace {
    /// By the system's clock, so many times faster. All times are compressed by the factor: at 1440
    /// a day takes a minute.
    Faster(f64),
    /// As fast as the servers answer. The players set this clock, which is also the combiner's, to
    /// the simulated time of everything that they do.
    #[cfg(feature = "driven")]
    Driven(DrivenClock),
}

/// A pace that has started.
pub(crate) enum Running {
    Faster {
        speed: f64,
        start: Instant,
        /// The same moment by the system's clock, and in simulated time.
        start_ms: i64,
        simulated_ms: i64,
    },
    #[cfg(feature = "driven")]
    Driven(DrivenClock),
}

impl Pace {
    /// Starts at this simulated time.
    pub(crate) fn start(self, simulated_ms: i64) -> Result<Running, UsersError> {
        match self {
            Self::Faster(speed) if speed.is_finite() && speed > 0.0 => Ok(Running::Faster {
                speed,
                start: Instant::now(),
                start_ms: SystemClock.now_ms(),
                simulated_ms,
            }),
            Self::Faster(speed) => Err(UsersError::Speed(speed)),
            #[cfg(feature = "driven")]
            Self::Driven(clock) => {
                clock.set(simulated_ms);
                Ok(Running::Driven(clock))
            }
        }
    }
}

impl Running {
    /// Waits for a simulated time. It may have passed already.
    pub(crate) async fn wait_until(&self, until_ms: i64) {
        match self {
            Self::Faster {
                speed,
                start,
                simulated_ms,
                ..
            } => {
                let seconds = (until_ms - simulated_ms).max(0) as f64 / 1_000.0 / speed;
                let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                match start.checked_add(wait) {
                    Some(until) => sleep_until(until).await,
                    // Longer than any machine runs.
                    None => std::future::pending().await,
                }
            }
            #[cfg(feature = "driven")]
            Self::Driven(clock) => clock.set(until_ms.max(clock.now_ms())),
        }
    }

    /// The simulated time.
    pub(crate) fn now_ms(&self) -> i64 {
        match self {
            Self::Faster {
                speed,
                start,
                simulated_ms,
                ..
            } => simulated_ms + (start.elapsed().as_secs_f64() * 1_000.0 * speed) as i64,
            #[cfg(feature = "driven")]
            Self::Driven(clock) => clock.now_ms(),
        }
    }

    /// A simulated time by the clock of the servers.
    pub(crate) fn clock_ms(&self, at_ms: i64) -> i64 {
        match self {
            Self::Faster {
                speed,
                start_ms,
                simulated_ms,
                ..
            } => start_ms + ((at_ms - simulated_ms) as f64 / speed) as i64,
            #[cfg(feature = "driven")]
            Self::Driven(_) => at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn simulated_time_passes_faster_by_the_factor() {
        let pace = Pace::Faster(1_000.0).start(5_000).unwrap();
        pace.wait_until(65_000).await;
        // Sleeps are rounded up to milliseconds, a second of simulated time.
        assert!((65_000..67_000).contains(&pace.now_ms()));
        assert_eq!(pace.clock_ms(65_000), pace.clock_ms(5_000) + 60);
        pace.wait_until(0).await;
        assert!(pace.now_ms() < 68_000, "what has passed is not waited for");
    }

    #[test]
    fn a_speed_is_a_number_above_0() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::Faster(speed).start(0).is_err(), "{speed}");
        }
    }
}
