//! One group: its members, what was told of them, and the decision when it is told next and of what.

use std::collections::BTreeMap;

use muster_common::label::LabelSet;
use serde::{Deserialize, Serialize};

use super::plan::Waits;
use crate::alert::{Alert, AlertId, NoticeKind};

/// How often a group with held members looks whether they still are, where nothing says when that ends.
pub(super) const HELD_LOOK_MS: i64 = 5_000;

/// What the receiver knows of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldMark {
    /// When it was told first in this incident.
    pub at_ms: i64,
    /// The severity that was told last, by [`severity_rank`].
    pub rank: u8,
}

/// One alert as a group has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its route leads here. One that was told stays without it, so that its end is told.
    pub belongs: bool,
    pub told: Option<ToldMark>,
    /// A new result of a volatile check is to be told.
    pub again: bool,
}

/// Alerts that one route tells together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub route: String,
    pub receiver: String,
    pub labels: LabelSet,
    /// It gathers what a storm would have told in many.
    pub is_mass: bool,
    pub waits: Waits,
    pub members: BTreeMap<AlertId, Member>,
    /// Since when there is something to tell that was not told.
    pub ready_ms: Option<i64>,
    /// When the last notice was made.
    pub last_ms: Option<i64>,
    /// The incident's first notice; `None`: nothing told goes on.
    pub incident: Option<u64>,
    /// When the incident was opened.
    pub opened_ms: Option<i64>,
    /// The incident has a member that was told in another one: its end is told here, so these mails must reach whoever has the other ones.
    pub is_joined: bool,
}

/// critical, warning, unknown, everything else.
pub fn severity_rank(severity: &str) -> u8 {
    match severity {
        "critical" | "page" | "error" => 3,
        "warning" => 2,
        "unknown" => 1,
        _ => 0,
    }
}

/// A member and its alert as they stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) id: AlertId,
    pub(super) member: Member,
    /// `None`: nothing is known of it any more.
    pub(super) alert: Option<&'a Alert>,
    pub(super) is_held: bool,
}

impl Standing<'_> {
    fn is_firing(&self) -> bool {
        self.alert.is_some_and(Alert::is_firing)
    }

    fn rank(&self) -> u8 {
        self.alert.map_or(0, |alert| severity_rank(alert.severity()))
    }

    fn is_free(&self) -> bool {
        self.member.belongs && self.is_firing() && !self.is_held
    }

    fn is_new(&self) -> bool {
        self.is_free() && self.member.told.is_none()
    }

    fn is_worse(&self) -> bool {
        self.is_free() && self.member.told.is_some_and(|told| self.rank() > told.rank || self.member.again)
    }

    fn is_better(&self) -> bool {
        self.is_free() && self.member.told.is_some_and(|told| self.rank() < told.rank)
    }

    /// Told, and over. What ends without a word is not among them.
    fn is_ended(&self) -> bool {
        self.member.told.is_some() && !self.is_firing() && !self.is_quiet_end()
    }

    pub(super) fn is_quiet_end(&self) -> bool {
        self.alert.is_none_or(|alert| !alert.is_firing() && alert.is_quiet_end)
    }

    /// Whether nothing can follow of it any more.
    pub(super) fn is_done(&self) -> bool {
        match self.member.told {
            Some(_) => self.is_quiet_end(),
            None => !self.member.belongs || !self.is_firing(),
        }
    }
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is due before this; `None`: before something happens.
    Wait {
        next_ms: Option<i64>,
        ready_ms: Option<i64>,
    },
    Tell {
        kind: NoticeKind,
        firing: Vec<AlertId>,
        ended: Vec<AlertId>,
    },
}

impl Group {
    pub(super) fn new(route: &str, receiver: &str, labels: LabelSet, waits: Waits) -> Self {
        Self {
            route: route.to_owned(),
            receiver: receiver.to_owned(),
            labels,
            is_mass: false,
            waits,
            members: BTreeMap::new(),
            ready_ms: None,
            last_ms: None,
            incident: None,
            opened_ms: None,
            is_joined: false,
        }
    }

    /// Its name over restarts. With its receiver, which a reload may give to a route that is else as it was.
    pub fn key(&self) -> String {
        format!("{}>{}:{}", self.route, self.receiver, self.labels)
    }

    /// Whether it is to be told now, and of what.
    pub(super) fn decide(&self, standings: &[Standing<'_>], now_ms: i64) -> Verdict {
        let has_new = standings.iter().any(Standing::is_new);
        let has_worse = standings.iter().any(Standing::is_worse);
        let has_end = standings.iter().any(Standing::is_ended);
        let has_better = standings.iter().any(Standing::is_better);
        let ready_ms = (has_new || has_worse).then(|| self.ready_ms.unwrap_or(now_ms));
        let mut due: Option<i64> = None;
        let mut at = |when_ms: i64| due = Some(due.map_or(when_ms, |due| due.min(when_ms)));
        let next_of_group = self.last_ms.map_or(now_ms, |last_ms| last_ms.saturating_add(self.waits.group_interval_ms));
        if let Some(ready_ms) = ready_ms {
            let waited_ms = ready_ms.saturating_add(self.waits.group_wait_ms);
            // What has become worse does not wait for the group's next turn.
            at(if self.incident.is_none() || has_worse { waited_ms } else { waited_ms.max(next_of_group) });
        }
        if has_end || has_better {
            at(next_of_group);
        }
        let goes_on = |one: &Standing<'_>| one.is_free() && one.member.told.is_some();
        if let Some(last_ms) = self.last_ms
            && standings.iter().any(goes_on)
        {
            at(last_ms.saturating_add(self.waits.repeat_interval_ms));
        }
        match due {
            Some(due_ms) if due_ms <= now_ms => self.verdict(standings, has_new || has_worse, has_end || has_better),
            _ => {
                let held = |one: &Standing<'_>| one.is_held && one.is_firing();
                // On a grid of its own, so that a restart looks at the same times.
                let look_ms = standings.iter().any(held).then(|| (now_ms.div_euclid(HELD_LOOK_MS) + 1) * HELD_LOOK_MS);
                let next_ms = [due, look_ms].into_iter().flatten().min();
                Verdict::Wait { next_ms, ready_ms }
            }
        }
    }

    fn verdict(&self, standings: &[Standing<'_>], is_worse: bool, is_better: bool) -> Verdict {
        let firing: Vec<AlertId> = standings.iter().filter(|one| one.is_free()).map(|one| one.id).collect();
        let ended: Vec<AlertId> = standings.iter().filter(|one| one.is_ended()).map(|one| one.id).collect();
        let told_goes_on = standings.iter().any(|one| one.member.told.is_some() && one.is_firing());
        let kind = match (self.incident, firing.is_empty(), told_goes_on) {
            (None, ..) => NoticeKind::Opened,
            (Some(_), true, false) => NoticeKind::Resolved,
            _ if is_worse => NoticeKind::Worse,
            _ if is_better => NoticeKind::Better,
            _ => NoticeKind::Repeat,
        };
        Verdict::Tell { kind, firing, ended }
    }
}
