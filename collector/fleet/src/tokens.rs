//! Enrolment tokens: what lets a machine in without an operator at hand.
//!
//! A token is known by its id; of its secret only a hash is kept. It is bound to one name or to a pattern of names, has an end
//! and a number of uses, and carries the labels that its hosts get. Uses are counted in the transaction of the enrolment.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::identity::random;
use muster_common::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::error::FleetError;
use crate::names;
use crate::rows::Sha256;

/// Tokens of either kind that can exist at once: a limit for scripts that run wild.
pub const TOKENS_MAX: usize = 10_000;
/// Longest life of an enrolment token.
pub const TOKEN_LIFE_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Most uses of one token: ten times the largest fleet.
pub const TOKEN_USES_MAX: u32 = 100_000;
/// Silence after which an ephemeral host retires: shorter would take a slow reboot for an end.
pub const EPHEMERAL_MIN: Duration = Duration::from_secs(300);
/// A token is remembered so long after its end, so that its use is answered by what happened to it, and a lost answer can be repeated.
pub(crate) const TOKEN_REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// Which names a token lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// This one name, which the host gets even if it asks for none.
    Name(String),
    /// Names that match: `*` any run of characters, `?` one.
    Pattern(String),
}

/// What a new enrolment token shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSpec {
    pub binding: Binding,
    /// Labels of its hosts.
    pub labels: BTreeMap<String, String>,
    pub ttl: Duration,
    pub uses: u32,
    /// Whether a name that is taken goes over to the new machine.
    pub replace: bool,
    /// Hosts retire by themselves after this long a silence.
    pub ephemeral: Option<Duration>,
    /// Who makes it, for the audit.
    pub by: By,
}

impl Default for TokenSpec {
    /// One use within an hour, any free name.
    fn default() -> Self {
        Self {
            binding: Binding::Pattern("*".to_owned()),
            labels: BTreeMap::new(),
            ttl: Duration::from_secs(3_600),
            uses: 1,
            replace: false,
            ephemeral: None,
            by: By::Itself("operator"),
        }
    }
}

impl TokenSpec {
    /// Checks every part.
    pub(crate) fn check(&self) -> Result<(), FleetError> {
        match &self.binding {
            Binding::Name(name) => names::check_name(name)?,
            Binding::Pattern(pattern) => names::check_pattern(pattern)?,
        }
        names::check_labels(&self.labels)?;
        let wrong = |what, given: String, allowed| Err(FleetError::TokenSpec { what, given, allowed });
        if self.ttl < Duration::from_secs(1) || self.ttl > TOKEN_LIFE_MAX {
            return wrong("the life", Span(self.ttl).to_string(), "between 1s and 366d");
        }
        if self.uses == 0 || self.uses > TOKEN_USES_MAX {
            return wrong("the number of uses", self.uses.to_string(), "between 1 and 100000");
        }
        match self.ephemeral {
            Some(silence) if silence < EPHEMERAL_MIN || silence > TOKEN_LIFE_MAX => {
                wrong("the silence before retirement", Span(silence).to_string(), "between 5m and 366d")
            }
            _ => Ok(()),
        }
    }
}

/// A token as table `tokens` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenRow {
    pub id: String,
    pub hash: Sha256,
    pub binding: Binding,
    pub labels: BTreeMap<String, String>,
    pub made_ms: i64,
    pub made_by: String,
    pub expires_ms: i64,
    pub uses: u32,
    pub uses_left: u32,
    pub replace: bool,
    pub ephemeral_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
}

/// A token as operators see it: never its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    pub id: String,
    pub binding: Binding,
    pub labels: BTreeMap<String, String>,
    pub made_ms: i64,
    pub made_by: String,
    pub expires_ms: i64,
    pub uses: u32,
    pub uses_left: u32,
    pub replace: bool,
    pub ephemeral: Option<Duration>,
    pub revoked_ms: Option<i64>,
}

/// Why a token with the right secret lets nobody in any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefusal {
    #[error("token {id} was revoked")]
    Revoked { id: String },
    #[error("token {id} expired {ago} ago")]
    Expired { id: String, ago: Ago },
    #[error("token {id} was good for {uses} and is used up")]
    UsedUp { id: String, uses: Uses },
}

/// A past span, printed to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ago(pub Duration);

impl std::fmt::Display for Ago {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Span(Duration::from_secs(self.0.as_secs())).fmt(f)
    }
}

/// `1 use`, `3 uses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uses(pub u32);

impl std::fmt::Display for Uses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} use{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

impl TokenRow {
    pub(crate) fn view(&self) -> TokenView {
        TokenView {
            id: self.id.clone(),
            binding: self.binding.clone(),
            labels: self.labels.clone(),
            made_ms: self.made_ms,
            made_by: self.made_by.clone(),
            expires_ms: self.expires_ms,
            uses: self.uses,
            uses_left: self.uses_left,
            replace: self.replace,
            ephemeral: self.ephemeral_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
            revoked_ms: self.revoked_ms,
        }
    }

    /// Whether it still lets someone in.
    pub(crate) fn usable(&self, now: Timestamp) -> Result<(), TokenRefusal> {
        let id = self.id.clone();
        if self.revoked_ms.is_some() {
            return Err(TokenRefusal::Revoked { id });
        }
        if now.millis() >= self.expires_ms {
            let ago = now.since(Timestamp::from_millis(self.expires_ms));
            return Err(TokenRefusal::Expired { id, ago: Ago(ago) });
        }
        if self.uses_left == 0 {
            return Err(TokenRefusal::UsedUp { id, uses: Uses(self.uses) });
        }
        Ok(())
    }

    /// Whether nothing can ask about it any more.
    pub(crate) fn is_forgettable(&self, now: Timestamp) -> bool {
        let ended = self.revoked_ms.unwrap_or(self.expires_ms).min(self.expires_ms);
        now.since(Timestamp::from_millis(ended)) > TOKEN_REMEMBERED
    }
}

/// A new UUIDv7 whose time is the given one.
pub(crate) fn new_host_id(now: Timestamp) -> Result<HostId, FleetError> {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random::<10>()?).into_uuid();
    Ok(HostId(*id.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_out_of_bounds_are_named() {
        let spec = TokenSpec::default();
        assert!(spec.check().is_ok());
        for (bad, part) in [
            (TokenSpec { ttl: Duration::ZERO, ..spec.clone() }, "the life"),
            (TokenSpec { ttl: Duration::from_secs(400 * 86_400), ..spec.clone() }, "the life"),
            (TokenSpec { uses: 0, ..spec.clone() }, "the number of uses"),
            (TokenSpec { ephemeral: Some(Duration::from_secs(10)), ..spec.clone() }, "the silence"),
            (TokenSpec { binding: Binding::Name("muster".into()), ..spec.clone() }, "the collector's own"),
            (TokenSpec { binding: Binding::Pattern("a[b".into()), ..spec.clone() }, "the pattern"),
            (TokenSpec { labels: BTreeMap::from([("host".into(), "x".into())]), ..spec.clone() }, "`host`"),
        ] {
            let message = bad.check().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
