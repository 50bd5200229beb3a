//! `weights history` and `weights show`: the weights log, newest first, and one revision of it.

use clap::Args;
use counterweight_proto::{
    counterweight::v1::{
        GetRevisionRequest, GetRevisionResponse, ListRevisionsRequest, WeightsEntry,
    },
    to_json,
};
use serde_json::{Value, json};

use super::{
    session::connect,
    text::{action_text, entry_time, profile_notes, profiles_line, profiles_table, weight_changes},
};
use crate::{
    client::{Combiner, explain_status},
    output::{Output, escape, table},
};

/// List the revisions, newest first.
#[derive(Args)]
pub(crate) struct History {
    /// List only revisions of this profile.
    #[arg(long)]
    profile: Option<String>,
    /// The maximum number of revisions to list.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    count: usize,
    /// List only revisions before this one.
    #[arg(long, value_name = "REVISION")]
    before: Option<u64>,
    #[command(flatten)]
    combiner: Combiner,
}

/// Show one revision.
#[derive(Args)]
pub(crate) struct Show {
    /// The number of the revision, from 1.
    revision: u64,
    #[command(flatten)]
    combiner: Combiner,
}

impl History {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let entries = self.entries().await?;
        let value: Result<Vec<Value>, _> = entries.iter().map(to_json).collect();
        output.print(&json!(value?), |_| {
            if entries.is_empty() {
                return "the log has no revision yet; the configured weights apply".to_owned();
            }
            let rows = entries.iter().map(|entry| {
                [
                    entry.revision.to_string(),
                    entry_time(entry),
                    action_text(entry),
                    profiles_line(entry),
                    entry.author.clone(),
                    entry.reason.clone(),
                ]
            });
            table(
                &["revision", "time", "what", "weights", "author", "reason"],
                6,
                rows,
            )
        })
    }

    /// Reads up to `count` entries, page by page.
    async fn entries(&self) -> anyhow::Result<Vec<WeightsEntry>> {
        let mut client = connect(&self.combiner).await?;
        let mut entries: Vec<WeightsEntry> = Vec::new();
        let mut page_token = self.before.map_or_else(String::new, |r| r.to_string());
        while entries.len() < self.count {
            let request = ListRevisionsRequest {
                profile: self.profile.clone().unwrap_or_default(),
                page_size: u32::try_from(self.count - entries.len()).unwrap_or(u32::MAX),
                page_token,
            };
            let page = client.list_revisions(request).await;
            let page = page.map_err(|status| explain_status(&status))?.into_inner();
            entries.extend(page.entries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(entries)
    }
}

impl Show {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let request = GetRevisionRequest {
            revision: self.revision,
            ..GetRevisionRequest::default()
        };
        let found = client.get_revision(request).await;
        let found = found
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let entry = found.entry.clone().unwrap_or_default();
        let mut value = to_json(&entry)?;
        value["before"] = found
            .before
            .iter()
            .map(to_json)
            .collect::<Result<Value, _>>()?;
        output.print(&value, |_| revision_text(&entry, &found))
    }
}

fn revision_text(entry: &WeightsEntry, found: &GetRevisionResponse) -> String {
    let mut text = format!(
        "revision {}: {}\n{} by {}: {}\n{}",
        entry.revision,
        action_text(entry),
        entry_time(entry),
        escape(&entry.author),
        escape(&entry.reason),
        profiles_table(&entry.profiles)
    );
    for (before, after) in found.before.iter().zip(&entry.profiles) {
        text.push_str(&format!(
            "\n{}: {}",
            escape(&after.profile),
            weight_changes(&before.weights, &after.weights)
        ));
    }
    for note in entry.profiles.iter().flat_map(profile_notes) {
        text.push_str(&format!("\n{note}"));
    }
    text.push_str(&format!(
        "\nhash {}\nafter {}\nkey {}",
        escape(&entry.hash),
        escape(&entry.previous_hash),
        escape(&entry.idempotency_key)
    ));
    text
}
