//! How easily chance alone separates two groups of hosts.

/// Logarithms of factorials up to a number of hosts.
pub(crate) struct Chance {
    logs: Vec<f64>,
}

impl Chance {
    pub(crate) fn up_to(hosts: usize) -> Self {
        let mut logs = vec![0.0];
        for number in 1..=hosts {
            logs.push(logs[number - 1] + (number as f64).ln());
        }
        Self { logs }
    }

    fn choose(&self, of: usize, taken: usize) -> f64 {
        let log = |number: usize| self.logs.get(number).copied().unwrap_or(f64::INFINITY);
        if taken > of { f64::NEG_INFINITY } else { log(of) - log(taken) - log(of - taken) }
    }

    /// The probability that of `with` hosts drawn from `hosts` at least `found` are among `marked` of them: the upper tail of the
    /// hypergeometric distribution. `hosts` is at most what [`Self::up_to`] was given.
    pub(crate) fn at_least(&self, found: usize, (marked, with, hosts): (usize, usize, usize)) -> f64 {
        let all = self.choose(hosts, with);
        let one = |both: usize| {
            let rest = hosts.checked_sub(marked).zip(with.checked_sub(both));
            rest.map_or(0.0, |(others, rest)| (self.choose(marked, both) + self.choose(others, rest) - all).exp())
        };
        (found..=marked.min(with)).map(one).sum::<f64>().min(1.0)
    }

    /// The smallest value of the tail that can be had at all: as many of them marked as can be.
    pub(crate) fn least(&self, sizes: (usize, usize, usize)) -> f64 {
        self.at_least(sizes.0.min(sizes.1), sizes)
    }
}

/// By how much the smallest probability of several tests is to be multiplied (Tarone 1990): tests that could not stand out whatever was found
/// do not count. `least` are the smallest probabilities that each can have.
pub(crate) fn tests_that_count(mut least: Vec<f64>, level: f64) -> usize {
    least.sort_by(f64::total_cmp);
    let able = |tests: usize| least.partition_point(|least| *least <= level / tests as f64);
    (1..=least.len()).find(|tests| able(*tests) <= *tests).unwrap_or(least.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_tables() {
        let chance = Chance::up_to(52);
        let is = |found, sizes, told: f64| {
            let given = chance.at_least(found, sizes);
            assert!((given - told).abs() < 1e-9, "{given} {told}");
        };
        // Two aces or more in a hand of five.
        is(2, (4, 5, 52), 108_336.0 / 2_598_960.0);
        is(0, (4, 5, 52), 1.0);
        is(5, (4, 5, 52), 0.0);
        is(3, (3, 3, 10), 1.0 / 120.0);
        assert!((chance.least((3, 5, 10)) - 10.0 / 120.0).abs() < 1e-9);
    }

    #[test]
    fn only_tests_that_can_stand_out_count() {
        assert_eq!(tests_that_count(vec![0.5; 900], 0.01), 1);
        assert_eq!(tests_that_count(vec![1e-9; 900], 0.01), 900);
        let mixed = [vec![1e-5; 20], vec![0.004; 500]].concat();
        // With three and more tests 0.004 cannot stand out, so the twenty alone count.
        assert_eq!(tests_that_count(mixed, 0.01), 20);
        assert_eq!(tests_that_count(Vec::new(), 0.01), 1);
    }
}
