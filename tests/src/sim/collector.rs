//! The simulated collector: real sessions, fences, store and projection on a disk whose power can be cut.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, Message, Throttle};
use muster_fleet::Fleet;
use muster_ingest::Apply;
use muster_ingest::admit::SeriesBudget;
use muster_ingest::contexts::ContextPool;
use muster_ingest::counters::Counters;
use muster_ingest::fences::{Claim, Fences, SessionNumber};
use muster_ingest::host_labels::HostLabels;
use muster_ingest::session::{Effect, Greeting, Input, Peer, Session, Settings, Shared};
use muster_store::{Admin, Append, CommitError, Config, Outcome, Reader, ReportRecord, StateRecord, Writer};
use parking_lot::Mutex;

use super::ledger::Violation;
use super::planted::Bug;
use super::snapshot;

/// What a collector says to one connection, and connections that it ends.
pub(super) enum Said {
    Message {
        connection: u64,
        message: Box<Message>,
    },
    Closed {
        connection: u64,
    },
    /// An HTTP append was answered, or could not be.
    Http {
        request: u64,
        outcome: Option<Outcome>,
    },
}

/// A state to which it may be restored.
#[derive(Clone)]
struct Saved {
    at_ms: i64,
    image: DiskImage,
    is_snapshot: bool,
}

/// The collector, running or not.
pub(super) struct CollectorNode {
    pub(super) disk: CutDisk,
    pub(super) restart_ms: Option<i64>,
    pub(super) running: Option<Running>,
    saved: Vec<Saved>,
    restored: bool,
    has_started: bool,
    /// Why the last start failed.
    pub(super) start_error: String,
    rng: fastrand::Rng,
    bug: Option<Bug>,
}

struct Connection {
    host: HostId,
    session: Session,
    hello: Option<SessionNumber>,
}

enum Job {
    Commit { connection: u64, token: u64, append: Append },
    Hello { connection: u64, held: Vec<Epoch> },
    Http { request: u64, append: Append },
}

pub(super) struct Running {
    writer: Writer,
    pub(super) reader: Reader,
    pub(super) admin: Admin,
    pub(super) fleet: Arc<Fleet>,
    apply: Apply,
    /// Reports handed to the projection and not looked at yet.
    pub(super) applied: Vec<ReportRecord>,
    shared: Shared,
    settings: Arc<Settings>,
    connections: BTreeMap<u64, Connection>,
    fences: Fences,
    hellos: u64,
    jobs: VecDeque<Job>,
    /// State.redb failed: the process is to be started anew.
    broken: bool,
    /// The host and hello of each connection that said one, also of those that have ended.
    hellos_of: HashMap<u64, (HostId, SessionNumber)>,
    /// The newest hello of each host that was answered.
    welcomed: HashMap<HostId, SessionNumber>,
    /// A commit that came after a later hello was answered.
    undrained: Option<String>,
}

fn labels(host: HostId) -> Arc<HostLabels> {
    Arc::new(HostLabels { id: host, name: host.to_string(), labels: BTreeMap::new() })
}

fn at(now_ms: i64) -> Timestamp {
    Timestamp::from_millis(now_ms)
}

impl CollectorNode {
    pub(super) fn new(seed: u64, bug: Option<Bug>) -> Self {
        Self {
            disk: CutDisk::new(seed),
            restart_ms: Some(0),
            running: None,
            saved: Vec::new(),
            restored: false,
            has_started: false,
            start_error: String::new(),
            rng: fastrand::Rng::with_seed(seed),
            bug,
        }
    }

    pub(super) fn crash(&mut self, now_ms: i64, power: bool) {
        self.running = None;
        if power {
            self.disk.cut();
        }
        self.restart_ms = Some(now_ms + self.rng.i64(10..8_000));
    }

    /// Keeps a state to restore it later: in turn the disk as it is, and a snapshot that the running collector makes. Before the first
    /// start there is none: an empty folder put back is another store.
    pub(super) fn save(&mut self, now_ms: i64) -> Result<(), Violation> {
        if !self.has_started {
            return Ok(());
        }
        let (image, is_snapshot) = match &self.running {
            // A planted bug may make what no snapshot believes.
            Some(running) if self.bug.is_none() && self.saved.len() % 2 == 1 => {
                (snapshot::of(&self.disk, &running.admin, &running.fleet, at(now_ms))?, true)
            }
            _ => (Some(self.disk.image()), false),
        };
        self.saved.extend(image.map(|image| Saved { at_ms: now_ms, image, is_snapshot }));
        Ok(())
    }

    /// Restores an older state; gives the time of that state, and whether it is a snapshot.
    pub(super) fn restore(&mut self, now_ms: i64) -> Option<(i64, bool)> {
        if self.saved.is_empty() {
            return None;
        }
        self.crash(now_ms, true);
        // What was saved later is of a future that did not happen.
        let chosen = self.rng.usize(..self.saved.len());
        self.saved.truncate(chosen + 1);
        let Saved { at_ms, image, is_snapshot } = self.saved[chosen].clone();
        self.disk.restore_image(&image);
        self.restored = true;
        Some((at_ms, is_snapshot))
    }

    /// The folder of inbox files loses them while the power is off. `true`: all that was acknowledged before is in segments.
    pub(super) fn lose_inbox(&mut self, now_ms: i64) -> bool {
        // The power may be on its way out, or the disk faulty: then what was not flushed is lost.
        let flushed = self.running.as_ref().is_some_and(|running| {
            let flushed = self.rng.bool() && running.admin.flush(false, at(now_ms)).is_ok();
            flushed && !self.disk.is_off()
        });
        self.crash(now_ms, true);
        let folder = Path::new("/data/inbox");
        let names = self.disk.list(folder).unwrap_or_default();
        for name in names {
            // A disk just back on takes this; should it not, less is lost.
            let _ = self.disk.unlink(&folder.join(name));
        }
        let _ = self.disk.sync_dir(folder);
        flushed
    }

    /// Opens everything; a disk error at the start is another start a little later.
    pub(super) fn boot(&mut self, now_ms: i64) -> Result<(), Violation> {
        let mut config = Config::new("/data");
        config.generation_bytes_max = 96 << 10;
        config.generation_age = Duration::from_secs(30);
        config.merge_segments_min = 2;
        config.restored = self.restored;
        if let Some(Bug::Store(bug)) = self.bug {
            config.planted = Some(bug);
        }
        let disk: Arc<CutDisk> = Arc::new(self.disk.clone());
        let mut rng = self.rng.fork();
        let opened = muster_store::open(disk.clone(), config, at(now_ms), &mut || rng.u64(..));
        let parts = match opened {
            Ok(parts) => parts,
            Err(error) => {
                return self.failed_start(now_ms, format!("the store does not open after a crash: {error:?}"));
            }
        };
        let fleet = match muster_fleet::open(disk, Path::new("/data"), at(now_ms)) {
            Ok(fleet) => Arc::new(fleet),
            Err(error) => {
                return self.failed_start(now_ms, format!("state.redb does not open after a crash: {error:?}"));
            }
        };
        if let Some(Bug::Fleet(bug)) = self.bug {
            fleet.plant(bug);
        }
        if let Err(error) = fleet.set_incarnation(parts.writer.incarnation(), parts.past, at(now_ms)) {
            return self.failed_start(now_ms, format!("the incarnation is not noted after a crash: {error:?}"));
        }
        // As the file `restored` goes: when what it led to is durable.
        self.restored = false;
        let (apply, reached) = match Apply::start(Arc::clone(&fleet), &parts.replay) {
            Ok(started) => started,
            Err(error) => return self.failed_start(now_ms, format!("replay fails after a crash: {error:?}")),
        };
        if let Some(reached) = reached {
            parts.writer.state_reached(reached);
        }
        let shared = Shared {
            counters: Arc::new(Counters::default()),
            pool: ContextPool::new(8 << 20),
            budget: Arc::new(Mutex::new(SeriesBudget::new(1_000, at(now_ms)))),
            throttle: Throttle::default(),
        };
        let mut settings = Settings::default();
        if let Some(Bug::Ingest(bug)) = self.bug {
            settings.planted = Some(bug);
        }
        self.running = Some(Running {
            writer: parts.writer,
            reader: parts.reader,
            admin: parts.admin,
            fleet,
            apply,
            applied: Vec::new(),
            shared,
            settings: Arc::new(settings),
            connections: BTreeMap::new(),
            fences: Fences::default(),
            hellos: 0,
            jobs: VecDeque::new(),
            broken: false,
            hellos_of: HashMap::new(),
            welcomed: HashMap::new(),
            undrained: None,
        });
        self.has_started = true;
        self.start_error.clear();
        self.restart_ms = None;
        Ok(())
    }

    /// A fault of the disk may have hit the start itself: the service is started again. One that never starts shows at the end.
    fn failed_start(&mut self, now_ms: i64, why: String) -> Result<(), Violation> {
        self.start_error = why;
        let power = self.disk.is_off();
        self.crash(now_ms, power);
        Ok(())
    }

    /// Group commits, with luck; then what the disk says of itself.
    pub(super) fn step(&mut self, now_ms: i64, said: &mut Vec<Said>) -> Result<(), Violation> {
        if self.restart_ms.is_some_and(|due| due <= now_ms) {
            self.boot(now_ms)?;
        }
        let commit_now = self.rng.u32(..3) > 0;
        let Some(running) = &mut self.running else { return Ok(()) };
        running.tick(now_ms, said);
        let before = said.len();
        if commit_now {
            running.work(now_ms, said);
        }
        if let Some(undrained) = running.undrained.take() {
            return Err(Violation(undrained));
        }
        if self.disk.is_off() || running.broken {
            // What it would have said after its power went was never said.
            said.truncate(before);
            let power = self.disk.is_off();
            self.crash(now_ms, power);
        }
        Ok(())
    }
}

impl Running {
    pub(super) fn connect(&mut self, connection: u64, host: HostId, now_ms: i64) {
        let peer = Peer::Host(labels(host));
        let session = Session::new(Arc::clone(&self.settings), self.shared.clone(), peer, at(now_ms));
        self.connections.insert(connection, Connection { host, session, hello: None });
    }

    pub(super) fn takes_batches(&self, connection: u64) -> bool {
        self.connections.get(&connection).is_some_and(|one| one.session.takes_batches())
    }

    pub(super) fn input(&mut self, connection: u64, input: Input, now_ms: i64, said: &mut Vec<Said>) {
        let mut inputs = VecDeque::from([(connection, input)]);
        while let Some((connection, input)) = inputs.pop_front() {
            let Some(one) = self.connections.get_mut(&connection) else { continue };
            let mut effects = Vec::new();
            one.session.step(at(now_ms), input, &mut effects);
            for effect in effects {
                self.effect(connection, effect, &mut inputs, said);
            }
        }
    }

    fn effect(&mut self, connection: u64, effect: Effect, inputs: &mut VecDeque<(u64, Input)>, said: &mut Vec<Said>) {
        let Some(one) = self.connections.get_mut(&connection) else { return };
        match effect {
            Effect::Send(message) => {
                if let (Message::Welcome(_), Some(hello)) = (&message, one.hello) {
                    self.welcomed.insert(one.host, hello);
                }
                said.push(Said::Message { connection, message: Box::new(message) });
            }
            Effect::See(_) => {
                self.hellos += 1;
                let hello = SessionNumber(self.hellos);
                one.hello = Some(hello);
                self.hellos_of.insert(connection, (one.host, hello));
                inputs.push_back((connection, Input::Seen(Ok(()))));
            }
            Effect::Fence => {
                let Some(hello) = one.hello else { return };
                match self.fences.claim(one.host, hello) {
                    Claim::Ready => inputs.push_back((connection, Input::Drained)),
                    Claim::Superseded => inputs.push_back((connection, Input::Fenced)),
                    Claim::Wait { fence } => {
                        let fenced = self
                            .connections
                            .iter()
                            .filter(|(_, other)| other.hello.is_some_and(|hello| fence.contains(&hello)));
                        inputs.extend(fenced.map(|(number, _)| (*number, Input::Fenced)));
                    }
                }
            }
            Effect::AskMarks { held } => self.jobs.push_back(Job::Hello { connection, held }),
            Effect::Commit { token, append } => self.jobs.push_back(Job::Commit { connection, token, append }),
            Effect::End { .. } => {
                let Some(ended) = self.connections.remove(&connection) else { return };
                said.push(Said::Closed { connection });
                let next = ended.hello.and_then(|hello| self.fences.ended(ended.host, hello));
                let waiting = self.connections.iter().find(|(_, other)| other.hello.is_some() && other.hello == next);
                inputs.extend(waiting.map(|(number, _)| (*number, Input::Drained)));
            }
            Effect::Enrol(_)
            | Effect::Renew(_)
            | Effect::Problems(_)
            | Effect::Welcomed
            | Effect::Heard
            | Effect::Goodbye(_)
            | Effect::Clock { .. }
            | Effect::ConfigurationTold(_)
            | Effect::TaskTold(_)
            | Effect::TaskWrote(_)
            | Effect::Answer(_)
            | Effect::Unasked { .. } => {}
        }
    }

    /// Rule 5, as anybody sees it from outside: once a hello is answered, nothing of an older session of its host is committed.
    fn look_for_undrained(&mut self, connection: u64) {
        let Some((host, hello)) = self.hellos_of.get(&connection) else { return };
        if self.welcomed.get(host).is_some_and(|welcomed| hello < welcomed) {
            let text =
                format!("a batch of connection {connection} was committed after a later hello was answered (rule 5)");
            self.undrained.get_or_insert(text);
        }
    }

    /// All sessions forget their contexts, as they do when a host is relabelled.
    pub(super) fn lose_contexts(&mut self, now_ms: i64, said: &mut Vec<Said>) {
        let all: Vec<(u64, HostId)> = self.connections.iter().map(|(number, one)| (*number, one.host)).collect();
        for (connection, host) in all {
            self.input(connection, Input::HostChanged(labels(host)), now_ms, said);
        }
    }

    /// What a commit left open is looked up, so that the next view has it. `false`: the disk does not tell now.
    pub(super) fn looks_up(&mut self, host: HostId) -> bool {
        self.writer.positions(host).is_ok()
    }

    pub(super) fn http(&mut self, request: u64, append: Append) {
        self.jobs.push_back(Job::Http { request, append });
    }

    fn tick(&mut self, now_ms: i64, said: &mut Vec<Said>) {
        let due: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, one)| one.session.deadline().is_some_and(|due| due <= at(now_ms)))
            .map(|(number, _)| *number)
            .collect();
        for connection in due {
            self.input(connection, Input::Tick, now_ms, said);
        }
    }

    /// Works off the queue: hellos, then the commits as one group.
    fn work(&mut self, now_ms: i64, said: &mut Vec<Said>) {
        // The real committer answers hellos after the commits of their round. Here they come first, since only fencing may keep a hello
        // behind the commits of an older session.
        self.jobs.make_contiguous().sort_by_key(|job| !matches!(job, Job::Hello { .. }));
        while !self.jobs.is_empty() && !self.broken {
            if let Some(Job::Hello { connection, held }) =
                self.jobs.pop_front_if(|job| matches!(job, Job::Hello { .. }))
            {
                let host = self.connections.get(&connection).map(|one| one.host);
                let standing = host.map(|host| {
                    let marks = self.writer.hello(host, &held, at(now_ms))?;
                    Ok::<_, CommitError>((marks, self.writer.positions(host)?))
                });
                let greeting = match standing {
                    Some(Ok((marks, positions))) => {
                        let (store_id, incarnation) = (self.writer.store_id(), self.writer.incarnation());
                        Ok(Greeting { store_id, incarnation, marks, positions, inventory: Vec::new() })
                    }
                    Some(Err(error)) => Err(error.to_string()),
                    None => continue,
                };
                self.input(connection, Input::Marks(greeting), now_ms, said);
                continue;
            }
            let mut group = Vec::new();
            while let Some(job) = self.jobs.pop_front_if(|job| !matches!(job, Job::Hello { .. })) {
                group.push(job);
            }
            self.commit(group, now_ms, said);
        }
    }

    fn commit(&mut self, group: Vec<Job>, now_ms: i64, said: &mut Vec<Said>) {
        let mut places = Vec::with_capacity(group.len());
        let mut appends = Vec::with_capacity(group.len());
        for job in group {
            match job {
                Job::Commit { connection, token, append } => {
                    places.push((Some((connection, token)), 0));
                    appends.push(append);
                }
                Job::Http { request, append } => {
                    places.push((None, request));
                    appends.push(append);
                }
                Job::Hello { .. } => {}
            }
        }
        let Ok(outcomes) = self.writer.commit(&appends, at(now_ms)) else {
            for ((place, request), append) in places.into_iter().zip(appends) {
                match place {
                    Some((connection, token)) => {
                        self.input(connection, Input::Failed { token, append }, now_ms, said);
                    }
                    None => said.push(Said::Http { request, outcome: None }),
                }
            }
            return;
        };
        let reached = outcomes.iter().rev().find_map(|outcome| match outcome {
            Outcome::Committed { position } => Some(*position),
            _ => None,
        });
        let entries = self.writer.take_entries();
        for record in entries.iter().flat_map(|entry| &entry.records) {
            if let StateRecord::Report(report) = record {
                self.applied.push(report.clone());
            }
        }
        self.apply.note(entries);
        match self.apply.catch_up() {
            Ok(()) => {
                if let Some(reached) = reached {
                    self.writer.state_reached(reached);
                }
            }
            // The product reopens state.redb by starting anew.
            Err(_) => self.broken = true,
        }
        for (((place, request), append), outcome) in places.into_iter().zip(appends).zip(outcomes) {
            match place {
                Some((connection, token)) => {
                    let taken = matches!(outcome, Outcome::Committed { .. });
                    if taken {
                        self.look_for_undrained(connection);
                    }
                    let append = (!taken).then_some(append);
                    self.input(connection, Input::Settled { token, outcome, append }, now_ms, said);
                }
                None => said.push(Said::Http { request, outcome: Some(outcome) }),
            }
        }
    }
}
