//! Parts, folds, thresholds and sampling: disjoint, deterministic, and never fitted on rows that
//! must stay unseen.

use crate::common;

use std::collections::HashMap;

use common::{Folder, description, input};
use counterweight_dataset::{Loaded, Part, Role, describe};
use proptest::prelude::*;

/// Rows `id,group,time,x,y` in a file `a.csv`.
fn rows(count: u32, group_of: impl Fn(u32) -> u32) -> Folder {
    let row = |row: u32| format!("i{row},g{},{},{row},{}\n", group_of(row), row / 3, row % 2);
    let text: String = (0..count).map(row).collect();
    Folder::with("a.csv", format!("id,group,time,x,y\n{text}"))
}

fn split(split: &str) -> String {
    let roles = "[columns]\ncandidate = \"id\"\ngroup = \"group\"\ntime = \"time\"\n";
    description("[\"a.csv\"]", &(roles.to_owned() + &input("x", "numeric"))) + "[split]\n" + split
}

fn sizes(loaded: &Loaded) -> [usize; 4] {
    Part::ALL.map(|part| loaded.part(part).len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn parts_are_disjoint_deterministic_and_never_divide_a_group(
        seed in 0u64..1_000_000, cuts in prop::array::uniform4(0.0f64..0.25), groups in 20u32..60,
    ) {
        let folder = rows(600, |row| row * row % groups);
        let [train, calibrate, tune, test] = cuts;
        let fractions = format!(
            "train = {}\ncalibrate = {calibrate}\ntune = {tune}\ntest = {test}\nseed = {seed}\n",
            train + 0.01
        );
        for by in ["group", "hash", "time"] {
            let text = split(&format!("by = \"{by}\"\n{fractions}"));
            let Ok(loaded) = folder.load(&text) else { continue };
            let again = folder.load(&text).unwrap();
            prop_assert_eq!(&loaded.parts, &again.parts);
            prop_assert_eq!(sizes(&loaded).iter().sum::<usize>(), loaded.rows.len());
            prop_assert_eq!(loaded.counts.kept + loaded.counts.unassigned, 600);
            let key = match by {
                "group" => Role::Group,
                "time" => Role::Time,
                _ => Role::Candidate,
            };
            let mut part_of = HashMap::new();
            for (key, part) in loaded.rows.id(key).unwrap().iter().zip(&loaded.parts) {
                prop_assert_eq!(*part_of.entry(key).or_insert(*part), *part);
            }
        }
    }
}

#[test]
fn a_hash_split_comes_near_its_fractions_and_follows_its_seed() {
    let folder = rows(20_000, |row| row);
    let text =
        split("by = \"hash\"\ntrain = 0.7\ncalibrate = 0.05\ntune = 0.1\ntest = 0.15\nseed = 3\n");
    let loaded = folder.load(&text).unwrap();
    for (size, share) in sizes(&loaded).into_iter().zip([0.7, 0.05, 0.1, 0.15]) {
        assert!((size as f64 / 20_000.0 - share).abs() < 0.01);
    }
    assert_eq!(loaded.counts.unassigned, 0);
    let other = folder.load(&text.replace("seed = 3", "seed = 4")).unwrap();
    assert_ne!(loaded.parts, other.parts);
}

#[test]
fn a_hash_split_depends_on_the_row_and_not_on_its_position() {
    let folder = rows(500, |row| row);
    let text = split("by = \"hash\"\ntrain = 0.5\ntest = 0.5\n");
    let part_by_id = |loaded: &Loaded| -> HashMap<String, Part> {
        loaded
            .rows
            .id(Role::Candidate)
            .unwrap()
            .iter()
            .cloned()
            .zip(loaded.parts.clone())
            .collect()
    };
    let before = part_by_id(&folder.load(&text).unwrap());
    let content = std::fs::read_to_string(folder.path().join("a.csv")).unwrap();
    let (header, body) = content.split_once('\n').unwrap();
    let reversed: Vec<&str> = body.lines().rev().collect();
    folder.write("a.csv", format!("{header}\n{}\n", reversed.join("\n")));
    assert_eq!(part_by_id(&folder.load(&text).unwrap()), before);
}

#[test]
fn a_time_split_is_ordered_and_rows_of_one_time_share_a_part() {
    let folder = rows(90, |row| row); // three rows of each time
    let loaded = folder
        .load(&split(
            "by = \"time\"\ntrain = 0.5\ntune = 0.2\ntest = 0.2\n",
        ))
        .unwrap();
    assert_eq!(sizes(&loaded), [45, 0, 18, 18]);
    assert_eq!(loaded.counts.unassigned, 9);
    assert!(loaded.parts.is_sorted());
    let ties = Folder::with(
        "a.csv",
        "id,group,time,x,y\n".to_owned()
            + &"i,g,2024-05-01,1,1\n".repeat(10)
            + &"i,g,2024-04-30,1,0\n".repeat(3),
    );
    let loaded = ties
        .load(&split("by = \"time\"\ntrain = 0.5\ntest = 0.5\n"))
        .unwrap();
    assert_eq!(sizes(&loaded), [3, 0, 0, 10]);
    assert_eq!(loaded.parts[0], Part::Test);
}

#[test]
fn a_time_split_refuses_missing_and_mixed_times() {
    let error = |rows: &str| {
        let folder = Folder::with("a.csv", format!("id,group,time,x,y\n{rows}"));
        folder.error(&split("by = \"time\"\ntrain = 0.5\ntest = 0.5\n"))
    };
    common::names(&error("a,g,1,1,1\na,g,,1,1\n"), &["\"time\"", "row 2"]);
    common::names(
        &error("a,g,1,1,1\na,g,monday,1,1\n"),
        &["\"time\"", "row 2", "monday"],
    );
}

#[test]
fn a_column_may_name_the_parts() {
    let folder = Folder::with(
        "a.csv",
        "x,y,p\n1,1,train\n2,0,test\n3,0,\n4,1,calibrate\n5,1,tune\n",
    );
    let text = description("[\"a.csv\"]", &input("x", "numeric"))
        + "[split]\nby = \"column\"\ncolumn = \"p\"\n";
    let loaded = folder.load(&text).unwrap();
    assert_eq!(
        loaded.parts,
        [Part::Train, Part::Test, Part::Calibrate, Part::Tune]
    );
    assert_eq!(loaded.counts.unassigned, 1);
    folder.write("a.csv", "x,y,p\n1,1,train\n2,0,validation\n");
    common::names(
        &folder.error(&text),
        &["\"p\"", "row 2", "validation", "calibrate"],
    );
}

#[test]
fn the_training_median_sees_training_rows_only() {
    let folder = Folder::with(
        "a.csv",
        "x,n,d\n1,1,10\n2,2,10\n3,3,10\n4,90,10\n5,5,0\n6,,10\n",
    );
    let text = description("[\"a.csv\"]", &input("x", "numeric")).replace(
        "{ column = \"y\" }",
        "{ ratio = [\"n\", \"d\"], above = \"training median\" }",
    );
    let loaded = folder.load(&text).unwrap();
    assert_eq!((loaded.counts.unlabelled, loaded.rows.len()), (2, 4));
    assert!(loaded.needs_threshold());
    let labels = loaded.labels(&[0, 1, 2]).unwrap();
    assert_eq!(labels.threshold, Some(0.2));
    assert_eq!(labels.values, [false, false, true, true]);
    let labels = loaded.labels(&[0, 1, 2, 3]).unwrap();
    assert_eq!(labels.threshold, Some(0.25));
    assert_eq!(loaded.labels_at(Some(0.15)), [false, true, true, true]);
    let fixed = text.replace("\"training median\"", "0.25");
    assert_eq!(
        folder.load(&fixed).unwrap().labels(&[0, 3]).unwrap().values,
        [false, false, true, true]
    );
}

#[test]
fn negatives_are_sampled_in_training_only_and_the_share_is_reported() {
    let folder = rows(20_000, |row| row);
    let text = split("by = \"hash\"\ntrain = 0.5\ntest = 0.5\n");
    let all = folder.load(&text).unwrap();
    let text = text.replace("[split]", "sample_negatives = 0.1\n[split]");
    let sampled = folder.load(&text).unwrap();
    assert_eq!(sampled.negatives_kept, Some(0.1));
    assert_eq!(sampled.part(Part::Test).len(), all.part(Part::Test).len());
    let negatives = |loaded: &Loaded| {
        let training = loaded.part(Part::Train);
        let labels = loaded.labels(&training).unwrap();
        let negatives = training.iter().filter(|&&row| !labels.values[row]).count();
        (negatives as f64, training.len() - negatives)
    };
    let (before, positives_before) = negatives(&all);
    let (after, positives_after) = negatives(&sampled);
    assert_eq!(positives_before, positives_after);
    assert!((after / before - 0.1).abs() < 0.02, "{after} of {before}");
    assert_eq!(sampled.counts.sampled_out, (before - after) as u64);
    assert_eq!(folder.load(&text).unwrap().fingerprint, sampled.fingerprint);
}

#[test]
fn a_row_without_a_group_is_a_group_of_its_own() {
    let row = |row: u32| {
        let group = if row.is_multiple_of(2) {
            String::new()
        } else {
            format!("g{}", row % 31)
        };
        format!("{group},{row},{}\n", row % 3 / 2)
    };
    let text: String = (0..2_000).map(row).collect();
    let folder = Folder::with("a.csv", format!("group,x,y\n{text}"));
    let text = description(
        "[\"a.csv\"]",
        &("[columns]\ngroup = \"group\"\n".to_owned() + &input("x", "numeric")),
    ) + "[split]\nby = \"group\"\ntrain = 0.6\ntune = 0.2\ntest = 0.2\nseed = 1\n";
    let loaded = folder.load(&text).unwrap();
    let anonymous: Vec<usize> = (0..2_000).step_by(2).collect();
    for (part, share) in [(Part::Train, 0.6), (Part::Tune, 0.2), (Part::Test, 0.2)] {
        let rows = anonymous
            .iter()
            .filter(|&&row| loaded.parts[row] == part)
            .count();
        assert!(
            (rows as f64 / 1_000.0 - share).abs() < 0.06,
            "{part:?}: {rows}"
        );
    }
    let distinct: std::collections::HashSet<u64> =
        anonymous.iter().map(|&row| loaded.groups[row]).collect();
    assert_eq!(distinct.len(), 1_000);
    let described = describe(&folder.dataset(&text).unwrap()).unwrap();
    let groups: usize = described.objectives[0]
        .parts
        .iter()
        .map(|part| part.groups)
        .sum();
    assert_eq!(groups, 1_031);
    assert_eq!(
        (described.roles[0].missing, described.roles[0].distinct),
        (1_000, 31)
    );
    let overview = &described.tables()[0];
    let shown = overview.rows.iter().find(|row| row[0] == "group").unwrap();
    common::names(&shown[1], &["1000 rows without a group", "its own group"]);
}

#[test]
fn folds_keep_groups_together() {
    let folder = rows(300, |row| row % 17);
    let loaded = folder.load(&split("by = \"hash\"\ntrain = 1.0\n")).unwrap();
    let folds = loaded.folds(4, 9).unwrap();
    let mut fold_of = HashMap::new();
    for (group, fold) in loaded.rows.id(Role::Group).unwrap().iter().zip(&folds) {
        assert_eq!(fold_of.entry(group).or_insert(fold), &fold);
    }
    assert!(loaded.folds(18, 0).is_err());
}
