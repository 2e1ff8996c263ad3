//! Decisions of the gate, kept with the facts that they stand on: whoever asks later why it was so gets the same answer out of the same facts.

use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::judge::judge;
use super::verdict::{Code, Decision, Verdict};
use crate::by::By;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::rows::cut_to;
use crate::tables::GATE_DECISIONS;

/// Decisions that are kept, a few kilobytes each: a team that deploys twenty times a day finds two months of them. The oldest go.
pub const GATE_DECISIONS_MAX: usize = 1_200;
/// Whoever waits asks every few seconds. The same answer to the same question is one decision for this long.
pub const GATE_AGAIN_MS: i64 = 3_600_000;
/// Bytes of the reasons in an event: it stands in lines and mails.
const TEXT_BYTES_MAX: usize = 600;

/// One decision: table `gate_decisions`, key its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateDecision {
    pub id: u64,
    /// Who asked.
    pub by: String,
    pub facts: Facts,
    pub decision: Decision,
}

/// What of a decision is in memory: enough to list it, and to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateHead {
    pub id: u64,
    pub by: String,
    pub at_ms: i64,
    pub service: String,
    pub version: String,
    pub to: String,
    pub rollback: bool,
    pub verdict: Verdict,
    /// What counted for it.
    pub codes: Vec<Code>,
    /// What an override lifted.
    pub lifted: Vec<Code>,
    /// Who took it on themselves.
    pub over: Option<String>,
}

impl GateHead {
    pub(crate) fn of(row: &GateDecision) -> Self {
        let (asked, decision) = (&row.facts.asked, &row.decision);
        Self {
            id: row.id,
            by: row.by.clone(),
            at_ms: asked.at_ms,
            service: asked.service.clone(),
            version: asked.version.clone(),
            to: asked.to.clone(),
            rollback: asked.rollback,
            verdict: decision.verdict,
            codes: decision.codes(),
            lifted: decision.lifted(),
            over: asked.over.as_ref().map(|over| over.by.clone()),
        }
    }

    /// Whether it answers the same question in the same way.
    fn is_as(&self, other: &Self) -> bool {
        let of = |head: &Self| {
            let Self { service, version, to, rollback, verdict, codes, lifted, over, .. } = head.clone();
            (service, version, to, rollback, verdict, codes, lifted, over)
        };
        of(self) == of(other)
    }
}

/// A decision and what its facts say now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateReplay {
    pub kept: GateDecision,
    pub again: Decision,
}

impl GateReplay {
    pub fn is_same(&self) -> bool {
        self.kept.decision == self.again
    }
}

impl Fleet {
    /// Decides and keeps the decision with its facts, in one transaction with its event and, where somebody overrides, the row of the audit.
    /// The answer to a question that was answered so within the hour is not kept again: its number is that one's.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: then nothing was decided.
    pub fn decide_gate(&self, facts: Facts, by: &By, now: Timestamp) -> Result<GateDecision, FleetError> {
        let decision = judge(&facts);
        self.change(|memory, draft| {
            let all = &memory.gate_decisions;
            let id = all.last_key_value().map_or(1, |(id, _)| id + 1);
            let mut made = GateDecision { id, by: by.to_string(), facts, decision };
            let head = GateHead::of(&made);
            if let Some(known) = known(memory, &head) {
                made.id = known.id;
                return Ok(made);
            }
            draft.events.push(event(&head, &made, by, now));
            let over = (all.len() + 1).saturating_sub(GATE_DECISIONS_MAX);
            draft.forgotten_gate_decisions.extend(all.keys().take(over));
            draft.gate_decisions.push(made.clone());
            Ok(made)
        })
    }

    /// Decisions, newest first: of a service where one is given, with numbers below `before`, at most `limit`.
    pub fn gate_decisions(&self, service: Option<&str>, before: Option<u64>, limit: usize) -> Vec<GateHead> {
        let memory = self.memory.read();
        let older = memory.gate_decisions.range(..before.unwrap_or(u64::MAX)).rev().map(|(_, head)| head);
        older.filter(|head| service.is_none_or(|service| head.service == service)).take(limit).cloned().collect()
    }

    /// A decision with its facts, and what these say now: the same, unless another version of the collector judges otherwise.
    ///
    /// # Errors
    /// [`FleetError::NoGateDecision`]; when the disk or the file fails.
    pub fn replay_gate(&self, id: u64) -> Result<GateReplay, FleetError> {
        let kept = self.scan(|reading| {
            let key = id.to_be_bytes();
            let value = reading.value(GATE_DECISIONS, &key)?.ok_or(FleetError::NoGateDecision { id })?;
            crate::rows::decode::<GateDecision>(&value).map_err(|what| reading.damage(GATE_DECISIONS, &key, what))
        })?;
        let again = judge(&kept.facts);
        Ok(GateReplay { kept, again })
    }
}

/// The newest decision about the same, if it says the same and is not old. An override is always kept.
fn known<'m>(memory: &'m Memory, head: &GateHead) -> Option<&'m GateHead> {
    let is_about = |other: &&GateHead| {
        (&other.service, &other.version, &other.to, other.rollback)
            == (&head.service, &head.version, &head.to, head.rollback)
    };
    let newest = memory.gate_decisions.values().rev().find(is_about)?;
    let is_new = head.at_ms.saturating_sub(newest.at_ms).abs() < GATE_AGAIN_MS;
    (head.over.is_none() && is_new && newest.is_as(head)).then_some(newest)
}

fn event(head: &GateHead, made: &GateDecision, by: &By, now: Timestamp) -> Event {
    let GateHead { service, version, to, verdict, .. } = head;
    let words = if head.rollback { "to go back to" } else { "to go on with" };
    let mut text = format!("the gate says {} {words} {service} {version} in {to}", verdict.as_str());
    let reasons = made.decision.reasons.iter().filter(|reason| reason.lifted || reason.effect != super::Effect::Told);
    for (at, reason) in reasons.enumerate() {
        text.push_str(if at == 0 { ": " } else { "; " });
        text.push_str(&reason.text);
    }
    let names = |codes: &[Code]| codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(" ");
    let mut event = Event::new(EventKind::GateDecided, by, now, cut_to(&text, TEXT_BYTES_MAX))
        .with("object", format!("{service}/{to}"))
        .with("service", service.as_str())
        .with("version", version.as_str())
        .with("env", to.as_str())
        .with("verdict", verdict.as_str())
        .with("codes", names(&head.codes))
        .with("decision", head.id.to_string());
    if let Some(over) = &made.facts.asked.over {
        event = event.with("override_by", over.by.as_str()).with("reason", over.reason.as_str());
        return event.with("lifted", names(&head.lifted));
    }
    // A question is no change: people ask the gate many times, and the audit is of what they did.
    event.noted = None;
    event
}

#[cfg(test)]
mod tests;
