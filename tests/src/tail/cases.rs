//! The cases: what is written, how it is rotated, and what goes wrong meanwhile.

use std::time::Duration;

use super::writer::{Plan, Rotate};

/// What happens to one end while lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The agent gets this signal and starts again after the time.
    Agent {
        signal: &'static str,
        at: Duration,
        down: Duration,
    },
    /// The collector is killed and starts again after the time.
    Collector {
        at: Duration,
        down: Duration,
    },
    /// The collector is killed and away for `down`; after `restart` of it the agent ends by TERM and starts again at once.
    Outage {
        at: Duration,
        restart: Duration,
        down: Duration,
    },
    /// As [`Fault::Agent`] with KILL, and its state folder but for the identity is deleted meanwhile.
    WipedState {
        at: Duration,
        down: Duration,
    },
}

/// One case by its name.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    pub plan: Plan,
    pub fault: Fault,
    /// Lines of a thousand million that may be lost: only where no reader can have all.
    pub lost_ppm_max: u64,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// All cases.
pub fn all() -> Vec<Case> {
    let plain = Plan::default();
    let rotating = |rotate| Plan { rotate, rotate_every: seconds(1), ..plain.clone() };
    let case = |name, plan: Plan| Case { name, plan, fault: Fault::None, lost_ppm_max: 0 };
    let with = |name, plan: Plan, fault| Case { name, plan, fault, lost_ppm_max: 0 };
    let raw = |name, plan: Plan| Case { name, plan, fault: Fault::None, lost_ppm_max: 1_000 };
    let burst = Plan { lines: 2_000_000, rate: 200_000, per_write: 20, ..rotating(Rotate::Rename) };
    let slow = Plan { rotate_every: seconds(2), ..rotating(Rotate::Rename) };
    // An hour of 100 lines a second, compressed into 18 s; a rotation a minute of it, old files packed as logrotate does.
    let hour = Plan {
        lines: 360_000,
        rate: 20_000,
        per_write: 10,
        rotate_every: Duration::from_millis(300),
        keep: 100,
        packs: true,
        ..rotating(Rotate::Rename)
    };
    let (term, kill) = ("TERM", "KILL");
    let at = Duration::from_millis(3_500);
    let restart = |signal, down| Fault::Agent { signal, at, down };
    vec![
        case("steady", plain.clone()),
        case("backlog", Plan { lines: 400_000, prefill: 400_000, line_bytes: 256, ..plain.clone() }),
        case("flood", Plan { lines: 1_000_000, rate: 100_000, per_write: 20, line_bytes: 256, ..plain.clone() }),
        case("rename", rotating(Rotate::Rename)),
        case("rename-late", Plan { late_lines: 200, ..rotating(Rotate::Rename) }),
        raw("copytruncate", rotating(Rotate::CopyTruncate)),
        case("copytruncate-quiet", Plan { quiet: Duration::from_millis(500), ..rotating(Rotate::CopyTruncate) }),
        case("burst-rename", Plan { keep: 20, ..burst.clone() }),
        raw("burst-copytruncate", Plan { rotate: Rotate::CopyTruncate, keep: 20, ..burst }),
        raw("recreate", rotating(Rotate::Recreate)),
        case(
            "recreate-quiet",
            Plan { quiet: Duration::from_millis(500), pause: Duration::from_millis(200), ..rotating(Rotate::Recreate) },
        ),
        case("symlink", rotating(Rotate::Symlink)),
        with("restart", plain.clone(), restart(term, seconds(1))),
        with("crash", plain.clone(), restart(kill, seconds(1))),
        with("restart-rotate", slow.clone(), restart(term, seconds(4))),
        with("crash-rotate", slow.clone(), restart(kill, seconds(4))),
        with("wiped-rotate", slow, Fault::WipedState { at, down: seconds(4) }),
        with("collector-away", plain.clone(), Fault::Collector { at, down: seconds(3) }),
        with(
            "collector-away-rotate",
            Plan { keep: 20, ..rotating(Rotate::Rename) },
            Fault::Collector { at, down: seconds(3) },
        ),
        with("outage", hour, Fault::Outage { at: seconds(1), restart: seconds(9), down: seconds(19) }),
        case("header", Plan { lines: 50_000, rate: 5_000, files: 20, header_bytes: 1_024, ..slow_of(&plain) }),
        case("short-start", Plan { lines: 20, rate: 2, files: 20, ..plain.clone() }),
        case("partial", Plan { lines: 200, rate: 100, partial_every: 20, ..plain.clone() }),
        case("huge", Plan { lines: 2_000, rate: 400, huge_every: 100, ..plain.clone() }),
        case("binary", Plan { lines: 20_000, rate: 5_000, binary_every: 10, ..plain.clone() }),
        case("many", Plan { lines: 200_000, rate: 20_000, files: 2_000, ..plain }),
    ]
}

fn slow_of(plain: &Plan) -> Plan {
    Plan { rotate: Rotate::Rename, rotate_every: seconds(2), ..plain.clone() }
}

/// The case of this name.
pub fn by_name(name: &str) -> Option<Case> {
    all().into_iter().find(|case| case.name == name)
}
