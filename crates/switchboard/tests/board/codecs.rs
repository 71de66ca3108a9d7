//! Which codecs are agreed on, and what media is told of it.

use model::{
    Alternative, Author, Codec, Command, CommandId, ConferenceRef, Connection, Content, OpusWishes,
    Verb,
};
use sip::access::Access;
use sip::message::Message;

use crate::house::{House, Phone, description, reply};

/// What media is told of a call of ours whose answer has those formats.
fn agreed(formats: &str) -> Connection {
    let mut house = House::letting_in(Access::everybody());
    let address = "10.0.1.9:5060".parse().unwrap();
    let room = ConferenceRef::parse("room").unwrap();
    let verb = Verb::invite("sip:bob@10.0.1.9:5060".to_owned());
    house.command(Command::new(CommandId(1), room, Author::Admin, verb)).unwrap();
    let [Message::Request(call)] = &house.take(address)[..] else { panic!("no call") };
    let more = "Contact: <sip:bob@10.0.1.9>\r\nContent-Type: application/sdp\r\n";
    let body = description(address, formats);
    house.receive(address, &reply(call, "200 OK", ";tag=b", more, &body));
    house.connected.pop().unwrap()
}

#[test]
fn whatever_the_answer_to_our_offer_lists_may_come_and_the_first_is_sent() {
    let Connection { codec, receive_payload_type, alternatives, .. } = agreed("8 9 101 111 13 102");
    assert_eq!((codec, receive_payload_type), (Codec::Pcma, 8));
    let may_come = [
        (9, Content::Voice(Codec::G722)),
        (111, Content::Voice(Codec::Opus)),
        (102, Content::Events { clock_rate_hz: 48_000 }),
    ];
    let alternative =
        |(receive_payload_type, content)| Alternative { receive_payload_type, content };
    assert_eq!(alternatives, may_come.map(alternative));
}

#[test]
fn what_a_caller_wants_of_opus_is_told_to_media() {
    let mut house = House::letting_in(Access::everybody());
    let mut phone = Phone::new("carol", 7);
    let offer = format!(
        "{}a=rtpmap:96 opus/48000/2\r\na=fmtp:96 maxaveragebitrate=20000; cbr=1; usedtx=1; \
         stereo=1;maxplaybackrate=16000; maxptime=40; ptime=60\r\n",
        description(phone.address, "96")
    );
    let invite = phone.request("INVITE", "Content-Type: application/sdp\r\n", &offer);
    house.receive(phone.address, &invite);
    let Connection { opus, fec, ptime_ms, .. } = house.connected.pop().unwrap();
    let wishes = OpusWishes {
        constant_bitrate: true,
        max_average_bitrate_bps: Some(20_000),
        max_playback_rate_hz: Some(16_000),
    };
    assert_eq!((opus, fec, ptime_ms), (wishes, false, 40));
}

#[test]
fn an_answer_with_one_codec_leaves_no_other() {
    assert_eq!(agreed("0 101").alternatives, []);
}
