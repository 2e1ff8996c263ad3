//! The machine: each operation takes a moment and gives what its transaction writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_fleet::{By, SmallChange, SmallRow, SmallTable};
use parking_lot::Mutex;

use super::events;
use super::letters::Letters;
use super::routing::Routing;
use crate::alert::{Alert, AlertChange, AlertId, Notice, Origin};
use crate::dispatch::{self, Dispatch, Event};
use crate::mail::Place;
use crate::outgoing::{self, Key, Limits, NewRow, Outcome, Queue, Session};
use crate::routing::{AlertingConfig, Silence, SilenceError, Silences};

/// Row of `SmallTable::AlertMeta`: the last notice whose rows are in the queue, u64 little-endian.
const NOTICE_HANDED: &[u8] = b"notice_handed";
/// The first byte of the keys of ends of pushed alerts in `SmallTable::Alerts`: then 16 bytes of the alert; value: i64 LE, milliseconds.
const PUSHED_ROW: u8 = b'p';

/// Why the rows of alert cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Dispatch(#[from] dispatch::BadRow),
    #[error(transparent)]
    Outgoing(#[from] outgoing::BadRow),
}

/// A row of one of alert's tables: key and value.
pub type Stored = (SmallTable, Vec<u8>, Vec<u8>);

/// See the module's page.
pub struct Desk {
    dispatch: Dispatch,
    routing: Routing,
    queue: Queue,
    letters: Arc<Mutex<Arc<Letters>>>,
    handed: u64,
    /// When pushed alerts are over if they are not pushed again.
    pushed: BTreeMap<AlertId, i64>,
    /// To be started once what made them is durable.
    sessions: Vec<Session>,
}

impl Desk {
    /// Of the rows of all of alert's tables, as they were written last. Tell [`Desk::take_up`] next.
    ///
    /// # Errors
    /// [`LoadError`] on a row that this version cannot read.
    pub fn load(rows: &[Stored], letters: Letters) -> Result<Self, LoadError> {
        let all = || rows.iter().map(|(table, key, value)| (*table, key.as_slice(), value.as_slice()));
        let of =
            |wanted: SmallTable| all().filter(move |(table, ..)| *table == wanted).map(|(_, key, value)| (key, value));
        let dispatch = Dispatch::load(all())?;
        let (silences, faults) = Silences::restored(of(SmallTable::Silences).map(|(_, value)| value));
        for fault in faults {
            tracing::error!("a silence is left out: {fault}");
        }
        let mut routing = Routing::new(Arc::clone(&letters.config), silences);
        routing.configure(Arc::clone(&letters.config), dispatch.alerts().filter(|alert| alert.is_firing()));
        let letters = Arc::new(Mutex::new(Arc::new(letters)));
        let writer = Arc::clone(&letters);
        let compose = Arc::new(move |letter: &outgoing::DigestLetter| {
            let letters = Arc::clone(&writer.lock());
            letters.digest(letter)
        });
        let queue = Queue::load(Limits::default(), compose, of(SmallTable::Outgoing).collect::<Vec<_>>().into_iter())?;
        let handed = of(SmallTable::AlertMeta).find(|(key, _)| *key == NOTICE_HANDED);
        let handed = handed.and_then(|(_, value)| value.try_into().ok()).map_or(0, u64::from_le_bytes);
        let pushed =
            of(SmallTable::Alerts).filter(|(key, _)| key.first() == Some(&PUSHED_ROW)).filter_map(|(key, value)| {
                let id = u128::from_be_bytes(key.get(1..)?.try_into().ok()?);
                Some((AlertId(id), i64::from_le_bytes(value.try_into().ok()?)))
            });
        let pushed = pushed.collect();
        Ok(Self { dispatch, routing, queue, letters, handed, pushed, sessions: Vec::new() })
    }

    /// The first operation of a process: what was being sent is unsure now, and every group is looked at. `current`: all alerts that status
    /// and rules have; what fires here and is not among them has ended meanwhile, and is told so rather than once more. `restored_ms`: when
    /// the data folder was put back to an older state, if it was before this start.
    pub fn take_up(&mut self, now_ms: i64, restored_ms: Option<i64>, mut current: Vec<AlertChange>) -> SmallChange {
        let sent = self.queue.step(now_ms, outgoing::Event::Started);
        let mut change = self.take_sent(sent);
        current.extend(self.no_longer_there(now_ms, &current));
        self.routing.note(&current);
        let event = match restored_ms {
            Some(at_ms) => Event::Restored { at_ms, changes: current },
            None => Event::Alerts(current),
        };
        add(&mut change, self.step(now_ms, event));
        change
    }

    /// The ends of all alerts that fire and are not among these. Pushed ones end by their time.
    fn no_longer_there(&self, now_ms: i64, current: &[AlertChange]) -> Vec<AlertChange> {
        let told: BTreeSet<AlertId> = current
            .iter()
            .map(|change| match change {
                AlertChange::Firing(alert) => alert.id,
                AlertChange::Ended { id, .. } => *id,
            })
            .collect();
        let is_gone = |alert: &&Alert| {
            alert.is_firing() && !matches!(alert.origin, Origin::Pushed { .. }) && !told.contains(&alert.id)
        };
        let why = "it is no longer there";
        let ended = |alert: &Alert| AlertChange::Ended { id: alert.id, at_ms: now_ms, why, is_quiet: false };
        self.dispatch.alerts().filter(is_gone).map(ended).collect()
    }

    /// Switches a deliberate bug of the dispatcher on.
    #[cfg(feature = "planted")]
    pub fn plant_dispatch(&mut self, bug: dispatch::Planted) {
        self.dispatch.plant(bug);
    }

    /// Switches a deliberate bug of the queue on.
    #[cfg(feature = "planted")]
    pub fn plant_queue(&mut self, bug: outgoing::Planted) {
        self.queue.plant(bug);
    }

    /// What sources of alerts tell.
    pub fn alerts(&mut self, now_ms: i64, changes: Vec<AlertChange>) -> SmallChange {
        if changes.is_empty() {
            return SmallChange::default();
        }
        self.routing.note(&changes);
        self.step(now_ms, Event::Alerts(changes))
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: i64) -> SmallChange {
        let over: Vec<AlertId> = self.pushed.iter().filter(|(_, end)| **end <= now_ms).map(|(id, _)| *id).collect();
        let mut change = SmallChange::default();
        let mut ended = Vec::new();
        for id in over {
            self.pushed.remove(&id);
            change.rows.push(pushed_row(id, None));
            ended.push(AlertChange::Ended { id, at_ms: now_ms, why: "not pushed again", is_quiet: false });
        }
        add(&mut change, self.alerts(now_ms, ended));
        if self.dispatch.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            add(&mut change, self.step(now_ms, Event::Tick));
        }
        change.rows.extend(self.routing.silences.sweep(now_ms));
        if self.queue.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            let sent = self.queue.step(now_ms, outgoing::Event::Due);
            add(&mut change, self.take_sent(sent));
        }
        change
    }

    /// When [`Desk::tick`] has something to do; `None`: after the next other operation.
    pub fn deadline_ms(&self) -> Option<i64> {
        let pushed = self.pushed.values().min().copied();
        [self.dispatch.deadline_ms(), self.queue.deadline_ms(), pushed].into_iter().flatten().min()
    }

    /// An alert of Alertmanager's API. `ends_ms` in the past ends it; without one it is over after the configured time.
    pub fn push(&mut self, now_ms: i64, alert: Alert, ends_ms: Option<i64>) -> SmallChange {
        let id = alert.id;
        let timeout_ms = self.routing.config().global.resolve_timeout_ms;
        let end_ms = ends_ms.unwrap_or_else(|| now_ms.saturating_add(timeout_ms));
        let (row, told) = if end_ms <= now_ms {
            self.pushed.remove(&id);
            (pushed_row(id, None), AlertChange::Ended { id, at_ms: end_ms, why: "pushed as ended", is_quiet: false })
        } else {
            self.pushed.insert(id, end_ms);
            (pushed_row(id, Some(end_ms)), AlertChange::Firing(Box::new(alert)))
        };
        let mut change = self.alerts(now_ms, vec![told]);
        change.rows.push(row);
        change
    }

    /// Sets a silence, or changes one.
    ///
    /// # Errors
    /// [`SilenceError`]: what a silence must not be.
    pub fn silence(&mut self, now_ms: i64, silence: Silence, by: &By) -> Result<SmallChange, SilenceError> {
        let event = events::of_silence(&silence, true, by);
        let row = self.routing.silences.put(silence)?;
        let mut change = self.step(now_ms, Event::Replanned(Vec::new()));
        change.rows.push(row);
        change.events.push(event);
        Ok(change)
    }

    /// Ends a silence; `None`: there is none of this id that goes on.
    pub fn expire(&mut self, now_ms: i64, id: &str, by: &By) -> Option<SmallChange> {
        let row = self.routing.silences.expire(id, now_ms)?;
        let event = self.routing.silences.get(id).map(|silence| events::of_silence(silence, false, by))?;
        let mut change = self.step(now_ms, Event::Replanned(Vec::new()));
        change.rows.push(row);
        change.events.push(event);
        Some(change)
    }

    /// Puts another configuration in force. `ended`: what the rules that go with it made of alerts, in one step, so that none of a rule that
    /// is no more is told on a new way.
    pub fn configure(&mut self, now_ms: i64, letters: Letters, ended: Vec<AlertChange>) -> SmallChange {
        self.routing.note(&ended);
        let firing = self.dispatch.alerts().filter(|alert| alert.is_firing());
        self.routing.configure(Arc::clone(&letters.config), firing);
        *self.letters.lock() = Arc::new(letters);
        self.step(now_ms, Event::Replanned(ended))
    }

    /// Notices that are durable and not in the queue yet, oldest first: to be written and handed over in this order.
    pub fn unhanded(&self) -> Vec<Notice> {
        let newest = self.dispatch.notices().rev().take_while(|notice| notice.id > self.handed);
        let mut notices: Vec<Notice> = newest.cloned().collect();
        notices.reverse();
        notices
    }

    /// Puts a notice's rows into the queue; with none, why nobody is told is recorded.
    pub fn hand_over(&mut self, now_ms: i64, notice: &Notice, rows: Vec<NewRow>) -> SmallChange {
        if notice.id <= self.handed {
            return SmallChange::default();
        }
        self.handed = notice.id;
        let nobody = rows.is_empty().then(|| events::of_nobody(notice));
        let sent = self.queue.step(now_ms, outgoing::Event::Enqueue(rows));
        let mut change = self.take_sent(sent);
        let value = Some(notice.id.to_le_bytes().to_vec());
        change.rows.push(SmallRow { table: SmallTable::AlertMeta, key: NOTICE_HANDED.to_vec(), value });
        change.events.extend(nobody);
        change
    }

    /// What became of one row on its way.
    pub fn outcome(&mut self, now_ms: i64, key: Key, outcome: Outcome) -> SmallChange {
        let accepted = matches!(outcome, Outcome::Accepted);
        let sent = self.queue.step(now_ms, outgoing::Event::Outcome { key, outcome });
        let mut change = self.take_sent(sent);
        if accepted && let Some((key, row)) = self.queue.rows().find(|(own, _)| *own == key) {
            change.events.push(events::of_accepted(key, row));
        }
        change
    }

    /// Sessions to start now that what made them is durable.
    pub fn take_sessions(&mut self) -> Vec<Session> {
        std::mem::take(&mut self.sessions)
    }

    /// Where a mail will stand in its thread.
    pub fn place(&self, incident: u64, receiver: &str, recipient: &str) -> Place {
        self.queue.place(incident, receiver, recipient)
    }

    pub fn letters(&self) -> Arc<Letters> {
        Arc::clone(&self.letters.lock())
    }

    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<AlertingConfig> {
        self.routing.config()
    }

    fn step(&mut self, now_ms: i64, event: Event) -> SmallChange {
        let effects = self.dispatch.step(now_ms, event, &self.routing);
        let news = effects.news.iter().map(events::of_news);
        let notices = effects.notices.iter().map(events::of_notice);
        SmallChange { events: news.chain(notices).collect(), rows: effects.rows }
    }

    fn take_sent(&mut self, sent: outgoing::Change) -> SmallChange {
        self.sessions.extend(sent.sessions);
        SmallChange { rows: sent.rows, events: sent.news.iter().map(events::of_outgoing).collect() }
    }
}

fn pushed_row(id: AlertId, end_ms: Option<i64>) -> SmallRow {
    let key = [&[PUSHED_ROW][..], &id.0.to_be_bytes()].concat();
    SmallRow { table: SmallTable::Alerts, key, value: end_ms.map(|end_ms| end_ms.to_le_bytes().to_vec()) }
}

fn add(change: &mut SmallChange, more: SmallChange) {
    change.rows.extend(more.rows);
    change.events.extend(more.events);
}
