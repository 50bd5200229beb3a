//! `counterweight rank`: ranks the candidates of a file, or of standard input, over gRPC.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use counterweight_config::did_you_mean;
use counterweight_dataset::{Dataset, Role, Rows};
use counterweight_model::{Column, DEFAULT_MAX_TEXT_BYTES, Feature, Input, Kind, Schema, Side};
use counterweight_proto::counterweight::v1::{
    Attribute, DescribeRankingRequest, FeatureDescription, RankRequest,
    attribute_value::Value as AttributeKind, ranking_service_client::RankingServiceClient,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_strings, tensor};
use serde_json::Value;

use crate::{
    WrongUse,
    client::{Combiner, MESSAGE_LIMIT, explain},
    output::Output,
    runtime,
    weights::attribute,
};

mod answer;

use answer::{answer_json, answer_table};

/// Rank the candidates of a file, or of standard input, over gRPC.
#[derive(Args)]
pub(crate) struct Rank {
    /// The candidates, one a row: .ndjson, .csv or .parquet; `-` reads NDJSON from standard input. Columns that no objective takes are left out.
    #[arg(value_name = "FILE")]
    candidates: PathBuf,
    /// The column with the candidates' ids.
    #[arg(
        long,
        env = "COUNTERWEIGHT_ID",
        default_value = "candidate_id",
        value_name = "COLUMN"
    )]
    id: String,
    /// A feature of the request, instead of a column of the file; lists and vectors as JSON arrays.
    #[arg(long, value_name = "FEATURE=VALUE", value_parser = assignment)]
    context: Vec<(String, String)>,
    /// What segments may ask for although no model takes it, as user_tier=gold. A value that reads as a number is one, true and false are 1 and 0, and "1" in double quotes is text.
    #[arg(long, value_name = "ATTRIBUTE=VALUE", value_parser = attribute)]
    attribute: Vec<Attribute>,
    /// The surface to rank for.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    /// How many candidates to return; 0 returns all.
    #[arg(long, short = 'k', env = "COUNTERWEIGHT_LIMIT", default_value_t = 10)]
    limit: u32,
    /// A column of the file to print beside each candidate, such as its title.
    #[arg(long, env = "COUNTERWEIGHT_SHOW", value_name = "COLUMN")]
    show: Option<String>,
    /// Names the request in logs [default: made by the combiner].
    #[arg(
        long,
        env = "COUNTERWEIGHT_REQUEST_ID",
        default_value = "",
        hide_default_value = true
    )]
    request_id: String,
    /// The unit of randomisation for experiments, usually a user id.
    #[arg(
        long,
        visible_alias = "unit",
        env = "COUNTERWEIGHT_UNIT_ID",
        default_value = "",
        hide_default_value = true
    )]
    unit_id: String,
    /// Show how far each weight may move before this page changes, and before each candidate leaves it.
    #[arg(long, env = "COUNTERWEIGHT_STABILITY")]
    stability: bool,
    #[command(flatten)]
    combiner: Combiner,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write FEATURE=VALUE, for example user_age_days=31")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Rank {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        runtime()?.block_on(self.rank(output))
    }

    async fn rank(self, output: Output) -> anyhow::Result<()> {
        let mut client = RankingServiceClient::new(self.combiner.connect().await?)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let described = client
            .describe_ranking(DescribeRankingRequest {})
            .await
            .map_err(|status| explain(&status))?;
        let candidates = self.read(&described.into_inner().features)?;
        let request = self.request(&candidates)?;
        let answer = client
            .rank(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let shown = self.show.as_deref().zip(candidates.shown());
        output.print(&answer_json(&answer, shown.as_ref()), |_| {
            answer_table(&answer, shown.as_ref())
        })
    }

    /// Reads the columns that some objective takes, the ids, and the column to print.
    fn read(&self, features: &[FeatureDescription]) -> anyhow::Result<Candidates> {
        for (name, _) in &self.context {
            if !features.iter().any(|feature| feature.name == *name) {
                let near = did_you_mean(name, features.iter().map(|feature| feature.name.as_str()));
                return Err(WrongUse(format!(
                    "--context {name}: no objective takes such a feature{near}"
                ))
                .into());
            }
        }
        let mut context = Vec::new();
        let mut inputs = Vec::new();
        for feature in features {
            match self.context.iter().find(|(name, _)| *name == feature.name) {
                Some((_, value)) => context.push((input(feature)?, value.clone())),
                None => inputs.push(input(feature)?),
            }
        }
        let taken = inputs.len();
        let shown = self.show.as_ref().map(|show| {
            inputs
                .iter()
                .position(|input| input.name == *show)
                .unwrap_or_else(|| {
                    // As a category, a number keeps its decimal form.
                    inputs.push(Input::candidate(show, Kind::Categorical));
                    taken
                })
        });
        Ok(Candidates {
            rows: read_rows(&self.candidates, &self.id, inputs)?,
            taken,
            shown,
            context,
        })
    }

    fn request(&self, candidates: &Candidates) -> anyhow::Result<RankRequest> {
        let mut request = RankRequest {
            request_id: self.request_id.clone(),
            profile: self.profile.clone(),
            unit_id: self.unit_id.clone(),
            candidate_ids: candidates.ids().to_vec(),
            limit: self.limit,
            stability: self.stability,
            ..RankRequest::default()
        };
        let columns = candidates
            .rows
            .schema
            .inputs()
            .iter()
            .zip(&candidates.rows.columns);
        for (input, column) in columns.take(candidates.taken) {
            if let Some(column) = column {
                push(&mut request, input, column)?;
            }
        }
        for (input, value) in &candidates.context {
            push(&mut request, input, &one(input, value)?)?;
        }
        for attribute in &self.attribute {
            push_attribute(&mut request, attribute);
        }
        Ok(request)
    }
}

/// What was read of the file.
struct Candidates {
    rows: Rows,
    /// The first so many inputs are features; one more may be there only to be printed.
    taken: usize,
    /// The input to print.
    shown: Option<usize>,
    context: Vec<(Input, String)>,
}

impl Candidates {
    fn ids(&self) -> &[String] {
        self.rows.id(Role::Candidate).unwrap_or_default()
    }

    /// The text to print beside each candidate, by id.
    fn shown(&self) -> Option<HashMap<&str, String>> {
        let column = self.rows.columns[self.shown?].as_ref()?;
        let text = |row: usize| match column {
            Column::Text(values) => values[row].to_string(),
            Column::Numeric(values) => values[row].to_string(),
            Column::List(values) => values[row].join(", "),
            Column::Vector { dim, values } => format!("{:?}", &values[row * dim..(row + 1) * dim]),
        };
        Some(
            self.ids()
                .iter()
                .enumerate()
                .map(|(row, id)| (id.as_str(), text(row)))
                .collect(),
        )
    }
}

/// The raw input that a described feature is read as; a foreign server that does not say its kind takes numbers.
fn input(feature: &FeatureDescription) -> anyhow::Result<Input> {
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
                    "the combiner states no length for the vector {:?}",
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

/// Reads ids and inputs of a file, or of NDJSON on standard input.
fn read_rows(path: &Path, id: &str, inputs: Vec<Input>) -> anyhow::Result<Rows> {
    let mut stdin = tempfile::Builder::new().suffix(".ndjson").tempfile()?;
    let path = if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin()
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
    let name = path
        .to_str()
        .ok_or_else(|| anyhow!("{} is no UTF-8 path", path.display()))?;
    // A TOML basic string is written as a JSON string is. The schema below says what is read; a description needs an input.
    let (files, id) = (Value::from(glob_escape(name)), Value::from(id));
    let description = format!(
        "name = \"candidates\"\nfiles = [{files}]\n[columns]\ncandidate = {id}\n[[input]]\nname = {id}\nkind = \"categorical\"\n"
    );
    let dataset = Dataset::parse(&description, "candidates", Path::new("/"))?;
    let features = inputs
        .iter()
        .map(|input| Feature::of_input(&input.name))
        .collect();
    let schema = Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES)?;
    let mut pieces = dataset.inputs(&schema)?.collect::<Result<Vec<_>, _>>()?;
    match (pieces.pop(), pieces.is_empty()) {
        (Some(rows), true) if !rows.is_empty() => Ok(rows),
        (Some(_), false) => bail!(
            "{} holds more candidates than fit into one request",
            path.display()
        ),
        _ => bail!("{} holds no candidate", path.display()),
    }
}

/// The file names are patterns; a path is none.
fn glob_escape(path: &str) -> String {
    path.chars()
        .map(|c| {
            if "*?[]".contains(c) {
                format!("[{c}]")
            } else {
                c.to_string()
            }
        })
        .collect()
}

/// A context feature given on the command line, as a column of one row.
fn one(input: &Input, value: &str) -> anyhow::Result<Column<'static>> {
    let wrong = |what: &str| WrongUse(format!("--context {}={value}: {what}", input.name));
    Ok(match input.kind {
        Kind::Numeric => Column::Numeric(vec![value.parse().map_err(|_| wrong("give a number"))?]),
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
            let values: Vec<f32> =
                serde_json::from_str(value).map_err(|_| wrong("give a JSON array of numbers"))?;
            if values.len() != dim {
                return Err(wrong(&format!("give {dim} numbers")).into());
            }
            Column::Vector { dim, values }
        }
    })
}

/// Adds an attribute to the request: one element, of the datatype that segments compare it as.
fn push_attribute(request: &mut RankRequest, attribute: &Attribute) {
    let value = attribute.value.as_ref().and_then(|one| one.value.as_ref());
    let (datatype, raw) = match value {
        Some(AttributeKind::Number(number)) => (Datatype::Fp64, encode_f64(&[*number])),
        Some(AttributeKind::Text(text)) => (Datatype::Bytes, encode_strings([text.as_bytes()])),
        None => return,
    };
    request.inputs.push(tensor(&attribute.name, datatype, &[1]));
    request.raw_input_contents.push(raw);
}

/// Adds a column to the request; one of a context feature must hold one value throughout, and is sent once.
fn push(request: &mut RankRequest, input: &Input, column: &Column<'_>) -> anyhow::Result<()> {
    let context = input.side == Side::Context;
    let constant = |equal: bool| {
        if equal {
            return Ok(());
        }
        bail!(
            "{:?} is a feature of the request but differs between rows; rank the candidates of one request at a time",
            input.name
        )
    };
    let rows = if context { 1 } else { column.rows() };
    let (datatype, shape, raw) = match column {
        Column::Numeric(values) => {
            constant(
                !context
                    || values
                        .iter()
                        .all(|value| value.to_bits() == values[0].to_bits()),
            )?;
            (Datatype::Fp64, vec![rows], encode_f64(&values[..rows]))
        }
        Column::Text(values) => {
            constant(!context || values.iter().all(|value| value == &values[0]))?;
            (
                Datatype::Bytes,
                vec![rows],
                encode_strings(values[..rows].iter().map(|value| value.as_bytes())),
            )
        }
        Column::List(values) => {
            constant(!context || values.iter().all(|value| value == &values[0]))?;
            let texts = values[..rows]
                .iter()
                .map(|list| Value::from(list.clone()).to_string());
            (Datatype::Bytes, vec![rows], encode_strings(texts))
        }
        Column::Vector { dim, values } => {
            constant(!context || values.chunks(*dim).all(|row| row == &values[..*dim]))?;
            (
                Datatype::Fp32,
                vec![rows, *dim],
                encode_f32(&values[..rows * dim]),
            )
        }
    };
    request.inputs.push(tensor(&input.name, datatype, &shape));
    request.raw_input_contents.push(raw);
    Ok(())
}
