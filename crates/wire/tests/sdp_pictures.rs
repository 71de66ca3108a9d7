//! Offers as telephones and servers send them, and what we make of them.
//!
//! Each `fixtures/sdp/*.sdp` has a `*.picture` beside it: how the offer is read, what is answered,
//! and what is agreed. A fixture without a picture fails, and so does a picture without a fixture.
//! `CONVOKE_DRAW=1 cargo test -p wire --test sdp_pictures` draws them again, to be read in the
//! difference before they are committed.

#![expect(clippy::unwrap_used, reason = "what a test is made of may fail as loudly as the test")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use wire::sdp::{
    self, Alternative, Description, Encoding, Format, Local, Negotiated, Parameters, Preference,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sdp")
}

/// The names of the files with this extension.
fn names(extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.sdp"))).unwrap()
}

fn local(is_ipv6: bool) -> Local {
    let address = if is_ipv6 { "[2001:db8::1]:40000" } else { "198.51.100.1:40000" };
    let codecs = vec![
        Encoding::Opus,
        Encoding::G722,
        Encoding::Pcma,
        Encoding::Pcmu,
        Encoding::TelephoneEvent,
        Encoding::ComfortNoise,
    ];
    Local::new(address.parse().unwrap(), codecs, 4_711)
}

#[test]
fn each_offer_is_answered_as_its_picture_shows() {
    let offers = names("sdp");
    assert!(offers.len() >= 20, "the fixtures are not where they should be");
    if std::env::var_os("CONVOKE_DRAW").is_some() {
        for name in &offers {
            fs::write(folder().join(format!("{name}.picture")), picture(&fixture(name))).unwrap();
        }
    }
    assert_eq!(offers, names("picture"));
    for name in offers {
        let expected = fs::read_to_string(folder().join(format!("{name}.picture"))).unwrap();
        assert_eq!(picture(&fixture(&name)), expected, "{name}");
    }
}

fn picture(bytes: &[u8]) -> String {
    let offer = Description::parse(bytes).unwrap();
    let is_ipv6 = offer.audio().is_some_and(|audio| audio.remote.is_ipv6());
    let local = local(is_ipv6);
    let mut text = String::from("# read\n");
    let origin = offer.origin();
    writeln!(text, "session {} version {}", origin.session_id, origin.version).unwrap();
    if let Some(audio) = offer.audio() {
        writeln!(text, "audio at {} {}", audio.remote, audio.direction).unwrap();
        for format in &audio.formats {
            writeln!(text, "  {}", line(format)).unwrap();
        }
    }
    match sdp::answer(&offer, &local) {
        Ok((answer, negotiated)) => {
            write!(text, "# answered\n{}", answer.replace('\r', "")).unwrap();
            write!(text, "# agreed\n{}", agreed(&negotiated)).unwrap();
            let ours_first = Local { prefer: Preference::Ours, ..local };
            let (_, negotiated) = sdp::answer(&offer, &ours_first).unwrap();
            writeln!(text, "by our preference {}", negotiated.codec.name()).unwrap();
        }
        Err(reason) => writeln!(text, "# refused\n{} {reason}", reason.warning_code()).unwrap(),
    }
    text
}

fn line(format: &Format) -> String {
    let Format { payload_type, encoding, clock_rate_hz, parameters } = format;
    let parameters = match parameters {
        Parameters::None => String::new(),
        Parameters::Opus(opus) => format!(" {opus:?}"),
        Parameters::Events(_) => " keys".to_owned(),
    };
    format!("{payload_type} {}/{clock_rate_hz}{parameters}", encoding.name())
}

fn agreed(negotiated: &Negotiated) -> String {
    let mut text = String::new();
    let Negotiated { codec, payload_type, ptime_ms, remote, direction, .. } = negotiated;
    let codec = codec.name();
    writeln!(text, "{codec} as {payload_type} every {ptime_ms} ms to {remote}").unwrap();
    writeln!(text, "we are {direction}, on hold: {}", negotiated.on_hold).unwrap();
    writeln!(text, "fec: {}", negotiated.fec()).unwrap();
    let rtcp = negotiated.rtcp.map(|to| to.to_string()).unwrap_or_default();
    writeln!(text, "rtcp to {rtcp}, multiplexed: {}", negotiated.rtcp_mux).unwrap();
    match negotiated.telephone_event {
        Some(event) => writeln!(text, "keys as {}/{}", event.payload_type, event.clock_rate_hz),
        None => writeln!(text, "no keys"),
    }
    .unwrap();
    for Alternative { receive_payload_type, encoding, clock_rate_hz } in &negotiated.alternatives {
        let encoding = encoding.name();
        writeln!(text, "or {encoding}/{clock_rate_hz} as {receive_payload_type}").unwrap();
    }
    if let Some(payload_type) = negotiated.comfort_noise {
        writeln!(text, "comfort noise as {payload_type}").unwrap();
    }
    text
}

/// What must hold for every description that can be read.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(offer) = Description::parse(bytes) else {
        return Ok(());
    };
    for is_ipv6 in [false, true] {
        let local = Local { previous: Some(offer.clone()), ..local(is_ipv6) };
        if let Ok((answer, negotiated)) = sdp::answer(&offer, &local) {
            let answer = Description::parse(answer.as_bytes()).expect("our answer can be read");
            prop_assert_eq!(answer.media_line_count(), offer.media_line_count());
            let audio = answer.audio().expect("our answer has audio");
            prop_assert_eq!(audio.direction, negotiated.direction);
            prop_assert_eq!(audio.formats[0].payload_type, negotiated.receive_payload_type);
            prop_assert_eq!(negotiated.ptime_ms % 10, 0);
            prop_assert!((10..=60).contains(&negotiated.ptime_ms));
        }
        let again = sdp::offer(&local);
        let again = Description::parse(again.as_bytes()).expect("our offer can be read");
        prop_assert!(again.media_line_count() >= offer.media_line_count());
        prop_assert!(again.audio().is_some());
        if let Ok(negotiated) = sdp::accept(&local, &offer) {
            prop_assert!(local.codecs.contains(&negotiated.codec));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        check(&bytes)?;
        check(&[b"v=0\n", &bytes[..]].concat())?;
    }

    #[test]
    fn any_lines_are_read_or_refused(
        lines in prop::collection::vec("[acmot]=[ -~]{0,40}", 0..20)
    ) {
        check(format!("v=0\n{}", lines.join("\n")).as_bytes())?;
    }

    #[test]
    fn mutated_fixtures_keep_their_lines_in_the_answer(
        which in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), 0_u8..4), 1..12),
    ) {
        let names: Vec<_> = names("sdp").into_iter().collect();
        let mut bytes = fixture(&names[which.index(names.len())]);
        for (index, value, kind) in changes {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes.insert(at, value),
                // Digits and lines matter most here.
                2 => bytes[at] = b'0' + value % 10,
                _ => {
                    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                    let line = lines[usize::from(value) % lines.len()].to_vec();
                    bytes.extend(line);
                }
            }
        }
        check(&bytes)?;
    }
}
