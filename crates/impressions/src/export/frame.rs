//! Converts requests to the rows of an impression log, one row per candidate.

use counterweight_ranking::Density;
use polars::prelude::*;

use crate::{
    columns,
    ranked::{RankedObjective, RankedRequest},
};

/// All columns of `data/SCHEMA.md` for these objectives, so that every row group has the same
/// columns.
pub(super) fn rows(requests: &[RankedRequest], objectives: &[String]) -> PolarsResult<DataFrame> {
    let rows = Rows(requests);
    let mut all = vec![
        rows.text(columns::REQUEST, |r| Some(&r.id)),
        rows.text(columns::USER, |r| r.user.as_deref()),
        rows.candidates(),
        rows.long(columns::TIME, |r| Some(r.time_ms)),
        // Always in range, because the writer has checked it.
        rows.integer(columns::PLACES, |r| i32::try_from(r.k).ok()),
        rows.positions(),
        rows.text(columns::PROFILE, |r| Some(&r.profile)),
        rows.long(columns::REVISION, |r| r.revision.try_into().ok()),
        rows.text(columns::SEGMENT, |r| r.segment.as_deref()),
        rows.text(columns::ARM, |r| r.arm.as_deref()),
    ];
    all.extend(draws(&rows));
    for name in objectives {
        all.extend(objective(&rows, name));
    }
    DataFrame::new(rows.len(), all)
}

fn draws(rows: &Rows<'_>) -> [Column; 5] {
    let range = |r: &RankedRequest| {
        r.draw.map(|draw| match draw.density {
            Density::Uniform { low, high } => (low, high, "uniform"),
            Density::LogUniform { low, high } => (low, high, "log_uniform"),
        })
    };
    [
        rows.float(columns::LAMBDA, |r| r.draw.map(|draw| draw.lambda)),
        rows.float(columns::LAMBDA_LOW, |r| range(r).map(|(low, _, _)| low)),
        rows.float(columns::LAMBDA_HIGH, |r| range(r).map(|(_, high, _)| high)),
        rows.text(columns::LAMBDA_DENSITY, |r| {
            range(r).map(|(_, _, name)| name)
        }),
        rows.long(columns::LAMBDA_SEED, |r| r.draw?.seed.try_into().ok()),
    ]
}

fn objective(rows: &Rows<'_>, name: &str) -> [Column; 5] {
    let index = |r: &'_ RankedRequest| -> Option<usize> {
        r.objectives.iter().position(|own| own.name == name)
    };
    let weight = |r: &RankedRequest| index(r).map(|index| r.objectives[index].weight);
    [
        rows.each(&columns::probability(name), name, |own| &own.probabilities),
        rows.each(&columns::raw(name), name, |own| &own.raw),
        rows.float(&columns::weight(name), weight),
        rows.text(&columns::model(name), |r| {
            r.objectives[index(r)?].model.as_deref()
        }),
        rows.text(&columns::calibrator(name), |r| {
            r.objectives[index(r)?].calibrator.as_deref()
        }),
    ]
}

/// Requests whose candidates are the rows, request by request.
struct Rows<'a>(&'a [RankedRequest]);

impl<'a> Rows<'a> {
    fn len(&self) -> usize {
        self.0.iter().map(|request| request.candidates.len()).sum()
    }

    /// A value that is the same in all rows of a request.
    fn repeated<T: Copy>(
        &self,
        value: impl Fn(&'a RankedRequest) -> Option<T>,
    ) -> impl Iterator<Item = Option<T>> {
        self.0
            .iter()
            .flat_map(move |request| std::iter::repeat_n(value(request), request.candidates.len()))
    }

    fn text(&self, name: &str, value: impl Fn(&'a RankedRequest) -> Option<&'a str>) -> Column {
        let values: StringChunked = self.repeated(value).collect();
        values.with_name(name.into()).into_column()
    }

    fn float(&self, name: &str, value: impl Fn(&'a RankedRequest) -> Option<f64>) -> Column {
        let values: Float64Chunked = self.repeated(value).collect();
        values.with_name(name.into()).into_column()
    }

    fn integer(&self, name: &str, value: impl Fn(&'a RankedRequest) -> Option<i32>) -> Column {
        let values: Int32Chunked = self.repeated(value).collect();
        values.with_name(name.into()).into_column()
    }

    fn long(&self, name: &str, value: impl Fn(&'a RankedRequest) -> Option<i64>) -> Column {
        let values: Int64Chunked = self.repeated(value).collect();
        values.with_name(name.into()).into_column()
    }

    fn candidates(&self) -> Column {
        let ids = self.0.iter().flat_map(|request| &request.candidates);
        let values: StringChunked = ids.map(|id| Some(id.as_str())).collect();
        values.with_name(columns::CANDIDATE.into()).into_column()
    }

    /// The position of each candidate, from 1; missing if it was not shown.
    fn positions(&self) -> Column {
        let values: Int32Chunked = self
            .0
            .iter()
            .flat_map(|request| {
                let mut places = vec![None; request.candidates.len()];
                for (place, &candidate) in (1..).zip(&request.page) {
                    places[candidate] = Some(place);
                }
                places
            })
            .collect();
        values.with_name(columns::POSITION.into()).into_column()
    }

    /// One number per candidate; missing if the request does not have them.
    fn each(
        &self,
        column: &str,
        objective: &str,
        numbers: impl Fn(&RankedObjective) -> &Vec<f64>,
    ) -> Column {
        let values: Float64Chunked = self
            .0
            .iter()
            .flat_map(|request| {
                let mut objectives = request.objectives.iter();
                let own = objectives.find(|own| own.name == objective).map(&numbers);
                let n = request.candidates.len();
                (0..n).map(move |index| own.and_then(|own| own.get(index)).copied())
            })
            .collect();
        values.with_name(column.into()).into_column()
    }
}
