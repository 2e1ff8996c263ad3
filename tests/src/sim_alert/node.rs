//! The simulated collector: fleet and desk on a disk whose power can be cut, wired as the server wires them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use muster_alert::desk::Desk;
use muster_alert::mail::{Evidence, Templates};
use muster_alert::outgoing::{Key as RowKey, Row, Session, State};
use muster_alert::{Alert, AlertChange, Due, Round, RuleContext, Ruler, from_status};
use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::host::HostId;
use muster_common::identity::{TokenWord, certificate};
use muster_common::label::LabelSet;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Enrol, HostFacts, PROTOCOL};
use muster_fleet::status::StatusChange;
use muster_fleet::{
    Binding, EnrolOutcome, Fleet, FleetError, Follower, SmallChange, SmallRow, SmallTable, Standing, TokenSpec,
};
use parking_lot::Mutex;

use super::planted::Bug;
use super::routes::Form;
use super::rules::{self, RULE, Spec, Values};
use super::smtp::Letter;
use super::truth::RENAMED;
use super::{Key, Violation};

const FOLDER: &str = "/data";
const TABLES: [SmallTable; 6] = [
    SmallTable::Alerts,
    SmallTable::Groups,
    SmallTable::Silences,
    SmallTable::AlertMeta,
    SmallTable::Notices,
    SmallTable::Outgoing,
];

/// When every world begins: 2026-01-01 00:00 UTC.
pub(super) const START_MS: i64 = 1_767_225_600_000;

pub(super) const fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(super) fn host_name(number: usize) -> String {
    format!("h{number}")
}

/// Makes alerts of status, under fleet's lock of its file.
struct Clerk {
    desk: Mutex<Desk>,
}

impl Follower for Clerk {
    fn follow(&self, changes: &[StatusChange], now: Timestamp) -> SmallChange {
        self.desk.lock().alerts(now.millis(), changes.iter().map(from_status).collect())
    }

    /// A failed commit is a failed disk here: everything is opened anew.
    fn settled(&self, _durable: bool) {}
}

/// A process.
pub(super) struct Running {
    pub(super) fleet: Fleet,
    clerk: Arc<Clerk>,
    ruler: Mutex<Ruler>,
    ready_ms: i64,
}

/// The disk with what runs on it.
pub(super) struct Node {
    pub(super) disk: CutDisk,
    pub(super) hosts: Vec<HostId>,
    pub(super) running: Option<Running>,
    templates: Arc<Templates>,
    rules: Vec<Spec>,
    bug: Option<Bug>,
}

/// A tick of a group of rules, and what came of it.
pub(super) struct Ticked {
    pub(super) group: String,
    pub(super) due: Due,
    pub(super) sample_ms: i64,
    pub(super) round: Round,
}

/// A fresh disk with this many enrolled hosts, made once a process: keys cost time.
fn enrolled(count: usize) -> Result<(DiskImage, Vec<HostId>), Violation> {
    type Made = BTreeMap<usize, (DiskImage, Vec<HostId>)>;
    static MADE: OnceLock<Mutex<Made>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock();
    if let Some(one) = made.get(&count) {
        return Ok(one.clone());
    }
    let broken = |what: String| Violation(format!("no hosts: {what}"));
    let disk = CutDisk::new(0);
    let fleet = muster_fleet::open(Arc::new(disk.clone()), Path::new(FOLDER), at(START_MS - 3_600_000))
        .map_err(|error| broken(error.to_string()))?;
    let mut hosts = Vec::new();
    for number in 0..count {
        // Ids rise with time, so that the order of hosts is that of their numbers.
        let now = at(START_MS - 3_600_000 + 1_000 * (number as i64 + 1));
        let name = host_name(number);
        let spec = TokenSpec { binding: Binding::Name(name.clone()), ..TokenSpec::default() };
        let word = fleet.new_token(spec, now).map_err(|error| broken(error.to_string()))?;
        let word = TokenWord::parse(&word).map_err(|error| broken(format!("{error:?}")))?;
        let key = certificate::new_key().map_err(|error| broken(format!("{error:?}")))?;
        let csr_der = certificate::new_request(&key).map_err(|error| broken(format!("{error:?}")))?;
        let machine_id = format!("machine-of-{name}");
        let facts = HostFacts { host_name: name.clone(), machine_id, ..HostFacts::default() };
        let enrol = Enrol { protocol: PROTOCOL, token: word.token.to_string(), csr_der, name, facts };
        match fleet.enrol(&enrol, "192.0.2.1:4000", now).map_err(|error| broken(error.to_string()))? {
            EnrolOutcome::Issued(issued) => hosts.push(HostId(issued.host_id)),
            EnrolOutcome::Refused(refused) => return Err(broken(refused.message)),
        }
    }
    drop(fleet);
    let one = (disk.image(), hosts);
    made.insert(count, one.clone());
    Ok(one)
}

impl Node {
    pub(super) fn new(seed: u64, hosts: usize, rules: Vec<Spec>, bug: Option<Bug>) -> Result<Self, Violation> {
        static TEMPLATES: OnceLock<Arc<Templates>> = OnceLock::new();
        let (image, hosts) = enrolled(hosts)?;
        let templates = Arc::clone(TEMPLATES.get_or_init(Arc::default));
        Ok(Self { disk: CutDisk::from_image(seed, &image), hosts, running: None, templates, rules, bug })
    }

    /// Opens everything that the disk has; `restored_ms`: when it was put back, if it was. What was told before stands; alerts of status that are over meanwhile end.
    pub(super) fn boot(&mut self, form: Form, restored_ms: Option<i64>, now_ms: i64) -> Result<(), Violation> {
        let broken = |what: String| Violation(format!("the collector does not start: {what}"));
        let fleet = muster_fleet::open(Arc::new(self.disk.clone()), Path::new(FOLDER), at(now_ms))
            .map_err(|error| broken(error.to_string()))?;
        let mut rows = Vec::new();
        for table in TABLES {
            let read = fleet.small_rows(table).map_err(|error| broken(error.to_string()))?;
            rows.extend(read.into_iter().map(|(key, value)| (table, key, value)));
        }
        let mut desk = Desk::load(&rows, form.letters(&self.templates)?).map_err(|error| broken(error.to_string()))?;
        match self.bug {
            Some(Bug::Fleet(bug)) => fleet.plant(bug),
            Some(Bug::Dispatch(bug)) => desk.plant_dispatch(bug),
            Some(Bug::Queue(bug)) => desk.plant_queue(bug),
            Some(Bug::Rule(_)) | None => {}
        }
        let mut ruler = Ruler::new([7; 16], 1);
        if let Some(Bug::Rule(bug)) = self.bug {
            ruler.plant(bug);
        }
        ruler.reload(&rules::files(&self.rules, form)?, now_ms);
        let pairs = rows.iter().filter(|(table, ..)| *table == SmallTable::Alerts);
        let restored = ruler.restore(pairs.map(|(_, key, value)| (key.as_slice(), value.as_slice())), now_ms);
        let clerk = Arc::new(Clerk { desk: Mutex::new(desk) });
        fleet.set_follower(clerk.clone());
        let running = Running { fleet, clerk, ruler: Mutex::new(ruler), ready_ms: now_ms };
        let mut current: Vec<AlertChange> = running.fleet.conditions(at(now_ms)).iter().map(from_status).collect();
        current.extend(restored.changes);
        let begun = running.change(now_ms, |desk| {
            let mut change = desk.take_up(now_ms, restored_ms, current);
            change.rows.extend(restored.rows);
            change
        });
        begun.map_err(|error| broken(error.to_string()))?;
        self.running = Some(running);
        Ok(())
    }

    /// Ends the process; with `power` what was not durable goes.
    pub(super) fn stop(&mut self, power: bool) {
        if power {
            self.disk.cut();
        }
        self.running = None;
    }

    /// A copy of the folder, as a snapshot makes it.
    pub(super) fn copy(&self) -> DiskImage {
        self.disk.image()
    }

    /// Ends the process and puts a copy in the place of the folder. Tell [`Node::boot`] next.
    pub(super) fn put_back(&mut self, seed: u64, copy: &DiskImage) {
        self.running = None;
        self.disk = CutDisk::from_image(seed, copy);
    }

    pub(super) fn configure(&self, form: Form, now_ms: i64) -> Result<Option<FleetError>, Violation> {
        let letters = form.letters(&self.templates)?;
        let Some(running) = &self.running else { return Ok(None) };
        let stepped = running.ruler.lock().reload(&rules::files(&self.rules, form)?, now_ms);
        let done = running.change(now_ms, |desk| {
            let mut change = desk.configure(now_ms, letters, stepped.changes);
            change.rows.extend(stepped.rows);
            change
        });
        Ok(done.err())
    }
}

impl Running {
    /// An operation of the desk in a transaction of its own.
    pub(super) fn change(&self, now_ms: i64, make: impl FnOnce(&mut Desk) -> SmallChange) -> Result<(), FleetError> {
        self.fleet.change_small(at(now_ms), || make(&mut self.clerk.desk.lock()))
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&mut Desk) -> T) -> T {
        look(&mut self.clerk.desk.lock())
    }

    /// Hands durable notices over to the queue; gives their numbers.
    pub(super) fn hand_over(&self, now_ms: i64, made: &mut Vec<u64>) -> Result<(), FleetError> {
        for notice in self.read(|desk| desk.unhanded()) {
            made.push(notice.id);
            self.change(now_ms, |desk| {
                let place = |receiver: &str, recipient: &str| desk.place(notice.incident, receiver, recipient);
                let (rows, _) = desk.letters().rows(&notice, &Evidence::default(), &place);
                desk.hand_over(now_ms, &notice, rows)
            })?;
        }
        Ok(())
    }

    pub(super) fn row(&self, key: RowKey) -> Option<Row> {
        self.read(|desk| desk.queue().rows().find(|(own, _)| *own == key).map(|(_, row)| row.clone()))
    }

    /// What a digest tells: the letters of the rows that went into it.
    pub(super) fn within(&self, digest: RowKey) -> Vec<Letter> {
        self.read(|desk| {
            let is_in = |row: &Row| matches!(row.state, State::Within { row, .. } if row == digest);
            let rows = desk.queue().rows().filter(|(_, row)| is_in(row));
            let letter = |(key, row): (RowKey, &Row)| {
                let notice = desk.dispatch().notices().find(|notice| notice.id == key.notice);
                let keys = |alerts: &[Alert]| alerts.iter().map(key_of).collect();
                Letter {
                    receiver: row.receiver.clone(),
                    recipient: row.target.recipient.clone(),
                    notice: key.notice,
                    incident: row.incident,
                    message_id: row.message_id.clone(),
                    firing: notice.map_or_else(Vec::new, |notice| keys(&notice.firing)),
                    ended: notice.map_or_else(Vec::new, |notice| keys(&notice.resolved)),
                    is_within: true,
                    ..Letter::default()
                }
            };
            rows.map(letter).collect()
        })
    }

    /// The number that the next notice gets, as far as notices tell.
    pub(super) fn next_notice(&self) -> u64 {
        self.read(|desk| desk.dispatch().notices().next_back().map_or(1, |notice| notice.id + 1))
    }

    /// What this notice tells to fire, and what to have ended.
    pub(super) fn told_by(&self, notice: u64) -> [Vec<Key>; 2] {
        self.read(|desk| {
            let mut notices = desk.dispatch().notices();
            let Some(notice) = notices.find(|one| one.id == notice) else { return [Vec::new(), Vec::new()] };
            [&notice.firing, &notice.resolved].map(|alerts| alerts.iter().map(key_of).collect())
        })
    }

    pub(super) fn sessions(&self) -> Vec<Session> {
        self.read(Desk::take_sessions)
    }

    /// What was planned to be looked at, as far as it is soon.
    pub(super) fn deadline_ms(&self) -> Option<i64> {
        let rules = self.ruler.lock().next_ms();
        self.read(|desk| desk.deadline_ms()).into_iter().chain(rules).min()
    }

    /// Time has passed, for the desk.
    pub(super) fn tick(&self, now_ms: i64) -> Result<(), FleetError> {
        if self.read(|desk| desk.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms)) {
            self.change(now_ms, |desk| desk.tick(now_ms))?;
        }
        Ok(())
    }

    /// Looks at the groups of rules that are due, one after the other; `take` makes what came of it durable.
    pub(super) fn due_group(&self, now_ms: i64, values: &Values) -> Option<Ticked> {
        let mut ruler = self.ruler.lock();
        let (group, due) = ruler.groups_mut().iter_mut().find_map(|group| group.due(now_ms).map(|due| (group, due)))?;
        let away: Vec<String> = self
            .fleet
            .standings()
            .iter()
            .filter(|one| one.standing != Standing::Present)
            .filter_map(|one| self.fleet.host(one.host))
            .map(|host| host.name)
            .collect();
        let none = LabelSet::default();
        let is_away = |host: &str| away.iter().any(|one| one == host);
        let context =
            RuleContext { external_labels: &none, external_url: "", ready_ms: self.ready_ms, is_away: &is_away };
        let round = group.evaluate(due, values, &context);
        let (group, offset_ms) = (group.spec().name.clone(), group.spec().query_offset_ms);
        Some(Ticked { group, due, sample_ms: due.at_ms - offset_ms, round })
    }

    /// Makes durable what came of a look at rules.
    pub(super) fn take_round(&self, now_ms: i64, round: Round) -> Result<(), FleetError> {
        self.change(now_ms, |desk| {
            let mut change = desk.alerts(now_ms, round.changes);
            change.rows.extend(round.rows);
            change
        })
    }

    /// Whether the file has this row as it was written, or has it no more where it was removed.
    pub(super) fn has(&self, row: &SmallRow) -> Result<bool, FleetError> {
        let rows = self.fleet.small_rows(row.table)?;
        Ok(rows.into_iter().find(|(key, _)| *key == row.key).map(|(_, value)| value) == row.value)
    }

    /// Groups and alerts that the dispatcher still has.
    pub(super) fn left(&self) -> (Vec<String>, Vec<Key>) {
        self.read(|desk| {
            let groups = desk.dispatch().groups().map(|(key, _)| key.to_owned()).collect();
            (groups, desk.dispatch().alerts().map(key_of).collect())
        })
    }
}

fn key_of(alert: &Alert) -> Key {
    known(alert.labels.get("host").unwrap_or_default(), alert.name())
}

/// A span as fleet takes it.
pub(super) fn later(now_ms: i64, span_ms: u64) -> Timestamp {
    at(now_ms).plus(Duration::from_millis(span_ms))
}

/// What a problem is about, by the name that its host began with; what a rule is about, by the host's name in the series.
pub(super) fn known(host: &str, name: &str) -> Key {
    (if name.starts_with(RULE) { host } else { host.trim_end_matches(RENAMED) }.to_owned(), name.to_owned())
}
