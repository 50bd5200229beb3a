//! A ranking as the request log has it: the record that is written when the answer is made, and its
//! rows, one for each candidate, in the schema of `data/SCHEMA.md`.

use std::borrow::Cow;

use bytes::Bytes;
use counterweight_tensor::{Data, Datatype, TensorView};
use prost::Message as _;

use crate::{
    queue::Record,
    table::{Cells, Column, Columns, Values},
};

/// The version of the rows, in the metadata of parts.
pub const RANKING_SCHEMA: &str = "1";

/// One ranking. Candidates are in the order of the request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RankingRecord {
    /// The id that the server made.
    #[prost(string, tag = "1")]
    pub ranking_id: String,
    /// The caller's id, or the ranking's where the caller sent none.
    #[prost(string, tag = "2")]
    pub request_id: String,
    /// The unit as it is logged; empty for none.
    #[prost(string, tag = "3")]
    pub unit: String,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "4")]
    pub time_ms: i64,
    /// The most candidates to show.
    #[prost(int32, tag = "5")]
    pub k: i32,
    /// The profile that applied.
    #[prost(string, tag = "6")]
    pub profile: String,
    /// The revision of its weights.
    #[prost(uint64, tag = "7")]
    pub revision: u64,
    /// The segment that applied; empty for none.
    #[prost(string, tag = "8")]
    pub segment: String,
    /// The experiment and arm that applied; empty for none.
    #[prost(string, tag = "9")]
    pub arm: String,
    /// The λ that was drawn.
    #[prost(message, optional, tag = "10")]
    pub draw: Option<LoggedDraw>,
    /// The ids of the candidates, one after another.
    #[prost(string, tag = "11")]
    pub ids: String,
    /// The length of each id in bytes.
    #[prost(uint32, repeated, tag = "12")]
    pub id_lengths: Vec<u32>,
    /// The candidates that were returned, best first.
    #[prost(uint32, repeated, tag = "13")]
    pub page: Vec<u32>,
    /// All objectives, in their order. One without probabilities was not combined.
    #[prost(message, repeated, tag = "14")]
    pub objectives: Vec<LoggedObjective>,
    /// The features that are logged.
    #[prost(message, repeated, tag = "15")]
    pub features: Vec<LoggedFeature>,
}

/// The λ of a ranking and what it was drawn from.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LoggedDraw {
    /// λ.
    #[prost(double, tag = "1")]
    pub lambda: f64,
    /// Lower end of the range.
    #[prost(double, tag = "2")]
    pub low: f64,
    /// Upper end of the range.
    #[prost(double, tag = "3")]
    pub high: f64,
    /// `uniform` or `log_uniform`.
    #[prost(string, tag = "4")]
    pub density: String,
    /// The seed of the draw.
    #[prost(int64, tag = "5")]
    pub seed: i64,
}

/// One objective of a ranking.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LoggedObjective {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The weight that applied.
    #[prost(double, tag = "2")]
    pub weight: f64,
    /// The version of the model; empty for a column of the request.
    #[prost(string, tag = "3")]
    pub model_version: String,
    /// The calibrators that were applied; empty for none.
    #[prost(string, tag = "4")]
    pub calibrator: String,
    /// The doubles that entered the sum, one per candidate.
    #[prost(double, repeated, tag = "5")]
    pub probabilities: Vec<f64>,
    /// The model's answer before the combiner's calibrator; empty where it applied none.
    #[prost(double, repeated, tag = "6")]
    pub raw: Vec<f64>,
}

/// One feature of a ranking, for some of its candidates.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LoggedFeature {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its kind in the schema of the models; empty where they do not say.
    #[prost(string, tag = "2")]
    pub kind: String,
    /// `candidate` or `context`; empty where the models do not say.
    #[prost(string, tag = "3")]
    pub side: String,
    /// The datatype of the Open Inference Protocol.
    #[prost(string, tag = "4")]
    pub datatype: String,
    /// Elements of a row.
    #[prost(uint32, tag = "5")]
    pub width: u32,
    /// The candidates that have it.
    #[prost(enumeration = "Candidates", tag = "6")]
    pub candidates: i32,
    /// True for one row that all of these candidates share.
    #[prost(bool, tag = "7")]
    pub shared: bool,
    /// The elements, as in `raw_input_contents`.
    #[prost(bytes = "bytes", tag = "8")]
    pub contents: Bytes,
}

/// Candidates of a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Candidates {
    /// Those of the page, best first.
    Page = 0,
    /// All, in the order of the request.
    All = 1,
}

impl RankingRecord {
    /// The record as the log takes it.
    #[must_use]
    pub fn to_record(&self) -> Record {
        Record {
            time_ms: self.time_ms,
            payload: self.encode_to_vec(),
        }
    }

    /// The rows of an encoded record.
    ///
    /// # Errors
    /// Why it has none: it is damaged, or contradicts itself.
    pub fn rows(payload: &[u8]) -> Result<Columns, String> {
        let record = Self::decode(payload).map_err(|error| error.to_string())?;
        record.columns()
    }

    fn columns(self) -> Result<Columns, String> {
        let ids = split(self.ids, &self.id_lengths)?;
        let n = ids.len();
        let text = |text: String| {
            let text = Bytes::from(text);
            Cells::Same(Values::Text(vec![(!text.is_empty()).then_some(text)]), n)
        };
        let whole = |number: i64| Cells::Same(Values::Int64(vec![Some(number)]), n);
        let revision = i64::try_from(self.revision).unwrap_or(i64::MAX);
        let page = Page::new(&self.page, n)?;
        let mut columns = vec![
            Column::new("ranking_id", text(self.ranking_id)),
            Column::new("request_id", text(self.request_id)),
            Column::new("user_id", text(self.unit)),
            Column::new("candidate_id", Values::Text(ids)),
            Column::new("time", whole(self.time_ms)),
            Column::new("k", Cells::Same(Values::Int32(vec![Some(self.k)]), n)),
            Column::new("position", page.positions(n)),
            Column::new("profile", text(self.profile)),
            Column::new("revision", whole(revision)),
            Column::new("segment", text(self.segment)),
            Column::new("arm", text(self.arm)),
        ];
        let all = |value: f64| Cells::Same(Values::Float64(vec![Some(value)]), n);
        for objective in self.objectives {
            let LoggedObjective { name, .. } = &objective;
            let column =
                |prefix: &str, cells: Cells| Column::new(format!("{prefix}_{name}"), cells);
            let doubles = |values: &[f64]| {
                Cells::Each(Values::Float64(values.iter().copied().map(Some).collect()))
            };
            if objective.probabilities.is_empty() {
                let null = Cells::Same(Values::Float64(vec![None]), n);
                columns.push(column("p", null.clone()));
                columns.push(column("w", null));
            } else {
                columns.push(column("p", doubles(&objective.probabilities)));
                columns.push(column("w", all(objective.weight)));
            }
            if !objective.raw.is_empty() {
                columns.push(column("raw", doubles(&objective.raw)));
            }
            columns.push(column("model", text(objective.model_version.clone())));
            columns.push(column("calibrator", text(objective.calibrator.clone())));
        }
        if let Some(draw) = self.draw {
            columns.push(Column::new("lambda", all(draw.lambda)));
            columns.push(Column::new("lambda_low", all(draw.low)));
            columns.push(Column::new("lambda_high", all(draw.high)));
            columns.push(Column::new("lambda_density", text(draw.density)));
            columns.push(Column::new("lambda_seed", whole(draw.seed)));
        }
        for feature in self.features {
            let column = feature.column(&page, n, &columns)?;
            columns.push(column);
        }
        Ok(Columns(columns))
    }
}

/// Splits the ids.
fn split(ids: String, lengths: &[u32]) -> Result<Vec<Option<Bytes>>, String> {
    let mut end = 0_usize;
    let ends = lengths.iter().map(|&length| {
        end = end.saturating_add(length as usize);
        end
    });
    let ends: Vec<usize> = ends.collect();
    // A length may end within a character.
    let whole = ends.iter().all(|&end| ids.is_char_boundary(end));
    if !whole || end != ids.len() {
        return Err("the lengths of its ids are not those of its ids".to_owned());
    }
    let ids = Bytes::from(ids);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let ranges = starts.zip(&ends);
    Ok(ranges
        .map(|(start, &end)| Some(ids.slice(start..end)))
        .collect())
}

/// The page by candidate: positions in the request, ascending, and the place of each, from 0.
struct Page(Vec<(usize, usize)>);

impl Page {
    fn new(page: &[u32], n: usize) -> Result<Self, String> {
        let mut places: Vec<_> = page.iter().map(|&at| at as usize).zip(0..).collect();
        places.sort_unstable();
        let twice = places.windows(2).any(|pair| pair[0].0 == pair[1].0);
        match twice || places.last().is_some_and(|&(at, _)| at >= n) {
            true => Err("its page is not one of its candidates".to_owned()),
            false => Ok(Self(places)),
        }
    }

    fn candidates(&self) -> Vec<usize> {
        self.0.iter().map(|&(at, _)| at).collect()
    }

    /// The position of each candidate, from 1; null for those that were not returned.
    fn positions(&self, n: usize) -> Cells {
        let position = |&(_, place): &(usize, usize)| i32::try_from(place + 1).ok();
        Cells::Some {
            rows: self.candidates(),
            values: Values::Int32(self.0.iter().map(position).collect()),
            of: n,
        }
    }
}

impl LoggedFeature {
    /// The values of `n` candidates. A name gets a prefix until no other column has it.
    fn column(self, page: &Page, n: usize, others: &[Column]) -> Result<Column, String> {
        let rows = match (self.shared, self.candidates()) {
            (true, _) => 1,
            (false, Candidates::Page) => page.0.len(),
            (false, Candidates::All) => n,
        };
        let values = self.values(rows, self.width.max(1) as usize)?;
        let cells = match (self.candidates(), self.shared) {
            (Candidates::All, true) => Cells::Same(values, n),
            (Candidates::All, false) => Cells::Each(values),
            (Candidates::Page, true) => Cells::Some {
                rows: page.candidates(),
                values,
                of: n,
            },
            (Candidates::Page, false) => Cells::Some {
                rows: page.candidates(),
                values: values.picked(page.0.iter().map(|&(_, place)| Some(place))),
                of: n,
            },
        };
        let mut name = self.name;
        while others.iter().any(|other| other.name == name) {
            name.insert_str(0, "feature_");
        }
        let description = [self.kind, self.side].join(" ").trim().to_owned();
        Ok(Column {
            name,
            description,
            values: cells,
        })
    }

    /// One value per row, of the type that belongs to the kind; where the kind is not known, to the
    /// datatype.
    fn values(&self, rows: usize, width: usize) -> Result<Values, String> {
        let shape = [rows, width].map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        let data = Data::Raw(&self.contents);
        let view = TensorView::new(&self.name, &self.datatype, &shape, data);
        let view = view.map_err(|error| error.to_string())?;
        let is_text = match self.kind.as_str() {
            "categorical" | "text" | "list" => true,
            _ => view.datatype == Datatype::Bytes,
        };
        let read = match (is_text, width) {
            (true, 1) if self.kind == "list" => lists(&view),
            (true, 1) => texts(&view),
            (true, _) => rows_of_texts(&view),
            (false, 1) if !self.kind.starts_with("vector") => numbers(&view, &self.kind),
            (false, _) => vectors(&view),
        };
        read.map_err(|error| error.to_string())
    }
}

type Read = Result<Values, counterweight_tensor::TensorError>;

/// The empty text is a missing one.
fn texts(view: &TensorView<'_>) -> Read {
    let texts = view.to_strings()?.into_iter().map(|text| {
        let text = text.into_owned();
        (!text.is_empty()).then(|| Bytes::from(text))
    });
    Ok(Values::Text(texts.collect()))
}

/// Lists are JSON arrays; the empty text is an empty list. What is neither is missing.
fn lists(view: &TensorView<'_>) -> Read {
    let texts = view.to_strings()?;
    let lists = texts.iter().map(|text| match text.is_empty() {
        true => Some(Vec::new()),
        false => serde_json::from_str(text).ok(),
    });
    Ok(Values::TextList(lists.collect()))
}

fn rows_of_texts(view: &TensorView<'_>) -> Read {
    let elements = view.to_strings()?;
    let owned = |row: &[Cow<'_, str>]| row.iter().map(|text| text.clone().into_owned()).collect();
    let rows = elements.chunks(view.width).map(|row| Some(owned(row)));
    Ok(Values::TextList(rows.collect()))
}

fn vectors(view: &TensorView<'_>) -> Read {
    let elements = view.to_f32()?;
    let rows = elements.chunks(view.width).map(|row| Some(row.to_vec()));
    Ok(Values::FloatList(rows.collect()))
}

/// NaN is a missing number.
fn numbers(view: &TensorView<'_>, kind: &str) -> Read {
    let numbers = view.to_f64()?;
    let present = |number: f64| (!number.is_nan()).then_some(number);
    if kind == "boolean" || (kind.is_empty() && view.datatype == Datatype::Bool) {
        let flags = numbers
            .into_iter()
            .map(|number| present(number).map(|number| number != 0.0));
        return Ok(Values::Bool(flags.collect()));
    }
    Ok(Values::Float64(numbers.into_iter().map(present).collect()))
}
