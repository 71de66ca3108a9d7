//! What a speaker sent, on its way to those who are given it as it is.

use model::LegId;

use crate::limits::PAYLOAD_BYTES_MAX;
use crate::link::Link;
use crate::playout::Parcel;
use crate::stage::{PortKey, Ports};

/// What a speaker sent, on its way to listeners.
pub(crate) struct Carried {
    of: Option<(u64, PortKey)>,
    what: Carriage,
    bytes: [u8; PAYLOAD_BYTES_MAX],
}

/// As a [`Parcel`].
#[derive(Clone, Copy)]
enum Carriage {
    Payload { length: usize, after_loss: bool },
    Lost,
    Late,
}

impl Carried {
    pub(crate) fn nothing() -> Carried {
        Carried { of: None, what: Carriage::Lost, bytes: [0; PAYLOAD_BYTES_MAX] }
    }

    /// Fetches what a speaker sent for this tick.
    pub(crate) fn fetch(&mut self, tick: u64, (port, leg): (PortKey, LegId), ports: &Ports) {
        if self.of == Some((tick, port)) {
            return;
        }
        self.of = Some((tick, port));
        self.what = match ports.link(port, leg).map(Link::parcel) {
            Some(Parcel::Payload { bytes, after_loss }) => {
                match self.bytes.get_mut(..bytes.len()) {
                    Some(room) => {
                        room.copy_from_slice(bytes);
                        Carriage::Payload { length: bytes.len(), after_loss }
                    }
                    None => Carriage::Lost,
                }
            }
            Some(Parcel::Late) => Carriage::Late,
            Some(Parcel::Lost | Parcel::Mingled) | None => Carriage::Lost,
        };
    }

    pub(crate) fn parcel(&self) -> Parcel<'_> {
        match self.what {
            Carriage::Payload { length, after_loss } => {
                Parcel::Payload { bytes: &self.bytes[..length], after_loss }
            }
            Carriage::Lost => Parcel::Lost,
            Carriage::Late => Parcel::Late,
        }
    }
}
