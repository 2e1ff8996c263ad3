//! Hosts that are away: what they said of it, and whether a host through which they are reached is away too.

use muster_common::host::HostId;

use super::problem::leads_to;
use super::{Away, HostBook, HostNow, Resumed, StatusBook};
use crate::names::folded;
use crate::status::condition::{Hold, HoldReason, Severity};
use crate::status::expected::Expected;
use crate::status::freshness::GRACE_MS;

/// The label that names the hosts through which a host is reached, separated by commas.
const PARENT_LABEL: &str = "parent";
/// How long the children of a host that is back may take: their agents try again after a minute at the latest, and are back once they were
/// heard for half a minute.
const PARENT_BACK_MS: i64 = 120_000;
/// How much later than its child a host may go silent and be the reason for it: one look of ingest and what both sent last lie between.
const PARENT_LATER_MS: i64 = 60_000;
/// How long a silent child waits whether its parent turns out to be silent too: two looks of ingest may lie between them, and one is spare.
const PARENT_UNSURE_MS: i64 = 45_000;

/// How a host that is away is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Stopped,
    Rebooting,
    Silent,
    /// Silent, and so is a host through which it is reached.
    Unreachable,
}

impl Stand {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "HostStopped",
            Self::Rebooting => "HostRebooting",
            Self::Silent => "HostSilent",
            Self::Unreachable => "HostUnreachable",
        }
    }

    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::Stopped | Self::Rebooting => Severity::Warning,
            Self::Silent | Self::Unreachable => Severity::Critical,
        }
    }

    pub(super) fn words(self, name: &str) -> String {
        match self {
            Self::Stopped => format!("the agent of host `{name}` has stopped"),
            Self::Rebooting => format!("host `{name}` boots, as its agent said"),
            Self::Silent => format!("nothing arrives of host `{name}`"),
            Self::Unreachable => format!("nothing arrives of host `{name}`, nor of a host through which it is reached"),
        }
    }
}

/// The hosts that its label names as parents.
pub(super) fn host_parents(host: &HostNow) -> Vec<String> {
    let names = host.labels.get(PARENT_LABEL).into_iter().flat_map(|names| names.split(','));
    names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

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

    /// How a host that is away stands, and what of that is no reason to tell it.
    pub(super) fn stand(&self, host: &HostBook, now_ms: i64) -> Option<(Stand, Option<Hold>)> {
        let absent = host.now.absent?;
        if self.is_booting(host, now_ms) {
            let until_ms = self.late_ms(host);
            let by = host.now.name.clone();
            return Some((Stand::Rebooting, Some(Hold { why: HoldReason::ExpectedAbsence, by, until_ms })));
        }
        if absent.why == Away::Stopped {
            return Some((Stand::Stopped, None));
        }
        Some(self.cut_off(host, absent.since_ms, now_ms).map_or((Stand::Silent, None), |(s, hold)| (s, Some(hold))))
    }

    pub(crate) fn unreachable_hosts(&self, now_ms: i64) -> Vec<HostId> {
        let is_unreachable =
            |host: &&HostBook| self.stand(host, now_ms).is_some_and(|(stand, _)| stand == Stand::Unreachable);
        self.hosts.values().filter(is_unreachable).map(|host| host.now.id).collect()
    }

    /// Whether it boots, as its agent said, and is not late yet. One that is heard again boots until that has lasted.
    pub(super) fn is_booting(&self, host: &HostBook, now_ms: i64) -> bool {
        let is_late = self.late_ms(host).is_some_and(|late_ms| now_ms >= late_ms);
        host.now.absent.is_some_and(|absent| absent.why == Away::Rebooting) && !is_late
    }

    /// From when on a host that said goodbye is late: a collector that has just begun to listen gives it time.
    fn late_ms(&self, host: &HostBook) -> Option<i64> {
        let (expected, ready_ms) = (host.own.expected?, self.ready_ms?);
        Some(expected.until_ms.max(ready_ms.saturating_add(GRACE_MS)))
    }

    /// Whether a silent host is so for a parent's sake: one that is away too, is just back, or may yet turn out to be away.
    fn cut_off(&self, host: &HostBook, since_ms: i64, now_ms: i64) -> Option<(Stand, Hold)> {
        let (mut back, mut unsure) = (None, None);
        for name in host_parents(&host.now) {
            let Some(parent) = self.names.get(&folded(&name)).and_then(|id| self.hosts.get(id)) else { continue };
            // Hosts that are reached through each other say nothing of each other.
            let parents = |id: &HostId| self.host_parents_of(*id);
            if leads_to(&parent.now.id, &host.now.id, parents) {
                continue;
            }
            let by = |until_ms| Hold { why: HoldReason::ParentDown, by: name.clone(), until_ms };
            let can_be_why = |from_ms: i64| from_ms <= since_ms.saturating_add(PARENT_LATER_MS);
            match (parent.now.absent, parent.own.down) {
                (Some(absent), _) if absent.why != Away::Stopped && can_be_why(absent.since_ms) => {
                    return Some((Stand::Unreachable, by(None)));
                }
                (None, Some(down))
                    if can_be_why(down.from_ms) && now_ms < down.to_ms.saturating_add(PARENT_BACK_MS) =>
                {
                    back = Some((Stand::Unreachable, by(Some(down.to_ms.saturating_add(PARENT_BACK_MS)))));
                }
                (None, _) if now_ms < since_ms.saturating_add(PARENT_UNSURE_MS) => {
                    unsure = Some((Stand::Silent, by(Some(since_ms.saturating_add(PARENT_UNSURE_MS)))));
                }
                _ => {}
            }
        }
        back.or(unsure)
    }

    fn host_parents_of(&self, id: HostId) -> Vec<HostId> {
        let names = self.hosts.get(&id).map(|host| host_parents(&host.now)).unwrap_or_default();
        names.iter().filter_map(|name| self.names.get(&folded(name)).copied()).collect()
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
