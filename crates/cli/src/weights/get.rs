//! `weights get`: what is in force, on which replica, and what it is bound to.

use clap::Args;
use counterweight_proto::counterweight::v1::Replica;
use serde_json::{Value, json};

use super::{
    Shown,
    show::{notes, profile_json, profiles_table},
};
use crate::output::{Output, table};

/// Show the weights as they are applied now.
#[derive(Args)]
pub(crate) struct Get {
    #[command(flatten)]
    shown: Shown,
}

impl Get {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let answer = self.shown.read().await?;
        let value = json!({
            "replica": answer.replica,
            "applied_revision": answer.applied_revision,
            "stale": answer.stale,
            "stale_since": answer.stale_since.as_ref().map(ToString::to_string),
            "replicas": answer.replicas.iter().map(replica_json).collect::<Vec<_>>(),
            "profiles": answer.profiles.iter().map(profile_json).collect::<Vec<_>>(),
        });
        output.print(&value, |_| {
            let mut text = profiles_table(&answer.profiles);
            for profile in &answer.profiles {
                for note in notes(profile) {
                    text.push_str(&format!("\n{note}"));
                }
            }
            text.push_str(&format!(
                "\n{} has applied revision {}",
                answer.replica, answer.applied_revision
            ));
            if answer.stale {
                let since = answer.stale_since.map_or_else(String::new, |t| t.to_string());
                text.push_str(&format!(
                    "; its store is out of reach since {since} and these are the last known good weights"
                ));
            }
            if answer.replicas.len() > 1 || answer.replicas.iter().any(|r| !r.problem.is_empty()) {
                text.push_str(&format!("\n\n{}", replicas_table(&answer.replicas)));
            }
            text
        })
    }
}

fn replicas_table(replicas: &[Replica]) -> String {
    let rows = replicas.iter().map(|replica| {
        vec![
            replica.name.clone(),
            replica.applied_revision.to_string(),
            replica.problem.clone(),
        ]
    });
    table(&["replica", "applied", ""], 3, rows)
}

fn replica_json(replica: &Replica) -> Value {
    let heard = replica.heard_ago.unwrap_or_default();
    json!({
        "name": replica.name,
        "applied_revision": replica.applied_revision,
        "applied_hash": replica.applied_hash,
        "heard_seconds_ago": heard.seconds as f64 + f64::from(heard.nanos) / 1e9,
        "behind": replica.behind,
        "problem": replica.problem,
    })
}
