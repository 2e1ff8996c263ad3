//! The handle that server, API and loops share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use muster_fleet::status::StatusChange;
use muster_fleet::{By, Fleet, FleetError, Follower, SmallChange, SmallTable};
use muster_query::Engine;
use muster_store::Reader;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use super::evidence::EvidenceSource;
use super::settings::Settings;
use crate::alert::{Alert, AlertChange};
use crate::desk::{Desk, Letters, LoadError, Stored};
use crate::notify::{Notifiers, Signs};
use crate::outgoing::{Key, Outcome};
use crate::routing::{Silence, SilenceError};
use crate::{RuleBatch, RuleFile, Ruler, from_status};

/// Every table of alert.
const TABLES: [SmallTable; 6] = [
    SmallTable::Alerts,
    SmallTable::Groups,
    SmallTable::Silences,
    SmallTable::AlertMeta,
    SmallTable::Notices,
    SmallTable::Outgoing,
];

/// Why alerting cannot start or change.
#[derive(Debug, thiserror::Error)]
pub enum AlertingError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Silence(#[from] SilenceError),
}

/// What alerting is made of.
pub struct Parts {
    pub fleet: Arc<Fleet>,
    pub reader: Reader,
    pub engine: Arc<ArcSwap<Engine>>,
    pub evidence: Arc<dyn EvidenceSource>,
    /// The data folder's identity, for the runs of rule groups.
    pub store: [u8; 16],
    pub incarnation: u64,
    /// The domain of Message-IDs.
    pub domain: String,
    /// When this collector began to listen.
    pub ready: Timestamp,
    /// What rules record goes there; a full channel drops a tick and counts it.
    pub batches: mpsc::Sender<RuleBatch>,
}

/// See the module's page.
pub struct Alerting {
    pub(super) parts: Parts,
    desk: Mutex<Desk>,
    pub(super) ruler: Mutex<Ruler>,
    pub(super) notifiers: ArcSwap<Notifiers>,
    templates: ArcSwap<crate::mail::Templates>,
    pub(super) rules: ArcSwap<Vec<RuleFile>>,
    /// Something is to be written, sent or looked at sooner than was known.
    pub(super) wake: Notify,
    /// Grows with every transaction of alert, and every one of status that alert followed.
    moved: watch::Sender<u64>,
    /// A transaction failed: what the desk knows may not be what the file has.
    is_unsure: AtomicBool,
    /// Held by whoever reads it anew.
    reading_anew: Mutex<()>,
    /// Steps of the desk that go into the file.
    steps: AtomicU64,
    pub(super) batches_dropped: AtomicU64,
    /// Results of metric checks about hosts that are not registered.
    pub(super) results_dropped: AtomicU64,
    rule_stats: Mutex<Vec<Stat>>,
    /// When rules and status were looked at last to the end, and when notices were; milliseconds.
    pub(super) round_ms: AtomicI64,
    pub(super) look_ms: AtomicI64,
}

/// Follows status on behalf of [`Alerting`], which may be gone when the collector stops.
struct Shadow(Weak<Alerting>);

impl Alerting {
    /// Takes up what the file has, and follows status from here on.
    ///
    /// # Errors
    /// [`AlertingError`]: rows that cannot be read, or a disk that fails.
    pub fn start(parts: Parts, settings: Settings, now: Timestamp) -> Result<Arc<Self>, AlertingError> {
        Self::begin(parts, settings, None, now)
    }

    /// As [`Alerting::start`], of a data folder that was put back to an older state.
    ///
    /// # Errors
    /// As [`Alerting::start`].
    pub fn start_restored(parts: Parts, settings: Settings, now: Timestamp) -> Result<Arc<Self>, AlertingError> {
        Self::begin(parts, settings, Some(now.millis()), now)
    }

    fn begin(
        parts: Parts,
        settings: Settings,
        restored_ms: Option<i64>,
        now: Timestamp,
    ) -> Result<Arc<Self>, AlertingError> {
        let letters = letters(&parts, &settings);
        let desk = Desk::load(&rows(&parts.fleet)?, letters)?;
        let mut ruler = Ruler::new(parts.store, parts.incarnation);
        ruler.reload(&settings.rules, now.millis());
        let made = Arc::new(Self {
            desk: Mutex::new(desk),
            ruler: Mutex::new(ruler),
            notifiers: ArcSwap::from_pointee(settings.notifiers),
            templates: ArcSwap::new(settings.templates),
            rules: ArcSwap::from_pointee(settings.rules),
            wake: Notify::new(),
            moved: watch::Sender::new(0),
            is_unsure: AtomicBool::new(false),
            reading_anew: Mutex::new(()),
            steps: AtomicU64::new(0),
            batches_dropped: AtomicU64::new(0),
            results_dropped: AtomicU64::new(0),
            rule_stats: Mutex::default(),
            round_ms: AtomicI64::new(now.millis()),
            look_ms: AtomicI64::new(now.millis()),
            parts,
        });
        made.parts.fleet.set_follower(Arc::new(Shadow(Arc::downgrade(&made))));
        made.take_up(restored_ms, now)?;
        made.settle_metric_checks(now)?;
        Ok(made)
    }

    /// Compares what the desk knows with what status and rules have now: after a start, and after a transaction that failed.
    fn take_up(&self, restored_ms: Option<i64>, now: Timestamp) -> Result<(), AlertingError> {
        let (fleet, now_ms) = (&self.parts.fleet, now.millis());
        let restored = self.ruler.lock().restore(
            rows_of(fleet, SmallTable::Alerts)?.iter().map(|(key, value)| (key.as_slice(), value.as_slice())),
            now_ms,
        );
        let mut current: Vec<AlertChange> = fleet.conditions(now).iter().map(from_status).collect();
        current.extend(restored.changes);
        self.change(now, |desk| {
            let mut change = desk.take_up(now_ms, restored_ms, current);
            change.rows.extend(restored.rows);
            change
        })
    }

    /// Reads everything anew where a transaction has failed.
    pub(super) fn be_sure(&self, now: Timestamp) -> Result<(), AlertingError> {
        // One at a time: a slower reader must not put an older desk back.
        let _reading = self.reading_anew.lock();
        if !self.is_unsure.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let done = self.read_anew(now);
        if done.is_err() {
            self.is_unsure.store(true, Ordering::Release);
        }
        done
    }

    fn read_anew(&self, now: Timestamp) -> Result<(), AlertingError> {
        let letters = Letters::clone(&self.desk.lock().letters());
        loop {
            // What is stepped meanwhile is in the file, or will be, and not in what was read: then all is read again.
            let steps = self.steps.load(Ordering::Acquire);
            let read = Desk::load(&rows(&self.parts.fleet)?, letters.clone())?;
            let mut desk = self.desk.lock();
            if self.steps.load(Ordering::Acquire) == steps {
                *desk = read;
                break;
            }
        }
        let mut ruler = Ruler::new(self.parts.store, self.parts.incarnation);
        ruler.reload(&self.rules.load(), now.millis());
        *self.ruler.lock() = ruler;
        self.take_up(None, now)
    }

    /// Steps the desk, which is counted: under the lock of fleet's file, so in the order of the transactions.
    fn step(&self, make: impl FnOnce(&mut Desk) -> SmallChange) -> SmallChange {
        let mut desk = self.desk.lock();
        self.steps.fetch_add(1, Ordering::AcqRel);
        make(&mut desk)
    }

    /// One transaction of alert's own.
    pub(super) fn change(
        &self,
        now: Timestamp,
        make: impl FnOnce(&mut Desk) -> SmallChange,
    ) -> Result<(), AlertingError> {
        let done = self.parts.fleet.change_small(now, || self.step(make));
        if done.is_err() {
            self.is_unsure.store(true, Ordering::Release);
        }
        self.ring();
        Ok(done?)
    }

    /// What the desk knows has changed: whoever waits for it is woken.
    fn ring(&self) {
        self.wake.notify_one();
        self.moved.send_modify(|version| *version += 1);
    }

    /// A version that grows with every change of alerts, groups, silences and queue, to wait on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// When rules and status were looked at last to the end.
    pub fn last_round(&self) -> Timestamp {
        Timestamp::from_millis(self.round_ms.load(Ordering::Relaxed))
    }

    /// Asks the desk. It must not call fleet or this handle.
    pub fn ask<T>(&self, ask: impl FnOnce(&Desk) -> T) -> T {
        ask(&self.desk.lock())
    }

    /// As [`Alerting::ask`], for what is taken out once it is durable.
    pub(super) fn ask_mut<T>(&self, ask: impl FnOnce(&mut Desk) -> T) -> T {
        ask(&mut self.desk.lock())
    }

    /// Asks the rules, which may be under way for a second.
    pub fn ask_rules<T>(&self, ask: impl FnOnce(&Ruler) -> T) -> T {
        ask(&self.ruler.lock())
    }

    /// Time has passed.
    pub(super) fn tick(&self, now: Timestamp) -> Result<(), AlertingError> {
        self.be_sure(now)?;
        if self.ask(|desk| desk.deadline_ms().is_some_and(|at_ms| at_ms <= now.millis())) {
            self.change(now, |desk| desk.tick(now.millis()))?;
        }
        Ok(())
    }

    /// Puts other files in force: all of them are right already.
    ///
    /// # Errors
    /// [`AlertingError`] when the disk or the file fails: it is in force once the file is written again.
    pub fn configure(&self, settings: Settings, now: Timestamp) -> Result<(), AlertingError> {
        let letters = letters(&self.parts, &settings);
        self.notifiers.store(Arc::new(settings.notifiers));
        self.templates.store(settings.templates);
        // Until it is written, so that no round tells an alert of a rule that has just ended it.
        let mut ruler = self.ruler.lock();
        let stepped = ruler.reload(&settings.rules, now.millis());
        self.rules.store(Arc::new(settings.rules));
        self.change(now, |desk| {
            let mut change = desk.configure(now.millis(), letters, stepped.changes);
            change.rows.extend(stepped.rows);
            change
        })?;
        drop(ruler);
        self.settle_metric_checks(now)
    }

    /// Sets a silence, or changes one.
    ///
    /// # Errors
    /// [`AlertingError`].
    pub fn silence(&self, silence: Silence, by: &By, now: Timestamp) -> Result<(), AlertingError> {
        let mut refused = None;
        self.change(now, |desk| {
            desk.silence(now.millis(), silence, by).unwrap_or_else(|error| {
                refused = Some(error);
                SmallChange::default()
            })
        })?;
        refused.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Ends a silence. `false`: there is none of this id that goes on.
    ///
    /// # Errors
    /// [`AlertingError`] when the disk or the file fails.
    pub fn expire(&self, id: &str, by: &By, now: Timestamp) -> Result<bool, AlertingError> {
        let mut is_there = false;
        self.change(now, |desk| {
            let change = desk.expire(now.millis(), id, by);
            is_there = change.is_some();
            change.unwrap_or_default()
        })?;
        Ok(is_there)
    }

    /// Alerts of Alertmanager's API, each with its end if it has one.
    ///
    /// # Errors
    /// [`AlertingError`] when the disk or the file fails.
    pub fn push(&self, alerts: Vec<(Alert, Option<i64>)>, now: Timestamp) -> Result<(), AlertingError> {
        self.change(now, |desk| {
            let mut change = SmallChange::default();
            for (alert, ends_ms) in alerts {
                add(&mut change, desk.push(now.millis(), alert, ends_ms));
            }
            change
        })
    }

    pub(super) fn outcome(&self, key: Key, outcome: Outcome, now: Timestamp) -> Result<(), AlertingError> {
        self.change(now, |desk| desk.outcome(now.millis(), key, outcome))
    }

    /// Whether people would be told of what happens now; `unready`: why no data is taken.
    pub fn signs(&self, unready: Option<String>) -> Signs {
        let at = |millis: &AtomicI64| Timestamp::from_millis(millis.load(Ordering::Relaxed));
        let waiting_since = self.ask(|desk| desk.queue().waiting_since_ms()).map(Timestamp::from_millis);
        Signs { unready, round: at(&self.round_ms), look: at(&self.look_ms), waiting_since }
    }

    /// The rules' numbers, as they were before a round that is under way: who watches must not wait for what is slow.
    fn rule_stats(&self) -> Vec<Stat> {
        let mut last = self.rule_stats.lock();
        if let Some(ruler) = self.ruler.try_lock() {
            *last = ruler.stats();
        }
        last.clone()
    }

    /// Own numbers.
    pub fn stats(&self, now: Timestamp) -> Vec<Stat> {
        let mut stats = self.rule_stats();
        let (firing, groups, counts, (waiting, bytes), since_ms, sent) = self.ask(|desk| {
            let firing = desk.dispatch().alerts().filter(|alert| alert.is_firing()).count();
            (
                firing,
                desk.dispatch().groups().count(),
                desk.dispatch().counts(),
                desk.queue().waiting(),
                desk.queue().waiting_since_ms(),
                desk.queue().counts(),
            )
        });
        let gauge = |name, help, value: usize| Stat::gauge(name, help, value as f64);
        stats.extend([
            gauge("muster_collector_alerts_firing", "Alerts that fire, of all sources.", firing),
            gauge("muster_collector_alert_groups", "Groups of alerts.", groups),
            gauge("muster_collector_notices_waiting", "Rows that are neither accepted nor given up.", waiting),
            Stat::gauge(
                "muster_collector_notice_oldest_seconds",
                "How long the oldest row waits that is neither accepted nor given up.",
                since_ms.map_or(0.0, |at_ms| now.since(Timestamp::from_millis(at_ms)).as_secs_f64()),
            ),
            gauge("muster_collector_notices_waiting_bytes", "Bytes of the bodies that wait.", bytes),
            Stat::counter("muster_collector_notices_total", "Notices made.", counts.notices),
            Stat::counter("muster_collector_notices_sent_total", "Rows accepted by their servers.", sent.accepted),
            Stat::counter("muster_collector_notice_attempts_total", "Attempts to send a row.", sent.attempts),
            Stat::counter(
                "muster_collector_alerts_refused_total",
                "Alerts that were not taken since there are too many.",
                counts.alerts_refused,
            ),
            Stat::counter(
                "muster_collector_rule_batches_dropped_total",
                "Ticks of rule groups whose samples the store was too slow for.",
                self.batches_dropped.load(Ordering::Relaxed),
            ),
        ]);
        stats.push(Stat::counter(
            "muster_collector_metric_results_dropped_total",
            "Results of metric checks about hosts that are not registered.",
            self.results_dropped.load(Ordering::Relaxed),
        ));
        for (reason, count) in
            [("refused", sent.dead_refused), ("too_old", sent.dead_too_old), ("queue_full", sent.dead_queue_full)]
        {
            let help = "Rows that will never be sent, by reason.";
            stats.push(Stat::counter("muster_collector_notices_dead_total", help, count).with("reason", reason));
        }
        stats
    }
}

impl Follower for Shadow {
    fn follow(&self, changes: &[StatusChange], now: Timestamp) -> SmallChange {
        let Some(alerting) = self.0.upgrade() else { return SmallChange::default() };
        let change = alerting.step(|desk| desk.alerts(now.millis(), changes.iter().map(from_status).collect()));
        alerting.wake.notify_one();
        change
    }

    fn settled(&self, durable: bool) {
        let Some(alerting) = self.0.upgrade() else { return };
        if !durable {
            alerting.is_unsure.store(true, Ordering::Release);
        }
        alerting.ring();
    }
}

fn letters(parts: &Parts, settings: &Settings) -> Letters {
    Letters {
        config: Arc::clone(&settings.config),
        templates: Arc::clone(&settings.templates),
        domain: parts.domain.clone(),
    }
}

type Pair = (Vec<u8>, Vec<u8>);

fn rows_of(fleet: &Fleet, table: SmallTable) -> Result<Vec<Pair>, FleetError> {
    fleet.small_rows(table)
}

fn rows(fleet: &Fleet) -> Result<Vec<Stored>, FleetError> {
    let mut all = Vec::new();
    for table in TABLES {
        all.extend(rows_of(fleet, table)?.into_iter().map(|(key, value)| (table, key, value)));
    }
    Ok(all)
}

pub(super) fn add(change: &mut SmallChange, more: SmallChange) {
    change.rows.extend(more.rows);
    change.events.extend(more.events);
}
