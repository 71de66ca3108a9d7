//! What legs are expected to cost, for whoever deals them to threads.

use model::{Codec, Connection};

/// How busy a leg keeps its thread \[µs per second\], what the kernel does for it among it: rounded
/// up from `bench/README.md` (W2, W6, W5b). What is not agreed on yet may become the dearest.
pub(crate) fn leg_us_per_s(terms: Option<&Connection>) -> u64 {
    match terms.map(|terms| terms.codec) {
        Some(Codec::Pcmu | Codec::Pcma) => 500,
        Some(Codec::G722) => 1_000,
        Some(Codec::Opus) | None => 4_000,
    }
}
