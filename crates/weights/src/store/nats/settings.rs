//! How the stream of the log is set up: it keeps everything, and orders it.

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, PersistenceMode, Republish, RetentionPolicy, StorageType,
};

/// The subject of the entries of a stream.
pub(super) fn subject(stream: &str) -> String {
    format!("{stream}.log")
}

/// Where a signal comes after every new entry.
pub(super) fn news_subject(stream: &str) -> String {
    format!("{stream}.new")
}

/// The settings of the stream of that name.
pub(super) fn wanted(name: &str) -> Config {
    Config {
        name: name.to_owned(),
        description: Some("the weights log of Counterweight".to_owned()),
        subjects: vec![subject(name)],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        deny_delete: true,
        deny_purge: true,
        num_replicas: 1,
        republish: Some(Republish {
            source: subject(name),
            destination: news_subject(name),
            headers_only: true,
        }),
        ..Config::default()
    }
}

/// The settings by which the stream could lose or reorder entries, each with the value it must
/// have.
pub(super) fn unfit(info: &Info, wanted: &Config) -> Vec<String> {
    let (found, state) = (&info.config, &info.state);
    let checks = [
        (
            found.subjects == wanted.subjects,
            format!(
                "subjects is {:?} and has to be {:?}",
                found.subjects, wanted.subjects
            ),
        ),
        (
            found.republish == wanted.republish,
            format!(
                "republish has to be from {:?} to {:?}, headers only",
                wanted.subjects[0],
                wanted.republish.as_ref().map_or("", |to| &to.destination)
            ),
        ),
        (
            found.storage == StorageType::File,
            "storage has to be file".to_owned(),
        ),
        (
            found.retention == RetentionPolicy::Limits,
            "retention has to be limits".to_owned(),
        ),
        (
            found.discard == DiscardPolicy::New,
            "discard has to be new".to_owned(),
        ),
        (found.max_age.is_zero(), "max_age has to be 0".to_owned()),
        (
            found.max_messages_per_subject <= 0,
            "max_msgs_per_subject has to be -1".to_owned(),
        ),
        (
            found.deny_delete && found.deny_purge,
            "deny_delete and deny_purge have to be set".to_owned(),
        ),
        (
            !found.allow_rollup,
            "allow_rollup_hdrs has to be off".to_owned(),
        ),
        (!found.no_ack, "no_ack has to be off".to_owned()),
        (
            found
                .persist_mode
                .is_none_or(|mode| mode == PersistenceMode::Default),
            "persist_mode has to be default".to_owned(),
        ),
        (
            found.mirror.is_none() && found.sources.is_none(),
            "it mirrors another stream".to_owned(),
        ),
        (
            state.messages == state.last_sequence,
            format!(
                "it has {} entries up to revision {}: some are missing",
                state.messages, state.last_sequence
            ),
        ),
    ];
    checks
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, problem)| problem)
        .collect()
}
