//! Many runs as one table: the median of each, its range, and what it is to the floor and to the
//! best peer.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::figures::Figures;

/// The server that does nothing but move packets.
pub(crate) const FLOOR: &str = "floor";
/// The server that this project makes.
const OURS: &str = "convoke";

/// Draws a table in Markdown from lines of JSON.
///
/// # Errors
/// When a line is not what `load --json` prints.
pub(crate) fn draw(lines: &str) -> Result<String> {
    let mut runs: BTreeMap<(String, String), Vec<Figures>> = BTreeMap::new();
    for line in lines.lines().filter(|line| line.starts_with('{')) {
        let run: Figures = serde_json::from_str(line).with_context(|| line.to_owned())?;
        runs.entry((run.workload.clone(), run.server.clone())).or_default().push(run);
    }
    let costs: BTreeMap<&(String, String), f64> = runs
        .iter()
        .map(|(of, runs)| (of, median(runs, |run| run.server_cpu_ms_per_leg_s)))
        .collect();

    let mut table = String::from(
        "| workload | server | runs | legs | CPU-ms per leg-second (range) | × floor \
         | best peer / it | delivered % | lost | gap max ms | jitter ms (worst) | RSS kB/leg \
         | threads | switches/s | ears right | windows wrong | load's own CPU-ms | load late |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (of, runs) in &runs {
        let (workload, server) = of;
        let cost_of = |server: &str| {
            costs.iter().find(|(of, _)| of.0 == *workload && of.1 == server).map(|(_, cost)| *cost)
        };
        let is_peer =
            |of: &&(String, String)| of.0 == *workload && of.1 != OURS && !of.1.starts_with(FLOOR);
        let best_peer =
            costs.iter().filter(|(of, _)| is_peer(of)).map(|(_, cost)| *cost).reduce(f64::min);
        let cost = cost_of(server).unwrap_or(0.0);
        let ratio = |of: Option<f64>| of.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let to_floor = cost_of(FLOOR).filter(|floor| *floor > 0.0).map(|floor| cost / floor);
        let to_peer = best_peer.filter(|_| cost > 0.0 && server == OURS).map(|peer| peer / cost);
        table.push_str(&format!(
            "| {workload} | {server} | {} {} | {} | {} | {} |\n",
            runs.len(),
            legs(runs),
            ratio(to_floor),
            ratio(to_peer),
            rest(runs)
        ));
    }
    Ok(table)
}

/// Legs, and the cost with its range.
fn legs(runs: &[Figures]) -> String {
    let up = runs.iter().map(|run| run.legs).min().unwrap_or(0);
    let wanted = runs.iter().map(|run| run.legs_wanted).max().unwrap_or(0);
    let of = if up == wanted { up.to_string() } else { format!("{up} of {wanted}") };
    let cost = |run: &Figures| run.server_cpu_ms_per_leg_s;
    let lowest = runs.iter().map(cost).fold(f64::INFINITY, f64::min);
    let highest = runs.iter().map(cost).fold(0.0, f64::max);
    format!("| {of} | {:.3} ({lowest:.3}–{highest:.3})", median(runs, cost))
}

/// All columns after the ratios: the worst of all runs where a run can go wrong, else the median.
fn rest(runs: &[Figures]) -> String {
    let sum = |of: fn(&Figures) -> u64| runs.iter().map(of).sum::<u64>();
    let worst = |of: fn(&Figures) -> f64| runs.iter().map(of).fold(0.0, f64::max);
    let delivered = runs.iter().map(|run| run.delivered).fold(f64::INFINITY, f64::min);
    let ears = |of: u64, right: u64| if of == 0 { "–".into() } else { format!("{right}/{of}") };
    format!(
        "{:.2} | {} | {:.0} | {:.2} ({:.2}) | {:.0} | {:.0} | {:.0} | {} | {} | {:.3} | {}",
        100.0 * delivered,
        sum(|run| run.lost),
        worst(|run| run.gap_max_ms),
        median(runs, |run| run.jitter_mean_ms),
        worst(|run| run.jitter_max_ms),
        median(runs, |run| run.rss_kb_per_leg),
        median(runs, |run| run.threads as f64),
        median(runs, |run| run.switches_per_s),
        ears(sum(|run| run.ears as u64), sum(|run| run.ears_right as u64)),
        ears(sum(|run| run.windows), sum(|run| run.windows_wrong)),
        median(runs, |run| run.own_cpu_ms_per_leg_s),
        sum(|run| run.own_late_turns),
    )
}

fn median(runs: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(workload: &str, server: &str, cost: f64) -> String {
        let figures = Figures {
            workload: workload.into(),
            server: server.into(),
            legs: 10,
            legs_wanted: 10,
            seconds: 5.0,
            server_cpu_ms_per_leg_s: cost,
            own_cpu_ms_per_leg_s: 0.1,
            delivered: 1.0,
            lost: 1,
            legs_with_loss: 1,
            gap_max_ms: 20.0,
            gap_median_ms: 20.0,
            jitter_mean_ms: 0.1,
            jitter_max_ms: 0.1,
            rss_kb_per_leg: 1.0,
            threads: 1,
            switches_per_s: 1.0,
            ears: 2,
            ears_right: 1,
            windows: 24,
            windows_wrong: 3,
            own_late_turns: 0,
        };
        serde_json::to_string(&figures).unwrap()
    }

    #[test]
    fn a_cost_is_a_median_beside_the_floor_and_the_cheapest_peer_of_its_own_workload() {
        let runs = [
            run("W1", "convoke", 0.9),
            run("W1", "convoke", 0.4),
            run("W1", "convoke", 0.5),
            run("W1", FLOOR, 0.25),
            run("W1", "floor (epoll per packet)", 0.1),
            run("W1", "one", 4.0),
            run("W1", "other", 2.0),
            run("W2", "other", 0.1),
        ];
        let table = draw(&runs.join("\n")).unwrap();
        let row = table.lines().find(|line| line.starts_with("| W1 | convoke")).unwrap();
        let expected = "| W1 | convoke | 3 | 10 | 0.500 (0.400–0.900) | 2.00 | 4.00 | 100.00 | 3 |";
        assert!(row.starts_with(expected), "{row}");
        assert!(row.contains("| 3/6 | 9/72 |"), "{row}");
    }

    #[test]
    fn every_row_has_the_columns_of_the_head() {
        let table = draw(&[run("W1", "convoke", 0.9), run("W1", FLOOR, 0.2)].join("\n")).unwrap();
        let columns: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, vec![19; 4]);
    }

    #[test]
    fn a_line_that_is_no_figures_is_told() {
        assert!(draw("{\"workload\":1}").is_err());
    }
}
