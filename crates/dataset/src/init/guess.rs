//! What the columns of a log probably are.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{features::is_feature, sample::Sample};

/// Categories with more distinct values than this share of the rows are ids rather than categories.
const DISTINCT_SHARE: f64 = 0.5;
/// Texts with so many words on average are text rather than categories.
const TEXT_WORDS: f64 = 2.5;

/// A role of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Request,
    User,
    Candidate,
    Time,
    Position,
    Propensity,
}

impl Role {
    /// The names that columns of the role usually have, the most certain first.
    const NAMES: [(Self, &'static [&'static str]); 6] = [
        (
            Self::Request,
            &[
                "ranking_id",
                "request_id",
                "query_id",
                "search_id",
                "session_id",
                "impression_id",
            ],
        ),
        (
            Self::User,
            &[
                "user_id",
                "unit_id",
                "uid",
                "user",
                "member_id",
                "visitor_id",
            ],
        ),
        (
            Self::Candidate,
            &[
                "candidate_id",
                "item_id",
                "post_id",
                "document_id",
                "doc_id",
                "ad_id",
                "video_id",
                "content_id",
            ],
        ),
        (
            Self::Time,
            &[
                "time",
                "timestamp",
                "ts",
                "datetime",
                "event_time",
                "created_at",
                "date",
            ],
        ),
        (
            Self::Position,
            &["shown_position", "position", "rank", "slot"],
        ),
        (
            Self::Propensity,
            &["propensity", "propensity_score", "pscore"],
        ),
    ];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::User => "user",
            Self::Candidate => "candidate",
            Self::Time => "time",
            Self::Position => "position",
            Self::Propensity => "propensity",
        }
    }
}

/// Everything that is written into the description.
pub(super) struct Guess {
    pub(super) roles: Vec<(Role, String)>,
    pub(super) inputs: Vec<Input>,
    pub(super) objectives: Vec<Objective>,
    /// Columns that are not written, and why.
    pub(super) left_out: Vec<(String, String)>,
}

pub(super) struct Input {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) dim: Option<usize>,
    pub(super) side: &'static str,
    /// Why the kind is guessed; `None` where the log states it.
    pub(super) note: Option<String>,
    /// Why the side is guessed.
    pub(super) side_note: Option<String>,
}

pub(super) struct Objective {
    pub(super) name: String,
    pub(super) column: String,
    pub(super) note: Option<String>,
}

impl Guess {
    /// Guesses from a sample. `stated` has the kind and side of features, as a request log states them.
    pub(super) fn of(sample: &Sample, stated: &BTreeMap<String, String>) -> Self {
        let mut guess = Self {
            roles: roles(sample),
            inputs: Vec::new(),
            objectives: Vec::new(),
            left_out: Vec::new(),
        };
        let requests = guess
            .roles
            .iter()
            .find(|(role, _)| *role == Role::Request)
            .and_then(|(_, column)| sample.columns.iter().find(|(name, _)| name == column));
        let requests = requests.map(|(_, values)| values.clone());
        for (name, values) in &sample.columns {
            let has_role = guess.roles.iter().any(|(_, column)| column == name);
            if let Some(input) = stated.get(name).and_then(|text| stated_input(name, text)) {
                guess.inputs.push(input);
                continue;
            }
            if let Some(objective) = objective(name, values) {
                guess.objectives.push(objective);
            } else if !has_role && is_feature(name) {
                match input(name, values, requests.as_deref()) {
                    Ok(input) => guess.inputs.push(input),
                    Err(why) => guess.left_out.push((name.clone(), why)),
                }
            }
        }
        guess
    }
}

fn roles(sample: &Sample) -> Vec<(Role, String)> {
    let has = |name: &str| {
        sample
            .columns
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    let find = |names: &[&str]| {
        let name = names.iter().find(|name| has(name))?;
        let mut columns = sample.columns.iter().map(|(own, _)| own);
        columns.find(|own| own.eq_ignore_ascii_case(name)).cloned()
    };
    Role::NAMES
        .iter()
        .filter_map(|(role, names)| Some((*role, find(names)?)))
        .collect()
}

/// A feature as the metadata of a log states it, such as `vector of 8 candidate`.
fn stated_input(name: &str, text: &str) -> Option<Input> {
    let (kind, side) = text.rsplit_once(' ')?;
    let (kind, dim) = match kind.strip_prefix("vector of ") {
        Some(dim) => ("vector", Some(dim.parse().ok()?)),
        None => (kind, None),
    };
    let kinds = [
        "numeric",
        "boolean",
        "categorical",
        "text",
        "list",
        "vector",
    ];
    let sides = ["candidate", "context"];
    Some(Input {
        name: name.to_owned(),
        kind: kinds.into_iter().find(|own| *own == kind)?,
        dim,
        side: sides.into_iter().find(|own| *own == side)?,
        note: None,
        side_note: None,
    })
}

/// Whether a column is the label of an objective: named as one, with values 0 and 1 only.
fn objective(name: &str, values: &[Value]) -> Option<Objective> {
    const LABELS: [&str; 12] = [
        "label",
        "click",
        "clicked",
        "is_click",
        "engaged",
        "engagement",
        "liked",
        "converted",
        "conversion",
        "purchase",
        "outcome",
        "reward",
    ];
    let known = values.iter().filter(|value| !value.is_null());
    let binary = |value: &Value| match value {
        Value::Bool(_) => true,
        Value::Number(number) => number.as_f64().is_some_and(|n| n == 0.0 || n == 1.0),
        Value::String(text) => {
            ["0", "1", "true", "false", "True", "False"].contains(&text.as_str())
        }
        _ => false,
    };
    let stated = name
        .strip_prefix("label_")
        .filter(|rest| !rest.starts_with("time_") && !rest.starts_with("weight_"));
    if !known.clone().all(binary) || (known.count() == 0 && stated.is_none()) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    match stated {
        Some(objective) => Some(Objective {
            name: objective.to_owned(),
            column: name.to_owned(),
            note: None,
        }),
        None => LABELS.contains(&lower.as_str()).then(|| Objective {
            name: lower.trim_start_matches("is_").to_owned(),
            column: name.to_owned(),
            note: Some("its values are 0 and 1, and its name is that of an outcome".to_owned()),
        }),
    }
}

/// A column as an input, or why it is left out.
fn input(name: &str, values: &[Value], requests: Option<&[Value]>) -> Result<Input, String> {
    let known: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
    if known.is_empty() {
        return Err(format!("none of its {} values is known", values.len()));
    }
    let (kind, dim, note) = kind(name, &known)?;
    let (side, side_note) = side(values, requests);
    Ok(Input {
        name: name.to_owned(),
        kind,
        dim,
        side,
        note: Some(note),
        side_note: Some(side_note.to_owned()),
    })
}

type Kind = (&'static str, Option<usize>, String);

fn kind(name: &str, known: &[&Value]) -> Result<Kind, String> {
    let all = |test: fn(&Value) -> bool| known.iter().all(|value| test(value));
    if all(Value::is_array) {
        return list_kind(known);
    }
    if known
        .iter()
        .any(|value| value.is_object() || value.is_array())
    {
        return Err("its values are nested; write each part as a column of its own".to_owned());
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let texts: Vec<String> = known.iter().map(|value| text(value)).collect();
    let distinct = texts.iter().collect::<HashSet<_>>().len();
    let counted = format!("{distinct} distinct values");
    let boolean = |text: &String| ["true", "false", "True", "False"].contains(&text.as_str());
    if texts.iter().all(boolean) {
        return Ok(("boolean", None, "true and false".to_owned()));
    }
    let is_id = name.ends_with("_id") || name == "id";
    let numbers = texts.iter().all(|text| text.parse::<f64>().is_ok());
    if numbers && !is_id {
        return Ok(("numeric", None, format!("numbers, {counted}")));
    }
    let words: usize = texts
        .iter()
        .map(|text| text.split_whitespace().count())
        .sum();
    let words = words as f64 / texts.len() as f64;
    if words >= TEXT_WORDS && !is_id {
        return Ok(("text", None, format!("{words:.1} words on average")));
    }
    if distinct as f64 > DISTINCT_SHARE * texts.len() as f64 && distinct > 50 {
        return Err(format!(
            "it has {distinct} distinct values in {} rows, as an id has",
            texts.len()
        ));
    }
    Ok(("categorical", None, counted))
}

fn list_kind(known: &[&Value]) -> Result<Kind, String> {
    let lists = || known.iter().filter_map(|value| value.as_array());
    let numbers = lists().flatten().all(Value::is_number);
    let lengths: HashSet<usize> = lists().map(Vec::len).collect();
    match (numbers, lengths.len()) {
        (true, 1) => {
            let dim = lengths.into_iter().next().filter(|&dim| dim > 0);
            let note = "lists of numbers of one length".to_owned();
            dim.map(|dim| ("vector", Some(dim), note))
                .ok_or_else(|| "its lists are empty".to_owned())
        }
        (true, _) => Err("its lists of numbers have several lengths".to_owned()),
        (false, _) => Ok(("list", None, "lists of texts".to_owned())),
    }
}

/// A column is of the context if it has one value in all rows of a request.
fn side(values: &[Value], requests: Option<&[Value]>) -> (&'static str, &'static str) {
    let Some(requests) = requests else {
        return ("candidate", "no column names the request");
    };
    let mut first: HashMap<String, &Value> = HashMap::new();
    let mut repeated = false;
    for (request, value) in requests.iter().zip(values) {
        match first.get(&request.to_string()) {
            Some(own) if *own != value => {
                return ("candidate", "it differs between candidates of a request");
            }
            Some(_) => repeated = true,
            None => {
                first.insert(request.to_string(), value);
            }
        }
    }
    match repeated {
        true => ("context", "it is the same in all rows of a request"),
        false => ("candidate", "no request has two rows"),
    }
}
