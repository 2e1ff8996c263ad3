//! Hosts that are away: what they said of it.

use muster_common::host::HostId;

use super::{HostBook, Resumed, StatusBook};
use crate::status::expected::Expected;

impl StatusBook {
    /// A host said that it will be away for a moment; nothing arrives of it until [`Self::expect_no_absence`].
    pub(crate) fn expect_absence(&mut self, host: HostId, expected: Expected) {
        self.host_or_gone(host).own.expected = Some(expected);
        self.expectation_changed(host);
    }

    /// It is heard again.
    pub(crate) fn expect_no_absence(&mut self, host: HostId) {
        let Some(entry) = self.hosts.get_mut(&host) else { return };
        if entry.own.expected.take().is_some() {
            entry.resumed = Resumed::Now;
            self.expectation_changed(host);
        }
    }

    /// What its agent's goodbye said, while nothing has arrived since; it may be over.
    pub(crate) fn expected(&self, host: HostId) -> Option<Expected> {
        self.hosts.get(&host)?.own.expected
    }

    fn expectation_changed(&mut self, host: HostId) {
        self.touch_host(host);
        self.changed.insert((host, String::new()));
    }

    /// The host and its checks are to be compared.
    fn touch_host(&mut self, host: HostId) {
        let Some(entry) = self.hosts.get(&host) else { return };
        self.touched.insert((host, String::new()));
        self.touched.extend(entry.checks.keys().map(|check| (host, check.clone())));
    }

    /// What hosts said since the last commit is newer than the rows.
    pub(super) fn go_on_expecting(&mut self, before: &Self) {
        for (id, entry) in &before.hosts {
            let Some(own) = self.hosts.get_mut(id) else { continue };
            own.resumed = entry.resumed;
            if own.own.expected != entry.own.expected {
                own.own.expected = entry.own.expected;
                self.expectation_changed(*id);
            }
        }
    }

    /// Those that are back since the last tick are back now.
    pub(super) fn note_resumed(&mut self, now_ms: i64) {
        for host in self.hosts.values_mut().filter(|host| host.resumed == Resumed::Now) {
            host.resumed = Resumed::At(now_ms);
        }
    }
}

impl HostBook {
    /// When it was heard again last or is expected to be, however it was away; 0: it never was.
    pub(super) fn heard_again_ms(&self) -> i64 {
        let resumed_ms = if let Resumed::At(at_ms) = self.resumed { at_ms } else { 0 };
        let expected_ms = self.own.expected.map_or(0, |expected| expected.until_ms);
        self.own.returned_ms.max(resumed_ms).max(expected_ms)
    }
}
