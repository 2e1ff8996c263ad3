//! Decisions as answers.

use muster_fleet::gate::{Decision, GateDecision, GateHead, GateReplay, Reason};
use serde_json::{Value, json};

/// A decision that was just made: the answer's own `version` is that of the API, so what was asked stands in an object of its own.
pub(super) fn decision(made: &GateDecision) -> Value {
    let asked = &made.facts.asked;
    json!({
        "verdict": made.decision.verdict.as_str(),
        "reasons": reasons(&made.decision),
        "decision": {
            "id": made.id,
            "at_ms": asked.at_ms,
            "service": asked.service,
            "version": asked.version,
            "to": asked.to,
            "rollback": asked.rollback,
        },
    })
}

fn reasons(decision: &Decision) -> Vec<Value> {
    let shown = |reason: &Reason| {
        json!({
            "code": reason.code,
            "effect": reason.effect,
            "text": reason.text,
            "evidence": reason.evidence,
            "waivable": reason.waivable,
            "lifted": reason.lifted,
        })
    };
    decision.reasons.iter().map(shown).collect()
}

/// A decision in a list.
pub(super) fn head(head: &GateHead) -> Value {
    json!({
        "id": head.id,
        "at_ms": head.at_ms,
        "by": head.by,
        "service": head.service,
        "version": head.version,
        "to": head.to,
        "rollback": head.rollback,
        "verdict": head.verdict.as_str(),
        "codes": head.codes,
        "lifted": head.lifted,
        "override_by": head.over,
    })
}

/// A decision with its facts, and what these say now.
pub(super) fn replay(replay: &GateReplay) -> Value {
    let mut shown = decision(&replay.kept);
    shown["decision"]["by"] = replay.kept.by.clone().into();
    // Facts are texts and whole numbers, for all of which JSON has a form.
    shown["facts"] = serde_json::to_value(&replay.kept.facts).unwrap_or_default();
    shown["same"] = replay.is_same().into();
    shown["again"] = json!({"verdict": replay.again.verdict.as_str(), "reasons": reasons(&replay.again)});
    shown
}
