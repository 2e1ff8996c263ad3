//! The deny list: certificates that are refused before their end.
//!
//! Sessions ask at their handshake, and again whenever the registry's version moves ([`crate::Fleet::subscribe`]), which is at once and
//! so within the 60 s that are promised.

use muster_common::host::HostId;
use muster_common::identity::Serial;
use muster_common::time::Timestamp;

use crate::by::By;
use crate::ca::{LEAF_LIFE, RENEW_AFTER_END};
use crate::changes::RegistryChange;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::issue::is_over;
use crate::outbox::{Event, EventKind};
use crate::rows::{CertificateRow, DenyRow, Registration, unhex_any};

/// A denied certificate. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    pub serial: String,
    pub host: Option<HostId>,
    pub reason: String,
    pub since_ms: i64,
}

impl Fleet {
    /// Whether a certificate with this serial is denied.
    pub fn is_denied(&self, serial: &Serial) -> bool {
        self.memory.read().denied.contains_key(&serial.to_string())
    }

    /// The deny list, by serial.
    pub fn denied(&self) -> Vec<Denied> {
        let memory = self.memory.read();
        let mut rows: Vec<Denied> = memory.denied.values().map(DenyRow::shown).collect();
        rows.sort_unstable_by(|a, b| a.serial.cmp(&b.serial));
        rows
    }

    /// Denies one certificate by its serial (hexadecimal digits).
    ///
    /// # Errors
    /// [`FleetError::NoSerial`], or the disk or the file failed.
    pub fn deny(&self, serial: &str, reason: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        // At most 20 bytes: X.509's own limit.
        let bytes = unhex_any(serial).filter(|bytes| !bytes.is_empty() && bytes.len() <= 20);
        let Some(bytes) = bytes else {
            return Err(FleetError::NoSerial { serial: serial.chars().take(50).collect() });
        };
        let serial = Serial::from_bytes(&bytes).to_string();
        self.change(|memory, draft| {
            let owner = memory.hosts().find_map(|row| {
                let certificate = row.certificates.iter().find(|certificate| certificate.serial == serial)?;
                Some((row, certificate))
            });
            let row = match owner {
                Some((row, certificate)) => DenyRow::new(certificate, row.id, reason, now),
                // Unknown here, as after a restored snapshot: denied as long as one made now could be used.
                None => DenyRow {
                    serial: serial.clone(),
                    host: None,
                    reason: reason.to_owned(),
                    since_ms: now.millis(),
                    until_ms: now.plus(LEAF_LIFE).plus(RENEW_AFTER_END).millis(),
                },
            };
            let mut event =
                Event::new(EventKind::CertificateDenied, by, now, format!("certificate {serial} was denied: {reason}"));
            if let Some((host, _)) = owner {
                event = event.of(host.id, &host.name);
            }
            draft.events.push(event.with("serial", serial.as_str()));
            draft.changes.push(RegistryChange::Denied { host: row.host, serial: serial.clone() });
            draft.denied.push(row);
            Ok(())
        })
    }
}

/// Denies every certificate of this host that could still be used.
pub(crate) fn deny_rows(draft: &mut Draft, row: &Registration, reason: &str, now: Timestamp) {
    for certificate in row.certificates.iter().filter(|certificate| !is_over(certificate.expires_ms, now)) {
        draft.denied.push(DenyRow::new(certificate, row.id, reason, now));
        draft.changes.push(RegistryChange::Denied { host: Some(row.id), serial: certificate.serial.clone() });
        let text = format!("certificate {} of host `{}` was denied: {reason}", certificate.serial, row.name);
        let event = Event::new(EventKind::CertificateDenied, &By::MUSTER, now, text).of(row.id, &row.name);
        draft.events.push(event.with("serial", certificate.serial.as_str()));
    }
}

impl DenyRow {
    pub(crate) fn new(certificate: &CertificateRow, host: HostId, reason: &str, now: Timestamp) -> Self {
        Self {
            serial: certificate.serial.clone(),
            host: Some(host),
            reason: reason.to_owned(),
            since_ms: now.millis(),
            until_ms: Timestamp::from_millis(certificate.expires_ms).plus(RENEW_AFTER_END).millis(),
        }
    }

    fn shown(&self) -> Denied {
        Denied { serial: self.serial.clone(), host: self.host, reason: self.reason.clone(), since_ms: self.since_ms }
    }
}
