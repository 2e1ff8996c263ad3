//! A world: the script, the collector and the servers, minute by minute, and the account of it.

use std::collections::HashSet;

use muster_alert::outgoing::{Key as RowKey, Outcome, Session, State};
use muster_common::wire::message::{CheckDefinition, CheckReport, Report as WireReport};
use muster_fleet::{EventKind, FleetError, Reported, SmallRow, Standing, StandingNote};

use super::faults::Faults;
use super::happenings::Copy;
use super::ledger::Ledger;
use super::node::{Node, Running, START_MS, at};
use super::routes::Form;
use super::rule_truth::{Look, RuleTruth};
use super::rules::{self, Values};
use super::script::Host;
use super::smtp::{Done, Fault, Servers};
use super::truth::{INTERVAL_MS, Result as CheckResult, Stand, Truth};
use super::{Key, Violation};

pub(super) const MINUTE_MS: i64 = 60_000;
const GRID_MS: i64 = 30_000;
/// After the faults: the longest pause of a row and of a group.
const CALM_MINUTES: i64 = 100;
/// Looks within one minute: far more than a desk that is not stuck asks for.
const LOOKS_MAX: usize = 200;

/// What a world saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub letters: u64,
    /// Letters that came again with their Message-ID, for a reason.
    pub repeats: u64,
    pub notices: u64,
    pub crashes: u64,
    pub restarts: u64,
    pub results: u64,
}

impl Report {
    pub(super) fn add(&mut self, other: &Self) {
        self.letters += other.letters;
        self.repeats += other.repeats;
        self.notices += other.notices;
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        self.results += other.results;
    }
}

pub(super) struct World {
    pub(super) faults: Faults,
    pub(super) rng: fastrand::Rng,
    pub(super) now_ms: i64,
    pub(super) node: Node,
    pub(super) hosts: Vec<Host>,
    pub(super) servers: Servers,
    pub(super) truth: Truth,
    /// As it is without the results that a crash may have taken.
    pub(super) unsure_truth: Option<Truth>,
    /// A look at rules that a crash may have taken: a row of it, and the world as it is without.
    pub(super) unsure_round: Option<(SmallRow, Truth)>,
    pub(super) values: Values,
    pub(super) ledger: Ledger,
    pub(super) report: Report,
    /// Since when no restart, reload or step of the clock delays anything.
    pub(super) calm_ms: i64,
    pub(super) silences: Vec<String>,
    /// Rows, and the addresses that refused them for good.
    pub(super) refused: HashSet<(RowKey, String)>,
    pub(super) copy: Option<Copy>,
    /// When this start was after an older state was put back.
    pub(super) restored_ms: Option<i64>,
}

/// Why a step did not come to its end.
pub(super) enum Stop {
    /// The disk failed: the process is to be started anew.
    Disk(FleetError),
    Violation(Violation),
}

impl From<FleetError> for Stop {
    fn from(error: FleetError) -> Self {
        Self::Disk(error)
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// Runs the world of these faults to its end.
///
/// # Errors
/// The first promise that is broken.
pub fn run(faults: &Faults) -> Result<Report, Violation> {
    let mut rng = fastrand::Rng::with_seed(faults.seed);
    let now_ms = START_MS;
    let hosts: Vec<Host> = (0..faults.hosts).map(|number| Host::new(number, now_ms, &mut rng)).collect();
    let specs = rules::specs(faults.seed);
    let truths = RuleTruth::new(specs.clone(), Form::First);
    let truth = Truth::new(hosts.iter().map(|host| host.name.clone()), Form::First, truths);
    let mut world = World {
        node: Node::new(faults.seed, faults.hosts, specs, faults.bug)?,
        faults: faults.clone(),
        rng,
        now_ms,
        hosts,
        servers: Servers::default(),
        truth,
        unsure_truth: None,
        unsure_round: None,
        values: Values::default(),
        ledger: Ledger::default(),
        report: Report::default(),
        calm_ms: now_ms,
        silences: Vec::new(),
        refused: HashSet::new(),
        copy: None,
        restored_ms: None,
    };
    world.start()?;
    for _ in 0..faults.minutes {
        world.faulty_minute()?;
    }
    world.calm()?;
    world.close()?;
    let Ledger { letters, repeats, .. } = world.ledger;
    Ok(Report { letters, repeats, ..world.report })
}

impl World {
    pub(super) fn running(&self) -> Result<&Running, Violation> {
        self.node.running.as_ref().ok_or_else(|| Violation("no collector runs".to_owned()))
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.faults.trace {
            eprintln!("{:>8.1} {}", (self.now_ms - START_MS) as f64 / 60_000.0, what());
        }
    }

    pub(super) fn start(&mut self) -> Result<(), Violation> {
        self.calm_ms = self.now_ms;
        self.node.boot(self.truth.form, self.restored_ms.take(), self.now_ms)?;
        if let Some((row, before)) = self.unsure_round.take()
            && !self.running()?.has(&row).map_err(|error| Violation(error.to_string()))?
        {
            self.truth = before;
        }
        let now_ms = self.now_ms;
        std::iter::once(&mut self.truth).chain(&mut self.unsure_truth).for_each(|truth| truth.restarted(now_ms));
        let done = self.pump();
        self.survive(done)
    }

    /// The process ends and another begins.
    fn restart(&mut self, power: bool) -> Result<(), Violation> {
        self.tell(|| format!("the collector is started anew, power cut: {power}"));
        self.node.stop(power);
        self.report.crashes += u64::from(power);
        self.report.restarts += u64::from(!power);
        // A start that a crash of its own ends is another start: deeper than the chances let it, it does not go.
        self.start()
    }

    pub(super) fn survive(&mut self, done: Result<(), Stop>) -> Result<(), Violation> {
        match done {
            Ok(()) => Ok(()),
            Err(Stop::Violation(violation)) => Err(violation),
            Err(Stop::Disk(error)) if self.node.disk.is_off() => {
                self.tell(|| format!("the power went: {error}"));
                self.restart(true)
            }
            Err(Stop::Disk(error)) => Err(Violation(format!("a change fails: {error}"))),
        }
    }

    pub(super) fn chance(&mut self, thousandths: u32) -> bool {
        self.rng.u32(..1_000) < thousandths
    }

    fn faulty_minute(&mut self) -> Result<(), Violation> {
        if self.chance(self.faults.restart) {
            let power = self.rng.bool();
            self.restart(power)?;
        }
        if self.chance(self.faults.clock) {
            let by_ms = self.rng.i64(1..=30) * MINUTE_MS;
            self.tell(|| format!("the clock goes on by {by_ms} ms"));
            self.hosts.iter_mut().for_each(|host| host.shift(by_ms));
            self.now_ms += by_ms;
            self.calm_ms = self.now_ms;
        }
        if self.chance(self.faults.reload) {
            self.reload()?;
        }
        self.copies()?;
        if self.chance(self.faults.change) {
            let done = self.change();
            self.survive(done)?;
        }
        if self.chance(self.faults.smtp) {
            let fault = *self
                .rng
                .choice([Fault::Away, Fault::Later, Fault::Never, Fault::NoAnswer].iter())
                .unwrap_or(&Fault::Away);
            let server = if self.rng.bool() { "one" } else { "two" };
            let until_ms = self.now_ms + self.rng.i64(1..=if fault == Fault::Away { 60 } else { 10 }) * MINUTE_MS;
            self.tell(|| format!("{server} is {fault:?} until {until_ms}"));
            self.servers.faults.insert(server, (fault, until_ms));
        }
        self.absences()?;
        if self.chance(self.faults.hold) {
            let done = self.hold();
            self.survive(done)?;
        }
        self.minute(self.faults.trouble, 1)
    }

    /// A minute: results at its beginning, then whatever time brings.
    fn minute(&mut self, trouble: u32, minutes: i64) -> Result<(), Violation> {
        let now_ms = self.now_ms;
        let mut results = Vec::new();
        for host in &mut self.hosts {
            if host.away.is_none() {
                host.heard_ms = now_ms;
            }
            let made = host.results(now_ms, trouble, &mut self.rng);
            results.extend(made.into_iter().filter(|one| self.truth.is_host(&one.key.0)));
            host.measure(now_ms, trouble, &mut self.rng);
        }
        self.note_values();
        self.deliver(&results)?;
        let done = self.look();
        self.survive(done)?;
        let end_ms = now_ms + minutes * MINUTE_MS;
        for _ in 0..LOOKS_MAX * minutes as usize {
            let grid_ms = (self.now_ms.div_euclid(GRID_MS) + 1) * GRID_MS;
            let deadline_ms = self.running()?.deadline_ms().unwrap_or(end_ms).max(self.now_ms + 1);
            let next_ms = grid_ms.min(deadline_ms).min(end_ms);
            if next_ms >= end_ms {
                self.now_ms = self.now_ms.max(end_ms);
                let (now_ms, calm_ms) = (self.now_ms, self.calm_ms);
                self.truth.rules.overdue(&self.values, now_ms)?;
                return self.ledger.look(&self.truth, now_ms, calm_ms, self.servers.faulty_ms);
            }
            self.now_ms = next_ms;
            let done = if next_ms == grid_ms { self.look() } else { self.tick() };
            self.survive(done)?;
        }
        Err(Violation(format!("the desk is looked at more than {LOOKS_MAX} times in a minute")))
    }

    /// Results arrive; where the power goes meanwhile they come again.
    pub(super) fn deliver(&mut self, results: &[CheckResult]) -> Result<(), Violation> {
        if results.is_empty() {
            return Ok(());
        }
        self.report.results += results.len() as u64;
        self.copy.iter_mut().for_each(|copy| copy.since.extend_from_slice(results));
        let volatile = results.iter().filter(|one| one.is_volatile).map(|one| one.key.clone());
        self.ledger.volatile.extend(volatile);
        let is_crash = self.chance(self.faults.crash / 4);
        self.unsure_truth = is_crash.then(|| self.truth.clone());
        results.iter().for_each(|one| self.truth.result(one));
        if is_crash {
            self.node.disk.power_off_at(self.node.disk.operations() + self.rng.u64(1..40));
        }
        let done = self.apply(results);
        if is_crash {
            if let Err(Stop::Violation(violation)) = done {
                return Err(violation);
            }
            self.node.disk.power_off_at(u64::MAX);
            self.restart(true)?;
            self.unsure_truth = None;
            let again = self.apply(results);
            return self.survive(again);
        }
        self.survive(done)
    }

    fn apply(&mut self, results: &[CheckResult]) -> Result<(), Stop> {
        let number = |name: &str| self.hosts.iter().position(|host| host.name == name).unwrap_or_default();
        let reports: Vec<Reported> = results
            .iter()
            .map(|one| Reported {
                host: self.node.hosts[number(&one.key.0)],
                arrived: at(one.arrived_ms),
                is_live: one.is_live,
                report: report(one),
            })
            .collect();
        self.running()?.fleet.apply_reports(&reports)?;
        self.pump()
    }

    /// What time brings to hosts and status, then to the desk.
    pub(super) fn look(&mut self) -> Result<(), Stop> {
        let now_ms = self.now_ms;
        for number in 0..self.hosts.len() {
            let host = &mut self.hosts[number];
            if host.away.is_some_and(|away| now_ms >= away.until_ms) {
                let mut late = host.come_back(now_ms);
                let name = host.name.clone();
                late.retain(|_| self.truth.is_host(&name));
                self.tell(|| format!("{name} is back with {} results", late.len()));
                self.truth.expect_no_more(&name, now_ms);
                self.running()?.fleet.expect_no_absence(self.node.hosts[number]);
                self.deliver(&late)?;
            }
            let host = &mut self.hosts[number];
            if !self.truth.is_host(&host.name) {
                continue;
            }
            if let Some(stand) = host.decide(now_ms) {
                host.told = stand;
                let (name, last_heard) = (host.name.clone(), Some(at(host.heard_ms)));
                self.tell(|| format!("{name} is {stand:?}"));
                self.truth.stand(&name, stand, now_ms);
                let (standing, goodbye) = match stand {
                    Stand::Present => (Standing::Present, ""),
                    Stand::Silent => (Standing::Silent, ""),
                    Stand::Stopped => (Standing::Stopped, "shutdown"),
                };
                let note = StandingNote { host: self.node.hosts[number], standing, last_heard, goodbye };
                self.running()?.fleet.note_standings(&[note], at(now_ms))?;
                self.pump()?;
            }
        }
        self.truth.look(now_ms);
        self.running()?.fleet.tick_status(at(now_ms))?;
        self.truth.settled();
        self.tick()
    }

    fn tick(&mut self) -> Result<(), Stop> {
        self.running()?.tick(self.now_ms)?;
        self.pump()?;
        self.look_at_rules()
    }

    /// What the store has now.
    fn note_values(&mut self) {
        for host in self.hosts.iter().filter(|host| self.truth.is_host(&host.name)) {
            let unseen_ms = host.unseen_ms().filter(|at_ms| self.now_ms >= *at_ms);
            let shown = self.truth.shown(&host.name);
            for (metric, value) in host.values().into_iter().enumerate() {
                let value = value.filter(|_| unseen_ms.is_none());
                self.values.note(metric, &shown, unseen_ms.unwrap_or(self.now_ms), value);
            }
        }
    }

    /// Every group of rules that is due is looked at; where the power goes meanwhile that look may never have been.
    fn look_at_rules(&mut self) -> Result<(), Stop> {
        self.note_values();
        while let Some(ticked) = self.running()?.due_group(self.now_ms, &self.values) {
            let is_crash = !ticked.round.rows.is_empty() && self.chance(self.faults.crash / 4);
            let row = ticked.round.rows.first().cloned();
            self.unsure_round = row.filter(|_| is_crash).map(|row| (row, self.truth.clone()));
            let away: Vec<String> = self.truth.away().iter().map(|host| self.truth.shown(host)).collect();
            let (at_ms, sample_ms) = (ticked.due.at_ms, ticked.sample_ms);
            let look = Look { group: &ticked.group, at_ms, sample_ms, values: &self.values, away: &away };
            self.truth.rules.look(&look)?;
            self.tell(|| format!("rules of {} make {:?}", ticked.group, ticked.round.changes));
            if is_crash {
                self.node.disk.power_off_at(self.node.disk.operations() + self.rng.u64(1..40));
            }
            let done = self.running()?.take_round(self.now_ms, ticked.round);
            if is_crash {
                self.node.disk.power_off_at(u64::MAX);
                return Ok(self.restart(true)?);
            }
            done?;
            self.pump()?;
        }
        Ok(())
    }

    /// Hands notices on until nothing is to be sent now.
    pub(super) fn pump(&mut self) -> Result<(), Stop> {
        loop {
            let mut made = Vec::new();
            let handed = self.running()?.hand_over(self.now_ms, &mut made);
            self.report.notices += made.len() as u64;
            for id in made {
                if self.faults.trace {
                    let [firing, ended] = self.running()?.told_by(id);
                    self.tell(|| format!("notice {id} is made: {firing:?} go on, {ended:?} are over"));
                }
                let truths = std::iter::once(&self.truth).chain(&self.unsure_truth).cloned().collect();
                self.ledger.notice(id, truths, self.now_ms);
            }
            handed?;
            let sessions = self.running()?.sessions();
            if sessions.is_empty() {
                return Ok(());
            }
            for session in sessions {
                if self.chance(self.faults.crash) {
                    return Ok(self.restart(true)?);
                }
                if !self.send(&session)? {
                    return Ok(self.restart(true)?);
                }
            }
        }
    }

    /// Sends a session; `false`: the power goes before all outcomes are noted.
    fn send(&mut self, session: &Session) -> Result<bool, Stop> {
        let again = session.parcels.iter().find(|one| self.refused.contains(&(one.key, one.recipient.clone())));
        if let Some(parcel) = again {
            return Err(Violation(format!("{} was refused for good and is tried again", parcel.message_id)).into());
        }
        let done = self.servers.send(session, self.now_ms)?;
        let crashes_after = if self.chance(self.faults.crash) { self.rng.usize(..=done.len()) } else { usize::MAX };
        for (index, one) in done.into_iter().enumerate() {
            self.hear(&one)?;
            if index >= crashes_after {
                self.unsure(&one);
                continue;
            }
            if matches!(one.outcome, Outcome::Unknown { .. }) {
                self.unsure(&one);
            }
            let (now_ms, key, outcome) = (self.now_ms, one.key, one.outcome.clone());
            if matches!(outcome, Outcome::Permanent { .. }) {
                self.refused.insert((key, one.recipient.clone()));
            }
            if let Err(error) = self.running()?.change(now_ms, |desk| desk.outcome(now_ms, key, outcome)) {
                self.unsure(&one);
                return Err(error.into());
            }
            self.excuse_dead(&one)?;
        }
        Ok(crashes_after == usize::MAX)
    }

    fn unsure(&mut self, done: &Done) {
        if let Some(letter) = &done.taken {
            self.ledger.unsure.insert(letter.message_id.clone());
        }
    }

    fn hear(&mut self, done: &Done) -> Result<(), Violation> {
        self.tell(|| format!("{:?}: {:?} {:?}", done.key, done.outcome, done.taken));
        let Some(mut letter) = done.taken.clone() else { return Ok(()) };
        if letter.digest.is_some() {
            let entries = self.running()?.within(done.key);
            if self.ledger.digest(&letter, &entries)? {
                entries.iter().try_for_each(|entry| self.ledger.hear(entry))?;
            }
            return Ok(());
        }
        let Some(row) = self.running()?.row(done.key) else {
            return Err(Violation(format!("{:?} was sent and has no row", done.key)));
        };
        (letter.incident, letter.recipient) = (row.incident, row.target.recipient);
        if !row.is_webhook && !self.ledger.unsure.contains(&letter.message_id) {
            self.ledger.count(&letter.recipient, self.now_ms)?;
        }
        self.ledger.hear(&letter)
    }

    /// Whom no address was left for: that is named by an event, and excuses what he was not told.
    fn excuse_dead(&mut self, done: &Done) -> Result<(), Violation> {
        if !matches!(done.outcome, Outcome::Permanent { .. }) {
            return Ok(());
        }
        let running = self.running()?;
        let Some(row) = running.row(done.key).filter(|row| matches!(row.state, State::Dead { .. })) else {
            return Ok(());
        };
        let events = running.fleet.events(20).map_err(|error| Violation(format!("no events: {error}")))?;
        if !events.iter().any(|event| event.kind == EventKind::NoticeFailed) {
            return Err(Violation(format!("{} is dead and no event says so", row.message_id)));
        }
        let told = running.told_by(done.key.notice);
        let reader = (row.receiver, row.target.recipient);
        self.tell(|| format!("{reader:?} is refused notice {} of incident {}", done.key.notice, row.incident));
        self.ledger.excuse(reader, row.incident, done.key.notice, &told);
        Ok(())
    }

    /// All is well again, for long.
    fn calm(&mut self) -> Result<(), Violation> {
        self.tell(|| "all is well".to_owned());
        (self.faults.crash, self.faults.restart) = (0, 0);
        self.servers.faults.clear();
        for host in &mut self.hosts {
            host.heal();
            if let Some(away) = &mut host.away {
                away.until_ms = self.now_ms;
            }
        }
        for _ in 0..CALM_MINUTES / 3 {
            self.minute(0, 3)?;
        }
        Ok(())
    }

    fn close(&self) -> Result<(), Violation> {
        let running = self.running()?;
        let standing = running.fleet.conditions(at(self.now_ms));
        if let Some(one) = standing.first() {
            return Err(Violation(format!("after the calm a problem stands: {one:?}")));
        }
        let (groups, alerts): (Vec<String>, Vec<Key>) = running.left();
        if !groups.is_empty() || !alerts.is_empty() {
            return Err(Violation(format!("after the calm {groups:?} and {alerts:?} are left")));
        }
        let (waiting, _) = running.read(|desk| desk.queue().waiting());
        if waiting > 0 {
            return Err(Violation(format!("after the calm {waiting} rows wait")));
        }
        self.ledger.close()
    }
}

/// The result as an agent sends it.
pub(super) fn report(one: &CheckResult) -> WireReport {
    let parent = |(host, check): &Key| if check.is_empty() { host.clone() } else { format!("{host}/{check}") };
    WireReport::Check(CheckReport {
        at_ms: one.at_ms,
        check: one.key.1.clone(),
        state: one.state,
        output: format!("state {}", one.state),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 1,
        definition: CheckDefinition {
            kind: 1,
            interval_ms: INTERVAL_MS as u64,
            max_attempts: one.max_attempts,
            volatile: one.is_volatile,
            parents: one.parents.iter().map(parent).collect(),
            ..CheckDefinition::default()
        },
    })
}
