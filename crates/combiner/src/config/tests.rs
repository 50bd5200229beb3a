//! Tests of the whole configuration: the defaults, and that every refusal names its key.

use super::*;

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
        (
            config.recent_requests.candidates,
            config.recent_requests.window
        ),
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

/// What a log with a store in `url`, and `more` about it, is refused for.
#[cfg(feature = "object-store")]
fn store_refusal(table: &str, url: &str, more: &str) -> String {
    let log = format!("[{table}]\npath = \"log\"\n[{table}.store]\nurl = \"{url}\"\n{more}");
    refusal(&format!("{BASE}\n{log}"))
}

#[cfg(feature = "object-store")]
#[test]
fn logs_may_go_to_object_storage() {
    let stores = "
        [request_log]
        path = \"log\"
        [request_log.store]
        url = \"s3://logs/feed\"
        endpoint = \"http://127.0.0.1:9000\"
        region = \"eu-central-1\"
        allow_http = true
        [feedback]
        path = \"events\"
        store = { url = \"s3://logs/feed\" }";
    let config = parse(&format!("{BASE}{stores}")).unwrap();
    let (log, feedback) = (config.request_log.unwrap(), config.feedback.unwrap());
    for store in [log.store, feedback.store] {
        assert_eq!(format!("{store:?}"), "Some(PartStore(\"s3://logs/feed\"))");
    }
    for table in ["request_log", "feedback"] {
        let refusal = |url, more| store_refusal(table, url, more);
        for (url, more, expected) in [
            (
                "logs",
                "",
                "store.url: `logs` is not the address of a bucket",
            ),
            (
                "s3://a",
                "endpoint = \"http://b\"",
                "store.endpoint: `http://b` has no TLS",
            ),
            ("s3://a", "region = \"\"", "store.region: is empty"),
            ("s3://a", "secret_access_key = \"x\"", "secret_access_key"),
        ] {
            let refusal = refusal(url, more);
            assert!(refusal.contains(expected), "{refusal}");
        }
        assert!(refusal("logs", "").contains(&format!("{table}.store.url")));
    }
}

#[cfg(not(feature = "object-store"))]
#[test]
fn object_storage_is_refused_by_a_build_without_it() {
    let log = "[request_log]\npath = \"log\"\nstore = { url = \"s3://logs\" }";
    let refusal = refusal(&format!("{BASE}{log}"));
    assert!(
        refusal.contains("request_log.store: this program was built without object storage"),
        "{refusal}"
    );
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
        (
            "stream = \"s\"",
            "store.stream: has no effect without store.nats",
        ),
        ("nats = \"\"", "store.nats: \"\" is not the address"),
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
            "attributes[2]: \"a\" is listed twice",
        ),
        (
            "listen =",
            "attributes = [\"p_bait\"]\nlisten =",
            "attributes[0]: \"p_bait\" is the column of objective \"engagement_bait\"",
        ),
        (
            "weights = { engagement = 1",
            "weights = { engagment = 1",
            "profile.default.weights.engagment: is not an objective (did you mean \"engagement\"?)",
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
            "endpoints[0]: \"127.0.0.1:8001\" is not an address",
        ),
        ("slope = 1.0", "slope = -1.0", ".calibrator.slope: is -1"),
        (
            "intercept = 0.5",
            "intercept = inf",
            ".calibrator.intercept: is inf",
        ),
        (
            "[profile.default]\n    weights = { engagement = 1, engagement_bait = -0.5 }",
            "",
            "profile: no profile is configured",
        ),
        (
            "[objective.column]\n    name = \"p_bait\"",
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
            "[recent_requests]\nminutes = 0\n[store]",
            "recent_requests.minutes: is 0; write from 1 to 525600",
        ),
        (
            "[store]",
            "[recent_requests]\ncandidates = -1\n[store]",
            ":4: invalid value: integer `-1`",
        ),
        (
            "[store]",
            "[recent_requests]\nminuts = 5\n[store]",
            "(did you mean \"minutes\"?)",
        ),
        (
            "name = \"engagement_bait\"",
            "name = \"engagement_bait\"\nbase_rate = 0.0",
            ".base_rate: is 0; write a probability above 0",
        ),
        (
            "[store]",
            "[limits]\nmax_concurrent_requests = 0\n[store]",
            "limits.max_concurrent_requests: is 0",
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
        "name = \"engagement\"\n    [[objective]]",
        "name = \"engagement\"\n    packed = { input = \"x\", features = [\"a\", \"a\"] }\n    [[objective]]",
    );
    assert!(refusal(&packed).contains("\"a\" is listed twice"));
}
