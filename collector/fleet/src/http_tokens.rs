//! Tokens of the HTTP interfaces: scoped, hashed, with an end.

use std::time::Duration;

use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rows::Sha256;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    #[serde(rename = "read")]
    Read,
    #[serde(rename = "ingest")]
    Ingest,
    #[serde(rename = "silence")]
    Silence,
    #[serde(rename = "task:request")]
    TaskRequest,
    #[serde(rename = "task:approve")]
    TaskApprove,
    #[serde(rename = "ask")]
    Ask,
    /// Says that something is deployed: for CI, which may nothing else.
    #[serde(rename = "deploy")]
    Deploy,
    /// Everything, tokens and hosts included.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Ingest,
        Self::Silence,
        Self::TaskRequest,
        Self::TaskApprove,
        Self::Ask,
        Self::Deploy,
        Self::Admin,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Silence => "silence",
            Self::TaskRequest => "task:request",
            Self::TaskApprove => "task:approve",
            Self::Ask => "ask",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What the bearer of a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The token's id: names the bearer in logs and audit.
    pub id: String,
    pub scopes: Vec<Scope>,
}

impl Grant {
    /// Whether this scope is granted. `admin` grants all.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// An HTTP token as table `http_tokens` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HttpTokenRow {
    pub id: String,
    pub hash: Sha256,
    pub scopes: Vec<Scope>,
    pub made_ms: i64,
    pub made_by: String,
    /// `None`: never. Only the first administrator's.
    pub expires_ms: Option<i64>,
    /// To the minute or so: written along with other changes.
    pub last_used_ms: Option<i64>,
    /// False for the first administrator's until its word is known to be in its file.
    pub kept: bool,
}

impl HttpTokenRow {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_ms.is_none_or(|end| now.millis() < end)
    }
}

/// An HTTP token as operators see it: never its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTokenView {
    pub id: String,
    pub scopes: Vec<Scope>,
    pub made_ms: i64,
    pub made_by: String,
    pub expires_ms: Option<i64>,
    pub last_used_ms: Option<i64>,
}

/// Longest life of an HTTP token.
pub const HTTP_TOKEN_LIFE_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_one_name_each_and_admin_grants_all() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_string(&scope).unwrap(), format!("{:?}", scope.as_str()));
            assert!(Grant { id: String::new(), scopes: vec![Scope::Admin] }.allows(scope));
            assert_eq!(Grant { id: String::new(), scopes: vec![Scope::Read] }.allows(scope), scope == Scope::Read);
        }
        assert_eq!(Scope::parse("write"), None);
    }
}
