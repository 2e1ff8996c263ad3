//! /proc/net/tcp and tcp6: sockets by state, and bytes waiting in their queues.
//!
//! Not read unless `[sources.tcpstat]` says so: the kernel walks its whole table of connections for each of the two files,
//! 40 ms on a host of 24 GiB however few connections it has, which at once a minute is more than all other sources together.

use super::metric::{Column, Devices};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const COLUMNS: &[Column] = &[Column::gauge("node_tcp_connection_states")];
/// The kernel's numbers of the states, from 1; then the two sums.
const STATES: [&str; 13] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
    "rx_queued_bytes",
    "tx_queued_bytes",
];
const RECEIVED: usize = 11;
const SENT: usize = 12;
/// A handshake that is not finished yet is one to people.
const NEW_SYN_RECV: u64 = 12;
const SYN_RECV: usize = 2;

pub(super) struct TcpStates {
    four: ProcFile,
    six: ProcFile,
    states: Devices,
}

impl TcpStates {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join("net").join(name), Shape::Lines);
        Self { four: file("tcp"), six: file("tcp6"), states: Devices::new(COLUMNS) }
    }
}

/// One number a state. Those without a socket are 0, not absent: a series that comes and goes is hard to draw.
#[derive(Default)]
struct Counts([f64; STATES.len()]);

impl Counts {
    /// The fourth word of a line is the state, the fifth `tx_queue:rx_queue`, hexadecimal. The heading has neither.
    fn take(&mut self, line: Option<&[u8]>) {
        let Some(line) = line else { return *self = Self::default() };
        let mut words = parse::words(line).skip(3);
        let Some(state) = words.next().and_then(parse::hex) else { return };
        let place = if state == NEW_SYN_RECV { Some(SYN_RECV) } else { usize::try_from(state.wrapping_sub(1)).ok() };
        if let Some(count) = place.filter(|place| *place < RECEIVED).and_then(|place| self.0.get_mut(place)) {
            *count += 1.0;
        }
        let mut queues = words.next().unwrap_or_default().split(|byte| *byte == b':').map(parse::hex);
        if let (Some(Some(sent)), Some(Some(received))) = (queues.next(), queues.next()) {
            self.0[SENT] += sent as f64;
            self.0[RECEIVED] += received as f64;
        }
    }
}

impl Source for TcpStates {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let (mut four, mut six) = (Counts::default(), Counts::default());
        self.four.read_lines(tick.scratch, |line| four.take(line))?;
        match self.six.read_lines(tick.scratch, |line| six.take(line)) {
            Ok(()) => {}
            // A host without IPv6 has no such file.
            Err(error) if error.is_absence() => {}
            Err(error) => return Err(error),
        }
        self.four.close();
        self.six.close();
        self.states.begin();
        for ((name, four), six) in STATES.iter().zip(four.0).zip(six.0) {
            let state = self.states.device("state", name.as_bytes());
            self.states.put(tick.rows, state, 0, four + six);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn sockets_of_both_families_are_counted_by_state() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
        let four = format!(
            "{head}   0: 0100007F:4C0F 00000000:0000 0A 00000000:00000003 00:0 0\n   1: 1:2 3:4 01 00000010:00000001 x\n 2: 1:2 3:4 0C 0:0\n 3: odd\n 4: 1 2 FF 0:0\n"
        );
        let six = format!("{head}   0: 1:2 3:4 01 00000001:00000000 x\n");
        let tree = Tree::new(&[("proc/net/tcp", &four), ("proc/net/tcp6", &six)]);
        let seen = sampled("tcpstat", &tree).unwrap();
        assert_eq!(seen.len(), 13);
        for (state, count) in [
            ("established", 2),
            ("listen", 1),
            ("syn_recv", 1),
            ("closing", 0),
            ("tx_queued_bytes", 17),
            ("rx_queued_bytes", 4),
        ] {
            let line = format!("node_tcp_connection_states{{state=\"{state}\"}} {count}");
            assert!(seen.contains(&line), "{line} is not in {seen:#?}");
        }
        assert!(sampled("tcpstat", &Tree::new(&[])).unwrap_err().is_absence());
    }
}
