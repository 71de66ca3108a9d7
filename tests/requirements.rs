//! docs/requirements.md and docs/acceptance.md say of each requirement, and of each figure that is
//! to be reached, what shows it. No row may be missing, and a test that is named must exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many requirements each of the five systems has.
const ROWS: [usize; 5] = [24, 38, 13, 25, 40];

/// How many figures each letter of the acceptance list has.
const FIGURES: [(&str, usize); 9] =
    [("P", 5), ("S", 11), ("D", 6), ("F", 8), ("A", 5), ("W", 6), ("K", 10), ("Q", 7), ("L", 3)];

/// What a row waits for that no test shows.
const WAITS: [&str; 4] = ["with the center", "with the pages", "with the browsers", "not yet"];

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
            for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.contains("test]")) {
                // Other attributes may stand between.
                let mut after = lines[at + 1..].iter();
                let function = after.find_map(|line| line.split_once("fn "));
                let name = function.and_then(|(_, rest)| rest.split_once('('));
                names.extend(name.map(|(name, _)| name.to_owned()));
            }
        }
    }
}

/// Checks that a table has exactly these rows, each of which says something that is so. Tells how
/// many are shown.
fn check(document: &str, wanted: &[String]) -> String {
    let mut tests = BTreeSet::new();
    for folder in ["tests", "crates", "src"] {
        tests_below(&root().join(folder), &mut tests);
    }
    let table = fs::read_to_string(root().join("docs").join(document)).expect("the table");
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .skip_while(|(name, _)| *name == "Row")
        .collect();
    let named: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, wanted, "{document}: the rows are not those that there should be");
    let (mut shown, mut partly) = (0, 0);
    for (name, text) in rows {
        let things: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        for thing in &things {
            // What has a slash is a script or a folder of this tree.
            let is_there = match thing.contains('/') {
                true => root().join(thing).exists(),
                false => tests.contains(*thing),
            };
            assert!(is_there, "{name}: there is no {thing}");
        }
        let waits = WAITS.iter().any(|words| text.contains(words));
        assert!(waits || !things.is_empty(), "{name} says nothing");
        match (things.is_empty(), waits) {
            (false, false) => shown += 1,
            (false, true) => partly += 1,
            (true, _) => {}
        }
    }
    format!("{document}: {shown} of {} shown, {partly} more in part", wanted.len())
}

#[test]
fn each_requirement_has_its_row_and_each_named_test_exists() {
    let wanted: Vec<String> = (0..ROWS.len())
        .flat_map(|system| (1..=ROWS[system]).map(move |row| format!("S{system}.{row}")))
        .collect();
    println!("{}", check("requirements.md", &wanted));
}

#[test]
fn each_figure_has_its_row_and_each_named_test_or_script_exists() {
    let wanted: Vec<String> = FIGURES
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |row| format!("{letter}{row}")))
        .collect();
    println!("{}", check("acceptance.md", &wanted));
}
