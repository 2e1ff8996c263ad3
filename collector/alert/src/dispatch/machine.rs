//! The machine: alerts come, change and end; each stands in the groups of its routes; groups are looked at when they are due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use muster_common::label::LabelSet;
use muster_fleet::{SmallRow, SmallTable};

use super::group::{Group, Member, Standing, ToldMark, Verdict, severity_rank};
use super::plan::{Plan, RoutePlan, Waits};
use super::planted::Planted;
use super::rows::{self, BadRow, FIRING_ROW, NOTICE_NEXT, RESTORED};
use super::step::{Counts, Effects, Event, News};
use crate::alert::{Alert, AlertChange, AlertId, Held, Notice, NoticeKind};

/// Alerts at a time: 10,000 hosts with ten each. Beyond, new ones are counted and not taken.
const ALERTS_MAX: usize = 100_000;
/// Notices kept for questions; the newest. Some 20 MB.
const NOTICES_MAX: usize = 10_000;
/// Incidents that a receiver may be told to have begun within [`STORM_MS`] in notices of their own.
const OPENED_MAX: usize = 2;
const STORM_MS: i64 = 10_000;
/// The waits of what a storm brings together: long enough for what one cause breaks to be noticed.
const MASS_WAITS: Waits =
    Waits { group_wait_ms: 30_000, group_interval_ms: 600_000, repeat_interval_ms: 4 * 3_600_000 };
/// The name of the route of such groups; no route of a file has it.
const MASS_ROUTE: &str = "storm";

/// The dispatcher. Two that were loaded of the same rows do the same from then on.
#[derive(Debug, Default)]
pub struct Dispatch {
    alerts: BTreeMap<AlertId, Alert>,
    groups: BTreeMap<String, Group>,
    /// Groups by the time of their next look.
    due: BTreeSet<(i64, String)>,
    next_look: BTreeMap<String, i64>,
    places: BTreeMap<AlertId, BTreeSet<String>>,
    /// When incidents were opened lately, by receiver.
    opened: BTreeMap<String, VecDeque<i64>>,
    notices: VecDeque<Notice>,
    notice_next: u64,
    restored_ms: Option<i64>,
    counts: Counts,
    touched_alerts: BTreeSet<AlertId>,
    touched_groups: BTreeSet<String>,
    pub(super) planted: Option<Planted>,
}

impl Dispatch {
    /// The machine of the rows of tables `Alerts`, `Groups`, `Notices` and `AlertMeta`; rows of others are passed over.
    ///
    /// # Errors
    /// [`BadRow`] on a row that this version cannot read.
    pub fn load<'r>(rows: impl IntoIterator<Item = (SmallTable, &'r [u8], &'r [u8])>) -> Result<Self, BadRow> {
        let mut made = Self { notice_next: 1, ..Self::default() };
        let mut notices = BTreeMap::new();
        for (table, key, value) in rows {
            match table {
                SmallTable::Alerts if key.first() == Some(&FIRING_ROW) => {
                    let alert = rows::read_alert(value)?;
                    made.alerts.insert(alert.id, alert);
                }
                SmallTable::Groups => {
                    let group = rows::read_group(value)?;
                    made.take_group(group);
                }
                SmallTable::Notices => {
                    let notice = rows::read_notice(key, value)?;
                    notices.insert(notice.id, notice);
                }
                SmallTable::AlertMeta if key == NOTICE_NEXT => {
                    made.notice_next = value.try_into().map_or(1, u64::from_le_bytes);
                }
                SmallTable::AlertMeta if key == RESTORED => {
                    made.restored_ms = value.try_into().ok().map(i64::from_le_bytes);
                }
                _ => {}
            }
        }
        made.notices = notices.into_values().collect();
        for opened in made.opened.values_mut() {
            opened.make_contiguous().sort_unstable();
        }
        Ok(made)
    }

    fn take_group(&mut self, group: Group) {
        let key = group.key();
        for id in group.members.keys() {
            self.places.entry(*id).or_default().insert(key.clone());
        }
        if let Some(opened_ms) = group.opened_ms {
            self.opened.entry(group.receiver.clone()).or_default().push_back(opened_ms);
        }
        // Looked at with the first step.
        self.schedule(&key, Some(i64::MIN));
        self.groups.insert(key, group);
    }

    #[cfg(any(test, feature = "planted"))]
    pub fn plant(&mut self, bug: Planted) {
        self.planted = Some(bug);
    }

    fn is_planted(&self, bug: Planted) -> bool {
        bug.is(self.planted)
    }

    /// When [`Event::Tick`] is next to be told; `None`: after the next other event.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.due.first().map(|(at_ms, _)| *at_ms)
    }

    /// All alerts that fire, and those whose end is still to be told.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    pub fn alert(&self, id: AlertId) -> Option<&Alert> {
        self.alerts.get(&id)
    }

    pub fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(key, group)| (key.as_str(), group))
    }

    /// The groups that an alert stands in.
    pub fn groups_of(&self, id: AlertId) -> impl Iterator<Item = (&str, &Group)> {
        let keys = self.places.get(&id).into_iter().flatten();
        keys.filter_map(|key| Some((key.as_str(), self.groups.get(key)?)))
    }

    /// When a group is looked at next.
    pub fn next_look_ms(&self, group: &str) -> Option<i64> {
        self.next_look.get(group).copied()
    }

    /// The newest notices, oldest first.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = &Notice> {
        self.notices.iter()
    }

    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Every reason for which an alert is not told on a route now.
    pub fn holds(&self, alert: &Alert, route: &str, plan: &dyn Plan, now_ms: i64) -> Vec<Held> {
        let mut holds = alert.holds.clone();
        holds.extend(plan.holds(alert, route, now_ms));
        holds
    }

    /// One step. The caller writes `rows` with what caused it, and then hands the notices on.
    pub fn step(&mut self, now_ms: i64, event: Event, plan: &dyn Plan) -> Effects {
        let mut effects = Effects::default();
        match event {
            Event::Alerts(changes) => self.take_all(changes, plan, now_ms, &mut effects),
            Event::Replanned(changes) => {
                self.take_all(changes, plan, now_ms, &mut effects);
                for id in self.alerts.keys().copied().collect::<Vec<_>>() {
                    self.place(id, plan, now_ms);
                }
                for key in self.groups.keys().cloned().collect::<Vec<_>>() {
                    self.schedule(&key, Some(now_ms));
                }
            }
            Event::Restored { at_ms, changes } => {
                self.note_restored(at_ms, &mut effects);
                self.take_all(changes, plan, now_ms, &mut effects);
            }
            Event::Tick => {}
        }
        while let Some((_, key)) = self.due.first().filter(|(at_ms, _)| *at_ms <= now_ms).cloned() {
            self.look(&key, plan, now_ms, &mut effects);
        }
        self.write(&mut effects);
        effects
    }

    fn take_all(&mut self, changes: Vec<AlertChange>, plan: &dyn Plan, now_ms: i64, effects: &mut Effects) {
        let mut ids = Vec::with_capacity(changes.len());
        for change in changes {
            ids.extend(self.take(change, now_ms, effects));
        }
        // After all have come, so that one inhibits another of the same step.
        for id in ids {
            self.place(id, plan, now_ms);
        }
        // A source that ends may free what it inhibited, and one that begins may hold it: held groups look on their grid.
    }

    /// The numbers of notices that were made after the copy are used up, nobody knows which: the next one is that of the second, which is
    /// beyond them as long as less than one a second was made. So no Message-ID is given to another mail.
    fn note_restored(&mut self, at_ms: i64, effects: &mut Effects) {
        self.restored_ms = Some(at_ms);
        self.notice_next = self.notice_next.max(u64::try_from(at_ms / 1_000).unwrap_or(0));
        let mut put = |key: &[u8], value: Vec<u8>| {
            effects.rows.push(SmallRow { table: SmallTable::AlertMeta, key: key.to_vec(), value: Some(value) });
        };
        put(RESTORED, at_ms.to_le_bytes().to_vec());
        put(NOTICE_NEXT, self.notice_next.to_le_bytes().to_vec());
    }

    /// Takes one change in. Gives the alert whose places may be others.
    fn take(&mut self, change: AlertChange, now_ms: i64, effects: &mut Effects) -> Option<AlertId> {
        match change {
            AlertChange::Firing(alert) => {
                let mut alert = *alert;
                alert.ends_ms = None;
                alert.is_quiet_end = false;
                let id = alert.id;
                let before = self.alerts.get(&id);
                if before.is_none() && self.alerts.len() >= ALERTS_MAX {
                    self.counts.alerts_refused += 1;
                    effects.news.push(News::Overflow { name: alert.name().to_owned() });
                    return None;
                }
                if !before.is_some_and(Alert::is_firing) {
                    effects.news.push(News::Firing(Box::new(alert.clone())));
                    if self.is_planted(Planted::RefiresAnew) {
                        self.forget_told(id);
                    }
                }
                if alert.again {
                    self.mark_again(id);
                }
                self.alerts.insert(id, alert);
                self.touched_alerts.insert(id);
                Some(id)
            }
            AlertChange::Ended { id, at_ms, why, is_quiet } => {
                let alert = self.alerts.get_mut(&id).filter(|alert| alert.is_firing())?;
                if Planted::EndSwallowedByHold.is(self.planted) && !alert.holds.is_empty() {
                    alert.is_quiet_end = true;
                } else {
                    alert.is_quiet_end = is_quiet;
                }
                alert.ends_ms = Some(at_ms.min(now_ms));
                alert.updated_ms = now_ms;
                effects.news.push(News::Ended { alert: Box::new(alert.clone()), why });
                self.touched_alerts.insert(id);
                Some(id)
            }
        }
    }

    fn forget_told(&mut self, id: AlertId) {
        for key in self.places.get(&id).cloned().unwrap_or_default() {
            if let Some(member) = self.groups.get_mut(&key).and_then(|group| group.members.get_mut(&id)) {
                member.told = None;
            }
        }
    }

    fn mark_again(&mut self, id: AlertId) {
        for key in self.places.get(&id).cloned().unwrap_or_default() {
            if let Some(member) = self.groups.get_mut(&key).and_then(|group| group.members.get_mut(&id)) {
                member.again = true;
                self.touched_groups.insert(key);
            }
        }
    }

    /// Puts an alert into the groups of its routes, out of those of others, and has them looked at.
    fn place(&mut self, id: AlertId, plan: &dyn Plan, now_ms: i64) {
        let Some(alert) = self.alerts.get(&id) else { return };
        let ways = if alert.is_firing() { plan.routes(&alert.labels) } else { Vec::new() };
        let is_firing = alert.is_firing();
        let mut wanted = BTreeSet::new();
        for way in ways {
            wanted.insert(self.enter(id, way));
        }
        for key in self.places.get(&id).cloned().unwrap_or_default() {
            let Some(group) = self.groups.get_mut(&key) else { continue };
            let Some(member) = group.members.get_mut(&id) else { continue };
            let belongs = wanted.contains(&key);
            if member.belongs != belongs {
                self.touched_groups.insert(key.clone());
            }
            // An ended member keeps its place: it may fire again before its end is told.
            member.belongs = belongs || (!is_firing && member.belongs);
            if is_firing && !belongs && Planted::MovedForgotten.is(self.planted) {
                member.told = None;
            }
            self.schedule(&key, Some(now_ms));
        }
    }

    /// The key of the group that this way leads to, with the alert in it.
    fn enter(&mut self, id: AlertId, way: RoutePlan) -> String {
        let mass = mass_key(&way.receiver);
        if self.groups.get(&mass).is_some_and(|group| group.members.contains_key(&id)) {
            return mass;
        }
        let fresh = Group::new(&way.route, &way.receiver, way.group_labels, way.waits);
        let key = fresh.key();
        let carried = self.carried(id, &way.receiver, &key);
        let group = self.groups.entry(key.clone()).or_insert(fresh);
        if group.waits != way.waits {
            group.waits = way.waits;
            self.touched_groups.insert(key.clone());
        }
        let is_new = !group.members.contains_key(&id);
        let member = group.members.entry(id).or_insert(Member { belongs: true, ..Member::default() });
        if is_new {
            self.touched_groups.insert(key.clone());
            self.places.entry(id).or_default().insert(key.clone());
        }
        if let Some((told, from)) = carried
            && member.told.is_none()
        {
            member.told = Some(told);
            if group.incident.is_none() {
                (group.incident, group.opened_ms) = (from.incident, from.opened_ms);
            }
            group.is_joined |= from.is_joined || group.incident != from.incident;
            group.last_ms = group.last_ms.max(from.last_ms);
        }
        key
    }

    /// What this receiver was told of the alert in a group that it no longer belongs to goes with it: other labels are no news.
    fn carried(&mut self, id: AlertId, receiver: &str, to: &str) -> Option<(ToldMark, Group)> {
        if self.groups.get(to).is_some_and(|group| group.members.get(&id).is_some_and(|one| one.told.is_some())) {
            return None;
        }
        let keys = self.places.get(&id)?.clone();
        let from = keys.into_iter().find(|key| {
            let group = self.groups.get(key);
            key != to
                && group.is_some_and(|group| {
                    group.receiver == receiver && group.members.get(&id).is_some_and(|member| member.told.is_some())
                })
        })?;
        let group = self.groups.get_mut(&from)?;
        let told = group.members.get_mut(&id)?.told.take()?;
        let left = group.clone();
        self.touched_groups.insert(from.clone());
        self.schedule(&from, Some(i64::MIN));
        Some((told, left))
    }

    fn schedule(&mut self, key: &str, at_ms: Option<i64>) {
        if let Some(before) = self.next_look.remove(key) {
            self.due.remove(&(before, key.to_owned()));
        }
        if let Some(at_ms) = at_ms {
            self.next_look.insert(key.to_owned(), at_ms);
            self.due.insert((at_ms, key.to_owned()));
        }
    }

    /// Looks at one group: tells what is due, drops what is over, and says when to look again.
    fn look(&mut self, key: &str, plan: &dyn Plan, now_ms: i64, effects: &mut Effects) {
        let Some(group) = self.groups.get(key) else { return self.schedule(key, None) };
        let standings: Vec<Standing<'_>> = group
            .members
            .iter()
            .map(|(id, member)| {
                let alert = self.alerts.get(id);
                let is_held = alert.is_some_and(|alert| {
                    if self.is_planted(Planted::HoldsAtArrival) && member.told.is_none() {
                        return !alert.holds.is_empty();
                    }
                    alert.is_firing() && !self.holds(alert, &group.route, plan, now_ms).is_empty()
                });
                Standing { id: *id, member: *member, alert, is_held }
            })
            .collect();
        let mut verdict = group.decide(&standings, now_ms);
        if self.is_planted(Planted::WorseIsLate) {
            verdict = late(verdict, now_ms);
        }
        let done: Vec<AlertId> = standings.iter().filter(|one| one.is_done()).map(|one| one.id).collect();
        match verdict {
            Verdict::Wait { next_ms, ready_ms } => {
                if let Some(group) = self.groups.get_mut(key)
                    && group.ready_ms != ready_ms
                {
                    group.ready_ms = ready_ms;
                    self.touched_groups.insert(key.to_owned());
                }
                self.schedule(key, next_ms);
            }
            Verdict::Tell { kind: NoticeKind::Opened, firing, .. } if self.is_storm(key, &firing, now_ms) => {
                self.gather(key, &firing, now_ms);
            }
            Verdict::Tell { kind, firing, ended } => self.tell(key, kind, &firing, &ended, now_ms, effects),
        }
        self.drop_done(key, &done);
    }

    /// Whether these are to be told with others rather than in a notice of their own.
    fn is_storm(&mut self, key: &str, firing: &[AlertId], now_ms: i64) -> bool {
        let Some(group) = self.groups.get(key).filter(|group| !group.is_mass) else { return false };
        let is_for_all = |id: &AlertId| {
            let is_old = |alert: &Alert| self.restored_ms.is_some_and(|at_ms| alert.starts_ms < at_ms);
            self.alerts.get(id).is_some_and(|alert| is_old(alert) || alert.is_one_of_many)
        };
        if !firing.is_empty() && firing.iter().all(is_for_all) {
            return true;
        }
        let Some(opened) = self.opened.get_mut(&group.receiver) else { return false };
        while opened.front().is_some_and(|at_ms| now_ms.saturating_sub(*at_ms) >= STORM_MS) {
            opened.pop_front();
        }
        opened.len() >= OPENED_MAX
    }

    /// Moves what would open an incident of its own to the receiver's common one.
    fn gather(&mut self, key: &str, firing: &[AlertId], now_ms: i64) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let receiver = group.receiver.clone();
        group.ready_ms = None;
        for id in firing {
            group.members.remove(id);
            if let Some(places) = self.places.get_mut(id) {
                places.remove(key);
            }
        }
        self.touched_groups.insert(key.to_owned());
        self.schedule(key, Some(now_ms));
        let mass = mass_key(&receiver);
        let gathering = self.groups.entry(mass.clone()).or_insert_with(|| {
            let mut group = Group::new(MASS_ROUTE, &receiver, mass_labels(&receiver), MASS_WAITS);
            group.is_mass = true;
            group
        });
        for id in firing {
            gathering.members.entry(*id).or_insert(Member { belongs: true, ..Member::default() }).belongs = true;
            self.places.entry(*id).or_default().insert(mass.clone());
        }
        self.touched_groups.insert(mass.clone());
        self.schedule(&mass, Some(now_ms));
    }

    /// Makes the notice and remembers whom it told of what.
    fn tell(
        &mut self,
        key: &str,
        kind: NoticeKind,
        firing: &[AlertId],
        ended: &[AlertId],
        now_ms: i64,
        effects: &mut Effects,
    ) {
        let id = self.notice_next;
        let alerts = |ids: &[AlertId]| -> Vec<Alert> {
            let mut alerts: Vec<Alert> = ids.iter().filter_map(|id| self.alerts.get(id).cloned()).collect();
            alerts.sort_by_key(|alert| (alert.starts_ms, alert.id));
            alerts
        };
        let (told, mut over) = (alerts(firing), alerts(ended));
        let ranks: Vec<u8> =
            firing.iter().map(|id| self.alerts.get(id).map_or(0, |alert| severity_rank(alert.severity()))).collect();
        let kind = if kind == NoticeKind::Resolved && self.is_shared(key) { NoticeKind::Better } else { kind };
        let Some(group) = self.groups.get_mut(key) else { return };
        if Planted::EndOfTheUntold.is(self.planted) {
            let untold = group.members.iter().filter(|(_, member)| member.told.is_none()).map(|(id, _)| id);
            over.extend(untold.filter_map(|id| self.alerts.get(id).filter(|alert| !alert.is_firing()).cloned()));
        }
        let incident = *group.incident.get_or_insert(id);
        if kind == NoticeKind::Opened {
            group.opened_ms = Some(now_ms);
            if !group.is_mass {
                self.opened.entry(group.receiver.clone()).or_default().push_back(now_ms);
            }
        }
        for (id, rank) in firing.iter().zip(ranks) {
            if let Some(member) = group.members.get_mut(id) {
                let at_ms = member.told.map_or(now_ms, |told| told.at_ms);
                (member.told, member.again) = (Some(ToldMark { at_ms, rank }), false);
            }
        }
        for id in ended {
            group.members.remove(id);
            if let Some(places) = self.places.get_mut(id) {
                places.remove(key);
            }
        }
        (group.ready_ms, group.last_ms) = (None, Some(now_ms));
        let notice = Notice {
            id,
            incident,
            kind,
            receiver: group.receiver.clone(),
            group_key: key.to_owned(),
            group_labels: group.labels.clone(),
            at_ms: now_ms,
            firing: told,
            resolved: over,
        };
        close(group);
        self.touched_groups.insert(key.to_owned());
        self.touched_alerts.extend(ended);
        self.schedule(key, Some(now_ms));
        if !self.is_planted(Planted::NumberTwice) {
            let next = (id + 1).to_le_bytes().to_vec();
            effects.rows.push(SmallRow { table: SmallTable::AlertMeta, key: NOTICE_NEXT.to_vec(), value: Some(next) });
        }
        self.notice_next = id + 1;
        self.counts.notices += 1;
        effects.rows.push(rows::put_notice(&notice));
        self.notices.push_back(notice.clone());
        while self.notices.len() > NOTICES_MAX
            && let Some(oldest) = self.notices.pop_front()
        {
            let key = oldest.id.to_be_bytes().to_vec();
            effects.rows.push(SmallRow { table: SmallTable::Notices, key, value: None });
        }
        effects.notices.push(notice);
    }

    /// Whether another group has this one's incident too, since the routes of its members have parted, or this one has members of another
    /// incident, since their routes have met: then the end here is not the end of all that the incident's mails tell, which must not be taken
    /// back for it.
    fn is_shared(&self, key: &str) -> bool {
        let Some(group) = self.groups.get(key) else { return false };
        let has_it = |(other, one): (&String, &Group)| other != key && one.incident == group.incident;
        group.is_joined || (group.incident.is_some() && self.groups.iter().any(has_it))
    }

    /// Drops members of which nothing can follow, and the group with its last one.
    fn drop_done(&mut self, key: &str, done: &[AlertId]) {
        let Some(group) = self.groups.get_mut(key) else { return };
        for id in done {
            if group.members.remove(id).is_some() {
                self.touched_groups.insert(key.to_owned());
            }
            if let Some(places) = self.places.get_mut(id) {
                places.remove(key);
            }
            self.touched_alerts.insert(*id);
        }
        close(group);
        if group.members.is_empty() {
            self.groups.remove(key);
            self.schedule(key, None);
            self.touched_groups.insert(key.to_owned());
        }
    }

    /// The rows of all that was touched. An alert that is over and stands in no group goes.
    fn write(&mut self, effects: &mut Effects) {
        for id in std::mem::take(&mut self.touched_alerts) {
            let is_placed = self.places.get(&id).is_some_and(|places| !places.is_empty());
            if !is_placed {
                self.places.remove(&id);
                if self.alerts.get(&id).is_some_and(|alert| !alert.is_firing()) {
                    self.alerts.remove(&id);
                }
            }
            effects.rows.push(rows::put_alert(id, self.alerts.get(&id)));
        }
        for key in std::mem::take(&mut self.touched_groups) {
            let mut row = rows::put_group(&key, self.groups.get(&key));
            if self.is_planted(Planted::RestartForgetsTold)
                && let Some(group) = self.groups.get(&key)
            {
                let mut forgetful = group.clone();
                forgetful.members.values_mut().for_each(|member| member.told = None);
                row = rows::put_group(&key, Some(&forgetful));
            }
            effects.rows.push(row);
        }
    }
}

/// An incident ends when nothing told is left.
fn close(group: &mut Group) {
    if group.members.values().all(|member| member.told.is_none()) {
        (group.incident, group.last_ms, group.is_joined) = (None, None, false);
    }
}

fn mass_labels(receiver: &str) -> LabelSet {
    LabelSet::new([("receiver", receiver)]).unwrap_or_default()
}

fn mass_key(receiver: &str) -> String {
    Group::new(MASS_ROUTE, receiver, mass_labels(receiver), MASS_WAITS).key()
}

/// The planted bug: what has become worse is told with the repeat.
fn late(verdict: Verdict, now_ms: i64) -> Verdict {
    match verdict {
        Verdict::Tell { kind: NoticeKind::Worse, .. } => {
            Verdict::Wait { next_ms: Some(now_ms + 3_600_000), ready_ms: None }
        }
        other => other,
    }
}
