//! `weights get`: shows the weights in force, their models, and the replica that answered.

use clap::Args;
use counterweight_proto::{
    counterweight::v1::{GetWeightsResponse, Replica},
    to_json,
};

use super::{
    session::ProfileFilter,
    text::{local_kill_text, profile_notes, profiles_table},
};
use crate::{
    clock::local_time,
    output::{Output, escape, table},
};

/// Show the weights that are in force now.
#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    filter: ProfileFilter,
}

impl Get {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let answer = self.filter.read().await?;
        output.print(&to_json(&answer)?, |_| answer_text(&answer))
    }
}

fn answer_text(answer: &GetWeightsResponse) -> String {
    let mut text = profiles_table(&answer.profiles);
    for note in answer.profiles.iter().flat_map(profile_notes) {
        text.push_str(&format!("\n{note}"));
    }
    text.push_str(&format!(
        "\n{} has applied revision {}",
        escape(&answer.replica),
        answer.applied_revision
    ));
    if answer.stale {
        let since = answer.stale_since.as_ref().map(local_time);
        text.push_str(&format!(
            "; it has not reached its weights store since {} and uses the last weights that it knows: {}",
            since.unwrap_or_default(),
            escape(&answer.stale_reason)
        ));
    }
    if let Some(kill) = &answer.local_kill {
        text.push_str(&format!("\n{}", local_kill_text(kill)));
    }
    if answer.replicas.len() > 1 || answer.replicas.iter().any(|r| !r.problem.is_empty()) {
        text.push_str(&format!("\n\n{}", replicas_table(&answer.replicas)));
    }
    text
}

fn replicas_table(replicas: &[Replica]) -> String {
    let rows = replicas.iter().map(|replica| {
        vec![
            replica.name.clone(),
            replica.applied_revision.to_string(),
            replica.problem.clone(),
        ]
    });
    table(&["replica", "applied", "problem"], 3, rows)
}
