//! Which machine speaks under an identity: a pure machine that tells a restarted, reverted or moved host from two that live at once.
//!
//! A hello leaves traces: machine id, boot id, run (boot id and start of the process), and each epoch it holds. A machine lets go of a
//! trace (reboots, restarts, gets an epoch acknowledged) and never takes it up again, so a trace that comes back after a hello
//! without it is a return: of a disk put back to an older state, once, or of another machine with the same identity, again and
//! again. Two returns by different machines within `RETURNS_WITHIN` are two live machines (EXACTLY-ONCE.md rule 9).

use std::time::Duration;

use muster_common::time::Timestamp;
use muster_common::wire::message::Hello;
use serde::{Deserialize, Serialize};

use crate::rows::{Sighting, cut, hex, unhex};

/// Longest time between two returns that belong together: fenced sessions come back within minutes, backoff included.
pub(crate) const RETURNS_WITHIN: Duration = Duration::from_secs(3_600);
/// Traces remembered of one host: two machines with all the epochs a hello may list, and a few.
const TRACES_MAX: usize = 96;

/// A digest of one thing that a machine is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Trace(pub [u8; 16]);

impl Trace {
    fn of(kind: &str, parts: &[&[u8]]) -> Self {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        digest.update(kind.as_bytes());
        for part in parts {
            digest.update(b"\0");
            digest.update(part);
        }
        let mut trace = [0; 16];
        trace.copy_from_slice(&digest.finish().as_ref()[..16]);
        Self(trace)
    }

    /// What a host told last, as far as it was kept.
    pub(crate) fn of_sighting(last: &Sighting) -> Vec<Self> {
        match unhex::<16>(&last.boot_id) {
            None => Vec::new(),
            Some(boot_id) => vec![Self::of_boot(&boot_id), Self::of_run(&boot_id, last.started_ms)],
        }
    }

    fn of_boot(boot_id: &[u8; 16]) -> Self {
        Self::of("boot", &[boot_id])
    }

    fn of_run(boot_id: &[u8; 16], started_ms: i64) -> Self {
        Self::of("run", &[boot_id, &started_ms.to_le_bytes()])
    }

    /// The trace of a machine id; `None` when the host could not tell one.
    pub(crate) fn of_machine(machine_id: &str) -> Option<Self> {
        (!machine_id.is_empty()).then(|| Self::of("machine", &[machine_id.as_bytes()]))
    }
}

impl From<Trace> for String {
    fn from(trace: Trace) -> Self {
        hex(&trace.0)
    }
}

impl TryFrom<String> for Trace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        unhex::<16>(&text).map(Self).ok_or_else(|| "a trace is 32 hexadecimal digits".to_owned())
    }
}

/// Everything in this hello that a machine is recognised by.
pub(crate) fn traces_of(hello: &Hello) -> Vec<Trace> {
    let mut traces = Vec::with_capacity(3 + hello.epochs.len());
    traces.extend(Trace::of_machine(&cut(&hello.facts.machine_id)));
    traces.push(Trace::of_boot(&hello.boot_id));
    traces.push(Trace::of_run(&hello.boot_id, hello.started_ms));
    traces.extend(hello.epochs.iter().map(|held| Trace::of("epoch", &[&held.epoch.0])));
    traces
}

/// What one more hello means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The machine as known, or one that went on from it.
    Same,
    /// Something came back that was gone: a reverted disk, or the first sign of a second machine.
    Returned,
    /// Two machines live at once.
    TwoLive {
        /// Whether the hello at hand is the second one's; else the second is the machine that was heard before it.
        second_speaks: bool,
        /// What only the second is known by.
        second: Vec<Trace>,
    },
}

/// The memory of one identity. Lives as long as the process: two live machines show again within four hellos.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machines {
    known: Vec<Known>,
    next_order: u64,
    last: Vec<Trace>,
    last_return: Option<(Vec<Trace>, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    trace: Trace,
    /// Rank by first appearance.
    order: u64,
    /// Whether the last hello had it.
    held: bool,
}

impl Machines {
    /// Takes one hello. A hello that proves to be the second machine's leaves no trace here, since it is turned away.
    pub(crate) fn step(&mut self, traces: &[Trace], now: Timestamp) -> Verdict {
        let returned: Vec<Trace> =
            self.known.iter().filter(|known| !known.held && traces.contains(&known.trace)).map(|k| k.trace).collect();
        if returned.is_empty() {
            self.take(traces);
            return Verdict::Same;
        }
        let two_live = self.last_return.as_ref().is_some_and(|(before, at)| {
            now.since(*at) <= RETURNS_WITHIN && !returned.iter().any(|trace| before.contains(trace))
        });
        if !two_live {
            self.last_return = Some((traces.to_vec(), now));
            self.take(traces);
            return Verdict::Returned;
        }
        let ours = only(traces, &self.last);
        let others = only(&self.last, traces);
        let second_speaks = self.first_seen(&ours) > self.first_seen(&others);
        if !second_speaks {
            self.last_return = Some((traces.to_vec(), now));
            self.take(traces);
        }
        Verdict::TwoLive { second_speaks, second: if second_speaks { ours } else { others } }
    }

    /// What the machine that was accepted last is known by.
    pub(crate) fn last(&self) -> &[Trace] {
        &self.last
    }

    /// Forgets everything: another machine takes the identity over.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Rank of the trace among these that appeared first; unknown ones came last.
    fn first_seen(&self, traces: &[Trace]) -> u64 {
        let orders = self.known.iter().filter(|known| traces.contains(&known.trace)).map(|known| known.order);
        orders.min().unwrap_or(u64::MAX)
    }

    fn take(&mut self, traces: &[Trace]) {
        for known in &mut self.known {
            known.held = traces.contains(&known.trace);
        }
        for trace in traces {
            if !self.known.iter().any(|known| known.trace == *trace) {
                self.known.push(Known { trace: *trace, order: self.next_order, held: true });
                self.next_order += 1;
            }
        }
        // The oldest that are not held go first; a hello is bounded, so what is held always fits.
        while self.known.len() > TRACES_MAX {
            let at = self.known.iter().position(|known| !known.held).unwrap_or(0);
            self.known.remove(at);
        }
        self.last = traces.to_vec();
    }
}

fn only(these: &[Trace], not_those: &[Trace]) -> Vec<Trace> {
    these.iter().filter(|trace| !not_those.contains(trace)).copied().collect()
}

#[cfg(test)]
mod tests {
    use muster_common::wire::message::{Epoch, HeldEpoch, HostFacts, PROTOCOL};

    use super::*;

    fn hello(machine: &str, boot: u8, started_ms: i64, epochs: &[u64]) -> Vec<Trace> {
        traces_of(&Hello {
            protocol: PROTOCOL,
            agent_version: "1".into(),
            boot_id: [boot; 16],
            clock_ms: 0,
            started_ms,
            facts: HostFacts { machine_id: machine.into(), ..HostFacts::default() },
            epochs: epochs.iter().map(|e| HeldEpoch { epoch: Epoch::new(1, *e), last_seq: [0; 3] }).collect(),
            extensions: Vec::new(),
        })
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    #[test]
    fn restarts_reboots_and_new_epochs_are_one_machine() {
        let mut machines = Machines::default();
        for (minute, traces) in [
            hello("m", 1, 10, &[1]),
            hello("m", 1, 10, &[1, 2]),
            hello("m", 1, 10, &[2]),
            hello("m", 1, 20, &[2, 3]),
            hello("m", 2, 30, &[3, 4]),
            hello("m", 2, 30, &[4]),
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(machines.step(traces, at(i64::try_from(minute).unwrap())), Verdict::Same, "{minute}");
        }
    }

    #[test]
    fn a_clone_that_takes_turns_is_found_at_its_second_turn_and_it_is_the_second() {
        let mut machines = Machines::default();
        let (first, clone) = (hello("m", 1, 10, &[1, 2]), hello("m", 2, 20, &[1, 3]));
        assert_eq!(machines.step(&first, at(0)), Verdict::Same);
        assert_eq!(machines.step(&clone, at(1)), Verdict::Same, "it may be the same machine after a reboot");
        assert_eq!(machines.step(&first, at(2)), Verdict::Returned, "it may be a reverted disk");
        let Verdict::TwoLive { second_speaks: true, second } = machines.step(&clone, at(3)) else {
            panic!("not found");
        };
        assert!(second.iter().all(|trace| clone.contains(trace) && !first.contains(trace)) && second.len() == 3);
        assert_eq!(machines.step(&first, at(4)), Verdict::Same, "the first goes on");
    }

    #[test]
    fn a_clone_of_running_memory_is_found_by_its_epochs() {
        let mut machines = Machines::default();
        machines.step(&hello("m", 1, 10, &[1]), at(0));
        machines.step(&hello("m", 1, 10, &[1, 2]), at(1));
        machines.step(&hello("m", 1, 10, &[1, 3]), at(2));
        assert_eq!(machines.step(&hello("m", 1, 10, &[2]), at(3)), Verdict::Returned);
        let found = machines.step(&hello("m", 1, 10, &[3, 4]), at(4));
        assert!(matches!(found, Verdict::TwoLive { second_speaks: true, .. }), "{found:?}");
    }

    #[test]
    fn when_the_first_speaks_the_other_is_named_as_the_second() {
        let mut machines = Machines::default();
        let (a, b, c) = (hello("m", 1, 10, &[1]), hello("m", 2, 20, &[2]), hello("m", 3, 30, &[3]));
        for (minute, traces) in [&a, &b, &c, &b].into_iter().enumerate() {
            machines.step(traces, at(i64::try_from(minute).unwrap()));
        }
        let found = machines.step(&a, at(5));
        assert!(
            matches!(&found, Verdict::TwoLive { second_speaks: false, second } if b.contains(&second[0])),
            "{found:?}"
        );
    }

    #[test]
    fn a_disk_put_back_again_and_again_is_one_machine() {
        let mut machines = Machines::default();
        machines.step(&hello("m", 1, 10, &[1]), at(0));
        machines.step(&hello("m", 1, 10, &[2]), at(1));
        for turn in 0..5_u8 {
            let minute = 2 + 2 * i64::from(turn);
            assert_eq!(machines.step(&hello("m", 1, 10, &[1]), at(minute)), Verdict::Returned, "{turn}");
            let after = hello("m", 1, 10, &[100 + u64::from(turn)]);
            assert_eq!(machines.step(&after, at(minute + 1)), Verdict::Same, "{turn}");
        }
    }

    #[test]
    fn returns_hours_apart_do_not_belong_together() {
        let mut machines = Machines::default();
        let (first, clone) = (hello("m", 1, 10, &[1]), hello("m", 2, 20, &[2]));
        for (minute, traces) in [(0, &first), (1, &clone), (2, &first), (63, &clone)] {
            assert!(!matches!(machines.step(traces, at(minute)), Verdict::TwoLive { .. }));
        }
    }

    #[test]
    fn memory_of_traces_is_bounded() {
        let mut machines = Machines::default();
        for run in 0..10_000 {
            machines.step(&hello("m", 1, run, &[u64::try_from(run).unwrap()]), at(run));
        }
        assert!(machines.known.len() <= TRACES_MAX);
    }
}
