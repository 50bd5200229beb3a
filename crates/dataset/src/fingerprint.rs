//! A hash of the kept rows, which identifies the data that a model was trained on. It covers typed
//! values, so it does not depend on the path, the file format or the sizes of the pieces.

use counterweight_model::Column;
use sha2::{Digest, Sha256};

use crate::{Part, Rows, loaded::Targets};

/// Bytes to collect before hashing them.
const BUFFER: usize = 64 * 1024;

pub(crate) fn fingerprint(rows: &Rows, parts: &[Part], targets: &Targets) -> String {
    let mut hasher = Hasher {
        hash: Sha256::new(),
        buffer: Vec::with_capacity(BUFFER + 64),
    };
    hasher.number(rows.len() as u64);
    for (input, column) in rows.schema.inputs().iter().zip(&rows.columns) {
        hasher.text(&input.name);
        hasher.text(&input.kind.to_string());
        if let Some(column) = column {
            hasher.column(column);
        }
    }
    for ids in &rows.ids {
        hasher.text(ids.role.name());
        ids.values.iter().for_each(|value| hasher.text(value));
    }
    parts.iter().for_each(|part| hasher.bytes(&[*part as u8]));
    match targets {
        Targets::Fixed(values) => values
            .iter()
            .for_each(|value| hasher.bytes(&[u8::from(*value)])),
        Targets::AboveMedian(values) => values.iter().for_each(|value| hasher.float(*value)),
    }
    hasher.finish()
}

struct Hasher {
    hash: Sha256,
    buffer: Vec<u8>,
}

impl Hasher {
    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// All NaN values have one hash, and both zeros have one hash.
    fn float(&mut self, number: f64) {
        let number = if number.is_nan() {
            f64::NAN
        } else {
            number + 0.0
        };
        self.number(number.to_bits());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn column(&mut self, column: &Column<'_>) {
        match column {
            Column::Numeric(values) => values.iter().for_each(|value| self.float(*value)),
            Column::Text(values) => values.iter().for_each(|value| self.text(value)),
            Column::List(values) => {
                for list in values {
                    self.number(list.len() as u64);
                    list.iter().for_each(|value| self.text(value));
                }
            }
            Column::Vector { values, .. } => values
                .iter()
                .for_each(|value| self.float(f64::from(*value))),
        }
    }

    fn finish(mut self) -> String {
        self.hash.update(&self.buffer);
        self.hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
