//! The truth of a simulated log, which no real log has: the probabilities that the labels of a simulated one were drawn from, by
//! request and candidate.

use std::{collections::HashMap, path::Path};

use counterweight_dataset::{DatasetBuilder, LogColumns, Role};
use counterweight_impressions::{LogError, columns};

/// The truth of two objectives.
#[derive(Debug)]
pub(super) struct Truth {
    file: String,
    values: HashMap<(String, String), [f64; 2]>,
}

impl Truth {
    /// Reads a file with the columns `request_id`, `candidate_id` and `truth_<objective>`;
    /// `truth_<objective>_at_1`, at the position at which candidates are served, goes before it.
    pub(super) fn read(file: &Path, objectives: &[String; 2]) -> Result<Self, LogError> {
        let name = file.display().to_string();
        let dataset = DatasetBuilder::new("truth", [file.to_string_lossy()])
            .role(Role::Request, columns::REQUEST)
            .role(Role::Candidate, columns::CANDIDATE)
            .build()?;
        let has = dataset.columns()?;
        let column = |objective: &String| {
            let names = columns::truth(objective);
            let found = names.iter().find(|name| has.contains(name)).cloned();
            found.ok_or_else(|| LogError::Log {
                log: name.clone(),
                problem: format!(
                    "it has no column {} or {}; it has {}",
                    names[0],
                    names[1],
                    has.join(", ")
                ),
            })
        };
        let wanted = LogColumns {
            numbers: vec![column(&objectives[0])?, column(&objectives[1])?],
            ..LogColumns::default()
        };
        let mut values = HashMap::new();
        for piece in dataset.log(wanted)? {
            let piece = piece?;
            let (Some(requests), Some(candidates)) =
                (piece.id(Role::Request), piece.id(Role::Candidate))
            else {
                continue;
            };
            for row in 0..piece.len() {
                let truth = [piece.numbers[0][row], piece.numbers[1][row]];
                if let Some(wrong) = truth.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                    return Err(LogError::Request {
                        log: name,
                        request: requests[row].clone(),
                        problem: format!(
                            "the truth of candidate {:?} is {wrong}; it is a probability from 0 to 1",
                            candidates[row]
                        ),
                    });
                }
                values.insert((requests[row].clone(), candidates[row].clone()), truth);
            }
        }
        Ok(Self { file: name, values })
    }

    /// The truth of a request's candidates, a column per objective.
    pub(super) fn columns(&self, request: &str, ids: &[String]) -> Result<[Vec<f64>; 2], LogError> {
        let mut columns = [Vec::new(), Vec::new()];
        for id in ids {
            let key = (request.to_owned(), id.clone());
            let Some(truth) = self.values.get(&key) else {
                return Err(LogError::Request {
                    log: self.file.clone(),
                    request: request.to_owned(),
                    problem: format!(
                        "the truth of candidate {id:?} is not there; give the truth of this very log"
                    ),
                });
            };
            for (column, value) in columns.iter_mut().zip(truth) {
                column.push(*value);
            }
        }
        Ok(columns)
    }
}
