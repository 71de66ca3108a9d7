//! What a tick costs: `cargo bench -p tick`. Prints a table when it is done.
#![expect(clippy::unwrap_used, reason = "a bench says that it failed by panicking")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use model::Codec;
use tick::Room;

const LEGS: [u64; 7] = [3, 10, 30, 100, 400, 1_000, 4_000];
const TALKERS: [u64; 2] = [1, 3];
/// Ticks until delays and encoders have settled: 4 s.
const SETTLING_TICKS: usize = 200;

fn id(codec: Codec, talkers: u64) -> String {
    format!("{codec}-{talkers}")
}

fn settled(codec: Codec, legs: u64, talkers: u64) -> Room {
    let mut room = Room::new(codec, legs, talkers);
    for _ in 0..SETTLING_TICKS {
        room.speak();
        room.play();
    }
    room
}

fn measure(criterion: &mut Criterion) {
    for codec in Codec::ALL {
        for talkers in TALKERS {
            let mut group = criterion.benchmark_group(id(codec, talkers));
            group.sample_size(10);
            group.warm_up_time(Duration::from_millis(50));
            group.measurement_time(Duration::from_millis(500));
            for legs in LEGS {
                // Made when it is first asked for: a filter may leave it out.
                let mut room = None;
                group.bench_function(BenchmarkId::from_parameter(legs), |bencher| {
                    let room = room.get_or_insert_with(|| settled(codec, legs, talkers));
                    bencher.iter_custom(|ticks| {
                        let mut spent = Duration::ZERO;
                        for _ in 0..ticks {
                            room.speak();
                            let begin = Instant::now();
                            let sent = room.play();
                            spent += begin.elapsed();
                            // Each leg is sent its audio, and now and then RTCP.
                            assert!(sent as u64 >= legs, "{sent}");
                        }
                        spent
                    });
                });
            }
        }
    }
}

/// The middle of what was measured just now \[ns a tick\].
fn median_ns(codec: Codec, talkers: u64, legs: u64) -> Option<f64> {
    let root = std::env::var("CARGO_TARGET_DIR").unwrap_or("../../target".into());
    let path = format!("{root}/criterion/{}/{legs}/new/estimates.json", id(codec, talkers));
    let text = std::fs::read_to_string(path).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).unwrap();
    estimates["median"]["point_estimate"].as_f64()
}

fn table() {
    println!("ns for each leg in each tick of 20 ms, and in the last row the whole tick in µs:\n");
    let columns = Codec::ALL.iter().flat_map(|codec| TALKERS.map(|talkers| (*codec, talkers)));
    let columns: Vec<(Codec, u64)> = columns.collect();
    let names = columns.iter().map(|(codec, talkers)| format!(" {codec}, {talkers} |"));
    println!("| legs |{}", names.collect::<String>());
    println!("|---|{}", "---|".repeat(columns.len()));
    for legs in LEGS {
        let cells = columns.iter().map(|(codec, talkers)| {
            median_ns(*codec, *talkers, legs)
                .map_or(" – |".into(), |ns| format!(" {:.0} |", ns / legs as f64))
        });
        println!("| {legs} |{}", cells.collect::<String>());
    }
    let legs = LEGS[LEGS.len() - 1];
    let cells = columns.iter().map(|(codec, talkers)| {
        median_ns(*codec, *talkers, legs)
            .map_or(" – |".into(), |ns| format!(" {:.0} |", ns / 1e3))
    });
    println!("| {legs}, whole tick µs |{}", cells.collect::<String>());
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion);
    criterion.final_summary();
    table();
}
