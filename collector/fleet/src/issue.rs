//! Certificates of hosts: issuing them at enrolment and renewal, and judging those that sessions present.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::identity::{Pin, Serial, certificate};
use muster_common::time::Timestamp;
use muster_common::wire::message::{Enrol, Enrolled, RefusalCode, Refused, Renewed};

use crate::audit::{AuditResult, Record};
use crate::by::{By, source_of};
use crate::ca::{AuthorityRole, RENEW_AFTER_END};
use crate::changes::RegistryChange;
use crate::csr::{RequestedKey, read_request};
use crate::deny::deny_rows;
use crate::draft::Draft;
use crate::enrol::{Asking, Decision, EnrolOutcome, Why, decide};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::refuse::refuse;
use crate::rows::{DenyRow, Registration, Sha256};
use crate::tokens::{Ago, new_host_id};

/// Certificates remembered of one host, so that all can be denied: in the 120 days in which one can be used, 6 are made by renewal.
/// When there are more, the oldest is denied.
pub(crate) const CERTIFICATES_MAX: usize = 16;

/// A session's certificate as it was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub host: HostId,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub serial: Serial,
    /// Such a session may renew with the same key and nothing else.
    pub expired: bool,
    pub expires: Timestamp,
}

/// The answer to a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewOutcome {
    Issued(Renewed),
    Refused(Refused),
}

/// What a session's certificate proves, and the key in it.
struct Judged {
    admitted: Admitted,
    key: Sha256,
}

impl Fleet {
    /// Lets a machine in, makes it wait, or refuses it. `peer` is where it speaks from, for people.
    ///
    /// # Errors
    /// [`FleetError`] when the disk, the file or the random generator fails: the machine may ask again, and gets the same answer if the
    /// first was made durable.
    pub fn enrol(&self, request: &Enrol, peer: &str, now: Timestamp) -> Result<EnrolOutcome, FleetError> {
        let outcome = match read_request(&request.csr_der) {
            Ok(key) => self.enrol_key(request, &key, peer, now)?,
            Err(error) => EnrolOutcome::Refused(refuse(
                RefusalCode::Protocol,
                error.to_string(),
                "remove the agent's state folder and enrol again with an agent of this version",
            )),
        };
        match &outcome {
            EnrolOutcome::Issued(_) => self.counts.lock().issued += 1,
            EnrolOutcome::Refused(refused) => {
                self.count_refusal(refused.code);
                self.note_refused(request, refused, peer, now)?;
            }
        }
        Ok(outcome)
    }

    /// Puts it into the audit, unless the machine only waits or may try again.
    fn note_refused(&self, request: &Enrol, refused: &Refused, peer: &str, now: Timestamp) -> Result<(), FleetError> {
        if !matches!(refused.code, RefusalCode::Token | RefusalCode::Certificate) {
            return Ok(());
        }
        let object = request.name.clone();
        let text = format!("`{object}` was not let in: {}", refused.message);
        let (by, action, result) = (By::anybody(peer), EventKind::EnrolRefused, AuditResult::Refused);
        self.record_refusal(Record { by, action, object, text, result }, now)
    }

    fn enrol_key(
        &self,
        request: &Enrol,
        key: &RequestedKey,
        peer: &str,
        now: Timestamp,
    ) -> Result<EnrolOutcome, FleetError> {
        let mut state = self.sure_state()?;
        let mut draft = Draft::default();
        let outcome = {
            let memory = self.memory.read();
            let asking = Asking { request, key: key.hash, peer, new_id: new_host_id(now)?, now };
            match decide(&memory, &asking) {
                Decision::Refuse(refused) => EnrolOutcome::Refused(refused),
                Decision::Wait { row, refused } => {
                    if let Some(row) = row {
                        let text = format!("host `{}` asks to be let in from {}: {}", row.name, row.peer, row.reason);
                        let event = Event::new(EventKind::HostPending, &By::AGENT, now, text).of(row.id, &row.name);
                        draft.events.push(event.with("key", String::from(key.hash)).with("peer", row.peer.as_str()));
                        draft.hosts.push(row);
                    }
                    EnrolOutcome::Refused(refused)
                }
                Decision::Repeat(host) => match (memory.host(host), state.leaf(host)?) {
                    (Some(row), Some(leaf)) => EnrolOutcome::Issued(enrolled(&memory, row, leaf)),
                    // Row and leaf are written together.
                    _ => return Err(FleetError::NoHost { asked: host.to_string() }),
                },
                Decision::Issue { row, token, why } => {
                    let from = row.token.clone();
                    let row = sign(&memory, &mut draft, row, key, now)?;
                    record_enrolment(&memory, &mut draft, &row, why, from.as_deref(), peer, now);
                    draft.tokens.extend(token);
                    let leaf = draft.leaves.last().map(|(_, der)| der.clone()).unwrap_or_default();
                    let enrolled = enrolled(&memory, &row, leaf);
                    draft.hosts.push(row);
                    EnrolOutcome::Issued(enrolled)
                }
            }
        };
        let replaced: Vec<HostId> = draft.changes.iter().filter_map(replaced_host).collect();
        self.commit(&mut state, draft)?;
        replaced.into_iter().for_each(|host| self.sightings.lock().reset(host));
        Ok(outcome)
    }

    /// Judges the certificate that a session presented: of our CA, of an active host, not denied, not expired too long. What the
    /// session's host is called comes from here and from nowhere else.
    ///
    /// # Errors
    /// [`Refused`] to be sent to the agent, naming what is wrong with its certificate and what to do.
    pub fn authenticate(&self, leaf_der: &[u8], now: Timestamp) -> Result<Admitted, Refused> {
        let judged = judge(&self.memory.read(), leaf_der, now);
        judged.map(|judged| judged.admitted).inspect_err(|refused| self.count_refusal(refused.code))
    }

    /// Renews the certificate that a session presented, with the checks of [`Fleet::authenticate`]: with a new key while it is valid,
    /// with the same key once it is expired (up to 90 days). Asked again after a lost answer, it says the same.
    ///
    /// # Errors
    /// [`FleetError`] when the disk, the file or the random generator fails.
    pub fn renew(&self, leaf_der: &[u8], csr_der: &[u8], now: Timestamp) -> Result<RenewOutcome, FleetError> {
        let outcome = self.renew_uncounted(leaf_der, csr_der, now)?;
        match &outcome {
            RenewOutcome::Issued(_) => self.counts.lock().renewed += 1,
            RenewOutcome::Refused(refused) => self.count_refusal(refused.code),
        }
        Ok(outcome)
    }

    fn renew_uncounted(&self, leaf_der: &[u8], csr_der: &[u8], now: Timestamp) -> Result<RenewOutcome, FleetError> {
        let key = match read_request(csr_der) {
            Ok(key) => key,
            Err(error) => {
                let remedy = "restart the agent: it makes a new request";
                return Ok(RenewOutcome::Refused(refuse(RefusalCode::Protocol, error.to_string(), remedy)));
            }
        };
        let mut state = self.sure_state()?;
        let mut draft = Draft::default();
        let leaf = {
            let memory = self.memory.read();
            let row = match renewable(&memory, leaf_der, &key, now) {
                Ok(row) => row,
                Err(refused) => return Ok(RenewOutcome::Refused(refused)),
            };
            let newest = row.certificate().filter(|certificate| certificate.key == key.hash);
            let is_repeat = newest.is_some_and(|certificate| now.millis() < certificate.expires_ms);
            let repeated = if is_repeat { state.leaf(row.id)? } else { None };
            if let Some(leaf) = repeated {
                leaf
            } else {
                let row = sign(&memory, &mut draft, row, &key, now)?;
                let text = format!("host `{}` renewed its certificate", row.name);
                let event = Event::new(EventKind::CertificateRenewed, &By::AGENT, now, text).of(row.id, &row.name);
                let serial = row.certificate().map(|certificate| certificate.serial.clone()).unwrap_or_default();
                draft.events.push(event.with("serial", serial));
                draft.hosts.push(row);
                draft.leaves.last().map(|(_, der)| der.clone()).unwrap_or_default()
            }
        };
        let chain_der = chain(&self.memory.read(), leaf);
        self.commit(&mut state, draft)?;
        Ok(RenewOutcome::Issued(Renewed { chain_der }))
    }
}

/// Signs for this row: the row with its new certificate; the certificate itself and whatever is denied go to the draft.
fn sign(
    memory: &Memory,
    draft: &mut Draft,
    row: Registration,
    key: &RequestedKey,
    now: Timestamp,
) -> Result<Registration, FleetError> {
    let mut row = row;
    let leaf = memory.current_authority()?.issue_host(row.id, &key.spki_der, now)?;
    // Those that can be used no more need not be remembered.
    row.certificates.retain(|certificate| !is_over(certificate.expires_ms, now));
    row.certificates.push(leaf.row);
    if row.certificates.len() > CERTIFICATES_MAX {
        let oldest = row.certificates.remove(0);
        draft.denied.push(DenyRow::new(&oldest, row.id, "the host has 16 newer ones", now));
        draft.changes.push(RegistryChange::Denied { host: Some(row.id), serial: oldest.serial });
    }
    row.enrolled_ms = row.enrolled_ms.or(Some(now.millis()));
    draft.leaves.push((row.id, leaf.der));
    Ok(row)
}

/// The address of a peer, without its port.
fn source_at(peer: &str) -> String {
    peer.parse::<std::net::SocketAddr>().map_or_else(|_| peer.to_owned(), |address| source_of(address.ip()))
}

/// Event, change and denials of an enrolment. `row` has its certificate.
fn record_enrolment(
    memory: &Memory,
    draft: &mut Draft,
    row: &Registration,
    why: Why,
    token: Option<&str>,
    peer: &str,
    now: Timestamp,
) {
    let by = match (why, token) {
        // The approval itself is somebody's; this is the machine that collects what it brought.
        (Why::Approved, _) | (_, None) => By::Itself("operator"),
        (_, Some(token)) => By::token(token, &source_at(peer)),
    };
    let before = memory.host(row.id);
    let (kind, text) = match why {
        Why::Token => (EventKind::HostEnrolled, format!("host `{}` enrolled from {peer}", row.name)),
        Why::Approved => (EventKind::HostEnrolled, format!("host `{}` enrolled from {peer} after approval", row.name)),
        Why::Again => (EventKind::HostEnrolled, format!("host `{}` enrolled again from {peer}", row.name)),
        Why::Replaced => {
            (EventKind::HostReplaced, format!("a machine at {peer} took the place of host `{}`", row.name))
        }
    };
    let serial = row.certificate().map(|certificate| certificate.serial.clone()).unwrap_or_default();
    let event = Event::new(kind, &by, now, text).of(row.id, &row.name);
    draft.events.push(event.with("serial", serial).with("peer", peer));
    match (why, before) {
        (Why::Replaced, Some(before)) => {
            deny_rows(draft, before, "another machine took the host's place", now);
            draft.changes.push(RegistryChange::Replaced { host: row.id });
            if before.labels != row.labels {
                draft.changes.push(RegistryChange::Relabelled {
                    host: row.id,
                    from: before.labels.clone(),
                    to: row.labels.clone(),
                });
            }
        }
        (Why::Token, _) => draft.changes.push(RegistryChange::Activated { host: row.id }),
        // Approval told it already; a host that enrols again was active before.
        _ => {}
    }
}

fn replaced_host(change: &RegistryChange) -> Option<HostId> {
    match change {
        RegistryChange::Replaced { host } => Some(*host),
        _ => None,
    }
}

fn enrolled(memory: &Memory, row: &Registration, leaf: Vec<u8>) -> Enrolled {
    Enrolled { host_id: row.id.0, name: row.name.clone(), chain_der: chain(memory, leaf) }
}

/// The leaf, the CA that signs, and the one that comes: whoever holds this chain goes on trusting after a rotation.
fn chain(memory: &Memory, leaf: Vec<u8>) -> Vec<Vec<u8>> {
    let trusted = memory.authorities.iter().filter(|authority| authority.row.role != AuthorityRole::Old);
    std::iter::once(leaf).chain(trusted.map(|authority| authority.row.certificate_der.clone())).collect()
}

/// Whether a certificate with this end cannot even be renewed any more.
pub(crate) fn is_over(expires_ms: i64, now: Timestamp) -> bool {
    now > Timestamp::from_millis(expires_ms).plus(RENEW_AFTER_END)
}

fn judge(memory: &Memory, leaf_der: &[u8], now: Timestamp) -> Result<Judged, Refused> {
    const ENROL: &str = "enrol this host again: `muster token new` on the collector, then `muster-agent enrol` here";
    let refused = |message: String, remedy: &str| Err(refuse(RefusalCode::Certificate, message, remedy));
    let Ok(facts) = certificate::read(leaf_der) else {
        return refused("the certificate is damaged".to_owned(), ENROL);
    };
    let ours = memory.authorities.iter().any(|authority| authority.signed(leaf_der));
    let Some(host) = facts.host.filter(|_| ours && facts.for_clients && !facts.is_ca) else {
        return refused("the certificate is none that this collector issued to a host".to_owned(), ENROL);
    };
    let serial = facts.serial.to_string();
    let Some(row) = memory.host(host) else {
        return refused(format!("host {host} is not registered here"), ENROL);
    };
    if row.state != HostState::Active {
        let message = format!("host `{}` is {}: {}", row.name, row.state.as_str(), row.reason);
        return refused(message, ENROL);
    }
    if let Some(denied) = memory.denied.get(&serial) {
        return refused(format!("certificate {serial} of host `{}` is denied: {}", row.name, denied.reason), ENROL);
    }
    let expired_for = now.since(facts.not_after);
    if expired_for > RENEW_AFTER_END {
        let message = format!("the certificate of host `{}` expired {} ago", row.name, Ago(expired_for));
        return refused(message, ENROL);
    }
    if now < facts.not_before {
        let message = format!("the certificate of host `{}` is not valid yet", row.name);
        return refused(message, "check the collector's clock");
    }
    let Ok(pin) = Pin::of_certificate(leaf_der) else {
        return refused("the certificate is damaged".to_owned(), ENROL);
    };
    let admitted = Admitted {
        host,
        name: row.name.clone(),
        labels: row.labels.clone(),
        serial: facts.serial,
        expired: now > facts.not_after,
        expires: facts.not_after,
    };
    Ok(Judged { admitted, key: Sha256(pin.0) })
}

/// The row whose certificate may be renewed with this key.
fn renewable(memory: &Memory, leaf_der: &[u8], key: &RequestedKey, now: Timestamp) -> Result<Registration, Refused> {
    let judged = judge(memory, leaf_der, now)?;
    let (host, same_key) = (judged.admitted.host, judged.key == key.hash);
    let refused = |message: String, remedy: &str| Err(refuse(RefusalCode::Certificate, message, remedy));
    let name = &judged.admitted.name;
    if judged.admitted.expired && !same_key {
        return refused(
            format!("the certificate of host `{name}` is expired, so it can be renewed with its own key only"),
            "restart the agent; if its key is lost, enrol it again with `muster token new --replace`",
        );
    }
    if !judged.admitted.expired && same_key {
        return refused(
            format!("host `{name}` asked for renewal with the key that it has"),
            "upgrade the agent: a renewal while the certificate is valid brings a new key",
        );
    }
    match memory.of_key(&key.hash) {
        Some(owner) if owner.id != host => refused(
            format!("the new key of host `{name}` is already that of `{}`", owner.name),
            "restart the agent: it makes a new key",
        ),
        _ => memory.host(host).map(|row| Registration::clone(row)).ok_or_else(|| {
            refuse(RefusalCode::Certificate, format!("host {host} is not registered here"), "enrol this host again")
        }),
    }
}

#[cfg(test)]
mod tests;
