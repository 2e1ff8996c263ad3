//! What is true in a world, and what each receiver was told: written from the promises, not from the dispatcher.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::{AlertId, Notice, NoticeKind};
use crate::dispatch::severity_rank;

/// What is true of an alert now.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    pub(super) is_firing: bool,
    pub(super) is_held: bool,
    /// It ended without a word since it was told last.
    pub(super) is_quiet: bool,
    pub(super) rank: u8,
    pub(super) receivers: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) truth: BTreeMap<AlertId, Truth>,
    /// What each receiver believes to go on: the severity told.
    believes: BTreeMap<(String, AlertId), u8>,
    last_id: u64,
    /// When each group was told last in its incident, and which that is.
    groups: BTreeMap<String, (u64, i64)>,
}

impl Ledger {
    /// Whether a notice may be what it is; why not, else.
    pub(super) fn hear(&mut self, notice: &Notice) -> Result<(), String> {
        let to = &notice.receiver;
        if notice.id <= self.last_id {
            return Err(format!("notice {} after {}", notice.id, self.last_id));
        }
        self.last_id = notice.id;
        if (notice.kind == NoticeKind::Opened) != (notice.incident == notice.id) {
            return Err(format!("notice {} of incident {} is {:?}", notice.id, notice.incident, notice.kind));
        }
        if notice.firing.is_empty() && notice.resolved.is_empty() {
            return Err(format!("notice {} tells nothing", notice.id));
        }
        let mut is_news = false;
        for alert in &notice.firing {
            let truth = self.truth.get(&alert.id).cloned().unwrap_or_default();
            if !truth.is_firing || truth.is_held {
                return Err(format!("{to} is told of {} while {truth:?}", alert.labels));
            }
            if !truth.receivers.contains(to) {
                return Err(format!("{to} is told of {}, which is for {:?}", alert.labels, truth.receivers));
            }
            let rank = severity_rank(alert.severity());
            let before = self.believes.insert((to.clone(), alert.id), rank);
            is_news |= before.is_none_or(|before| rank > before);
        }
        for alert in &notice.resolved {
            if self.truth.get(&alert.id).is_some_and(|truth| truth.is_firing) {
                return Err(format!("{to} is told the end of {}, which fires", alert.labels));
            }
            if self.believes.remove(&(to.clone(), alert.id)).is_none() {
                return Err(format!("{to} is told the end of {} and was not told of it", alert.labels));
            }
        }
        if let Some((incident, last_ms)) = self.groups.get(&notice.group_key)
            && *incident == notice.incident
            && notice.at_ms - last_ms < 60_000
            && !(notice.kind == NoticeKind::Worse && is_news)
        {
            return Err(format!(
                "notice {} comes {} ms after the last of its group",
                notice.id,
                notice.at_ms - last_ms
            ));
        }
        self.groups.insert(notice.group_key.clone(), (notice.incident, notice.at_ms));
        Ok(())
    }

    /// What a receiver believed of alerts that ended without a word.
    pub(super) fn forget_quiet(&mut self) {
        let truth = &self.truth;
        self.believes.retain(|(_, id), _| truth.get(id).is_none_or(|truth| truth.is_firing || !truth.is_quiet));
    }

    /// After a calm: whoever is to know of a problem knows it in its severity, and nobody believes what is over.
    pub(super) fn settled(&self) -> Result<(), String> {
        for (id, truth) in &self.truth {
            for to in &truth.receivers {
                let believed = self.believes.get(&(to.clone(), *id));
                if truth.is_firing && !truth.is_held && believed.is_none_or(|rank| *rank != truth.rank) {
                    return Err(format!("{to} believes {believed:?} of {id}, which is {truth:?}"));
                }
            }
        }
        for (to, id) in self.believes.keys() {
            if !self.truth.get(id).is_some_and(|truth| truth.is_firing) {
                return Err(format!("{to} still believes in {id}, which is over"));
            }
        }
        Ok(())
    }
}
