//! In which order the targets of a service are tried (RFC 2782), as a function of what was drawn.

/// One server of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Lower ones are tried first.
    pub(crate) priority: u16,
    /// Of equal priority, how often it is first in comparison.
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) host: String,
}

/// Puts targets in order: by priority, and among equals by weighted lot. `draw` gives a number up
/// to and with its argument.
pub(crate) fn order(mut targets: Vec<Target>, mut draw: impl FnMut(u32) -> u32) -> Vec<Target> {
    // Those of weight zero first, so that they have a small chance of their own.
    targets.sort_by(|a, b| (a.priority, a.weight, &a.host).cmp(&(b.priority, b.weight, &b.host)));
    let mut ordered = Vec::with_capacity(targets.len());
    while let Some(first) = targets.first() {
        let priority = first.priority;
        let equals = targets.iter().take_while(|target| target.priority == priority);
        let total = equals.clone().map(|target| u32::from(target.weight)).sum();
        let lot = draw(total);
        let mut sum = 0;
        let chosen = equals.into_iter().position(|target| {
            sum += u32::from(target.weight);
            sum >= lot
        });
        ordered.push(targets.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, weight: u16, host: &str) -> Target {
        Target { priority, weight, port: 5060, host: host.to_owned() }
    }

    fn hosts(targets: &[Target], draw: impl FnMut(u32) -> u32) -> String {
        let ordered = order(targets.to_vec(), draw);
        ordered.iter().map(|target| target.host.as_str()).collect()
    }

    #[test]
    fn lower_priorities_come_first_whatever_is_drawn() {
        let targets = [target(20, 100, "c"), target(10, 0, "a"), target(15, 1, "b")];
        assert_eq!(hosts(&targets, |_| 0), "abc");
        assert_eq!(hosts(&targets, |most| most), "abc");
    }

    #[test]
    fn among_equals_the_lot_decides_by_weight() {
        let targets = [target(1, 60, "b"), target(1, 10, "a"), target(1, 0, "z")];
        assert_eq!(hosts(&targets, |_| 0), "zab", "a weight of zero has a chance");
        assert_eq!(hosts(&targets, |most| most), "baz");
        let mut first = std::collections::BTreeMap::new();
        for lot in 0..=70 {
            let mut lots = [lot, 0, 0].into_iter();
            let order = hosts(&targets, |_| lots.next().unwrap());
            *first.entry(order[..1].to_owned()).or_insert(0) += 1;
        }
        assert_eq!(Vec::from_iter(first.into_values()), [10, 60, 1]);
    }
}
