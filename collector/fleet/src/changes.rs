//! What has changed in the registry, for those who must act on it: ingest closes sessions, writes stale markers and resolves
//! label sets anew.
//!
//! A version counter to wait on and a bounded list of the last changes. A reader who comes too late is told so and reads the whole
//! registry instead, so a slow reader never holds anything up.

use std::collections::{BTreeMap, VecDeque};

use muster_common::host::HostId;
use tokio::sync::watch;

/// Changes kept for readers: what a large fleet changes in one stroke of an operator's script, and little memory.
pub const CHANGES_MAX: usize = 16_384;

/// One change, made durable before it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryChange {
    /// A host is active from now on: it belongs to the expected set. Also told when a machine is approved.
    Activated { host: HostId },
    /// Series under the old name end; the host's open session gets the new name.
    Renamed { host: HostId, from: String, to: String },
    /// Series with the old labels end.
    Relabelled { host: HostId, from: BTreeMap<String, String>, to: BTreeMap<String, String> },
    /// Another machine bears this identity now: the session of the old one is closed.
    Replaced { host: HostId },
    /// The host's series end and its session is closed.
    Retired { host: HostId, name: String, labels: BTreeMap<String, String> },
    /// The second machine of this identity was set aside: its hello is refused, or its session fenced by the first one's. For people.
    Quarantined { host: HostId },
    /// A certificate is denied: a session that uses it is closed.
    Denied { host: Option<HostId>, serial: String },
    /// Another CA signs, or one more is trusted: the roots are read anew ([`crate::Fleet::ca_der`]).
    Authorities,
}

/// An answer of [`crate::Fleet::changes_after`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// To be asked after next time.
    pub version: u64,
    /// In order.
    pub changes: Vec<RegistryChange>,
    /// Some changes are no longer kept: read the whole registry and check every session.
    pub missed: bool,
}

/// The counter and the last changes. Versions start at 1 with every process.
pub(crate) struct Feed {
    version: watch::Sender<u64>,
    /// The changes up to the version, newest last.
    kept: VecDeque<RegistryChange>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { version: watch::Sender::new(0), kept: VecDeque::new() }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Tells these, after they were committed.
    pub(crate) fn tell(&mut self, changes: Vec<RegistryChange>) {
        if changes.is_empty() {
            return;
        }
        let count = changes.len() as u64;
        self.kept.extend(changes);
        let over = self.kept.len().saturating_sub(CHANGES_MAX);
        self.kept.drain(..over);
        self.version.send_modify(|version| *version += count);
    }

    /// What changed is not known: every reader reads the whole registry.
    pub(crate) fn lost(&mut self) {
        self.kept.clear();
        self.version.send_modify(|version| *version += 1);
    }

    pub(crate) fn after(&self, version: u64) -> Changes {
        let newest = self.version();
        let wanted = newest.saturating_sub(version);
        let kept = self.kept.len() as u64;
        let skip = usize::try_from(kept.saturating_sub(wanted)).unwrap_or(usize::MAX);
        Changes {
            version: newest,
            changes: self.kept.iter().skip(skip).cloned().collect(),
            // A version from the future is one of another process: nothing of it is known here.
            missed: wanted > kept || version > newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: u8) -> RegistryChange {
        RegistryChange::Activated { host: HostId([number; 16]) }
    }

    #[test]
    fn readers_get_what_came_after_their_version() {
        let mut feed = Feed::new();
        let seen = feed.subscribe();
        feed.tell(vec![change(1), change(2)]);
        assert!(seen.has_changed().unwrap());
        assert_eq!(feed.after(0), Changes { version: 2, changes: vec![change(1), change(2)], missed: false });
        assert_eq!(feed.after(1), Changes { version: 2, changes: vec![change(2)], missed: false });
        assert_eq!(feed.after(2), Changes { version: 2, changes: vec![], missed: false });
        assert!(feed.after(9).missed);
    }

    #[test]
    fn readers_who_come_too_late_are_told() {
        let mut feed = Feed::new();
        for _ in 0..CHANGES_MAX / 8 + 1 {
            feed.tell((0..8).map(change).collect());
        }
        assert!(feed.after(0).missed && feed.after(7).missed);
        assert!(!feed.after(8).missed);
        assert_eq!(feed.after(0).changes.len(), CHANGES_MAX);
    }
}
