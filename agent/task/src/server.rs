//! The running program: the agent's socket, the desk, the one run. Effects alone; the desk decides.
//!
//! The agent connects when its session with the collector is open, and its connection ends with that session. It passes on the frames of the
//! control stream as they are (`WIRE.md`): first the welcome, then whatever is about tasks; back come states and output. So what comes in is
//! bounded and checked by the same decoder that the collector's bytes go through. Only the agent's user, or root, may connect.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::settings::ConfigErrors;
use muster_common::time;
use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::Message;
use muster_common::wire::tasks::{TaskCall, TaskOutput, TaskRefusal, TaskWord};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::account;
use crate::audit::{Audit, AuditError, Entry};
use crate::desk::{Desk, Effect, End, Moment};
use crate::group::Groups;
use crate::judge::Approved;
use crate::record::Record;
use crate::run::{self, Event, Job};
use crate::settings::{self, STOP_FILE};
use crate::store::{Store, StoreError};

/// An agent that does not read for so long is cut off; it comes back and is told everything again.
const WRITE_MAX: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(10);
/// Refusals of one tick that are written into the audit; more are counted.
const REFUSALS_PER_TICK: u32 = 60;
const PASSWD: &str = "/etc/passwd";

/// How to run.
pub struct Options {
    pub settings: PathBuf,
    /// Where to listen; `None`: at standard input, which the service manager makes the socket.
    pub socket: Option<PathBuf>,
    /// This program.
    pub launcher: PathBuf,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Settings(#[from] ConfigErrors),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("{place}: {source}; start it by muster-task.socket, or name a free place with --socket")]
    Socket {
        place: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no user {user:?} in /etc/passwd, who may connect; correct `agent_user` in task.toml")]
    NoAgent { user: String },
    #[error("failed to {what}: {source}")]
    System {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

struct Server {
    desk: Desk,
    store: Store,
    audit: Audit,
    stop_file: PathBuf,
    launcher: PathBuf,
    groups: Option<Groups>,
    events: mpsc::Sender<(TaskCall, Event)>,
    /// Ends the run that goes on.
    stop: Option<oneshot::Sender<()>>,
    connection: Option<Connection>,
    refusals: u32,
    refusals_left_out: u64,
}

struct Connection {
    stream: UnixStream,
    reader: FrameReader,
    /// The welcome has come.
    is_open: bool,
}

/// Runs until it is told to end.
///
/// # Errors
/// [`ServeError`]: what keeps it from beginning.
pub async fn serve(options: Options) -> Result<(), ServeError> {
    let settings = settings::load(&options.settings)?;
    let system = |what| move |source| ServeError::System { what, source };
    let agent = account::find(Path::new(PASSWD), &settings.agent_user).map_err(system("read /etc/passwd"))?;
    let agent = agent.ok_or_else(|| ServeError::NoAgent { user: settings.agent_user.clone() })?;
    let listener = listen(options.socket.as_deref())?;
    run::take_in_orphans().map_err(system("take in processes without parents"))?;
    let mut store = Store::open(&settings.folder)?;
    let kept = store.load(&settings)?;
    let audit = Audit::open(store.folder())?;
    let groups = Groups::open();
    let has_limits = groups.as_ref().is_some_and(|groups| groups.has_limits);
    let (events, mut happened) = mpsc::channel(16);
    let (desk, effects) = Desk::new(settings, has_limits, kept, now_ms());
    let stop_file = options.settings.with_file_name(STOP_FILE);
    let (launcher, stop, connection) = (options.launcher, None, None);
    let (refusals, refusals_left_out) = (0, 0);
    let mut server = Server {
        desk,
        store,
        audit,
        stop_file,
        launcher,
        groups,
        events,
        stop,
        connection,
        refusals,
        refusals_left_out,
    };
    let cgroup = if has_limits { "with limits" } else { "none with limits" };
    let detail = format!("muster-task {}, cgroup: {cgroup}", env!("CARGO_PKG_VERSION"));
    server.audit.write(&Entry::new(now_ms(), "start").detail(detail))?;
    server.perform(effects).await;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut terminate = signal(SignalKind::terminate()).map_err(system("wait for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("wait for SIGINT"))?;
    // Where there is no service manager nobody is told.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let mut buffer = vec![0; 32 << 10];
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some((call, event)) = happened.recv() => server.happened(call, event).await,
            accepted = listener.accept() => server.accepted(accepted, agent.uid),
            read = read(&mut server.connection, &mut buffer) => server.read(read, &buffer).await,
            _ = tick.tick() => server.tick().await,
        }
    }
    server.end(&mut happened).await;
    Ok(())
}

fn listen(socket: Option<&Path>) -> Result<UnixListener, ServeError> {
    let place = socket.map_or("standard input".to_owned(), |path| path.display().to_string());
    let listener = || {
        let listener = match socket {
            Some(path) => {
                let listener = StdListener::bind(path)?;
                // Who may connect is judged by who it is; a mode alone is not enough.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
                listener
            }
            None => {
                let listener = StdListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
                listener.local_addr()?;
                listener
            }
        };
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    };
    listener().map_err(|source| ServeError::Socket { place, source })
}

fn now_ms() -> i64 {
    time::now().millis()
}

/// What comes from the agent; never ready without one.
async fn read(connection: &mut Option<Connection>, buffer: &mut [u8]) -> std::io::Result<usize> {
    match connection {
        Some(connection) => connection.stream.read(buffer).await,
        None => std::future::pending().await,
    }
}

impl Server {
    fn moment(&self) -> Moment {
        Moment { now_ms: now_ms(), is_stopped: self.stop_file.exists() }
    }

    fn accepted(&mut self, accepted: std::io::Result<(UnixStream, tokio::net::unix::SocketAddr)>, agent: u32) {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                return;
            }
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == agent || peer.uid() == 0 => {
                // The newer one counts: the agent has begun anew.
                self.disconnect();
                self.connection = Some(Connection { stream, reader: FrameReader::new(), is_open: false });
            }
            Ok(peer) => tracing::warn!(uid = peer.uid(), "a connection of another user than the agent's is refused"),
            Err(error) => tracing::warn!(%error, "a connection of nobody knows whom is refused"),
        }
    }

    fn disconnect(&mut self) {
        if self.connection.take().is_some() {
            self.desk.gone();
        }
    }

    async fn read(&mut self, read: std::io::Result<usize>, buffer: &[u8]) {
        let bytes = match read {
            Ok(read @ 1..) => &buffer[..read],
            _ => return self.disconnect(),
        };
        if let Some(connection) = &mut self.connection {
            connection.reader.push(bytes);
        }
        while let Some(connection) = &mut self.connection {
            match connection.reader.next() {
                Ok(Some(frame)) => self.frame(frame.message).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "what the agent passed on is no frame");
                    self.disconnect();
                }
            }
        }
    }

    async fn frame(&mut self, message: Message) {
        let moment = self.moment();
        let is_open = self.connection.as_ref().is_some_and(|connection| connection.is_open);
        let effects = match message {
            Message::Welcome(welcome) if !is_open => {
                if let Some(connection) = &mut self.connection {
                    connection.is_open = true;
                }
                self.desk.welcome(HostId(welcome.host_id))
            }
            Message::TaskCatalogue(offer) if is_open => self.desk.catalogue(offer, moment),
            Message::Task(task) if is_open => self.desk.task(&task, moment),
            Message::TaskCancel(cancel) if is_open => self.desk.cancel(&cancel, moment),
            Message::TaskAck(ack) if is_open => self.desk.ack(&ack),
            other => {
                tracing::warn!(kind = other.kind().name(), "a frame that is not for tasks, or before the welcome");
                return self.disconnect();
            }
        };
        self.perform(effects).await;
    }

    async fn happened(&mut self, call: TaskCall, event: Event) {
        let moment = self.moment();
        let effects = match event {
            Event::Chunk(chunk) => match self.store.append(call, &chunk) {
                Ok(()) => self.desk.chunk(call),
                Err(error) => {
                    tracing::error!(%error, "a chunk of output is lost");
                    return;
                }
            },
            Event::Ended(end) => {
                self.stop = None;
                self.desk.ended(call, &end, moment)
            }
        };
        self.perform(effects).await;
    }

    async fn tick(&mut self) {
        self.refusals = 0;
        let left_out = std::mem::take(&mut self.refusals_left_out);
        let moment = self.moment();
        let mut effects = self.desk.tick(moment);
        if left_out > 0 {
            let detail = format!("{left_out} more refusals");
            effects.push(Effect::Audit(Entry::new(moment.now_ms, "left_out").detail(detail)));
        }
        self.perform(effects).await;
    }

    /// In order. Where something cannot be written, nothing that follows from it is done.
    async fn perform(&mut self, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        let mut last = None;
        while let Some(effect) = effects.pop_front() {
            let done = match effect {
                Effect::Keep(record) => self.keep(&record, &mut last),
                Effect::Audit(entry) => self.write(&entry),
                Effect::Forget(call) => {
                    self.store.forget(call, self.desk.forgotten_ms()).map_err(|error| error.to_string())
                }
                Effect::DropOutput(call) => self.store.drop_output(call).map_err(|error| error.to_string()),
                Effect::KeepCatalogue(offer, seen) => {
                    let kept = self.store.keep_catalogue(&offer, seen);
                    kept.map_err(|error| {
                        self.desk.catalogue_not_kept();
                        error.to_string()
                    })
                }
                Effect::KeepHost(host) => self.store.keep_host(host).map_err(|error| error.to_string()),
                Effect::Start(approved) => {
                    self.start(approved);
                    Ok(())
                }
                Effect::Stop(_) => {
                    if let Some(stop) = self.stop.take() {
                        // It may have ended by itself in this moment.
                        let _ = stop.send(());
                    }
                    Ok(())
                }
                Effect::Tell(state) => {
                    self.send(Message::TaskState(state)).await;
                    Ok(())
                }
                Effect::TellChunk { call, chunk } => {
                    self.tell_chunk(call, chunk).await;
                    Ok(())
                }
            };
            if let Err(problem) = done {
                tracing::error!(%problem, "the state folder cannot be written");
                let moment = self.moment();
                let mut calls: Vec<TaskCall> = last.into_iter().collect();
                calls.extend(effects.iter().filter_map(|effect| match effect {
                    Effect::Start(approved) => Some(approved.call),
                    _ => None,
                }));
                // A refusal is told even where it cannot be written down.
                effects.retain(|effect| last.is_none() && matches!(effect, Effect::Tell(_)));
                effects.extend(calls.into_iter().flat_map(|call| self.desk.not_kept(call, &problem, moment)));
                // What is left only tells.
                last = None;
            }
        }
    }

    fn keep(&mut self, record: &Record, last: &mut Option<TaskCall>) -> Result<(), String> {
        *last = Some(record.call);
        self.store.keep(record).map_err(|error| error.to_string())
    }

    fn write(&mut self, entry: &Entry) -> Result<(), String> {
        if entry.event.ends_with("refused") {
            self.refusals += 1;
            if self.refusals > REFUSALS_PER_TICK {
                self.refusals_left_out += 1;
                return Ok(());
            }
        }
        self.audit.write(entry).map_err(|error| error.to_string())
    }

    fn start(&mut self, approved: Approved) {
        let call = approved.call;
        let prepared = self.prepare(approved);
        let events = self.events.clone();
        match prepared {
            Ok(job) => {
                let (stop, stopped) = oneshot::channel();
                self.stop = Some(stop);
                let (sender, mut receiver) = mpsc::channel(4);
                tokio::spawn(run::run(job, stopped, sender));
                tokio::spawn(async move {
                    while let Some(event) = receiver.recv().await {
                        if events.send((call, event)).await.is_err() {
                            return;
                        }
                    }
                });
            }
            Err((why, problem)) => {
                let end = End { word: TaskWord::Refused { why }, problem, output_bytes: 0, dropped_bytes: 0 };
                tokio::spawn(async move { events.send((call, Event::Ended(end))).await });
            }
        }
    }

    fn prepare(&self, approved: Approved) -> Result<Job, (TaskRefusal, String)> {
        let found = account::find(Path::new(PASSWD), &approved.account);
        let account = found.map_err(|error| (TaskRefusal::Failed, format!("/etc/passwd cannot be read: {error}")))?;
        let account = account.ok_or_else(|| {
            let problem =
                format!("this host has no account {}: create it, or correct catalogue and task.toml", approved.account);
            (TaskRefusal::Account, problem)
        })?;
        let group = match &self.groups {
            Some(groups) => match groups.make(&Record::name(approved.call), &approved.limits) {
                Ok(group) => Some(group),
                Err(error) if self.desk.settings().require_cgroup => {
                    return Err((TaskRefusal::Unsupported, format!("no cgroup can be made: {error}")));
                }
                Err(error) => {
                    tracing::warn!(%error, "no cgroup can be made, limits hold for each process");
                    None
                }
            },
            None => None,
        };
        Ok(Job { approved, account, launcher: self.launcher.clone(), group })
    }

    async fn tell_chunk(&mut self, call: TaskCall, chunk: u32) {
        match self.store.chunk(call, chunk) {
            Ok(Some(text)) => {
                self.send(Message::TaskOutput(TaskOutput { call, chunk, text, extensions: Vec::new() })).await
            }
            Ok(None) => tracing::error!(chunk, "a chunk of output is not there"),
            Err(error) => tracing::error!(%error, "a chunk of output cannot be read"),
        }
    }

    async fn send(&mut self, message: Message) {
        let Some(connection) = self.connection.as_mut().filter(|connection| connection.is_open) else { return };
        let bytes = match encode(&Frame::control(message)) {
            Ok(bytes) => bytes,
            Err(error) => return tracing::error!(%error, "a frame is not sent"),
        };
        if !matches!(timeout(WRITE_MAX, connection.stream.write_all(&bytes)).await, Ok(Ok(()))) {
            tracing::info!("the agent does not read, or has gone");
            self.disconnect();
        }
    }

    /// What runs is ended and told as cancelled by this, while there is time; else the next start finds it lost.
    async fn end(mut self, happened: &mut mpsc::Receiver<(TaskCall, Event)>) {
        self.desk.close();
        let Some(stop) = self.stop.take() else { return };
        let _ = stop.send(());
        let wait = async {
            while let Some((call, event)) = happened.recv().await {
                let is_end = matches!(event, Event::Ended(_));
                self.happened(call, event).await;
                if is_end {
                    return;
                }
            }
        };
        if timeout(2 * WRITE_MAX, wait).await.is_err() {
            tracing::warn!("what runs did not end in time");
        }
    }
}
