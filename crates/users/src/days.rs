//! Simulated days in front of a combiner whose clock the players drive.

use counterweight_clock::DrivenClock;
use counterweight_simulator::{Config, Population};
use tonic::transport::Channel;

use crate::{counts::Counts, error::UsersError, pace::Pace, play::play, played::Played};

/// Plays simulated days against the combiner behind a channel, and returns every visit with its
/// truth. [`Config::of_days`] says how many days and visits. `clock` must be the combiner's: it is
/// set to the time of each request and of each batch of events, and stands at the last batch
/// afterwards, up to three days after the last visit.
///
/// Both logs have everything then, but not all of it as parts: the hours that end last are still in
/// segments. Set the clock on by the age of a part, or stop the combiner and start it again.
///
/// # Errors
/// [`UsersError`].
pub async fn play_days(
    config: Config,
    combiner: Channel,
    clock: DrivenClock,
) -> Result<(Vec<Played>, Counts), UsersError> {
    let mut population = Population::new(config)?;
    let mut visits = Vec::new();
    let pace = Pace::Driven(clock);
    let playing = play(&mut population, combiner, pace, |played| {
        visits.push(played);
        Ok(())
    });
    let counts = playing.await?;
    Ok((visits, counts))
}
