//! Writes a first description of a log: what the log itself says, and guesses that are marked as such.

mod features;
mod guess;
mod sample;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use features::is_feature;

use crate::{
    Dataset, DatasetError, Excerpt, files,
    init::guess::{Guess, Input, Role},
    labelled::{MANIFEST, features},
};

/// Rows from which is guessed.
const SAMPLE_ROWS: usize = 20_000;

/// The text of a description (TOML) of a labelled log or of a file of any supported format. `name` is the
/// file as the description names it: its path, or its path relative to `folder`. Every line that is a
/// guess says so; what the models of a log stated about its features is not guessed.
///
/// # Errors
/// See [`DatasetError`]. [`DatasetError::Description`] if the log has no columns.
pub fn init(name: &str, folder: &Path) -> Result<String, DatasetError> {
    let found = files::resolve(&[name.to_owned()], folder, "the log")?;
    let sample = sample::read(&found, SAMPLE_ROWS)?;
    let stated = match Path::new(name).file_name() == Some(MANIFEST.as_ref()) {
        true => features(&folder.join(name)).map_err(|problem| DatasetError::Read {
            file: PathBuf::from(name),
            problem: Excerpt::problem(problem),
        })?,
        false => BTreeMap::new(),
    };
    let guess = Guess::of(&sample, &stated);
    let text = write(name, &guess, sample.rows);
    // What is written can be read.
    Dataset::parse(&text, "the new description", folder)?;
    Ok(text)
}

fn write(name: &str, guess: &Guess, rows: usize) -> String {
    let quoted = |text: &str| toml_string(text);
    let stem = Path::new(name)
        .parent()
        .filter(|_| name.ends_with(MANIFEST))
        .unwrap_or(Path::new(name));
    let stem = stem.file_stem().map(|stem| stem.to_string_lossy());
    let mut text = format!(
        "# Lines with \"guess\" were guessed from {rows} rows: check them. `counterweight data describe` shows\n\
         # what the description makes of the log.\n\
         name = {}\nfiles = [{}]\n\n[columns]\n",
        quoted(
            stem.as_deref()
                .filter(|stem| !stem.is_empty())
                .unwrap_or("log")
        ),
        quoted(name),
    );
    for (role, column) in &guess.roles {
        text.push_str(&format!("{} = {}\n", role.key(), quoted(column)));
    }
    let user = guess.roles.iter().find(|(role, _)| *role == Role::User);
    if let Some((_, user)) = user {
        text.push_str(&format!("group = {}\n", quoted(user)));
    }
    for input in &guess.inputs {
        write_input(input, &mut text);
    }
    for (column, why) in &guess.left_out {
        text.push_str(&format!("\n# {column} is left out: {why}\n"));
    }
    if let Some((_, column)) = guess.roles.iter().find(|(role, _)| *role == Role::Position) {
        text.push_str(&format!(
            "\n# What stands first is clicked more. The position trains as a feature and is served as 1.\n\
             [[input]]\nname = \"position\"\n{}kind = \"numeric\"\nside = \"candidate\"\nserved = 1.0\nfeature = false\n\
             \n[[feature]]\nname = \"position_log\"\nlog1p = \"position\"\n",
            match column.as_str() {
                "position" => String::new(),
                other => format!("column = {}\n", quoted(other)),
            }
        ));
    }
    for objective in &guess.objectives {
        let note = objective.note.as_deref();
        let note = note.map(|note| format!("    # guess: {note}"));
        text.push_str(&format!(
            "\n[[objective]]\nname = {}\nlabel = {{ column = {} }}{}\n",
            quoted(&objective.name),
            quoted(&objective.column),
            note.unwrap_or_default()
        ));
    }
    if guess.objectives.is_empty() {
        text.push_str(
            "\n# No column looks like a label. Name one to train on:\n\
             # [[objective]]\n# name = \"engagement\"\n# label = { column = \"clicked\" }\n",
        );
    }
    let by = if user.is_some() { "group" } else { "hash" };
    text.push_str(&format!(
        "\n[split]\nby = \"{by}\"\ntrain = 0.7\ncalibrate = 0.1\ntune = 0.1\ntest = 0.1\nseed = 1\n"
    ));
    text
}

/// A string of TOML. JSON's escapes are TOML's, too.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_input(input: &Input, text: &mut String) {
    let note = match &input.note {
        Some(note) => format!("    # guess: {note}"),
        None => String::new(),
    };
    text.push_str(&format!(
        "\n[[input]]\nname = {}\nkind = \"{}\"{note}\n",
        toml_string(&input.name),
        input.kind
    ));
    if let Some(dim) = input.dim {
        text.push_str(&format!("dim = {dim}\n"));
    }
    let side_note = input.side_note.as_deref();
    let side_note = side_note.map(|note| format!("    # guess: {note}"));
    text.push_str(&format!(
        "side = \"{}\"{}\noptional = true\n",
        input.side,
        side_note.unwrap_or_default()
    ));
}
