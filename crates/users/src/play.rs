//! Plays a population against a running combiner, in the order of simulated time.

use counterweight_proto::counterweight::v1::{
    feedback_service_client::FeedbackServiceClient, ranking_service_client::RankingServiceClient,
};
use counterweight_simulator::{Population, Visit};
use tonic::transport::Channel;

use crate::{
    counts::Counts,
    error::UsersError,
    features::Accepted,
    outbox::Outbox,
    pace::{Pace, Running},
    played::Played,
    rank::{rank, react},
};

/// Plays all visits of a population against the combiner behind a channel, one call after another:
/// each visit is ranked, its user reacts to the page, and the events are sent when they arrive by
/// the simulated time. `played` gets each visit when its last event has been sent, in the order in
/// which they end.
///
/// Calls that fail are counted, and the play goes on: a user whose request fails sees nothing. A
/// batch of events is sent again while the server is unavailable or overloaded.
///
/// # Errors
/// [`UsersError`]: the combiner does not describe itself, its models need other features, or
/// `played` fails.
pub async fn play(
    population: &mut Population,
    combiner: Channel,
    pace: Pace,
    mut played: impl FnMut(Played) -> Result<(), UsersError>,
) -> Result<Counts, UsersError> {
    let mut ranking = RankingServiceClient::new(combiner.clone());
    let accepted = Accepted::ask(&mut ranking, &population.visit(0)).await?;
    let mut play = Play {
        ranking,
        accepted,
        outbox: Outbox::new(FeedbackServiceClient::new(combiner)),
        pace: pace.start(population.start_ms())?,
        places: population.places(),
        counts: Counts::default(),
    };
    for number in 0..population.visits() {
        let visit = population.visit(number);
        play.send_until(visit.time_ms(), population, &mut played)
            .await?;
        play.pace.wait_until(visit.time_ms()).await;
        if let Some(over) = play.visit(&visit).await? {
            played(over)?;
        }
    }
    play.send_until(i64::MAX, population, &mut played).await?;
    Ok(play.counts)
}

/// The state of a play.
struct Play {
    ranking: RankingServiceClient<Channel>,
    accepted: Accepted,
    outbox: Outbox,
    pace: Running,
    places: usize,
    counts: Counts,
}

impl Play {
    /// Ranks one visit, and returns it if it is over at once.
    async fn visit(&mut self, visit: &Visit) -> Result<Option<Played>, UsersError> {
        match rank(&mut self.ranking, &self.accepted, visit, self.places).await? {
            Ok(answer) => {
                self.counts.ranked += 1;
                let ranked_ms = self.pace.now_ms();
                let played = react(visit, answer, ranked_ms, &self.pace)?;
                let counts = &mut self.counts;
                Ok(self.outbox.put(visit.number(), played, ranked_ms, counts))
            }
            Err(status) => {
                self.counts.not_ranked += 1;
                self.counts.failed("Rank", &status);
                Ok(None)
            }
        }
    }

    /// Sends the events that are due before a simulated time.
    async fn send_until(
        &mut self,
        until_ms: i64,
        population: &Population,
        played: &mut impl FnMut(Played) -> Result<(), UsersError>,
    ) -> Result<(), UsersError> {
        while let Some(next_ms) = self.outbox.next_ms()
            && next_ms <= until_ms
        {
            self.pace.wait_until(next_ms).await;
            let outbox = &mut self.outbox;
            for over in outbox
                .send_next(population, &self.pace, &mut self.counts)
                .await
            {
                played(over)?;
            }
        }
        Ok(())
    }
}
