//! One simulated host: a real session and a real spool on a disk whose power can be cut.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muster_agent::own::Own;
use muster_agent::rows::Series;
use muster_agent::spool::{Spool, SpoolAnswer, SpoolConfig, SpoolLimits, SpoolRequest};
use muster_agent::uplink::session::{Channel, Effect, HelloFacts, Input, Session, Settings};
use muster_agent::uplink::{Moment, Row};
use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::host::HostId;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{HostFacts, Lane, Message};

use super::files::{Changed, LogFiles, Tailer};
use super::ledger::{Ledger, RowNumber, Violation, Wiretap, rows_in};
use super::lines::any_file;
use super::link::Link;
use super::planted::Bug;

/// Series of a simulated host: enough that a row has bitmaps, few enough that worlds are quick.
pub(super) const SERIES: usize = 3;
/// A check ends in one of so many steps.
const REPORT_ONE_IN: u32 = 20;
/// How often a simulated host samples.
const ROW_EVERY_MS: i64 = 2_000;

/// A state of a host's disk to which it may be reverted.
#[derive(Clone)]
pub(super) struct Saved {
    image: DiskImage,
    kept: BTreeSet<RowNumber>,
}

/// One host.
pub(super) struct AgentNode {
    pub(super) number: usize,
    pub(super) host: HostId,
    pub(super) disk: CutDisk,
    pub(super) link: Option<Link>,
    /// A connection attempt under way ends then.
    pub(super) connect_due_ms: Option<i64>,
    /// When it boots again; `None`: it runs.
    pub(super) restart_ms: Option<i64>,
    pub(super) clock_offset_ms: i64,
    /// Whether rows in memory may have been lost.
    pub(super) crashed: bool,
    stamped: BTreeSet<i64>,
    saved: Vec<Saved>,
    running: Option<Running>,
    rng: fastrand::Rng,
    bug: Option<Bug>,
    pub(super) trace: bool,
    pub(super) files: LogFiles,
    /// Whether its programs write lines.
    writes: bool,
    /// How often a file is rotated, in thousandths a step.
    pub(super) rotation: u32,
    /// What a frame on a lane takes at most: retransmissions hold a stream up.
    pub(super) lane_delay_ms: i64,
}

struct Running {
    session: Session,
    spool: Spool,
    next_row_ms: i64,
    tap: Wiretap,
    spool_tap: Wiretap,
    /// Appended and not yet synced.
    unsynced: Vec<RowNumber>,
    series: Vec<Series>,
    tailer: Tailer,
}

impl AgentNode {
    pub(super) fn new(number: usize, host: HostId, seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let is_packing = rng.bool();
        Self {
            number,
            host,
            disk: CutDisk::new(seed),
            link: None,
            connect_due_ms: None,
            restart_ms: Some(0),
            clock_offset_ms: 0,
            crashed: false,
            stamped: BTreeSet::new(),
            saved: Vec::new(),
            running: None,
            rng,
            bug,
            trace: false,
            files: LogFiles::new(number, is_packing),
            writes: true,
            rotation: 0,
            lane_delay_ms: 120,
        }
    }

    /// A machine with a copy of this one's disk.
    pub(super) fn clone_machine(&mut self, number: usize) -> Self {
        let mut clone = Self::new(number, self.host, self.rng.u64(..), self.bug);
        clone.disk = CutDisk::from_image(self.rng.u64(..), &self.disk.image());
        clone.crashed = true;
        clone.trace = self.trace;
        clone.lane_delay_ms = self.lane_delay_ms;
        clone.rotation = self.rotation;
        clone
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.session.is_settled() && running.tailer.is_idle())
    }

    /// Everything of the session that tells why it does not settle.
    pub(super) fn describe(&self) -> String {
        let Some(running) = &self.running else { return "not running".to_owned() };
        let epochs: Vec<_> = running.session.epochs().collect();
        format!(
            "{:?}, epochs (epoch, acked, given out) {epochs:?}, {:?} of {:?}",
            running.session.link_state(),
            running.tailer,
            self.files
        )
    }

    fn moment(&self, now_ms: i64) -> Moment {
        Moment {
            wall: Timestamp::from_millis(now_ms + self.clock_offset_ms),
            steady: Duration::from_millis(u64::try_from(now_ms).unwrap_or(0)),
        }
    }

    pub(super) fn tell(&self, now_ms: i64, what: &str) {
        if self.trace {
            eprintln!("{now_ms} agent {}: {what}", self.number);
        }
    }

    /// The process ends without a word; on a power cut unsynced bytes go too.
    pub(super) fn crash(&mut self, now_ms: i64, power: bool) {
        self.tell(now_ms, if power { "power cut" } else { "killed" });
        self.crashed = true;
        self.running = None;
        self.connect_due_ms = None;
        let later = now_ms + self.rng.i64(1..3_000);
        if let Some(link) = &mut self.link {
            link.cut(now_ms, later);
        }
        if power {
            self.disk.cut();
        }
        self.restart_ms = Some(now_ms + self.rng.i64(100..15_000));
    }

    /// Remembers the disk as it would survive a cut now.
    pub(super) fn save(&mut self, ledger: &Ledger) {
        self.saved.push(Saved { image: self.disk.image(), kept: ledger.kept_now(self.number) });
    }

    /// The machine is reverted to one of its older states.
    pub(super) fn revert(&mut self, now_ms: i64, ledger: &mut Ledger) {
        if self.saved.is_empty() {
            return;
        }
        self.crash(now_ms, true);
        self.tell(now_ms, "reverted");
        let saved = self.saved[self.rng.usize(..self.saved.len())].clone();
        self.disk.restore_image(&saved.image);
        ledger.revert(self.number, saved.kept);
    }

    /// Somebody deletes the state folder while the agent is down.
    pub(super) fn wipe(&mut self, now_ms: i64, ledger: &mut Ledger) {
        self.crash(now_ms, true);
        self.tell(now_ms, "wiped");
        self.disk = CutDisk::new(self.rng.u64(..));
        ledger.revert(self.number, BTreeSet::new());
    }

    /// The process starts: what the spool holds is taken over.
    fn boot(&mut self, now_ms: i64) -> Result<(), Violation> {
        let own = Arc::new(Own::default());
        let config = SpoolConfig { folder: PathBuf::from("/spool"), host: self.host, limits: SpoolLimits::default() };
        let opened = Spool::open(Arc::new(self.disk.clone()), config, Arc::clone(&own));
        let (spool, loaded) = match opened {
            Ok(opened) => opened,
            // A planned disk error hit the start: the service is started again.
            Err(_) => {
                self.restart_ms = Some(now_ms + 1_000);
                return Ok(());
            }
        };
        let facts = HelloFacts {
            agent_version: "sim".to_owned(),
            boot_id: [1; 16],
            started_ms: now_ms,
            facts: HostFacts::default(),
        };
        let mut random = self.rng.fork();
        #[expect(unused_mut, reason = "a bug may be planted")]
        let mut settings = Settings {
            interval: Duration::from_millis(ROW_EVERY_MS.unsigned_abs()),
            planted: match self.bug {
                Some(Bug::Agent(bug)) => Some(bug),
                _ => None,
            },
            ..Settings::default()
        };
        let tailer = Tailer::new(&self.files, &self.disk, Arc::clone(&own))?;
        let session = Session::new(settings, facts, own, loaded, Box::new(move || random.u64(..)));
        let machine = self.number.to_string();
        let series = |number: usize| Series {
            name: format!("series_{number}"),
            // A clone samples at the same milliseconds: its series are told apart so that none hides another's rows.
            labels: vec![("machine".to_owned(), machine.clone())],
            kind: MetricKind::Gauge,
        };
        self.running = Some(Running {
            session,
            spool,
            next_row_ms: now_ms + self.rng.i64(0..ROW_EVERY_MS),
            tap: Wiretap::default(),
            spool_tap: Wiretap::default(),
            unsynced: Vec::new(),
            series: (0..SERIES).map(series).collect(),
            tailer,
        });
        self.restart_ms = None;
        Ok(())
    }

    /// Whatever is due by now.
    pub(super) fn step(&mut self, now_ms: i64, ledger: &mut Ledger) -> Result<(), Violation> {
        if self.restart_ms.is_some_and(|due| due <= now_ms) {
            self.boot(now_ms)?;
        }
        self.receive(now_ms, ledger)?;
        self.write_lines(now_ms, ledger);
        let now = self.moment(now_ms);
        let Some(running) = &mut self.running else { return Ok(()) };
        if running.next_row_ms <= now_ms {
            running.next_row_ms += ROW_EVERY_MS;
            let row = ledger.make(self.host);
            let correction_ms = running.session.correction_at(now);
            let values: Vec<f64> = (0..SERIES).map(|number| row as f64 + number as f64 * 0.25).collect();
            let mut at_ms = now_ms + self.clock_offset_ms + correction_ms;
            // After a step back of the clock two readings may bear one stamp, and the later would hide the earlier.
            while !self.stamped.insert(at_ms) {
                at_ms += 1;
            }
            let series = running.series.clone();
            let row = Row { at_ms, generation: 1, series: &series, values: &values, present: &[0b111] };
            self.input(now_ms, Input::Row(row), ledger)?;
        }
        self.check(now_ms, ledger)?;
        self.lines(now_ms, ledger)?;
        let due = self.running.as_ref().and_then(|running| running.session.deadline());
        if due.is_some_and(|due| due <= self.moment(now_ms).steady) || self.rng.u32(..10) == 0 {
            self.input(now_ms, Input::Tick, ledger)?;
        }
        Ok(())
    }

    /// A check ends now and then.
    fn check(&mut self, now_ms: i64, ledger: &mut Ledger) -> Result<(), Violation> {
        let now = self.moment(now_ms);
        let Some(running) = self.running.as_mut().filter(|_| self.rng.u32(..REPORT_ONE_IN) == 0) else { return Ok(()) };
        let mut at_ms = now_ms + self.clock_offset_ms + running.session.correction_at(now);
        while !self.stamped.insert(at_ms) {
            at_ms += 1;
        }
        let report = ledger.reports.make(self.host, self.number, at_ms);
        self.input(now_ms, Input::Reports(vec![report]), ledger)
    }

    /// The host's programs write their logs, and rotate them. A file of which nobody ever had a line is not rotated: what was rotated
    /// away before the agent's time is not read.
    fn write_lines(&mut self, now_ms: i64, ledger: &mut Ledger) {
        if !self.writes {
            return;
        }
        let mut changes: Vec<Changed> = Vec::new();
        if self.rng.u32(..10) == 0 {
            changes.push(self.files.write(&mut self.rng));
            ledger.lines.note_written(self.number, &self.files);
        }
        let (_, file) = any_file(self.number, &mut self.rng);
        if self.rng.u32(..1_000) < self.rotation && ledger.lines.is_known((self.number, file)) {
            changes.extend(self.files.rotate(file));
        }
        let now = self.moment(now_ms);
        for change in changes {
            // What the system does not say is found by looking.
            if self.rng.u32(..8) > 0
                && let Some(running) = &mut self.running
            {
                running.tailer.changed(&change, now);
            }
        }
    }

    /// Programs end: no line stays half written.
    pub(super) fn end_writing(&mut self) {
        self.writes = false;
        self.files.finish();
    }

    /// The reader hands out what the session takes.
    fn lines(&mut self, now_ms: i64, ledger: &mut Ledger) -> Result<(), Violation> {
        let now = self.moment(now_ms);
        if let Some(running) = &mut self.running {
            let is_resting = running.session.rests_logs(now);
            running.tailer.turn(is_resting, now, &mut self.rng)?;
        }
        while let Some(running) = &mut self.running {
            // Often several batches wait behind each other, and lines behind them.
            if !running.session.takes_logs(now) || self.rng.u32(..5) > 0 {
                return Ok(());
            }
            let Some(frame) = running.tailer.next() else { return Ok(()) };
            self.input(now_ms, Input::Logs(frame), ledger)?;
        }
        Ok(())
    }

    /// What the network brings.
    fn receive(&mut self, now_ms: i64, ledger: &mut Ledger) -> Result<(), Violation> {
        while let Some(message) = self.link.as_mut().and_then(|link| link.down.pop(now_ms)) {
            if !matches!(message, Message::Ack(_)) {
                self.tell(now_ms, &format!("gets {message:?}"));
            }
            if self.running.is_some() {
                self.input(now_ms, Input::Message(message), ledger)?;
            }
        }
        let learns = self.link.as_ref().and_then(|link| link.agent_learns_ms);
        if learns.is_some_and(|due| due <= now_ms) && self.running.is_some() {
            if let Some(link) = &mut self.link {
                // Once is enough.
                link.agent_learns_ms = Some(i64::MAX);
            }
            self.input(now_ms, Input::Disconnected, ledger)?;
        }
        Ok(())
    }

    /// The connection attempt succeeded.
    pub(super) fn connected(&mut self, now_ms: i64, link: Link, ledger: &mut Ledger) -> Result<(), Violation> {
        self.connect_due_ms = None;
        self.link = Some(link);
        if let Some(running) = &mut self.running {
            running.tap = Wiretap::default();
            running.tailer.connected();
        }
        self.input(now_ms, Input::Connected, ledger)
    }

    /// The connection attempt failed.
    pub(super) fn not_connected(&mut self, now_ms: i64, ledger: &mut Ledger) -> Result<(), Violation> {
        self.connect_due_ms = None;
        self.input(now_ms, Input::Disconnected, ledger)
    }

    fn input(&mut self, now_ms: i64, input: Input<'_>, ledger: &mut Ledger) -> Result<(), Violation> {
        let now = self.moment(now_ms);
        let Some(running) = &mut self.running else { return Ok(()) };
        let mut waiting = Vec::new();
        running.session.step(now, input, &mut waiting);
        let mut waiting = VecDeque::from(waiting);
        while let Some(effect) = waiting.pop_front() {
            if self.disk.is_off() {
                self.crash(now_ms, true);
                return Ok(());
            }
            match effect {
                Effect::Spool(request) => {
                    let Some(answer) = self.spool(request, ledger)? else { continue };
                    let Some(running) = &mut self.running else { return Ok(()) };
                    let mut more = Vec::new();
                    running.session.step(now, Input::Spool(answer), &mut more);
                    waiting.extend(more);
                }
                other => self.effect(now_ms, other, ledger)?,
            }
        }
        Ok(())
    }

    fn spool(&mut self, request: SpoolRequest, ledger: &mut Ledger) -> Result<Option<SpoolAnswer>, Violation> {
        let Some(running) = &mut self.running else { return Ok(None) };
        let rows = match &request {
            SpoolRequest::Append { batch, context_frame } => {
                rows_in(context_frame.as_deref(), &batch.frame, &mut running.spool_tap)?
            }
            _ => None,
        };
        let answer = running.spool.serve(request);
        match &answer {
            Some(SpoolAnswer::Appended { outcome: muster_agent::spool::AppendOutcome::Held { .. }, .. }) => {
                if let Some(batch) = rows {
                    ledger.spool(self.host, &batch);
                    running.unsynced.extend(batch.rows);
                }
            }
            Some(SpoolAnswer::Synced { trouble: None }) => {
                ledger.keep(self.number, std::mem::take(&mut running.unsynced));
            }
            _ => {}
        }
        Ok(answer)
    }

    fn effect(&mut self, now_ms: i64, effect: Effect, ledger: &mut Ledger) -> Result<(), Violation> {
        match effect {
            Effect::Connect => self.connect_due_ms = Some(now_ms + self.rng.i64(1..500)),
            Effect::Send { on, bytes } => {
                let most_ms = if on == Channel::Control { 120 } else { self.lane_delay_ms };
                let delay = self.rng.i64(1..most_ms);
                let Some(running) = &mut self.running else { return Ok(()) };
                match on {
                    Channel::Lane(Lane::P0) => ledger.reports.on_wire(self.host, &bytes)?,
                    Channel::Lane(Lane::P2) => ledger.lines.on_wire(&mut running.tailer, self.host, &bytes)?,
                    Channel::Lane(_) => ledger.on_wire(&mut running.tap, (self.number, self.host), &bytes)?,
                    Channel::Control => {}
                }
                let Some(link) = self.link.as_mut().filter(|link| !link.is_cut()) else { return Ok(()) };
                match on {
                    Channel::Control => link.control_up.push(now_ms, delay, bytes),
                    Channel::Lane(_) => link.lane_up.push(now_ms, delay, bytes),
                }
            }
            Effect::Close => {
                let later = now_ms + self.rng.i64(1..500);
                if let Some(link) = &mut self.link {
                    link.cut(i64::MAX, later);
                }
            }
            Effect::Note(note) => self.tell(now_ms, &format!("{note:?}")),
            Effect::Logs(order) => {
                self.tell(now_ms, &format!("reader {order:?}"));
                let now = self.moment(now_ms);
                if let Some(running) = &mut self.running {
                    running.tailer.obey(&order, now);
                }
            }
            Effect::Renewed { .. }
            | Effect::Done
            | Effect::Spool(_)
            | Effect::Handed(_)
            | Effect::Inventory(_)
            | Effect::Ask(_) => {}
            // Its collector offers none.
            Effect::Configuration(_) | Effect::Tasks(_) => {}
        }
        Ok(())
    }
}

/// The message that arrives at an agent, as the ledger sees it on its way.
pub(super) fn note_promise(ledger: &mut Ledger, host: HostId, message: &Message, now_ms: i64) {
    match message {
        Message::Ack(ack) if ack.lane == Lane::P2 => ledger.lines.on_ack(host, ack.epoch, ack.seq, now_ms),
        Message::Ack(ack) => ledger.on_ack(host, ack.epoch, ack.lane, ack.seq, now_ms),
        Message::Welcome(welcome) => {
            for mark in &welcome.marks {
                match mark.lane {
                    Lane::P2 => ledger.lines.on_ack(host, mark.epoch, mark.seq, now_ms),
                    lane => ledger.on_ack(host, mark.epoch, lane, mark.seq, now_ms),
                }
            }
        }
        _ => {}
    }
}
