//! What `convoke check` finds before a server is started.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::program::{Folder, convoke};
use crate::shared_machine;

/// What it says of a file with that text: its exit code, what it is told, and each complaint.
fn checked(folder: &Folder, text: &str) -> (Option<i32>, String, Vec<String>) {
    let _machine = shared_machine();
    let file = folder.join("convoke.toml");
    let text = format!("data = \"{}\"\n{text}", folder.join("data").display());
    std::fs::write(&file, text).unwrap();
    let output = convoke(&["check", file.to_str().unwrap()]).output().unwrap();
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(!folder.join("data").is_dir(), "it only looks");
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        lines.lines().map(str::to_owned).collect(),
    )
}

/// Writes a certificate that ends in that year, and its key.
fn write_certificate(folder: &Folder, name: &str, end_year: i32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["pbx.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(end_year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join(&format!("{name}.pem")), certificate.pem()).unwrap();
    std::fs::write(folder.join(&format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn tls(folder: &Folder, certificate: &str, key: &str) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        path(certificate),
        path(key)
    )
}

fn assert_told(complaints: &[String], words: &[&[&str]]) {
    assert_eq!(complaints.len(), words.len(), "{complaints:?}");
    for (complaint, words) in complaints.iter().zip(words) {
        for word in *words {
            assert!(complaint.contains(word), "no {word} in {complaint}");
        }
    }
}

#[test]
fn each_file_of_tls_that_cannot_be_used_is_told_in_a_line() {
    let folder = Folder::new();
    write_certificate(&folder, "good", 2100);
    write_certificate(&folder, "other", 2100);
    std::fs::write(folder.join("empty.pem"), "").unwrap();
    let (code, out, told) = checked(&folder, &tls(&folder, "good.pem", "good.key"));
    assert_eq!((code, told), (Some(0), Vec::new()));
    assert!(out.contains("in order"));

    let text = tls(&folder, "none.pem", "none.key")
        + &format!("client_roots = \"{}\"\n", folder.join("empty.pem").display())
        + &format!("roots = \"{}\"\n", folder.path().display());
    let (code, out, told) = checked(&folder, &text);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_told(
        &told,
        &[
            &["none.pem", "No such file"],
            &["none.key", "No such file"],
            &["empty.pem", "no certificate"],
            &[folder.path().to_str().unwrap(), "directory"],
        ],
    );

    let (code, _, told) = checked(&folder, &tls(&folder, "good.pem", "other.key"));
    assert_eq!(code, Some(1));
    assert_told(&told, &[&["good.pem", "other.key", "does not fit"]]);
}

#[test]
fn a_certificate_that_is_over_is_a_warning_for_a_server_starts_with_it() {
    let folder = Folder::new();
    write_certificate(&folder, "old", 2021);
    let (code, out, told) = checked(&folder, &tls(&folder, "old.pem", "old.key"));
    assert_eq!(code, Some(0), "{told:?}");
    assert!(out.contains("in order"), "{out}");
    assert_told(&told, &[&["warning", "old.pem", "2021-01-01"]]);
}

#[test]
fn what_is_seen_only_at_a_start_is_told_by_check_too() {
    let folder = Folder::new();
    std::fs::write(folder.join("data"), "").unwrap();
    let (code, _, told) = checked(&folder, "log = \"info,=,\"\nsip = \"192.0.2.1:5060\"\n");
    assert_eq!(code, Some(1));
    assert_told(&told, &[&["log"], &["data", "no folder"], &["warning", "192.0.2.1:5060"]]);
}

#[test]
fn a_folder_of_prompts_that_is_not_there_is_told() {
    let folder = Folder::new();
    let none = folder.join("sounds");
    let text = format!("[prompts]\nfolder = \"{}\"\n", none.display());
    let (code, _, told) = checked(&folder, &text);
    assert_eq!(code, Some(1));
    assert_told(&told, &[&[none.to_str().unwrap(), "No such file"]]);
    assert!(Path::new(&none).parent().unwrap().is_dir());
}
