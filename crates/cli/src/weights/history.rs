//! `weights history` and `weights show`: the log, newest first, and one entry of it.

use clap::Args;
use counterweight_proto::counterweight::v1::{
    GetRevisionRequest, ListRevisionsRequest, WeightsEntry,
};
use serde_json::json;

use super::{
    connect,
    show::{action_text, entry_json, notes, profiles_line, profiles_table, time},
};
use crate::{
    client::{Combiner, explain},
    output::{Output, table},
};

/// List the revisions, newest first.
#[derive(Args)]
pub(crate) struct History {
    /// Only revisions of this profile.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE")]
    profile: Option<String>,
    /// The most revisions to list.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    count: usize,
    /// Only revisions below this one.
    #[arg(long, value_name = "REVISION")]
    before: Option<u64>,
    #[command(flatten)]
    combiner: Combiner,
}

/// Show one revision.
#[derive(Args)]
pub(crate) struct One {
    /// The revision, from 1.
    revision: u64,
    #[command(flatten)]
    combiner: Combiner,
}

impl History {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let mut entries: Vec<WeightsEntry> = Vec::new();
        let mut page_token = self
            .before
            .map(|before| before.to_string())
            .unwrap_or_default();
        while entries.len() < self.count {
            let request = ListRevisionsRequest {
                profile: self.profile.clone().unwrap_or_default(),
                page_size: u32::try_from(self.count - entries.len()).unwrap_or(u32::MAX),
                page_token,
            };
            let page = client
                .list_revisions(request)
                .await
                .map_err(|status| explain(&status))?
                .into_inner();
            entries.extend(page.entries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let value = json!(entries.iter().map(entry_json).collect::<Vec<_>>());
        output.print(&value, |_| {
            if entries.is_empty() {
                return "the log has no revision yet; the configured weights are in force"
                    .to_owned();
            }
            let rows = entries.iter().map(|entry| {
                [
                    entry.revision.to_string(),
                    time(entry),
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
}

impl One {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let request = GetRevisionRequest {
            revision: self.revision,
        };
        let answer = client
            .get_revision(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let entry = answer.entry.unwrap_or_default();
        output.print(&entry_json(&entry), |_| {
            let mut text = format!(
                "revision {}: {}\n{} by {}: {}\n{}",
                entry.revision,
                action_text(&entry),
                time(&entry),
                entry.author,
                entry.reason,
                profiles_table(&entry.profiles)
            );
            for note in entry.profiles.iter().flat_map(notes) {
                text.push_str(&format!("\n{note}"));
            }
            text.push_str(&format!(
                "\nhash {}\nafter {}\nkey {}",
                entry.hash, entry.previous_hash, entry.idempotency_key
            ));
            text
        })
    }
}
