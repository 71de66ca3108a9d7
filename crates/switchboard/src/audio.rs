//! What is agreed on with a trunk, where that differs from what is agreed on with everybody.

use model::SrtpPolicy;
use wire::sdp::{Encoding, Local};

/// What is agreed on with a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrunkAudio {
    /// The codecs, best first; none is those of everybody.
    pub codecs: Vec<Encoding>,
    /// How keys go there.
    pub keys: KeyKind,
    /// Whether it is protected by SRTP, where that is not as for others.
    pub srtp: Option<SrtpPolicy>,
}

/// How keys go to a far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// As telephone-events (RFC 4733), if that is agreed on.
    #[default]
    Events,
    /// By INFO.
    Info,
    /// As tones in the voice.
    Tones,
}

/// What we say of ourselves to a trunk.
pub(crate) fn as_agreed_with(audio: Option<&TrunkAudio>, mut local: Local) -> Local {
    let Some(TrunkAudio { codecs, keys, srtp: _ }) = audio else { return local };
    let sounds = |one: &Encoding| !matches!(one, Encoding::ComfortNoise | Encoding::TelephoneEvent);
    if !codecs.is_empty() {
        let others = local.codecs.iter().copied().filter(|one| !sounds(one));
        local.codecs = codecs.iter().copied().filter(sounds).chain(others).collect();
    }
    match keys {
        KeyKind::Events => {}
        KeyKind::Info | KeyKind::Tones => {
            local.codecs.retain(|one| *one != Encoding::TelephoneEvent);
        }
    }
    local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_is_offered_its_codecs_and_events_only_if_it_takes_them() {
        let all =
            [Encoding::Opus, Encoding::Pcma, Encoding::ComfortNoise, Encoding::TelephoneEvent];
        let local = || Local::new("192.0.2.1:4000".parse().unwrap(), all.to_vec(), 1);
        assert_eq!(as_agreed_with(None, local()).codecs, all);
        let codecs = vec![Encoding::Pcma];
        let audio = TrunkAudio { codecs: codecs.clone(), ..TrunkAudio::default() };
        assert_eq!(as_agreed_with(Some(&audio), local()).codecs, [&codecs, &all[2..]].concat());
        let audio = TrunkAudio { keys: KeyKind::Info, ..TrunkAudio::default() };
        assert_eq!(as_agreed_with(Some(&audio), local()).codecs, all[..3]);
    }
}
