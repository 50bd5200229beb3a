//! The shipped recipes on the real data, compared with figures that were counted by another program
//! (pandas).

#![expect(clippy::unwrap_used, reason = "a test program")]

use std::path::Path;

use counterweight_dataset::{Dataset, Part, Role, describe};
use counterweight_model::Column;
use counterweight_test_support::shared_data;

fn recipe(name: &str, file: &str) -> Option<Dataset> {
    let folder = shared_data(file)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data/recipes")
        .join(name);
    Some(Dataset::open(&path, Some(&folder)).unwrap())
}

#[test]
fn youtube_has_both_objectives_on_the_same_rows() {
    let Some(dataset) = recipe("youtube.toml", "youtube_videos.csv") else {
        return;
    };
    let bait = dataset.load("engagement_bait").unwrap();
    let engagement = dataset.load("engagement").unwrap();
    assert_eq!(
        (bait.counts.read, bait.counts.filtered, bait.counts.kept),
        (28_167, 615, 27_552)
    );
    assert_eq!(bait.counts.unlabelled, 0);
    assert_eq!(bait.rows.ids, engagement.rows.ids);
    assert_eq!(bait.parts, engagement.parts);

    let all: Vec<usize> = (0..bait.rows.len()).collect();
    let labels = bait.labels(&all).unwrap();
    assert_eq!(labels.values.iter().filter(|label| **label).count(), 13_935);
    assert_eq!(labels.threshold, None);
    let labels = engagement.labels(&all).unwrap();
    assert!((labels.threshold.unwrap() - 0.009_677_177_689_410_08).abs() < 1e-12);
    assert_eq!(labels.values.iter().filter(|label| **label).count(), 13_776);
    assert_eq!(bait.lossy_rows, 0);
    let Some(Column::Text(titles)) = &bait.rows.columns[0] else {
        panic!("no titles")
    };
    let distinct: std::collections::HashSet<_> = titles.iter().collect();
    assert_eq!(distinct.len(), 27_190);
}

#[test]
fn youtube_channels_are_never_divided_and_every_part_has_many() {
    let Some(dataset) = recipe("youtube.toml", "youtube_videos.csv") else {
        return;
    };
    let loaded = dataset.load("engagement").unwrap();
    let channels = loaded.rows.id(Role::Group).unwrap();
    let mut part_of = std::collections::HashMap::new();
    for (channel, part) in channels.iter().zip(&loaded.parts) {
        assert_eq!(part_of.entry(channel).or_insert(*part), part);
    }
    assert_eq!(part_of.len(), 139);
    for (part, share) in [(Part::Train, 0.7), (Part::Tune, 0.1), (Part::Test, 0.2)] {
        let rows = loaded.part(part).len() as f64 / loaded.rows.len() as f64;
        assert!((rows - share).abs() < 0.08, "{part:?}: {rows}");
    }
    let folds = loaded.folds(5, 1).unwrap();
    for fold in 0..5 {
        let rows = folds.iter().filter(|&&own| own == fold).count();
        assert!((5_400..=5_620).contains(&rows), "{rows}");
    }
}

#[test]
fn youtube_channel_adds_the_logarithms_of_three_figures() {
    let Some(dataset) = recipe("youtube_channel.toml", "youtube_videos.csv") else {
        return;
    };
    let loaded = dataset.load("engagement").unwrap();
    let schema = &loaded.rows.schema;
    assert_eq!((schema.inputs().len(), schema.features().len()), (4, 4));
    assert_eq!(loaded.rows.all().unwrap().rows(), 27_552);
}

#[test]
fn webis_is_read_from_ndjson() {
    let Some(dataset) = recipe("webis.toml", "webis_clickbait17_train.ndjson") else {
        return;
    };
    let description = describe(&dataset).unwrap();
    assert_eq!((description.rows_read, description.rows), (15_567, 15_567));
    assert_eq!(description.duplicates, Some(0));
    assert_eq!(description.columns[0].distinct, Some(15_290));
    let parts = &description.objectives[0].parts;
    assert_eq!(
        parts.iter().map(|part| part.positives).sum::<usize>(),
        3_664
    );
    assert_eq!(parts.len(), 3);
    let loaded = dataset.load("engagement_bait").unwrap();
    assert_eq!(
        loaded.rows.id(Role::Candidate).unwrap()[0],
        "849630396191055872"
    );
}

#[test]
fn upworthy_leaves_the_faulty_weeks_out() {
    let Some(dataset) = recipe("upworthy.toml", "upworthy_arms.parquet") else {
        return;
    };
    let loaded = dataset.load("engagement").unwrap();
    assert_eq!(
        (loaded.counts.read, loaded.counts.filtered),
        (22_666, 4_309)
    );
    let training = loaded.part(Part::Train);
    let labels = loaded.labels(&training).unwrap();
    let positives = training.iter().filter(|&&row| labels.values[row]).count() as f64;
    assert!((positives / training.len() as f64 - 0.5).abs() < 0.01);
    let weeks = loaded.rows.id(Role::Time).unwrap();
    let last = training.iter().map(|&row| &weeks[row]).max();
    let first = loaded
        .part(Part::Tune)
        .into_iter()
        .map(|row| &weeks[row])
        .min();
    assert!(last < first, "validation weeks come after training weeks");
    let description = describe(&dataset).unwrap();
    let missing: Vec<usize> = description
        .columns
        .iter()
        .map(|column| column.missing)
        .collect();
    assert_eq!(missing[0], 0);
    assert!(missing[1] > 0 && missing[2] > missing[1]);
    assert_eq!(description.roles[0].distinct, description.roles[2].distinct);
}
