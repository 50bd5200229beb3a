//! ModelInfer over a real socket: accepted inputs, outputs, and errors for wrong requests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use crate::support;

use bytes::Bytes;
use counterweight_model::{Batch, Kind};
use counterweight_proto::inference::{
    InferParameter, ModelInferRequest, ModelMetadataRequest, ModelReadyRequest, ServerLiveRequest,
    ServerMetadataRequest, ServerReadyRequest, infer_parameter::ParameterChoice,
    model_infer_request::InferRequestedOutputTensor,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_i64, encode_strings};
use counterweight_test_support::eventually;
use tonic::{Code, Status};

use support::{
    MODEL, Running, TITLES, columns, expected, info, model, put, raw_output, remove, request,
    typed_request,
};

fn requested_output(name: &str) -> InferRequestedOutputTensor {
    InferRequestedOutputTensor {
        name: name.to_owned(),
        ..Default::default()
    }
}

async fn rejected_status(server: &Running, request: ModelInferRequest) -> Status {
    let mut client = server.client().await;
    let status = client
        .model_infer(request)
        .await
        .expect_err("the request must be rejected");
    // The server still answers after a wrong request.
    client.model_infer(support::request()).await.unwrap();
    status
}

#[tokio::test]
async fn metadata_describes_inputs_and_outputs() {
    let (server, artefact) = Running::with_model(model(0.3)).await;
    let mut client = server.client().await;
    assert!(
        client
            .server_live(ServerLiveRequest {})
            .await
            .unwrap()
            .into_inner()
            .live
    );
    assert!(
        client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    );
    for (name, version, ready) in [
        (MODEL, "", true),
        (MODEL, artefact.version.as_str(), true),
        (MODEL, "v0", false),
        ("x", "", false),
    ] {
        let request = ModelReadyRequest {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        assert_eq!(
            client
                .model_ready(request)
                .await
                .unwrap()
                .into_inner()
                .ready,
            ready,
            "{name} {version}"
        );
    }
    let metadata = client
        .server_metadata(ServerMetadataRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        metadata.extensions,
        ["model_repository", "counterweight_context_broadcast"]
    );
    let request = ModelMetadataRequest {
        name: MODEL.to_owned(),
        version: String::new(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(
        (metadata.name.as_str(), metadata.versions),
        (MODEL, vec![artefact.version])
    );
    let input = |name: &str| {
        metadata
            .inputs
            .iter()
            .find(|input| input.name == name)
            .unwrap()
    };
    let parameter = |name: &str, key: &str| {
        input(name).parameters[key]
            .parameter_choice
            .clone()
            .unwrap()
    };
    assert_eq!(
        (input("title").datatype.as_str(), &input("title").shape[..]),
        ("BYTES", &[-1][..])
    );
    assert_eq!(
        (
            input("embedding").datatype.as_str(),
            &input("embedding").shape[..]
        ),
        ("FP32", &[-1, 3][..])
    );
    assert_eq!(
        parameter("hour", "side"),
        ParameterChoice::StringParam("context".to_owned())
    );
    assert_eq!(
        parameter("title", "kind"),
        ParameterChoice::StringParam("text".to_owned())
    );
    assert_eq!(
        parameter("tags", "optional"),
        ParameterChoice::BoolParam(true)
    );
    assert_eq!(
        parameter("views", "optional"),
        ParameterChoice::BoolParam(false)
    );
    assert_eq!(
        parameter("position", "served"),
        ParameterChoice::DoubleParam(1.0)
    );
    let outputs: Vec<_> = metadata
        .outputs
        .iter()
        .map(|output| (output.name.as_str(), output.shape.clone()))
        .collect();
    assert_eq!(
        outputs,
        [
            ("probability", vec![-1]),
            ("logit", vec![-1]),
            ("contributions", vec![-1, 11])
        ]
    );
}

#[tokio::test]
async fn raw_and_typed_requests_give_the_probabilities_of_the_model() {
    let model = model(0.3);
    let (server, artefact) = Running::with_model(model.clone()).await;
    let mut client = server.client().await;
    let raw = client.model_infer(request()).await.unwrap().into_inner();
    assert_eq!(raw_output(&raw, "probability"), expected(&model));
    assert_eq!(
        (raw.model_name.as_str(), &raw.model_version, raw.id.as_str()),
        (MODEL, &artefact.version, "r-1")
    );
    assert_eq!(
        (
            raw.outputs.len(),
            raw.outputs[0].datatype.as_str(),
            &raw.outputs[0].shape[..]
        ),
        (1, "FP32", &[5][..])
    );
    assert!(raw.outputs[0].contents.is_none());
    let calibrator = ParameterChoice::StringParam(model.calibrator().version());
    assert_eq!(
        raw.parameters["calibrator"],
        InferParameter {
            parameter_choice: Some(calibrator)
        }
    );

    let typed = client
        .model_infer(typed_request())
        .await
        .unwrap()
        .into_inner();
    assert!(typed.raw_output_contents.is_empty());
    assert_eq!(
        typed.outputs[0].contents.as_ref().unwrap().fp32_contents,
        expected(&model)
    );
}

#[tokio::test]
async fn contributions_and_offset_sum_to_the_logit() {
    let model = model(-0.7);
    let (server, _) = Running::with_model(model.clone()).await;
    let mut with_outputs = request();
    with_outputs.outputs = vec![requested_output("contributions"), requested_output("logit")];
    let answer = server
        .client()
        .await
        .model_infer(with_outputs)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (answer.outputs.len(), &answer.outputs[0].shape[..]),
        (2, &[5, 11][..])
    );
    let logits = raw_output(&answer, "logit");
    let batch = Batch::new(model.schema(), 5, columns()).unwrap();
    let truth: Vec<f32> = model
        .score(&batch)
        .unwrap()
        .logits
        .iter()
        .map(|&logit| logit as f32)
        .collect();
    assert_eq!(logits, truth);
    for (row, logit) in raw_output(&answer, "contributions").chunks(11).zip(logits) {
        let sum = row.iter().map(|&value| f64::from(value)).sum::<f64>() + model.offset();
        assert!((sum - f64::from(logit)).abs() < 1e-5, "{sum} {logit}");
    }
}

#[tokio::test]
async fn every_accepted_form_of_a_value_gives_the_same_answer() {
    let model = model(0.3);
    let (server, _) = Running::with_model(model.clone()).await;
    let mut client = server.client().await;
    let mut other = request();
    // Context with a row per candidate; an integer for a category; a position that serving ignores.
    put(
        &mut other,
        "hour",
        Datatype::Int64,
        &[5, 1],
        encode_i64(&[13; 5]),
    );
    put(
        &mut other,
        "favourite",
        Datatype::Bytes,
        &[5],
        encode_strings(["music"; 5]),
    );
    put(
        &mut other,
        "position",
        Datatype::Fp32,
        &[5],
        encode_f32(&[3.0, 4.0, 5.0, 6.0, f32::INFINITY]),
    );
    put(
        &mut other,
        "verified",
        Datatype::Fp32,
        &[5],
        encode_f32(&[1.0, 0.0, 1.0, 0.0, 1.0]),
    );
    let answer = client.model_infer(other).await.unwrap().into_inner();
    assert_eq!(raw_output(&answer, "probability"), expected(&model));

    let mut bytes = request();
    put(
        &mut bytes,
        "category",
        Datatype::Bytes,
        &[5],
        encode_strings(["7"; 5]),
    );
    let mut integers = request();
    put(
        &mut integers,
        "category",
        Datatype::Int64,
        &[5],
        encode_i64(&[7; 5]),
    );
    let [bytes, integers] = [
        client.model_infer(bytes).await.unwrap(),
        client.model_infer(integers).await.unwrap(),
    ];
    assert_eq!(
        bytes.into_inner().raw_output_contents,
        integers.into_inner().raw_output_contents
    );
}

#[tokio::test]
async fn an_absent_optional_input_is_missing_in_every_row() {
    let model = model(0.3);
    let (server, _) = Running::with_model(model.clone()).await;
    let mut shorter = request();
    remove(&mut shorter, "tags");
    remove(&mut shorter, "verified");
    let answer = server
        .client()
        .await
        .model_infer(shorter)
        .await
        .unwrap()
        .into_inner();
    let mut without = columns();
    (without[4], without[5]) = (None, None);
    let batch = Batch::new(model.schema(), 5, without).unwrap();
    let truth: Vec<f32> = model
        .score(&batch)
        .unwrap()
        .probabilities
        .iter()
        .map(|&p| p as f32)
        .collect();
    assert_eq!(raw_output(&answer, "probability"), truth);
}

#[tokio::test]
async fn a_wrong_tensor_is_rejected_with_its_name() {
    let (server, _) = Running::with_model(model(0.3)).await;
    let f64s = |n: usize| encode_f64(&vec![1.0; n]);
    type Case = (
        &'static str,
        Datatype,
        Vec<usize>,
        Bytes,
        &'static str,
        &'static str,
    );
    let cases: Vec<Case> = vec![
        (
            "titel",
            Datatype::Bytes,
            vec![5],
            encode_strings(TITLES),
            "UNKNOWN_INPUT",
            "did you mean \"title\"?",
        ),
        (
            "views",
            Datatype::Fp64,
            vec![5],
            f64s(4),
            "INVALID_TENSOR",
            "40 bytes",
        ),
        (
            "views",
            Datatype::Fp64,
            vec![4],
            f64s(4),
            "ROW_COUNT",
            "4 rows",
        ),
        (
            "hour",
            Datatype::Fp64,
            vec![2],
            f64s(2),
            "ROW_COUNT",
            "context tensor",
        ),
        (
            "views",
            Datatype::Fp64,
            vec![5, 2],
            f64s(10),
            "WIDTH",
            "[n] or [n, 1]",
        ),
        (
            "embedding",
            Datatype::Fp32,
            vec![5, 2],
            encode_f32(&[0.0; 10]),
            "WIDTH",
            "[n, 3]",
        ),
        (
            "views",
            Datatype::Fp64,
            vec![0],
            Bytes::new(),
            "INVALID_TENSOR",
            "shape [0]",
        ),
        (
            "views",
            Datatype::Fp64,
            vec![5, 1, 1],
            f64s(5),
            "INVALID_TENSOR",
            "shape [5, 1, 1]",
        ),
        (
            "views",
            Datatype::Bytes,
            vec![5],
            encode_strings(["1"; 5]),
            "INVALID_TENSOR",
            "send a numeric datatype",
        ),
        (
            "title",
            Datatype::Fp32,
            vec![5],
            encode_f32(&[0.0; 5]),
            "INVALID_TENSOR",
            "send BYTES",
        ),
        (
            "title",
            Datatype::Int64,
            vec![5],
            encode_i64(&[0; 5]),
            "INVALID_TENSOR",
            "send BYTES",
        ),
        (
            "category",
            Datatype::Fp32,
            vec![5],
            encode_f32(&[0.0; 5]),
            "INVALID_TENSOR",
            "send BYTES",
        ),
        (
            "tags",
            Datatype::Bytes,
            vec![5],
            encode_strings(["[]", "a,b", "", "", ""]),
            "INVALID_LIST",
            "row 1",
        ),
        (
            "tags",
            Datatype::Bytes,
            vec![5],
            encode_strings(["[]", "[1]", "", "", ""]),
            "INVALID_LIST",
            "row 1",
        ),
        (
            "views",
            Datatype::Fp64,
            vec![5],
            encode_f64(&[1.0, 2.0, f64::INFINITY, 0.0, 0.0]),
            "INVALID_INPUT",
            "row 2",
        ),
        (
            "verified",
            Datatype::Fp32,
            vec![5],
            encode_f32(&[0.0, 2.0, 0.0, 0.0, 0.0]),
            "INVALID_INPUT",
            "row 1",
        ),
        (
            "title",
            Datatype::Bytes,
            vec![5],
            Bytes::from_static(&[9, 0, 0, 0, b'x']),
            "INVALID_TENSOR",
            "runs past the end",
        ),
    ];
    for (name, datatype, shape, raw, reason, expected_text) in cases {
        let mut wrong = request();
        put(&mut wrong, name, datatype, &shape, raw);
        let status = rejected_status(&server, wrong).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let (found, field) = info(&status);
        assert!(
            found == reason && status.message().contains(expected_text),
            "{name} {reason}: {status:?}"
        );
        // If the numbers of rows differ, the error may name any tensor except the first.
        assert!(field == name || reason == "ROW_COUNT", "{name}: {status:?}");
        assert!(status.message().contains(name), "{status:?}");
    }
}

#[tokio::test]
async fn a_wrong_request_is_rejected_with_the_reason() {
    let (server, _) = Running::with_model(model(0.3)).await;
    type Spoil = fn(&mut ModelInferRequest);
    let cases: [(Spoil, &str, &str); 10] = [
        (|r| remove(r, "views"), "MISSING_INPUT", "views"),
        (
            |r| (r.inputs.clear(), r.raw_input_contents.clear()).0,
            "NO_ROWS",
            "no input tensors",
        ),
        (
            |r| drop(r.raw_input_contents.pop()),
            "INVALID_TENSOR",
            "raw contents",
        ),
        (
            |r| r.inputs[0].contents = typed_request().inputs[0].contents.clone(),
            "INVALID_TENSOR",
            "send only one of them",
        ),
        (
            |r| r.inputs[0].datatype = "FP16".to_owned(),
            "INVALID_TENSOR",
            "FP16",
        ),
        (|r| r.inputs[0].shape = vec![-1], "INVALID_TENSOR", "[-1]"),
        (
            |r| {
                r.inputs.push(r.inputs[0].clone());
                r.raw_input_contents.push(r.raw_input_contents[0].clone());
            },
            "INVALID_TENSOR",
            "twice",
        ),
        (
            |r| r.outputs = vec![requested_output("probabilty")],
            "UNKNOWN_OUTPUT",
            "did you mean \"probability\"?",
        ),
        (
            |r| r.outputs = vec![requested_output("logit"), requested_output("logit")],
            "DUPLICATE_OUTPUT",
            "logit",
        ),
        (
            |r| {
                let parameters = &mut r.inputs[0].parameters;
                parameters.insert("shared_memory_region".to_owned(), InferParameter::default());
            },
            "UNSUPPORTED_PARAMETER",
            "shared_memory_region",
        ),
    ];
    for (damage, reason, expected_text) in cases {
        let mut wrong = request();
        damage(&mut wrong);
        let status = rejected_status(&server, wrong).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert_eq!(info(&status).0, reason, "{status:?}");
        assert!(status.message().contains(expected_text), "{status:?}");
    }
    let mut typed = typed_request();
    typed.inputs[0].contents.as_mut().unwrap().fp32_contents = vec![1.0];
    assert_eq!(
        info(&rejected_status(&server, typed).await),
        ("INVALID_TENSOR".to_owned(), "views".to_owned())
    );
}

#[tokio::test]
async fn an_unknown_model_or_version_is_not_found_and_the_error_lists_the_known_ones() {
    let (server, artefact) = Running::with_model(model(0.3)).await;
    let status = rejected_status(
        &server,
        ModelInferRequest {
            model_name: "engagment".to_owned(),
            ..request()
        },
    )
    .await;
    assert_eq!(
        (status.code(), info(&status).1.as_str()),
        (Code::NotFound, "model_name")
    );
    assert!(status.message().contains("engagement"), "{status:?}");
    let status = rejected_status(
        &server,
        ModelInferRequest {
            model_version: "v7".to_owned(),
            ..request()
        },
    )
    .await;
    assert_eq!(status.code(), Code::NotFound);
    assert!(
        status.message().contains("v7") && status.message().contains(&artefact.version),
        "{status:?}"
    );
}

#[tokio::test]
async fn broken_utf8_and_a_megabyte_of_text_are_scored_and_counted() {
    let model = model(0.3);
    let (server, artefact) = Running::with_model(model.clone()).await;
    let long = "vote now ".repeat(120_000);
    let mut odd = request();
    let titles: [&[u8]; 5] = [b"vote \xff now", long.as_bytes(), b"\xf0\x9f", b"", b"ok"];
    put(
        &mut odd,
        "title",
        Datatype::Bytes,
        &[5],
        encode_strings(titles),
    );
    let answer = server
        .client()
        .await
        .model_infer(odd)
        .await
        .unwrap()
        .into_inner();
    let mut same = columns();
    let texts =
        ["vote \u{fffd} now", &long, "\u{fffd}", "", "ok"].map(|text| text.to_owned().into());
    same[1] = Some(counterweight_model::Column::Text(texts.to_vec()));
    let batch = Batch::new(model.schema(), 5, same).unwrap();
    let truth: Vec<f32> = model
        .score(&batch)
        .unwrap()
        .probabilities
        .iter()
        .map(|&p| p as f32)
        .collect();
    assert_eq!(raw_output(&answer, "probability"), truth);
    let metrics = server.http("/metrics").await;
    let series = format!(
        "counterweight_model_lossy_strings_total{{model=\"engagement\",version=\"{}\"}} 2",
        artefact.version
    );
    assert!(metrics.contains(&series), "{metrics}");
}

#[tokio::test]
async fn one_candidate_and_ten_thousand_agree_row_by_row() {
    let (server, _) = Running::with_model(support::numeric_model(4, 0.1)).await;
    let mut client = server.client().await;
    let rows = 10_000;
    let column = |at: usize| -> Vec<f32> {
        (0..rows)
            .map(|row| ((row * (at + 1)) % 113) as f32 / 50.0)
            .collect()
    };
    let mut all = ModelInferRequest {
        model_name: MODEL.to_owned(),
        ..Default::default()
    };
    for at in 0..4 {
        put(
            &mut all,
            &format!("x{at}"),
            Datatype::Fp32,
            &[rows],
            encode_f32(&column(at)),
        );
    }
    let all = raw_output(
        &client.model_infer(all).await.unwrap().into_inner(),
        "probability",
    );
    assert_eq!(all.len(), rows);
    for row in [0, 77, rows - 1] {
        let mut one = ModelInferRequest {
            model_name: MODEL.to_owned(),
            ..Default::default()
        };
        for at in 0..4 {
            put(
                &mut one,
                &format!("x{at}"),
                Datatype::Fp32,
                &[1],
                encode_f32(&[column(at)[row]]),
            );
        }
        let one = raw_output(
            &client.model_infer(one).await.unwrap().into_inner(),
            "probability",
        );
        assert_eq!(one, [all[row]]);
    }
}

/// A request with many long texts, which would take minutes.
fn long_request() -> ModelInferRequest {
    let rows = 2_000;
    let mut request = request();
    let names: Vec<String> = request
        .inputs
        .iter()
        .map(|input| input.name.clone())
        .collect();
    for name in names {
        remove(&mut request, &name);
    }
    let mut words = String::new();
    for word in 0..2_500 {
        words.push_str(&format!("w{word:x} "));
    }
    for input in support::schema().inputs() {
        let shape = |width: usize| match width {
            1 => vec![rows],
            width => vec![rows, width],
        };
        let (datatype, width, raw) = match input.kind {
            Kind::Numeric | Kind::Boolean => (Datatype::Fp64, 1, encode_f64(&vec![0.0; rows])),
            Kind::Vector { dim } => (Datatype::Fp32, dim, encode_f32(&vec![0.0; rows * dim])),
            Kind::Text => (
                Datatype::Bytes,
                1,
                encode_strings(vec![words.as_str(); rows]),
            ),
            Kind::Categorical | Kind::List => (Datatype::Bytes, 1, encode_strings(vec![""; rows])),
        };
        put(&mut request, &input.name, datatype, &shape(width), raw);
    }
    request
}

#[tokio::test]
async fn scoring_stops_at_the_deadline_and_counts_as_in_flight_until_then() {
    let (server, _) = Running::with_model(model(0.3)).await;
    let mut client = server.client().await;
    let mut late = tonic::Request::new(long_request());
    late.metadata_mut()
        .insert("grpc-timeout", "300m".parse().unwrap());
    let status = client.model_infer(late).await.unwrap_err();
    // The client stops waiting at the same time, and reports the same or CANCELLED.
    let codes = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(codes.contains(&status.code()), "{status:?}");
    let idle = "counterweight_model_requests_in_flight 0";
    let is_idle = async || server.http("/metrics").await.contains(idle);
    eventually("the scoring has stopped", is_idle).await;
}

#[tokio::test]
async fn contributions_larger_than_a_message_are_rejected_before_they_are_computed() {
    let repository = tempfile::tempdir().unwrap();
    support::save(repository.path(), MODEL, support::numeric_model(8, 0.1));
    let server = Running::start(repository, |config| {
        config.limits.max_message_bytes = 100_000;
    })
    .await;
    let mut request = ModelInferRequest {
        model_name: MODEL.to_owned(),
        outputs: vec![requested_output("contributions")],
        ..Default::default()
    };
    let rows = 3_500;
    for input in support::numeric_model(8, 0.1).schema().inputs() {
        let values = Bytes::from(vec![0_u8; rows]);
        put(&mut request, &input.name, Datatype::Bool, &[rows], values);
    }
    let status = server
        .client()
        .await
        .model_infer(request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(
        info(&status),
        ("ANSWER_TOO_LARGE".to_owned(), "outputs".to_owned())
    );
}

#[tokio::test]
async fn rows_that_would_take_more_memory_than_a_few_messages_are_rejected() {
    let repository = tempfile::tempdir().unwrap();
    support::save(repository.path(), MODEL, support::numeric_model(8, 0.1));
    let server = Running::start(repository, |config| {
        config.limits.max_message_bytes = 100_000;
    })
    .await;
    let mut client = server.client().await;
    let ask = |rows: usize| {
        let mut request = ModelInferRequest {
            model_name: MODEL.to_owned(),
            ..Default::default()
        };
        for input in support::numeric_model(8, 0.1).schema().inputs() {
            let values = Bytes::from(vec![0_u8; rows]);
            put(&mut request, &input.name, Datatype::Bool, &[rows], values);
        }
        request
    };
    client.model_infer(ask(3_000)).await.unwrap();
    let status = client.model_infer(ask(10_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(
        info(&status),
        ("TOO_MANY_ROWS".to_owned(), "inputs".to_owned())
    );
}
