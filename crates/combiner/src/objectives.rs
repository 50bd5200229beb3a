//! All objectives of a configuration.

use std::sync::Arc;

use counterweight_model_client::Model;

use crate::{
    config::Config,
    error::CombinerError,
    objective::{Objective, Source},
};

/// All objectives of a configuration, and the configured attributes.
#[derive(Debug)]
pub(crate) struct Objectives {
    /// In the order of the configuration.
    pub(crate) list: Vec<Objective>,
    /// The configured attributes.
    pub(crate) attributes: Vec<String>,
}

impl Objectives {
    /// Prepares every objective; connects to nothing yet.
    pub(crate) fn new(config: &Config) -> Result<Self, CombinerError> {
        let objectives = config.objectives.iter();
        Ok(Self {
            list: objectives
                .map(|objective| Objective::new(objective, config))
                .collect::<Result<_, _>>()?,
            attributes: config.attributes.clone(),
        })
    }

    /// Whether a tensor of the request is the probability of an objective as it is combined.
    pub(crate) fn is_probability(&self, name: &str) -> bool {
        self.list.iter().any(|objective| objective.is_column(name))
    }

    /// The models among the sources.
    pub(crate) fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.list
            .iter()
            .filter_map(|objective| match &objective.source {
                Source::Model(model) => Some(model),
                Source::Column(_) => None,
            })
    }
}
