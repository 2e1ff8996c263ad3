//! The thread around the reader: it waits for words, changes and the journal, lets the machines take their turns, and hands batches on.
//!
//! Batches go through a bounded channel; while it is full nothing is read. A disk that hangs holds up this thread alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::wire::message::{Position, Problem, SourceId};

use super::batch::Batch;
use super::counters::SkipReason;
use super::defaults;
use super::files::{Files, RealFiles};
use super::hints::{HintFile, Hints};
use super::journal::child::{JournalChild, Said, probe};
use super::journal::entry;
use super::journal::machine::Journal;
use super::log_spool::{self, LogSpool};
use super::reader::{LogReader, Scope};
use super::settings::{From, LogsConfig};
use super::watch::{Change, Watch};
use crate::own::Own;
use crate::uplink::Moment;
use muster_common::redact::Redactor;

/// Words and changes that wait; what does not fit of the changes is found by the sweep.
const INBOX_MAX: usize = 1_024;
/// Entries of the journal that wait: the child stops at its pipe.
const SAID_MAX: usize = 256;
/// The thread wakes at least this often.
const WAKE_WITHIN: Duration = Duration::from_secs(10);
/// A batch that finds no room is offered again after this.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// What the uplink tells the reader.
#[derive(Debug)]
pub enum LogWord {
    /// What the collector has committed.
    Seek {
        positions: Vec<Position>,
        scope: Scope,
    },
    Acked {
        source: SourceId,
        to: u64,
    },
    /// The collector cannot take these sources' lines up to here; said before the seek that makes them go again.
    GiveUp(Vec<(SourceId, u64)>),
    Hold(bool),
}

/// What the reader tells the uplink.
#[derive(Debug)]
pub enum LogNews {
    Batch {
        /// The seeks that were worked in before it was read: what comes from before the latest one is old.
        seeks: u64,
        batch: Batch,
    },
    /// All problems there are now.
    Problems(Vec<Problem>),
}

enum Input {
    Word(LogWord),
    Change(Change),
    Journal,
    Stop,
}

/// The handle. Dropping it ends the thread.
pub struct LogWorker {
    inbox: SyncSender<Input>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What the thread is started with.
pub struct LogWorkerConfig<D> {
    pub logs: LogsConfig,
    pub disk: D,
    pub state_dir: PathBuf,
    /// The program `journalctl`.
    pub journalctl: PathBuf,
    pub own: Arc<Own>,
}

/// Why the thread cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogWorkerError {
    #[error("no thread can be started for logs: {source}; raise the limit of tasks for this user")]
    Thread {
        #[source]
        source: std::io::Error,
    },
    #[error("redaction pattern {index}: {problem}")]
    Pattern { index: usize, problem: String },
}

impl LogWorker {
    /// Starts the thread, if there is anything to read. `tell` says what is new and `false` when it has no room now.
    ///
    /// # Errors
    /// [`LogWorkerError`]
    pub fn start<D: Disk + Clone>(
        config: LogWorkerConfig<D>,
        tell: impl FnMut(LogNews) -> Result<(), LogNews> + Send + 'static,
    ) -> Result<Option<Self>, LogWorkerError> {
        let redactor = Redactor::new(&config.logs.redaction)
            .map_err(|(index, problem)| LogWorkerError::Pattern { index, problem })?;
        let wants_journal = config.logs.journal.enabled.unwrap_or(config.logs.groups.is_none());
        let machine_id = wants_journal.then(|| probe(&config.journalctl)).flatten();
        let (mut groups, reads_journal) = defaults::choose(&config.logs, machine_id.is_some(), &RealFiles);
        // Beside the host's own, or beside the default: nobody loses the journal by a profile.
        let first_remote = groups.len();
        let remote = config.logs.remote;
        let fence = (!remote.groups.is_empty()).then_some((first_remote, remote.fence));
        groups.extend(remote.groups);
        if groups.is_empty() && !reads_journal {
            return Ok(None);
        }
        let (inbox, inputs) = sync_channel(INBOX_MAX);
        let changes = inbox.clone();
        let watch = Watch::new(move |change| match changes.try_send(Input::Change(change)) {
            // Missed ones are found by the sweep; a thread that has ended needs none.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        });
        let spool = LogSpool::open(Arc::new(config.disk.clone()), &config.state_dir, log_spool::BYTES_MAX);
        let (hint_file, hints) = HintFile::open(config.disk, &config.state_dir);
        let from = config.logs.journal.from.unwrap_or(From::End);
        let journal =
            machine_id.filter(|_| reads_journal).map(|id| JournalEdge::new(&id, from, config.journalctl, &inbox));
        let body = move || {
            let mut reader = LogReader::new(RealFiles, groups, redactor, Arc::clone(&config.own), hints.clone());
            if let Some((first, fence)) = fence {
                reader.set_fence(first, fence);
            }
            reader.set_spool(spool);
            let worker = Worker {
                reader,
                watch,
                hint_file,
                hints,
                journal,
                own: config.own,
                tell,
                seeks: 0,
                told: Vec::new(),
                waiting: None,
            };
            worker.run(&inputs);
        };
        let thread = std::thread::Builder::new()
            .name("muster-logs".to_owned())
            .stack_size(512 << 10)
            .spawn(body)
            .map_err(|source| LogWorkerError::Thread { source })?;
        Ok(Some(Self { inbox, thread: Some(thread) }))
    }

    /// Hands a word over; waits for room, which comes as soon as the thread has done what it is at.
    pub fn say(&self, word: LogWord) {
        // A thread that has ended, which only a panic does, needs no word.
        let _ = self.inbox.send(Input::Word(word));
    }
}

impl Drop for LogWorker {
    fn drop(&mut self) {
        let _ = self.inbox.send(Input::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The journal with its child.
struct JournalEdge {
    machine: Journal,
    child: JournalChild,
    /// Lines come here; the forwarding thread pokes the inbox.
    lines: Receiver<Said>,
    sender: SyncSender<Said>,
    is_answered: bool,
}

impl JournalEdge {
    fn new(machine_id: &str, from: From, program: PathBuf, inbox: &SyncSender<Input>) -> Self {
        let (sender, raw) = sync_channel::<Said>(SAID_MAX);
        let (forward, lines) = sync_channel(SAID_MAX);
        let inbox = inbox.clone();
        let body = move || {
            while let Ok(said) = raw.recv() {
                if forward.send(said).is_err() {
                    return;
                }
                match inbox.try_send(Input::Journal) {
                    Ok(()) | Err(TrySendError::Full(_)) => {}
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
        };
        if let Err(error) =
            std::thread::Builder::new().name("muster-journald".to_owned()).stack_size(128 << 10).spawn(body)
        {
            tracing::warn!(%error, "no thread for the journal");
        }
        Self {
            machine: Journal::new(machine_id, from),
            child: JournalChild::new(program),
            lines,
            sender,
            is_answered: false,
        }
    }

    fn seek(&mut self, positions: &[Position], hint: &str, own: &Own, now: Moment) {
        let begin = self.machine.seek(positions, hint);
        self.is_answered = true;
        own.logs.journal_starts.add(1);
        self.child.start(&begin, self.sender.clone(), now.steady);
    }

    fn restart(&mut self, own: &Own, now: Moment) {
        let begin = self.machine.begin("");
        own.logs.journal_starts.add(1);
        self.child.start(&begin, self.sender.clone(), now.steady);
    }

    /// Entries that wait, as many as a batch takes.
    fn turn(&mut self, redactor: &Redactor, own: &Own, now: Moment) -> Option<Batch> {
        if !self.is_answered {
            return None;
        }
        if self.child.restart_at().is_some_and(|at| at <= now.steady) {
            self.restart(own, now);
        }
        let mut batch = Batch::default();
        self.machine.told_skip().into_iter().for_each(|skip| batch.push(skip));
        while !batch.is_full() {
            match self.lines.try_recv() {
                Ok(Said::Line { run, line }) if run == self.child.run() => match entry::parse(&line) {
                    Ok(entry) => {
                        self.child.is_well();
                        own.logs.lines.add(1);
                        own.logs.bytes.add(entry.message.len() as u64);
                        own.logs.redacted.add(self.machine.take(entry, redactor, &mut batch));
                    }
                    Err(_) => own.logs.skip(SkipReason::Journal, line.len() as u64),
                },
                Ok(Said::Ended { run, complaint }) if run == self.child.run() => {
                    tracing::warn!(%complaint, "journalctl ended; it is started again");
                    self.child.ended(now.steady);
                }
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}

struct Worker<F: Files, D, T> {
    reader: LogReader<F>,
    watch: Watch,
    hint_file: HintFile<D>,
    hints: Hints,
    journal: Option<JournalEdge>,
    own: Arc<Own>,
    tell: T,
    seeks: u64,
    told: Vec<Problem>,
    /// A batch that found no room.
    waiting: Option<Batch>,
}

impl<F: Files + Clone, D: Disk, T: FnMut(LogNews) -> Result<(), LogNews>> Worker<F, D, T> {
    fn run(mut self, inputs: &Receiver<Input>) {
        let mut is_held = false;
        loop {
            let now = Moment::read();
            if !is_held {
                self.take_turns(now);
            } else {
                // Files are still looked for and held open.
                let _ = self.reader.turn(now);
            }
            self.look_after(now);
            let wait = self.wait(now, is_held);
            let first = match inputs.recv_timeout(wait) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // What came meanwhile is worked in before anything is read.
            for input in first.into_iter().chain(inputs.try_iter().take(INBOX_MAX)) {
                match input {
                    Input::Stop => {
                        let now = Moment::read();
                        self.reader.rescue(now, true);
                        return self.write_hints(now, true);
                    }
                    Input::Word(LogWord::Hold(hold)) => {
                        is_held = hold;
                        self.reader.hold(hold);
                    }
                    Input::Word(word) => self.hear(word),
                    Input::Change(change) => self.reader.changed(&change.path, change.is_name, Moment::read()),
                    Input::Journal => {}
                }
            }
        }
    }

    fn hear(&mut self, word: LogWord) {
        let now = Moment::read();
        match word {
            LogWord::Seek { positions, scope } => {
                self.seeks += 1;
                self.waiting = None;
                self.reader.seek(&positions, scope, now);
                if let Some(journal) = &mut self.journal {
                    let is_named = positions.iter().any(|one| one.source == *journal.machine.source());
                    if scope == Scope::All || is_named {
                        journal.seek(&positions, &self.hints.cursor, &self.own, now);
                    } else {
                        let back = journal.machine.acked_position();
                        journal.seek(&back, "", &self.own, now);
                    }
                }
            }
            LogWord::Acked { source, to } => match &mut self.journal {
                Some(journal) if *journal.machine.source() == source => journal.machine.acked(to),
                _ => self.reader.acked(&source, to),
            },
            LogWord::GiveUp(ends) => {
                for (source, to) in ends {
                    match &mut self.journal {
                        Some(journal) if *journal.machine.source() == source => {
                            self.own.logs.skip(SkipReason::Refused, 0);
                            journal.machine.give_up(to);
                        }
                        _ => self.reader.give_up(&source, to, now),
                    }
                }
            }
            LogWord::Hold(_) => {}
        }
    }

    /// Reads as long as there is room for what is read.
    fn take_turns(&mut self, now: Moment) {
        if let Some(batch) = self.waiting.take()
            && !self.offer(batch)
        {
            return;
        }
        if let Some(batch) = self.reader.turn(now)
            && !self.offer(batch)
        {
            return;
        }
        if let Some(journal) = &mut self.journal
            && let Some(batch) = journal.turn(&self.reader.redactor, &self.own, now)
        {
            self.offer(batch);
        }
    }

    fn offer(&mut self, batch: Batch) -> bool {
        match (self.tell)(LogNews::Batch { seeks: self.seeks, batch }) {
            Ok(()) => true,
            Err(LogNews::Batch { batch, .. }) => {
                self.waiting = Some(batch);
                false
            }
            Err(LogNews::Problems(_)) => true,
        }
    }

    fn look_after(&mut self, now: Moment) {
        let is_watched = self.watch.set(self.reader.folders());
        self.reader.set_watched(is_watched);
        let problems = self.reader.problems();
        if problems != self.told && (self.tell)(LogNews::Problems(problems.clone())).is_ok() {
            self.told = problems;
        }
        self.write_hints(now, false);
    }

    fn write_hints(&mut self, now: Moment, is_last: bool) {
        // Before the first answer nothing is known that was not known before.
        if self.seeks == 0 || (!is_last && !self.hint_file.is_due(now.steady)) {
            return;
        }
        let cursor = self.journal.as_ref().map_or("", |journal| journal.machine.hint());
        let cursor = if cursor.is_empty() { self.hints.cursor.clone() } else { cursor.to_owned() };
        if let Err(error) = self.hint_file.write(self.reader.hints(&cursor), now.steady) {
            tracing::warn!(%error, "the hints of log positions cannot be written; positions are the collector's anyway");
        }
    }

    fn wait(&self, now: Moment, is_held: bool) -> Duration {
        if self.waiting.is_some() && !is_held {
            return FULL_PAUSE;
        }
        let restart = self.journal.as_ref().and_then(|journal| journal.child.restart_at());
        let due = restart.map_or(self.reader.next_due(now), |at| at.min(self.reader.next_due(now)));
        due.saturating_sub(now.steady).min(WAKE_WITHIN)
    }
}

#[cfg(test)]
mod tests;
