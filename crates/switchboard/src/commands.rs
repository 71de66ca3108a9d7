//! Commands find their conference, are carried out once, and are answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use call::{Conference, Rules};
use model::command::Target;
use model::limits::{COMMANDS_REMEMBERED_MAX, CONFERENCES_MAX, TEXT_BYTES_MAX};
use model::{
    Accepted, Allowed, Author, Command, CommandId, ConferenceId, ConferenceName, ConferenceRef,
    PartyId, Refusal, Verb,
};
use sip::access::{Destination, Origin, Urgency};
use sip::message::Uri;

use crate::quota::Payer;
use crate::switchboard::{Life, Output, Switchboard};
use crate::way::Way;

/// The answers that were given lately, so that a command that comes again gets the same one.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_id: BTreeMap<CommandId, Result<Accepted, Refusal>>,
    order: VecDeque<CommandId>,
}

impl Answers {
    fn remember(&mut self, id: CommandId, answer: Result<Accepted, Refusal>) {
        if self.order.len() == COMMANDS_REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        if self.by_id.insert(id, answer).is_none() {
            self.order.push_back(id);
        }
    }
}

/// The command that a conference begins with.
struct Begins {
    id: CommandId,
    by: Author,
    verb: Verb,
}

impl Switchboard {
    /// Carries out a command from outside, once.
    pub(crate) fn command(&mut self, now: Instant, command: Command) -> Result<Accepted, Refusal> {
        if let Some(answer) = self.answers.by_id.get(&command.id) {
            return answer.clone();
        }
        let id = command.id;
        let answer = self.find_and_carry_out(now, command, Urgency::Ordinary);
        self.answers.remember(id, answer.clone());
        answer
    }

    /// A command that concerns a conference by name may begin it, if its verb brings somebody.
    pub(crate) fn find_and_carry_out(
        &mut self,
        now: Instant,
        command: Command,
        urgency: Urgency,
    ) -> Result<Accepted, Refusal> {
        let answer = self.try_command(now, command, urgency);
        if let Err(refusal) = &answer {
            *self.refusals.entry(refusal.code()).or_default() += 1;
        }
        answer
    }

    /// `urgency` is that of the call which the command is for, where it does not name it itself.
    fn try_command(
        &mut self,
        now: Instant,
        command: Command,
        urgency: Urgency,
    ) -> Result<Accepted, Refusal> {
        let Command { id, conference, by, mut verb, if_revision } = command;
        let room = match &conference {
            ConferenceRef::Id(conference) => self.name_of(*conference),
            ConferenceRef::Name(name) => Some(name),
        };
        let way = self.may_have_called(&verb, room)?;
        let urgency = way.as_ref().map_or(urgency, |way| self.urgency(way));
        self.check(&verb, urgency)?;
        self.has_prompt(&verb)?;
        if let Some(way) = &way {
            self.tell_colleagues(&mut verb, way)?;
        }
        let known = match conference {
            ConferenceRef::Id(conference) => Ok(conference),
            ConferenceRef::Name(name) => self.names.get(&name).copied().ok_or(name),
        };
        let mut payer = Payer::default();
        let accepted = match (known, &verb) {
            (Ok(conference), _) => {
                self.is_as_seen(conference, if_revision)?;
                payer = self.begin_call_by_desk(now, (conference, by), way.as_ref())?;
                self.conference_command(now, conference, id, by, verb)
            }
            (Err(name), Verb::Enter(_) | Verb::Invite { .. }) if if_revision.is_none() => {
                self.begin(now, name, urgency, Begins { id, by, verb })
            }
            (Err(_), _) => Err(Refusal::NoSuchConference),
        }?;
        if let Some(way) = way {
            self.goes(now, &accepted, way, (Origin::Trusted, payer));
        }
        Ok(accepted)
    }

    /// By which name a conference is called, as long as it is live.
    pub(crate) fn name_of(&self, conference: ConferenceId) -> Option<&ConferenceName> {
        self.names.iter().find(|(_, named)| **named == conference).map(|(name, _)| name)
    }

    /// A command to a conference that is live.
    pub(crate) fn conference_command(
        &mut self,
        now: Instant,
        conference: ConferenceId,
        id: CommandId,
        by: Author,
        verb: Verb,
    ) -> Result<Accepted, Refusal> {
        let now_ms = self.config.at_ms(now);
        let found = self.conferences.get_mut(&conference).ok_or(Refusal::NoSuchConference)?;
        let action = verb.action();
        let answer = found.command(now_ms, id, by, verb);
        self.drain_conference(now, conference);
        if let Err(refusal) = answer
            && refusal.denies_a_right()
        {
            *self.denials.entry((action.name(), refusal.code())).or_default() += 1;
            self.outputs.push_back(Output::Denied { conference, id, by, action, refusal });
        }
        answer
    }

    /// What an author may do in a conference at this moment, with one party or with all.
    ///
    /// # Errors
    /// There is no such conference, or not any more.
    pub fn allowed(
        &self,
        now: Instant,
        conference: ConferenceId,
        by: Author,
        whom: Option<PartyId>,
    ) -> Result<Allowed, Refusal> {
        let found = self.conferences.get(&conference).ok_or(Refusal::NoSuchConference)?;
        Ok(found.allowed(self.config.at_ms(now), by, whom))
    }

    /// What must hold of a verb whatever the conference says.
    pub(crate) fn check(&self, verb: &Verb, urgency: Urgency) -> Result<(), Refusal> {
        match (verb, verb.target()) {
            (Verb::Enter(_), _) => self.takes_calls(urgency),
            (Verb::TakeOver { .. }, _) => self.takes_legs(urgency),
            (_, Some(Target::Queue(_))) => Err(Refusal::NoSuchQueue),
            (_, Some(Target::Address(target) | Target::Colleague(target))) => {
                crate::signal::callable(target, &self.config.sip.listeners)?;
                self.takes_calls(urgency)
            }
            (Verb::Write { text, .. }, None) => match text.trim().is_empty() {
                false if text.len() <= TEXT_BYTES_MAX => Ok(()),
                true | false => Err(Refusal::BadText),
            },
            (_, None) => Ok(()),
        }
    }

    /// Whether a conference is still as the author of a command has seen it.
    fn is_as_seen(&self, id: ConferenceId, revision: Option<u64>) -> Result<(), Refusal> {
        let found = self.conferences.get(&id).ok_or(Refusal::NoSuchConference)?;
        match revision {
            Some(seen) if seen != found.revision() => Err(Refusal::Stale),
            Some(_) | None => Ok(()),
        }
    }

    /// Whoever is called at the phones of a user of ours is that user, and has its address of
    /// record, whatever was dialled: a roster, a token and whoever comes back know it by that.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] if a user is to be called by an address that leads to somebody else.
    pub(crate) fn tell_colleagues(&self, verb: &mut Verb, way: &Way) -> Result<(), Refusal> {
        let Some(target) = verb.target_mut() else { return Ok(()) };
        let leads_to = match way {
            Way::Routed(Destination::User(user)) => Some(user.as_str()),
            Way::Routed(_) | Way::Straight => None,
        };
        if let Target::Colleague(address) = target {
            let uri = address.parse::<Uri>().map_err(|_| Refusal::BadTarget)?;
            if leads_to.is_none() || uri.user() != leads_to {
                return Err(Refusal::NotAllowed);
            }
        }
        if let Some(user) = leads_to {
            *target = Target::Colleague(self.address_of_record(user).to_string());
        }
        Ok(())
    }

    /// While the server drains, help may be called for.
    fn takes_calls(&self, urgency: Urgency) -> Result<(), Refusal> {
        match (self.life, urgency) {
            (Life::Draining, Urgency::Ordinary) => Err(Refusal::Draining),
            (Life::Draining, Urgency::Emergency) | (Life::Open | Life::Stopping, _) => {
                self.takes_legs(urgency)
            }
        }
    }

    /// While the server drains a call that is up may still pass to another phone.
    fn takes_legs(&self, urgency: Urgency) -> Result<(), Refusal> {
        let most = model::limits::LEGS_MAX + urgency.reserve();
        match self.life {
            Life::Stopping => Err(Refusal::Draining),
            Life::Open | Life::Draining if self.legs.len() >= most => Err(Refusal::NoPorts),
            Life::Open | Life::Draining => Ok(()),
        }
    }

    /// A conference begins with the command that brings its first party. If the command is
    /// refused, there was no conference.
    fn begin(
        &mut self,
        now: Instant,
        name: ConferenceName,
        urgency: Urgency,
        Begins { id: command, by, verb }: Begins,
    ) -> Result<Accepted, Refusal> {
        if self.conferences.len() >= CONFERENCES_MAX + urgency.reserve() {
            return Err(Refusal::Busy);
        }
        let id = ConferenceId(self.chance.draw());
        let room = self.config.room(&name);
        let rules = Rules {
            profile: room.profile.clone(),
            parties_max: room.parties_max,
            record: room.record,
        };
        let now_ms = self.config.at_ms(now);
        let seed = self.chance.draw();
        let mut conference = Conference::new(id, name.clone(), rules, now_ms, seed);
        let accepted = conference.command(now_ms, command, by, verb)?;
        self.conferences.insert(id, conference);
        self.names.insert(name, id);
        self.drain_conference(now, id);
        Ok(accepted)
    }
}

#[cfg(test)]
mod tests {
    use model::{EventKind, LocalMedia, MediaOrder, MediaReport, TapRate};
    use sip::Transport;

    use super::*;
    use crate::config::{Config, HouseRules, Room};
    use crate::srtp::SrtpRules;
    use crate::switchboard::Input;

    fn room(profile: &str) -> Room {
        let profile = call::shipped().into_iter().find(|shipped| shipped.name == profile).unwrap();
        Room { record: false, recording_rate: TapRate::Hz16000, parties_max: 10, profile }
    }

    fn config(transport: Transport) -> Config {
        #[expect(clippy::disallowed_methods, reason = "virtual time begins at some instant")]
        let now = Instant::now();
        let listeners = vec![(transport, "10.0.0.1:5060".parse().unwrap())];
        Config {
            sip: sip::Config::new(listeners),
            rooms: BTreeMap::new(),
            prompts: Default::default(),
            callers: BTreeMap::new(),
            trunk_audio: BTreeMap::new(),
            rtp_timeouts: crate::RtpTimeouts::default(),
            any_room: room("connect_three_party"),
            srtp: SrtpRules::default(),
            started: now,
            started_ms: 0,
        }
    }

    #[test]
    fn a_conference_keeps_the_profile_that_it_began_with() {
        let config = config(Transport::Udp);
        let now = config.started;
        let mut board = Switchboard::new(config, 7);
        let invite = |board: &mut Switchboard, id, name: &str| {
            let (name, verb) =
                (ConferenceRef::parse(name).unwrap(), Verb::invite("sip:a@10.0.1.9"));
            board.command(now, Command::new(CommandId(id), name, Author::Admin, verb)).unwrap()
        };
        let before = invite(&mut board, 1, "before").conference;
        let rules = HouseRules {
            access: board.sip.access().clone(),
            srtp: Default::default(),
            srtp_keys: Default::default(),
            srtp_by_user: BTreeMap::new(),
            trunk_audio: BTreeMap::new(),
            rooms: BTreeMap::new(),
            callers: BTreeMap::new(),
            any_room: room("connect_multi_party"),
        };
        board.handle(now, Input::Rules(Box::new(rules)));
        let after = invite(&mut board, 2, "after").conference;
        let profile = |id: ConferenceId| board.conferences[&id].profile().name.as_str();
        assert_eq!(profile(before), "connect_three_party", "S4.4");
        assert_eq!(profile(after), "connect_multi_party");
    }

    /// Its phones are where they have registered from, by whatever transport that was.
    #[test]
    fn a_user_is_called_where_nothing_listens_by_udp() {
        let mut config = config(Transport::Tcp);
        let now = config.started;
        config.sip.access.users.insert("alice".to_owned(), Default::default());
        let mut board = Switchboard::new(config, 7);
        let room = ConferenceRef::parse("room").unwrap();
        let verb = Verb::invite("sip:alice@10.0.0.1;transport=tcp");
        let command = Command::new(CommandId(1), room, Author::Admin, verb);
        board.command(now, command).unwrap();
        let opens = std::iter::from_fn(|| board.poll()).find_map(|output| {
            if let Output::Media(MediaOrder::Open { leg, .. }) = output { Some(leg) } else { None }
        });
        let local = LocalMedia { rtp: "10.0.0.1:4000".parse().unwrap() };
        let opened = MediaReport::Opened { leg: opens.unwrap(), local };
        board.handle(now, Input::Media(opened));
        let mut told = std::iter::from_fn(|| board.poll());
        let left = told.any(|output| {
            let event = if let Output::Event(event) = output { Some(event.kind) } else { None };
            matches!(event, Some(EventKind::Left { .. }))
        });
        assert!(left, "no phone of hers is there");
    }
}
