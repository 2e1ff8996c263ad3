//! An item: a thing that was found on a host, and what became of it. Table `discovery`, key (host id, item's key).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kinds::What;

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// It waits for somebody to accept or ignore it.
    Proposed,
    /// It is watched.
    Accepted,
    /// Nobody wants to hear of it.
    Ignored,
    /// It was accepted and is not there any more. Its checks stay, so that they fail.
    Gone,
    /// It was accepted once; its checks are withdrawn.
    Archived,
    /// It was proposed and went before anybody decided. Kept for a day so that what comes and goes is known by it, and never shown.
    Dropped,
}

impl ItemState {
    /// Those that are shown.
    pub const SHOWN: [Self; 5] = [Self::Proposed, Self::Accepted, Self::Ignored, Self::Gone, Self::Archived];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Gone => "gone",
            Self::Archived => "archived",
            Self::Dropped => "dropped",
        }
    }

    /// The state of this name, if it is one that is shown.
    pub fn parse(name: &str) -> Option<Self> {
        Self::SHOWN.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether what it is about is watched.
    pub(crate) const fn is_watched(self) -> bool {
        matches!(self, Self::Accepted | Self::Gone)
    }
}

/// When something went: after one look, and not after the next. Milliseconds since 1970, by the host's corrected clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Between {
    pub(crate) after_ms: i64,
    pub(crate) until_ms: i64,
}

/// One item. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Shared by the hosts that have the same.
    pub(crate) what: Arc<What>,
    pub(crate) fate: Fate,
}

/// What became of it so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fate {
    pub(crate) state: ItemState,
    /// The last look that could tell saw it.
    pub(crate) is_there: bool,
    /// When it was found first.
    pub(crate) found_ms: i64,
    /// Since when it is in this state, by the collector's clock.
    pub(crate) since_ms: i64,
    /// Who or what brought it into this state: `user:ann`, `rule:NAME`, `muster`.
    pub(crate) by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    /// When it went, while it is gone or archived for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) went: Option<Between>,
    /// When it went before, in the last day: the newest [`super::machine::WENT_KEPT`], the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) went_ms: Vec<i64>,
    /// When it was told last that it comes and goes; 0: never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) told_ms: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// An item as it is written.
#[derive(Serialize, Deserialize)]
pub(crate) struct ItemRow {
    #[serde(flatten)]
    pub(crate) what: What,
    #[serde(flatten)]
    pub(crate) fate: Fate,
}

impl Item {
    pub(crate) fn row(&self) -> ItemRow {
        ItemRow { what: What::clone(&self.what), fate: self.fate.clone() }
    }
}
