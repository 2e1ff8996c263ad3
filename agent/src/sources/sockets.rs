//! /proc/net/sockstat and sockstat6: sockets in use by protocol, and their memory.

use muster_common::sample::MetricKind;

use super::metric::{Fields, Metric};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};
use crate::rows::Rows;

/// What node_exporter gives of a protocol's line.
const FIELDS: [&[u8]; 6] = [b"inuse", b"orphan", b"tw", b"alloc", b"mem", b"memory"];

pub(super) struct Sockets {
    four: ProcFile,
    six: ProcFile,
    used: Metric,
    fields: Fields,
    page_bytes: f64,
}

impl Sockets {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join("net").join(name), Shape::Record);
        Self {
            four: file("sockstat"),
            six: file("sockstat6"),
            used: Metric::gauge("node_sockstat_sockets_used"),
            fields: Fields::default(),
            page_bytes: rustix::param::page_size() as f64,
        }
    }

    /// `TCP: inuse 2 orphan 0 tw 1 alloc 2 mem 147`
    fn read_line(&mut self, line: &[u8], rows: &mut Rows) {
        let mut words = parse::words(line);
        let Some(protocol) = words.next().and_then(|word| word.strip_suffix(b":")) else { return };
        while let (Some(field), Some(value)) = (words.next(), words.next()) {
            let Some(value) = parse::number(value) else { continue };
            if protocol == b"sockets" {
                if field == b"used" {
                    self.used.put(rows, value);
                }
            } else if FIELDS.contains(&field) {
                self.put(rows, protocol, field, value);
                if field == b"mem" {
                    self.put(rows, protocol, b"mem_bytes", value * self.page_bytes);
                }
            }
        }
    }

    fn put(&mut self, rows: &mut Rows, protocol: &[u8], field: &[u8], value: f64) {
        let name = || format!("node_sockstat_{}_{}", parse::text(protocol), parse::text(field));
        self.fields.put(rows, (protocol, field), MetricKind::Gauge, value, name);
    }
}

impl Source for Sockets {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        self.fields.begin();
        let text = self.four.read(tick.scratch)?;
        parse::lines(text).for_each(|line| self.read_line(line, tick.rows));
        match self.six.read(tick.scratch) {
            Ok(text) => parse::lines(text).for_each(|line| self.read_line(line, tick.rows)),
            // A host without IPv6 has no such file.
            Err(error) if error.is_absence() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn protocols_of_both_files_are_read() {
        let four =
            "sockets: used 17\nTCP: inuse 2 orphan 0 tw 1 alloc 3 mem 147\nFRAG: inuse 0 memory 5\nNEW: what 1\n";
        let tree =
            Tree::new(&[("proc/net/sockstat", four), ("proc/net/sockstat6", "TCP6: inuse 4\nodd\nUDP6: inuse\n")]);
        let bytes = 147 * rustix::param::page_size();
        assert_eq!(
            sampled("sockstat", &tree).unwrap(),
            [
                "node_sockstat_FRAG_inuse 0".to_owned(),
                "node_sockstat_FRAG_memory 5".to_owned(),
                "node_sockstat_TCP6_inuse 4".to_owned(),
                "node_sockstat_TCP_alloc 3".to_owned(),
                "node_sockstat_TCP_inuse 2".to_owned(),
                "node_sockstat_TCP_mem 147".to_owned(),
                format!("node_sockstat_TCP_mem_bytes {bytes}"),
                "node_sockstat_TCP_orphan 0".to_owned(),
                "node_sockstat_TCP_tw 1".to_owned(),
                "node_sockstat_sockets_used 17".to_owned(),
            ]
        );
        assert!(sampled("sockstat", &Tree::new(&[])).is_err());
    }
}
