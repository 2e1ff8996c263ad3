//! Orders and their hosts as JSON.

use muster_fleet::{
    Fleet, Health, Heard, OnTrouble, OrderHost, OrderView, Run, RunState, STEP_BACK, STEP_FORWARD, WaveSize,
};
use serde_json::{Map, Value, json};

/// An order without its hosts.
pub(crate) fn order_json(view: &OrderView) -> Value {
    let (order, terms, progress) = (&view.order, &view.order.terms, &view.order.progress);
    let approvals = order
        .approvals
        .iter()
        .map(|one| json!({"approver": one.approver, "by": one.by, "at_ms": one.at_ms, "verified": one.is_verified}));
    let batch = match terms.batch {
        WaveSize::Hosts(count) => count.to_string(),
        WaveSize::Percent(percent) => format!("{percent}%"),
    };
    json!({
        "order": order.number,
        "id": view.id,
        "task": order.tasks.first(),
        "back": order.tasks.get(1),
        "state": progress.word(),
        "step": progress.step,
        "wave": progress.wave,
        "wave_size": view.wave_size,
        "why": (!progress.reason.is_empty()).then_some(&progress.reason),
        "hosts": order.hosts,
        "counts": counts(&view.counts[usize::from(STEP_FORWARD)]),
        "back_counts": counts(&view.counts[usize::from(STEP_BACK)]),
        "failures": view.failures,
        "failures_max": terms.failures_max,
        "canary": terms.canary,
        "batch": batch,
        "on_trouble": on_trouble(terms.on_trouble),
        "soak_ms": terms.soak_ms,
        "return_ms": terms.return_ms,
        "by": order.by,
        "reason": (!order.reason.is_empty()).then_some(&order.reason),
        "made_ms": order.made_ms,
        "changed_ms": progress.changed_ms,
        "expires_ms": terms.expires_ms,
        "back_expires_ms": terms.back_expires_ms,
        "maintenance_ms": terms.maintenance_ms,
        "back_maintenance_ms": terms.back_maintenance_ms,
        "unmaintained": view.unmaintained,
        "needs": order.needs,
        "approvals": approvals.collect::<Vec<_>>(),
        "text": order.text,
    })
}

const fn on_trouble(what: OnTrouble) -> &'static str {
    match what {
        OnTrouble::Pause => "pause",
        OnTrouble::Stop => "stop",
        OnTrouble::RollBack => "roll_back",
    }
}

/// States that have hosts, with how many.
fn counts(counts: &[u64; RunState::ALL.len()]) -> Value {
    let some = RunState::ALL.iter().zip(counts).filter(|(_, count)| **count > 0);
    some.map(|(state, count)| (state.as_str().to_owned(), Value::from(*count))).collect::<Map<_, _>>().into()
}

/// A host of an order.
pub(super) fn host_json(fleet: &Fleet, one: &OrderHost) -> Value {
    let runs: Vec<Value> = one.runs.iter().map(|(run, heard)| run_json(run, heard)).collect();
    json!({
        "id": one.host.to_string(),
        "host": fleet.host(one.host).map(|row| row.name),
        "run": runs.first(),
        "back": runs.get(1),
    })
}

fn run_json(run: &Run, heard: &Heard) -> Value {
    let moment = |at_ms: i64| (at_ms > 0).then_some(at_ms);
    json!({
        "state": run.state.as_str(),
        "wave": moment(run.sent_ms).map(|_| run.wave),
        "sent_ms": moment(run.sent_ms),
        "began_ms": moment(run.began_ms),
        "ended_ms": moment(run.ended_ms),
        "exit": run.exit,
        "well": match run.health {
            Health::Unjudged => Value::Null,
            Health::Good => (run.state == RunState::Ok).into(),
            Health::Bad => false.into(),
        },
        "why": (!run.reason.is_empty()).then_some(&run.reason),
        "output_bytes": heard.output_bytes,
        "kept_bytes": heard.kept_bytes,
    })
}
