//! Deliberate bugs that the queue's worlds must catch. Without the cargo feature `planted` nothing can switch one on.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// What was under way when the process ended is taken for accepted.
    LeaseIsAccepted,
    /// Every attempt has a Message-ID of its own.
    FreshMessageId,
    /// The end of an incident is sent while its beginning waits.
    EndOvertakes,
    /// Beginning and end become one mail although the beginning may have arrived.
    MergesTheUnknown,
    /// The hourly cap counts from the start of the process.
    CapForgets,
    /// A digest leaves out its last entry.
    DigestDropsLast,
    /// A refusal for good is tried again.
    RetriesRefused,
    /// That a mail was accepted is not written.
    AcceptedNotWritten,
}

impl Planted {
    /// Whether this is the planted one. In a product build it never is, and what asks is left out of it.
    pub(super) fn is(self, planted: Option<Self>) -> bool {
        cfg!(any(test, feature = "planted")) && planted == Some(self)
    }
}
