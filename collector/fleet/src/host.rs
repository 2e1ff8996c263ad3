//! Hosts as others see them.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::wire::message::HostFacts;
use serde::{Deserialize, Serialize};

use crate::rows::{Registration, Sighting};

/// Where a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// Has asked to be let in; waits for `muster hosts approve`.
    Pending,
    /// Registered. Only these hold a name and belong to the expected set.
    Active,
    /// Gone for good: certificates denied, name free, history kept.
    Retired,
    /// A second machine that used the identity of another row ([`HostRow::of`]); set aside until approved or retired.
    Quarantined,
}

impl HostState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Retired, Self::Quarantined];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Quarantined => "quarantined",
        }
    }
}

/// One row of the registry, with what the host last told of itself. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct HostRow {
    pub id: HostId,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub state: HostState,
    /// Why it waits, is set aside or is retired; empty while active.
    pub reason: String,
    pub machine_id: String,
    pub facts: HostFacts,
    pub agent_version: String,
    /// Hexadecimal; empty: not yet heard.
    pub boot_id: String,
    /// When it first asked to be let in, and from which address.
    pub asked_ms: i64,
    pub peer: String,
    /// When it got its first certificate.
    pub enrolled_ms: Option<i64>,
    pub last_hello_ms: Option<i64>,
    /// Of the certificate issued last.
    pub serial: Option<String>,
    pub certificate_expires_ms: Option<i64>,
    /// Retires by itself after this long a silence.
    pub ephemeral: Option<Duration>,
    /// When another machine last took its place.
    pub replaced_ms: Option<i64>,
    pub retired_ms: Option<i64>,
    /// Quarantined: the identity that this machine used.
    pub of: Option<HostId>,
    /// SHA-256 of the key that waits for approval, hexadecimal: the agent shows the same, so that both can be compared.
    pub waiting_key: Option<String>,
}

impl HostRow {
    pub(crate) fn new(row: &Registration, sighting: Option<&Sighting>) -> Self {
        let certificate = row.certificate();
        Self {
            id: row.id,
            name: row.name.clone(),
            labels: row.labels.clone(),
            state: row.state,
            reason: row.reason.clone(),
            machine_id: row.machine_id.clone(),
            facts: sighting.map(|seen| seen.facts.to_wire()).unwrap_or_default(),
            agent_version: sighting.map(|seen| seen.agent_version.clone()).unwrap_or_default(),
            boot_id: sighting.map(|seen| seen.boot_id.clone()).unwrap_or_default(),
            asked_ms: row.asked_ms,
            peer: row.peer.clone(),
            enrolled_ms: row.enrolled_ms,
            last_hello_ms: sighting.map(|seen| seen.last_hello_ms).filter(|ms| *ms > 0),
            serial: certificate.map(|c| c.serial.clone()),
            certificate_expires_ms: certificate.map(|c| c.expires_ms),
            ephemeral: row.ephemeral_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
            replaced_ms: row.replaced_ms,
            retired_ms: row.retired_ms,
            of: row.of,
            waiting_key: row.key.map(String::from),
        }
    }
}
