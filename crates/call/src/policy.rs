//! Judges a verb by the profile's table.

use model::profile::{Profile, Relation, Role};
use model::{Author, Refusal, Verb};

/// May this author do this? The server itself may do everything; its reasons are rules already.
pub fn judge(profile: &Profile, by: Author, verb: &Verb) -> Result<(), Refusal> {
    let role = match by {
        Author::System => return Ok(()),
        Author::Admin => Role::Admin,
        Author::Party(_) => Role::Guest,
    };
    let relation = match (verb.party(), by) {
        (None, _) => Relation::Conference,
        (Some(target), Author::Party(author)) if target == author => Relation::Myself,
        (Some(_), Author::Party(_) | Author::Admin | Author::System) => Relation::Other,
    };
    if profile.allows(role, verb.action(), relation) { Ok(()) } else { Err(Refusal::NotAllowed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::PartyId;

    fn open() -> Profile {
        toml::from_str(include_str!("../../../fixtures/profiles/open.toml")).unwrap()
    }

    #[test]
    fn a_guest_may_look_after_itself_and_not_after_others() {
        let me = PartyId(1);
        let by = Author::Party(me);
        assert_eq!(judge(&open(), by, &Verb::Hold { party: me }), Ok(()));
        let other = Verb::Hold { party: PartyId(2) };
        assert_eq!(judge(&open(), by, &other), Err(Refusal::NotAllowed));
        assert_eq!(judge(&open(), by, &Verb::End), Err(Refusal::NotAllowed));
        let invite = Verb::Invite { target: "sip:x@y".into() };
        assert_eq!(judge(&open(), by, &invite), Err(Refusal::NotAllowed));
    }

    #[test]
    fn an_admin_may_do_everything_but_enter() {
        let party = PartyId(1);
        for verb in [
            Verb::Mute { party },
            Verb::Unmute { party },
            Verb::Hold { party },
            Verb::Resume { party },
            Verb::Remove { party },
            Verb::End,
            Verb::Record { on: true },
            Verb::Invite { target: "sip:x@y".into() },
        ] {
            assert_eq!(judge(&open(), Author::Admin, &verb), Ok(()), "{verb:?}");
        }
    }
}
