//! The inputs of a model, from its metadata or the configuration.

use std::collections::HashMap;

use counterweight_proto::inference::{
    InferParameter, ModelMetadataResponse, infer_parameter::ParameterChoice,
    model_metadata_response::TensorMetadata,
};
use foldhash::fast::RandomState;

use crate::source::Packed;

/// The inputs of one model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    /// The served version; empty when it is not known.
    pub version: String,
    /// The model's own calibrator by name and version; empty for none.
    pub calibrator: String,
    /// Whether the metadata states the version; otherwise it is learned from an answer.
    pub(crate) states_version: bool,
    /// In the model's order.
    pub list: Vec<Input>,
    by_name: HashMap<String, usize, RandomState>,
    /// How many inputs must be sent.
    pub required: usize,
    /// The model does not describe its inputs, so it is sent everything except these.
    excluded_inputs: Option<Vec<String>>,
}

/// One input.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The datatype of the Open Inference Protocol, as `FP32`.
    pub datatype: String,
    /// Its shape; −1 is the number of candidates.
    pub shape: Vec<i64>,
    /// Empty when the server does not say.
    pub kind: String,
    /// None when the server does not say.
    pub side: Option<Side>,
    /// None when the server does not say.
    pub optional: Option<bool>,
}

/// Whether an input belongs to each candidate or to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A row for each candidate.
    Candidate,
    /// One row for the whole request.
    Context,
}

impl Side {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Context => "context",
        }
    }
}

impl Inputs {
    /// Reads a model's metadata. A model that does not describe its inputs is not sent these
    /// attributes.
    pub(crate) fn from_metadata(metadata: ModelMetadataResponse, attributes: &[String]) -> Self {
        let version = metadata.versions.into_iter().next().unwrap_or_default();
        let anything = metadata.inputs.is_empty();
        let excluded_inputs = anything.then(|| attributes.to_vec());
        let calibrator = calibrator(&metadata.parameters);
        Self {
            excluded_inputs,
            calibrator,
            ..Self::from_list(
                version,
                metadata
                    .inputs
                    .into_iter()
                    .map(Input::from_metadata)
                    .collect(),
            )
        }
    }

    /// The inputs of a packed tensor.
    pub(crate) fn from_packed(packed: &Packed, version: String) -> Self {
        let list = packed
            .features
            .iter()
            .map(|feature| Input {
                name: feature.clone(),
                datatype: "FP64".to_owned(),
                shape: vec![-1],
                kind: "numeric".to_owned(),
                side: None,
                optional: Some(false),
            })
            .collect();
        Self::from_list(version, list)
    }

    fn from_list(version: String, list: Vec<Input>) -> Self {
        Self {
            states_version: !version.is_empty(),
            version,
            calibrator: String::new(),
            by_name: list
                .iter()
                .enumerate()
                .map(|(at, input)| (input.name.clone(), at))
                .collect(),
            required: list
                .iter()
                .filter(|input| input.optional == Some(false))
                .count(),
            excluded_inputs: None,
            list,
        }
    }

    /// Whether the model accepts nothing else.
    pub(crate) fn complete(&self) -> bool {
        self.excluded_inputs.is_none()
    }

    /// Whether the model accepts a tensor of that name.
    pub(crate) fn accepts(&self, name: &str) -> bool {
        match &self.excluded_inputs {
            Some(not_sent) => !not_sent.iter().any(|attribute| attribute == name),
            None => self.by_name.contains_key(name),
        }
    }

    /// The input of that name; none when it is not declared.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Input> {
        self.by_name.get(name).map(|&at| &self.list[at])
    }

    /// Whether both accept the same inputs, independent of their versions.
    pub(crate) fn same_inputs(&self, other: &Self) -> bool {
        self.list == other.list && self.excluded_inputs == other.excluded_inputs
    }
}

impl Input {
    fn from_metadata(tensor: TensorMetadata) -> Self {
        let text = |key: &str| match choice(tensor.parameters.get(key)) {
            Some(ParameterChoice::StringParam(text)) => text.as_str(),
            _ => "",
        };
        Self {
            kind: text("kind").to_owned(),
            side: match text("side") {
                "candidate" => Some(Side::Candidate),
                "context" => Some(Side::Context),
                _ => None,
            },
            optional: match choice(tensor.parameters.get("optional")) {
                Some(ParameterChoice::BoolParam(optional)) => Some(*optional),
                _ => None,
            },
            name: tensor.name,
            datatype: tensor.datatype,
            shape: tensor.shape,
        }
    }
}

/// The calibrator that a model reports; empty for none.
pub(crate) fn calibrator(parameters: &HashMap<String, InferParameter>) -> String {
    match choice(parameters.get("calibrator")) {
        Some(ParameterChoice::StringParam(calibrator)) if calibrator != "none" => {
            calibrator.clone()
        }
        _ => String::new(),
    }
}

/// The value of a parameter.
pub(crate) fn choice(parameter: Option<&InferParameter>) -> Option<&ParameterChoice> {
    parameter.and_then(|parameter| parameter.parameter_choice.as_ref())
}
