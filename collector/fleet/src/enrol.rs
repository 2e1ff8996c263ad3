//! Enrolment: who is let in, under which name. The decision is pure; [`crate::Fleet::enrol`] carries it out.
//!
//! Identity is the registered host id. The name comes from the token or from what was asked, never from the certificate request. A
//! name that the token does not cover, or that is taken, waits for an operator. A lost answer does no harm: the same key with the
//! same token gets the same host and the same certificate again, and no second use is taken.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::identity::Token;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Enrol, Enrolled, RefusalCode, Refused};

use crate::host::HostState;
use crate::memory::Memory;
use crate::names::{check_name, folded, pattern_matches};
use crate::refuse::refuse;
use crate::rows::{Registration, Sha256, cut};
use crate::tokens::{Binding, TokenRow};

/// Machines that may wait for an operator at once. Anyone who reaches the port can ask, so it is capped.
pub const WAITING_MAX: usize = 1_000;

/// The answer to an enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolOutcome {
    Issued(Enrolled),
    Refused(Refused),
}

/// What is to be done about a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    /// It has its certificate: say it again.
    Repeat(HostId),
    /// Sign for this row; everything but the certificate is set.
    Issue {
        row: Registration,
        token: Option<TokenRow>,
        why: Why,
    },
    /// Waits. `row` is written when it is new or asks for something else than before.
    Wait {
        row: Option<Registration>,
        refused: Refused,
    },
    Refuse(Refused),
}

/// Which way a machine was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A token for a free name.
    Token,
    /// A token that may take names over: the certificates of the machine before are denied.
    Replaced,
    /// An operator approved it before.
    Approved,
    /// The host itself, with the key it has, and a new token.
    Again,
}

/// Someone who asks, with the proven key. `new_id` is used if a row must be made.
pub(crate) struct Asking<'a> {
    pub request: &'a Enrol,
    pub key: Sha256,
    pub peer: &'a str,
    pub new_id: HostId,
    pub now: Timestamp,
}

/// Decides.
pub(crate) fn decide(memory: &Memory, asking: &Asking<'_>) -> Decision {
    let known = memory.of_key(&asking.key);
    let token = match find_token(memory, &asking.request.token) {
        Ok(token) => token,
        Err(refused) => return Decision::Refuse(refused),
    };
    if let Some(known) = known
        && let Some(decision) = known_key(known, token, asking)
    {
        return decision;
    }
    if let Some(token) = token
        && let Err(why) = token.usable(asking.now)
    {
        return Decision::Refuse(refuse(
            RefusalCode::Token,
            why.to_string(),
            "make a new one with `muster token new` and enrol with it",
        ));
    }
    let name = wanted_name(asking.request, token);
    if let Err(error) = check_name(&name) {
        return Decision::Refuse(refuse(
            RefusalCode::Token,
            error.to_string(),
            "run `muster-agent enrol` again with `--name`",
        ));
    }
    match token {
        None => wait(memory, asking, None, name, "it brought no token".to_owned()),
        Some(token) => with_token(memory, asking, token, name),
    }
}

/// A key that is registered already. `None`: goes on like a new one.
fn known_key(known: &Registration, token: Option<&TokenRow>, asking: &Asking<'_>) -> Option<Decision> {
    match known.state {
        HostState::Pending | HostState::Quarantined => None,
        HostState::Retired => Some(Decision::Refuse(refuse(
            RefusalCode::Certificate,
            format!("this key belongs to host `{}`, which was retired: {}", known.name, known.reason),
            "stop the agent, remove its state folder and enrol it anew with a new token",
        ))),
        HostState::Active if known.key == Some(asking.key) => {
            // Approved or given a place before: holding the key is the proof.
            let row = Registration { key: None, ..known.clone() };
            Some(Decision::Issue { row, token: None, why: Why::Approved })
        }
        HostState::Active => {
            let holds_newest = known.certificate().is_some_and(|certificate| certificate.key == asking.key);
            if !holds_newest {
                return Some(Decision::Refuse(refuse(
                    RefusalCode::Certificate,
                    format!("this key of host `{}` was renewed by another", known.name),
                    "restore the agent's newer state folder, or remove it and enrol anew with `muster token new --replace`",
                )));
            }
            // An approved host brings no token, or the one that was not enough then.
            let same_token = known.token.is_none() || known.token.as_deref() == token.map(|token| token.id.as_str());
            same_token.then_some(Decision::Repeat(known.id))
        }
    }
}

/// The token of this text with the right secret; `None` for an empty text. Neither its end nor its uses are looked at.
fn find_token<'a>(memory: &'a Memory, text: &str) -> Result<Option<&'a TokenRow>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused = |message: String| {
        let remedy = "copy the word whole as `muster token new` printed it, or make a new one there";
        Err(refuse(RefusalCode::Token, message, remedy))
    };
    let Ok(token) = Token::parse(text) else {
        return refused("the token is damaged: it is not of the form id.secret".to_owned());
    };
    let id = token.id.to_string();
    match memory.tokens.get(&id) {
        None => refused(format!("token {id} is not known to this collector")),
        Some(row) if !token.matches(&row.hash.0) => refused(format!("the secret of token {id} is wrong")),
        Some(row) => Ok(Some(row)),
    }
}

/// What the host shall be called: what was asked, else what the token says, else the host's own name.
fn wanted_name(request: &Enrol, token: Option<&TokenRow>) -> String {
    let asked = request.name.trim();
    match (asked, token.map(|token| &token.binding)) {
        ("", Some(Binding::Name(name))) => name.clone(),
        ("", _) => request.facts.host_name.trim().to_owned(),
        _ => asked.to_owned(),
    }
}

/// A usable token: does it cover the name, and is the name free?
fn with_token(memory: &Memory, asking: &Asking<'_>, token: &TokenRow, name: String) -> Decision {
    let name = match &token.binding {
        Binding::Name(bound) if folded(bound) != folded(&name) => {
            return Decision::Refuse(refuse(
                RefusalCode::Token,
                format!("token {} is for host `{bound}`, not for `{name}`", token.id),
                format!(
                    "enrol with `--name {bound}`, or make a token for `{name}` with `muster token new --name {name}`"
                ),
            ));
        }
        Binding::Name(bound) => bound.clone(),
        Binding::Pattern(pattern) if !pattern_matches(pattern, &name) => {
            let reason = format!("token {} covers names like `{pattern}` only", token.id);
            return wait(memory, asking, Some(token), name, reason);
        }
        Binding::Pattern(_) => name,
    };
    let used = Some(TokenRow { uses_left: token.uses_left.saturating_sub(1), ..token.clone() });
    match memory.named(&name) {
        Some(holder) if holder.certificates.iter().any(|certificate| certificate.key == asking.key) => {
            let row = Registration { token: Some(token.id.clone()), ..Registration::clone(holder) };
            Decision::Issue { row, token: used, why: Why::Again }
        }
        // The key is another host's: it cannot be two.
        _ if memory.of_key(&asking.key).is_some_and(|known| known.state == HostState::Active) => {
            let known = memory.of_key(&asking.key).map(|known| known.name.clone()).unwrap_or_default();
            Decision::Refuse(refuse(
                RefusalCode::Token,
                format!("this key belongs to host `{known}`, so it cannot be `{name}` as well"),
                format!(
                    "rename it with `muster hosts rename {known} {name}`, or stop the agent, remove its state folder and enrol again"
                ),
            ))
        }
        Some(holder) if token.replace => {
            let row = Registration {
                labels: overlaid(&holder.labels, &token.labels),
                machine_id: cut(&asking.request.facts.machine_id),
                key: None,
                token: Some(token.id.clone()),
                peer: cut(asking.peer),
                ephemeral_ms: token.ephemeral_ms,
                replaced_ms: Some(asking.now.millis()),
                ..Registration::clone(holder)
            };
            Decision::Issue { row, token: used, why: Why::Replaced }
        }
        Some(holder) => {
            let reason = format!("the name `{}` is taken by host {}", holder.name, holder.id);
            wait(memory, asking, Some(token), name, reason)
        }
        None => {
            let row = Registration {
                state: HostState::Active,
                reason: String::new(),
                key: None,
                ..row_for(memory, asking, Some(token), name)
            };
            Decision::Issue { row, token: used, why: Why::Token }
        }
    }
}

/// The row of a machine that asks: the one it has, with what it says now, or a new one.
fn row_for(memory: &Memory, asking: &Asking<'_>, token: Option<&TokenRow>, name: String) -> Registration {
    let known = memory.of_key(&asking.key);
    Registration {
        id: known.map_or(asking.new_id, |known| known.id),
        name,
        labels: token.map(|token| token.labels.clone()).unwrap_or_default(),
        state: HostState::Pending,
        machine_id: cut(&asking.request.facts.machine_id),
        key: Some(asking.key),
        certificates: Vec::new(),
        token: token.map(|token| token.id.clone()),
        asked_ms: known.map_or(asking.now.millis(), |known| known.asked_ms),
        peer: cut(asking.peer),
        enrolled_ms: None,
        ephemeral_ms: token.and_then(|token| token.ephemeral_ms),
        replaced_ms: None,
        retired_ms: None,
        absence: None,
        reason: String::new(),
        of: None,
        traces: Vec::new(),
    }
}

fn wait(memory: &Memory, asking: &Asking<'_>, token: Option<&TokenRow>, name: String, reason: String) -> Decision {
    let known = memory.of_key(&asking.key);
    let mut row = Registration { reason, ..row_for(memory, asking, token, name) };
    let is_new = match known {
        Some(known) if known.state == HostState::Active => {
            return Decision::Refuse(refuse(
                RefusalCode::Token,
                format!(
                    "this key belongs to host `{}`, and this request shows no token that covers it: {}",
                    known.name, row.reason
                ),
                "the agent has a certificate already: start it with `muster-agent run`; or remove its state folder and enrol anew",
            ));
        }
        // Asking again writes nothing: else anyone could make the disk busy and the outbox full. Only a token may say more.
        Some(known) if token.is_none() || (known.name == row.name && known.reason == row.reason) => {
            row = Registration::clone(known);
            false
        }
        Some(_) => true,
        None if memory.waiting() >= WAITING_MAX => {
            return Decision::Refuse(refuse(
                RefusalCode::Busy,
                format!("{WAITING_MAX} machines wait for approval already, so `{}` cannot", row.name),
                "see `muster hosts list`, and approve or retire those that wait; or enrol with a token",
            ));
        }
        None => true,
    };
    let (name, key) = (&row.name, String::from(asking.key));
    let refused = refuse(
        RefusalCode::Pending,
        format!("host `{name}` waits for approval: {}", row.reason),
        format!(
            "on the collector compare the key {key} and run `muster hosts approve {name}`, or `muster hosts replace {name}` if it takes the place of the host of that name"
        ),
    );
    Decision::Wait { row: is_new.then_some(row), refused }
}

fn overlaid(under: &BTreeMap<String, String>, over: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = under.clone();
    labels.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
    labels
}

#[cfg(test)]
mod tests;
