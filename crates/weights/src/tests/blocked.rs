//! An entry that a combiner cannot apply, because another one has another configuration.

use super::*;

/// A server whose profiles have a third objective, and after it one that lacks it.
async fn servers() -> Servers {
    let mut servers = Servers::start(0).await;
    let narrow = Arc::clone(&servers.config);
    let wider = [
        ("engagement", 1.0),
        ("engagement_bait", -1.0),
        ("hide", -1.0),
    ];
    let profiles = ["a", "b"].map(|name| test_config::profile(name, &wider));
    let mut wide = test_config::config(servers.folder.path(), profiles.into());
    wide.replica = "wide".into();
    servers.add_with(Arc::new(wide)).await;
    servers.add_with(narrow).await;
    servers
}

impl Servers {
    /// Sets weights at the wide server, as the narrow one reads it next.
    async fn set_wide(&self, profile: &str, weights: &[(&str, f64)]) {
        let live = &self.all[0];
        let planner = live.planner(Context {
            forced: true,
            ..Context::default()
        });
        let change = ProfileChange {
            weights: weights
                .iter()
                .map(|&(objective, weight)| ObjectiveWeight {
                    objective: objective.into(),
                    weight,
                })
                .collect(),
            ..set_bait(profile, 0.0).remove(0)
        };
        let key = format!("{}", live.applied());
        live.commit(cause(&key), |log| {
            planner.set(log, std::slice::from_ref(&change)).map(Some)
        })
        .await
        .unwrap();
        self.all[1].catch_up().await.unwrap();
    }
}

const ALL_ZERO_FOR_THE_NARROW: [(&str, f64); 2] = [("engagement", 0.0), ("engagement_bait", 0.0)];

#[tokio::test]
async fn an_entry_that_cannot_be_applied_stops_what_is_applied_until_the_log_can_be_taken() {
    let servers = servers().await;
    let narrow = &servers.all[1];
    servers.set_wide("a", &[("engagement", 2.0)]).await;
    assert_eq!((narrow.applied(), narrow.blocked()), (1, None));

    servers.set_wide("a", &ALL_ZERO_FOR_THE_NARROW).await;
    // Another profile's entry is not applied before it: there is one history.
    servers.set_wide("b", &[("engagement", 3.0)]).await;
    assert_eq!((narrow.applied(), narrow.last()), (1, 3));
    let blocked = narrow.blocked().unwrap();
    assert_eq!((blocked.profile.as_str(), blocked.revision), ("a", 2));
    let engagement = |profile| narrow.in_force(profile).weights.as_slice()[0];
    assert_eq!((engagement(0), engagement(1)), (2.0, 1.0));
    let own = narrow.replicas().await.unwrap().remove(0);
    assert_eq!((own.applied, own.revisions_behind), (1, 2));
    assert!(
        own.problem.contains("stopped at revision 1")
            && own.problem.contains("\"a\" in revision 2"),
        "{}",
        own.problem
    );
    assert!(!narrow.step_ramps(START).await.unwrap());

    servers.set_wide("a", &[("engagement", 4.0)]).await;
    assert_eq!((narrow.applied(), narrow.blocked()), (4, None));
    assert_eq!((engagement(0), engagement(1)), (4.0, 3.0));
    assert_eq!(narrow.replicas().await.unwrap()[0].problem, "");
}

#[tokio::test]
async fn a_combiner_that_has_stopped_writes_only_what_lets_it_go_on() {
    let mut servers = servers().await;
    servers.set_wide("a", &ALL_ZERO_FOR_THE_NARROW).await;
    let narrow = &servers.all[1];
    let planner = narrow.planner(Context::default());
    let other = set_bait("b", -1.5);
    let refused = narrow
        .commit(cause("b"), |log| planner.set(log, &other).map(Some))
        .await;
    assert!(
        matches!(refused, Err(Error::Store(StoreError::Mismatch(_)))),
        "{refused:?}"
    );
    assert_eq!(narrow.last(), 1, "nothing was written");

    // The way out on this combiner: the kill switch, which asks nothing of what is there.
    let mut safe = test_config::profile("a", &[("engagement", 1.0), ("engagement_bait", -1.0)]);
    safe.safe = Some(safe.weights.clone());
    let profiles = vec![safe, test_config::profile("b", &[("engagement", 1.0)])];
    let config = test_config::config(servers.folder.path(), profiles);
    let opening = LiveWeights::over(
        Arc::new(config.clone()),
        servers.store.clone(),
        LogState::new(config.key_horizon),
        health(),
        metrics(),
    );
    let error = opening.await.unwrap_err();
    assert!(
        matches!(error, StoreError::Mismatch(_)),
        "a log that cannot be taken is not opened: {error}"
    );
    servers.set_wide("a", &[("engagement", 1.0)]).await;
    servers.add_with(Arc::new(config)).await;
    servers.set_wide("a", &ALL_ZERO_FOR_THE_NARROW).await;
    let killing = &servers.all[2];
    killing.catch_up().await.unwrap();
    assert!(killing.blocked().is_some());
    let planner = killing.planner(Context::default());
    let killed = killing
        .commit(cause("kill"), |_| planner.kill("a").map(Some))
        .await;
    let revision = killed.unwrap().unwrap().revision;
    assert_eq!((killing.applied(), killing.blocked()), (revision, None));
}
