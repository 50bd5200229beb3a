//! A small log with known true probabilities, written as CSV with its description.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use counterweight_dataset::Dataset;
use counterweight_model::Artefact;
use counterweight_trainer::{TrainOptions, TrainerError, train};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const DESCRIPTION: &str = r#"
name = "little-feed"
files = ["log.csv"]
[columns]
user = "author"
candidate = "id"
group = "author"
[[input]]
name = "quality"
kind = "numeric"
[[input]]
name = "topic"
kind = "categorical"
[[input]]
name = "title"
kind = "text"
[[input]]
name = "constant"
kind = "numeric"
[[input]]
name = "nothing"
kind = "numeric"
[[objective]]
name = "engagement"
label = { column = "clicked" }
[[objective]]
name = "popular"
label = { ratio = ["likes", "views"], above = "training median" }
"#;

pub(crate) const SPLIT: &str = "[split]\nby = \"group\"\ntrain = 0.7\ntest = 0.3\nseed = 3\n";

/// A folder with a log, removed when dropped.
pub(crate) struct Feed {
    pub(crate) folder: tempfile::TempDir,
}

impl Feed {
    /// A log of `rows` rows, of which every 50th has no label. P(clicked) is a logistic function of
    /// quality, topic and title.
    pub(crate) fn new(rows: usize, description: &str) -> Self {
        Self::with_labels(rows, description, |rng, logit| {
            rng.random::<f64>() < 1.0 / (1.0 + (-logit).exp())
        })
    }

    /// As [`new`](Self::new), with the labels that `click` returns.
    pub(crate) fn with_labels(
        rows: usize,
        description: &str,
        click: impl Fn(&mut ChaCha8Rng, f64) -> bool,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut csv =
            "id,author,quality,topic,title,constant,nothing,clicked,likes,views\n".to_owned();
        for row in 0..rows {
            let (line, logit) = line(&mut rng, row);
            let label = if row % 50 == 7 {
                String::new()
            } else {
                u8::from(click(&mut rng, logit)).to_string()
            };
            let likes = 10.0 * (logit + 3.0).max(0.0) + rng.random::<f64>();
            let _ = writeln!(csv, "{line},{label},{likes},100");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.csv"), csv).unwrap();
        std::fs::write(folder.path().join("dataset.toml"), description).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn dataset(&self) -> Dataset {
        Dataset::open(&self.path("dataset.toml"), None).unwrap()
    }

    pub(crate) fn train(
        &self,
        objective: &str,
        options: &TrainOptions,
    ) -> Result<Artefact, TrainerError> {
        self.train_into(objective, options, &self.path("model"))
    }

    pub(crate) fn train_into(
        &self,
        objective: &str,
        options: &TrainOptions,
        out: &Path,
    ) -> Result<Artefact, TrainerError> {
        train(&self.dataset(), objective, options, out, &mut |_| {})
    }
}

fn line(rng: &mut impl Rng, row: usize) -> (String, f64) {
    let quality = rng.random::<f64>() * 4.0 - 2.0;
    let topic = ["cats", "news", "sport", ""][rng.random_range(0..4)];
    let (title, lift) = [
        ("A quiet walk by the river", -0.7),
        ("You won't believe this!", 1.0),
        ("Minutes of the council", -0.3),
        ("", 0.0),
    ][rng.random_range(0..4)];
    let logit = quality - 0.5 + lift + if topic == "cats" { 0.8 } else { 0.0 };
    let missing = rng.random::<f64>() < 0.05;
    let quality = if missing {
        String::new()
    } else {
        quality.to_string()
    };
    (
        format!("c{row},a{},{quality},{topic},\"{title}\",3.5,", row % 97),
        logit,
    )
}

/// Options for a fast training.
pub(crate) fn quick() -> TrainOptions {
    TrainOptions {
        folds: 3,
        alphas: vec![0.1, 1.0, 10.0],
        command: "counterweight train".into(),
        ..TrainOptions::default()
    }
}

/// The metrics of one part.
pub(crate) fn part<'a>(artefact: &'a Artefact, name: &str) -> &'a counterweight_model::PartReport {
    artefact
        .report
        .parts
        .iter()
        .find(|part| part.part == name)
        .unwrap()
}
