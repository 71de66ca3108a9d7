//! How a party's audio comes and goes, in figures.

use serde::{Deserialize, Serialize};

/// How one party's audio was, both ways. Counts are since the call began; the rest is of the last
/// 5 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Quality {
    /// RTP packets that the party sent, by their sequence numbers.
    pub packets_expected: u64,
    /// Those of them that came, duplicates included.
    pub packets_received: u64,
    /// Those that came after their time.
    pub packets_late: u64,
    /// Packets that were not made with the party's key, where its audio is protected by SRTP.
    #[serde(default)]
    pub packets_unauthentic: u64,
    /// Frames of 20 ms in which sound was made up.
    pub frames_concealed: u64,
    /// Packets that did not come, or too late \[percent\].
    pub loss_percent: f64,
    /// Interarrival jitter (RFC 3550 section 6.4.1) \[ms\].
    pub jitter_ms: f64,
    /// How good the party's voice is here, 1 to 4.5: MOS-LQ by the E-model (ITU-T G.107). Absent
    /// where nothing came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mos: Option<f64>,
    /// The time to the party's phone and back \[ms\]; absent until its RTCP told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// How the party hears what it is sent; absent until its RTCP told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub far: Option<FarQuality>,
}

/// How a party's phone says that it receives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FarQuality {
    /// Packets that did not reach it, between its last two reports \[percent\].
    pub loss_percent: f64,
    /// Interarrival jitter there \[ms\].
    pub jitter_ms: f64,
    /// How good what it hears is, 1 to 4.5: MOS-LQ by the E-model.
    pub mos: f64,
    /// Packets that came there too late to be played, as it says itself by RTCP XR \[percent\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded_percent: Option<f64>,
    /// MOS-LQ as it says itself by RTCP XR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_told: Option<f64>,
}

/// What people say of a mean opinion score (ITU-T G.109).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MosClass {
    /// Nearly all are dissatisfied.
    Poor,
    /// Many are dissatisfied.
    Low,
    /// Some are dissatisfied.
    Medium,
    /// All are satisfied, or very satisfied.
    High,
}

impl MosClass {
    /// The class of a score: the bounds are those of ratings 60, 70 and 80.
    pub fn of(mos: f64) -> MosClass {
        match mos {
            mos if mos >= 4.03 => MosClass::High,
            mos if mos >= 3.60 => MosClass::Medium,
            mos if mos >= 3.10 => MosClass::Low,
            _ => MosClass::Poor,
        }
    }
}

impl Quality {
    /// The classes of both directions, where they are known: from the party, and to it.
    pub fn classes(&self) -> (Option<MosClass>, Option<MosClass>) {
        (self.mos.map(MosClass::of), self.far.map(|far| MosClass::of(far.mos)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_has_the_class_of_its_rating() {
        let class = |mos| MosClass::of(mos);
        assert_eq!(class(4.41), MosClass::High);
        assert_eq!(class(4.0), MosClass::Medium);
        assert_eq!(class(3.2), MosClass::Low);
        assert_eq!(class(1.0), MosClass::Poor);
        let far = FarQuality {
            loss_percent: 20.0,
            jitter_ms: 0.0,
            mos: 2.0,
            discarded_percent: None,
            mos_told: None,
        };
        let quality = Quality { mos: Some(4.4), far: Some(far), ..Quality::default() };
        assert_eq!(quality.classes(), (Some(MosClass::High), Some(MosClass::Poor)));
        assert_eq!(Quality::default().classes(), (None, None));
    }
}
