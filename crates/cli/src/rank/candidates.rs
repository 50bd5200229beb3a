//! Reads the candidates of one request from a file, with the columns that objectives use.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, anyhow, bail};
use counterweight_config::did_you_mean;
use counterweight_dataset::{DatasetBuilder, Role, Rows};
use counterweight_model::{Column, DEFAULT_MAX_TEXT_BYTES, Feature, Input, Kind, Schema, Side};
use counterweight_proto::counterweight::v1::FeatureDescription;

use crate::{
    number::{parse_number, plain_minus},
    usage::WrongUse,
};

/// The candidates of the file, and the context features of the command line.
pub(super) struct Candidates {
    rows: Rows,
    /// How many of the inputs are features. One more input may follow that is only printed.
    features: usize,
    /// The position of the input to print.
    shown: Option<usize>,
    /// The context features of the command line, each a column of one row.
    pub(super) context: Vec<(Input, Column<'static>)>,
}

impl Candidates {
    /// Reads the ids, the columns that objectives use, and the column to print.
    ///
    /// # Errors
    /// The file cannot be read, or has no candidates or too many; a context feature is unknown, or
    /// its value does not have the feature's kind.
    pub(super) fn read(
        path: &Path,
        id: &str,
        context: &[(String, String)],
        show: Option<&str>,
        features: &[FeatureDescription],
    ) -> anyhow::Result<Self> {
        check_context(context, features)?;
        let mut typed = Vec::new();
        let mut inputs = Vec::new();
        for feature in features {
            let input = described_input(feature)?;
            match context.iter().find(|(name, _)| *name == feature.name) {
                Some((_, value)) => {
                    let column = parse_context(&input, value)?;
                    typed.push((input, column));
                }
                None => inputs.push(input),
            }
        }
        let features = inputs.len();
        let shown = show.map(|show| {
            inputs
                .iter()
                .position(|input| input.name == show)
                .unwrap_or_else(|| {
                    // Read as a category, a number keeps its decimal form.
                    inputs.push(Input::candidate(show, Kind::Categorical));
                    features
                })
        });
        Ok(Self {
            rows: read_rows(path, id, inputs)?,
            features,
            shown,
            context: typed,
        })
    }

    pub(super) fn ids(&self) -> &[String] {
        self.rows.id(Role::Candidate).unwrap_or_default()
    }

    /// The features that the file has, with their values.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&Input, &Column<'_>)> {
        let inputs = self.rows.schema.inputs().iter().zip(&self.rows.columns);
        inputs
            .take(self.features)
            .filter_map(|(input, column)| Some((input, column.as_ref()?)))
    }

    /// The text to print beside each candidate, by id.
    pub(super) fn shown(&self) -> Option<HashMap<&str, String>> {
        let column = self.rows.columns[self.shown?].as_ref()?;
        let text = |row: usize| match column {
            Column::Text(values) => values[row].to_string(),
            Column::Numeric(values) => values[row].to_string(),
            Column::List(values) => values[row].join(", "),
            Column::Vector { dim, values } => format!("{:?}", &values[row * dim..(row + 1) * dim]),
        };
        let ids = self.ids().iter().enumerate();
        Some(ids.map(|(row, id)| (id.as_str(), text(row))).collect())
    }
}

fn check_context(
    context: &[(String, String)],
    features: &[FeatureDescription],
) -> Result<(), WrongUse> {
    let names = || features.iter().map(|feature| feature.name.as_str());
    for (name, _) in context {
        if !names().any(|known| known == name) {
            return Err(WrongUse(format!(
                "--context {name}: no objective uses this feature{}",
                did_you_mean(name, names())
            )));
        }
    }
    Ok(())
}

/// The input type of a described feature. Model servers other than ours do not report a kind; then
/// the datatype decides, and anything but BOOL and BYTES is numeric.
fn described_input(feature: &FeatureDescription) -> anyhow::Result<Input> {
    let kind = match (feature.kind.as_str(), feature.datatype.as_str()) {
        ("boolean", _) | ("", "BOOL") => Kind::Boolean,
        ("categorical", _) => Kind::Categorical,
        ("text", _) | ("", "BYTES") => Kind::Text,
        ("list", _) => Kind::List,
        (kind, _) if kind.starts_with("vector") => {
            let dim = feature
                .shape
                .get(1)
                .and_then(|&dim| usize::try_from(dim).ok())
                .filter(|&dim| dim > 0);
            let dim = dim.ok_or_else(|| {
                anyhow!(
                    "the combiner does not report the length of the vector {:?}; its model server must describe the shape",
                    feature.name
                )
            })?;
            Kind::Vector { dim }
        }
        _ => Kind::Numeric,
    };
    let side = if feature.side == "context" {
        Side::Context
    } else {
        Side::Candidate
    };
    Ok(Input {
        name: feature.name.clone(),
        kind,
        side,
        optional: feature.optional,
        served: None,
    })
}

/// Parses the value of a context feature into a column of one row.
fn parse_context(input: &Input, value: &str) -> anyhow::Result<Column<'static>> {
    let wrong = |what: &str| WrongUse(format!("--context {}={value}: {what}", input.name));
    Ok(match input.kind {
        Kind::Numeric => {
            let number = parse_number(value).ok_or_else(|| wrong("give a number"))?;
            Column::Numeric(vec![number])
        }
        Kind::Boolean => {
            let value = value
                .parse::<bool>()
                .map_err(|_| wrong("give true or false"))?;
            Column::Numeric(vec![f64::from(u8::from(value))])
        }
        Kind::Categorical | Kind::Text => Column::Text(vec![value.to_owned().into()]),
        Kind::List => Column::List(vec![
            serde_json::from_str(value).map_err(|_| wrong("give a JSON array of strings"))?,
        ]),
        Kind::Vector { dim } => {
            let values: Vec<f32> = serde_json::from_str(&plain_minus(value))
                .map_err(|_| wrong("give a JSON array of numbers"))?;
            if values.len() != dim {
                return Err(wrong(&format!("give {dim} numbers")).into());
            }
            Column::Vector { dim, values }
        }
    })
}

/// Reads ids and inputs from a file, or from NDJSON on standard input.
fn read_rows(path: &Path, id: &str, inputs: Vec<Input>) -> anyhow::Result<Rows> {
    // A dataset reads files only, so standard input is copied to a temporary file.
    let mut stdin = tempfile::Builder::new().suffix(".ndjson").tempfile()?;
    let path = if path == Path::new("-") {
        let mut text = Vec::new();
        io::stdin()
            .read_to_end(&mut text)
            .context("cannot read standard input")?;
        stdin.write_all(&text)?;
        stdin.path()
    } else {
        path
    };
    let path = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let dataset = DatasetBuilder::of_file("candidates", &path)
        .ok_or_else(|| anyhow!("the path {} is not UTF-8; rename it", path.display()))?
        .role(Role::Candidate, id)
        .build()?;
    let features = inputs
        .iter()
        .map(|input| Feature::of_input(&input.name))
        .collect();
    let schema = Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES)?;
    let mut pieces = dataset.inputs(&schema)?.collect::<Result<Vec<_>, _>>()?;
    match (pieces.pop(), pieces.is_empty()) {
        (Some(rows), true) if !rows.is_empty() => Ok(rows),
        (Some(_), false) => bail!(
            "{} has more candidates than fit into one request; split it",
            path.display()
        ),
        _ => bail!("{} has no candidates", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_feature_accepts_either_minus() {
        let numeric = Input::candidate("x", Kind::Numeric);
        assert!(matches!(
            parse_context(&numeric, "\u{2212}2.5"),
            Ok(Column::Numeric(values)) if values == [-2.5]
        ));
        let vector = Input::candidate("v", Kind::Vector { dim: 2 });
        assert!(matches!(
            parse_context(&vector, "[\u{2212}1, 2]"),
            Ok(Column::Vector { values, .. }) if values == [-1.0, 2.0]
        ));
        for wrong in ["", "x", "[1]"] {
            assert!(parse_context(&numeric, wrong).is_err(), "{wrong}");
        }
    }
}
