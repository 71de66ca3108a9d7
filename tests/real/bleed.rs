//! A stranger that sends to every port for audio, from before a call until after it.

use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use audio::Codec;
use wire::rtp::{HEADER_BYTES, Header, write_header};

use crate::line::Line;
use crate::server::Server;
use crate::{until, whole_machine};

const PORTS: RangeInclusive<u16> = 62_960..=62_967;

/// Payload of 20 ms of G.711 [bytes].
const PAYLOAD_BYTES: usize = 160;

/// What a stranger got for what it sent.
struct Catch {
    sent: usize,
    caught: usize,
}

/// Sends well-formed packets to all ports from an address of its own until it is told to stop.
struct Stranger {
    runs: Arc<AtomicBool>,
    thread: JoinHandle<Catch>,
}

impl Stranger {
    fn begin() -> Stranger {
        let socket = UdpSocket::bind("127.0.0.63:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let runs = Arc::new(AtomicBool::new(true));
        let goes_on = Arc::clone(&runs);
        let thread = std::thread::spawn(move || {
            let (mut catch, mut number) = (Catch { sent: 0, caught: 0 }, 0_u16);
            while goes_on.load(Ordering::Relaxed) {
                number = number.wrapping_add(1);
                let mut packet = [0x55; HEADER_BYTES + PAYLOAD_BYTES];
                let timestamp = u32::from(number) * PAYLOAD_BYTES as u32;
                let header =
                    Header { marker: false, payload_type: 0, sequence: number, timestamp, ssrc: 7 };
                write_header(&mut packet, &header);
                for port in PORTS {
                    catch.sent += usize::from(socket.send_to(&packet, ("127.0.0.1", port)).is_ok());
                }
                std::thread::sleep(Duration::from_millis(10));
                while let Ok(_length) = socket.recv(&mut [0; 2_000]) {
                    catch.caught += 1;
                }
            }
            catch
        });
        Stranger { runs, thread }
    }

    fn end(self) -> Catch {
        self.runs.store(false, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn a_stranger_at_every_port_gets_no_packet_before_during_or_after_and_the_callers_get_theirs() {
    let _machine = whole_machine();
    let ports = format!("{}-{}", PORTS.start(), PORTS.end());
    let server = Server::start(&["--rtp-ports", &ports]);
    let stranger = Stranger::begin();
    let phones = [("ada", 437.0), ("ben", 577.0)]
        .map(|(name, tone_hz)| Line::new(&server, name, Codec::Pcmu, tone_hz));
    phones.iter().for_each(|phone| phone.call("hall"));
    server.connected("hall", 2);
    until("audio at both", || {
        phones.iter().all(|phone| phone.wire().packets.len() > 25).then_some(())
    });
    let sent_before = server.metric("convoke_rtp_packets_sent_total");
    let before = phones.each_ref().map(|phone| phone.wire().packets.len());
    std::thread::sleep(Duration::from_secs(2));
    let after = phones.each_ref().map(|phone| phone.wire().packets.len());
    let sent = server.metric("convoke_rtp_packets_sent_total") - sent_before;
    drop(phones);
    until("the end of both", || (server.metric("convoke_rtp_ports_in_use") == 0.0).then_some(()));
    let refused = server.metric("convoke_rtp_packets_refused_total");
    let Catch { sent: shot, caught } = stranger.end();
    let got = [after[0] - before[0], after[1] - before[1]];
    println!("the stranger sent {shot} and got {caught}; {sent} were sent to callers, got {got:?}");
    assert!(shot > 1_000 && refused > 300.0, "{shot} sent, {refused} refused");
    assert_eq!(caught, 0);
    // 50 a second, less 2 %.
    assert!(got.iter().all(|got| *got >= 98), "{got:?}");
}
