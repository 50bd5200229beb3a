//! `counterweight bench compare`: compares two models and a weighted sum with one model of the
//! combined loss.

use std::path::PathBuf;

use clap::Args;
use counterweight_evaluation::{
    CompareOptions, ComparePlan, Comparison, DEFAULT_WEIGHTS, Draws, Interval, LogOptions,
    OptionFront, Shared, UnshownLabels,
};
use counterweight_ranking::{sweep::Discount, symbol};
use serde_json::json;

use super::{
    log::{DrawArgs, Places, UnshownArgs},
    set_weights,
    train_compared::train_all,
};
use crate::{
    data::DatasetFile,
    output::{Output, table},
    progress::Bar,
    train::TrainingFlags,
};

/// Compare two models and a weighted sum with one model of the combined loss, at the same weights.
#[derive(Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    file: DatasetFile,
    #[command(flatten)]
    what: CompareArgs,
    /// The objective to gain [default: the first].
    #[arg(long, value_name = "OBJECTIVE")]
    gained: Option<String>,
    /// The objective to avoid [default: the second].
    #[arg(long, value_name = "OBJECTIVE")]
    avoided: Option<String>,
    /// The number of places of the page [default: the k of the log].
    #[arg(short, long)]
    k: Option<usize>,
    /// How much each place of a page counts.
    #[arg(long, value_enum, default_value_t = Places::Flat)]
    discount: Places,
    #[command(flatten)]
    unshown: UnshownArgs,
    #[command(flatten)]
    draws: DrawArgs,
    #[command(flatten)]
    how: TrainingFlags,
}

/// What is compared on the log.
#[derive(Args)]
pub(crate) struct CompareArgs {
    /// The weights of both options, as M:N, which means α = 1 and β = −N/M. To train the one model,
    /// each row is copied M + N times [default: 8:1,4:1,2:1,3:2,1:1,2:3,1:2,1:4,1:8].
    #[arg(long, value_delimiter = ',', value_name = "M:N", value_parser = ratio)]
    weights: Vec<[u32; 2]>,
    /// The true probabilities of a simulated log, as a file with the columns request_id,
    /// candidate_id and truth_<objective>.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

fn ratio(text: &str) -> Result<[u32; 2], String> {
    let parse = |part: &str| part.trim().parse::<u32>().ok().filter(|n| *n > 0);
    let (m, n) = text.split_once(':').unwrap_or_default();
    match (parse(m), parse(n)) {
        (Some(m), Some(n)) => Ok([m, n]),
        _ => Err("write two whole numbers of at least 1 as M:N, such as 2:1".to_owned()),
    }
}

/// Trains the models, compares the options and measures the times, with progress on standard error.
pub(crate) struct Comparing<'a> {
    pub(crate) file: &'a DatasetFile,
    pub(crate) what: &'a CompareArgs,
    pub(crate) objectives: [Option<String>; 2],
    pub(crate) k: Option<usize>,
    pub(crate) tune: f64,
    pub(crate) unshown_labels: UnshownLabels,
    pub(crate) discount: Discount,
    pub(crate) draws: Draws,
    pub(crate) how: &'a TrainingFlags,
}

impl Comparing<'_> {
    pub(crate) fn run(self) -> anyhow::Result<Comparison> {
        let dataset = self.file.open()?;
        let models = tempfile::tempdir()?;
        let [gained, avoided] = self.objectives;
        let options = CompareOptions {
            gained,
            avoided,
            weights: if self.what.weights.is_empty() {
                DEFAULT_WEIGHTS.to_vec()
            } else {
                self.what.weights.clone()
            },
            log: LogOptions {
                k: self.k,
                tune: self.tune,
                seed: self.draws.seed,
                unshown_labels: self.unshown_labels,
            },
            discount: self.discount,
            truth: self.what.truth.clone(),
            draws: self.draws,
        };
        let training = self.how.options(&self.file.flag(), "OBJECTIVE")?;
        let plan = ComparePlan::new(&dataset, &options)?;
        let mut bar: Option<(String, Bar)> = None;
        let trained = train_all(&plan, &training, models.path(), &mut |model, progress| {
            if bar.as_ref().is_none_or(|(own, _)| own != model) {
                bar = None;
                bar = Some((model.to_owned(), Bar::new(model)));
            }
            if let Some((_, bar)) = &mut bar {
                bar.show(progress);
            }
        });
        drop(bar);
        let mut comparison = plan.compare(trained?)?;
        comparison.set_weights = Some(set_weights::measure(&comparison.objectives)?);
        Ok(comparison)
    }
}

impl Compare {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let comparison = Comparing {
            file: &self.file,
            what: &self.what,
            objectives: [self.gained, self.avoided],
            k: self.k,
            tune: LogOptions::default().tune,
            unshown_labels: self.unshown.unshown_labels(),
            discount: self.discount.into(),
            draws: Draws {
                seed: self.how.seed(),
                ..self.draws.draws()
            },
            how: &self.how,
        }
        .run()?;
        let value = json!({ "comparison": comparison, "words": comparison.words() });
        output.print(&value, |_| human(&comparison))
    }
}

fn human(comparison: &Comparison) -> String {
    let [gain, cost] = &comparison.objectives;
    let outcomes = if comparison.truth {
        "the truth of the simulation, for all candidates".to_owned()
    } else {
        format!(
            "labels; {} candidates without both labels are left out",
            comparison.unlabelled
        )
    };
    let mut text = format!(
        "{}: tune part {} requests of {} users, test part {} requests of {} users; k = {}{}; outcomes: {outcomes}\n\n{}\n",
        comparison.log,
        comparison.requests[0],
        comparison.users[0],
        comparison.requests[1],
        comparison.users[1],
        comparison.k,
        if comparison.discounted {
            ", places count 1/log2(place + 1)"
        } else {
            ""
        },
        points_table(comparison),
    );
    text.push_str(&format!(
        "All values are of the test part, with {:.0} % intervals over users. * marks points that were chosen on the tune part: they are on the hull of their option there.\n\n{}\n",
        100.0 * comparison.draws.level,
        baseline_table(comparison)
    ));
    if let Some(shared) = &comparison.shared {
        text.push_str(&format!(
            "\n{}\nFrom {cost} {:.4} to {:.4}, which both fronts reach: hypervolume {} with two models, {} with one (reference: {gain} {:.4}, {cost} {:.4}), difference {}; IGD {} and {}.\n",
            levels_table(comparison, shared),
            shared.costs[0],
            shared.costs[1],
            figure(comparison.two.hypervolume),
            figure(comparison.one.hypervolume),
            shared.reference[0],
            shared.reference[1],
            interval(shared.hypervolume_change, true),
            figure(comparison.two.igd),
            figure(comparison.one.igd),
        ));
    }
    text.push_str(&format!(
        "\n{}\n\n{}\nThe exact sweep of two models has {} points on this log; `bench report` draws it but does not score it.",
        comparison.words(),
        cost_line(comparison),
        comparison.breakpoints + 1
    ));
    text
}

fn points_table(comparison: &Comparison) -> String {
    let [gain, cost] = comparison
        .objectives
        .each_ref()
        .map(|name| name.replace('_', " "));
    let mut header = vec!["m : n".to_owned(), symbol(1)];
    let mut options: Vec<&OptionFront> = vec![&comparison.two, &comparison.one];
    options.extend(&comparison.oracle);
    for option in &options {
        header.push(format!("{}: {gain}", option.name));
        header.push(cost.clone());
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = (0..comparison.two.points.len()).map(|i| {
        let first = &comparison.two.points[i];
        let mut row = vec![
            format!("{} : {}", first.weight[0], first.weight[1]),
            format!("{:.4}", -first.lambda),
        ];
        for option in &options {
            let point = &option.points[i];
            let star = if point.chosen { "*" } else { " " };
            row.push(format!("{}{star}", interval(point.gain, false)));
            row.push(interval(point.cost, false));
        }
        row
    });
    table(&header, 1, rows)
}

fn baseline_table(comparison: &Comparison) -> String {
    let [gain, cost] = comparison
        .objectives
        .each_ref()
        .map(|name| name.replace('_', " "));
    let rows = comparison.baselines.iter().map(|row| {
        [
            row.order.clone(),
            interval(row.gain, false),
            interval(row.cost, false),
        ]
    });
    table(&["order without weights", &gain, &cost], 1, rows)
}

fn levels_table(comparison: &Comparison, shared: &Shared) -> String {
    let [gain, cost] = comparison
        .objectives
        .each_ref()
        .map(|name| name.replace('_', " "));
    let header = [
        format!("at equal {cost}"),
        format!("two models: {gain}"),
        format!("one model: {gain}"),
        "two − one".to_owned(),
    ];
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = shared.levels.iter().map(|level| {
        [
            format!("{:.4}", level.cost),
            format!("{:.4}", level.two),
            format!("{:.4}", level.one),
            interval(level.change, true),
        ]
    });
    let mean = [
        "mean".to_owned(),
        String::new(),
        String::new(),
        interval(shared.mean_change, true),
    ];
    table(&header, 1, rows.chain([mean]))
}

fn cost_line(comparison: &Comparison) -> String {
    let retraining = comparison.retraining_seconds();
    let deploy = comparison.deploy_seconds;
    let change = retraining + deploy;
    match &comparison.set_weights {
        Some(set) => format!(
            "To change the weight, one model is trained again in {retraining:.2} s and loaded in {deploy:.3} s (medians of this run, {} models). Two models need only SetWeights: {:.3} ms at the median and {:.3} ms at the 99th percentile of {} changes ({}), {:.0} times less.",
            comparison.retraining.len() - 2,
            1e3 * set.median,
            1e3 * set.p99,
            set.changes,
            set.how,
            change / set.median
        ),
        None => format!(
            "To change the weight, one model is trained again in {retraining:.2} s and loaded in {deploy:.3} s (medians of this run)."
        ),
    }
}

fn interval(interval: Interval, signed: bool) -> String {
    let half = 0.5 * (interval.high - interval.low);
    if signed {
        format!("{:+.4} ±{half:.4}", interval.value)
    } else {
        format!("{:.4} ±{half:.4}", interval.value)
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.5}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_whole_numbers() {
        assert_eq!(ratio("3:2"), Ok([3, 2]));
        for wrong in ["3", "0:1", "1:-1", "1.5:2", "a:b", ""] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }
}
