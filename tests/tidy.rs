//! The laws of the tree. Each is a test; each says what it holds and why.
#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crate may use which: the arrows of ARCHITECTURE.md. A new one is talked about first.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("audio", &[]),
    ("wire", &[]),
    ("sip", &[]),
    ("media", &["audio", "model", "wire"]),
    ("call", &["model"]),
    ("switchboard", &["call", "model", "sip", "wire"]),
    ("gateway", &["sip"]),
    ("worker", &["media", "model"]),
    ("vault", &["model"]),
    ("api", &["model"]),
];

/// What decides, and so must not touch the world.
const PURE: &[&str] = &["model", "audio", "wire", "sip", "media", "call", "switchboard"];

/// Words that touch the world.
const WORLD: &[&str] = &[
    "tokio",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "thread::spawn",
    "std::fs",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::env::var",
    "Mutex",
    "RwLock",
    "tracing::",
];

/// Where `unsafe` may stand: beside codecs in C, and beside system calls.
const UNSAFE: &[&str] = &["audio", "worker"];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["Manager", "Handler", "Helper", "Util", "Utils", "Context"];

/// Lines in a file, tests beside the code included. When it presses, a noun is missing.
const FILE_LINES_MAX: usize = 600;

/// Columns in a line: two files side by side.
const COLUMNS_MAX: usize = 100;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, in order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    ["src", "crates", "tests", "bench"].iter().flat_map(|at| rust_files(&root().join(at))).collect()
}

/// A file's lines that are compiled into the product: without comments, and up to its tests.
fn product_lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let in_tests = path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem == "tests");
    if in_tests {
        return Vec::new();
    }
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line.to_owned()))
        .collect()
}

fn fail_if_any(law: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{law}\n{}", broken.join("\n"));
}

#[test]
fn crates_use_each_other_only_as_drawn() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut broken = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let Some(allowed) = arrows.get(name.as_str()) else {
            broken.push(format!("{name} is not drawn"));
            continue;
        };
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            broken.push(format!("{name} does not follow the workspace's lints"));
        }
        let uses = manifest.get("dependencies").and_then(toml::Value::as_table);
        for (used, how) in uses.into_iter().flatten() {
            if how.get("path").is_some() && !allowed.contains(&used.as_str()) {
                broken.push(format!("{name} → {used}"));
            }
        }
    }
    fail_if_any("arrows that are not drawn in ARCHITECTURE.md:", broken);
}

#[test]
fn what_decides_does_not_touch_the_world() {
    let mut broken = Vec::new();
    for name in PURE {
        for path in rust_files(&root().join("crates").join(name).join("src")) {
            for (at, line) in product_lines(&path) {
                if let Some(word) = WORLD.iter().find(|word| line.contains(*word)) {
                    broken.push(format!("{}:{at}: {word}", path.display()));
                }
            }
        }
    }
    fail_if_any("words that touch the world in a pure crate:", broken);
}

#[test]
fn unsafe_stands_only_beside_codecs_and_system_calls() {
    let mut broken = Vec::new();
    for path in all_rust_files() {
        let allowed = UNSAFE.iter().any(|name| path.starts_with(root().join("crates").join(name)));
        for (at, line) in product_lines(&path) {
            let word = line.contains("unsafe ") || line.contains("unsafe{");
            if word && !allowed {
                broken.push(format!("{}:{at}", path.display()));
            }
        }
    }
    fail_if_any("unsafe outside audio and worker:", broken);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for name in UNSAFE {
        for path in rust_files(&root().join("crates").join(name).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                if line.contains("unsafe {") && !line.trim_start().starts_with("//") {
                    let above = lines[at.saturating_sub(8)..at].join("\n");
                    if !above.contains("SAFETY:") {
                        broken.push(format!("{}:{}", path.display(), at + 1));
                    }
                }
            }
        }
    }
    fail_if_any("unsafe blocks without a SAFETY comment:", broken);
}

#[test]
fn names_say_something() {
    let mut broken = Vec::new();
    for path in all_rust_files() {
        for (at, line) in product_lines(&path) {
            let declared = ["struct ", "enum ", "trait ", "mod "]
                .iter()
                .find_map(|word| line.split_once(word).map(|(_, rest)| rest));
            let Some(declared) = declared else { continue };
            let name: String =
                declared.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let empty = |word: &&&str| name.ends_with(**word) || name == word.to_lowercase();
            if EMPTY_NAMES.iter().any(|word| empty(&word)) {
                broken.push(format!("{}:{at}: {name}", path.display()));
            }
        }
    }
    fail_if_any("names that say nothing:", broken);
}

#[test]
fn no_result_is_thrown_away() {
    let mut broken = Vec::new();
    for path in all_rust_files() {
        for (at, line) in product_lines(&path) {
            if line.trim_start().starts_with("let _ =") {
                broken.push(format!("{}:{at}", path.display()));
            }
        }
    }
    fail_if_any("results that are thrown away:", broken);
}

#[test]
fn rooms_are_small() {
    let mut broken = Vec::new();
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        if text.lines().count() > FILE_LINES_MAX {
            broken.push(format!("{}: {} lines", path.display(), text.lines().count()));
        }
        for (at, line) in text.lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX {
                broken.push(format!(
                    "{}:{}: {} columns",
                    path.display(),
                    at + 1,
                    line.chars().count()
                ));
            }
        }
    }
    fail_if_any("files and lines that are too long:", broken);
}
