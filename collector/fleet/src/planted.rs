//! Deliberate bugs that the simulator must catch. Without the cargo feature `planted` nothing can switch one on.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The position reached is committed in a transaction of its own, before that of the rows.
    PositionApart,
}
