//! Deliberate bugs that the simulator must catch. Without the cargo feature `planted` no
//! configuration can name one and every branch on them is a constant `false`.

use crate::config::Config;

/// One deliberate bug.
#[cfg_attr(not(feature = "planted"), expect(unreachable_pub, reason = "the module is public only with the feature"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Every second commit is answered before it is durable.
    AckBeforeCommit,
    /// Marks are moved in a transaction of their own, after that of the data.
    MarkOutsideTransaction,
    /// A flushed inbox file is unlinked before the catalog names its segments.
    InboxUnlinkedBeforeManifest,
    /// The inbox folder is not synced after a new file was renamed into it.
    NoSyncDir,
    /// The flush's catalog commit leaves `flushed_through` as it was.
    FlushedThroughNotWritten,
    /// A new inbox file starts without the live repeat rows.
    RepeatRowsNotCarried,
    /// At open, flushed files too are replayed into the head.
    FlushedReplayedIntoHead,
    /// A merge takes segments that others lie between.
    MergeAcrossGap,
    /// Positions of log sources are moved in a transaction of their own, after that of the lines.
    PositionApartFromData,
    /// A tombstone covers generations that come after it too.
    TombstoneHidesLater,
}

/// Whether this bug is switched on.
#[cfg(feature = "planted")]
pub(crate) fn is_planted(config: &Config, bug: Planted) -> bool {
    config.planted == Some(bug)
}

/// Whether this bug is switched on: never, in a product build.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is_planted(_config: &Config, _bug: Planted) -> bool {
    false
}
