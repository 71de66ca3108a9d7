//! docs/requirements.md says of each requirement which test shows it. No row may be missing, and a
//! test that is named must exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many requirements each of the five systems has.
const ROWS: [usize; 5] = [24, 38, 13, 25, 40];

/// What a row waits for that no test shows.
const WAITS: [&str; 3] = ["with the center", "with the pages", "not yet"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names of test functions in the Rust files below a folder.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of this tree") {
        let path = entry.expect("an entry of this tree").path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a file of this tree");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for pair in lines.windows(2).filter(|pair| pair[0].contains("test]")) {
                let name = pair[1].split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
                names.extend(name.map(|(name, _)| name.to_owned()));
            }
        }
    }
}

#[test]
fn each_requirement_has_its_row_and_each_named_test_exists() {
    let mut tests = BTreeSet::new();
    for folder in ["tests", "crates", "src"] {
        tests_below(&root().join(folder), &mut tests);
    }
    let table = fs::read_to_string(root().join("docs/requirements.md")).expect("the table");
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| S")?.strip_suffix(" |")?.split_once(" | "))
        .collect();
    let wanted: Vec<String> = (0..ROWS.len())
        .flat_map(|system| (1..=ROWS[system]).map(move |row| format!("{system}.{row}")))
        .collect();
    let named: Vec<&str> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(named, wanted, "the rows are not those of the requirements");
    let (mut shown, mut partly) = (0, 0);
    for (number, text) in rows {
        let tests_named: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        for test in &tests_named {
            assert!(tests.contains(*test), "S{number}: there is no test {test}");
        }
        let waits = WAITS.iter().any(|words| text.contains(words));
        assert!(waits || !tests_named.is_empty(), "S{number} says nothing");
        match (tests_named.is_empty(), waits) {
            (false, false) => shown += 1,
            (false, true) => partly += 1,
            (true, _) => {}
        }
    }
    println!("{shown} of {} shown, {partly} more in part", wanted.len());
}
