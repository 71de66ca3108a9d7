//! RTCP of one leg (RFC 3550 section 6): what is told to the far end, and what it tells.

use std::net::SocketAddr;
use std::time::Duration;

use model::{Chance, Codec, Connection, FarQuality, Quality};
use wire::rtcp::{Compound, Packet, Report, ReportBlock, SenderInfo, ntp_middle};
use wire::rtp::Rtp;

use crate::extended::{Listening, Told};
use crate::limits::{PACKETS_KNOWN_MAX, QUALITY_EVERY_US, RTCP_BYTES_MAX, RTCP_EVERY_US};
use crate::quality::{mos, rating};
use crate::reception::{Count, Reception};

/// Characters of a CNAME: 96 random bits in base 64 (RFC 7022 section 4.2).
const CNAME_LENGTH: usize = 16;

const BASE_64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A name that says nothing about anybody.
#[derive(Debug, Clone, Copy)]
struct Cname([u8; CNAME_LENGTH]);

impl Cname {
    fn new(chance: &mut Chance) -> Cname {
        Cname(std::array::from_fn(|_| BASE_64[(chance.draw() >> 58) as usize]))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

/// The far end's last sender report.
#[derive(Debug, Clone, Copy)]
struct Heard {
    middle: u32,
    arrival_us: u64,
}

/// How the far end says that it receives us.
#[derive(Debug, Clone, Copy)]
struct Far {
    fraction_lost: u8,
    /// \[ticks of the RTP clock\]
    jitter: u32,
    round_trip: Option<Duration>,
}

/// How far our stream came by the far end's reports.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    /// The highest sequence number that it told of, and what was sent by then.
    last: Option<u32>,
    sent: u32,
    nothing_arrives: bool,
}

impl Reach {
    /// Takes in a report: the highest number that came, if it knows of our stream at all. One that
    /// tells nothing new while we sent says that nothing arrives.
    fn tell(&mut self, highest: Option<u32>, sent: u32) {
        if highest.is_some() && highest != self.last {
            *self = Reach { last: highest, sent, nothing_arrives: false };
        } else if sent.wrapping_sub(self.sent) >= PACKETS_KNOWN_MAX {
            (self.sent, self.nothing_arrives) = (sent, true);
        }
    }
}

/// What a leg's stream of ours has sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) ssrc: u32,
    /// The timestamp of the instant at which the report is made. None before the first tick.
    pub(crate) timestamp: Option<u32>,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// What of a leg's sound was spoilt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spoilt {
    /// Packets that came too late.
    pub(crate) late: u64,
    /// Frames that were made up, at least in part.
    pub(crate) concealed: u64,
    /// Packets that were not made with its key.
    pub(crate) unauthentic: u64,
}

/// How a leg's audio is coded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coding {
    /// What it is sent, and the clock of that.
    pub(crate) codec: Codec,
    pub(crate) fec: bool,
    pub(crate) clock_hz: u32,
    /// What comes from it, and the clock of that.
    pub(crate) heard: Codec,
    pub(crate) heard_clock_hz: u32,
}

/// A leg's RTCP for its life, whatever is agreed.
#[derive(Debug)]
pub(crate) struct Control {
    cname: Cname,
    chance: Chance,
    /// When the next report is sent. None until something is agreed.
    report_us: Option<u64>,
    /// When the figures are told next.
    quality_us: Option<u64>,
    pub(crate) reception: Reception,
    pub(crate) extended: Told,
    heard: Option<Heard>,
    far: Option<Far>,
    /// Loss that the far end told and nobody asked for yet \[percent\].
    loss_told: Option<f64>,
    /// What it told of our stream.
    reach: Reach,
    /// RTCP of the far end so far.
    pub(crate) came: u32,
    /// Whence its RTCP came.
    pub(crate) learnt: Option<SocketAddr>,
    /// Packets sent when the last report was made, and the one before.
    reported: [u32; 2],
    /// Whether any report was sent.
    began: bool,
    /// As the figures were told last.
    told: (Count, Spoilt),
}

impl Control {
    pub(crate) fn new(seed: u64) -> Control {
        let mut chance = Chance::new(seed);
        Control {
            cname: Cname::new(&mut chance),
            chance,
            report_us: None,
            quality_us: None,
            reception: Reception::default(),
            extended: Told::default(),
            heard: None,
            far: None,
            loss_told: None,
            reach: Reach::default(),
            came: 0,
            learnt: None,
            reported: [0; 2],
            began: false,
            told: (Count::default(), Spoilt::default()),
        }
    }

    /// Reads a word of the memory that a packet needs.
    pub(crate) fn touch(&self) -> usize {
        self.reception.ssrc().map_or(0, |ssrc| ssrc as usize)
    }

    /// Takes in a packet of the leg's stream.
    pub(crate) fn count(&mut self, rtp: &Rtp<'_>, is_sound: bool, arrival_us: u64, clock_hz: u32) {
        self.reception.take(rtp, is_sound, arrival_us, clock_hz);
    }

    /// A packet that was counted came too late to be played.
    pub(crate) fn discard(&mut self, sequence: u16) {
        self.reception.discard(sequence);
    }

    /// The time to the far end and back, if it is known.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.far.and_then(|far| far.round_trip)
    }

    /// Another codec is agreed.
    pub(crate) fn recode(&mut self) {
        self.reception.forget_time();
    }

    /// Other terms are agreed. Whence RTCP came before says nothing of another address.
    pub(crate) fn readdress(&mut self, before: &Connection, after: &Connection) {
        if (before.remote, before.rtcp) != (after.remote, after.rtcp) {
            self.learnt = None;
        }
    }

    /// Takes in a datagram of the far end; false if it is no RTCP. A goodbye in it is no more than
    /// a word: calls end by signalling.
    ///
    /// `own` is our stream: its SSRC, and the packets sent so far.
    pub(crate) fn receive(&mut self, own: (u32, u32), arrival_us: u64, bytes: &[u8]) -> bool {
        let Ok(compound) = Compound::parse(bytes) else { return false };
        self.came = self.came.wrapping_add(1);
        let (own_ssrc, sent) = own;
        for packet in compound {
            match packet {
                Packet::SenderReport { ssrc, info, blocks } => {
                    if self.reception.ssrc() == Some(ssrc) {
                        let middle = ntp_middle(info.ntp_timestamp);
                        self.heard = Some(Heard { middle, arrival_us });
                    }
                    self.judged((own_ssrc, sent), arrival_us, blocks);
                }
                Packet::ReceiverReport { ssrc: _, blocks } => {
                    self.judged((own_ssrc, sent), arrival_us, blocks);
                }
                Packet::Extended { ssrc, blocks } => {
                    self.extended.take(own_ssrc, arrival_us, (ssrc, blocks));
                }
                Packet::SourceDescription(_) | Packet::Bye(_) | Packet::Other { .. } => {}
            }
        }
        true
    }

    fn judged(
        &mut self,
        (own_ssrc, sent): (u32, u32),
        arrival_us: u64,
        mut blocks: impl Iterator<Item = ReportBlock>,
    ) {
        let block = blocks.find(|block| block.ssrc == own_ssrc);
        self.reach.tell(block.map(|block| block.highest_sequence), sent);
        let Some(block) = block else { return };
        let before = self.far.and_then(|far| far.round_trip);
        let round_trip = block.round_trip(ntp_middle(elapsed_ntp(arrival_us))).or(before);
        let ReportBlock { fraction_lost, jitter, .. } = block;
        self.far = Some(Far { fraction_lost, jitter, round_trip });
        self.loss_told = self.far_loss_percent();
    }

    /// Whether the far end says that nothing of ours arrives.
    pub(crate) fn nothing_arrives(&self) -> bool {
        self.reach.nothing_arrives
    }

    /// Loss that the far end told since this was asked last \[percent\].
    pub(crate) fn take_loss_percent(&mut self) -> Option<f64> {
        self.loss_told.take()
    }

    /// Loss that the far end sees \[percent\]; none before its first report.
    fn far_loss_percent(&self) -> Option<f64> {
        self.far.map(|far| f64::from(far.fraction_lost) * 100.0 / 256.0)
    }

    /// Writes a report if it is time for one; its length. RFC 3550 section 6.2, for two parties:
    /// about every 5 s, never in step with others.
    pub(crate) fn report(
        &mut self,
        now_us: u64,
        sent: Sent,
        listening: Listening,
        out: &mut [u8; RTCP_BYTES_MAX],
    ) -> Option<usize> {
        let wait = RTCP_EVERY_US / 2 + self.chance.draw() % RTCP_EVERY_US;
        // The first comes after half the time (RFC 3550 section 6.2).
        let due = *self.report_us.get_or_insert(now_us + wait / 2);
        if now_us < due {
            return None;
        }
        self.report_us = Some(now_us + wait);
        self.began = true;
        let length = self.write(now_us, sent, false, out)?;
        let rest = out.get_mut(length..)?;
        Some(length + self.write_extended(now_us, sent.ssrc, listening, rest))
    }

    /// Writes the goodbye, if ever a report was sent (RFC 3550 section 6.3.7).
    pub(crate) fn goodbye(
        &mut self,
        now_us: u64,
        sent: Sent,
        out: &mut [u8; RTCP_BYTES_MAX],
    ) -> Option<usize> {
        if self.began { self.write(now_us, sent, true, out) } else { None }
    }

    fn write(
        &mut self,
        now_us: u64,
        sent: Sent,
        bye: bool,
        out: &mut [u8; RTCP_BYTES_MAX],
    ) -> Option<usize> {
        let [last, last_but_one] = self.reported;
        self.reported = [sent.packets, last];
        let info = |rtp_timestamp| SenderInfo {
            ntp_timestamp: elapsed_ntp(now_us),
            rtp_timestamp,
            packet_count: sent.packets,
            octet_count: sent.octets,
        };
        let sender = sent.timestamp.filter(|_| sent.packets != last_but_one).map(info);
        let mut block = self.reception.block();
        if let (Some(block), Some(heard)) = (&mut block, self.heard) {
            let since_us = now_us.saturating_sub(heard.arrival_us);
            block.last_sender_report = heard.middle;
            block.delay_since_last_sender_report = ntp_middle(elapsed_ntp(since_us));
        }
        let blocks = block.as_slice();
        let report = Report { ssrc: sent.ssrc, sender, blocks, cname: self.cname.text(), bye };
        report.write(out).ok()
    }

    /// The figures, when it is time to tell them.
    pub(crate) fn quality(
        &mut self,
        now_us: u64,
        spoilt: Spoilt,
        coding: Coding,
    ) -> Option<Quality> {
        let due = *self.quality_us.get_or_insert(now_us + QUALITY_EVERY_US);
        if now_us < due {
            return None;
        }
        self.quality_us = Some(now_us + QUALITY_EVERY_US);
        let count = self.reception.count();
        let (count_told, spoilt_told) = std::mem::replace(&mut self.told, (count, spoilt));
        let interval = count.since(count_told);
        let missing = interval.lost() + spoilt.late.saturating_sub(spoilt_told.late);
        let loss_percent = match interval.expected {
            0 => 0.0,
            expected => (missing as f64 * 100.0 / expected as f64).min(100.0),
        };
        let ms = |ticks: u32, clock_hz: u32| f64::from(ticks) * 1_000.0 / f64::from(clock_hz);
        let score =
            |codec, loss_percent| rounded(mos(rating(codec, coding.fec, loss_percent)), 100.0);
        let round_trip = self.round_trip();
        let told = self.extended.metrics;
        let tenths = |tenths: u8| f64::from(tenths) / 10.0;
        Some(Quality {
            packets_expected: count.expected,
            packets_received: count.received,
            packets_late: spoilt.late,
            packets_unauthentic: spoilt.unauthentic,
            frames_concealed: spoilt.concealed,
            loss_percent: rounded(loss_percent, 10.0),
            jitter_ms: rounded(ms(self.reception.jitter(), coding.heard_clock_hz), 10.0),
            mos: (interval.expected > 0).then(|| score(coding.heard, loss_percent)),
            round_trip_ms: round_trip.map(|time| rounded(time.as_secs_f64() * 1_000.0, 10.0)),
            far: self.far.zip(self.far_loss_percent()).map(|(far, loss_percent)| FarQuality {
                loss_percent: rounded(loss_percent, 10.0),
                jitter_ms: rounded(ms(far.jitter, coding.clock_hz), 10.0),
                mos: score(coding.codec, loss_percent),
                discarded_percent: told
                    .map(|told| rounded(f64::from(told.discard_rate) * 100.0 / 256.0, 10.0)),
                mos_told: told.and_then(|told| told.mos_listening).map(tenths),
            }),
        })
    }
}

/// So many figures behind the point as say something.
fn rounded(figure: f64, steps: f64) -> f64 {
    (figure * steps).round() / steps
}

/// A time since the worker's start as an NTP timestamp. Who has no wall clock may tell the time
/// since the session began (RFC 3550 section 6.4.1); only differences are ever used.
pub(crate) fn elapsed_ntp(time_us: u64) -> u64 {
    let (seconds, rest) = (time_us / 1_000_000, time_us % 1_000_000);
    (seconds << 32) | ((rest << 32) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODING: Coding = Coding {
        codec: Codec::Pcmu,
        fec: false,
        clock_hz: 8_000,
        heard: Codec::Pcmu,
        heard_clock_hz: 8_000,
    };
    const SECOND_US: u64 = 1_000_000;

    const LISTENING: Listening = Listening {
        coding: CODING,
        spoilt: Spoilt { late: 0, concealed: 0, unauthentic: 0 },
        delay_ms: 24,
        asked: false,
    };

    fn sent(packets: u32) -> Sent {
        Sent { ssrc: 99, timestamp: Some(1_234), packets, octets: packets * 160 }
    }

    fn hear(control: &mut Control, first: u16, count: u16) {
        for number in first..first + count {
            let timestamp = u32::from(number) * 160;
            let rtp = Rtp {
                payload_type: 0,
                marker: false,
                sequence: number,
                timestamp,
                ssrc: 7,
                payload: &[],
            };
            control.count(&rtp, true, u64::from(number) * 20_000, 8_000);
        }
    }

    /// The times of the reports in a minute \[µs\], asked for every quarter of a second.
    fn minute(control: &mut Control, packets: impl Fn(u64) -> u32) -> Vec<(u64, Vec<u8>)> {
        let mut reports = Vec::new();
        for quarter in 0..240 {
            let (now_us, mut out) = (quarter * SECOND_US / 4, [0; RTCP_BYTES_MAX]);
            if let Some(length) =
                control.report(now_us, sent(packets(quarter)), LISTENING, &mut out)
            {
                reports.push((now_us, out[..length].to_vec()));
            }
        }
        reports
    }

    #[test]
    fn reports_come_every_five_seconds_more_or_less_and_not_in_step() {
        let times = |seed| -> Vec<u64> {
            minute(&mut Control::new(seed), |_| 0).into_iter().map(|(at, _)| at).collect()
        };
        let first = times(1);
        assert!((8..=24).contains(&first.len()), "{first:?}");
        let gaps = first.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| (2_500_000..=7_750_000).contains(&gap)), "{first:?}");
        assert!(first[0] <= 4 * SECOND_US);
        assert_ne!(first, times(2));
    }

    #[test]
    fn who_sends_makes_sender_reports_and_who_stopped_receiver_reports() {
        let mut control = Control::new(3);
        let reports = minute(&mut control, |quarter| (quarter.min(80)) as u32);
        let kinds: Vec<u8> = reports.iter().map(|(_, bytes)| bytes[1]).collect();
        assert_eq!(kinds[0], 200);
        assert_eq!(kinds.last(), Some(&201));
        assert!(kinds.is_sorted());
    }

    #[test]
    fn the_name_is_random_and_stays() {
        let name = |seed| -> Vec<Vec<u8>> {
            let reports = minute(&mut Control::new(seed), |_| 1);
            let cname = |bytes: &[u8]| {
                Compound::parse(bytes).unwrap().find_map(|packet| match packet {
                    Packet::SourceDescription(mut names) => {
                        names.next().unwrap().cname.map(<[u8]>::to_vec)
                    }
                    Packet::SenderReport { .. }
                    | Packet::ReceiverReport { .. }
                    | Packet::Bye(_)
                    | Packet::Extended { .. }
                    | Packet::Other { .. } => None,
                })
            };
            reports.iter().map(|(_, bytes)| cname(bytes).unwrap()).collect()
        };
        let names = name(4);
        assert!(names.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(names[0].len(), CNAME_LENGTH);
        assert_ne!(names[0], name(5)[0]);
    }

    #[test]
    fn a_round_trip_is_what_passed_less_what_the_far_end_kept() {
        let mut control = Control::new(6);
        let sent_us = 10 * SECOND_US;
        let block = ReportBlock {
            ssrc: 99,
            fraction_lost: 64,
            jitter: 80,
            last_sender_report: ntp_middle(elapsed_ntp(sent_us)),
            delay_since_last_sender_report: 65_536 * 2,
            ..ReportBlock::default()
        };
        let report = Report { ssrc: 7, sender: None, blocks: &[block], cname: "far", bye: true };
        let mut bytes = [0; RTCP_BYTES_MAX];
        let length = report.write(&mut bytes).unwrap();
        assert!(control.receive((99, 0), sent_us + 2 * SECOND_US + 80_000, &bytes[..length]));
        assert!(!control.receive((99, 0), 0, &bytes[..length - 1]));
        assert_eq!(control.quality(0, Spoilt::default(), CODING), None);
        let quality = control.quality(5 * SECOND_US, Spoilt::default(), CODING).unwrap();
        assert_eq!(quality.round_trip_ms, Some(80.0));
        let far = quality.far.unwrap();
        assert_eq!((far.loss_percent, far.jitter_ms), (25.0, 10.0));
        assert_eq!(quality.mos, None, "nothing came");
        // A block about somebody else says nothing about us.
        assert!(control.receive((98, 0), 0, &bytes[..length]));
        assert_eq!(control.far_loss_percent(), Some(25.0));
    }

    #[test]
    fn the_far_end_can_tell_its_round_trip_from_our_report() {
        let mut control = Control::new(7);
        hear(&mut control, 0, 10);
        let info = SenderInfo { ntp_timestamp: 0x1234_5678_9abc_def0, ..info() };
        let report = Report { ssrc: 7, sender: Some(info), blocks: &[], cname: "far", bye: false };
        let mut bytes = [0; RTCP_BYTES_MAX];
        let length = report.write(&mut bytes).unwrap();
        assert!(control.receive((99, 0), 2 * SECOND_US, &bytes[..length]));
        let length = control.write(5 * SECOND_US, sent(1), false, &mut bytes).unwrap();
        let Some(Packet::SenderReport { mut blocks, .. }) =
            Compound::parse(&bytes[..length]).unwrap().next()
        else {
            panic!("no sender report")
        };
        let block = blocks.next().unwrap();
        assert_eq!(block.last_sender_report, 0x5678_9abc);
        assert_eq!(block.delay_since_last_sender_report, 3 << 16);
        assert_eq!((block.ssrc, block.highest_sequence), (7, 9));
    }

    fn info() -> SenderInfo {
        SenderInfo { ntp_timestamp: 0, rtp_timestamp: 0, packet_count: 0, octet_count: 0 }
    }

    #[test]
    fn the_figures_are_of_the_last_five_seconds_and_late_packets_are_lost_ones() {
        let mut control = Control::new(8);
        assert_eq!(control.quality(0, Spoilt::default(), CODING), None);
        hear(&mut control, 0, 200);
        hear(&mut control, 210, 40);
        let spoilt = Spoilt { late: 15, concealed: 20, unauthentic: 3 };
        let quality = control.quality(5 * SECOND_US, spoilt, CODING).unwrap();
        assert_eq!((quality.packets_expected, quality.packets_received), (250, 240));
        assert_eq!((quality.packets_late, quality.loss_percent), (15, 10.0));
        assert_eq!(quality.mos, Some(3.41));
        hear(&mut control, 250, 250);
        let quality = control.quality(10 * SECOND_US, spoilt, CODING).unwrap();
        assert_eq!((quality.loss_percent, quality.mos), (0.0, Some(4.41)));
        let quality = control.quality(15 * SECOND_US, spoilt, CODING).unwrap();
        assert_eq!(quality.mos, None);
    }
}
