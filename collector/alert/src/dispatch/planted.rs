//! Deliberate bugs, to show that the worlds of the tests find them.

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Holds are looked at when an alert comes and not when it is told.
    HoldsAtArrival,
    /// An alert that ends while it is held is forgotten, although it was told.
    EndSwallowedByHold,
    /// A member that was told is forgotten when its route moves.
    MovedForgotten,
    /// A told member is told again after a restart.
    RestartForgetsTold,
    /// Everybody of the group is told the end, also of what was never told.
    EndOfTheUntold,
    /// An alert that fires again before its end was told begins a second incident.
    RefiresAnew,
    /// The number of a notice is taken again after a restart.
    NumberTwice,
    /// A worse alert waits for the repeat.
    WorseIsLate,
}

impl Planted {
    pub const ALL: [Self; 8] = [
        Self::HoldsAtArrival,
        Self::EndSwallowedByHold,
        Self::MovedForgotten,
        Self::RestartForgetsTold,
        Self::EndOfTheUntold,
        Self::RefiresAnew,
        Self::NumberTwice,
        Self::WorseIsLate,
    ];

    /// Whether this is the planted one. In a product build it never is, and what asks is left out of it.
    pub(super) fn is(self, planted: Option<Self>) -> bool {
        cfg!(any(test, feature = "planted")) && planted == Some(self)
    }
}
