//! Segments, experiments and exploration over real sockets: who gets which weights, and that it stays so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use common::{
    Combiner, Model, assert_recomputes,
    audience::{
        any_of, arm, attribute, experiment, experiments, exploration, number, range, segment,
        segments, text,
    },
    info, objective, push, request,
    weights::{bait, cause, get, set},
};
use counterweight_proto::{
    counterweight::v1::{
        Density, DescribeRankingRequest, ExplainWeightsRequest, Exploration, GetRevisionRequest,
        KillWeightsRequest, ProfileChange, ProfileRevision, RankRequest, RankResponse,
        RollbackWeightsRequest, ranking_service_client::RankingServiceClient,
    },
    inference::{InferTensorContents, model_infer_request::InferInputTensor},
};
use counterweight_tensor::{
    Datatype, encode_bool, encode_f32, encode_f64, encode_i64, encode_strings, tensor,
};
use tempfile::TempDir;
use tonic::{Code, transport::Channel};

const PROFILES: &str = r#"
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5 }
safe = { engagement = 1.0, engagement_bait = -2.0 }
[profile.default.bounds]
engagement_bait = { min = -8.0, max = 0.0 }
[profile.plain]
weights = { engagement = 1.0, engagement_bait = -0.5 }
"#;

/// Two models that also take the context feature `user_country`, and attributes that no model takes.
struct Setup {
    e: Model,
    b: Model,
    combiner: Combiner,
}

impl Setup {
    async fn start() -> Self {
        let (e, b) = (Model::start("xe"), Model::start("xb"));
        let country = ("user_country".to_owned(), "BYTES", "context", true);
        e.state.inputs.lock().unwrap().push(country);
        Self::over(e, b, Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn over(e: Model, b: Model, folder: Arc<TempDir>) -> Self {
        let config = format!(
            "attributes = [\"f32\", \"f64\", \"i64\", \"flag\", \"tier\"]\n{}{}{PROFILES}",
            objective("engagement", &[e.url()], ""),
            objective("engagement_bait", &[b.url()], "")
        );
        let combiner = Combiner::start_in(&config, folder).await;
        Self { e, b, combiner }
    }

    async fn restarted(self) -> Self {
        let folder = self.combiner.stop().await;
        Self::over(self.e, self.b, folder).await
    }

    async fn change(&self, change: ProfileChange) -> u64 {
        let mut weights = self.combiner.weights().await;
        let done = weights.set_weights(set(vec![change])).await.unwrap();
        done.into_inner().entry.unwrap().revision
    }

    async fn refusal(&self, change: ProfileChange) -> (Code, String, HashMap<String, String>) {
        let mut weights = self.combiner.weights().await;
        let status = weights.set_weights(set(vec![change])).await.unwrap_err();
        let (reason, facts) = info(&status);
        assert!(!status.message().is_empty());
        (status.code(), reason, facts)
    }
}

type Ranking = RankingServiceClient<Channel>;

async fn ranked(ranking: &mut Ranking, request: RankRequest) -> RankResponse {
    let answer = ranking.rank(request).await.unwrap().into_inner();
    assert_recomputes(&answer);
    answer
}

fn usual() -> RankRequest {
    request(&[0.9, 0.5, 0.4], &[0.5, 0.1, 0.3])
}

fn of_unit(unit: &str) -> RankRequest {
    RankRequest {
        unit_id: unit.into(),
        ..usual()
    }
}

/// A value in the raw form and in the typed one.
struct Form {
    name: &'static str,
    datatype: Datatype,
    raw: Bytes,
    typed: InferTensorContents,
}

impl Form {
    /// The usual request with this value beside it.
    fn raw(&self, shape: &[usize]) -> RankRequest {
        let mut request = usual();
        push(
            &mut request,
            tensor(self.name, self.datatype, shape),
            self.raw.clone(),
        );
        request
    }

    fn typed(&self, shape: &[usize]) -> RankRequest {
        let contents = |values: &[f32]| InferTensorContents {
            fp32_contents: values.to_vec(),
            ..Default::default()
        };
        let column = |name: &str, values: &[f32]| InferInputTensor {
            contents: Some(contents(values)),
            ..tensor(name, Datatype::Fp32, &[values.len()])
        };
        RankRequest {
            inputs: vec![
                column("xe", &[0.9, 0.5, 0.4]),
                column("xb", &[0.5, 0.1, 0.3]),
                InferInputTensor {
                    contents: Some(self.typed.clone()),
                    ..tensor(self.name, self.datatype, shape)
                },
            ],
            raw_input_contents: vec![],
            ..usual()
        }
    }
}

fn f32_form(value: f32) -> Form {
    Form {
        name: "f32",
        datatype: Datatype::Fp32,
        raw: encode_f32(&[value]),
        typed: InferTensorContents {
            fp32_contents: vec![value],
            ..Default::default()
        },
    }
}

fn f64_form(value: f64) -> Form {
    Form {
        name: "f64",
        datatype: Datatype::Fp64,
        raw: encode_f64(&[value]),
        typed: InferTensorContents {
            fp64_contents: vec![value],
            ..Default::default()
        },
    }
}

fn i64_form(value: i64) -> Form {
    Form {
        name: "i64",
        datatype: Datatype::Int64,
        raw: encode_i64(&[value]),
        typed: InferTensorContents {
            int64_contents: vec![value],
            ..Default::default()
        },
    }
}

fn flag_form(value: bool) -> Form {
    Form {
        name: "flag",
        datatype: Datatype::Bool,
        raw: encode_bool(&[value]),
        typed: InferTensorContents {
            bool_contents: vec![value],
            ..Default::default()
        },
    }
}

fn text_form(name: &'static str, value: &str) -> Form {
    Form {
        name,
        datatype: Datatype::Bytes,
        raw: encode_strings([value]),
        typed: InferTensorContents {
            bytes_contents: vec![Bytes::copy_from_slice(value.as_bytes())],
            ..Default::default()
        },
    }
}

#[tokio::test]
async fn segments_ask_for_values_of_every_datatype_in_either_form() {
    let setup = Setup::start().await;
    setup
        .change(segments(vec![
            segment(
                "tenth",
                vec![any_of("f32", vec![number(0.5), number(0.1)])],
                &[],
            ),
            segment("third", vec![range("f64", Some(0.25), Some(0.5))], &[]),
            segment("many", vec![range("i64", Some(7.0), None)], &[]),
            segment("few", vec![range("i64", None, Some(-2.0))], &[]),
            segment("yes", vec![any_of("flag", vec![number(1.0)])], &[]),
            segment("no", vec![any_of("flag", vec![number(0.0)])], &[]),
            segment(
                "gold",
                vec![any_of("tier", vec![text("gold"), text("größer")])],
                &[],
            ),
            segment(
                "german",
                vec![any_of("user_country", vec![text("DE")])],
                &[("engagement_bait", -3.0)],
            ),
        ]))
        .await;
    let mut ranking = setup.combiner.ranking().await;
    let cases = [
        (f32_form(0.1), "tenth"),
        (f32_form(0.5), "tenth"),
        (f32_form(0.2), ""),
        (f32_form(f32::NAN), ""),
        (f64_form(0.25), "third"),
        (f64_form(0.5_f64.next_down()), "third"),
        (f64_form(0.5), ""),
        (f64_form(0.25_f64.next_down()), ""),
        (f64_form(f64::NAN), ""),
        (i64_form(7), "many"),
        (i64_form(6), ""),
        (i64_form(-2), ""),
        (i64_form(-3), "few"),
        (flag_form(true), "yes"),
        (flag_form(false), "no"),
        (text_form("tier", "gold"), "gold"),
        (text_form("tier", "größer"), "gold"),
        (text_form("tier", "GOLD"), ""),
        (text_form("tier", ""), ""),
        (text_form("user_country", "DE"), "german"),
    ];
    for (form, expected) in cases {
        for request in [form.raw(&[1]), form.typed(&[1]), form.raw(&[1, 1])] {
            let answer = ranked(&mut ranking, request).await;
            assert_eq!(answer.segment, expected, "{} {:?}", form.name, form.typed);
            let bait = if expected == "german" { -3.0 } else { -0.5 };
            assert_eq!(answer.objectives[1].weight, bait);
        }
    }
    assert_eq!(
        ranked(&mut ranking, usual()).await.segment,
        "",
        "all are missing"
    );
    let mut both = f32_form(0.1).raw(&[1]);
    push(
        &mut both,
        tensor("user_country", Datatype::Bytes, &[1]),
        encode_strings(["DE"]),
    );
    assert_eq!(
        ranked(&mut ranking, both).await.segment,
        "tenth",
        "the first applies"
    );
    let elsewhere = RankRequest {
        profile: "plain".into(),
        ..f32_form(0.1).raw(&[1])
    };
    assert_eq!(
        ranked(&mut ranking, elsewhere).await.segment,
        "",
        "a profile's segments are its own"
    );

    let (sent, _) = setup.e.state.last();
    assert!(
        sent.inputs
            .iter()
            .all(|input| ["xe", "user_country"].contains(&input.name.as_str())),
        "{:?}",
        sent.inputs
    );
    let mut wide = usual();
    push(
        &mut wide,
        tensor("f32", Datatype::Fp32, &[3]),
        encode_f32(&[0.1; 3]),
    );
    let status = ranking.rank(wide).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::InvalidArgument, "WIDE_ATTRIBUTE")
    );
    assert_eq!(info(&status).1["feature"], "f32");
}

#[tokio::test]
async fn a_model_that_takes_anything_is_not_sent_what_is_for_segments_only() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    e.state.inputs.lock().unwrap().clear();
    e.state.set(common::Mode::PredictProba);
    let config = format!(
        "attributes = [\"tier\"]\n{}{}{PROFILES}",
        objective("engagement", &[e.url()], "output = \"predict_proba\"\n"),
        objective("engagement_bait", &[b.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut ranking = combiner.ranking().await;
    let described = ranking.describe_ranking(DescribeRankingRequest {}).await;
    assert_eq!(described.unwrap().into_inner().attributes, ["tier"]);
    for _ in 0..2 {
        ranked(&mut ranking, text_form("tier", "gold").raw(&[1])).await;
        let (sent, _) = e.state.last();
        let names: Vec<_> = sent
            .inputs
            .iter()
            .map(|input| input.name.as_str())
            .collect();
        assert_eq!(names, ["xe", "xb"]);
    }
}

#[tokio::test]
async fn rank_explain_and_the_log_say_the_same_also_after_a_restart_and_a_rollback() {
    let setup = Setup::start().await;
    let german = || {
        segment(
            "german",
            vec![any_of("user_country", vec![text("DE")])],
            &[("engagement_bait", -3.0)],
        )
    };
    setup.change(segments(vec![german()])).await;
    let arms = vec![
        arm("control", 5_000, &[]),
        arm("harder", 5_000, &[("engagement_bait", -4.0)]),
    ];
    let revision = setup
        .change(experiments(vec![experiment("layout", "german", arms)]))
        .await;
    let told = get(&mut setup.combiner.weights().await, "default").await;
    let table = &told.experiments[0];
    assert_eq!(
        (told.revision, told.segments.len(), table.salt.is_empty()),
        (revision, 1, false)
    );
    assert_eq!(
        table.buckets.iter().map(|run| run.count).sum::<u32>(),
        10_000
    );
    assert_eq!(
        table.arms.iter().map(|arm| arm.buckets).collect::<Vec<_>>(),
        [5_000, 5_000]
    );
    let entry = setup
        .combiner
        .weights()
        .await
        .get_revision(GetRevisionRequest {
            revision,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner()
        .entry
        .unwrap();
    assert_eq!(
        (&entry.profiles[0].segments, &entry.profiles[0].experiments),
        (&told.segments, &told.experiments)
    );

    let before = assignments(&setup, "DE").await;
    assert!(
        before.values().any(|arm| arm == "layout/control")
            && before.values().any(|arm| arm == "layout/harder")
    );
    assert!(
        assignments(&setup, "FR")
            .await
            .values()
            .all(String::is_empty)
    );

    // Without a unit there is no arm, and the reasons are told.
    let mut weights = setup.combiner.weights().await;
    let explain = |unit: &str, country: Option<&str>| ExplainWeightsRequest {
        unit_id: unit.into(),
        attributes: country
            .into_iter()
            .map(|country| attribute("user_country", text(country)))
            .collect(),
        ..Default::default()
    };
    let nobody = weights
        .explain_weights(explain("", Some("FR")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            nobody.profile.as_str(),
            nobody.revision,
            nobody.segment.as_str(),
            nobody.arm.as_str()
        ),
        ("default", revision, "", "")
    );
    assert_eq!(
        nobody.segments[0].reason,
        "user_country is \"FR\", not \"DE\""
    );
    assert_eq!(
        nobody.experiments[0].reason,
        "takes only requests of segment \"german\""
    );
    assert_eq!(
        (nobody.experiments[0].bucket, nobody.exploration.as_str()),
        (None, "")
    );
    let missing = weights
        .explain_weights(explain("", None))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(missing.segments[0].reason, "user_country is missing");
    let unitless = weights
        .explain_weights(explain("", Some("DE")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            unitless.segment.as_str(),
            unitless.experiments[0].reason.as_str()
        ),
        ("german", "the request names no unit")
    );
    let mut twice = explain("", Some("DE"));
    twice.attributes.push(attribute("user_country", text("FR")));
    let mut infinite = explain("", None);
    infinite
        .attributes
        .push(attribute("i64", number(f64::INFINITY)));
    let mut empty = explain("", None);
    empty.attributes.push(Default::default());
    for wrong in [twice, infinite, empty] {
        let status = weights.explain_weights(wrong).await.unwrap_err();
        assert_eq!(
            (status.code(), info(&status).1["field"].as_str()),
            (Code::InvalidArgument, "attributes")
        );
    }

    let setup = setup.restarted().await;
    assert_eq!(
        assignments(&setup, "DE").await,
        before,
        "a restart changes nothing"
    );
    let none = ProfileChange {
        experiments: Some(Default::default()),
        ..segments(vec![])
    };
    setup.change(none).await;
    assert!(
        assignments(&setup, "DE")
            .await
            .values()
            .all(String::is_empty)
    );
    let mut weights = setup.combiner.weights().await;
    let rollback = RollbackWeightsRequest {
        revision,
        profiles: vec![ProfileRevision {
            profile: "default".into(),
            expected_revision: None,
        }],
        cause: cause("it was better"),
        force: false,
    };
    weights.rollback_weights(rollback).await.unwrap();
    assert_eq!(
        assignments(&setup, "DE").await,
        before,
        "salt and table are restored"
    );
    weights
        .kill_weights(KillWeightsRequest {
            profile: "default".into(),
            cause: cause("stop"),
            local: false,
        })
        .await
        .unwrap();
    let killed = get(&mut weights, "default").await;
    assert!(killed.segments.is_empty() && killed.experiments.is_empty());
}

/// The arm of each of some units by Rank, which explain has to agree with.
async fn assignments(setup: &Setup, country: &str) -> HashMap<String, String> {
    let mut ranking = setup.combiner.ranking().await;
    let mut weights = setup.combiner.weights().await;
    let mut arms = HashMap::new();
    for unit in 0..60 {
        let unit = format!("user-{unit}");
        let mut request = text_form("user_country", country).raw(&[1]);
        request.unit_id.clone_from(&unit);
        let answer = ranked(&mut ranking, request).await;
        let explained = ExplainWeightsRequest {
            unit_id: unit.clone(),
            attributes: vec![attribute("user_country", text(country))],
            ..Default::default()
        };
        let explained = weights
            .explain_weights(explained)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (&explained.segment, &explained.arm),
            (&answer.segment, &answer.arm)
        );
        let applied: Vec<f64> = answer
            .objectives
            .iter()
            .map(|objective| objective.weight)
            .collect();
        let told: Vec<f64> = explained.weights.iter().map(|set| set.weight).collect();
        assert_eq!((applied, explained.revision), (told, answer.revision));
        for (told, name) in [
            (&explained.segments, &answer.segment),
            (&explained.experiments, &answer.arm),
        ] {
            let applying: Vec<_> = told
                .iter()
                .filter(|verdict| verdict.applies)
                .map(|verdict| &verdict.name)
                .collect();
            let expected = name.split('/').next().filter(|name| !name.is_empty());
            assert_eq!(applying, Vec::from_iter(expected));
        }
        arms.insert(unit, answer.arm);
    }
    arms
}

#[tokio::test]
async fn changed_shares_move_only_the_units_that_must_move() {
    let setup = Setup::start().await;
    let shares = |control, treated| {
        experiments(vec![experiment(
            "e",
            "",
            vec![
                arm("control", control, &[]),
                arm("treated", treated, &[("engagement_bait", -1.0)]),
            ],
        )])
    };
    let mut ranking = setup.combiner.ranking().await;
    let mut weights = setup.combiner.weights().await;
    let mut before: Vec<String> = vec![String::new(); 200];
    let mut salt = None;
    for (control, treated) in [
        (1_000, 1_000),
        (3_000, 3_000),
        (2_000, 8_000),
        (2_000, 0),
        (5_000, 5_000),
    ] {
        let was = get(&mut weights, "default").await;
        setup.change(shares(control, treated)).await;
        let now = get(&mut weights, "default").await;
        assert_eq!(
            *salt.get_or_insert(now.experiments[0].salt.clone()),
            now.experiments[0].salt
        );
        let runs =
            |profile: &counterweight_proto::counterweight::v1::ProfileWeights| -> Vec<String> {
                let runs = profile
                    .experiments
                    .iter()
                    .flat_map(|experiment| &experiment.buckets);
                let table: Vec<String> = runs
                    .flat_map(|run| std::iter::repeat_n(run.arm.clone(), run.count as usize))
                    .collect();
                if table.is_empty() {
                    vec![String::new(); 10_000]
                } else {
                    table
                }
            };
        let (old, new) = (runs(&was), runs(&now));
        for (unit, before) in before.iter_mut().enumerate() {
            let unit = format!("user-{unit}");
            let answer = ranked(&mut ranking, of_unit(&unit)).await;
            let explained = ExplainWeightsRequest {
                unit_id: unit.clone(),
                ..Default::default()
            };
            let bucket = weights
                .explain_weights(explained)
                .await
                .unwrap()
                .into_inner()
                .experiments[0]
                .bucket
                .unwrap() as usize;
            let arm = answer.arm.strip_prefix("e/").unwrap_or_default();
            assert_eq!(arm, new[bucket]);
            assert_eq!(
                answer.objectives[1].weight,
                if arm == "treated" { -1.0 } else { -0.5 }
            );
            assert_eq!(
                *before == arm,
                old[bucket] == new[bucket],
                "{unit} moves only with its bucket"
            );
            arm.clone_into(before);
        }
    }
}

#[tokio::test]
async fn exploration_draws_from_its_range_and_can_be_drawn_again() {
    let setup = Setup::start().await;
    let wanted = Exploration {
        low: 0.25,
        high: 4.0,
        density: Density::LogUniform.into(),
        arm: String::new(),
        seed: 0,
    };
    setup.change(exploration(Some(wanted))).await;
    let mut weights = setup.combiner.weights().await;
    let told = get(&mut weights, "default").await.exploration.unwrap();
    assert!(told.seed != 0 && told.density() == Density::LogUniform);
    let mut ranking = setup.combiner.ranking().await;
    let mut seen = Vec::new();
    for request_id in 0..50 {
        let request = RankRequest {
            request_id: format!("r{request_id}"),
            ..usual()
        };
        let answer = ranked(&mut ranking, request.clone()).await;
        let draw = answer.draw.unwrap();
        assert_eq!(
            (draw.low, draw.high, draw.density()),
            (0.25, 4.0, Density::LogUniform)
        );
        assert!((0.25..=4.0).contains(&draw.lambda) && draw.seed < 1 << 63);
        assert_eq!(
            answer.objectives[1].weight.to_bits(),
            (-draw.lambda * answer.objectives[0].weight).to_bits()
        );
        let again = ranked(&mut ranking, request).await;
        assert_eq!(again.draw, Some(draw), "a draw is that of the request's id");
        let explained = ExplainWeightsRequest {
            request_id: format!("r{request_id}"),
            ..Default::default()
        };
        let explained = weights
            .explain_weights(explained)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (explained.draw, explained.weights[1].weight),
            (Some(draw), answer.objectives[1].weight)
        );
        seen.push(draw.lambda);
    }
    seen.sort_unstable_by(f64::total_cmp);
    seen.dedup();
    assert_eq!(seen.len(), 50);
    assert!(seen[0] < 0.5 && seen[49] > 2.0, "all over the range");
    let undrawn = weights
        .explain_weights(ExplainWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((undrawn.draw, undrawn.weights[1].weight), (None, -0.5));
    assert!(
        undrawn.exploration.contains("log-uniformly from 0.25 to 4"),
        "{}",
        undrawn.exploration
    );

    // The seed is in the log: another process draws the same.
    let request = RankRequest {
        request_id: "r0".into(),
        ..usual()
    };
    let before = ranked(&mut ranking, request.clone()).await.draw;
    let setup = setup.restarted().await;
    let mut ranking = setup.combiner.ranking().await;
    assert_eq!(ranked(&mut ranking, request).await.draw, before);

    // Only an arm may explore; and no bound is passed, whatever α is.
    let arms = vec![
        arm("held", 5_000, &[]),
        arm("drawn", 5_000, &[("engagement", 2.0)]),
    ];
    let both = ProfileChange {
        exploration: exploration(Some(Exploration {
            low: 0.0,
            high: 1.5,
            arm: "e/drawn".into(),
            ..Default::default()
        }))
        .exploration,
        ..experiments(vec![experiment("e", "", arms)])
    };
    setup.change(both).await;
    let mut drawn = 0;
    for unit in 0..40 {
        let answer = ranked(&mut ranking, of_unit(&format!("user-{unit}"))).await;
        assert_eq!(answer.draw.is_some(), answer.arm == "e/drawn");
        if let Some(draw) = answer.draw {
            drawn += 1;
            assert_eq!(
                draw.density(),
                Density::Uniform,
                "uniform where it is not said"
            );
            assert_eq!(answer.objectives[1].weight, -draw.lambda * 2.0 + 0.0);
        }
    }
    assert!((1..40).contains(&drawn));
    let further = exploration(Some(Exploration {
        low: 0.0,
        high: 4.5,
        arm: "e/drawn".into(),
        ..Default::default()
    }));
    let (code, reason, facts) = setup.refusal(further).await;
    assert_eq!(
        (code, reason.as_str()),
        (Code::InvalidArgument, "OUT_OF_BOUNDS")
    );
    assert_eq!(
        (facts["objective"].as_str(), facts["rule"].as_str()),
        ("engagement_bait", "arm \"e/drawn\" under exploration")
    );
    setup.change(exploration(None)).await;
    assert_eq!(ranked(&mut ranking, of_unit("user-1")).await.draw, None);
}

#[tokio::test]
async fn refusals_name_the_rule_and_a_repeat_makes_no_second_salt() {
    let setup = Setup::start().await;
    // Once the models have said what they take, a name that nobody knows is refused.
    ranked(&mut setup.combiner.ranking().await, usual()).await;
    let wrong = segments(vec![segment(
        "s",
        vec![any_of("user_contry", vec![text("DE")])],
        &[],
    )]);
    let mut weights = setup.combiner.weights().await;
    let status = weights.set_weights(set(vec![wrong])).await.unwrap_err();
    assert!(
        status.message().contains("did you mean \"user_country\"?"),
        "{}",
        status.message()
    );
    let (reason, facts) = info(&status);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::InvalidArgument, "WRONG_RULE")
    );
    assert_eq!(
        (facts["profile"].as_str(), facts["rule"].as_str()),
        ("default", "segment \"s\", attribute \"user_contry\"")
    );
    let candidate = segments(vec![segment("s", vec![range("xe", Some(0.5), None)], &[])]);
    assert_eq!(setup.refusal(candidate).await.1, "WRONG_RULE");
    let untested = segments(vec![segment("s", vec![Default::default()], &[])]);
    assert_eq!(
        setup.refusal(untested).await.2["rule"],
        "segment \"s\", attribute \"\""
    );
    let dense = exploration(Some(Exploration {
        low: 0.0,
        high: 1.0,
        density: 7,
        ..Default::default()
    }));
    assert_eq!(setup.refusal(dense).await.2["rule"], "exploration");
    let (_, _, facts) = setup
        .refusal(segments(vec![segment(
            "s",
            vec![any_of("tier", vec![text("x")])],
            &[("engagement", 0.0), ("engagement_bait", 0.0)],
        )]))
        .await;
    assert_eq!(facts["rule"], "segment \"s\"");

    let mut once = set(vec![experiments(vec![experiment(
        "e",
        "",
        vec![arm("a", 100, &[])],
    )])]);
    once.cause.as_mut().unwrap().idempotency_key = "k".into();
    let first = weights
        .set_weights(once.clone())
        .await
        .unwrap()
        .into_inner();
    let second = weights.set_weights(once).await.unwrap().into_inner();
    assert_eq!(first, second);
    let first = first.entry.unwrap();
    // Moving a weight leaves all that.
    weights
        .set_weights(bait(-0.75, Some(first.revision)))
        .await
        .unwrap();
    let told = get(&mut weights, "default").await;
    assert_eq!(told.experiments, first.profiles[0].experiments);
}
