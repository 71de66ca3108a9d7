//! How good speech is that lost packets: the E-model (ITU-T G.107) without what a server cannot
//! know (echo, noise, loudness) and without delay, which listening does not notice.
//!
//! ```text
//! R = Ro − Ie,eff      Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl + Bpl)      MOS = f(R)
//! ```
//!
//! Ro is 93.2, what G.107 gives with all its defaults; loss is taken for random (BurstR = 1). All
//! codecs are rated on this one scale, so that a wide voice is not rated below a narrow one for
//! being measured by a longer yardstick (G.107.1); the best is 4.41 for each of them.

use model::Codec;

/// The rating of a connection with nothing wrong but its codec (G.107, table 3).
const RATING_MAX: f64 = 93.2;

/// What a codec takes from the rating, and how well it bears loss.
struct Impairment {
    /// Equipment impairment `Ie`.
    codec: f64,
    /// Packet-loss robustness `Bpl` \[percent\].
    robustness: f64,
}

fn impairment(codec: Codec, fec: bool) -> Impairment {
    let (codec, robustness) = match (codec, fec) {
        // G.113 appendix I, G.711 with its concealment (appendix I of G.711) and random loss.
        (Codec::Pcmu | Codec::Pcma, _) => (0.0, 25.1),
        // G.113 rates G.722 on the wideband scale only, at 13 of 129 for its noise against clean
        // wide speech. A narrow listener is the yardstick here, and to that ear it is transparent.
        // Its concealment is ours and like that of G.711; the memory of its predictor makes a loss
        // last longer, so it is given half the robustness.
        (Codec::G722, _) => (0.0, 12.5),
        // No recommendation has Opus. Its concealment is no worse than that of G.729A, which
        // G.113 gives 19; redundancy brings single losses back, which bears about twice the loss.
        (Codec::Opus, false) => (0.0, 19.0),
        (Codec::Opus, true) => (0.0, 38.0),
    };
    Impairment { codec, robustness }
}

/// The rating factor R of what is heard after so much loss \[percent\].
pub(crate) fn rating(codec: Codec, fec: bool, loss_percent: f64) -> f64 {
    let Impairment { codec, robustness } = impairment(codec, fec);
    let loss = loss_percent.clamp(0.0, 100.0);
    RATING_MAX - (codec + (95.0 - codec) * loss / (loss + robustness))
}

/// The mean opinion score of a rating (G.107 annex B).
pub(crate) fn mos(rating: f64) -> f64 {
    if rating <= 0.0 {
        return 1.0;
    }
    let rating = rating.min(100.0);
    let mos = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    // The curve dips below its beginning for the lowest ratings.
    mos.max(1.0)
}

/// What delay takes from the rating of a conversation, by the time one way \[ms\]: the fit to
/// G.107's `Idd` by Cole and Rosenbluth (Voice over IP performance monitoring, 2001).
pub(crate) fn delay_impairment(one_way_ms: f64) -> f64 {
    0.024 * one_way_ms + 0.11 * (one_way_ms - 177.3).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_g_107_table_b_1() {
        // The lower limits of R, and MOS for them, as the recommendation prints them.
        for (rating, printed) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10)] {
            let found = mos(rating);
            // 4.024 is printed as 4.03.
            assert!((found - printed).abs() < 0.01, "R {rating}: {found} and not {printed}");
        }
        assert!((mos(50.0) - 2.58).abs() < 0.006);
        assert!((mos(RATING_MAX) - 4.41).abs() < 0.006);
        assert_eq!((mos(-3.0), mos(100.0), mos(130.0)), (1.0, 4.5, 4.5));
        assert_eq!(mos(3.0), 1.0);
    }

    #[test]
    fn loss_takes_from_the_rating_what_g_113_says() {
        // Ie,eff of G.711 with concealment: 95 · Ppl / (Ppl + 25.1).
        for (loss, left) in [(0.0, 93.2), (1.0, 89.56), (5.0, 77.42), (10.0, 66.13)] {
            let found = rating(Codec::Pcmu, false, loss);
            assert!((found - left).abs() < 0.01, "{loss} %: {found} and not {left}");
        }
        assert!(rating(Codec::Opus, true, 5.0) > rating(Codec::Opus, false, 5.0));
        assert!(mos(rating(Codec::G722, false, 100.0)) < 1.3);
    }

    #[test]
    fn a_delay_is_noticed_from_where_people_begin_to_talk_into_each_other() {
        assert!(delay_impairment(100.0) < 3.0);
        assert!((delay_impairment(400.0) - 34.1).abs() < 0.1);
    }

    #[test]
    fn more_loss_is_never_better() {
        for codec in Codec::ALL {
            let scores: Vec<f64> =
                (0..=100).map(|loss| mos(rating(codec, false, f64::from(loss)))).collect();
            assert!(scores.is_sorted_by(|a, b| a >= b), "{codec}: {scores:?}");
        }
    }
}
