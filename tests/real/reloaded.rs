//! SIGHUP: what a server takes anew while it serves, and what it says of the rest.

use crate::program::{Folder, signal};
use crate::server::Server;
use crate::{shared_machine, until};

const OLD: &str = "cvk_old_0123456789abcdef0123456789abcdef";
const NEW: &str = "cvk_new_0123456789abcdef0123456789abcdef";

/// The lines of an admin's token.
fn token(name: &str, token: &str) -> String {
    let (role, user, conference) = ("admin", None, None);
    convoke::tokens::TokenLines { name, role, user, conference, token }.to_string() + "\n"
}

fn write(folder: &Folder, text: &str) -> String {
    let path = folder.join("convoke.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn hang_up(server: &Server, times: usize) {
    signal(&server.process, "HUP");
    let told = |log: String| (log.matches("were read anew").count() == times).then_some(());
    until("the file read anew", || told(server.log()));
}

#[test]
fn a_token_that_is_taken_from_the_file_is_not_believed_any_more_and_a_new_one_is() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let path = write(&folder, &token("old", OLD));
    let server = Server::start(&["--rtp-ports", "63340-63359", "--config", &path]);
    let status = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.ask_with(&[("authorization", &bearer)], "GET", "conferences", "").0
    };
    assert_eq!((status(OLD), status(NEW)), (200, 401));
    write(&folder, &token("new", NEW));
    hang_up(&server, 1);
    assert_eq!((status(OLD), status(NEW)), (401, 200));
}

#[test]
fn what_is_taken_at_a_start_only_is_named_in_one_line_and_what_is_logged_is_taken() {
    let _machine = shared_machine();
    let folder = Folder::new();
    let sounds = folder.join("sounds");
    std::fs::create_dir(&sounds).unwrap();
    let prompts = format!("[prompts]\nfolder = \"{}\"\n", sounds.display());
    let path = write(&folder, &format!("session_expires_s = 1800\n{prompts}"));
    let server = Server::start(&["--rtp-ports", "63360-63379", "--config", &path]);
    hang_up(&server, 1);
    assert!(!server.log().contains("needs a restart"), "nothing is another");

    std::fs::copy("fixtures/audio/prompts/en/joining.wav", sounds.join("music.wav")).unwrap();
    write(
        &folder,
        &format!("session_expires_s = 95\nrtp_timeout_s = 7\nlog = \"debug\"\n{prompts}"),
    );
    hang_up(&server, 2);
    let told = "needs a restart: session_expires_s, rtp_timeout_s, prompts";
    until("what needs a restart", || server.log().contains(told).then_some(()));
    // What is not SIP is told at that level.
    drop(std::net::TcpStream::connect(server.sip).unwrap());
    until("more of a log", || server.log().contains("connection ended").then_some(()));

    write(&folder, &format!("session_expires_s = 1800\nlog = \"info,=,\"\n{prompts}"));
    hang_up(&server, 3);
    until("a complaint", || server.log().contains("logged stays as it was").then_some(()));
}
