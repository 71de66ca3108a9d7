//! One room for callgrind, which counts instructions where a clock is of no use because others
//! compile: `bench/instructions`.

use model::Codec;
use tick::Room;

/// Ticks until delays and encoders have settled, and in which nothing is counted.
const SETTLING_TICKS: usize = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [codec, legs, talkers, ticks] = &words[..] else {
        panic!("say CODEC LEGS TALKERS TICKS");
    };
    let codec = Codec::ALL.into_iter().find(|known| known.to_string().eq_ignore_ascii_case(codec));
    let number = |word: &String| word.parse::<u64>().expect("a number");
    let codec = codec.expect("a codec");
    let mut room = Room::new(codec, number(legs), number(talkers));
    for _ in 0..SETTLING_TICKS {
        room.speak();
        room.play();
    }
    for _ in 0..number(ticks) {
        room.speak();
        room.play_counted();
    }
}
