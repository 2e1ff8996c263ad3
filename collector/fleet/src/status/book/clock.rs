//! Clocks of hosts that are off, as a check that the collector makes itself.

use muster_common::check::{CheckKind, CheckState};
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckDefinition, CheckReport};

use super::StatusBook;

/// The name of the check. No agent can report it.
pub(crate) const CLOCK_CHECK: &str = "HostClockSkewed";
/// Beyond it a clock is off: what agents correct the times of their samples by (EXACTLY-ONCE.md rule 29).
const SKEWED_MS: i64 = 5_000;
/// Below it a clock that was off is right again: well above what a way takes, so that one at the limit does not come and go.
const RIGHT_MS: i64 = 2_000;
/// Measurements in a row that count. They come with each hello and every 10 min; one alone may be a frame that waited on its way.
const MEASUREMENTS: u16 = 2;

impl StatusBook {
    /// What an agent's clock showed when it wrote a frame that has just arrived. The way counts as if the clock were behind. Of a
    /// clock that was never off nothing is kept.
    pub(crate) fn measured_clock(&mut self, host: HostId, agent: Timestamp, arrived: Timestamp) {
        let Some(entry) = self.hosts.get(&host).filter(|entry| !entry.now.name.is_empty()) else { return };
        let known = entry.checks.get(CLOCK_CHECK);
        let ahead_ms = agent.millis().saturating_sub(arrived.millis());
        let state = clock_state(ahead_ms, known.is_some_and(|row| row.machine.is_hard_bad()));
        if known.is_none() && state == CheckState::Ok {
            return;
        }
        let host = entry.now.clone();
        self.result(&host, &report(ahead_ms, state, arrived), arrived, true);
    }
}

fn clock_state(ahead_ms: i64, was_off: bool) -> CheckState {
    let off_ms = ahead_ms.saturating_abs();
    if off_ms > SKEWED_MS || (was_off && off_ms >= RIGHT_MS) { CheckState::Warning } else { CheckState::Ok }
}

fn report(ahead_ms: i64, state: CheckState, arrived: Timestamp) -> CheckReport {
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let seconds = ahead_ms.unsigned_abs() as f64 / 1_000.0;
    CheckReport {
        at_ms: arrived.millis(),
        check: CLOCK_CHECK.to_owned(),
        state: state as u8,
        output: format!("its clock is {seconds:.1} s {side} the collector's"),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 0,
        definition: CheckDefinition {
            // None that the agent's list of checks would name.
            kind: CheckKind::Push as u8,
            max_attempts: MEASUREMENTS,
            remedy: "set the clock by NTP: `timedatectl` on the host says whether that runs; if all hosts are off, look at the \
                     collector's own clock"
                .to_owned(),
            ..CheckDefinition::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_above_five_seconds_and_right_again_below_two() {
        for (ahead_ms, was_off, is_off) in [
            (5_000, false, false),
            (5_001, false, true),
            (-5_001, false, true),
            (2_000, true, true),
            (-2_000, true, true),
            (1_999, true, false),
            (i64::MIN, false, true),
        ] {
            assert_eq!(clock_state(ahead_ms, was_off) == CheckState::Warning, is_off, "{ahead_ms} {was_off}");
        }
        let words = |ahead_ms| report(ahead_ms, CheckState::Ok, Timestamp::default()).output;
        assert_eq!(words(7_240), "its clock is 7.2 s ahead of the collector's");
        assert_eq!(words(-61_000), "its clock is 61.0 s behind the collector's");
    }
}
