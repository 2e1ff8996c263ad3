//! /proc/vmstat: paging, swapping, faults and out-of-memory kills.

use muster_common::sample::MetricKind;

use super::metric::Fields;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

pub(super) struct VirtualMemory {
    file: ProcFile,
    fields: Fields,
}

impl VirtualMemory {
    pub(super) fn new(roots: &Roots) -> Self {
        Self { file: ProcFile::new(&roots.proc.join("vmstat"), Shape::Lines), fields: Fields::default() }
    }
}

impl Source for VirtualMemory {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.fields.begin();
        let mut found = false;
        for line in parse::lines(text).filter(|line| is_listed(line)) {
            let mut words = parse::words(line);
            let Some(field) = words.next() else { continue };
            let Some(value) = words.next().and_then(parse::number) else { continue };
            let name = || format!("node_vmstat_{}", parse::text(field));
            self.fields.put(tick.rows, (b"", field), MetricKind::Untyped, value, name);
            found = true;
        }
        if found { Ok(()) } else { Err(self.file.malformed("paging counter")) }
    }
}

/// node_exporter's rule: `^(oom_kill|pgpg|pswp|pg.*fault).*`.
fn is_listed(line: &[u8]) -> bool {
    let name = parse::words(line).next().unwrap_or_default();
    let starts = |start: &[u8]| name.starts_with(start);
    starts(b"oom_kill")
        || starts(b"pgpg")
        || starts(b"pswp")
        || (starts(b"pg") && name[2..].windows(5).any(|part| part == b"fault"))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn listed_fields_are_given_untyped() {
        let text = "nr_free_pages 5\npgpgin 1\npgpgout 2\npswpin 3\npgfault 4\npgmajfault 5\npgsteal_kswapd 6\noom_kill 7\npg x\npgpgx\nthp_fault_alloc 9\n";
        assert_eq!(
            sampled("vmstat", &Tree::new(&[("proc/vmstat", text)])).unwrap(),
            [
                "node_vmstat_oom_kill 7",
                "node_vmstat_pgfault 4",
                "node_vmstat_pgmajfault 5",
                "node_vmstat_pgpgin 1",
                "node_vmstat_pgpgout 2",
                "node_vmstat_pswpin 3",
            ]
        );
        assert!(sampled("vmstat", &Tree::new(&[("proc/vmstat", "nr_free_pages 5\n")])).is_err());
    }
}
