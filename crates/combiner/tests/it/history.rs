//! The history over real sockets: pages, single revisions, and verification with and without a
//! server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::fs;

use common::{
    info, two_models,
    weights::{Weights, bait, change, set},
};
use counterweight_combiner::{read_entry, verify_log};
use counterweight_proto::counterweight::v1::{
    GetRevisionRequest, ListRevisionsRequest, VerifyWeightsRequest, VerifyWeightsResponse,
};
use tonic::Code;

async fn verify(client: &mut Weights, expected_hash: &str) -> VerifyWeightsResponse {
    let request = VerifyWeightsRequest {
        expected_hash: expected_hash.into(),
    };
    client.verify_weights(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_first_and_by_profile() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    let none = client.list_revisions(ListRevisionsRequest::default()).await;
    assert_eq!(none.unwrap().into_inner().entries.len(), 0);
    for revision in 1..=23 {
        let profile = if revision % 5 == 0 {
            "careful"
        } else {
            "default"
        };
        let request = set(vec![change(
            profile,
            &[("engagement", f64::from(revision))],
            None,
        )]);
        client.set_weights(request).await.unwrap();
    }
    for (profile, expected) in [
        ("", (1..=23).rev().collect::<Vec<u64>>()),
        ("careful", vec![20, 15, 10, 5]),
    ] {
        for page_size in [1, 2, 3, 7, 23, 50, 9_999] {
            let mut found = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = ListRevisionsRequest {
                    profile: profile.into(),
                    page_size,
                    page_token,
                };
                let page = client.list_revisions(request).await.unwrap().into_inner();
                assert!(page.entries.len() <= page_size as usize);
                found.extend(page.entries.iter().map(|entry| entry.revision));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(found, expected, "{profile:?} by {page_size}");
        }
    }
    let wrong = ListRevisionsRequest {
        page_token: "x".into(),
        ..Default::default()
    };
    let status = client.list_revisions(wrong).await.unwrap_err();
    assert_eq!(info(&status).1["field"], "page_token");
    let wrong = ListRevisionsRequest {
        profile: "home".into(),
        ..Default::default()
    };
    let status = client.list_revisions(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);

    let one = |revision| GetRevisionRequest {
        revision,
        ..Default::default()
    };
    let entry = client
        .get_revision(one(15))
        .await
        .unwrap()
        .into_inner()
        .entry;
    assert_eq!(entry.unwrap().profiles[0].weights[0].weight, 15.0);
    for revision in [0, 24] {
        let status = client.get_revision(one(revision)).await.unwrap_err();
        assert_eq!(
            (status.code(), info(&status).0.as_str()),
            (Code::NotFound, "UNKNOWN_REVISION")
        );
    }
}

#[tokio::test]
async fn the_log_is_verified_and_the_first_broken_entry_named() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    let mut hashes = Vec::new();
    for revision in 1..=5 {
        let request = bait(-f64::from(revision), None);
        let done = client.set_weights(request).await.unwrap().into_inner();
        hashes.push(done.entry.unwrap().hash);
    }
    let good = verify(&mut client, "").await;
    assert_eq!(
        (
            good.entries,
            good.last_hash.as_str(),
            good.broken_revision,
            good.problem.as_str()
        ),
        (5, hashes[4].as_str(), 0, "")
    );
    assert_eq!(
        verify(&mut client, &hashes[2]).await.expected_hash_revision,
        3
    );
    let strange = verify(&mut client, &"0a".repeat(32)).await;
    assert!(
        strange.expected_hash_revision == 0 && strange.problem.contains("no entry has the hash"),
        "{}",
        strange.problem
    );
    let status = client
        .verify_weights(VerifyWeightsRequest {
            expected_hash: "abc".into(),
        })
        .await
        .unwrap_err();
    assert_eq!(info(&status).1["field"], "expected_hash");

    let path = combiner.folder.path().join("weights.log");
    let whole = fs::read(&path).unwrap();
    let verified = verify_log(&path, &hashes[1]).unwrap();
    assert_eq!(
        (verified.entries, verified.found, verified.broken.is_none()),
        (5, Some(2), true)
    );
    assert_eq!(verified.problem(&hashes[1]), None);
    let second = read_entry(&path, 2).unwrap().unwrap();
    assert_eq!((second.revision, &second.hash), (2, &hashes[1]));
    assert_eq!(read_entry(&path, 6).unwrap(), None);

    // A byte is flipped in the file under the running server, in the third entry.
    let third = whole
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(1)
        .unwrap()
        .0
        + 100;
    let mut flipped = whole.clone();
    flipped[third] ^= 1;
    fs::write(&path, &flipped).unwrap();
    let broken = verify(&mut client, "").await;
    assert_eq!(
        (
            broken.entries,
            broken.last_hash.as_str(),
            broken.broken_revision
        ),
        (2, hashes[1].as_str(), 3)
    );
    assert!(
        broken.problem.contains("hash does not match the content"),
        "{}",
        broken.problem
    );
    let offline = verify_log(&path, "").unwrap();
    assert_eq!((offline.entries, offline.broken.unwrap().0), (2, 3));
    // An entry before the broken one can be read, and none after it.
    assert_eq!(read_entry(&path, 2).unwrap(), Some(second));
    assert!(read_entry(&path, 3).is_err() && read_entry(&path, 5).is_err());

    // An unfinished tail is not an entry, and nothing is broken.
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let torn = verify_log(&path, "").unwrap();
    assert_eq!((torn.entries, torn.broken), (4, None));
    assert!(torn.unfinished > 0);
    assert!(verify_log(&path.with_extension("none"), "").is_err());
}
