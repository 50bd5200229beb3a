//! The kept messages of the fuzzer, again through the decoders and through both servers.

use std::{collections::BTreeSet, time::Duration};

use counterweight_test_support::{
    Ordinary, Target, TargetOptions,
    attacks::{Aim, Call, Connection, Control},
    fuzz::{decode, methods, read_corpus},
    root,
};
use tokio::runtime::Runtime;

#[test]
fn every_kept_message_is_answered_or_refused_with_a_reason() {
    let corpus = read_corpus(&root().join("tests/corpus")).unwrap();
    let methods = methods();
    let covered: BTreeSet<&str> = corpus.iter().map(|(path, _)| path.as_str()).collect();
    let target = Target::start(&TargetOptions {
        program: env!("CARGO_BIN_EXE_counterweight-under-test").into(),
        limits: None,
    })
    .unwrap();
    Runtime::new().unwrap().block_on(async {
        // The model has been reached once this returns.
        Ordinary::connect(target.combiner.address()).await.unwrap();
        let (_stop, control) = Control::new(None);
        let mut combiner = Connection::open(target.combiner.address(), &control)
            .await
            .unwrap();
        let mut model = Connection::open(target.model.address(), &control)
            .await
            .unwrap();
        for method in &methods {
            assert!(
                covered.contains(method.path),
                "no message of {}",
                method.path
            );
            let connection = match method.aim {
                Aim::Combiner => &mut combiner,
                Aim::Model => &mut model,
            };
            for (_, message) in corpus.iter().filter(|(path, _)| path == method.path) {
                let decodes = decode(method, message.clone().into());
                let call = Call::new(method.path, message).within(Duration::from_secs(20));
                let answer = connection
                    .call(&Call {
                        streams: method.streams,
                        ..call
                    })
                    .await;
                let answer = answer.unwrap();
                let (path, code) = (method.path, answer.code);
                assert!(!answer.is_fault(), "{path}: {answer} for {message:?}");
                assert!(
                    decodes || code == "INVALID_ARGUMENT",
                    "{path}: {code} for {message:?}"
                );
            }
        }
    });
}
