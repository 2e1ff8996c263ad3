//! Connection tracking: entries, their limit, and what became of packets, summed over processors.

use super::metric::Metric;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

/// Columns of the statistics, wide enough for every kernel.
const COLUMNS_MAX: usize = 24;

pub(super) struct Conntrack {
    entries: (ProcFile, Metric),
    limit: (ProcFile, Metric),
    statistics: ProcFile,
    /// By the heading of their column; kernels have renamed and moved columns.
    sums: [(&'static [u8], Metric); 8],
}

impl Conntrack {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join("sys/net/netfilter").join(name), Shape::Record);
        Self {
            entries: (file("nf_conntrack_count"), Metric::gauge("node_nf_conntrack_entries")),
            limit: (file("nf_conntrack_max"), Metric::gauge("node_nf_conntrack_entries_limit")),
            statistics: ProcFile::new(&roots.proc.join("net/stat/nf_conntrack"), Shape::Lines),
            sums: [
                (b"found", Metric::gauge("node_nf_conntrack_stat_found")),
                (b"invalid", Metric::gauge("node_nf_conntrack_stat_invalid")),
                (b"ignore", Metric::gauge("node_nf_conntrack_stat_ignore")),
                (b"insert", Metric::gauge("node_nf_conntrack_stat_insert")),
                (b"insert_failed", Metric::gauge("node_nf_conntrack_stat_insert_failed")),
                (b"drop", Metric::gauge("node_nf_conntrack_stat_drop")),
                (b"early_drop", Metric::gauge("node_nf_conntrack_stat_early_drop")),
                (b"search_restart", Metric::gauge("node_nf_conntrack_stat_search_restart")),
            ],
        }
    }
}

impl Source for Conntrack {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        for (file, metric) in [&mut self.entries, &mut self.limit] {
            let value = parse::number(parse::trimmed(file.read(tick.scratch)?));
            metric.put(tick.rows, value.ok_or_else(|| file.malformed("number"))?);
        }
        let text = self.statistics.read(tick.scratch)?;
        let mut lines = parse::lines(text);
        let heads = lines.next().unwrap_or_default();
        let mut sums = [0u64; COLUMNS_MAX];
        for line in lines {
            for (sum, word) in sums.iter_mut().zip(parse::words(line)) {
                *sum = sum.saturating_add(parse::hex(word).unwrap_or(0));
            }
        }
        for (head, sum) in parse::words(heads).zip(sums) {
            if let Some((_, metric)) = self.sums.iter_mut().find(|(wanted, _)| *wanted == head) {
                metric.put(tick.rows, sum as f64);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn columns_are_found_by_their_headings_and_summed() {
        let tree = Tree::new(&[
            ("proc/sys/net/netfilter/nf_conntrack_count", "5\n"),
            ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"),
            (
                "proc/net/stat/nf_conntrack",
                "entries  clashres found drop\n00000001 0 0000000a 1\n00000001 0 00000005 what\n",
            ),
        ]);
        assert_eq!(
            sampled("conntrack", &tree).unwrap(),
            [
                "node_nf_conntrack_entries 5",
                "node_nf_conntrack_entries_limit 262144",
                "node_nf_conntrack_stat_drop 1",
                "node_nf_conntrack_stat_found 15",
            ]
        );
        assert!(sampled("conntrack", &Tree::new(&[])).unwrap_err().is_absence());
    }
}
