//! `convoke demo`: three calls that speak, and a table of who heard whom.
//!
//! The phones are real to the server: SIP and RTP over loopback sockets. Who is heard is found by
//! listening: what a phone received is laid over each voice at every delay up to half a second.

mod hearing;
mod http;
mod line;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use audio::Codec;
use serde_json::{Value, json};

use crate::phone::{CallState, Voice};
use line::Lines;

/// The conference that the demo calls; whoever dials it meanwhile hears it.
const CONFERENCE: &str = "demo";

/// How long they speak [ms].
const SPEAKING_MS: u64 = 6_000;

/// How long the calls may take to come up [ms].
const CONNECTING_MS_MAX: u64 = 5_000;

/// One speaker: name, codec, recording.
struct Speaker {
    name: &'static str,
    codec: Codec,
    wav: &'static [u8],
}

const SPEAKERS: [Speaker; 3] = [
    Speaker {
        name: "Alice",
        codec: Codec::Pcmu,
        wav: include_bytes!("../fixtures/audio/alice.wav"),
    },
    Speaker { name: "Bob", codec: Codec::G722, wav: include_bytes!("../fixtures/audio/bob.wav") },
    Speaker {
        name: "Carol",
        codec: Codec::Opus,
        wav: include_bytes!("../fixtures/audio/carol.wav"),
    },
];

/// Plays the demo against a running server; what it says is for people.
///
/// # Errors
/// The server cannot be reached, a call fails, or somebody does not hear whom they should.
pub async fn play(sip: SocketAddr, http: SocketAddr, data: &Path) -> Result<String> {
    let voices = SPEAKERS.iter().map(|s| samples(s.wav)).collect::<Result<Vec<_>>>()?;
    let mut lines = Lines::open(sip, &SPEAKERS.map(|speaker| (speaker.name, speaker.codec)))?;
    lines.each(|phone, now| phone.call(now, CONFERENCE));
    let up = |lines: &Lines| lines.phones().all(|phone| *phone.state() == CallState::Up);
    lines.run_until(Duration::from_millis(CONNECTING_MS_MAX), up).await?;
    for (speaker, phone) in SPEAKERS.iter().zip(lines.phones()) {
        if *phone.state() != CallState::Up {
            bail!(
                "{}'s call to sip:{CONFERENCE}@{sip} did not come up: {:?}. Does the server run?",
                speaker.name,
                phone.state(),
            );
        }
    }
    let recording = record(http, true).await?;

    let mut voice = voices.iter();
    lines.each(|phone, _| {
        phone.take_heard();
        let samples = voice.next().cloned().unwrap_or_default();
        phone.say(Voice::Recording(samples));
    });
    lines.run_until(Duration::from_millis(SPEAKING_MS), |_| false).await?;
    let mut heard = Vec::new();
    lines.each(|phone, _| heard.push((phone.take_heard(), phone.rate_hz())));

    record(http, false).await?;
    lines.each(|phone, now| phone.hang_up(now));
    let ended = |lines: &Lines| lines.phones().all(crate::phone::Phone::is_idle);
    lines.run_until(Duration::from_secs(2), ended).await?;

    let voices: Vec<Vec<f32>> =
        voices.iter().map(|voice| hearing::at_8_khz(voice, 16_000)).collect();
    let mut table = Table::new();
    for (listener, (samples, rate_hz)) in heard.iter().enumerate() {
        let heard = hearing::at_8_khz(samples, *rate_hz);
        let strengths: Vec<f32> =
            voices.iter().map(|voice| hearing::strength(&heard, voice)).collect();
        table.row(listener, &strengths);
    }
    let path = data.join("recordings").join(format!("{recording}.wav"));
    let place = if path.is_file() {
        path.display().to_string()
    } else {
        format!("http://{http}/api/v1/recordings/{recording}")
    };
    if !table.as_it_should_be {
        bail!("somebody did not hear whom they should:\n{}", table.text);
    }
    Ok(format!("{}\nEach heard the others and not themselves.\nRecording: {place}", table.text))
}

/// Starts or stops the recording; gives its id.
async fn record(server: SocketAddr, on: bool) -> Result<String> {
    let path = format!("/api/v1/conferences/{CONFERENCE}/recording");
    let answer = http::request(server, "PUT", &path, &json!({ "on": on })).await?;
    let recording = answer.get("recording").and_then(Value::as_str);
    Ok(recording.context("the server's answer names no recording")?.to_owned())
}

fn samples(wav: &[u8]) -> Result<Vec<i16>> {
    let reader = hound::WavReader::new(wav)?;
    Ok(reader.into_samples().collect::<Result<_, _>>()?)
}

/// Who heard whom, row by row.
struct Table {
    text: String,
    as_it_should_be: bool,
}

impl Table {
    fn new() -> Table {
        let mut text = format!("{:<14}", "hears:");
        for speaker in &SPEAKERS {
            text += &format!("{:<12}", speaker.name);
        }
        text.push('\n');
        Table { text, as_it_should_be: true }
    }

    fn row(&mut self, listener: usize, strengths: &[f32]) {
        let Speaker { name, codec, .. } = &SPEAKERS[listener];
        let codec = format!("{codec:?}").to_uppercase();
        self.text += &format!("{:<14}", format!("{name} ({codec})"));
        for (speaker, strength) in strengths.iter().enumerate() {
            let heard = *strength > hearing::HEARD_MIN;
            self.as_it_should_be &= heard == (speaker != listener);
            let word = match (heard, speaker == listener) {
                (true, true) => "ITSELF!",
                (true, false) => "yes",
                (false, true) => "–",
                (false, false) => "NO!",
            };
            self.text += &format!("{:<12}", format!("{word} {:.0} %", 100.0 * strength));
        }
        self.text = self.text.trim_end().to_owned();
        self.text.push('\n');
    }
}
