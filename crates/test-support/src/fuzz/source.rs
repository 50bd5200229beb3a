//! One message after another, from a seed.

use prost::Message as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{
    generate,
    methods::{Method, methods},
    mutate::mutate,
};
use crate::requests::{change, infer, preview, ramp, rank_columns, rank_models, set};

/// Messages of each method that are kept to be damaged.
const KEPT: usize = 64;
/// A kept message is exchanged after about so many draws.
const EXCHANGED_AFTER: u32 = 64;

/// Draws messages for all methods. The same seed and seeds draw the same messages.
#[derive(Debug)]
pub struct Fuzzer {
    rng: ChaCha8Rng,
    methods: Vec<Method>,
    kept: Vec<Vec<Vec<u8>>>,
}

impl Fuzzer {
    /// A fuzzer over all methods that `wanted` accepts. `corpus` holds further messages by path.
    #[must_use]
    pub fn new(seed: u64, wanted: impl Fn(&Method) -> bool, corpus: &[(String, Vec<u8>)]) -> Self {
        let methods: Vec<Method> = methods().into_iter().filter(wanted).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut kept = Vec::new();
        for method in &methods {
            let mut own: Vec<Vec<u8>> = corpus
                .iter()
                .filter(|(path, _)| path == method.path)
                .map(|(_, message)| message.clone())
                .collect();
            own.extend(right(method.path));
            while own.len() < KEPT {
                own.push(generate::message(&mut rng, &method.input, 0).encode_to_vec());
            }
            kept.push(own);
        }
        Self { rng, methods, kept }
    }

    /// The next message and its method.
    pub fn draw(&mut self) -> (&Method, Vec<u8>) {
        let at = self.rng.random_range(0..self.methods.len());
        let (method, kept) = (&self.methods[at], &mut self.kept[at]);
        let (one, other) = (
            self.rng.random_range(0..kept.len()),
            self.rng.random_range(0..kept.len()),
        );
        if self.rng.random_ratio(1, EXCHANGED_AFTER) {
            let fresh = generate::message(&mut self.rng, &method.input, 0).encode_to_vec();
            let message = fresh.clone();
            // The messages that came first are right ones or of the corpus; they stay.
            let last = kept.len() - 1;
            kept[last.min(KEPT / 2 + one % (KEPT / 2))] = fresh;
            return (method, message);
        }
        (method, mutate(&mut self.rng, &kept[one], &kept[other]))
    }
}

/// Right messages, which chance would hardly find.
fn right(path: &str) -> Vec<Vec<u8>> {
    match path.rsplit('/').next() {
        Some("Rank") => vec![
            rank_columns(3).encode_to_vec(),
            rank_models(3).encode_to_vec(),
        ],
        Some("ModelInfer") => vec![infer(3, &["sport", "music"]).encode_to_vec()],
        Some("SetWeights") => vec![set(change(-0.5)).encode_to_vec()],
        Some("StartRamp") => vec![ramp(60, 10).encode_to_vec()],
        Some("PreviewWeights") => vec![preview(-0.5).encode_to_vec()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fuzz::decode;

    #[test]
    fn a_seed_draws_the_same_messages_and_some_of_every_method_decode() {
        let (mut one, mut same) = (Fuzzer::new(1, |_| true, &[]), Fuzzer::new(1, |_| true, &[]));
        let (mut decoded, mut refused) = (std::collections::BTreeSet::new(), 0);
        for _ in 0..20_000 {
            let (method, message) = one.draw();
            assert_eq!(same.draw().1, message);
            match decode(method, Bytes::from(message)) {
                true => drop(decoded.insert(method.path)),
                false => refused += 1,
            }
        }
        assert_eq!(decoded.len(), methods().len());
        assert!(refused > 1000, "only {refused} messages were damaged");
    }
}
