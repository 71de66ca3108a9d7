//! What a conference's mixer plays by itself: prompts, each once, and the ringing tone.

use std::collections::VecDeque;

use audio::ringback::{Ringing, RingingTone};
use model::profile::Ringback;
use model::{AnnouncementId, MediaReport};

use crate::clip::Clip;
use crate::cue::Spent;
use crate::ledger::Ledger;
use crate::limits::{ANNOUNCEMENTS_HELD_MAX, SPENT_QUEUED_MAX};
use crate::plan::Plan;
use crate::rate::Rate;

/// How far an announcement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody has heard it yet.
    Waiting,
    /// This tick of it is played.
    Playing(u64),
    /// It is over, and nobody was told yet.
    Over,
    /// It is over, and that was reported.
    Told,
}

/// One playing of a clip.
#[derive(Debug)]
pub struct Announcement {
    id: AnnouncementId,
    clip: Clip,
    progress: Progress,
    /// It goes as soon as the plan that plays does not know it.
    stopped: bool,
}

impl Announcement {
    /// It waits until somebody hears it.
    pub(crate) fn new(id: AnnouncementId, clip: Clip) -> Announcement {
        Announcement { id, clip, progress: Progress::Waiting, stopped: false }
    }
}

/// The announcements of one mixer.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    places: [Option<Box<Announcement>>; ANNOUNCEMENTS_HELD_MAX],
}

impl Announcer {
    /// Lets an announcement in; back it comes if there are too many.
    pub(crate) fn play(&mut self, announcement: Box<Announcement>) -> Option<Box<Announcement>> {
        match self.places.iter_mut().find(|place| place.is_none()) {
            Some(place) => place.replace(announcement),
            None => Some(announcement),
        }
    }

    /// An announcement is to go.
    pub(crate) fn stop(&mut self, id: AnnouncementId) {
        if let Some(found) = self.places.iter_mut().flatten().find(|found| found.id == id) {
            found.stopped = true;
        }
    }

    /// A tick begins with this plan: whoever is heard by it and waited begins.
    pub(crate) fn begin(&mut self, plan: &Plan) {
        for found in self.places.iter_mut().flatten() {
            if found.progress == Progress::Waiting && plan.announces(found.id) {
                found.progress = Progress::Playing(0);
            }
        }
    }

    /// Adds this tick of an announcement to a sum; false if it has nothing to say.
    pub(crate) fn add(
        &self,
        id: AnnouncementId,
        rate: Rate,
        sum: &mut [i32],
        gain_q15: u16,
    ) -> bool {
        let found = self.places.iter().flatten().find(|found| found.id == id);
        match found.map(|found| (found.progress, &found.clip)) {
            Some((Progress::Playing(tick), clip)) => {
                clip.add(rate, tick, sum, gain_q15);
                true
            }
            Some((Progress::Waiting | Progress::Over | Progress::Told, _)) | None => false,
        }
    }

    /// A tick is over that was played by this plan.
    pub(crate) fn step(&mut self, plan: &Plan, ledger: &mut Ledger, spent: &mut VecDeque<Spent>) {
        for place in &mut self.places {
            let Some(found) = place else { continue };
            if let Progress::Playing(tick) = found.progress {
                let is_over = tick + 1 >= found.clip.ticks();
                found.progress = if is_over { Progress::Over } else { Progress::Playing(tick + 1) };
            }
            let report = MediaReport::Played { announcement: found.id };
            if found.progress == Progress::Over && ledger.report(report) {
                found.progress = Progress::Told;
            }
            if found.stopped && !plan.announces(found.id) && spent.len() < SPENT_QUEUED_MAX {
                spent.extend(place.take().map(Spent::Announcement));
            }
        }
    }
}

/// The ringing tones of all countries, at every rate.
#[derive(Debug)]
pub(crate) struct Ringer {
    tones: [[RingingTone; Rate::COUNT]; Ringback::ALL.len()],
}

impl Ringer {
    pub(crate) fn new() -> Ringer {
        let tones = Ringback::ALL.map(|country| {
            let ringing = match country {
                Ringback::Europe => Ringing::EUROPE,
                Ringback::NorthAmerica => Ringing::NORTH_AMERICA,
                Ringback::UnitedKingdom => Ringing::UNITED_KINGDOM,
            };
            Rate::ALL.map(|rate| RingingTone::new(ringing, rate.hz()))
        });
        Ringer { tones }
    }

    /// Adds a tick's tone, so many ticks after it began, to a sum at a gain in Q15; false if it
    /// pauses.
    pub(crate) fn add(
        &self,
        country: Ringback,
        rate: Rate,
        ticks: u64,
        sum: &mut [i32],
        gain_q15: u16,
    ) -> bool {
        let tone = &self.tones[country as usize][rate.index()];
        tone.add(ticks * rate.per_tick() as u64, sum, gain_q15)
    }
}
