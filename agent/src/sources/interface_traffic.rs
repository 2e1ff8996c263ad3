//! /proc/net/dev: bytes, packets and errors of each network interface.

use super::metric::{Column, Devices};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

/// In the order of the file's columns, receive then transmit; the headings of the kernel have not changed in 20 years.
const COLUMNS: &[Column] = &[
    Column::counter("node_network_receive_bytes_total"),
    Column::counter("node_network_receive_packets_total"),
    Column::counter("node_network_receive_errs_total"),
    Column::counter("node_network_receive_drop_total"),
    Column::counter("node_network_receive_fifo_total"),
    Column::counter("node_network_receive_frame_total"),
    Column::counter("node_network_receive_compressed_total"),
    Column::counter("node_network_receive_multicast_total"),
    Column::counter("node_network_transmit_bytes_total"),
    Column::counter("node_network_transmit_packets_total"),
    Column::counter("node_network_transmit_errs_total"),
    Column::counter("node_network_transmit_drop_total"),
    Column::counter("node_network_transmit_fifo_total"),
    Column::counter("node_network_transmit_colls_total"),
    Column::counter("node_network_transmit_carrier_total"),
    Column::counter("node_network_transmit_compressed_total"),
];

pub(super) struct InterfaceTraffic {
    file: ProcFile,
    interfaces: Devices,
}

impl InterfaceTraffic {
    pub(super) fn new(roots: &Roots) -> Self {
        Self { file: ProcFile::new(&roots.proc.join("net/dev"), Shape::Lines), interfaces: Devices::new(COLUMNS) }
    }
}

impl Source for InterfaceTraffic {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        if text.is_empty() {
            return Err(self.file.malformed("heading"));
        }
        self.interfaces.begin();
        for line in parse::lines(text) {
            // The name may be followed by its first number without a blank; the headings have no colon.
            let Some(colon) = line.iter().rposition(|byte| *byte == b':') else { continue };
            let (name, numbers) = (line[..colon].trim_ascii(), &line[colon + 1..]);
            if name.is_empty() {
                continue;
            }
            let interface = self.interfaces.device("device", name);
            for (column, word) in parse::words(numbers).enumerate().take(COLUMNS.len()) {
                if let Some(value) = parse::number(word) {
                    self.interfaces.put(tick.rows, interface, column, value);
                }
            }
        }
        self.interfaces.finish(tick.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    const HEAD: &str = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n";

    #[test]
    fn each_interface_has_sixteen_counters() {
        let text = format!(
            "{HEAD}    lo:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  eth0.1: 18446744073709551615 1\neth0:1: 5\n"
        );
        let seen = sampled("netdev", &Tree::new(&[("proc/net/dev", &text)])).unwrap();
        assert_eq!(seen.len(), 16 + 2 + 1);
        for line in [
            "node_network_receive_bytes_total{device=\"lo\"} 1",
            "node_network_receive_multicast_total{device=\"lo\"} 8",
            "node_network_transmit_bytes_total{device=\"lo\"} 9",
            "node_network_transmit_compressed_total{device=\"lo\"} 16",
            "node_network_receive_bytes_total{device=\"eth0.1\"} 18446744073709552000",
            "node_network_receive_bytes_total{device=\"eth0:1\"} 5",
        ] {
            assert!(seen.iter().any(|found| found == line), "{line} is not in {seen:#?}");
        }
    }

    #[test]
    fn a_host_without_interfaces_is_no_failure_and_garbage_is_left_out() {
        assert_eq!(sampled("netdev", &Tree::new(&[("proc/net/dev", HEAD)])).unwrap(), Vec::<String>::new());
        let odd = format!("{HEAD} : 1 2\n eth0: x 2\n\u{1}\n");
        let seen = sampled("netdev", &Tree::new(&[("proc/net/dev", &odd)])).unwrap();
        assert_eq!(seen, ["node_network_receive_packets_total{device=\"eth0\"} 2"]);
        assert!(sampled("netdev", &Tree::new(&[("proc/net/dev", "")])).is_err());
    }
}
