//! Tracks beside the mix: when they begin, when they end, and what becomes of one that fails.

use std::collections::BTreeSet;

use crate::stage::{Stage, colleague, profile};
use call::{LegChange, Video};
use model::command::Hearers;
use model::limits::TAPS_PER_CONFERENCE_MAX;
use model::profile::Tracks;
use model::{Affiliation, Author, EventKind, PartyId, RecordingMode, Track, Verb};

/// A customer and an agent whose voices are recorded apart.
fn desk() -> (Stage, PartyId, PartyId) {
    let mut stage = Stage::recorded("expertflow");
    let (customer, agent) = (stage.customer(), stage.agent("A1"));
    (stage, customer, agent)
}

fn running(stage: &Stage) -> BTreeSet<Track> {
    stage.taps.values().copied().collect()
}

#[test]
fn a_voice_has_a_track_from_when_it_comes_to_when_it_leaves_and_whispers_from_the_first_on() {
    let (mut stage, customer, agent) = desk();
    let second = stage.agent("A2");
    let of = stage.mix().unwrap();
    let voice = |party| Track::Voice { of, party };
    let mut all = BTreeSet::from([Track::Mix, voice(customer), voice(agent), voice(second)]);
    assert_eq!(running(&stage), all);
    stage.by(second, Verb::Whisper { party: second, to: Some(Hearers::Ours) }).unwrap();
    all.insert(Track::Whisper { of, party: second });
    assert_eq!(running(&stage), all);
    stage.by(second, Verb::Whisper { party: second, to: None }).unwrap();
    assert_eq!(running(&stage), all, "its next whisper goes into the same track");
    stage.leaves(second);
    assert_eq!(running(&stage), [Track::Mix, voice(customer), voice(agent)].into());
    stage.ask(Author::Admin, Verb::Record { on: false }).unwrap();
    assert_eq!(running(&stage), BTreeSet::new());
    stage.ask(Author::Admin, Verb::Record { on: true }).unwrap();
    let of = stage.mix().unwrap();
    let voice = |party| Track::Voice { of, party };
    assert_eq!(running(&stage), [Track::Mix, voice(customer), voice(agent)].into());
}

#[test]
fn a_track_that_fails_ends_alone_and_a_mix_that_fails_takes_its_tracks_along() {
    let (mut stage, customer, agent) = desk();
    let of = stage.mix().unwrap();
    let track_of = |stage: &Stage, party| {
        let mut taps = stage.taps.iter();
        *taps.find(|(_, track)| track.party() == Some(party)).unwrap().0
    };
    let lost = track_of(&stage, customer);
    stage.conference.recording_failed(stage.now_ms, lost, "disk full".into());
    stage.drain();
    assert_eq!(running(&stage), [Track::Mix, Track::Voice { of, party: agent }].into());
    let tracks = &stage.view.as_ref().unwrap().recording.as_ref().unwrap().tracks;
    assert_eq!(tracks.len(), 1, "it is not shown any more");
    stage.agent("A2");
    assert_eq!(stage.taps.len(), 3, "it is not tried again while its party stays");
    stage.conference.recording_failed(stage.now_ms, of, "disk full".into());
    stage.drain();
    assert_eq!(running(&stage), BTreeSet::new());
    assert_eq!(stage.view.as_ref().unwrap().recording, None);
    assert_eq!(stage.routing.taps, []);
}

#[test]
fn beyond_as_many_tracks_as_there_may_be_each_that_has_none_is_told() {
    let mut rules = profile("open");
    rules.recording.tracks = Tracks::Each;
    let mut stage = Stage::with(rules, true);
    for number in 0..TAPS_PER_CONFERENCE_MAX + 1 {
        stage.agent(&format!("A{number}"));
    }
    assert_eq!(stage.taps.len(), TAPS_PER_CONFERENCE_MAX);
    assert_eq!(stage.routing.taps.len(), TAPS_PER_CONFERENCE_MAX);
    let failed = |event: &&model::Event| matches!(event.kind, EventKind::RecordingFailed { .. });
    assert_eq!(stage.events.iter().filter(failed).count(), 2);
    assert!(stage.view.as_ref().unwrap().recording.is_some(), "the mix goes on");
}

/// S0.21.
#[test]
fn a_recording_tells_once_from_when_on_it_has_no_video_of_whom() {
    let mut stage = Stage::new("open");
    let wants = |stage: &mut Stage, party, video| stage.change(party, LegChange::Video(video));
    let marks = |stage: &Stage| -> Vec<(PartyId, u64)> {
        let kinds = stage.events.iter().map(|event| &event.kind);
        kinds
            .filter_map(|kind| {
                let EventKind::RecordingModeChanged { party, offset_ms, mode, .. } = kind else {
                    return None;
                };
                assert_eq!(*mode, RecordingMode::Audio);
                Some((*party, *offset_ms))
            })
            .collect()
    };
    let (ann, bob) = (stage.join(Affiliation::Outside, "A"), stage.join(Affiliation::Outside, "B"));
    wants(&mut stage, ann, Video::Refused);
    stage.now_ms += 5_000;
    stage.ask(Author::Admin, Verb::Record { on: true }).expect("it is allowed");
    assert_eq!(marks(&stage), [], "it never had video of her");
    stage.now_ms += 2_000;
    wants(&mut stage, bob, Video::Refused);
    wants(&mut stage, bob, Video::Refused);
    assert_eq!(marks(&stage), [(bob, 2_000)]);
    stage.now_ms += 1_000;
    wants(&mut stage, bob, Video::Unasked);
    wants(&mut stage, bob, Video::Refused);
    wants(&mut stage, ann, Video::Refused);
    assert_eq!(marks(&stage), [(bob, 2_000), (bob, 3_000)]);
    stage.ask(Author::Admin, Verb::Record { on: false }).expect("it is allowed");
    wants(&mut stage, bob, Video::Unasked);
    wants(&mut stage, bob, Video::Refused);
    assert_eq!(marks(&stage).len(), 2, "nothing is recorded");
}

/// S4.38: it stops where ours are no more, and so it goes on where they are again.
#[test]
fn a_recording_that_stopped_without_agents_goes_on_with_the_next_one_unless_it_was_stopped() {
    for (stopped, record) in [(false, true), (false, false), (true, true)] {
        let mut stage = Stage::with(profile("connect_multi_party"), record);
        let (customer, agent) = (stage.customer(), stage.agent("A"));
        if !record {
            stage.ask(Author::Admin, Verb::Record { on: true }).unwrap();
        }
        let before = stage.mix();
        // It hands on and hangs up at once, as phones do.
        let verb = Verb::Transfer { party: agent, target: colleague("B") };
        let next = stage.calls(Author::Party(agent), verb, "B");
        stage.leaves(agent);
        assert_eq!(stage.records(), "nothing");
        if stopped {
            stage.ask(Author::Admin, Verb::Record { on: false }).unwrap();
        }
        stage.answer(next);
        assert_eq!(stage.picture(), "B: C | C: B");
        let records = if stopped { "nothing" } else { "B C" };
        assert_eq!(stage.records(), records, "{stopped} {record}");
        assert!(stage.mix() != before, "another file");
        stage.leaves(next);
        stage.leaves(customer);
        assert!(stage.over);
    }
}
