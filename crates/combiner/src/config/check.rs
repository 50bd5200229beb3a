//! Turns the raw configuration into the checked one; every refusal names its key and says what to write.

use std::{collections::HashSet, path::Path, time::Duration};

use counterweight_model::Calibrator;
use counterweight_weights::{MIN_KEY_HORIZON, StoreConfigError};

use super::{
    Config, Limits, ModelSource, Objective, Packed, Ring, Source, StoreConfig, check_profile, raw,
};
use crate::error::ConfigurationError;

/// The version that stands for the served default.
pub(super) const LATEST: &str = "latest";
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// Ten years.
const MAX_KEY_DAYS: u64 = 3650;
/// A year.
const RING_MAX_MINUTES: u64 = 365 * 24 * 60;

/// A refused key, before it is known which file it stands in.
pub(super) struct Problem {
    key: String,
    problem: String,
}

pub(super) type Checked<T> = Result<T, Problem>;

pub(super) fn problem<T>(key: impl Into<String>, problem: impl Into<String>) -> Checked<T> {
    Err(Problem {
        key: key.into(),
        problem: problem.into(),
    })
}

pub(super) fn config(
    raw: raw::Config,
    origin: &str,
    folder: &Path,
) -> Result<Config, ConfigurationError> {
    checked(raw, folder).map_err(|Problem { key, problem }| ConfigurationError::Value {
        origin: origin.to_owned(),
        key,
        problem,
    })
}

fn checked(raw: raw::Config, folder: &Path) -> Checked<Config> {
    if raw.max_concurrent_requests == 0 {
        return problem("max_concurrent_requests", "is 0; write at least 1");
    }
    if raw.max_message_bytes < 1024 {
        return problem(
            "max_message_bytes",
            format!("is {}; write at least 1024", raw.max_message_bytes),
        );
    }
    if !(1..=RING_MAX_MINUTES).contains(&raw.ring.minutes) {
        return problem(
            "ring.minutes",
            format!(
                "is {}; write from 1 to {RING_MAX_MINUTES}, or candidates = 0 to keep nothing",
                raw.ring.minutes
            ),
        );
    }
    let key_horizon = key_horizon(raw.store.idempotency_days)?;
    let store = store(raw.store, folder)?;
    if raw.replica.is_empty() {
        return problem("replica", "is empty; give each combiner a name of its own");
    }
    let objectives = objectives(raw.objective)?;
    attributes(&raw.attributes, &objectives)?;
    let profiles = raw
        .profile
        .into_iter()
        .map(|(name, profile)| check_profile::profile(name, &profile, &objectives))
        .collect::<Checked<Vec<_>>>()?;
    if profiles.is_empty() {
        return problem(
            "profile",
            "there is none; write [profile.default] with weights",
        );
    }
    Ok(Config {
        listen: raw.listen,
        metrics_listen: raw.metrics_listen,
        replica: raw.replica,
        store,
        key_horizon,
        attributes: raw.attributes,
        limits: Limits {
            max_concurrent_requests: raw.max_concurrent_requests,
            max_message_bytes: raw.max_message_bytes,
            drain: Duration::from_secs(raw.drain_seconds),
        },
        ring: Ring {
            candidates: raw.ring.candidates,
            window: Duration::from_secs(60 * raw.ring.minutes),
        },
        objectives,
        profiles,
    })
}

fn attributes(attributes: &[String], objectives: &[Objective]) -> Checked<()> {
    let mut names = HashSet::new();
    for (index, name) in attributes.iter().enumerate() {
        let key = format!("attributes[{index}]");
        if name.is_empty() {
            return problem(key, "is empty; name a tensor of the request");
        }
        if !names.insert(name) {
            return problem(key, format!("{name:?} stands there twice"));
        }
        let column = objectives.iter().find(
            |objective| matches!(&objective.source, Source::Column { name: column } if column == name),
        );
        if let Some(objective) = column {
            return problem(
                key,
                format!(
                    "{name:?} is the column of objective {:?}, which is no attribute; leave it out",
                    objective.name
                ),
            );
        }
    }
    Ok(())
}

fn key_horizon(days: u64) -> Checked<Duration> {
    let least = MIN_KEY_HORIZON.as_secs() / DAY_SECONDS;
    if !(least..=MAX_KEY_DAYS).contains(&days) {
        return problem(
            "store.idempotency_days",
            format!("is {days}; write from {least} to {MAX_KEY_DAYS}"),
        );
    }
    Ok(Duration::from_secs(days * DAY_SECONDS))
}

fn store(raw: raw::Store, folder: &Path) -> Checked<StoreConfig> {
    if raw.path.as_os_str().is_empty() {
        return problem(
            "store.path",
            "is empty; name the file that keeps the weights",
        );
    }
    let path = folder.join(raw.path);
    let Some(url) = raw.nats else {
        if raw.stream.is_some() {
            return problem(
                "store.stream",
                "stands without store.nats; name the server too, or leave it out",
            );
        }
        return Ok(StoreConfig::Embedded { path });
    };
    StoreConfig::nats(path, url, raw.stream)
        .or_else(|StoreConfigError { key, problem }| self::problem(format!("store.{key}"), problem))
}

fn objectives(raw: Vec<raw::Objective>) -> Checked<Vec<Objective>> {
    if raw.is_empty() {
        return problem(
            "objective",
            "there is none; write at least one [[objective]]",
        );
    }
    let mut names = HashSet::new();
    raw.into_iter()
        .enumerate()
        .map(|(index, objective)| {
            let key = format!("objective[{index}] ({:?})", objective.name);
            if objective.name.is_empty() {
                return problem(format!("objective[{index}].name"), "is empty");
            }
            if !names.insert(objective.name.clone()) {
                return problem(key, "another objective has this name; names are unique");
            }
            let source = match (objective.model, objective.column) {
                (Some(model), None) => Source::Model(self::model(model, &format!("{key}.model"))?),
                (None, Some(column)) if column.name.is_empty() => {
                    return problem(
                        format!("{key}.column.name"),
                        "is empty; name a tensor of the request",
                    );
                }
                (None, Some(column)) => Source::Column { name: column.name },
                (None, None) => {
                    return problem(
                        key,
                        "has no source; write [objective.model] or [objective.column]",
                    );
                }
                (Some(_), Some(_)) => {
                    return problem(key, "has both a model and a column; keep one of them");
                }
            };
            calibrator(&objective.calibrator, &format!("{key}.calibrator"))?;
            if !(objective.base_rate > 0.0 && objective.base_rate <= 1.0) {
                return problem(
                    format!("{key}.base_rate"),
                    format!("is {}; write a probability above 0", objective.base_rate),
                );
            }
            Ok(Objective {
                name: objective.name,
                source,
                calibrator: objective.calibrator,
                base_rate: objective.base_rate,
            })
        })
        .collect()
}

fn model(raw: raw::Model, key: &str) -> Checked<ModelSource> {
    if raw.endpoints.is_empty() {
        return problem(
            format!("{key}.endpoints"),
            "is empty; write at least one, as \"http://127.0.0.1:8001\"",
        );
    }
    for (index, endpoint) in raw.endpoints.iter().enumerate() {
        let known = endpoint.starts_with("http://") || endpoint.starts_with("unix:");
        if !known || tonic::transport::Endpoint::from_shared(endpoint.clone()).is_err() {
            return problem(
                format!("{key}.endpoints[{index}]"),
                format!("{endpoint:?} is no address; write \"http://host:port\" or \"unix:/path\""),
            );
        }
    }
    for (field, value) in [
        ("name", &raw.name),
        ("version", &raw.version),
        ("output", &raw.output),
    ] {
        if value.is_empty() {
            return problem(format!("{key}.{field}"), "is empty");
        }
    }
    if raw.timeout_ms == 0 {
        return problem(format!("{key}.timeout_ms"), "is 0; write at least 1");
    }
    Ok(ModelSource {
        endpoints: raw.endpoints,
        name: raw.name,
        version: (raw.version != LATEST).then_some(raw.version),
        output: raw.output,
        column: raw.column,
        timeout: Duration::from_millis(raw.timeout_ms),
        packed: raw
            .packed
            .map(|packed| self::packed(packed, &format!("{key}.packed")))
            .transpose()?,
        expand_context: raw.expand_context,
    })
}

fn packed(raw: raw::Packed, key: &str) -> Checked<Packed> {
    if raw.input.is_empty() {
        return problem(
            format!("{key}.input"),
            "is empty; name the tensor that the server takes",
        );
    }
    if raw.features.is_empty() {
        return problem(
            format!("{key}.features"),
            "is empty; list the columns in the order the server takes them",
        );
    }
    let mut names = HashSet::new();
    if let Some(again) = raw
        .features
        .iter()
        .find(|feature| !names.insert(feature.as_str()))
    {
        return problem(
            format!("{key}.features"),
            format!("{again:?} stands there twice"),
        );
    }
    Ok(Packed {
        input: raw.input,
        features: raw.features,
    })
}

fn calibrator(calibrator: &Calibrator, key: &str) -> Checked<()> {
    let finite = |name: &str, value: f64| match value.is_finite() {
        true => Ok(()),
        false => problem(
            format!("{key}.{name}"),
            format!("is {value}; write a finite number"),
        ),
    };
    let not_negative = |name: &str, value: f64| match value >= 0.0 {
        true => finite(name, value),
        false => problem(
            format!("{key}.{name}"),
            format!("is {value}; below 0 it would turn the order around"),
        ),
    };
    match calibrator {
        Calibrator::None => Ok(()),
        Calibrator::Platt { slope, intercept } => {
            not_negative("slope", *slope)?;
            finite("intercept", *intercept)
        }
        Calibrator::Beta { a, b, c } => {
            not_negative("a", *a)?;
            not_negative("b", *b)?;
            finite("c", *c)
        }
        Calibrator::Isotonic { x, y } => {
            if x.is_empty() || x.len() != y.len() {
                return problem(
                    format!("{key}.y"),
                    format!(
                        "{} points for {} in x; write one y per x, at least one",
                        y.len(),
                        x.len()
                    ),
                );
            }
            if !x.iter().all(|value| value.is_finite())
                || x.windows(2).any(|pair| pair[0] >= pair[1])
            {
                return problem(
                    format!("{key}.x"),
                    "must be finite logits that strictly increase",
                );
            }
            if !y.iter().all(|value| (0.0..=1.0).contains(value))
                || y.windows(2).any(|pair| pair[0] > pair[1])
            {
                return problem(
                    format!("{key}.y"),
                    "must be probabilities that never decrease",
                );
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;

    const BASE: &str = r#"
        listen = "127.0.0.1:0"
        [store]
        path = "weights.log"
        [[objective]]
        name = "engagement"
        [objective.model]
        endpoints = ["http://127.0.0.1:8001", "unix:/run/model.sock"]
        name = "engagement"
        [[objective]]
        name = "engagement_bait"
        [objective.column]
        name = "p_bait"
        [objective.calibrator]
        method = "platt"
        slope = 1.0
        intercept = 0.5
        [profile.default]
        weights = { engagement = 1, engagement_bait = -0.5 }
    "#;

    fn parse(text: &str) -> Result<Config, ConfigurationError> {
        Config::parse(text, "combiner.toml", Path::new("/etc/counterweight"))
    }

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_filled_and_the_store_lies_beside_the_file() {
        let config = parse(BASE).unwrap();
        assert_eq!(config.store.to_string(), "/etc/counterweight/weights.log");
        assert_eq!(config.limits.max_concurrent_requests, 512);
        assert_eq!(
            (config.ring.candidates, config.ring.window),
            (1_000_000, Duration::from_secs(3600))
        );
        let Source::Model(model) = &config.objectives[0].source else {
            panic!("a model was configured")
        };
        assert_eq!(
            (
                model.version.as_deref(),
                model.output.as_str(),
                model.column
            ),
            (None, "probability", 0)
        );
        let profile = &config.profiles[0];
        assert_eq!(
            (
                profile.objectives.as_slice(),
                profile.on_model_failure,
                profile.limit
            ),
            (&[0, 1][..], Policy::Fail, 0)
        );
        assert_eq!(profile.weights.as_slice(), [1.0, -0.5]);
    }

    #[cfg(not(feature = "nats"))]
    #[test]
    fn a_nats_store_is_refused_by_a_build_without_nats() {
        let nats = "path = \"weights.log\"\nnats = \"nats://one:4222\"";
        let refusal = refusal(&BASE.replace("path = \"weights.log\"", nats));
        assert!(
            refusal.contains("store.nats: this program was built without NATS"),
            "{refusal}"
        );
    }

    #[cfg(feature = "nats")]
    #[test]
    fn a_nats_store_has_a_stream_and_a_copy_and_tells_no_password() {
        let nats = |more: &str| {
            parse(&BASE.replace(
                "path = \"weights.log\"",
                &format!("path = \"copy.log\"\n{more}"),
            ))
        };
        let config = nats("nats = \"nats://ana:secret@one:4222,nats://two:4222\"").unwrap();
        assert_eq!(
            config.store.to_string(),
            "nats://one:4222,two:4222 stream counterweight"
        );
        let StoreConfig::Nats { path, .. } = &config.store else {
            panic!("{:?}", config.store)
        };
        assert_eq!(path, Path::new("/etc/counterweight/copy.log"));
        for (more, expected) in [
            ("stream = \"s\"", "store.stream: stands without store.nats"),
            (
                "nats = \"\"",
                "store.nats: \"\" is not the address of a server",
            ),
            (
                "nats = \"http://one:4222\"",
                "store.nats: \"http://one:4222\" is not the address",
            ),
            ("nats = \"nats://one:x\"", "is not the address"),
            (
                "nats = \"nats://one\"\nstream = \"a.b\"",
                "store.stream: \"a.b\" is not a valid stream name",
            ),
            (
                "nats = \"nats://one\"\nstrem = \"a\"",
                "did you mean \"stream\"?",
            ),
        ] {
            let refusal = nats(more).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{more}: {refusal}");
        }
    }

    #[test]
    fn a_profile_may_rank_by_some_of_the_objectives() {
        let config = parse(&BASE.replace("engagement = 1, ", "")).unwrap();
        assert_eq!(config.profiles[0].objectives, [1]);
    }

    #[test]
    fn every_refusal_names_its_key() {
        let cases = [
            ("listen =", "lisen =", "(did you mean \"listen\"?)"),
            (
                "listen =",
                "atributes = []\nlisten =",
                "(did you mean \"attributes\"?)",
            ),
            (
                "listen =",
                "attributes = [\"a\", \"\"]\nlisten =",
                "attributes[1]: is empty; name a tensor",
            ),
            (
                "listen =",
                "attributes = [\"a\", \"b\", \"a\"]\nlisten =",
                "attributes[2]: \"a\" stands there twice",
            ),
            (
                "listen =",
                "attributes = [\"p_bait\"]\nlisten =",
                "attributes[0]: \"p_bait\" is the column of objective \"engagement_bait\"",
            ),
            (
                "weights = { engagement = 1",
                "weights = { engagment = 1",
                "profile.default.weights.engagment: there is no such objective (did you mean \"engagement\"?)",
            ),
            (
                "{ engagement = 1, engagement_bait = -0.5 }",
                "{}",
                "profile.default.weights: is empty",
            ),
            (
                "engagement = 1,",
                "engagement = nan,",
                "profile.default.weights.engagement: is NaN",
            ),
            (
                "engagement = 1, engagement_bait = -0.5",
                "engagement = 0",
                "profile.default.weights: every weight is zero",
            ),
            (
                "name = \"engagement_bait\"",
                "name = \"engagement\"",
                "objective[1] (\"engagement\"): another objective has this name",
            ),
            (
                "[\"http://127.0.0.1:8001\", \"unix:/run/model.sock\"]",
                "[]",
                ".model.endpoints: is empty",
            ),
            (
                "http://127.0.0.1:8001",
                "127.0.0.1:8001",
                "endpoints[0]: \"127.0.0.1:8001\" is no address",
            ),
            ("slope = 1.0", "slope = -1.0", ".calibrator.slope: is -1"),
            (
                "intercept = 0.5",
                "intercept = inf",
                ".calibrator.intercept: is inf",
            ),
            (
                "[profile.default]\n        weights = { engagement = 1, engagement_bait = -0.5 }",
                "",
                "profile: there is none",
            ),
            (
                "[objective.column]\n        name = \"p_bait\"",
                "",
                "has no source",
            ),
            (
                "path = \"weights.log\"",
                "path = \"\"",
                "store.path: is empty",
            ),
            (
                "path = \"weights.log\"",
                "path = \"weights.log\"\nidempotency_days = 6",
                "store.idempotency_days: is 6; write from 7 to 3650",
            ),
            ("[store]", "replica = \"\"\n[store]", "replica: is empty"),
            (
                "[store]",
                "[ring]\nminutes = 0\n[store]",
                "ring.minutes: is 0; write from 1 to 525600",
            ),
            (
                "[store]",
                "[ring]\ncandidates = -1\n[store]",
                ":4: invalid value: integer `-1`",
            ),
            (
                "[store]",
                "[ring]\nminuts = 5\n[store]",
                "(did you mean \"minutes\"?)",
            ),
            (
                "name = \"engagement_bait\"",
                "name = \"engagement_bait\"\nbase_rate = 0.0",
                ".base_rate: is 0; write a probability above 0",
            ),
            (
                "[store]",
                "max_concurrent_requests = 0\n[store]",
                "max_concurrent_requests: is 0",
            ),
        ];
        for (from, to, expected) in cases {
            assert!(BASE.contains(from), "{from}");
            let text = refusal(&BASE.replacen(from, to, 1));
            assert!(
                text.contains(expected) && text.starts_with("combiner.toml"),
                "{to:?} gave {text:?}"
            );
        }
    }

    #[test]
    fn isotonic_points_and_packed_features_are_checked() {
        let isotonic = |x: &str, y: &str| {
            BASE.replace("method = \"platt\"", "method = \"isotonic\"")
                .replace("slope = 1.0", &format!("x = {x}"))
                .replace("intercept = 0.5", &format!("y = {y}"))
        };
        assert!(parse(&isotonic("[-1.0, 1.0]", "[0.1, 0.9]")).is_ok());
        assert!(refusal(&isotonic("[-1.0]", "[0.1, 0.9]")).contains("2 points for 1"));
        assert!(refusal(&isotonic("[1.0, 1.0]", "[0.1, 0.9]")).contains("strictly increase"));
        assert!(refusal(&isotonic("[0.0, 1.0]", "[0.9, 0.1]")).contains("never decrease"));
        let packed = BASE.replace(
            "name = \"engagement\"\n        [[objective]]",
            "name = \"engagement\"\n        packed = { input = \"x\", features = [\"a\", \"a\"] }\n        [[objective]]",
        );
        assert!(refusal(&packed).contains("\"a\" stands there twice"));
    }
}
