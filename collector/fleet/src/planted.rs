//! Deliberate bugs that the simulator must catch. Without the cargo feature `planted` nothing can switch one on.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The position reached is committed in a transaction of its own, before that of the rows.
    PositionApart,
    /// A problem counts with its first bad result.
    SoftIsHard,
    /// What depends on a parent is free as soon as the parent is well, before it has a result of its own.
    ParentRecoveryFrees,
    /// What comes out of a spool counts as made now.
    BacklogIsLive,
    /// Checks of a host that is away become stale.
    StaleWhileAbsent,
}
