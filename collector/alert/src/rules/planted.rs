//! Deliberate bugs that worlds of rules must catch. Without the cargo feature `planted` nothing can switch one on.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// What is pending at a restart fires with the next round.
    RestartForgetsFor,
    /// Alerts of a rule that is taken away are forgotten and not ended.
    RemovedRuleGoesOn,
    /// Data that are missing end what they are to hold.
    HeldEnds,
    /// `keep_firing_for` is passed over.
    NothingIsKept,
}

impl Planted {
    /// Whether this is the planted one. In a product build it never is, and what asks is left out of it.
    pub(super) fn is(self, planted: Option<Self>) -> bool {
        cfg!(any(test, feature = "planted")) && planted == Some(self)
    }
}
