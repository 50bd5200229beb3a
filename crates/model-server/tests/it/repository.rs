//! Several versions of a model, new versions that are loaded under load, artefacts that cannot be
//! loaded, and the repository extension.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::support;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use counterweight_proto::inference::{
    ModelInferRequest, ModelMetadataRequest, ModelReadyRequest, ModelRepositoryParameter,
    RepositoryIndexRequest, RepositoryModelLoadRequest, RepositoryModelUnloadRequest,
    ServerReadyRequest, model_repository_parameter::ParameterChoice,
};
use tonic::Code;

use counterweight_test_support::eventually;
use support::{Client, MODEL, Running, expected, info, model, raw_output, request, save};

fn version(version: &str) -> HashMap<String, ModelRepositoryParameter> {
    let value = ModelRepositoryParameter {
        parameter_choice: Some(ParameterChoice::StringParam(version.to_owned())),
    };
    HashMap::from([("version".to_owned(), value)])
}

fn load(
    model: &str,
    parameters: HashMap<String, ModelRepositoryParameter>,
) -> RepositoryModelLoadRequest {
    RepositoryModelLoadRequest {
        model_name: model.to_owned(),
        parameters,
        ..Default::default()
    }
}

fn unload(
    model: &str,
    parameters: HashMap<String, ModelRepositoryParameter>,
) -> RepositoryModelUnloadRequest {
    RepositoryModelUnloadRequest {
        model_name: model.to_owned(),
        parameters,
        ..Default::default()
    }
}

/// The index of one model: version → (state, reason).
async fn index(client: &mut Client, model: &str) -> BTreeMap<String, (String, String)> {
    let index = client
        .repository_index(RepositoryIndexRequest::default())
        .await
        .unwrap()
        .into_inner();
    let of_model = index.models.into_iter().filter(|line| line.name == model);
    of_model
        .map(|line| (line.version, (line.state, line.reason)))
        .collect()
}

async fn default_version(client: &mut Client) -> String {
    client
        .model_infer(request())
        .await
        .unwrap()
        .into_inner()
        .model_version
}

async fn ready(client: &mut Client, name: &str) -> bool {
    let request = ModelReadyRequest {
        name: name.to_owned(),
        version: String::new(),
    };
    client
        .model_ready(request)
        .await
        .unwrap()
        .into_inner()
        .ready
}

/// Waits until the server has read the whole repository once more. The wait is for two new models,
/// because the read that finds the first one may have begun before this call.
async fn wait_for_refresh(server: &Running, client: &mut Client) {
    let repository = server.repository.path();
    for _ in 0..2 {
        let name = format!("look-{}", fs::read_dir(repository).unwrap().count());
        save(repository, &name, model(0.1));
        eventually("a new model is found", async || ready(client, &name).await).await;
        let unload = unload(&name, HashMap::new());
        client.repository_model_unload(unload).await.unwrap();
    }
}

/// Copies a version folder under another name, and damages one file of the copy.
fn damaged_copy(
    folder: &Path,
    version: &str,
    file: &str,
    damage: impl FnOnce(&mut Vec<u8>),
) -> PathBuf {
    let copy = folder.join("00000000deadbeef");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    for item in fs::read_dir(folder.join(version)).unwrap() {
        let item = item.unwrap();
        fs::copy(item.path(), copy.join(item.file_name())).unwrap();
    }
    let path = copy.join(file);
    let mut bytes = fs::read(&path).unwrap();
    damage(&mut bytes);
    fs::write(&path, bytes).unwrap();
    copy
}

#[tokio::test]
async fn every_version_is_loaded_and_a_pinned_one_answers() {
    let repository = tempfile::tempdir().unwrap();
    let (first, second) = (model(0.3), model(-1.5));
    let old = save(repository.path(), MODEL, first.clone());
    let new = save(repository.path(), MODEL, second.clone());
    let server = Running::start(repository, |_| {}).await;
    let mut client = server.client().await;
    for (requested, version, model) in [
        ("", &new.version, &second),
        (&*new.version, &new.version, &second),
        (&*old.version, &old.version, &first),
    ] {
        let pinned = ModelInferRequest {
            model_version: requested.to_owned(),
            ..request()
        };
        let answer = client.model_infer(pinned).await.unwrap().into_inner();
        assert_eq!(&answer.model_version, version);
        assert_eq!(raw_output(&answer, "probability"), expected(model));
    }
    let request = ModelMetadataRequest {
        name: MODEL.to_owned(),
        version: old.version.clone(),
    };
    let metadata = client.model_metadata(request).await.unwrap().into_inner();
    assert_eq!(metadata.versions, [new.version, old.version]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_under_load_fails_no_request_and_mixes_no_versions() {
    let models = [model(0.3), model(-1.5)];
    let (server, first) = Running::with_model(models[0].clone()).await;
    let second = save(server.repository.path(), MODEL, models[1].clone());
    let truth = Arc::new(HashMap::from([
        (first.version, expected(&models[0])),
        (second.version, expected(&models[1])),
    ]));
    let done = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut client, truth, done, answers) = (
            server.client().await,
            Arc::clone(&truth),
            Arc::clone(&done),
            Arc::clone(&answers),
        );
        clients.spawn(async move {
            let mut seen = BTreeMap::new();
            while !done.load(Ordering::Relaxed) {
                let answer = client.model_infer(request()).await.unwrap().into_inner();
                assert_eq!(
                    raw_output(&answer, "probability"),
                    truth[&answer.model_version]
                );
                *seen.entry(answer.model_version).or_insert(0_u64) += 1;
                answers.fetch_add(1, Ordering::Relaxed);
            }
            seen
        });
    }
    // Half of the swaps are found by polling, and the others are requested. The idle version is
    // also unloaded and loaded.
    let mut client = server.client().await;
    for swap in 0..12 {
        let artefact = save(server.repository.path(), MODEL, models[swap % 2].clone());
        if swap % 2 == 0 {
            client
                .repository_model_load(load(MODEL, HashMap::new()))
                .await
                .unwrap();
            assert_eq!(default_version(&mut client).await, artefact.version);
            let other = truth
                .keys()
                .find(|version| **version != artefact.version)
                .unwrap();
            client
                .repository_model_unload(unload(MODEL, version(other)))
                .await
                .unwrap();
        } else {
            eventually("the new version", async || {
                default_version(&mut client).await == artefact.version
            })
            .await;
        }
        let before = answers.load(Ordering::Relaxed);
        eventually("answers of the new version", async || {
            answers.load(Ordering::Relaxed) > before + 8
        })
        .await;
    }
    done.store(true, Ordering::Relaxed);
    let mut seen = BTreeMap::new();
    for counts in clients.join_all().await {
        counts
            .into_iter()
            .for_each(|(version, count)| *seen.entry(version).or_insert(0) += count);
    }
    assert!(
        seen.len() == 2 && seen.values().all(|&count| count > 10),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_damaged_artefact_is_unavailable_and_the_older_version_still_answers() {
    let (server, good) = Running::with_model(model(0.3)).await;
    let folder = server.repository.path().join(MODEL);
    let mut client = server.client().await;
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("model.json", |bytes| bytes.truncate(bytes.len() / 2)),
        ("model.json", |bytes| {
            *bytes = String::from_utf8(bytes.clone())
                .unwrap()
                .replacen("0.", "1.", 1)
                .into_bytes();
        }),
        ("MANIFEST.json", |bytes| bytes.truncate(10)),
    ];
    for (file, damage) in damages {
        let copy = damaged_copy(&folder, &good.version, file, damage);
        let broken = copy.file_name().unwrap().to_str().unwrap().to_owned();
        fs::write(folder.join("LATEST"), &broken).unwrap();
        let status = client
            .repository_model_load(load(MODEL, HashMap::new()))
            .await
            .unwrap_err();
        assert_eq!(
            (status.code(), info(&status).0.as_str()),
            (Code::FailedPrecondition, "LOAD_FAILED"),
            "{status:?}"
        );
        assert!(status.message().contains(&broken), "{status:?}");
        let index = index(&mut client, MODEL).await;
        assert_eq!(index[&good.version].0, "READY");
        let (state, reason) = &index[&broken];
        assert!(
            state == "UNAVAILABLE" && reason.contains(&broken),
            "{file}: {reason}"
        );
        assert_eq!(default_version(&mut client).await, good.version);
        let pinned = ModelInferRequest {
            model_version: broken,
            ..request()
        };
        let status = client.model_infer(pinned).await.unwrap_err();
        assert_eq!(
            (status.code(), info(&status).0.as_str()),
            (Code::Unavailable, "MODEL_NOT_LOADED")
        );
    }
    assert!(
        server
            .http("/metrics")
            .await
            .contains("counterweight_model_load_failures_total{model=\"engagement\"} ")
    );
}

#[tokio::test]
async fn a_model_that_never_loaded_keeps_the_server_unready_until_it_is_repaired() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let bait = save(repository.path(), "bait", model(0.1));
    let file = repository
        .path()
        .join("bait")
        .join(&bait.version)
        .join("model.json");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..100]).unwrap();
    // This is not a model folder, so it must not make the server unready.
    fs::create_dir(repository.path().join("lost+found")).unwrap();
    let server = Running::start(repository, |_| {}).await;
    let mut client = server.client().await;
    assert!(
        !client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    );
    assert!(ready(&mut client, MODEL).await && !ready(&mut client, "bait").await);
    let status = client
        .model_infer(ModelInferRequest {
            model_name: "bait".to_owned(),
            ..request()
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("model.json"), "{status:?}");

    fs::write(&file, whole).unwrap();
    eventually("the repaired model", async || {
        client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    })
    .await;
    client
        .model_infer(ModelInferRequest {
            model_name: "bait".to_owned(),
            ..request()
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_latest_that_is_absent_or_names_no_version_is_reported() {
    let (server, good) = Running::with_model(model(0.3)).await;
    let latest = server.repository.path().join(MODEL).join("LATEST");
    let mut client = server.client().await;
    fs::write(&latest, "0123456789abcdef").unwrap();
    let status = client
        .repository_model_load(load(MODEL, HashMap::new()))
        .await
        .unwrap_err();
    assert!(
        status.code() == Code::FailedPrecondition && status.message().contains("0123456789abcdef"),
        "{status:?}"
    );
    assert_eq!(
        index(&mut client, MODEL).await["0123456789abcdef"].0,
        "UNAVAILABLE"
    );
    fs::remove_file(&latest).unwrap();
    let status = client
        .repository_model_load(load(MODEL, HashMap::new()))
        .await
        .unwrap_err();
    assert!(status.message().contains("LATEST"), "{status:?}");
    assert_eq!(default_version(&mut client).await, good.version);
}

#[tokio::test]
async fn models_are_unloaded_and_loaded_on_request() {
    let (server, first) = Running::with_model(model(0.3)).await;
    let second = save(server.repository.path(), MODEL, model(-1.5));
    let mut client = server.client().await;
    client
        .repository_model_load(load(MODEL, HashMap::new()))
        .await
        .unwrap();

    let status = client
        .repository_model_unload(unload(MODEL, version(&second.version)))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "UNLOADS_DEFAULT")
    );
    client
        .repository_model_unload(unload(MODEL, version(&first.version)))
        .await
        .unwrap();
    let pinned = ModelInferRequest {
        model_version: first.version.clone(),
        ..request()
    };
    assert_eq!(
        client.model_infer(pinned.clone()).await.unwrap_err().code(),
        Code::Unavailable
    );
    // Reading the repository again must not load it.
    wait_for_refresh(&server, &mut client).await;
    assert_eq!(
        index(&mut client, MODEL).await[&first.version],
        ("UNAVAILABLE".to_owned(), "unloaded on request".to_owned())
    );
    client
        .repository_model_load(load(MODEL, version(&first.version)))
        .await
        .unwrap();
    assert_eq!(
        client
            .model_infer(pinned)
            .await
            .unwrap()
            .into_inner()
            .model_version,
        first.version
    );

    client
        .repository_model_unload(unload(MODEL, HashMap::new()))
        .await
        .unwrap();
    wait_for_refresh(&server, &mut client).await;
    assert!(!ready(&mut client, MODEL).await);
    assert!(
        client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    );
    assert_eq!(
        client.model_infer(request()).await.unwrap_err().code(),
        Code::Unavailable
    );
    let only_ready = RepositoryIndexRequest {
        ready: true,
        ..Default::default()
    };
    assert!(
        client
            .repository_index(only_ready)
            .await
            .unwrap()
            .into_inner()
            .models
            .is_empty()
    );
    client
        .repository_model_load(load(MODEL, HashMap::new()))
        .await
        .unwrap();
    assert_eq!(default_version(&mut client).await, second.version);
}

#[tokio::test]
async fn requests_that_the_extension_does_not_support_are_rejected() {
    let (server, _) = Running::with_model(model(0.3)).await;
    let mut client = server.client().await;
    for name in ["nothing", "../engagement", "", "."] {
        let status = client
            .repository_model_load(load(name, HashMap::new()))
            .await
            .unwrap_err();
        assert!(
            status.code() == Code::NotFound && status.message().contains("engagement"),
            "{status:?}"
        );
        let status = client
            .repository_model_unload(unload(name, HashMap::new()))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
    }
    let status = client
        .repository_model_load(load(MODEL, version("0123456789abcdef")))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
    let foreign = HashMap::from([("config".to_owned(), ModelRepositoryParameter::default())]);
    let status = client
        .repository_model_load(load(MODEL, foreign))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), info(&status).1.as_str()),
        (Code::InvalidArgument, "parameters")
    );
    let request = RepositoryIndexRequest {
        repository_name: "other".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client.repository_index(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn folders_can_be_added_and_removed() {
    let (server, first) = Running::with_model(model(0.3)).await;
    let mut client = server.client().await;
    save(server.repository.path(), "bait", model(0.1));
    eventually("a new model", async || ready(&mut client, "bait").await).await;
    let second = save(server.repository.path(), MODEL, model(-1.5));
    client
        .repository_model_load(load(MODEL, HashMap::new()))
        .await
        .unwrap();
    fs::remove_dir_all(server.repository.path().join(MODEL).join(&first.version)).unwrap();
    eventually("the end of the removed version", async || {
        !index(&mut client, MODEL).await.contains_key(&first.version)
    })
    .await;
    // The default version is still served after its folder was removed.
    fs::remove_dir_all(server.repository.path().join(MODEL)).unwrap();
    wait_for_refresh(&server, &mut client).await;
    assert_eq!(default_version(&mut client).await, second.version);
}
