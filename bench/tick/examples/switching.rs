//! What a listener hears of an Opus voice that is passed on to it as it is, mixed for it, or now
//! the one and now the other. Writes WAV files for `bench/switching` to score.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use audio::tone::Sine;
use audio::{Decoder, Encoder, EncoderSettings, Resampler};
use media::{Desk, Music, Outbox, PortKey, Stage};
use model::{
    Codec, ConferenceId, EarGroup, Gain, Hearing, LegId, MediaOrder, Place, Routing, VoiceGroup,
};
use wire::rtp::{HEADER_BYTES, Header, Packet, Rtp, classify, write_header};

const PAYLOAD_TYPE: u8 = 96;
/// Rates of the fixtures, which is also what is scored, and of Opus \[Hz\].
const SCORED_HZ: u32 = 16_000;
const OPUS_HZ: u32 = 48_000;
const PACKET: usize = OPUS_HZ as usize / 50;
const TURNS: usize = 4;
const TURN_US: u64 = 5_000;
/// Silence before the sentence, in which delays settle, and after it \[packets\].
const AROUND: usize = 250;
/// How loud the other speaks, and how much of that is heard: so little that no sample changes.
const AMPLITUDE: i16 = 6_000;
const NEXT_TO_NOTHING: Gain = Gain(1);

/// When somebody else speaks, so that the sentence has to be mixed with that.
#[derive(Clone, Copy)]
enum Other {
    Never,
    Always,
    /// On for so many packets, off for as many.
    InTurns(usize),
}

impl Other {
    fn sounds(self, packet: usize) -> bool {
        match self {
            Other::Never => false,
            Other::Always => true,
            Other::InTurns(packets) => (packet / packets).is_multiple_of(2),
        }
    }
}

#[expect(clippy::print_stdout, reason = "what it tells is for a script to read")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (out, voices) = words.split_first().expect("say OUT VOICE.wav …");
    for voice in voices {
        let name = Path::new(voice).file_stem().expect("a file").to_string_lossy().into_owned();
        let said = sentence(voice);
        let reference = heard_directly(&said);
        write(&format!("{out}/{name}.reference.wav"), &reference);
        for (way, other) in [
            ("passed on", Other::Never),
            ("mixed", Other::Always),
            ("in turns of 1 s", Other::InTurns(50)),
            ("in turns of 200 ms", Other::InTurns(10)),
        ] {
            let (heard, encodes) = heard_in_a_room(&said, other);
            write(&format!("{out}/{name}.{way}.wav"), &heard);
            println!("{name}\t{way}\t{encodes}\t{}", said.len());
        }
    }
}

/// A voice at 16 kHz as the payloads that a phone sends.
fn sentence(path: &str) -> Vec<Vec<u8>> {
    let mut reader = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!(reader.spec().sample_rate, SCORED_HZ);
    let mut voice: Vec<i16> = reader.samples().map(|sample| sample.expect("a sample")).collect();
    voice.resize(voice.len().next_multiple_of(SCORED_HZ as usize / 50), 0);
    let mut wide = vec![0; voice.len() * 3];
    Resampler::new(SCORED_HZ, OPUS_HZ).process(&voice, &mut wide);
    let silence = vec![0; AROUND * PACKET];
    encode(&[&silence[..], &wide, &silence].concat())
}

fn encode(pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = encoder();
    let mut bytes = vec![0; audio::limits::PAYLOAD_BYTES_MAX];
    pcm.chunks(PACKET)
        .map(|frame| {
            let length = encoder.encode(frame, &mut bytes);
            bytes[..length].to_vec()
        })
        .collect()
}

fn encoder() -> Encoder {
    Encoder::new(EncoderSettings::of(audio::Codec::Opus)).expect("plain settings are sound")
}

/// The sentence as it would be heard without anybody between.
fn heard_directly(payloads: &[Vec<u8>]) -> Vec<i16> {
    let mut ear = Ear::new();
    payloads.iter().for_each(|payload| ear.hear(payload));
    ear.narrowed()
}

/// A phone's decoder.
struct Ear {
    decoder: Decoder,
    pcm: Vec<i16>,
}

impl Ear {
    fn new() -> Ear {
        let decoder = Decoder::new(audio::Codec::Opus).expect("libopus has a decoder");
        Ear { decoder, pcm: Vec::new() }
    }

    fn hear(&mut self, payload: &[u8]) {
        let at = self.pcm.len();
        self.pcm.resize(at + PACKET, 0);
        self.decoder.decode(payload, &mut self.pcm[at..]).expect("what is sent can be decoded");
    }

    fn narrowed(&self) -> Vec<i16> {
        let mut narrow = vec![0; self.pcm.len() / 3];
        Resampler::new(OPUS_HZ, SCORED_HZ).process(&self.pcm, &mut narrow);
        narrow
    }
}

/// What the third of a room hears, and how often something was encoded for it or anybody.
fn heard_in_a_room(said: &[Vec<u8>], other: Other) -> (Vec<i16>, u64) {
    let (mut desk, mut stage) = (Desk::new(1), Stage::new(Music::silence()));
    let (conference, local) = (ConferenceId(0), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut order = |desk: &mut Desk, order: MediaOrder| {
        stage.apply(desk.compile(&order).expect("the orders fit each other"));
    };
    let phones = [0, 1, 2].map(|number| {
        let (leg, address) = (LegId(number), SocketAddr::new(local, 10_000 + number as u16));
        order(&mut desk, MediaOrder::Open { leg, conference, local });
        let connection = tick::terms(Codec::Opus, address, PAYLOAD_TYPE);
        order(&mut desk, MediaOrder::Connect { leg, connection });
        (desk.port(leg).expect("the leg was opened"), address)
    });
    let ear = EarGroup(0);
    let voice = |leg: u64| VoiceGroup(leg as u16);
    let place = |leg| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice(leg)) };
    let hears = [Gain::UNITY, NEXT_TO_NOTHING, Gain::UNITY];
    let hears = (0..).zip(hears).map(|(leg, gain)| Hearing { ear, voice: voice(leg), gain });
    let (places, hears) = ((0..3).map(place).collect(), hears.collect());
    let routing = Routing { places, hears, ..Routing::default() };
    order(&mut desk, MediaOrder::Route { conference, routing });
    let mut spoken = vec![0; said.len() * PACKET];
    let mut sine = Sine::new(437.0, AMPLITUDE, OPUS_HZ);
    let frames = spoken.chunks_mut(PACKET).enumerate();
    frames.filter(|(packet, _)| other.sounds(*packet)).for_each(|(_, frame)| sine.fill(frame));
    let silence = encode(&vec![0; said.len() * PACKET]);
    let spoken = encode(&spoken);
    let says = said.iter().zip(&spoken).zip(&silence).enumerate();
    let mut outbox = Outbox::new();
    let mut listener = Ear::new();
    for (packet, ((voice, other), silence)) in says {
        let arrival_us = (packet * TURNS) as u64 * TURN_US;
        for ((ssrc, (port, address)), says) in (0..).zip(phones).zip([voice, other, silence]) {
            stage.receive(port, address, arrival_us, &rtp(ssrc, packet, says));
        }
        for turn in packet * TURNS..(packet + 1) * TURNS {
            outbox.clear();
            stage.turn(turn as u64, &mut outbox);
            listen(&outbox, phones[2].0, &mut listener);
            while stage.next_report().is_some() || stage.next_spent().is_some() {}
        }
    }
    (listener.narrowed(), stage.stats().encodes)
}

fn listen(outbox: &Outbox, port: PortKey, listener: &mut Ear) {
    let sent = outbox.iter().filter(|sent| sent.port == port);
    for sound in sent.filter(|sent| classify(sent.bytes) == Packet::Rtp) {
        listener.hear(Rtp::parse(sound.bytes).expect("what is sent is RTP").payload);
    }
}

fn rtp(ssrc: u32, packet: usize, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    let header = Header {
        payload_type: PAYLOAD_TYPE,
        marker: false,
        sequence: packet as u16,
        timestamp: (packet * PACKET) as u32,
        ssrc,
    };
    write_header(&mut bytes, &header);
    bytes.extend_from_slice(payload);
    bytes
}

fn write(path: &str, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SCORED_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("the folder is there");
    for sample in samples {
        writer.write_sample(*sample).expect("there is room");
    }
    writer.finalize().expect("there is room");
}
