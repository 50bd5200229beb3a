//! Random logs: the order of arrival has no influence, and all events are accounted for.

use proptest::prelude::*;

use counterweight_journal::HOUR_MS;

use crate::common::{DAY_MS, Event, Logs, Ranking, START_MS, click, label_in, ranking};

/// An event by the places of its ranking and candidate, and its times.
type Drawn = (usize, usize, i64, i64, bool);

fn events(rankings: &[Ranking], drawn: &[Drawn]) -> Vec<Event> {
    let mut all = Vec::new();
    for (number, &(of, candidate, after, delay, twice)) in drawn.iter().enumerate() {
        let of = &rankings[of % rankings.len()];
        let mut event = click(of, candidate, after);
        event.id = number.to_string();
        event.received_ms = event.time_ms.max(of.time_ms) + delay;
        if twice {
            all.push(Event {
                received_ms: event.received_ms + 1,
                ..event.clone()
            });
        }
        all.push(event);
    }
    all
}

/// The labels by the definition: a click on a shown candidate within the window, which arrived in
/// time.
fn expected(ranking: &Ranking, events: &[Event], candidate: usize) -> Option<bool> {
    let hour_end = (ranking.time_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS;
    let clicked = events.iter().any(|event| {
        event.ranking == ranking.id
            && event.candidate == format!("candidate-{candidate}")
            && (-300_000..=DAY_MS).contains(&(event.time_ms - ranking.time_ms))
            && event.received_ms <= hour_end + DAY_MS + HOUR_MS
    });
    (candidate < ranking.k).then_some(clicked)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_event_has_a_fate_and_order_has_no_influence(
        times in prop::collection::vec(0..20 * HOUR_MS, 1..12),
        drawn in prop::collection::vec(
            (0..12_usize, 0..5_usize, -600_000..30 * HOUR_MS, 0..30 * HOUR_MS, any::<bool>()), 0..40),
        seed in any::<u64>(),
    ) {
        let rankings: Vec<_> = times.iter().enumerate()
            .map(|(at, &time)| ranking(&at.to_string(), START_MS + time)).collect();
        let events = events(&rankings, &drawn);
        let mut logs = Logs::new();
        logs.rank(&rankings);
        logs.happen(&events);
        let joined = logs.join();
        prop_assert_eq!(joined.counts.events.all(), events.len() as u64);
        let rows = logs.rows();
        for ranking in &rankings {
            for candidate in 0..4 {
                let label = label_in(&rows, ranking, &format!("candidate-{candidate}"));
                prop_assert_eq!(label.map(|(label, _)| label), expected(ranking, &events, candidate));
            }
        }
        let mut shuffled = events;
        let n = shuffled.len();
        for at in 0..n {
            shuffled.swap(at, (seed.wrapping_mul(at as u64 + 1) % n as u64) as usize);
        }
        let mut other = Logs::new();
        other.rank(&rankings);
        other.happen(&shuffled);
        prop_assert_eq!(other.join().counts, joined.counts);
        prop_assert!(other.rows().equals_missing(&rows));
    }
}
