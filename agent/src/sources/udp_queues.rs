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
            let mut queues = Queues::default();
            match file.read_lines(tick.scratch, |line| queues.take(line)) {
                Ok(()) => {
                    tx.put(tick.rows, queues.sent);
                    rx.put(tick.rows, queues.received);
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

/// Sums over the sockets of one file.
#[derive(Default)]
struct Queues {
    sent: f64,
    received: f64,
}

impl Queues {
    /// The fifth word of a line is `tx_queue:rx_queue`, hexadecimal. The heading has none.
    fn take(&mut self, line: Option<&[u8]>) {
        let Some(line) = line else { return *self = Self::default() };
        let Some(queues) = parse::words(line).nth(4) else { return };
        let mut parts = queues.split(|byte| *byte == b':').map(parse::hex);
        if let (Some(Some(sent)), Some(Some(received))) = (parts.next(), parts.next()) {
            self.sent += sent as f64;
            self.received += received as f64;
        }
    }
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
