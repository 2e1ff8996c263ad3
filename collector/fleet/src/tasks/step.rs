//! One step: what sessions told is worked in, each open order goes on, and what follows is gathered. Over the rows in memory.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::task::Targets;
use muster_common::time::Timestamp;
use muster_common::wire::message as wire;

use super::book::{Entry, Queued, TaskBook, TaskDue};
use super::bounds::{TASK_OUTPUT_KEPT_BYTES_MAX, TASK_OUTPUTS_BYTES_MAX};
use super::rollout::{Effect, Facts, Happened, OrderState, RunState, STEP_BACK, Word};
use super::rows::{host_key, output_key};
use crate::by::By;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::rows::encode;
use crate::tables::{META, Put, TASK_HOSTS, TASK_ORDERS, TASK_OUTPUTS, meta};

/// Of a minute's calls so small a part may be saved up, so that a wave of some begins at once.
const BURST_PART: u64 = 10;

/// Problems of the hosts that orders wait for: when each opened, and what it is.
pub(super) type Problems = BTreeMap<HostId, Vec<(i64, String)>>;

/// One change, gathered before anything is written.
pub(super) struct Work<'a> {
    pub(super) memory: &'a Memory,
    pub(super) by: &'a By,
    pub(super) now: Timestamp,
    pub(super) problems: Problems,
    pub(super) puts: Vec<Put>,
    pub(super) events: Vec<Event>,
    pub(super) due: Vec<(HostId, TaskDue)>,
    /// Orders, and hosts of orders, whose rows are to be written.
    orders: BTreeSet<u64>,
    hosts: BTreeSet<(u64, HostId)>,
    /// Calls of which something is to be acknowledged.
    acks: BTreeSet<(HostId, u64, u8)>,
}

impl<'a> Work<'a> {
    pub(super) fn new(memory: &'a Memory, by: &'a By, now: Timestamp, problems: Problems) -> Self {
        Self {
            memory,
            by,
            now,
            problems,
            puts: Vec::new(),
            events: Vec::new(),
            due: Vec::new(),
            orders: BTreeSet::new(),
            hosts: BTreeSet::new(),
            acks: BTreeSet::new(),
        }
    }

    pub(super) fn touch(&mut self, order: u64) {
        self.orders.insert(order);
    }

    pub(super) fn touch_host(&mut self, order: u64, host: HostId) {
        self.hosts.insert((order, host));
    }

    pub(super) fn name(&self, host: HostId) -> String {
        self.memory.host(host).map_or_else(|| host.to_string(), |row| row.name.clone())
    }

    /// What is told first is who did it; what follows from it nobody else answers for.
    fn teller(&self) -> &'a By {
        if self.events.is_empty() { self.by } else { &By::MUSTER }
    }

    pub(super) fn tell(&mut self, kind: EventKind, order: u64, text: String) {
        let event = Event::new(kind, self.teller(), self.now, text);
        self.events.push(event.with("order", order.to_string()));
    }
}

impl TaskBook {
    /// One step of time.
    pub(super) fn step(&mut self, work: &mut Work<'_>) {
        let now_ms = work.now.millis();
        if self.began_ms == 0 {
            self.began_ms = now_ms;
        }
        let queue = self.take_queue();
        for (host, queued) in &queue {
            self.take_queued(work, *host, queued);
        }
        self.worked = queue;
        self.refill(now_ms);
        for number in self.open_orders() {
            let mut calls = if self.numbers.paused.is_empty() { self.calls_milli / 1_000 } else { 0 } as usize;
            let before = calls;
            self.happen(work, number, Happened::Tick { calls: &mut calls });
            let used = (before - calls) as u64;
            self.called += used;
            self.calls_milli -= used * 1_000;
        }
    }

    /// Calls that may be sent again as time goes on.
    fn refill(&mut self, now_ms: i64) {
        let a_minute = u64::from(self.settings.calls_a_minute);
        let passed_ms = u64::try_from(now_ms.saturating_sub(self.calls_ms)).unwrap_or(0).min(60_000);
        self.calls_ms = now_ms;
        let most = (a_minute * 1_000 / BURST_PART).max(1_000);
        self.calls_milli = (self.calls_milli + a_minute * passed_ms / 60).min(most);
    }

    fn take_queued(&mut self, work: &mut Work<'_>, host: HostId, queued: &Queued) {
        match queued {
            Queued::Connected { takes } => {
                self.sessions.insert(host, *takes);
                if *takes {
                    self.away_since.remove(&host);
                    self.give_all(work, host);
                } else {
                    self.away_since.entry(host).or_insert(work.now.millis());
                }
            }
            Queued::Gone => {
                self.sessions.remove(&host);
                self.away_since.entry(host).or_insert(work.now.millis());
            }
            Queued::Retired => {
                self.sessions.remove(&host);
                self.away_since.remove(&host);
                for number in self.open_orders() {
                    self.happen(work, number, Happened::Left(host));
                }
            }
            Queued::State(state) => self.take_state(work, host, state),
            Queued::Output(output) => self.take_output(work, host, output),
        }
    }

    /// What a new session is given: the catalogue, and what orders owe it.
    fn give_all(&mut self, work: &mut Work<'_>, host: HostId) {
        work.due.extend(self.offer().map(|offer| (host, TaskDue::Catalogue(offer))));
        let now_ms = work.now.millis();
        let owed: Vec<(u64, Effect)> = self
            .orders
            .iter()
            .flat_map(|(number, entry)| entry.machine.owed(host, now_ms).into_iter().map(|effect| (*number, effect)))
            .collect();
        for (number, effect) in owed {
            self.give(work, number, &effect);
        }
    }

    /// The newest catalogue as hosts are told it.
    pub(super) fn offer(&self) -> Option<wire::TaskCatalogue> {
        let (_, row) = self.catalogues.last_key_value()?;
        let signature = muster_common::task::Signature::parse(&row.signature)?.0;
        Some(wire::TaskCatalogue { document: row.document.clone(), signature, extensions: Vec::new() })
    }

    fn take_state(&mut self, work: &mut Work<'_>, host: HostId, state: &wire::TaskState) {
        if state.call == wire::TaskCall::CATALOGUE {
            let taken = match state.word {
                wire::TaskWord::Refused { why } => Err(with_problem(refusal(why), &state.problem)),
                _ => Ok(()),
            };
            self.taken.insert(host, taken);
            return;
        }
        // A call that is not known here is of another collector, or of before a snapshot: it is acknowledged, so that it is not told for ever.
        let Some((number, step)) = self.find(&state.call) else {
            work.due.push((host, TaskDue::Ack(ack(state.call, state.number, u32::MAX))));
            return;
        };
        let Some(entry) = self.orders.get_mut(&number).filter(|entry| entry.machine.members.contains_key(&host)) else {
            work.due.push((host, TaskDue::Ack(ack(state.call, state.number, u32::MAX))));
            return;
        };
        let heard = &mut entry.heard.entry(host).or_default()[usize::from(step)];
        work.acks.insert((host, number, step));
        if state.number < heard.number {
            return;
        }
        heard.number = state.number;
        (heard.output_bytes, heard.dropped_bytes) = (state.output_bytes, state.dropped_bytes);
        work.touch_host(number, host);
        let word = match state.word {
            wire::TaskWord::Accepted | wire::TaskWord::Running => Word::Accepted,
            wire::TaskWord::Refused { why: wire::TaskRefusal::Busy } => Word::Busy,
            wire::TaskWord::Refused { why } => Word::Refused(with_problem(refusal(why), &state.problem)),
            wire::TaskWord::Ended { code } => Word::Ended(code),
            wire::TaskWord::TimedOut => Word::Failed("took longer than it may".to_owned()),
            wire::TaskWord::Killed { signal } => Word::Failed(format!("was ended by signal {signal}")),
            wire::TaskWord::Cancelled => Word::Cancelled,
            wire::TaskWord::Lost => Word::Lost("the host's program ended while it ran".to_owned()),
        };
        self.happen(work, number, Happened::Told(host, step, word));
    }

    fn find(&self, call: &wire::TaskCall) -> Option<(u64, u8)> {
        let step = u8::try_from(call.step).ok().filter(|step| *step <= STEP_BACK)?;
        Some((*self.by_id.get(&call.order)?, step))
    }

    fn take_output(&mut self, work: &mut Work<'_>, host: HostId, output: &wire::TaskOutput) {
        let Some((number, step)) = self.find(&output.call) else {
            work.due.push((host, TaskDue::Ack(ack(output.call, 0, output.chunk.saturating_add(1)))));
            return;
        };
        let room = TASK_OUTPUTS_BYTES_MAX.saturating_sub(self.output_bytes);
        let Some(entry) = self.orders.get_mut(&number).filter(|entry| entry.machine.members.contains_key(&host)) else {
            return;
        };
        let heard = &mut entry.heard.entry(host).or_default()[usize::from(step)];
        work.acks.insert((host, number, step));
        // What comes again is acknowledged again; what is ahead of its turn was lost on the way, and comes again.
        if output.chunk != heard.chunks {
            return;
        }
        heard.chunks += 1;
        let bytes = output.text.len() as u64;
        let is_kept =
            heard.kept + 1 == heard.chunks && heard.kept_bytes + bytes <= TASK_OUTPUT_KEPT_BYTES_MAX && bytes <= room;
        if is_kept {
            (heard.kept, heard.kept_bytes) = (heard.kept + 1, heard.kept_bytes + bytes);
            self.output_bytes += bytes;
            let key = output_key(number, host, step, output.chunk);
            work.puts.push(Put::set(TASK_OUTPUTS, &key, encode(&output.text)));
        } else {
            heard.left_out += bytes;
        }
        work.touch_host(number, host);
    }

    /// Steps an order, and does what follows.
    pub(super) fn happen(&mut self, work: &mut Work<'_>, number: u64, happened: Happened<'_>) {
        let now_ms = work.now.millis();
        let Some(entry) = self.orders.get_mut(&number) else { return };
        let before = entry.machine.progress.clone();
        let told = match &happened {
            Happened::Told(host, ..) | Happened::Left(host) => Some(*host),
            _ => None,
        };
        let states = told.is_none().then(|| entry.machine.members.clone());
        let (sessions, away, began_ms, problems) = (&self.sessions, &self.away_since, self.began_ms, &work.problems);
        let ask = |host: HostId, since_ms: i64| {
            let is_able = sessions.get(&host).copied().unwrap_or(false);
            let gone_ms = away.get(&host).copied().unwrap_or(began_ms);
            let problem = problems.get(&host).into_iter().flatten().find(|(at_ms, _)| *at_ms >= since_ms);
            Facts {
                is_able,
                away_ms: if is_able { 0 } else { now_ms.saturating_sub(gone_ms) },
                problem: problem.map(|(_, what)| what.clone()),
            }
        };
        let effects = entry.machine.step(now_ms, happened, &ask);
        if let Some(states) = states {
            let changed = states.iter().filter(|(host, member)| entry.machine.members.get(host) != Some(member));
            changed.for_each(|(host, _)| work.touch_host(number, *host));
        }
        if entry.machine.progress.reason != before.reason {
            entry.name_hosts(|host| work.name(host));
        }
        if entry.machine.progress != before {
            entry.refresh();
            work.touch(number);
        }
        for effect in effects {
            if let Effect::Ended(host, step) = effect {
                self.tell_ended(work, number, host, step);
            } else {
                self.give(work, number, &effect);
                self.tell_effect(work, number, &effect);
            }
        }
    }

    fn tell_ended(&self, work: &mut Work<'_>, number: u64, host: HostId, step: u8) {
        work.touch_host(number, host);
        let Some(entry) = self.orders.get(&number) else { return };
        let Some(run) = entry.machine.members.get(&host).and_then(|member| member.run(step)) else { return };
        if run.has_failed() {
            let (name, task) = (work.name(host), entry.task(step));
            let text = match run.state {
                RunState::Ok => {
                    format!("host `{name}` is not well after task `{task}`, order {number}: it {}", run.reason)
                }
                state => format!("task `{task}`, order {number}, on host `{name}`: {}: {}", state.as_str(), run.reason),
            };
            let event = Event::new(EventKind::TaskFailed, &By::MUSTER, work.now, text).of(host, &name);
            work.events.push(event.with("order", number.to_string()));
        }
    }

    fn tell_effect(&self, work: &mut Work<'_>, number: u64, effect: &Effect) {
        let Some(entry) = self.orders.get(&number) else { return };
        let progress = &entry.machine.progress;
        let (task, hosts) = (entry.task(progress.step), entry.row.hosts);
        let why = if progress.reason.is_empty() { String::new() } else { format!(": {}", progress.reason) };
        let (kind, text) = match effect {
            Effect::Begun => (EventKind::TaskBegun, format!("order {number}, task `{task}` on {hosts} hosts, begins")),
            Effect::Paused => (EventKind::TaskPaused, format!("order {number}, task `{task}`, is paused{why}")),
            Effect::Resumed => (EventKind::TaskResumed, format!("order {number}, task `{task}`, goes on")),
            Effect::Stopping => {
                (EventKind::TaskStopping, format!("order {number}, task `{task}`: nobody else begins{why}"))
            }
            Effect::RollingBack => {
                let hosts = entry.machine.counts(STEP_BACK).iter().sum::<u64>();
                (
                    EventKind::TaskRollingBack,
                    format!("order {number} is rolled back on {hosts} hosts by task `{task}`{why}"),
                )
            }
            Effect::Finished => {
                let counts = entry.machine.counts(progress.step);
                let counts = RunState::ALL.iter().zip(counts).filter(|(_, count)| *count > 0);
                let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {}", state.as_str())).collect();
                let state = progress.state.as_str().replace('_', " ");
                (
                    EventKind::TaskFinished,
                    format!("order {number}, task `{task}`, is {state}: {}{why}", counts.join(", ")),
                )
            }
            Effect::Call(..) | Effect::Cancel(..) | Effect::Ended(..) | Effect::WaveDone(_) => return,
        };
        work.tell(kind, number, text);
    }

    /// What is to be sent of an effect.
    fn give(&mut self, work: &mut Work<'_>, number: u64, effect: &Effect) {
        let Some(entry) = self.orders.get_mut(&number) else { return };
        match effect {
            Effect::Call(host, step) => {
                work.touch_host(number, *host);
                let call = entry.call(*host, *step);
                work.due.extend(call.map(|call| (*host, TaskDue::Call(call))));
            }
            Effect::Cancel(host, step) => {
                work.touch_host(number, *host);
                let reason = if entry.row.progress.reason.is_empty() {
                    "the collector has given it up".to_owned()
                } else {
                    entry.machine.progress.reason.clone()
                };
                let call = wire::TaskCall { order: entry.id, step: u32::from(*step) };
                let reason = crate::rows::cut_to(&reason, CANCEL_REASON_BYTES_MAX);
                let cancel = wire::TaskCancel { call, reason, extensions: Vec::new() };
                work.due.push((*host, TaskDue::Cancel(cancel)));
            }
            _ => {}
        }
    }

    /// The rows of all that was changed.
    pub(super) fn finish(&mut self, work: &mut Work<'_>, before: &super::rows::Numbers) {
        while self.output_bytes >= TASK_OUTPUTS_BYTES_MAX
            && let Some(number) = self.oldest_output()
        {
            work.puts.extend(self.remove_output(number));
        }
        for (number, host) in std::mem::take(&mut work.hosts) {
            let row = self.orders.get(&number).and_then(|entry| entry.host_row(host));
            work.puts.extend(row.map(|row| Put::set(TASK_HOSTS, &host_key(number, host), encode(&row))));
        }
        for number in std::mem::take(&mut work.orders) {
            let Some(entry) = self.orders.get_mut(&number) else { continue };
            entry.refresh();
            if matches!(entry.state(), OrderState::Done | OrderState::Cancelled) {
                // It is made again if it is rolled back.
                entry.targets = None;
            }
            work.puts.push(Put::set(TASK_ORDERS, &number.to_be_bytes(), encode(&entry.row)));
        }
        for number in self.old_orders() {
            work.puts.extend(self.remove(number));
        }
        for (host, number, step) in std::mem::take(&mut work.acks) {
            let Some(entry) = self.orders.get(&number) else { continue };
            let heard = entry.heard.get(&host).copied().unwrap_or_default()[usize::from(step)];
            let call = wire::TaskCall { order: entry.id, step: u32::from(step) };
            work.due.push((host, TaskDue::Ack(ack(call, heard.number, heard.chunks))));
        }
        if self.numbers != *before {
            work.puts.push(Put::set(META, meta::TASKS, encode(&self.numbers)));
        }
        if !work.puts.is_empty() {
            self.moved += 1;
        }
    }
}

/// What a cancel tells a host of its reason.
const CANCEL_REASON_BYTES_MAX: usize = 256;

impl Entry {
    /// The name of a step's task.
    pub(super) fn task(&self, step: u8) -> &str {
        self.row.tasks.get(usize::from(step)).map_or("?", String::as_str)
    }

    /// The machine knows no names: people are told them in place of ids.
    fn name_hosts(&mut self, name: impl Fn(HostId) -> String) {
        let progress = &mut self.machine.progress;
        let failed = self.machine.members.iter().filter(|(_, member)| {
            member.run(progress.step).is_some_and(super::rollout::Run::has_failed) || member.forward.has_failed()
        });
        for (host, _) in failed {
            let id = host.to_string();
            if progress.reason.contains(&id) {
                progress.reason = progress.reason.replace(&id, &name(*host));
            }
        }
    }

    /// The call of a step as a host is told it.
    fn call(&mut self, host: HostId, step: u8) -> Option<wire::Task> {
        let members = &self.machine.members;
        if self.targets.is_none() {
            self.targets = Targets::new(members.keys().copied());
        }
        let proof = self.targets.as_ref()?.proof(host)?;
        let approvals = self.row.approvals.iter();
        let approvals = approvals
            .filter_map(|one| Some(wire::TaskApproval { approver: one.approver.clone(), signature: one.bytes()? }));
        Some(wire::Task {
            call: wire::TaskCall { order: self.id, step: u32::from(step) },
            host: host.0,
            order: self.row.text.clone(),
            proof,
            approvals: approvals.collect(),
            extensions: Vec::new(),
        })
    }
}

fn ack(call: wire::TaskCall, state: u32, chunks: u32) -> wire::TaskAck {
    wire::TaskAck { call, state, chunks, extensions: Vec::new() }
}

fn with_problem(why: &str, problem: &str) -> String {
    if problem.is_empty() { why.to_owned() } else { format!("{why}: {problem}") }
}

/// A host's refusal in words.
const fn refusal(why: wire::TaskRefusal) -> &'static str {
    use wire::TaskRefusal as R;
    match why {
        R::Disabled => "the host runs no tasks now",
        R::Busy => "the host is busy",
        R::OrderMalformed => "the order cannot be read",
        R::StepUnknown => "the order has no such step",
        R::OtherHost => "the order is not meant for this host",
        R::Expired => "the order has expired",
        R::TooLong => "the order is good for longer than one may be",
        R::Replayed => "the order's nonce or id was used before",
        R::Unapproved => "there are too few approvals",
        R::ApprovalInvalid => "an approval is by nobody whom the host knows",
        R::OwnApproval => "it was approved by the one who asked for it",
        R::OtherCatalogue => "another catalogue is in force on the host",
        R::CatalogueMalformed => "the catalogue cannot be read",
        R::CatalogueUnsigned => "the catalogue is signed by no key that the host knows",
        R::CatalogueOlder => "the host has had a newer catalogue",
        R::CatalogueExpired => "the catalogue has expired",
        R::TaskUnknown => "the catalogue has no such task",
        R::NotAllowed => "the host's own file does not allow the task",
        R::Account => "the account is not the one that the host allows, or is not there",
        R::Parameters => "a parameter is not what the catalogue lets it be",
        R::Unsupported => "the host's system lacks what its own file demands",
        R::Failed => "the host could not begin it",
    }
}
