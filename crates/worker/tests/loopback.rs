//! Media threads over real sockets on the loopback interface.
#![expect(clippy::disallowed_methods, reason = "real sockets take real time")]
#![allow(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use audio::tone::{Ear, Sine};
use audio::{Codec, Decoder, Encoder, EncoderSettings};
use media::{Clips, Music};
use model::limits::LEGS_MAX;
use model::routing::TapPlace;
use model::{
    ConferenceId, Connection, EarGroup, Gain, Hearing, LegId, MediaOrder, MediaReport, Place,
    RecordingId, Routing, Source, TapRate, VoiceGroup,
};
use wire::rtp::{Header, Rtp, write_header};
use worker::{Facts, Io, Settings, Workers};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const TONES_HZ: [f64; 3] = [437.0, 653.0, 877.0];
/// Long enough for any machine; a test that needs so long has failed.
const TRIES: usize = 1_500;

fn start(
    rtp_ports: std::ops::RangeInclusive<u16>,
    threads: usize,
    io: Io,
) -> (Workers, Receiver<MediaReport>) {
    let (told, reports) = mpsc::channel();
    let (music, clips) = (Music::silence(), Clips::default());
    let settings = Settings { threads, busy_us_max: 0, rtp_ports, seed: 1, io, music, clips };
    let workers = Workers::start(settings, move |report| told.send(report).unwrap()).unwrap();
    (workers, reports)
}

fn open(workers: &Workers, leg: u64) -> Result<SocketAddr, String> {
    open_in(workers, leg, 1)
}

fn open_in(workers: &Workers, leg: u64, conference: u64) -> Result<SocketAddr, String> {
    let conference = ConferenceId(conference);
    match workers.order(MediaOrder::Open { leg: LegId(leg), conference, local: LOCAL }) {
        Some(MediaReport::Opened { local, .. }) => Ok(local.rtp),
        Some(MediaReport::OpenFailed { reason, .. }) => Err(reason),
        other => panic!("an open is answered, and not {other:?}"),
    }
}

fn all_together(legs: std::ops::Range<u64>, recording: Option<RecordingId>) -> Routing {
    let (ear, voice) = (EarGroup(0), VoiceGroup(0));
    let place = |leg| Place { leg: LegId(leg), ear: Some(ear), voice: Some(voice) };
    Routing {
        places: legs.map(place).collect(),
        hears: vec![Hearing { ear, voice, gain: Gain::UNITY }],
        taps: recording.into_iter().map(|recording| TapPlace { recording, ear }).collect(),
        ..Routing::default()
    }
}

/// A telephone that speaks a tone and hears tones.
struct Phone {
    socket: UdpSocket,
    server: SocketAddr,
    sine: Sine,
    encoder: Encoder,
    decoder: Decoder,
    ear: Ear,
    sequence: u16,
    /// The SSRC and sequence number of each packet that came.
    came: Vec<(u32, u16)>,
}

impl Phone {
    fn new(tone: usize, server: SocketAddr) -> Phone {
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Phone {
            socket,
            server,
            sine: Sine::new(TONES_HZ[tone], 6_000, 8_000),
            encoder: Encoder::new(EncoderSettings::of(Codec::Pcmu)).unwrap(),
            decoder: Decoder::new(Codec::Pcmu).unwrap(),
            ear: Ear::new(&TONES_HZ, 8_000),
            sequence: 0,
            came: Vec::new(),
        }
    }

    fn terms(&self) -> Connection {
        Connection {
            codec: model::Codec::Pcmu,
            payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            alternatives: Vec::new(),
            ptime_ms: 20,
            fec: false,
            opus: Default::default(),
            remote: self.socket.local_addr().unwrap(),
            rtcp: model::Rtcp::Nowhere,
            voip_metrics: false,
            srtp: None,
            source: Source::Signalled { signalling: LOCAL },
            sends: true,
            receives: true,
            rtp_timeout_ms: None,
        }
    }

    /// Sends 20 ms, and hears what has come. Returns what it heard last.
    fn turn(&mut self) -> BTreeSet<usize> {
        let mut pcm = [0; 160];
        self.sine.fill(&mut pcm);
        let mut packet = [0; 172];
        let header = Header {
            payload_type: 0,
            marker: false,
            sequence: self.sequence,
            timestamp: u32::from(self.sequence) * 160,
            ssrc: 1,
        };
        write_header(&mut packet, &header);
        self.encoder.encode(&pcm, &mut packet[12..]);
        self.sequence += 1;
        assert_eq!(self.socket.send_to(&packet, self.server).unwrap(), 172);
        let mut bytes = [0; 1_500];
        while let Ok((length, from)) = self.socket.recv_from(&mut bytes) {
            assert_eq!(from, self.server);
            let rtp = Rtp::parse(&bytes[..length]).unwrap();
            self.came.push((rtp.ssrc, rtp.sequence));
            let samples = self.decoder.decode(rtp.payload, &mut pcm).unwrap();
            self.ear.push(&pcm[..samples]);
        }
        self.ear.heard()
    }
}

#[test]
fn telephones_in_one_conference_hear_each_other_and_the_recorder_hears_all() {
    let facts = telephones_hear_each_other(41_000..=41_100, Io::Auto);
    assert_eq!(facts.threads, 2);
    assert!(["io_uring", "epoll"].contains(&facts.io), "{}", facts.io);
}

#[test]
fn telephones_hear_each_other_where_there_is_no_io_uring() {
    assert_eq!(telephones_hear_each_other(41_400..=41_500, Io::Epoll).io, "epoll");
}

fn telephones_hear_each_other(ports: std::ops::RangeInclusive<u16>, io: Io) -> Facts {
    let (workers, reports) = start(ports, 2, io);
    let conference = ConferenceId(1);
    let mut phones = Vec::new();
    for leg in 0..3 {
        let server = open(&workers, leg).unwrap();
        let phone = Phone::new(leg as usize, server);
        workers.order(MediaOrder::Connect { leg: LegId(leg), connection: phone.terms() });
        phones.push(phone);
    }
    let recording = RecordingId(9);
    let (frames, mut recorded) = rtrb::RingBuffer::new(model::limits::TAP_FRAMES_QUEUED_MAX);
    workers.open_tap(conference, recording, TapRate::Hz8000, frames);
    let routing = all_together(0..3, Some(recording));
    workers.order(MediaOrder::Route { conference, routing });

    let mut recorder = Ear::new(&TONES_HZ, 8_000);
    let mut last_tick = None;
    let expected = [vec![1, 2], vec![0, 2], vec![0, 1], vec![0, 1, 2]].map(BTreeSet::from_iter);
    let mut heard = Vec::new();
    for _ in 0..TRIES {
        heard = phones.iter_mut().map(Phone::turn).collect();
        while let Ok(frame) = recorded.pop() {
            assert!(last_tick.is_none_or(|last| frame.tick == last + 1));
            last_tick = Some(frame.tick);
            recorder.push(&frame.samples[..160]);
        }
        heard.push(recorder.heard());
        if heard == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(heard, expected);

    let stats = workers.stats();
    assert!(stats.packets_in > 0 && stats.packets_out > 0 && stats.ticks > 0);
    assert_eq!(stats.ticks, stats.tick_us_buckets.iter().sum::<u64>());
    assert_eq!((stats.ports_open, stats.packets_refused), (3, 0));
    let facts = workers.facts();

    workers.order(MediaOrder::CloseTap { conference, recording });
    for _ in 0..TRIES {
        if recorded.is_abandoned() {
            break;
        }
        while recorded.pop().is_ok() {}
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(recorded.is_abandoned(), "the recorder is not told that nothing more comes");
    workers.stop();
    let talking = |leg| MediaReport::Talking { leg: LegId(leg), talking: true };
    let told: Vec<MediaReport> = reports.try_iter().collect();
    assert!((0..3).all(|leg| told.contains(&talking(leg))), "{told:?}");
    facts
}

#[test]
fn a_leg_goes_over_to_a_conference_of_another_thread_and_back_with_its_stream() {
    goes_over_and_back(41_600..=41_610, Io::Auto);
    goes_over_and_back(41_620..=41_630, Io::Epoll);
}

fn goes_over_and_back(ports: std::ops::RangeInclusive<u16>, io: Io) {
    let (workers, _reports) = start(ports, 2, io);
    let mut phones = Vec::new();
    // The first conference is on one thread, the other on the one that has nobody.
    for (leg, conference) in [(0, 1), (1, 1), (2, 2)] {
        let server = open_in(&workers, leg, conference).unwrap();
        let phone = Phone::new(leg as usize, server);
        workers.order(MediaOrder::Connect { leg: LegId(leg), connection: phone.terms() });
        phones.push(phone);
    }
    let route = |conference, legs| {
        let conference = ConferenceId(conference);
        workers.order(MediaOrder::Route { conference, routing: all_together(legs, None) });
    };
    let hear = |phones: &mut Vec<Phone>, expected: [&[usize]; 3]| {
        let expected = expected.map(|tones| tones.iter().copied().collect::<BTreeSet<_>>());
        let mut heard = Vec::new();
        for _ in 0..TRIES {
            heard = phones.iter_mut().map(Phone::turn).collect();
            if heard == expected {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(heard, expected);
    };
    route(1, 0..2);
    route(2, 2..3);
    hear(&mut phones, [&[1], &[0], &[]]);
    for (conference, others, expected) in
        [(2, 1..3, [&[][..], &[2], &[1]]), (1, 0..2, [&[1][..], &[0], &[]])]
    {
        let leg = LegId(1);
        workers.order(MediaOrder::Move { leg, conference: ConferenceId(conference) });
        // What is agreed meanwhile waits for it.
        let connection = phones[1].terms();
        workers.order(MediaOrder::Connect { leg, connection });
        let left = if conference == 2 { (1, 0..1) } else { (2, 2..3) };
        route(left.0, left.1);
        route(conference, others);
        hear(&mut phones, expected);
        assert_eq!(workers.stats().ports_open, 3);
    }
    let came = &phones[1].came;
    assert!(came.windows(2).all(|pair| pair[0].0 == pair[1].0), "it is one stream");
    let steps = came.windows(2).map(|pair| pair[1].1.wrapping_sub(pair[0].1));
    assert_eq!(steps.filter(|step| *step != 1).count(), 0);
    // One that is closed on its way is closed.
    workers.order(MediaOrder::Move { leg: LegId(1), conference: ConferenceId(2) });
    workers.order(MediaOrder::Close { leg: LegId(1) });
    for _ in 0..TRIES {
        if workers.stats().ports_open == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(workers.stats().ports_open, 2);
}

#[test]
fn when_ports_run_out_it_is_said_and_a_closed_one_can_be_had_again() {
    ports_run_out_and_can_be_had_again([41_202, 41_204], Io::Auto);
    ports_run_out_and_can_be_had_again([41_212, 41_214], Io::Epoll);
}

fn ports_run_out_and_can_be_had_again(ports: [u16; 2], io: Io) {
    let (workers, _reports) = start(ports[0] - 1..=ports[1] + 2, 1, io);
    let first = open(&workers, 1).unwrap();
    let second = open(&workers, 2).unwrap();
    assert_eq!([first.port(), second.port()], ports);
    open(&workers, 3).unwrap();
    let reason = open(&workers, 4).unwrap_err();
    assert!(reason.contains("in use"), "{reason}");
    assert!(open(&workers, 1).is_err(), "a leg has one port");

    workers.order(MediaOrder::Close { leg: LegId(2) });
    let mut again = Err(String::new());
    for _ in 0..TRIES {
        again = open(&workers, 5);
        if again.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(again, Ok(second));
    for leg in [1, 3, 5] {
        workers.order(MediaOrder::Close { leg: LegId(leg) });
    }
    workers.order(MediaOrder::CloseConference { conference: ConferenceId(1) });
    for _ in 0..TRIES {
        if workers.stats().ports_open == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(workers.stats().ports_open, 0);
}

#[test]
fn ports_for_all_legs_are_opened_at_once_and_for_one_more_it_is_refused() {
    let (workers, _reports) = start(50_000..=65_535, 2, Io::Auto);
    let legs = LEGS_MAX as u64;
    for leg in 0..legs {
        open_in(&workers, leg, leg / 4).unwrap();
    }
    open(&workers, legs).unwrap_err();
    assert!(workers.facts().descriptors > legs);
    for leg in 0..legs {
        workers.order(MediaOrder::Close { leg: LegId(leg) });
        if leg % 4 == 3 {
            let conference = ConferenceId(leg / 4);
            workers.order(MediaOrder::CloseConference { conference });
        }
    }
    for _ in 0..TRIES {
        if workers.stats().ports_open == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(workers.stats().ports_open, 0);
}

/// Whether no thread has turned for a quarter of a second.
fn sleeps(workers: &Workers) -> bool {
    let before = workers.stats().ticks;
    std::thread::sleep(Duration::from_millis(250));
    workers.stats().ticks == before
}

#[test]
fn a_thread_that_has_nobody_sleeps_until_somebody_comes() {
    let (workers, _reports) = start(41_400..=41_420, 2, Io::Auto);
    assert!((0..TRIES).any(|_| sleeps(&workers)));
    let server = open(&workers, 1).unwrap();
    let mut phone = Phone::new(0, server);
    workers.order(MediaOrder::Connect { leg: LegId(1), connection: phone.terms() });
    assert!((0..TRIES).any(|_| {
        phone.turn();
        std::thread::sleep(Duration::from_millis(5));
        workers.stats().packets_in > 0
    }));
    assert!(!sleeps(&workers), "it has somebody");
}

#[test]
fn a_range_without_a_port_is_refused() {
    let (music, clips) = (Music::silence(), Clips::default());
    let rtp_ports = 41_301..=41_301;
    let settings =
        Settings { threads: 1, busy_us_max: 0, rtp_ports, seed: 1, io: Io::Auto, music, clips };
    assert!(Workers::start(settings, |_| {}).is_err());
}
