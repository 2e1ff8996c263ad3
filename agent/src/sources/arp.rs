//! /proc/net/arp: entries of the neighbour table by interface.

use super::metric::{Column, Devices};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const COLUMNS: &[Column] = &[Column::gauge("node_arp_entries")];

pub(super) struct Arp {
    file: ProcFile,
    interfaces: Devices,
}

impl Arp {
    pub(super) fn new(roots: &Roots) -> Self {
        Self { file: ProcFile::new(&roots.proc.join("net/arp"), Shape::Lines), interfaces: Devices::new(COLUMNS) }
    }
}

impl Source for Arp {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.interfaces.begin();
        // The first line is the heading; the last word of the others is the interface.
        for line in parse::lines(text).skip(1) {
            if let Some(name) = parse::words(line).nth(5) {
                let interface = self.interfaces.device("device", name);
                self.interfaces.accumulate(tick.rows, interface, 0, 1.0);
            }
        }
        self.interfaces.finish(tick.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn entries_are_counted_by_interface() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
            192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * eth0\n192.0.2.2 0x1 0x0 00:00:00:00:00:00 * eth0\n192.0.2.9 0x1 0x2 x * wlan0\nodd line\n";
        assert_eq!(
            sampled("arp", &Tree::new(&[("proc/net/arp", text)])).unwrap(),
            ["node_arp_entries{device=\"eth0\"} 2", "node_arp_entries{device=\"wlan0\"} 1"]
        );
        assert!(sampled("arp", &Tree::new(&[])).is_err());
    }
}
