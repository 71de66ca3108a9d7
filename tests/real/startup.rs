//! How the program starts, and how it says that it cannot.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Output};

use crate::program::{Folder, convoke, ended, free_address, signal};
use crate::server::Server;
use crate::{shared_machine, until, whole_machine};

fn run(arguments: &[&str]) -> Output {
    let _machine = shared_machine();
    convoke(arguments).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Runs the program with what it cannot start with; it must say so in one line with these words.
fn assert_refused(arguments: &[&str], words: &[&str]) {
    let output = run(arguments);
    let (out, error) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    assert_eq!(out, "", "{arguments:?}");
    assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: no {word} in {error}");
    }
}

#[test]
fn check_says_that_a_file_is_in_order() {
    let folder = Folder::new();
    let file = folder.join("good.toml");
    std::fs::write(&file, "sip = \"127.0.0.1:5060\"\n[rooms.standup]\nrecord = true\n").unwrap();
    let output = run(&["check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).0.contains("in order"));
}

#[test]
fn check_says_what_is_wrong_with_a_file_and_in_which_line() {
    let folder = Folder::new();
    let file = folder.join("bad.toml");
    for (text, words) in [
        ("data = \"d\"\nspi = \"127.0.0.1:5060\"\n", ["line 2", "unknown field `spi`"]),
        ("\n\nrtp_ports = \"5-4\"\n", ["line 3", "LOW-HIGH"]),
        ("[rooms.a]\nrecord = 1\n", ["line 2", "boolean"]),
        ("sip = \n", ["line 1", "sip"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = run(&["check", file.to_str().unwrap()]);
        let error = said(&output).1;
        assert_eq!(output.status.code(), Some(1), "{text}");
        for word in words {
            assert!(error.contains(word), "no {word} in {error}");
        }
        assert!(error.contains("bad.toml"), "{error}");
    }
    assert_refused(&["check", "/nowhere.toml"], &["/nowhere.toml", "No such file"]);
}

#[test]
fn a_server_leaves_no_core_dump_for_it_holds_secrets() {
    let _machine = shared_machine();
    let server = Server::start(&["--rtp-ports", "62860-62879"]);
    let limits = format!("/proc/{}/limits", server.process.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "now, and as much as may be asked for: {line}");
}

#[test]
fn a_taken_port_is_told_in_one_line() {
    let folder = Folder::new();
    let data = folder.join("data").to_str().unwrap().to_owned();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = ["--http", "127.0.0.1:0", "--data", &data];
    assert_refused(&[&["--sip", &address], &free[..]].concat(), &[&address, "in use"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_refused(&[&["--sip", &address], &free[..]].concat(), &[&address, "in use"]);
    let free = ["--sip", "127.0.0.1:0", "--data", &data];
    assert_refused(&[&["--http", &address], &free[..]].concat(), &[&address, "in use"]);
}

#[test]
fn an_address_that_is_not_here_and_a_folder_that_cannot_be_are_told_in_one_line() {
    let folder = Folder::new();
    let data = folder.join("data").to_str().unwrap().to_owned();
    // 192.0.2.0/24 is for documentation (RFC 5737); nobody has it.
    let elsewhere = ["--sip", "192.0.2.1:5060", "--http", "127.0.0.1:0", "--data", &data];
    assert_refused(&elsewhere, &["192.0.2.1:5060"]);

    // Root may write everywhere but below a file.
    let file = folder.join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data").to_str().unwrap().to_owned();
    let unwritable = ["--sip", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", &below];
    assert_refused(&unwritable, &[&below]);
}

/// Whoever reads the log may be gone, and the disk that it goes to full: no call ends for that.
#[test]
fn a_server_goes_on_though_nothing_that_it_says_can_be_written() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let data = folder.join("data").to_str().unwrap().to_owned();
    let (sip, http) = (free_address().to_string(), free_address());
    let arguments = ["--sip", &sip, "--http", &http.to_string(), "--data", &data];
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut process = convoke(&[&arguments[..], &["--log", "debug"]].concat())
        .args(["--rtp-ports", "62880-62899"])
        .stdout(full())
        .stderr(full())
        .spawn()
        .unwrap();
    let asked = |process: &mut Child| {
        until("an answer", || {
            assert_eq!(process.try_wait().unwrap(), None, "it has ended");
            let mut page = TcpStream::connect(http).ok()?;
            page.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
            let mut answer = String::new();
            page.read_to_string(&mut answer).ok()?;
            answer.contains("200 OK").then_some(())
        });
    };
    asked(&mut process);
    // What is not SIP is told in the log.
    let mut stranger = TcpStream::connect(&sip).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stranger.read_to_end(&mut Vec::new()).unwrap();
    asked(&mut process);
    signal(&process, "INT");
    assert_eq!(ended("the server", &mut process).code(), Some(0));
}

#[test]
fn an_option_that_cannot_be_read_is_told_with_its_name() {
    for (option, value) in
        [("--sip", "here"), ("--http", "127.0.0.1"), ("--rtp-ports", "9-5"), ("--frobnicate", "1")]
    {
        let output = run(&[option, value]);
        assert!(!output.status.success());
        let error = said(&output).1;
        assert!(error.lines().next().unwrap().contains(option), "{error}");
    }
}

#[test]
fn help_names_each_option_and_its_variable() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let help = said(&output).0;
    for name in ["config", "sip", "http", "data", "rtp-ports", "log"] {
        assert!(help.contains(&format!("--{name} ")), "no --{name} in {help}");
        let variable = format!("CONVOKE_{}", name.to_uppercase().replace('-', "_"));
        assert!(help.contains(&variable), "no {variable} in {help}");
    }
    for subcommand in ["check", "demo"] {
        assert!(help.contains(subcommand), "no {subcommand} in {help}");
    }
}

#[test]
fn the_demo_tells_that_each_heard_the_others_and_not_themselves() {
    let _machine = whole_machine();
    let server = Server::start(&["--rtp-ports", "64400-64499"]);
    let (sip, http, data) = (server.sip.to_string(), server.http.to_string(), server.data());
    let output =
        convoke(&["demo", "--sip", &sip, "--http", &http, "--data"]).arg(&data).output().unwrap();
    let (table, error) = said(&output);
    assert_eq!(output.status.code(), Some(0), "{table}{error}");
    println!("{table}");
    assert_eq!(table.matches("yes").count(), 6, "{table}");
    let path = table.lines().find_map(|line| line.strip_prefix("Recording: ")).unwrap();
    let reader = hound::WavReader::open(path).unwrap();
    assert!(reader.duration() > 3 * reader.spec().sample_rate, "{} samples", reader.duration());
}

#[test]
fn the_demo_without_a_server_says_so() {
    let output = run(&["demo", "--sip", "127.0.0.1:1", "--http", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let error = said(&output).1;
    assert!(error.contains("127.0.0.1:1"), "{error}");
}
