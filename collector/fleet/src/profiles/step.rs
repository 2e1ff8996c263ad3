//! What follows from what hosts told and from what was composed anew: documents with their numbers, and the effects of a roll-out. Over the
//! rows in memory; what is to be written and told is gathered.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use super::book::{Offer, ProfileBook, Queued, has_new};
use super::bounds::ROLLOUTS_KEPT;
use super::compose::{Composed, ConfigurationDigest};
use super::rollout::{ConfigurationWord, Effect, Happened, Machine, PROBLEM_BYTES_MAX, Rollout, RolloutState, Stage};
use super::rows::{Part, ToldRow};
use crate::by::By;
use crate::host::HostState;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::rows::{cut_to, encode};
use crate::tables::{HOST_CONFIGURATIONS, META, PROFILE_SETS, Put, ROLLOUTS, meta};

/// Hosts that an event names.
const TOLD_NAMES_MAX: usize = 20;

/// One change, gathered before anything is written.
pub(super) struct Work<'a> {
    pub(super) memory: &'a Memory,
    pub(super) by: &'a By,
    pub(super) now: Timestamp,
    pub(super) puts: Vec<Put>,
    pub(super) events: Vec<Event>,
    pub(super) offers: Vec<(HostId, Offer)>,
    /// Hosts whose rows are to be written.
    touched: BTreeSet<HostId>,
    /// Roll-outs that are over.
    closed: Vec<Rollout>,
}

impl<'a> Work<'a> {
    pub(super) fn new(memory: &'a Memory, by: &'a By, now: Timestamp) -> Self {
        let (puts, events, offers, closed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { memory, by, now, puts, events, offers, touched: BTreeSet::new(), closed }
    }

    pub(super) fn touch(&mut self, host: HostId) {
        self.touched.insert(host);
    }

    pub(super) fn name(&self, host: HostId) -> String {
        self.memory.host(host).map_or_else(|| host.to_string(), |row| row.name.clone())
    }

    fn is_active(&self, host: HostId) -> bool {
        self.memory.host(host).is_some_and(|row| row.state == HostState::Active)
    }

    /// A document broke that was the host's own change.
    fn tell_failed(&mut self, host: HostId, number: u64, told: &ToldRow) {
        let name = self.name(host);
        let problems = told.problems.join("; ");
        let text = format!(
            "host `{name}` {} its configuration {number}: {}",
            told.word.as_str(),
            cut_to(&problems, PROBLEM_BYTES_MAX)
        );
        self.events.push(Event::new(EventKind::ConfigurationFailed, self.by, self.now, text).of(host, &name));
    }

    fn tell(&mut self, kind: EventKind, version: u64, text: String) {
        self.events.push(Event::new(kind, self.by, self.now, text).with("version", version.to_string()));
    }
}

/// What was composed for a host.
pub(super) struct Fresh {
    pub(super) host: HostId,
    /// The version that it was composed of.
    pub(super) version: u64,
    pub(super) composed: Composed,
    /// Of a host that is in no roll-out: whether the open one gives it another document.
    pub(super) differs: bool,
}

impl ProfileBook {
    /// One step of time: what was composed, what hosts told, and what time alone brings about.
    pub(super) fn step(&mut self, work: &mut Work<'_>, fresh: Vec<Fresh>) {
        for one in fresh {
            self.take_composed(work, one);
        }
        for (host, queued) in std::mem::take(&mut self.queue) {
            self.take_queued(work, host, queued);
        }
        self.happen(work, Happened::Tick);
    }

    fn take_composed(&mut self, work: &mut Work<'_>, fresh: Fresh) {
        let Fresh { host, version, composed, differs } = fresh;
        if !work.is_active(host) {
            return;
        }
        if self.set_of(host).row.version != version {
            // It was released or set back meanwhile.
            self.marked.insert(host);
            return;
        }
        let kept = self.keep(composed);
        let expected = kept.expected();
        let entry = self.hosts.entry(host).or_default();
        // Of a host that was never offered any it is that of an empty one.
        if entry.row.digest != expected.digest {
            (entry.row.number, entry.row.digest) = (self.numbers.next, expected.digest);
            self.numbers.next += 1;
            work.touch(host);
        }
        if entry.row.number > 0 {
            let (number, document) = (entry.row.number, kept.document.clone());
            work.offers.push((host, Offer { number, digest: expected.digest, document }));
        }
        entry.kept = Some(kept);
        match entry.row.part {
            Some(part) if has_new(part.stage) => {
                self.happen(work, Happened::Expects(host, expected));
                // It may have it already, and says so only once.
                if let Some(told) = self.told.get(&host).cloned() {
                    self.happen(work, Happened::Told(host, told.told()));
                }
            }
            None if differs => {
                let from = version;
                if let Some(entry) = self.hosts.get_mut(&host) {
                    entry.row.part = Some(Part { stage: Stage::Waiting, wave: 0, from });
                }
                work.touch(host);
                self.happen(work, Happened::Joined(host));
            }
            _ => {}
        }
    }

    fn take_queued(&mut self, work: &mut Work<'_>, host: HostId, queued: Queued) {
        if queued.is_gone || !work.is_active(host) {
            self.told.remove(&host);
            self.sessions.remove(&host);
            self.happen(work, Happened::Left(host));
            return;
        }
        match queued.session {
            Some(Some(reads)) => {
                self.sessions.insert(host, reads);
                // Its facts may be others.
                self.marked.insert(host);
                self.happen(work, if reads { Happened::Connected(host) } else { Happened::Gone(host) });
            }
            Some(None) => {
                self.sessions.remove(&host);
                self.happen(work, Happened::Gone(host));
            }
            None => {}
        }
        let Some(told) = queued.told else { return };
        let entry = self.hosts.entry(host).or_default();
        if !entry.row.told.as_ref().is_some_and(|before| before.is_like(&told)) {
            entry.row.told = Some(told.clone());
            work.touch(host);
            // In a roll-out it is set back, and told as that.
            if told.has_failed(entry.row.digest) && !entry.row.part.is_some_and(|part| has_new(part.stage)) {
                work.tell_failed(host, entry.row.number, &told);
            }
        }
        self.told.insert(host, told.clone());
        self.happen(work, Happened::Told(host, told.told()));
        if let Some(reads) = self.sessions.get_mut(&host) {
            *reads = told.word != ConfigurationWord::Disabled;
            let happened = if *reads { Happened::Connected(host) } else { Happened::Gone(host) };
            // Else each word would begin the time anew within which one must come.
            if self.machine.as_ref().is_some_and(|machine| machine.is_connected(host) != told.is_able()) {
                self.happen(work, happened);
            }
        }
    }

    /// Steps the open roll-out, if there is one, and does what follows.
    pub(super) fn happen(&mut self, work: &mut Work<'_>, happened: Happened<'_>) {
        let now_ms = work.now.millis();
        if self.machine(now_ms).is_none() {
            return;
        }
        let Some(mut machine) = self.machine.take() else { return };
        let effects = machine.step(now_ms, happened, &|host| work.name(host));
        let row = (machine.row.target, machine.row.wave);
        let is_done = machine.row.state == RolloutState::Done;
        for effect in effects {
            self.act(work, effect, row, &machine);
        }
        if is_done {
            self.settle(work, machine);
        } else {
            self.machine = Some(machine);
        }
    }

    fn act(&mut self, work: &mut Work<'_>, effect: Effect, (target, wave): (u64, u8), machine: &Machine) {
        let settled = self.numbers.settled;
        match effect {
            Effect::Release(host) => {
                let row = &mut self.hosts.entry(host).or_default().row;
                let from = row.version.unwrap_or(settled);
                (row.part, row.version) = (Some(Part { stage: Stage::Released, wave, from }), Some(target));
                self.marked.insert(host);
                work.touch(host);
            }
            Effect::SetBack(host, problem) => {
                let row = &mut self.hosts.entry(host).or_default().row;
                let from = row.part.map_or(settled, |part| part.from);
                (row.part, row.version) = (Some(Part { stage: Stage::Failed, wave, from }), Some(from));
                row.problem.clone_from(&problem);
                self.marked.insert(host);
                self.failed += 1;
                work.touch(host);
                let name = work.name(host);
                let text = format!(
                    "host `{name}` keeps its last good configuration: of version {target} of the profiles it {problem}"
                );
                let event = Event::new(EventKind::ConfigurationFailed, work.by, work.now, text).of(host, &name);
                work.events.push(event.with("version", target.to_string()));
            }
            Effect::Good(host) => {
                let row = &mut self.hosts.entry(host).or_default().row;
                if let Some(part) = &mut row.part {
                    part.stage = Stage::Good;
                }
                row.problem.clear();
                work.touch(host);
            }
            Effect::WaveBegun(_) | Effect::Done => {}
            Effect::Stopped => {
                let [waiting, ..] = machine.counts();
                let text = format!(
                    "the roll-out of version {target} of the profiles stopped, {waiting} of {} hosts have not got it: {}",
                    machine.row.hosts, machine.row.reason
                );
                work.tell(EventKind::RolloutStopped, target, text);
            }
            Effect::Resumed => work.tell(
                EventKind::RolloutResumed,
                target,
                format!("the roll-out of version {target} of the profiles goes on"),
            ),
        }
    }

    /// Everybody is on the new version but those on which it broke.
    fn settle(&mut self, work: &mut Work<'_>, machine: Machine) {
        let row = machine.row;
        self.numbers.settled = row.target;
        for (host, entry) in &mut self.hosts {
            let part = entry.row.part.take();
            // Unless somebody had it try again.
            let is_failed = part.is_some_and(|part| part.stage == Stage::Failed) && !entry.row.problem.is_empty();
            if part.is_some() || entry.row.version.is_some() {
                work.touch(*host);
            }
            // Those that are in no part of it have the same document by either version.
            if !is_failed {
                entry.row.version = None;
                entry.row.problem.clear();
            }
        }
        self.all_marked = true;
        let mut names: Vec<String> =
            row.failed.iter().take(TOLD_NAMES_MAX).map(|failed| work.name(failed.host)).collect();
        names
            .extend((row.failed.len() > TOLD_NAMES_MAX).then(|| format!("{} more", row.failed.len() - TOLD_NAMES_MAX)));
        let failed =
            if names.is_empty() { String::new() } else { format!("; kept their last good one: {}", names.join(", ")) };
        let text = format!(
            "version {} of the profiles is rolled out to {} of {} hosts{failed}",
            row.target, row.good, row.hosts
        );
        work.tell(EventKind::RolloutDone, row.target, text);
        work.closed.push(row);
    }

    /// Ends the open roll-out for another version.
    pub(super) fn close(&mut self, work: &mut Work<'_>, state: RolloutState, reason: String) -> Option<Rollout> {
        self.machine(work.now.millis())?;
        let mut row = self.machine.take()?.row;
        (row.state, row.reason, row.changed_ms) = (state, reason, work.now.millis());
        for (host, entry) in &mut self.hosts {
            if entry.row.part.take().is_some() {
                work.touch(*host);
            }
        }
        work.closed.push(row.clone());
        Some(row)
    }

    /// The rows of all that was changed.
    pub(super) fn finish(&mut self, work: &mut Work<'_>, numbers_before: super::rows::Numbers) {
        for row in std::mem::take(&mut work.closed) {
            work.puts.push(Put::set(ROLLOUTS, &row.target.to_be_bytes(), encode(&row)));
            self.rollouts.insert(row.target, row);
        }
        if let Some(machine) = &self.machine
            && self.rollouts.get(&machine.row.target) != Some(&machine.row)
        {
            work.puts.push(Put::set(ROLLOUTS, &machine.row.target.to_be_bytes(), encode(&machine.row)));
            self.rollouts.insert(machine.row.target, machine.row.clone());
        }
        while self.rollouts.len() > ROLLOUTS_KEPT
            && let Some((target, _)) = self.rollouts.pop_first()
        {
            work.puts.push(Put::remove(ROLLOUTS, &target.to_be_bytes()));
        }
        for version in self.old_versions() {
            self.versions.remove(&version);
            work.puts.push(Put::remove(PROFILE_SETS, &version.to_be_bytes()));
        }
        for host in std::mem::take(&mut work.touched) {
            let row = self.hosts.get(&host).map(|entry| &entry.row);
            work.puts.extend(row.map(|row| Put::set(HOST_CONFIGURATIONS, &host.0, encode(row))));
        }
        if self.numbers != numbers_before {
            work.puts.push(Put::set(META, meta::PROFILES, encode(&self.numbers)));
        }
        if !work.puts.is_empty() {
            let used = self.used_versions();
            self.sets.retain(|version, _| used.contains(version));
        }
    }
}

impl ToldRow {
    /// Whether this document broke.
    pub(super) fn has_failed(&self, digest: ConfigurationDigest) -> bool {
        matches!(self.word, ConfigurationWord::Refused | ConfigurationWord::Reverted) && self.offered == digest
    }

    fn is_able(&self) -> bool {
        self.word != ConfigurationWord::Disabled
    }
}
