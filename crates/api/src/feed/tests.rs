use model::profile::Seeing;
use model::{Author, Codec, Direction, LeaveReason, PartyId, Role};

use super::*;

const ALL: Audience = Audience::Everything;

fn event(conference: u64, seq: u64) -> Event {
    let party = PartyId(7);
    let kind = match seq {
        1 => EventKind::Created {
            name: name(conference),
            profile: "open".to_owned(),
            seeing: Seeing::default(),
        },
        _ => EventKind::Talking { party, talking: seq.is_multiple_of(2) },
    };
    at(conference, seq, kind)
}

fn at(conference: u64, seq: u64, kind: EventKind) -> Event {
    let conference = ConferenceId(conference);
    Event { conference, seq, at_ms: seq, by: Author::System, cause: None, kind }
}

fn joined() -> EventKind {
    EventKind::Joined {
        party: PartyId(7),
        display_name: None,
        address: "sip:bob@b".to_owned(),
        codec: Codec::Opus,
        role: Role::Guest,
        direction: Direction::Inbound,
    }
}

fn bounded(of_all: usize, of_each: usize, per_conference: usize) -> Feed {
    Feed::with_bounds(Bounds { of_all, of_each, per_conference })
}

fn held(feed: &Feed) -> usize {
    feed.shelves().by_conference.values().map(|shelf| shelf.told.events.len()).sum()
}

fn name(conference: u64) -> ConferenceName {
    ConferenceName::parse(&format!("room-{conference}")).unwrap()
}

fn seqs(batch: Batch) -> Vec<u64> {
    match batch {
        Batch::Events(events, _) => events.iter().map(|event| event.seq).collect(),
        other @ (Batch::Nothing | Batch::Ended | Batch::Closed | Batch::Gone(_)) => {
            panic!("expected events, got {other:?}")
        }
    }
}

#[test]
fn what_comes_after_a_number_is_told_once_and_in_order() {
    let feed = Feed::new();
    for seq in 1..=5 {
        feed.publish(event(1, seq));
    }
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 0)), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 3)), [4, 5]);
    assert_eq!(feed.batch(ConferenceId(1), ALL, 5), Batch::Nothing);
    assert_eq!(feed.batch(ConferenceId(1), ALL, u64::MAX), Batch::Nothing);
    feed.publish(event(1, 5));
    assert_eq!(feed.batch(ConferenceId(1), ALL, 5), Batch::Nothing, "an event came in twice");
}

#[test]
fn the_oldest_events_of_a_conference_leave_first() {
    let feed = bounded(100, 1, 3);
    for seq in 1..=5 {
        feed.publish(event(1, seq));
    }
    assert_eq!(feed.batch(ConferenceId(1), ALL, 1), Batch::Gone(3));
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 2)), [3, 4, 5]);
}

#[test]
fn the_oldest_events_of_all_conferences_leave_first() {
    let feed = bounded(4, 1, 100);
    for seq in 1..=3 {
        feed.publish(event(1, seq));
        feed.publish(event(2, seq));
    }
    assert_eq!(feed.batch_of_all(1), Batch::Gone(2));
    assert_eq!(seqs(feed.batch_of_all(2)), [2, 2, 3, 3]);
    assert_eq!(feed.batch(ConferenceId(1), ALL, 0), Batch::Gone(2));
    assert_eq!(seqs(feed.batch(ConferenceId(2), ALL, 1)), [2, 3]);
    assert_eq!(feed.batch_of_all(6), Batch::Nothing);
}

#[test]
fn of_each_conference_the_latest_events_stay_whatever_comes_elsewhere() {
    let feed = bounded(4, 2, 100);
    for seq in 1..=3 {
        feed.publish(event(1, seq));
    }
    for seq in 1..=100 {
        feed.publish(event(2, seq));
    }
    assert_eq!(feed.batch(ConferenceId(1), ALL, 0), Batch::Gone(2));
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 1)), [2, 3]);
    assert_eq!(seqs(feed.batch(ConferenceId(2), ALL, 96)), [97, 98, 99, 100]);
    // One that goes on lets go of what is old, and keeps what is new.
    feed.publish(event(1, 4));
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 2)), [3, 4]);
    feed.publish(event(1, 5));
    feed.publish(event(1, 6));
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 3)), [4, 5, 6]);
    assert_eq!(feed.batch(ConferenceId(1), ALL, 2), Batch::Gone(4));
}

#[test]
fn a_hundred_rooms_that_a_hundred_thousand_pass_through_hold_no_more_after_the_first_ten_thousand()
{
    let feed = Feed::new();
    let rooms = 100;
    let pass = |passers: std::ops::RangeInclusive<u64>| {
        for passer in passers {
            for room in 1..=rooms {
                feed.publish(event(room, 2 * passer - 1));
                feed.publish(event(room, 2 * passer));
            }
        }
        let room: usize =
            feed.shelves().by_conference.values().map(|shelf| shelf.told.events.capacity()).sum();
        (held(&feed), room)
    };
    let (first, room_at_first) = pass(1..=100);
    let (then, room_then) = pass(101..=1_000);
    assert_eq!((first, then), (EVENTS_KEPT_MAX, EVENTS_KEPT_MAX));
    assert_eq!(room_at_first, room_then);
}

#[test]
fn what_others_are_told_takes_no_more_events_than_all_that_is_told() {
    let feed = bounded(10, 10, 100);
    feed.publish(event(1, 1));
    feed.publish(at(1, 2, joined()));
    for seq in 3..=50 {
        feed.publish(event(1, seq));
        assert_ne!(feed.batch(ConferenceId(1), Audience::Outside, 0), Batch::Nothing);
    }
    let shelves = feed.shelves();
    let told = shelves.by_conference[&ConferenceId(1)].audiences.values();
    let most = told.map(|(_, told)| told.events.len()).max();
    assert_eq!(most, Some(10));
}

#[test]
fn a_name_is_free_again_when_its_conference_has_ended() {
    let feed = Feed::new();
    let by_name = ConferenceRef::Name(name(1));
    feed.publish(event(1, 1));
    assert_eq!(feed.view(&by_name).unwrap().id, ConferenceId(1));
    feed.publish(at(1, 2, EventKind::Ended { duration_ms: 1 }));
    assert_eq!(feed.view(&by_name), None);
    let by_id = ConferenceRef::Id(ConferenceId(1));
    assert_eq!(feed.view(&by_id).unwrap().ended_ms, Some(2));
    assert_eq!(feed.batch(ConferenceId(1), ALL, 2), Batch::Ended);
}

#[test]
fn of_the_ended_conferences_only_the_latest_are_kept() {
    let feed = Feed::new();
    let kept = ENDED_CONFERENCES_KEPT as u64;
    for id in 1..=kept + 1 {
        feed.publish(event(id, 1));
        feed.publish(at(id, 2, EventKind::Ended { duration_ms: 1 }));
    }
    assert_eq!(feed.views().len(), ENDED_CONFERENCES_KEPT);
    assert_eq!(feed.view(&ConferenceRef::Id(ConferenceId(1))), None);
    assert_eq!(feed.batch(ConferenceId(1), ALL, 1), Batch::Gone(0));
}

#[test]
fn an_event_without_a_beginning_is_not_taken_in() {
    let feed = Feed::new();
    feed.publish(at(1, 9, EventKind::Left { party: PartyId(1), reason: LeaveReason::Left }));
    assert!(feed.views().is_empty());
    assert_eq!(feed.batch_of_all(0), Batch::Nothing);
}

#[test]
fn a_conference_of_before_the_start_is_told_from_what_is_kept_on() {
    let feed = Feed::new();
    let before = ConferenceView::begin(&event(1, 1)).unwrap();
    let ended = at(1, 3, EventKind::Ended { duration_ms: 1 });
    feed.restore(Some(before), [event(1, 2), ended.clone()]);
    feed.restore(None, [event(2, 1), at(2, 2, ended.kind)]);
    assert_eq!(feed.batch(ConferenceId(1), ALL, 0), Batch::Gone(2));
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 1)), [2, 3]);
    assert_eq!(feed.batch(ConferenceId(1), Audience::Outside, 9), Batch::Ended);
    assert_eq!(seqs(feed.batch(ConferenceId(2), ALL, 0)), [1, 2]);
    let ended: Vec<_> = feed.views().iter().map(|view| view.ended_ms).collect();
    assert_eq!(ended, [Some(3), Some(2)]);
}

#[test]
fn of_conferences_that_are_forgotten_no_event_stays() {
    let feed = Feed::new();
    let (calls, long) = (20_000, 1_000_000);
    feed.publish(event(long, 1));
    for id in 1..=calls {
        feed.publish(event(id, 1));
        feed.publish(at(id, 2, EventKind::Ended { duration_ms: 1 }));
        feed.publish(event(long, id + 1));
    }
    // Of the last ones each third is of the conference that goes on.
    assert_eq!(held(&feed), 2 * ENDED_CONFERENCES_KEPT + EVENTS_KEPT_MAX.div_ceil(3));
    assert_eq!(feed.shelves().log.len(), EVENTS_KEPT_MAX);
}

#[test]
fn a_closed_feed_gives_what_is_left_and_then_lets_go() {
    let feed = Feed::new();
    feed.publish(event(1, 1));
    feed.close();
    assert_eq!(seqs(feed.batch(ConferenceId(1), ALL, 0)), [1]);
    assert_eq!(feed.batch(ConferenceId(1), ALL, 1), Batch::Closed);
    assert_eq!(feed.batch_of_all(1), Batch::Closed);
}
