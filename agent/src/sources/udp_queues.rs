//! /proc/net/udp and udp6: bytes waiting in the queues of all UDP sockets together.

use super::metric::Metric;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const NAME: &str = "node_udp_queues";

pub(super) struct UdpQueues {
    /// The file, transmit, receive.
    families: [(ProcFile, Metric, Metric); 2],
}

impl UdpQueues {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join("net").join(name), Shape::Lines);
        let four = [
            Metric::gauge(NAME).with(&[("queue", "tx"), ("ip", "v4")]),
            Metric::gauge(NAME).with(&[("queue", "rx"), ("ip", "v4")]),
        ];
        let six = [
            Metric::gauge(NAME).with(&[("queue", "tx"), ("ip", "v6")]),
            Metric::gauge(NAME).with(&[("queue", "rx"), ("ip", "v6")]),
        ];
        let [tx4, rx4] = four;
        let [tx6, rx6] = six;
        Self { families: [(file("udp"), tx4, rx4), (file("udp6"), tx6, rx6)] }
    }
}

impl Source for UdpQueues {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let mut absent = None;
        let mut found = false;
        for (file, tx, rx) in &mut self.families {
            match file.read(tick.scratch) {
                Ok(text) => {
                    let (sent, received) = sum_queues(text);
                    tx.put(tick.rows, sent);
                    rx.put(tick.rows, received);
                    found = true;
                }
                // A host may have only one of the two.
                Err(error) if error.is_absence() => absent = Some(error),
                Err(error) => return Err(error),
            }
        }
        absent.filter(|_| !found).map_or(Ok(()), Err)
    }
}

/// The fifth word of each line after the heading is `tx_queue:rx_queue`, hexadecimal.
fn sum_queues(text: &[u8]) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for line in parse::lines(text).skip(1) {
        let Some(queues) = parse::words(line).nth(4) else { continue };
        let mut parts = queues.split(|byte| *byte == b':').map(parse::hex);
        if let (Some(Some(tx)), Some(Some(rx))) = (parts.next(), parts.next()) {
            sums.0 += tx as f64;
            sums.1 += rx as f64;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

    #[test]
    fn queues_of_all_sockets_are_summed() {
        let four = format!(
            "{HEAD}  5: 0100007F:0035 00000000:0000 07 00000015:00000001 00:00000000\n  6: 1:2 3:4 07 00000001:00000010 x\n 7: odd\n"
        );
        let tree = Tree::new(&[("proc/net/udp", &four), ("proc/net/udp6", HEAD)]);
        assert_eq!(
            sampled("udp_queues", &tree).unwrap(),
            [
                "node_udp_queues{ip=\"v4\",queue=\"rx\"} 17",
                "node_udp_queues{ip=\"v4\",queue=\"tx\"} 22",
                "node_udp_queues{ip=\"v6\",queue=\"rx\"} 0",
                "node_udp_queues{ip=\"v6\",queue=\"tx\"} 0",
            ]
        );
        assert_eq!(sampled("udp_queues", &Tree::new(&[("proc/net/udp", HEAD)])).unwrap().len(), 2);
        assert!(sampled("udp_queues", &Tree::new(&[])).unwrap_err().is_absence());
    }
}
