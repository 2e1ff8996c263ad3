//! After a deploy: the comparison that the gate makes before one, once the version was there for its soak time.

use std::sync::atomic::{AtomicBool, Ordering};

use muster_fleet::FleetError;
use muster_fleet::gate::DueVerdict;

use super::compared::{Span, against_others, since_then};
use crate::state::State;

/// Compares what is due and keeps the verdicts; the answer is how many there were. Blocks, and reads lines: the server calls it every minute.
///
/// # Errors
/// [`FleetError`] when the disk or the file fails.
pub fn verify_deploys(state: &State, cancelled: &AtomicBool) -> Result<usize, FleetError> {
    let now = state.now();
    let due = state.fleet.verdicts_due(now);
    for (kept, one) in due.iter().enumerate() {
        let DueVerdict { deploy, from_ms, to_ms, before_ms, spec, hosts, others } = one;
        let span = Span { from_ms: *from_ms, to_ms: *to_ms, before_ms: *before_ms };
        let numbers = if others.is_empty() {
            since_then(state, spec, hosts.clone(), span, cancelled)
        } else {
            against_others(state, spec, [hosts.clone(), others.clone()], span, cancelled)
        };
        // What was broken off has not read all lines: the next start does it again.
        if cancelled.load(Ordering::Relaxed) {
            return Ok(kept);
        }
        state.fleet.keep_verdict(*deploy, numbers, now)?;
    }
    Ok(due.len())
}
