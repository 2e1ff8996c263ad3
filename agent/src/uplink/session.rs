//! The session machine: what the agent does with rows, with the collector's frames, with the spool's answers and with time.
//!
//! Pure: `step` takes one input and says what to do; no socket, no disk, no clock. It follows EXACTLY-ONCE.md, whose rule numbers stand beside
//! the code. Its parts: [`epochs`] which epoch is written to and how it is made durable; [`numbering`] rows to numbered batches; [`link`]
//! connecting, hello, refusals; [`welcome`] marks, reverted machines, restored stores; [`moving`] content that goes again under another
//! epoch; [`drain`] what is sent when, gaps, acks; [`reports`] results of checks, [`handed`] those of other processes; [`logs`] lines of files; [`questions`] what the collector asks; [`configuration`] what the host runs by; [`tasks`] frames of tasks, which are carried; [`spooling`] from memory to disk; [`stopping`] the orderly end.
//!
//! What holds at all times:
//! - a seq is given out only in an epoch whose row is durable, below the bound in that row (rule 2);
//! - nothing is remembered of what is missing: a gap is what neither memory nor a read of the spool has (rule 6);
//! - memory is bounded by [`Settings::queue_bytes_max`], what is under way by the window, the spool's requests by a count.

mod configuration;
mod drain;
mod epochs;
mod handed;
mod link;
mod logs;
mod moving;
mod note;
mod numbering;
mod questions;
mod reports;
mod run;
mod spooling;
mod stopping;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod welcome;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use muster_common::inventory::Digest;
use muster_common::wire::frame::Encoder;
use muster_common::wire::message::{
    Answer, Ask, Configuration, ConfigurationState, Epoch, GoodbyeReason, HostFacts, Lane, Message, Problem, Report,
};

use self::epochs::{Keeping, LANES};
use self::handed::Handed;
pub use self::handed::{HandedAnswer, HandedFrame, HandedOrder};
use self::link::Link;
use self::logs::Logs;
pub use self::logs::{LogFrame, LogOrder};
use self::moving::Move;
pub use self::note::Note;
use self::reports::Waiting;
use self::run::Run;
use self::spooling::Spooling;
use self::stopping::Stopping;
use super::backoff::Backoff;
use super::batch::{Batcher, Row};
use super::clock::{Clock, Step};
use super::moment::Moment;
use crate::own::Own;
use crate::spool::{EpochRow, Loaded, SpoolAnswer, SpoolRequest, StoreSeen, Trouble};
use crate::tasks::TaskOrder;

/// Where the session's random numbers come from: the system in the program, a seed in the simulator.
pub type Random = Box<dyn FnMut() -> u64 + Send>;

/// Bounds and intervals. The defaults are the documented ones.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often rows come: where that is no more often than the linger, waiting for a second row only costs time.
    pub interval: Duration,
    /// How long rows are gathered into a batch; the collector may ask for more, up to 10 s.
    pub linger: Duration,
    /// A batch unacked for this long goes to the spool (rule 30).
    pub spool_after: Duration,
    /// Reports are gathered into a batch this long: what happens at once travels together.
    pub report_linger: Duration,
    /// Reports unacked for this long go to the spool and are synced (rule 30).
    pub report_spool_after: Duration,
    /// Reports that may be unacked on the way.
    pub report_window_batches: usize,
    pub report_window_bytes: u64,
    /// Batches in memory with their contexts; beyond it they are spooled at once, and dropped where the spool takes nothing, but for the newest one.
    pub queue_bytes_max: u64,
    /// What may be unacked on the way, all epochs together; backlog may use half.
    pub window_batches: usize,
    pub window_bytes: u64,
    /// Labels that every series gets beside its own.
    pub identity: Vec<(String, String)>,
    /// Backlog bytes for each live byte (rule 4).
    pub backlog_rate: u32,
    /// The bug that the simulator is to find.
    #[cfg(feature = "planted")]
    pub planted: Option<Planted>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            spool_after: Duration::from_secs(10),
            report_linger: Duration::from_millis(20),
            report_spool_after: Duration::from_secs(1),
            report_window_batches: 64,
            report_window_bytes: 512 << 10,
            queue_bytes_max: 1 << 20,
            window_batches: 64,
            window_bytes: 1 << 20,
            identity: Vec::new(),
            backlog_rate: 4,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}

impl Settings {
    fn spool_after_of(&self, lane: Lane) -> Duration {
        if lane == Lane::P0 { self.report_spool_after } else { self.spool_after }
    }
}

/// Deliberate bugs, to show that the simulator finds them.
#[cfg(feature = "planted")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Gaps are sent only for what this process remembers to have dropped (breaks rule 6).
    GapRememberedInsteadOfComputed,
    /// The newest epoch on the disk is written on, at a start and when a mark shows that the machine was reverted (breaks rules 2 and 9).
    EpochReusedAfterRevert,
    /// Spooled batches are given up when they are sent, not when they are acked (breaks invariant 1).
    SpoolDroppedWhenSent,
    /// What is held of an epoch that a restored store lacks goes on under that epoch and again under a new one (breaks rules 9 and 10).
    MovedTwice,
    /// The window of lines is sent again when the connection is back, beside being read again (breaks rule 13).
    LinesResentAndReread,
}

/// What hello tells of this host and process.
#[derive(Clone, Debug, Default)]
pub struct HelloFacts {
    pub agent_version: String,
    pub boot_id: [u8; 16],
    pub started_ms: i64,
    pub facts: HostFacts,
}

/// The QUIC stream that bytes go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Control,
    Lane(Lane),
}

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The sampler has a row.
    Row(Row<'a>),
    /// The TLS connection asked for by [`Effect::Connect`] stands.
    Connected,
    /// It stands, but this host's certificate is expired: such a session serves for its renewal, with the same key, and for nothing else.
    ConnectedExpired { csr_der: Vec<u8> },
    /// It failed, or it is gone.
    Disconnected,
    /// A message of the collector on the control stream.
    Message(Message),
    /// The spool's answer to an [`Effect::Spool`].
    Spool(SpoolAnswer),
    /// What checks found, in order.
    Reports(Vec<Report>),
    /// A report that another process handed over; only where [`Session::takes_handed`].
    Handed(HandedFrame),
    /// The answer to an [`Effect::Handed`].
    HandedAnswer(HandedAnswer),
    /// Lines on their way; only where [`Session::takes_logs`].
    Logs(LogFrame),
    /// Everything that is wrong on this host now, for the collector to show.
    Problems(Vec<Problem>),
    /// What this host answers to an [`Effect::Ask`].
    Answer(Answer),
    /// What this host runs by, for the collector.
    Configuration(ConfigurationState),
    /// A state of a task or its output, for the session that is open.
    Task(Message),
    /// The reader of logs is another one: positions are to be told again.
    Reconnect,
    /// A certificate request for a new key: renew over this connection.
    Renew { csr_der: Vec<u8> },
    /// Time has passed; due at [`Session::deadline`] at the latest.
    Tick,
    /// End in order: flush, say goodbye, spool what is left.
    Stop(GoodbyeReason),
}

/// Something to be done, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Connect to the next address; answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
    Send {
        on: Channel,
        bytes: Arc<[u8]>,
    },
    /// Close the connection; nothing more is expected of it.
    Close,
    Spool(SpoolRequest),
    /// The answer to [`Input::Renew`] or [`Input::ConnectedExpired`].
    Renewed {
        chain_der: Vec<Vec<u8>>,
    },
    /// For the reader of log files.
    Logs(LogOrder),
    /// For the folder of what other processes handed over.
    Handed(HandedOrder),
    /// For who looks at the inventory.
    Inventory(InventoryOrder),
    /// For who answers questions; answer with [`Input::Answer`].
    Ask(Ask),
    /// The collector wants this host to run by it.
    Configuration(Configuration),
    /// For `muster-task`.
    Tasks(TaskOrder),
    Note(Note),
    /// Everything is flushed: the process may end.
    Done,
}

/// What the collector says of this host's inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InventoryOrder {
    /// It takes inventories, and has these tables, by number. Of a collector that takes none nothing is said.
    Known(Vec<(u8, Digest)>),
    /// It wants these tables whole.
    Wanted(Vec<u8>),
}

/// Where the connection stands, for status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    Connecting,
    Connected,
    /// Not connected; the next attempt comes by itself.
    Waiting,
    /// The collector refused; its words.
    Refused {
        message: String,
        remedy: String,
    },
    Stopped,
}

/// The machine. See the module's page.
pub struct Session {
    settings: Settings,
    own: Arc<Own>,
    random: Random,
    facts: HelloFacts,
    link: Link,
    backoff: Backoff,
    clock: Clock,
    probed_at: Duration,
    /// Sorted by epoch, then lane. `current` names the one being written.
    runs: Vec<Run>,
    current: Option<Epoch>,
    keeping: Keeping,
    batcher: Batcher,
    encoder: Encoder,
    /// The context in force: its id, and its frame under some epoch.
    context: Option<(u32, Arc<[u8]>)>,
    linger: Duration,
    hold_until: Duration,
    lanes: u8,
    /// Whether the collector that was heard last reads looks at processes.
    takes_processes: bool,
    /// And whether it reads inventories.
    takes_inventory: bool,
    store: Option<StoreSeen>,
    /// Bytes of backlog that may be sent now; live batches earn it.
    credit: i64,
    moves: VecDeque<Move>,
    spooling: Spooling,
    stopping: Option<Stopping>,
    refusal: Option<(String, String)>,
    logs: Logs,
    reports: Waiting,
    handed: Handed,
    /// Questions of this connection that wait for their answers.
    unanswered: Vec<u64>,
    configuration: configuration::Told,
    tasks: tasks::Tasks,
    #[cfg(feature = "planted")]
    remembered: Vec<(Epoch, u64)>,
    effects: Vec<Effect>,
}

/// A short outage's backlog goes out at once, without earning it first.
const CREDIT_FIRST: i64 = 64 << 10;

impl Session {
    /// A process starts: takes over what the spool holds. Nothing happens before the first `step`.
    pub fn new(settings: Settings, facts: HelloFacts, own: Arc<Own>, loaded: Loaded, random: Random) -> Self {
        let mut session = Self {
            linger: settings.linger,
            batcher: Batcher::new(settings.identity.clone()),
            settings,
            own,
            random,
            facts,
            link: Link::Idle { connect_at: Duration::ZERO },
            backoff: Backoff::default(),
            clock: Clock::default(),
            probed_at: Duration::ZERO,
            runs: Vec::new(),
            current: None,
            keeping: Keeping::at_start(),
            encoder: Encoder::new(),
            context: None,
            hold_until: Duration::ZERO,
            lanes: 0,
            takes_processes: false,
            takes_inventory: false,
            store: loaded.table.store,
            credit: CREDIT_FIRST,
            moves: VecDeque::new(),
            spooling: Spooling::default(),
            stopping: None,
            refusal: None,
            logs: Logs::default(),
            reports: Waiting::default(),
            handed: Handed::default(),
            unanswered: Vec::new(),
            configuration: configuration::Told::default(),
            tasks: tasks::Tasks::default(),
            #[cfg(feature = "planted")]
            remembered: Vec::new(),
            effects: Vec::new(),
        };
        session.take_over(&loaded);
        session.take_over_handed(loaded);
        session
    }

    fn take_over(&mut self, loaded: &Loaded) {
        let spooled = |epoch, lane| {
            let run = loaded.held.iter().find(|run| run.epoch == epoch && run.lane == lane);
            run.map_or(0, |run| run.last_seq)
        };
        let handed = |epoch: Epoch| loaded.handed.iter().filter(move |one| one.place.is_some_and(|at| at.0 == epoch));
        let mut rows = loaded.table.rows.clone();
        if loaded.is_rebuilt {
            rows.extend(loaded.handed.iter().filter_map(|one| Some(EpochRow::unbounded(one.place?.0))));
            rows.sort_unstable_by_key(|row| row.epoch);
            rows.dedup_by_key(|row| row.epoch);
        }
        for row in &rows {
            let last_handed = handed(row.epoch).filter_map(|one| Some(one.place?.1)).max().unwrap_or(0);
            self.add_runs(LANES.map(|lane| {
                let held = if lane == Lane::P0 { last_handed } else { 0 };
                Run::loaded(row, lane, spooled(row.epoch, lane), held)
            }));
        }
        let newest = self.runs.last().map(|run| run.epoch);
        // Of epochs without anything left only the newest is told: by it the collector sees whether this machine was reverted.
        let with_rest: Vec<Epoch> = self.runs.iter().filter(|run| run.has_rest()).map(|run| run.epoch).collect();
        self.runs.retain(|run| with_rest.contains(&run.epoch) || Some(run.epoch) == newest);
        #[cfg(feature = "planted")]
        if self.planted(Planted::EpochReusedAfterRevert)
            && let Some(epoch) = newest
        {
            for run in self.runs.iter_mut().filter(|run| run.epoch == epoch) {
                (run.exact, run.bound) = (true, u64::MAX);
            }
            self.current = Some(epoch);
            self.keeping.wish = None;
        }
    }

    fn add_runs(&mut self, runs: impl IntoIterator<Item = Run>) {
        self.runs.extend(runs);
        self.runs.sort_unstable_by_key(|run| (run.epoch, run.lane));
    }

    #[cfg(feature = "planted")]
    fn planted(&self, bug: Planted) -> bool {
        self.settings.planted == Some(bug)
    }

    /// Takes one input and appends what is to be done, in order, to `effects`.
    pub fn step(&mut self, now: Moment, input: Input<'_>, effects: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, effects);
        self.look_at_clock(now);
        match input {
            Input::Row(row) => self.row(now, &row),
            Input::Reports(reports) => self.take_reports(now, reports),
            Input::Handed(frame) => self.handed_report(now, frame),
            Input::HandedAnswer(answer) => self.handed_answered(answer),
            Input::Connected => self.connected(now),
            Input::ConnectedExpired { csr_der } => self.connected_expired(now, csr_der),
            Input::Disconnected => self.disconnected(now),
            Input::Message(message) => self.message(now, message),
            Input::Spool(answer) => self.spool_answered(now, answer),
            Input::Logs(batch) => self.log_batch(now, batch),
            Input::Problems(problems) => self.problems(problems),
            Input::Answer(answer) => self.answer(answer),
            Input::Configuration(state) => self.configuration_state(state),
            Input::Task(message) => self.task_told(message),
            Input::Reconnect => self.reconnect(now),
            Input::Renew { csr_der } => self.send_renew(csr_der),
            Input::Tick => {}
            Input::Stop(reason) => self.stop(now, reason),
        }
        self.advance(now);
        std::mem::swap(&mut self.effects, effects);
    }

    /// Whatever is due by now, in the order in which one thing makes the next possible.
    fn advance(&mut self, now: Moment) {
        self.cut_if_due(now);
        self.cut_reports_if_due(now);
        self.handed_on(now);
        self.logs_on(now);
        self.open_or_extend_epochs(now);
        self.watch_link(now);
        self.move_on(now);
        self.spool_old(now);
        self.pump(now);
        self.finish_runs();
        self.end_if_flushed(now);
        self.own.epochs_held.set_size(self.epochs_held() as u64);
        self.own.queued_bytes.set_size(self.queued_bytes());
    }

    fn look_at_clock(&mut self, now: Moment) {
        self.clock.observe(now);
        self.own.clock_correction_ms.set(self.clock.correction_ms());
        let step = self.clock.take_step();
        if step != Step::None {
            self.note(Note::ClockStepped { back: step == Step::Back });
            // Ahead too: a machine that was reverted with its memory wakes up like this, and must not go on in its epoch (rule 9).
            self.keeping.wish(epochs::Wish::ClockStep);
        }
    }

    fn spool_answered(&mut self, now: Moment, answer: SpoolAnswer) {
        match answer {
            SpoolAnswer::Kept { version, trouble } => self.kept(now, version, trouble),
            SpoolAnswer::Appended { epoch, lane, seq, outcome, dropped, trouble } => {
                self.keeping.tells_loss |= dropped > 0;
                self.appended(now, (epoch, lane), seq, outcome, trouble);
            }
            SpoolAnswer::Found { epoch, lane, from, found } => self.found(now, (epoch, lane), from, found),
            SpoolAnswer::Unread { epoch, lane, from, trouble } => self.unread(now, (epoch, lane), from, trouble),
            SpoolAnswer::Synced { trouble } => self.spooling.synced(now.steady, trouble),
        }
    }

    /// When the next `step` must come, on the steady clock, if nothing happens before. `None`: nothing is due.
    pub fn deadline(&self) -> Option<Duration> {
        let batch = self.batch_due_at();
        let keep = self.keeping.retry_at();
        let spool = self.spool_due_at();
        let stop = self.stopping.as_ref().map(Stopping::next_deadline);
        let hold = (self.is_open() && self.hold_until > Duration::ZERO).then_some(self.hold_until);
        let moving = self.moves.front().and_then(Move::retry_at);
        let logs = self.logs.deadline();
        let (reports, handed) = (self.reports_due_at(), self.handed.deadline());
        let due = [batch, keep, self.link_deadline(), spool, stop, hold, moving, logs, reports, handed];
        due.into_iter().flatten().min()
    }

    /// What a row is to be stamped with that is read now: this host's clock plus this, ms. A step of the clock since the last `step` is
    /// seen first, so that not even one row bears the old correction.
    pub fn correction_at(&mut self, now: Moment) -> i64 {
        self.clock.observe(now);
        self.clock.correction_ms()
    }

    /// Added to this host's clock for every time stamp, ms.
    pub fn correction_ms(&self) -> i64 {
        self.clock.correction_ms()
    }

    /// Where the connection stands.
    pub fn link_state(&self) -> LinkState {
        if self.stopping.as_ref().is_some_and(Stopping::is_done) {
            return LinkState::Stopped;
        }
        match (&self.link, &self.refusal) {
            (Link::Open { .. }, _) => LinkState::Connected,
            (_, Some((message, remedy))) => LinkState::Refused { message: message.clone(), remedy: remedy.clone() },
            (Link::Idle { .. }, None) => LinkState::Waiting,
            _ => LinkState::Connecting,
        }
    }

    /// The epochs held, oldest first: epoch, committed, given out, batches of both lanes together. For status and tests.
    pub fn epochs(&self) -> impl Iterator<Item = (Epoch, u64, u64)> {
        let sum = |runs: &[Run], of: fn(&Run) -> u64| runs.iter().map(of).fold(0, u64::saturating_add);
        self.runs
            .chunk_by(|a, b| a.epoch == b.epoch)
            .map(move |runs| (runs[0].epoch, sum(runs, |run| run.acked), sum(runs, |run| run.last)))
    }

    fn epochs_held(&self) -> usize {
        self.runs.chunk_by(|a, b| a.epoch == b.epoch).count()
    }

    /// What the disk does not do at present, each with place and remedy.
    pub fn disk_troubles(&self) -> impl Iterator<Item = &Trouble> {
        self.keeping.trouble.iter().chain(self.spooling.troubles())
    }

    /// Whether everything given out so far is committed and no row or report waits.
    pub fn is_settled(&self) -> bool {
        self.moves.is_empty()
            && self.batcher.rows() == 0
            && !self.reports.waits()
            && self.runs.iter().all(|run| !run.has_rest() && !run.blocked)
    }

    fn run(&mut self, epoch: Epoch, lane: Lane) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.epoch == epoch && run.lane == lane)
    }

    fn current_run(&mut self, lane: Lane) -> Option<&mut Run> {
        let current = self.current?;
        self.run(current, lane)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    fn is_open(&self) -> bool {
        matches!(self.link, Link::Open { .. })
    }

    fn queued_bytes(&self) -> u64 {
        self.runs.iter().map(Run::bytes).sum()
    }

    fn note(&mut self, note: Note) {
        self.effects.push(Effect::Note(note));
    }

    fn ask_spool(&mut self, request: SpoolRequest) {
        self.effects.push(Effect::Spool(request));
    }

    /// Epochs whose everything is committed, or that were never used, need no place any more.
    fn finish_runs(&mut self) {
        let epochs = self.runs.chunk_by(|a, b| a.epoch == b.epoch);
        let goes = |runs: &&[Run]| Some(runs[0].epoch) != self.current && runs.iter().all(Run::is_done);
        let done: Vec<Epoch> = epochs.filter(goes).map(|runs| runs[0].epoch).collect();
        self.runs.retain(|run| !done.contains(&run.epoch));
        done.into_iter().for_each(|epoch| self.ask_spool(SpoolRequest::Forget { epoch }));
    }
}
