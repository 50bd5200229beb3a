//! `bench compare` and `bench report` on the shipped sample, through the program.

use std::fs;

use crate::support::{json, models, run, stderr, stdout};

const LOG: [&str; 2] = ["--log", "data/sample/impressions.parquet"];
/// Little of everything, so that a debug build takes seconds.
const SMALL: [&str; 10] = [
    "--weights",
    "3:1,1:1,1:3",
    "--folds",
    "2",
    "--alpha",
    "10",
    "--replicates",
    "60",
    "-k",
    "10",
];

#[test]
fn two_models_are_compared_with_one_on_the_same_weights_and_the_truth() {
    let arguments = [
        "bench",
        "compare",
        "--dataset",
        "data/sample/dataset.toml",
        "--truth",
        "data/sample/truth.parquet",
    ];
    let all = json(arguments.iter().chain(&SMALL));
    let own = &all["comparison"];
    let weights = |option: &str| {
        let points = own[option]["points"].as_array().unwrap();
        let weights = points.iter().map(|point| point["weight"].to_string());
        weights.collect::<Vec<_>>()
    };
    assert_eq!(weights("two"), ["[3,1]", "[1,1]", "[1,3]"]);
    assert_eq!(weights("one"), weights("two"));
    assert_eq!(weights("oracle"), weights("two"));
    assert_eq!(own["unlabelled"], 0, "the truth is known of all candidates");
    // The truth knows best: at each of its weights no other order is worth as much.
    for place in 0..3 {
        let worth = |option: &str| {
            let point = &own[option]["points"][place];
            let value = |name: &str| point[name]["value"].as_f64().unwrap();
            value("gain") - point["lambda"].as_f64().unwrap() * value("cost")
        };
        assert!(worth("oracle") > worth("two") && worth("oracle") > worth("one"));
        // Both have learned something.
        let random = own["baselines"].as_array().unwrap();
        let random = random.iter().find(|row| row["order"] == "random").unwrap();
        let lambda = own["two"]["points"][place]["lambda"].as_f64().unwrap();
        let random = random["gain"]["value"].as_f64().unwrap()
            - lambda * random["cost"]["value"].as_f64().unwrap();
        assert!(worth("two") > random && worth("one") > random);
    }
    let shared = &own["shared"];
    let (low, high) = (
        &shared["mean_change"]["low"],
        &shared["mean_change"]["high"],
    );
    assert!(low.as_f64().unwrap() < high.as_f64().unwrap());
    let verdict = match (low.as_f64().unwrap() > 0.0, high.as_f64().unwrap() < 0.0) {
        (true, _) => "two_better",
        (_, true) => "two_worse",
        _ => "no_difference",
    };
    assert!(own["verdict"] == verdict || own["verdict"] == "mixed");
    assert_eq!(own["retraining"].as_array().unwrap().len(), 5);
    let set = own["set_weights"]["median"].as_f64().unwrap();
    assert!(set > 0.0 && set < own["retraining"][2]["seconds"].as_f64().unwrap());
}

#[test]
fn pages_that_hold_every_labelled_candidate_are_no_comparison() {
    let arguments = ["bench", "compare", "--dataset", "data/sample/dataset.toml"];
    let output = run(arguments.iter().chain(&SMALL));
    assert_eq!(output.status.code(), Some(1));
    let reported = stderr(&output);
    assert!(
        reported.contains("no order matters") && reported.contains("fewer places"),
        "{reported}"
    );
    let output = run(arguments.iter().chain(&["--weights", "1:0"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("M:N"), "{}", stderr(&output));
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.html");
    let plots = folder.path().join("plots");
    let paths = [
        "--out",
        out.to_str().unwrap(),
        "--plots",
        plots.to_str().unwrap(),
    ];
    let goal = [
        "--bait-budget",
        "0.08",
        "--reference",
        "5e\u{2212}1",
        "--replicates",
        "60",
    ];
    let output = run(["bench", "report"]
        .iter()
        .chain(&LOG)
        .chain(&goal)
        .chain(&paths));
    assert!(output.status.success(), "{}", stderr(&output));
    let page = fs::read_to_string(&out).unwrap();
    for outside in [
        "http://", "https://", "<script", "<link", "<img", "@import", "url(",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    for section in [
        "front",
        "curves",
        "recommendation",
        "example",
        "calibration",
        "off-policy",
        "method",
    ] {
        let there = page.contains(&format!("<section id=\"{section}\">"))
            && page.contains(&format!("href=\"#{section}\""));
        assert!(there, "{section}");
    }
    for text in [
        "now, λ = 0.5",
        "recommended, λ = ",
        "@media print",
        "width=device-width",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let mut files: Vec<String> = fs::read_dir(&plots)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "calibration-1.svg",
            "calibration-2.svg",
            "changed.svg",
            "curves.svg",
            "front.svg",
            "off-policy.svg"
        ]
    );
    let front = fs::read_to_string(plots.join("front.svg")).unwrap();
    assert!(front.contains("xmlns=") && !front.contains("var("));

    let markdown = folder.path().join("report.md");
    let paths = [
        "--format",
        "markdown",
        "--out",
        markdown.to_str().unwrap(),
        "--plots",
        plots.to_str().unwrap(),
    ];
    let output = run(["bench", "report"]
        .iter()
        .chain(&LOG)
        .chain(&goal)
        .chain(&paths));
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(markdown).unwrap();
    assert!(text.contains("](plots/front.svg)") && text.contains("## Recommendation"));
}

#[test]
fn the_front_is_a_picture_for_light_and_for_dark_pages() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |theme: &str| {
        let out = folder.path().join(theme);
        let rest = ["--replicates", "20", "--theme", theme, "--svg"];
        let file = out.to_str().unwrap();
        let output = run(["bench", "front"]
            .iter()
            .chain(&LOG)
            .chain(&rest)
            .chain(&[file]));
        assert!(output.status.success(), "{}", stderr(&output));
        fs::read_to_string(out).unwrap()
    };
    let (light, dark) = (draw("light"), draw("dark"));
    for picture in [&light, &dark] {
        for text in [
            "xmlns=",
            "now, λ = 0<",
            "↑ Engagement, ",
            "Engagement bait, ",
        ] {
            assert!(picture.contains(text), "{text}: {picture}");
        }
    }
    let without_colours = |picture: &str| {
        let start = picture.find("</style>").unwrap();
        picture[start..].to_owned()
    };
    assert_eq!(without_colours(&light), without_colours(&dark));
    assert_ne!(light, dark);
}

#[test]
fn a_report_as_json_has_every_value_and_says_when_no_goal_was_given() {
    let models = models().to_str().unwrap();
    let dataset = ["--dataset", "data/sample/dataset.toml", "--models", models];
    let rest = ["--format", "json", "--replicates", "20", "--out", "-"];
    let output = run(["bench", "report"].iter().chain(&dataset).chain(&rest));
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(
        report["recommendation"].is_null() && report["front"]["breakpoints"].as_u64() > Some(0)
    );
    // Of the models at hand, as they were measured.
    let calibration = report["calibration"].as_array().unwrap();
    assert_eq!(calibration.len(), 2);
    assert!(calibration[0]["auc"].as_f64().unwrap() > 0.7);
    let example = &report["example"];
    let changed = example["changed"].as_u64().unwrap();
    let rows = example["rows"].as_array().unwrap();
    let k = example["k"].as_u64().unwrap();
    let came_in = rows
        .iter()
        .filter(|row| row["after"].as_u64().unwrap() <= k && row["before"].as_u64().unwrap() > k);
    assert_eq!(came_in.count() as u64, changed);
    assert!(
        report["made_by"]
            .as_str()
            .unwrap()
            .starts_with("counterweight bench report")
    );
}
