//! The desk: what becomes of calls, from what comes in and what time it is. Pure; what it wants done it gives back, in order.
//!
//! One call runs at a time, so that what a task leaves behind is its own and nobody else's. What a call is about to become is kept before it
//! comes to pass: a process that ends at any moment leaves behind what it was at, and nothing is ever begun twice.

use std::collections::{BTreeMap, VecDeque};

use muster_common::host::HostId;
use muster_common::limits::{PROBLEM_TEXT_BYTES_MAX, TASK_CHUNKS_UNDER_WAY_MAX};
use muster_common::task::Catalogue;
use muster_common::wire::tasks::{
    Task, TaskAck, TaskCall, TaskCancel, TaskCatalogue, TaskRefusal, TaskState, TaskWord,
};

use crate::audit::Entry;
use crate::judge::{self, Approved, Host, Refusal, Seen};
use crate::record::{Record, written};
use crate::settings::Settings;

/// Calls that wait for their turn: a roll-out sends one a host and step.
pub const WAITING_MAX: usize = 8;
/// Calls that are remembered: with six a minute a week has more, but not one that a roll-out of a host would need. Some 1 MB.
pub const RECORDS_MAX: usize = 4_096;
/// Calls whose end the collector has not taken: each may hold 4 MiB of output on disk.
pub const UNTOLD_MAX: usize = 64;
const MINUTE_MS: i64 = 60_000;

/// What is to be done, in the order given.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Write this record, durably. If that fails, what follows it in the same list is not done: see [`Desk::not_kept`].
    Keep(Record),
    /// Its order has expired and the collector has everything.
    Forget(TaskCall),
    /// The collector has its output.
    DropOutput(TaskCall),
    KeepCatalogue(TaskCatalogue, Seen),
    KeepHost(HostId),
    Start(Approved),
    /// End it, with all that it has started.
    Stop(TaskCall),
    Tell(TaskState),
    TellChunk {
        call: TaskCall,
        chunk: u32,
    },
    Audit(Entry),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub word: TaskWord,
    pub problem: String,
    pub output_bytes: u64,
    pub dropped_bytes: u64,
}

/// What is known from outside at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now_ms: i64,
    /// The file `no-tasks` is there.
    pub is_stopped: bool,
}

/// What lay in the folder when the program began.
#[derive(Debug, Default)]
pub struct Kept {
    pub host: Option<HostId>,
    pub seen: Seen,
    pub catalogue: Option<Catalogue>,
    pub records: Vec<Record>,
    /// Chunks of output that are on disk, by call.
    pub chunks: BTreeMap<TaskCall, u32>,
    /// The latest end of an order that is remembered no more.
    pub forgotten_ms: i64,
}

pub struct Desk {
    settings: Settings,
    has_cgroup: bool,
    host: Option<HostId>,
    seen: Seen,
    catalogue: Option<Catalogue>,
    catalogue_states: u32,
    records: BTreeMap<TaskCall, Record>,
    waiting: VecDeque<Approved>,
    running: Option<TaskCall>,
    is_stopping: bool,
    /// The program ends: nothing is begun any more.
    is_closing: bool,
    /// When calls were taken in the last minute.
    taken: VecDeque<i64>,
    is_connected: bool,
    /// The next chunk to tell in this session.
    next_chunk: BTreeMap<TaskCall, u32>,
    forgotten_ms: i64,
}

impl Desk {
    /// What ran when the last process ended is lost, what waited did not begin.
    pub fn new(settings: Settings, has_cgroup: bool, kept: Kept, now_ms: i64) -> (Self, Vec<Effect>) {
        let Kept { host, seen, catalogue, records, chunks, forgotten_ms } = kept;
        let mut desk = Self {
            host: settings.host.or(host),
            settings,
            has_cgroup,
            seen,
            catalogue,
            catalogue_states: 0,
            records: BTreeMap::new(),
            waiting: VecDeque::new(),
            running: None,
            is_stopping: false,
            is_closing: false,
            taken: VecDeque::new(),
            is_connected: false,
            next_chunk: BTreeMap::new(),
            forgotten_ms,
        };
        let mut effects = Vec::new();
        for mut record in records {
            let ended = match record.word {
                TaskWord::Running => {
                    Some((TaskWord::Lost, "muster-task ended while it ran: look at the host how it went"))
                }
                TaskWord::Accepted => {
                    let why = TaskRefusal::Failed;
                    Some((TaskWord::Refused { why }, "muster-task ended before it began: nothing ran, order it anew"))
                }
                _ => None,
            };
            if let Some((word, problem)) = ended {
                record.chunks = chunks.get(&record.call).copied().unwrap_or(0);
                record.becomes(word, problem, now_ms);
                effects.push(Effect::Keep(record.clone()));
                effects.push(Effect::Audit(entry_of(&record, now_ms)));
            }
            desk.records.insert(record.call, record);
        }
        (desk, effects)
    }

    /// Whatever the clock says later, no order that ends before this is good any more: it may have run and be forgotten.
    pub fn forgotten_ms(&self) -> i64 {
        self.forgotten_ms
    }

    /// The program ends. What waits is found by the next one, which says that it did not begin.
    pub fn close(&mut self) {
        self.is_closing = true;
    }

    /// The catalogue could not be kept: a later process would take an older one, so none is in force.
    pub fn catalogue_not_kept(&mut self) {
        self.catalogue = None;
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A session with the collector begins: all that it has not acknowledged is told again.
    pub fn welcome(&mut self, host: HostId) -> Vec<Effect> {
        self.is_connected = true;
        self.next_chunk.clear();
        let mut effects = Vec::new();
        if self.host.is_none() {
            self.host = Some(host);
            effects.push(Effect::KeepHost(host));
        }
        let untold: Vec<TaskCall> =
            self.records.values().filter(|record| !record.is_told()).map(|record| record.call).collect();
        for call in untold {
            self.tell(call, &mut effects);
        }
        effects
    }

    /// The agent has gone; what runs goes on.
    pub fn gone(&mut self) {
        self.is_connected = false;
        self.next_chunk.clear();
    }

    pub fn catalogue(&mut self, offer: TaskCatalogue, moment: Moment) -> Vec<Effect> {
        let now_ms = moment.now_ms;
        let judged = judge::judge_catalogue(&offer, self.seen, &self.settings, now_ms);
        let mut effects = Vec::new();
        let (word, problem) = match judged {
            Ok(catalogue) => {
                let is_new = self.catalogue.as_ref().is_none_or(|held| held.digest() != catalogue.digest());
                if is_new {
                    self.seen = Seen { version: catalogue.version, digest: Some(catalogue.digest()) };
                    effects.push(Effect::KeepCatalogue(offer, self.seen));
                    let detail = format!("version {} {}", catalogue.version, catalogue.digest());
                    effects.push(Effect::Audit(Entry::new(now_ms, "catalogue").detail(detail)));
                }
                self.catalogue = Some(catalogue);
                (TaskWord::Accepted, String::new())
            }
            Err(Refusal { why, problem }) => {
                let entry = Entry::new(now_ms, "catalogue_refused").detail(format!("{why:?}: {problem}"));
                effects.push(Effect::Audit(entry));
                (TaskWord::Refused { why }, problem)
            }
        };
        self.catalogue_states += 1;
        let state = self.state_of(TaskCall::CATALOGUE, self.catalogue_states, word, &problem, now_ms);
        effects.push(Effect::Tell(state));
        effects
    }

    fn state_of(&self, call: TaskCall, number: u32, word: TaskWord, problem: &str, now_ms: i64) -> TaskState {
        TaskState {
            call,
            number,
            at_ms: now_ms,
            word,
            problem: cut(problem),
            chunks: 0,
            output_bytes: 0,
            dropped_bytes: 0,
            extensions: Vec::new(),
        }
    }

    /// A call, for the first time or again.
    pub fn task(&mut self, task: &Task, moment: Moment) -> Vec<Effect> {
        let now_ms = moment.now_ms;
        let mut effects = Vec::new();
        if let Some(record) = self.records.get(&task.call)
            && record.order.is_none_or(|sum| sum == judge::order_sum(&task.order))
        {
            self.tell(task.call, &mut effects);
            return effects;
        }
        let host = Host {
            settings: &self.settings,
            id: self.host,
            catalogue: self.catalogue.as_ref(),
            is_stopped: moment.is_stopped,
            has_cgroup: self.has_cgroup,
            forgotten_ms: self.forgotten_ms,
            now_ms,
        };
        let judged =
            judge::judge(task, &host, &self.records).and_then(|approved| self.has_room(now_ms).map(|()| approved));
        match judged {
            Ok(approved) => {
                let record = Record::accepted(&approved, now_ms);
                effects.push(Effect::Keep(record.clone()));
                effects.push(Effect::Audit(Entry::accepted(&approved, now_ms)));
                effects.push(Effect::Tell(record.state()));
                self.records.insert(approved.call, record);
                self.taken.push_back(now_ms);
                self.waiting.push_back(approved);
                self.pump(moment, &mut effects);
            }
            Err(Refusal { why, problem }) => {
                let entry = Entry::new(now_ms, "refused").of(task.call).detail(format!("{why:?}: {problem}"));
                effects.push(Effect::Audit(entry));
                // Above the states of a call of this id that is known, which is another order's.
                let number = self.records.get(&task.call).map_or(1, |record| record.number.saturating_add(1));
                effects.push(Effect::Tell(self.state_of(
                    task.call,
                    number,
                    TaskWord::Refused { why },
                    &problem,
                    now_ms,
                )));
            }
        }
        effects
    }

    fn has_room(&mut self, now_ms: i64) -> Result<(), Refusal> {
        while self.taken.front().is_some_and(|at| now_ms.saturating_sub(*at) >= MINUTE_MS) {
            self.taken.pop_front();
        }
        let untold = self.records.values().filter(|record| record.word.is_last() && !record.is_told()).count();
        let problem = if self.taken.len() >= self.settings.calls_per_minute as usize {
            format!("{} calls came within a minute: wait, or raise `calls_per_minute`", self.taken.len())
        } else if self.waiting.len() >= WAITING_MAX {
            format!("{WAITING_MAX} calls wait already: wait for their ends")
        } else if untold >= UNTOLD_MAX {
            format!("the collector has not taken the results of {untold} calls: it takes them first")
        } else if self.records.len() >= RECORDS_MAX {
            format!("{RECORDS_MAX} calls are remembered until their orders expire: wait, or give orders earlier ends")
        } else {
            return Ok(());
        };
        Err(Refusal { why: TaskRefusal::Busy, problem })
    }

    pub fn cancel(&mut self, cancel: &TaskCancel, moment: Moment) -> Vec<Effect> {
        let now_ms = moment.now_ms;
        let (call, mut effects) = (cancel.call, Vec::new());
        let audit = Entry::new(now_ms, "cancel").of(call).detail(cancel.reason.clone());
        let has_room = self.records.len() < RECORDS_MAX;
        match self.records.get_mut(&call) {
            None if has_room => {
                let record = Record::cancelled(call, &cut(&cancel.reason), now_ms);
                effects.push(Effect::Keep(record.clone()));
                effects.push(Effect::Audit(audit));
                self.records.insert(call, record);
            }
            None => {}
            Some(record) if record.word == TaskWord::Accepted => {
                self.waiting.retain(|waiting| waiting.call != call);
                record.becomes(TaskWord::Cancelled, cut(&cancel.reason), now_ms);
                effects.push(Effect::Keep(record.clone()));
                effects.push(Effect::Audit(audit));
            }
            Some(record) if record.word == TaskWord::Running && !self.is_stopping => {
                self.is_stopping = true;
                effects.push(Effect::Audit(audit));
                effects.push(Effect::Stop(call));
            }
            Some(_) => {}
        }
        self.tell(call, &mut effects);
        effects
    }

    pub fn ack(&mut self, ack: &TaskAck) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(record) = self.records.get_mut(&ack.call) else { return effects };
        let was_told = record.is_told();
        // Never more than was told, whatever it says.
        record.state_acked = record.state_acked.max(ack.state.min(record.number));
        record.chunks_acked = record.chunks_acked.max(ack.chunks.min(record.chunks));
        if record.is_told() && !was_told {
            effects.push(Effect::Keep(record.clone()));
            effects.push(Effect::DropOutput(ack.call));
        }
        self.tell_chunks(&mut effects);
        effects
    }

    /// One more chunk of the running call's output is on disk.
    pub fn chunk(&mut self, call: TaskCall) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(record) = self.records.get_mut(&call) {
            record.chunks += 1;
        }
        self.tell_chunks(&mut effects);
        effects
    }

    pub fn ended(&mut self, call: TaskCall, end: &End, moment: Moment) -> Vec<Effect> {
        let now_ms = moment.now_ms;
        let mut effects = Vec::new();
        let was_stopped = std::mem::take(&mut self.is_stopping);
        self.running = None;
        if let Some(record) = self.records.get_mut(&call) {
            // What ended by itself a moment before it was stopped has an exit code that says so.
            let is_ours = was_stopped && matches!(end.word, TaskWord::Killed { .. });
            let word = if is_ours { TaskWord::Cancelled } else { end.word };
            record.output_bytes = end.output_bytes;
            record.dropped_bytes = end.dropped_bytes;
            record.becomes(word, cut(&end.problem), now_ms);
            effects.push(Effect::Keep(record.clone()));
            effects.push(Effect::Audit(entry_of(record, now_ms)));
            self.tell(call, &mut effects);
        }
        self.pump(moment, &mut effects);
        effects
    }

    /// A record could not be written: nothing is begun that would be forgotten. What has ended has ended.
    pub fn not_kept(&mut self, call: TaskCall, problem: &str, moment: Moment) -> Vec<Effect> {
        let now_ms = moment.now_ms;
        let mut effects = Vec::new();
        if self.running == Some(call) {
            self.running = None;
        }
        self.waiting.retain(|waiting| waiting.call != call);
        if let Some(record) = self.records.get_mut(&call).filter(|record| !record.word.is_last()) {
            record.becomes(TaskWord::Refused { why: TaskRefusal::Failed }, cut(problem), now_ms);
            self.tell(call, &mut effects);
        }
        effects
    }

    /// Forgets what is over. Called now and then.
    pub fn tick(&mut self, moment: Moment) -> Vec<Effect> {
        let now_ms = moment.now_ms;
        let mut effects = Vec::new();
        let week = judge::ORDER_LIFE_MS_MAX;
        let forgotten_ms = &mut self.forgotten_ms;
        self.records.retain(|call, record| {
            let is_expired = record.word.is_last() && judge::is_expired(record.expires_ms, now_ms);
            // A collector that is away for longer is not coming for it.
            let is_given_up = judge::is_expired(record.expires_ms.saturating_add(week), now_ms);
            if !is_expired || !(record.is_told() || is_given_up) {
                return true;
            }
            if !record.is_told() {
                let entry = Entry::new(now_ms, "forgotten").of(*call).detail("its result was never taken");
                effects.push(Effect::Audit(entry));
            }
            *forgotten_ms = record.expires_ms.max(*forgotten_ms);
            effects.push(Effect::Forget(*call));
            false
        });
        self.pump(moment, &mut effects);
        effects
    }

    /// The next that waits, if nothing runs.
    fn pump(&mut self, moment: Moment, effects: &mut Vec<Effect>) {
        let now_ms = moment.now_ms;
        while self.running.is_none() && !self.is_closing {
            let Some(approved) = self.waiting.pop_front() else { return };
            let call = approved.call;
            let Some(record) = self.records.get_mut(&call) else { continue };
            let too_late = if moment.is_stopped {
                Some((TaskRefusal::Disabled, "the file no-tasks came while it waited"))
            } else if judge::is_expired(approved.expires_ms, now_ms) {
                Some((TaskRefusal::Expired, "the order expired while it waited: order it anew"))
            } else {
                None
            };
            if let Some((why, problem)) = too_late {
                record.becomes(TaskWord::Refused { why }, problem, now_ms);
            } else {
                record.becomes(TaskWord::Running, "", now_ms);
                self.running = Some(call);
            }
            effects.push(Effect::Keep(record.clone()));
            effects.push(Effect::Audit(entry_of(record, now_ms)));
            self.tell(call, effects);
            if self.running == Some(call) {
                effects.push(Effect::Start(approved));
            }
        }
    }

    /// The call's state, and what of all output may go.
    fn tell(&mut self, call: TaskCall, effects: &mut Vec<Effect>) {
        if let Some(record) = self.records.get(&call).filter(|_| self.is_connected) {
            effects.push(Effect::Tell(record.state()));
        }
        self.tell_chunks(effects);
    }

    fn tell_chunks(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_connected {
            return;
        }
        let records = &self.records;
        let acked = |call: &TaskCall| records.get(call).map_or(0, |record| record.chunks_acked);
        let under_way = |(call, next): (&TaskCall, &u32)| next.saturating_sub(acked(call));
        let under_way: u32 = self.next_chunk.iter().map(under_way).sum();
        let mut room = TASK_CHUNKS_UNDER_WAY_MAX.saturating_sub(under_way);
        for record in records.values().filter(|record| record.chunks_acked < record.chunks) {
            let next = self.next_chunk.entry(record.call).or_insert(record.chunks_acked);
            *next = (*next).max(record.chunks_acked);
            while *next < record.chunks && room > 0 {
                effects.push(Effect::TellChunk { call: record.call, chunk: *next });
                *next += 1;
                room -= 1;
            }
        }
    }
}

fn entry_of(record: &Record, now_ms: i64) -> Entry {
    let (word, code) = written(record.word);
    let number = if matches!(record.word, TaskWord::Ended { .. } | TaskWord::Killed { .. }) {
        format!(" {code}")
    } else {
        String::new()
    };
    let detail = if record.problem.is_empty() { number } else { format!("{number} {}", record.problem) };
    Entry::new(now_ms, word).of(record.call).task(&record.task).detail(detail.trim().to_owned())
}

/// As much as a frame takes.
fn cut(text: &str) -> String {
    let mut end = text.len().min(PROBLEM_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests;
