//! Prompts that a conference wants said become orders to media.

use std::time::Instant;

use model::{AnnouncementId, ConferenceId, MediaOrder, PromptName, Refusal, Verb};

use crate::switchboard::Switchboard;

impl Switchboard {
    /// Lets a prompt be said as the conference's profile has it. Where there is none of that name
    /// it is over at once: whoever waits for its end does not wait for ever.
    pub(crate) fn play(
        &mut self,
        now: Instant,
        conference: ConferenceId,
        announcement: AnnouncementId,
        prompt: &PromptName,
    ) {
        let Some(found) = self.conferences.get(&conference) else { return };
        let profile = found.profile();
        let language = &profile.prompts.language;
        match self.config.prompts.find(&profile.name, language, prompt) {
            Some(clip) => {
                self.announcements.insert(announcement, conference);
                self.order(MediaOrder::Play { conference, announcement, clip });
            }
            None => self.say_that_it_is_over(now, conference, announcement),
        }
    }

    /// An announcement has come to its end.
    pub(crate) fn played(&mut self, now: Instant, announcement: AnnouncementId) {
        if self.asked_in_lobby(announcement) {
            return;
        }
        // It may have been stopped in the same instant.
        let Some(conference) = self.announcements.get(&announcement).copied() else { return };
        self.say_that_it_is_over(now, conference, announcement);
        self.drain_conference(now, conference);
    }

    fn say_that_it_is_over(
        &mut self,
        now: Instant,
        conference: ConferenceId,
        announcement: AnnouncementId,
    ) {
        let now_ms = self.config.at_ms(now);
        if let Some(found) = self.conferences.get_mut(&conference) {
            found.played(now_ms, announcement);
        }
    }

    /// Whether a prompt that somebody wishes said can be: in any profile's voice, as which one it
    /// is for is seen when it is said.
    ///
    /// # Errors
    /// [`Refusal::NoSuchPrompt`].
    pub(crate) fn has_prompt(&self, verb: &Verb) -> Result<(), Refusal> {
        let Some(prompt) = verb.prompt() else { return Ok(()) };
        match self.config.prompts.has(prompt) {
            true => Ok(()),
            false => Err(Refusal::NoSuchPrompt),
        }
    }
}
