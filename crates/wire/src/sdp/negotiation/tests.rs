use super::*;
use crate::limits::{SDP_BYTES_MAX, SDP_CANDIDATES_MAX, SDP_FORMATS_MAX, SDP_MEDIA_LINES_MAX};
use crate::sdp::SdpError;

pub(super) fn local() -> Local {
    let codecs = vec![
        Encoding::Opus,
        Encoding::G722,
        Encoding::Pcmu,
        Encoding::Pcma,
        Encoding::TelephoneEvent,
        Encoding::ComfortNoise,
    ];
    Local::new("198.51.100.1:40000".parse().unwrap(), codecs, 4_711)
}

fn described(text: &str) -> Description {
    Description::parse(text.as_bytes()).unwrap()
}

/// A description by the far end with these lines from the first media line on.
pub(super) fn theirs(media: &str) -> Description {
    described(&format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{media}"))
}

pub(super) fn media_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("m=")).collect()
}

#[test]
fn our_offer_has_everything_by_preference() {
    let expected = "v=0
o=- 4711 1 IN IP4 198.51.100.1
s=-
c=IN IP4 198.51.100.1
t=0 0
m=audio 40000 RTP/AVP 111 9 0 8 13 101 102
a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtpmap:102 telephone-event/48000
a=fmtp:102 0-15
a=ptime:20
a=sendrecv
a=rtcp-mux
a=rtcp:40000
";
    assert_eq!(offer(&local()), expected.replace('\n', "\r\n"));
}

#[test]
fn only_what_is_listed_is_offered() {
    let local = Local { codecs: vec![Encoding::G722, Encoding::G722], ..local() };
    assert_eq!(media_lines(&offer(&local)), ["m=audio 40000 RTP/AVP 9"]);
    let with_noise = vec![Encoding::G722, Encoding::ComfortNoise, Encoding::TelephoneEvent];
    let local = Local { codecs: with_noise, ..local };
    assert_eq!(media_lines(&offer(&local)), ["m=audio 40000 RTP/AVP 9 101"]);
}

#[test]
fn an_answer_of_ours_to_an_offer_of_ours_is_agreed_alike_by_both() {
    let local = local();
    let far_address = "192.0.2.1:20000".parse().unwrap();
    let far = Local { address: far_address, session_id: 9, ..local.clone() };
    let (text, by_far) = answer(&described(&offer(&local)), &far).unwrap();
    let by_us = accept(&local, &described(&text)).unwrap();
    let events =
        TelephoneEvent { payload_type: 102, receive_payload_type: 102, clock_rate_hz: 48_000 };
    assert_eq!(by_us.telephone_event, Some(events));
    assert!(by_us.fec());
    assert_eq!((by_us.remote, by_far.remote), (far.address, local.address));
    assert_eq!(by_us.rtcp, Some(far.address));
    let mirrored = Negotiated { remote: local.address, rtcp: Some(local.address), ..by_us };
    assert_eq!(mirrored, by_far);
}

#[test]
fn each_end_is_sent_its_own_numbers() {
    let answer = theirs(
        "m=audio 20000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\n\
         a=rtpmap:97 telephone-event/48000\n",
    );
    let negotiated = accept(&local(), &answer).unwrap();
    assert_eq!((negotiated.payload_type, negotiated.receive_payload_type), (96, 111));
    let events =
        TelephoneEvent { payload_type: 97, receive_payload_type: 102, clock_rate_hz: 48_000 };
    assert_eq!(negotiated.telephone_event, Some(events));
    assert!(!negotiated.fec() && !negotiated.rtcp_mux);
    assert_eq!(negotiated.rtcp, Some("192.0.2.1:20001".parse().unwrap()));
}

#[test]
fn a_number_that_an_answer_does_not_explain_means_what_it_meant_in_the_offer() {
    let answer = theirs("m=audio 20000 RTP/AVP 0 101\na=fmtp:101 0-15\n");
    let negotiated = accept(&local(), &answer).unwrap();
    let events =
        TelephoneEvent { payload_type: 101, receive_payload_type: 101, clock_rate_hz: 8_000 };
    assert_eq!((negotiated.codec, negotiated.telephone_event), (Encoding::Pcmu, Some(events)));
    // One that it explains otherwise does not, nor one in an offer.
    let other = "m=audio 20000 RTP/AVP 0 101\na=rtpmap:101 speex/8000\n";
    assert_eq!(accept(&local(), &theirs(other)).unwrap().telephone_event, None);
    let offer = theirs("m=audio 20000 RTP/AVP 0 101\n");
    assert_eq!(super::answer(&offer, &local()).unwrap().1.telephone_event, None);
}

#[test]
fn who_asks_for_voip_metrics_is_promised_them_and_nobody_else() {
    for (attribute, wanted) in [
        ("a=rtcp-xr:rcvr-rtt=all:1 voip-metrics\n", true),
        ("a=rtcp-xr:stat-summary=loss\n", false),
        ("", false),
    ] {
        let offer = theirs(&format!("m=audio 20000 RTP/AVP 0\n{attribute}"));
        let (text, negotiated) = answer(&offer, &local()).unwrap();
        assert_eq!(negotiated.voip_metrics, wanted, "{attribute}");
        assert_eq!(text.contains("a=rtcp-xr:voip-metrics"), wanted, "{attribute}");
    }
}

#[test]
fn the_first_voice_of_an_answer_counts() {
    let answer = theirs("m=audio 20000 RTP/AVP 13 18 8 0\n");
    let negotiated = accept(&local(), &answer).unwrap();
    assert_eq!((negotiated.codec, negotiated.comfort_noise), (Encoding::Pcma, Some(13)));
}

#[test]
fn what_else_an_answer_lists_may_come_by_our_own_numbers() {
    let agreed = |media: &str| {
        let Negotiated { codec, telephone_event, alternatives, .. } =
            accept(&local(), &theirs(media)).unwrap();
        let others: Vec<_> = alternatives
            .iter()
            .map(|it| (it.receive_payload_type, it.encoding, it.clock_rate_hz))
            .collect();
        (codec, telephone_event.map(|event| event.receive_payload_type), others)
    };
    let media = "m=audio 20000 RTP/AVP 0 96 9 0 18 13 97 98\na=rtpmap:96 opus/48000/2\n\
                 a=rtpmap:97 telephone-event/48000\na=rtpmap:98 telephone-event/8000\n";
    let others = vec![
        (111, Encoding::Opus, 48_000),
        (9, Encoding::G722, 8_000),
        (102, Encoding::TelephoneEvent, 48_000),
    ];
    assert_eq!(agreed(media), (Encoding::Pcmu, Some(101), others));
    let one = "m=audio 20000 RTP/AVP 8 13 101\n";
    assert_eq!(agreed(one), (Encoding::Pcma, Some(101), vec![]));
    // Our own answers list one voice, whatever is offered: then no other may come.
    let (text, negotiated) = answer(&theirs(media), &local()).unwrap();
    assert_eq!(media_lines(&text), ["m=audio 40000 RTP/AVP 0 13 98"]);
    assert_eq!(negotiated.alternatives, []);
}

#[test]
fn an_answer_that_refuses_is_not_accepted() {
    let reason = |media| accept(&local(), &theirs(media)).err();
    assert_eq!(reason("m=audio 0 RTP/AVP 0\n"), Some(NotAcceptable::Refused));
    assert_eq!(reason("m=audio 20000 RTP/AVP 18\n"), Some(NotAcceptable::NoCommonCodec));
    assert_eq!(reason("m=audio 20000 RTP/SAVP 0\n"), Some(NotAcceptable::Transport));
    assert_eq!(reason("m=video 20000 RTP/AVP 34\n"), Some(NotAcceptable::NoAudio));
    assert_eq!(reason(""), Some(NotAcceptable::NoAudio));
    let only_g722 = Local { codecs: vec![Encoding::G722], ..local() };
    let pcmu = theirs("m=audio 20000 RTP/AVP 0\n");
    assert_eq!(accept(&only_g722, &pcmu).err(), Some(NotAcceptable::NoCommonCodec));
}

#[test]
fn an_offer_that_we_cannot_use_is_refused_with_the_reason() {
    let reason = |media| answer(&theirs(media), &local()).err();
    assert_eq!(reason("m=video 9 RTP/AVP 34\nm=audio 0 RTP/AVP 0\n"), Some(NotAcceptable::Refused));
    assert_eq!(
        reason("m=audio 9 RTP/AVP 0\nc=IN IP4 224.0.0.1/127\n"),
        Some(NotAcceptable::Address)
    );
    assert_eq!(
        reason("m=audio 9 RTP/AVP 0\nc=IN IP4 255.255.255.255\n"),
        Some(NotAcceptable::Address)
    );
    assert_eq!(reason("m=audio 9 RTP/AVP 0\nc=IN IP6 2001:db8::1\n"), Some(NotAcceptable::Address));
    assert_eq!(reason("m=audio 9 RTP/AVP 101\n"), Some(NotAcceptable::NoCommonCodec));
}

#[test]
fn of_several_audio_lines_the_first_is_answered_that_can_be_used() {
    let answered = |media: &str| {
        let (text, negotiated) = answer(&theirs(media), &local()).unwrap();
        let ports: Vec<_> = media_lines(&text)
            .iter()
            .map(|line| line.split(' ').nth(1).unwrap().to_owned())
            .collect();
        (ports, negotiated.remote.port(), negotiated.codec)
    };
    let at = |ports: [&str; 2], port, codec| (ports.map(str::to_owned).to_vec(), port, codec);
    // An address of either family (RFC 4091).
    let families = "m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::2\nm=audio 4002 RTP/AVP 0\n";
    assert_eq!(answered(families), at(["0", "40000"], 4_002, Encoding::Pcmu));
    // One line for each codec, of which we do not have the first.
    let codecs = "m=audio 4000 RTP/AVP 18\nm=audio 4002 RTP/AVP 8\n";
    assert_eq!(answered(codecs), at(["0", "40000"], 4_002, Encoding::Pcma));
    let both = "m=audio 4000 RTP/AVP 9\nm=audio 4002 RTP/AVP 8\n";
    assert_eq!(answered(both), at(["40000", "0"], 4_000, Encoding::G722));
    let local = Local { previous: Some(theirs(families)), ..local() };
    let lines = ["m=audio 0 RTP/AVP 0", "m=audio 40000 RTP/AVP 111 9 0 8 13 101 102"];
    assert_eq!(media_lines(&offer(&local)), lines);
}

#[test]
fn only_codecs_that_are_listed_make_a_line_usable() {
    let local = Local { codecs: vec![Encoding::Pcma], ..local() };
    let offer = theirs("m=audio 4000 RTP/AVP 0 9\nm=audio 4002 RTP/AVP 8\n");
    assert_eq!(answer(&offer, &local).unwrap().1.remote.port(), 4_002);
    let offer = theirs("m=audio 4000 RTP/AVP 0\n");
    assert_eq!(answer(&offer, &local).err(), Some(NotAcceptable::NoCommonCodec));
}

#[test]
fn a_later_offer_keeps_lines_and_numbers_of_the_session() {
    let first = theirs(
        "m=video 7000 RTP/AVP 34\nm=audio 20000 RTP/AVPF 111 101 102 0\na=rtpmap:111 speex/8000\n\
         a=rtpmap:101 opus/48000/2\na=rtpmap:102 telephone-event/8000\nm=image 7002 udptl t38\n",
    );
    let local = Local { version: 2, previous: Some(first), ..local() };
    let text = offer(&local);
    assert_eq!(
        media_lines(&text),
        [
            "m=video 0 RTP/AVP 34",
            "m=audio 40000 RTP/AVPF 101 9 0 8 13 102 96",
            "m=image 0 udptl t38",
        ]
    );
    assert!(text.contains("o=- 4711 2 IN") && text.contains("a=rtpmap:96 telephone-event/48000"));
    let answer = theirs(
        "m=video 0 RTP/AVP 34\nm=audio 20000 RTP/AVPF 101\na=rtpmap:101 opus/48000/2\n\
         m=image 0 udptl t38\n",
    );
    let negotiated = accept(&local, &answer).unwrap();
    assert_eq!((negotiated.payload_type, negotiated.receive_payload_type), (101, 101));
}

#[test]
fn a_later_offer_adds_audio_to_a_session_without() {
    let previous = Some(theirs("m=image 7002 udptl t38\n"));
    let local = Local { codecs: vec![Encoding::Pcmu], previous, ..local() };
    let lines = ["m=image 0 udptl t38", "m=audio 40000 RTP/AVP 0"];
    assert_eq!(media_lines(&offer(&local)), lines);
    let answer = theirs("m=image 0 udptl t38\nm=audio 20000 RTP/AVP 0\n");
    assert_eq!(accept(&local, &answer).map(|agreed| agreed.codec), Ok(Encoding::Pcmu));
}

/// One line for each pair of directions: ours, theirs, what we are as answerer and on hold, the
/// same as offerer.
#[test]
fn directions_and_hold_are_as_drawn() {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let mut picture = String::new();
    for ours in all {
        for far in all {
            let local = Local { direction: ours, ..local() };
            let description = theirs(&format!("m=audio 20000 RTP/AVP 0\na={far}\n"));
            let (text, answered) = answer(&description, &local).unwrap();
            assert!(text.contains(&format!("a={}\r\n", answered.direction)));
            let accepted = accept(&local, &description).unwrap();
            let hold = |on_hold| if on_hold { "held" } else { "-" };
            picture += &format!(
                "{ours} {far}: {} {}, {} {}\n",
                answered.direction,
                hold(answered.on_hold),
                accepted.direction,
                hold(accepted.on_hold)
            );
        }
    }
    assert_eq!(
        picture,
        "sendrecv sendrecv: sendrecv -, sendrecv -
sendrecv sendonly: recvonly held, recvonly held
sendrecv recvonly: sendonly -, sendonly -
sendrecv inactive: inactive held, inactive held
sendonly sendrecv: sendonly -, sendonly -
sendonly sendonly: inactive held, inactive held
sendonly recvonly: sendonly -, sendonly -
sendonly inactive: inactive held, inactive held
recvonly sendrecv: recvonly -, recvonly -
recvonly sendonly: recvonly held, recvonly -
recvonly recvonly: inactive -, inactive -
recvonly inactive: inactive held, inactive -
inactive sendrecv: inactive -, inactive -
inactive sendonly: inactive held, inactive -
inactive recvonly: inactive -, inactive -
inactive inactive: inactive held, inactive -
"
    );
}

#[test]
fn the_packet_time_is_theirs_within_bounds() {
    let table = [
        ("0", "", 20),
        ("0", "a=ptime:30\n", 30),
        ("0", "a=ptime:10.5\n", 10),
        ("0", "a=ptime:35\n", 30),
        ("0", "a=ptime:5\n", 10),
        ("0", "a=ptime:200\n", 60),
        ("0", "a=ptime:0\n", 20),
        ("0", "a=ptime:soon\n", 20),
        ("0", "a=maxptime:10\n", 10),
        ("0", "a=ptime:40\na=maxptime:30\n", 30),
        ("96", "a=ptime:30\n", 20),
        ("96", "a=ptime:50\n", 40),
        ("96", "a=ptime:60\n", 60),
    ];
    for (payload_type, lines, expected) in table {
        let media = format!("m=audio 9 RTP/AVP {payload_type}\na=rtpmap:96 opus/48000/2\n{lines}");
        let (text, negotiated) = answer(&theirs(&media), &local()).unwrap();
        assert_eq!(negotiated.ptime_ms, expected, "{payload_type} {lines}");
        assert!(text.contains(&format!("a=ptime:{expected}\r\n")));
    }
}

#[test]
fn rtcp_goes_where_they_say() {
    let rtcp = |lines: &str, rtcp_mux| {
        let offer = theirs(&format!("m=audio 20000 RTP/AVP 0\n{lines}"));
        let local = Local { rtcp_mux, ..local() };
        let (text, negotiated) = answer(&offer, &local).unwrap();
        assert_eq!(text.contains("a=rtcp-mux"), negotiated.rtcp_mux);
        (negotiated.rtcp.map(|to| to.to_string()), negotiated.rtcp_mux)
    };
    let to = |text: &str| Some(text.to_owned());
    assert_eq!(rtcp("", true), (to("192.0.2.1:20001"), false));
    assert_eq!(rtcp("a=rtcp:53020\n", true), (to("192.0.2.1:53020"), false));
    assert_eq!(rtcp("a=rtcp:53020 IN IP4 192.0.2.9\n", true), (to("192.0.2.9:53020"), false));
    assert_eq!(rtcp("a=rtcp-mux\n", true), (to("192.0.2.1:20000"), true));
    assert_eq!(rtcp("a=rtcp-mux\n", false), (to("192.0.2.1:20001"), false));
    assert_eq!(rtcp("a=rtcp:53020 IN IP6 2001:db8::9\n", true), (to("192.0.2.1:20001"), false));
    assert_eq!(rtcp("a=rtcp:9 IN IP4 0.0.0.0\n", true), (None, false));
    assert_eq!(rtcp("c=IN IP4 0.0.0.0\n", true), (None, false));
    assert_eq!(rtcp("c=IN IP4 0.0.0.0\na=rtcp-mux\n", true), (None, true));
    let last_port = theirs("m=audio 65535 RTP/AVP 0\n");
    assert_eq!(answer(&last_port, &local()).unwrap().1.rtcp, None);
}

#[test]
fn our_preference_is_heard_when_asked_for() {
    let offer = theirs("m=audio 20000 RTP/AVP 8 0 9\n");
    let codec = |prefer| answer(&offer, &Local { prefer, ..local() }).unwrap().1.codec;
    assert_eq!(codec(Preference::Offerer), Encoding::Pcma);
    assert_eq!(codec(Preference::Ours), Encoding::G722);
}

#[test]
fn what_is_over_a_bound_is_refused() {
    let refusal = |media: &str| {
        let text = format!("v=0\n{media}");
        Description::parse(text.as_bytes()).err()
    };
    let lines = |count| "m=audio 9 RTP/AVP 0\n".repeat(count);
    assert_eq!(refusal(&lines(SDP_MEDIA_LINES_MAX)), None);
    assert_eq!(refusal(&lines(SDP_MEDIA_LINES_MAX + 1)), Some(SdpError::TooManyMediaLines));
    let formats = |count| format!("m=audio 9 RTP/AVP{}\n", " 0".repeat(count));
    assert_eq!(refusal(&formats(SDP_FORMATS_MAX)), None);
    assert_eq!(refusal(&formats(SDP_FORMATS_MAX + 1)), Some(SdpError::TooManyFormats));
    let candidates = |count| lines(1) + &"a=candidate:1\n".repeat(count);
    assert_eq!(refusal(&candidates(SDP_CANDIDATES_MAX)), None);
    assert_eq!(refusal(&candidates(SDP_CANDIDATES_MAX + 1)), Some(SdpError::TooManyCandidates));
    let long = format!("s={}\n", "x".repeat(SDP_BYTES_MAX - "v=0\ns=\n".len()));
    assert_eq!(refusal(&long), None);
    assert_eq!(refusal(&(long + "\n")), Some(SdpError::TooLong));
    assert!(matches!(refusal("m=audio x RTP/AVP 0\n"), Some(SdpError::Syntax(_))));
}
