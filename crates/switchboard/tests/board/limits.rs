//! Session descriptions at their bounds and one beyond: what is too much is refused and counted.

use wire::limits::{SDP_CANDIDATES_MAX, SDP_FORMATS_MAX, SDP_MEDIA_LINES_MAX};

use crate::house::{House, Phone, description, statuses};

/// How a call with that description is answered, and which limits are counted after it.
fn answer(describe: impl Fn(&Phone) -> String) -> (u16, Vec<(&'static str, u64)>) {
    let (mut house, mut phone) = (House::new(), Phone::new("alice", 1));
    let sdp = describe(&phone);
    let invite = phone.request("INVITE", "Content-Type: application/sdp\r\n", &sdp);
    house.receive(phone.address, &invite);
    let last = statuses(&house.take(phone.address)).pop().unwrap();
    let limits = house.board.stats().limits;
    (last, limits.into_iter().filter(|(_, count)| *count > 0).collect())
}

#[test]
fn media_lines_formats_and_candidates_are_bounded() {
    let lines = |count: usize| {
        let more = "m=video 0 RTP/AVP 99\r\n".repeat(count - 1);
        answer(|phone| description(phone.address, "0") + &more)
    };
    assert_eq!(lines(SDP_MEDIA_LINES_MAX), (200, vec![]));
    assert_eq!(lines(SDP_MEDIA_LINES_MAX + 1), (488, vec![("sdp_media_lines", 1)]));
    let formats = |count: usize| {
        let formats: Vec<String> = (0..count).map(|format| format.to_string()).collect();
        answer(|phone| description(phone.address, &formats.join(" ")))
    };
    assert_eq!(formats(SDP_FORMATS_MAX), (200, vec![]));
    assert_eq!(formats(SDP_FORMATS_MAX + 1), (488, vec![("sdp_formats", 1)]));
    let candidates = |count: usize| {
        let more = "a=candidate:1 1 UDP 1 10.0.1.1 4000 typ host\r\n".repeat(count);
        answer(|phone| description(phone.address, "0") + &more)
    };
    assert_eq!(candidates(SDP_CANDIDATES_MAX), (200, vec![]));
    assert_eq!(candidates(SDP_CANDIDATES_MAX + 1), (488, vec![("sdp_candidates", 1)]));
}
