//! Refusals: one text that names the place and one that names the remedy.

use muster_common::wire::message::{RefusalCode, Refused};

/// How long a machine that waits for an operator stays away between two questions.
pub(crate) const ASK_AGAIN_MS: u32 = 30_000;
/// How long one stays away that nothing but a person can help.
pub(crate) const HOPELESS_MS: u32 = 300_000;

/// A refusal that trying again soon will not change.
pub(crate) fn refuse(code: RefusalCode, message: impl Into<String>, remedy: impl Into<String>) -> Refused {
    let retry_after_ms = match code {
        RefusalCode::Pending | RefusalCode::Busy => ASK_AGAIN_MS,
        RefusalCode::Storage | RefusalCode::Superseded => 0,
        _ => HOPELESS_MS,
    };
    Refused { code, message: message.into(), remedy: remedy.into(), retry_after_ms }
}

/// The name of a code in counts.
pub(crate) const fn code_name(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Version => "version",
        RefusalCode::Protocol => "protocol",
        RefusalCode::Token => "token",
        RefusalCode::Pending => "pending",
        RefusalCode::Certificate => "certificate",
        RefusalCode::Quarantined => "quarantined",
        RefusalCode::Superseded => "superseded",
        RefusalCode::Busy => "busy",
        RefusalCode::Storage => "storage",
    }
}
