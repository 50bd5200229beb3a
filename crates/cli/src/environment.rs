//! Tests which flags have an environment variable. Settings of a deployment have one, each with one
//! meaning. Flags that describe a single action have none, because a forgotten variable would
//! change every later command.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, ArgGroup, Command, CommandFactory as _};

use super::Cli;

/// Every variable, the flag that it sets, and the commands that have this flag.
const VARIABLES: &[(&str, &str, &[&str])] = &[
    (
        "ADDRESS",
        "address",
        &["bench", "data", "feedback", "log", "rank", "weights"],
    ),
    ("AUTHOR", "author", &["weights"]),
    ("CONFIG", "config", &["serve-combiner"]),
    ("DATASET", "dataset", &["up"]),
    ("DATA_DIR", "data", &["up"]),
    ("DRAIN_GRACE_MS", "drain-grace-ms", &["serve-model"]),
    ("DRAIN_TIMEOUT_MS", "drain-timeout-ms", &["serve-model"]),
    ("EVENTS", "events", &["serve-journal"]),
    ("EVENT_TYPES", "type", &["serve-journal"]),
    ("JSON", "json", &[""]),
    (
        "LISTEN",
        "listen",
        &["serve-combiner", "serve-journal", "serve-model", "up"],
    ),
    (
        "LOG_JSON",
        "log-json",
        &["serve-combiner", "serve-journal", "serve-model", "up"],
    ),
    ("MAX_CONNECTIONS", "max-connections", &["serve-model"]),
    ("MAX_IN_FLIGHT", "max-in-flight", &["serve-model"]),
    ("MAX_MESSAGE_MIB", "max-message-mib", &["serve-model"]),
    ("MAX_STREAMS", "max-streams", &["serve-model"]),
    ("MEMORY_BUDGET_MIB", "memory-budget-mib", &["serve-model"]),
    (
        "METRICS_LISTEN",
        "metrics-listen",
        &["serve-combiner", "serve-journal", "serve-model", "up"],
    ),
    ("MODEL", "model", &["serve-model"]),
    ("MODELS", "models", &["up"]),
    ("POLL_MS", "poll-ms", &["serve-model"]),
    ("READ_TIMEOUT_MS", "read-timeout-ms", &["serve-model"]),
    ("REPLICA", "replica", &["serve-combiner", "serve-journal"]),
    ("REPOSITORY", "repository", &["serve-model"]),
    ("SEND_TIMEOUT_MS", "send-timeout-ms", &["serve-model"]),
    ("STATE", "state", &["up"]),
    ("STORE", "store", &["serve-journal"]),
    (
        "TIMEOUT",
        "timeout",
        &["data", "feedback", "log", "rank", "weights"],
    ),
    ("UNIT", "unit", &["serve-journal"]),
    ("UNIT_KEY", "unit-key", &["serve-journal"]),
];

/// The servers, whose flags are settings of a deployment.
const SERVERS: [&str; 4] = ["up", "serve-model", "serve-combiner", "serve-journal"];

/// Flags of `up` that describe one action, the training before it serves.
const TRAINING: [&str; 5] = ["retrain", "calibration", "folds", "alpha", "seed"];

/// Calls `visit_one` with every argument, its command, and the top-level command of that command.
fn visit(command: &Command, top: &str, visit_one: &mut impl FnMut(&Arg, &Command, &str)) {
    for argument in command.get_arguments() {
        visit_one(argument, command, top);
    }
    for own in command.get_subcommands() {
        let top = if top.is_empty() { own.get_name() } else { top };
        visit(own, top, visit_one);
    }
}

fn every_argument(mut visit_one: impl FnMut(&Arg, &Command, &str)) {
    visit(&Cli::command(), "", &mut visit_one);
}

fn variable(argument: &Arg) -> Option<String> {
    argument
        .get_env()
        .map(|name| name.to_str().unwrap().to_owned())
}

#[cfg(feature = "offline")]
#[test]
fn every_variable_stands_for_one_flag() {
    let mut found = BTreeMap::<String, BTreeSet<(String, String)>>::new();
    every_argument(|argument, _, top| {
        if let Some(variable) = variable(argument) {
            let flag = argument.get_long().unwrap_or_default().to_owned();
            let uses = found.entry(variable).or_default();
            uses.insert((flag, top.to_owned()));
        }
    });
    let listed = VARIABLES.iter().map(|(variable, flag, commands)| {
        let uses = commands
            .iter()
            .map(|top| ((*flag).to_owned(), (*top).to_owned()));
        (format!("COUNTERWEIGHT_{variable}"), uses.collect())
    });
    assert_eq!(found, listed.collect::<BTreeMap<_, _>>());
    // COUNTERWEIGHT_LOG sets the level of the servers' logs; no flag has it.
    assert!(!found.contains_key("COUNTERWEIGHT_LOG"));
}

/// A variable that is set must not make a command line fail: flags with a variable conflict with no
/// other flag.
#[test]
fn a_variable_blocks_no_flag() {
    every_argument(|argument, command, top| {
        let name = argument.get_id();
        for other in command.get_arg_conflicts_with(argument) {
            assert!(
                variable(argument).is_none() && variable(other).is_none(),
                "{top}: {name} conflicts with {}",
                other.get_id()
            );
        }
        let exclusive = |group: &&ArgGroup| !(*group).clone().is_multiple();
        for group in command.get_groups().filter(exclusive) {
            let grouped = group.get_args().any(|id| id == name);
            assert!(
                !grouped || variable(argument).is_none(),
                "{top}: {name} excludes others"
            );
        }
    });
}

#[test]
fn every_setting_of_a_server_has_a_variable() {
    every_argument(|argument, command, top| {
        let name = argument.get_id().as_str();
        let of_server = SERVERS.contains(&top) && !["help", "version"].contains(&name);
        if of_server && !TRAINING.contains(&name) {
            assert!(
                variable(argument).is_some(),
                "{} --{name} has no variable",
                command.get_name()
            );
        }
    });
}

#[test]
fn the_help_states_the_rule() {
    let help = Cli::command().render_long_help().to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        "Settings of a deployment can also be set by environment variables",
        "Flags that describe a single action have no variable",
        "A flag on the command line overrides its variable",
    ] {
        assert!(help.contains(wanted), "{wanted}: {help}");
    }
}

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}
