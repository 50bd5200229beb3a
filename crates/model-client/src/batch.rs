//! A request's candidates and features, checked once: only this form reaches the models.

use std::collections::HashSet;

use bytes::Bytes;
use counterweight_proto::inference::model_infer_request::InferInputTensor;
use counterweight_tensor::{Data, Datatype, TensorView, views};
use foldhash::fast::RandomState;

use crate::InputError;

/// Checked features of n candidates: every tensor has n rows, or one row that applies to all of
/// them.
#[derive(Debug)]
pub struct Batch<'a> {
    /// n, at least 1.
    pub candidates: usize,
    /// The tensors with the wire form they came in, in the order of the request.
    pub tensors: Vec<(TensorView<'a>, &'a InferInputTensor)>,
}

impl<'a> Batch<'a> {
    /// Checks ids and tensors.
    ///
    /// # Errors
    /// There are no ids, one is empty or sent twice, a tensor is malformed, has another number of
    /// rows than 1 and n, or holds an infinite number.
    pub fn check(
        ids: &[String],
        inputs: &'a [InferInputTensor],
        raw: &'a [Bytes],
    ) -> Result<Self, InputError> {
        check_ids(ids)?;
        let candidates = ids.len();
        let views = views(inputs, raw)?;
        for view in &views {
            if view.rows != candidates && view.rows != 1 {
                return Err(InputError::Ragged {
                    feature: view.name.to_owned(),
                    rows: view.rows,
                    candidates,
                    hint: ", or one row for a context feature".to_owned(),
                });
            }
            if let Some(element) = first_infinite(view) {
                return Err(InputError::Infinite {
                    feature: view.name.to_owned(),
                    row: element / view.width,
                });
            }
        }
        Ok(Self {
            candidates,
            tensors: views.into_iter().zip(inputs).collect(),
        })
    }

    /// The tensor of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TensorView<'a>> {
        self.tensors
            .iter()
            .map(|(view, _)| view)
            .find(|view| view.name == name)
    }

    /// Refuses a tensor of one row where a row per candidate is needed; `why` says why it is.
    ///
    /// # Errors
    /// [`InputError::Ragged`].
    pub fn check_per_candidate(&self, view: &TensorView<'_>, why: &str) -> Result<(), InputError> {
        if view.rows == self.candidates {
            return Ok(());
        }
        Err(InputError::Ragged {
            feature: view.name.to_owned(),
            rows: view.rows,
            candidates: self.candidates,
            hint: format!(" ({why})"),
        })
    }
}

fn check_ids(ids: &[String]) -> Result<(), InputError> {
    if ids.is_empty() {
        return Err(InputError::NoCandidates);
    }
    let mut seen = HashSet::with_capacity_and_hasher(ids.len(), RandomState::default());
    for (index, id) in ids.iter().enumerate() {
        if id.is_empty() {
            return Err(InputError::EmptyCandidateId { index });
        }
        if !seen.insert(id.as_str()) {
            return Err(InputError::DuplicateCandidate {
                id: id.clone(),
                index,
            });
        }
    }
    Ok(())
}

/// The first infinite element. The scan has no early exit, so that the compiler vectorises it.
fn first_infinite(view: &TensorView<'_>) -> Option<usize> {
    const F32: u32 = f32::INFINITY.to_bits();
    const F64: u64 = f64::INFINITY.to_bits();
    let single = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) & !(1 << 31) == F32;
    let double = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes) & !(1 << 63) == F64;
    match (view.datatype, view.data) {
        (Datatype::Fp32, Data::Raw(raw)) => {
            let elements = raw.as_chunks::<4>().0;
            let any = elements
                .iter()
                .fold(false, |any, element| any | single(element));
            any.then(|| elements.iter().position(single)).flatten()
        }
        (Datatype::Fp64, Data::Raw(raw)) => {
            let elements = raw.as_chunks::<8>().0;
            let any = elements
                .iter()
                .fold(false, |any, element| any | double(element));
            any.then(|| elements.iter().position(double)).flatten()
        }
        (Datatype::Fp32, Data::Typed(typed)) => typed
            .fp32_contents
            .iter()
            .position(|value| value.is_infinite()),
        (Datatype::Fp64, Data::Typed(typed)) => typed
            .fp64_contents
            .iter()
            .position(|value| value.is_infinite()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use counterweight_tensor::{encode_f32, encode_f64, tensor};

    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn ids_are_there_filled_and_unique() {
        assert!(matches!(
            Batch::check(&[], &[], &[]),
            Err(InputError::NoCandidates)
        ));
        assert!(matches!(
            Batch::check(&ids(&["a", ""]), &[], &[]),
            Err(InputError::EmptyCandidateId { index: 1 })
        ));
        let error = Batch::check(&ids(&["a", "b", "a"]), &[], &[]).unwrap_err();
        assert!(
            matches!(error, InputError::DuplicateCandidate { index: 2, .. }),
            "{error}"
        );
        assert_eq!(Batch::check(&ids(&["a"]), &[], &[]).unwrap().candidates, 1);
    }

    #[test]
    fn columns_have_a_row_per_candidate_or_one() {
        let inputs = [tensor("x", Datatype::Fp32, &[2, 1])];
        let raw = [encode_f32(&[1.0, 2.0])];
        assert!(Batch::check(&ids(&["a", "b"]), &inputs, &raw).is_ok());
        let error = Batch::check(&ids(&["a", "b", "c"]), &inputs, &raw).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"x\" has 2 rows for 3 candidates"),
            "{error}"
        );
        let context = [tensor("c", Datatype::Fp64, &[1, 3])];
        assert!(Batch::check(&ids(&["a", "b"]), &context, &[encode_f64(&[1.0, 2.0, 3.0])]).is_ok());
    }

    #[test]
    fn infinity_is_found_in_any_form_and_nan_is_missing() {
        let three = ids(&["a", "b", "c"]);
        for bad in [f64::INFINITY, f64::NEG_INFINITY] {
            let values = [f64::NAN, f64::MAX, bad];
            let single = values.map(|value| {
                if value == f64::MAX {
                    f32::MAX
                } else {
                    value as f32
                }
            });
            let raw = [
                (Datatype::Fp64, encode_f64(&values)),
                (Datatype::Fp32, encode_f32(&single)),
            ];
            for (datatype, raw) in raw {
                let inputs = [tensor("x", datatype, &[3])];
                let error = Batch::check(&three, &inputs, &[raw]).unwrap_err();
                assert!(
                    matches!(error, InputError::Infinite { row: 2, .. }),
                    "{error}"
                );
            }
            let mut typed = tensor("x", Datatype::Fp64, &[3]);
            typed.contents.get_or_insert_default().fp64_contents = values.to_vec();
            assert!(matches!(
                Batch::check(&three, &[typed], &[]),
                Err(InputError::Infinite { row: 2, .. })
            ));
        }
        let inputs = [tensor("x", Datatype::Fp64, &[3])];
        assert!(Batch::check(&three, &inputs, &[encode_f64(&[f64::NAN; 3])]).is_ok());
    }
}
