//! Debian's baresip as a phone that speaks a tone and keeps what it hears.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use audio::tone::Sine;

use crate::program::{Folder, ended, free_address, signal};
use crate::server::Server;
use crate::{PATIENCE, until};

/// The only codec that a phone offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codec {
    /// As baresip's account says it.
    account: &'static str,
    /// As the API says it.
    pub(crate) name: &'static str,
    rate_hz: u32,
    channels: u16,
}

impl Codec {
    pub(crate) const PCMU: Codec =
        Codec { account: "PCMU/8000/1", name: "PCMU", rate_hz: 8_000, channels: 1 };
    pub(crate) const PCMA: Codec =
        Codec { account: "PCMA/8000/1", name: "PCMA", rate_hz: 8_000, channels: 1 };
    pub(crate) const G722: Codec =
        Codec { account: "G722/16000/1", name: "G722", rate_hz: 16_000, channels: 1 };
    /// baresip knows Opus in stereo only.
    pub(crate) const OPUS: Codec =
        Codec { account: "opus/48000/2", name: "OPUS", rate_hz: 48_000, channels: 2 };
}

/// Who calls, with what, over what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) codec: Codec,
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'static str,
    /// What it says [Hz].
    pub(crate) tone_hz: f64,
}

/// How loud a phone speaks: four of them together stay below full scale, so that no limiter adds
/// tones of its own.
const AMPLITUDE: i16 = 3_000;

/// For how long a phone can speak [s]: baresip ends a file's sound with the file.
const SPEECH_S: u32 = 60;

/// Bytes of a WAV file's head as libsndfile writes it.
const WAV_HEAD_BYTES: u64 = 44;

/// A phone in a call; it is killed when it is dropped.
pub(crate) struct Phone {
    caller: Caller,
    process: Child,
    folder: Folder,
    /// Where its keys are pressed.
    keys: SocketAddr,
}

impl Caller {
    /// Dials a room.
    pub(crate) fn call(self, server: &Server, room: &str) -> Phone {
        self.call_with(server, room, "")
    }

    /// The same, with more parameters of the account.
    pub(crate) fn call_with(self, server: &Server, room: &str, more: &str) -> Phone {
        let account =
            format!("<sip:{}@127.0.0.1;transport={}>;regint=0{more}", self.name, self.transport);
        self.dial(server, room, &account)
    }

    /// Registers with a password, and dials a room.
    pub(crate) fn register(self, server: &Server, password: &str, room: &str) -> Phone {
        let Caller { name, transport, .. } = self;
        let account = format!(
            "<sip:{name}@{};transport={transport}>;auth_user={name};auth_pass={password};regint=60",
            server.sip
        );
        self.dial(server, room, &account)
    }

    /// Registers, waits on its hook, and answers whoever calls.
    pub(crate) fn on_duty(self, server: &Server) -> Phone {
        let Caller { name, transport, .. } = self;
        let at = server.sip;
        let account = format!("<sip:{name}@{at};transport={transport}>;regint=60;answermode=auto");
        self.start(&free_address().to_string(), &account, &[])
    }

    /// Waits on its hook, and answers whoever calls; gives its address, too.
    pub(crate) fn wait(self) -> (Phone, String) {
        self.wait_with("")
    }

    /// The same, with more parameters of the account.
    pub(crate) fn wait_with(self, more: &str) -> (Phone, String) {
        let address = free_address();
        let Caller { name, transport, .. } = self;
        let account =
            format!("<sip:{name}@127.0.0.1;transport={transport}>;regint=0;answermode=auto{more}");
        let phone = self.start(&address.to_string(), &account, &[]);
        (phone, format!("sip:{name}@{address}"))
    }

    fn dial(self, server: &Server, room: &str, account: &str) -> Phone {
        // baresip adds its account's transport.
        let at = match (self.transport, &server.tls) {
            ("tls", Some(tls)) => tls.sip,
            _ => server.sip,
        };
        let dial = format!("/dial sip:{room}@{at}");
        // With port 0, or the second phone finds baresip's own default taken.
        self.start("127.0.0.1:0", account, &["-e", &dial])
    }

    fn start(self, listen: &str, account: &str, more: &[&str]) -> Phone {
        let folder = Folder::new();
        self.write_speech(&folder.join("speech.wav"));
        let keys = free_address();
        std::fs::write(folder.join("config"), self.config(folder.path(), keys, listen)).unwrap();
        let account = format!("{account};audio_codecs={}\n", self.codec.account);
        std::fs::write(folder.join("accounts"), account).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let process = Command::new("baresip")
            .args(["-v", "-s"])
            .args(more)
            .arg("-f")
            .arg(folder.path())
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip is installed by tests/packages");
        Phone { caller: self, process, folder, keys }
    }

    /// baresip's ausine speaks at a loudness of its own, and four of them overdrive the room; so
    /// it plays a file. The file has the codec's rate, and then nothing is resampled on the way.
    fn write_speech(&self, path: &Path) {
        let Codec { rate_hz, channels, .. } = self.codec;
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec).unwrap();
        let mut tone = Sine::new(self.tone_hz, AMPLITUDE, rate_hz);
        for _ in 0..SPEECH_S * rate_hz {
            let sample = tone.next_sample();
            (0..channels).for_each(|_| file.write_sample(sample).unwrap());
        }
        file.finalize().unwrap();
    }

    /// `net_interface` takes an address, and without it baresip passes over loopback; sndfile
    /// writes what is decoded; aubridge with a device of which there is no other end swallows it.
    fn config(&self, folder: &Path, keys: SocketAddr, listen: &str) -> String {
        let folder = folder.display();
        let Codec { rate_hz, channels, .. } = self.codec;
        format!(
            "sip_listen {listen}\n\
             net_interface 127.0.0.1\n\
             audio_source aufile,{folder}/speech.wav\n\
             audio_player aubridge,nobody\n\
             audio_alert aubridge,nobody\n\
             ausrc_srate {rate_hz}\n\
             ausrc_channels {channels}\n\
             auplay_srate {rate_hz}\n\
             auplay_channels {channels}\n\
             jitter_buffer_delay 5-10\n\
             rtp_ports 33000-60999\n\
             rtcp_mux no\n\
             snd_path {folder}\n\
             module_path /usr/lib/baresip/modules\n\
             module g711.so\n\
             module g722.so\n\
             module opus.so\n\
             module srtp.so\n\
             module aufile.so\n\
             module aubridge.so\n\
             module sndfile.so\n\
             module_tmp account.so\n\
             module_app menu.so\n\
             statmode_default off\n\
             module_app ctrl_tcp.so\n\
             ctrl_tcp_listen {keys}\n"
        )
    }
}

impl Phone {
    /// Presses a key by the name that baresip's menu gives it, and waits until that is done. A
    /// request is a netstring of JSON, and so is the answer; events come between.
    pub(crate) fn press(&self, key: &str, with: &str) {
        let request = serde_json::json!({ "command": key, "params": with }).to_string();
        let mut stream = TcpStream::connect(self.keys).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{}:{request},", request.len()).unwrap();
        let (mut told, mut bytes) = (String::new(), [0; 2_048]);
        while !told.contains(r#""response":true"#) {
            let length = stream.read(&mut bytes).unwrap();
            assert!(length > 0, "{key}: no answer in {told}");
            told += &String::from_utf8_lossy(&bytes[..length]);
        }
        assert!(told.contains(r#""response":true,"ok":true"#), "{key}: {told}");
    }

    /// What it wrote into its log so far.
    pub(crate) fn said(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// How much it has heard so far [ms].
    pub(crate) fn heard_ms(&self) -> u64 {
        let Codec { rate_hz, channels, .. } = self.caller.codec;
        let bytes = self.heard_file().map_or(0, |path| path.metadata().unwrap().len());
        let bytes_per_ms = u64::from(rate_hz) / 1_000 * u64::from(channels) * 2;
        bytes.saturating_sub(WAV_HEAD_BYTES) / bytes_per_ms
    }

    /// What it has heard so far from there on [ms], in mono, and its rate [Hz].
    pub(crate) fn heard_from(&self, from_ms: u64) -> (Vec<i16>, u32) {
        let Codec { rate_hz, channels, .. } = self.caller.codec;
        let bytes = self.heard_file().map_or(Vec::new(), |path| std::fs::read(path).unwrap());
        let frame_bytes = 2 * usize::from(channels);
        let begin =
            WAV_HEAD_BYTES as usize + from_ms as usize * (rate_hz / 1_000) as usize * frame_bytes;
        // baresip decodes Opus to two like channels.
        let frames = bytes.get(begin..).unwrap_or_default().chunks_exact(frame_bytes);
        (frames.map(|frame| i16::from_le_bytes([frame[0], frame[1]])).collect(), rate_hz)
    }

    /// Hangs up, and gives the file of all that it heard, which is gone with the phone.
    pub(crate) fn hang_up(&mut self) -> PathBuf {
        signal(&self.process, "TERM");
        ended("baresip", &mut self.process);
        self.heard_file().expect("baresip heard something")
    }

    /// Its machine stops, and says nothing about it.
    pub(crate) fn freeze(&self) {
        signal(&self.process, "STOP");
    }

    /// sndfile names its files by the time, and ends them by what they hold.
    fn heard_file(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.to_string_lossy().ends_with("-dec.wav"))
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        // Killing one that has ended by itself is no error.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if std::thread::panicking() {
            let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
            eprintln!("{} said:\n{}", self.caller.name, String::from_utf8_lossy(&log));
        }
    }
}

/// Waits until each of these phones has heard so much more [ms].
pub(crate) fn listen<'a>(phones: impl IntoIterator<Item = &'a Phone>, more_ms: u64) {
    let phones: Vec<(&Phone, u64)> =
        phones.into_iter().map(|phone| (phone, phone.heard_ms() + more_ms)).collect();
    until(&format!("{more_ms} ms of sound"), || {
        phones.iter().all(|(phone, end_ms)| phone.heard_ms() >= *end_ms).then_some(())
    });
}
