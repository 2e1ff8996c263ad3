//! The session itself: stages from the first frame to the end, and what each input does in each of them.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::time::Timestamp;
use muster_common::wire::frame::{Frame, FrameError};
use muster_common::wire::message::{
    ClockAnswer, CollectorGoodbye, Enrolled, Epoch, FrameKind, HeldEpoch, InventoryWanted, Lane, Message, PROTOCOL,
    RefusalCode, Refused, Renewed, Throttle,
};
use parking_lot::Mutex;

use super::lane::Track;
use super::message::{Effect, Input, Peer, Settings};
use super::outstanding::Outstanding;
use crate::admit::SeriesBudget;
use crate::contexts::{ContextPool, Contexts};
use crate::counters::{Count, Counters};
use crate::host_labels::HostLabels;

/// What a session shares with others.
#[derive(Clone)]
pub struct Shared {
    pub counters: Arc<Counters>,
    pub pool: Arc<ContextPool>,
    /// The host's, kept across its sessions.
    pub budget: Arc<Mutex<SeriesBudget>>,
    pub throttle: Throttle,
}

/// How far a session has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Without a certificate: waits for an enrol frame, or for its answer.
    Enrolling {
        asked: bool,
    },
    AwaitHello,
    /// The registry looks at what hello tells.
    Seeing,
    /// Older sessions of this host still have commits under way.
    Draining,
    /// The store reads the marks.
    Marking,
    Open,
    /// Ends as soon as the store has answered what it has of it.
    Ending(String),
    Ended,
}

/// One agent's connection.
pub struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) shared: Shared,
    pub(super) host: Option<Arc<HostLabels>>,
    pub(super) stage: Stage,
    since: Timestamp,
    /// The certificate is expired: it may be renewed and serves for nothing else.
    renews_only: bool,
    /// What hello held, from then until the welcome.
    pub(super) held: Vec<HeldEpoch>,
    /// The agent said in hello that it may be asked for whole tables of its inventory.
    reads_wanted: bool,
    /// And that it takes configurations.
    reads_configurations: bool,
    /// And that it reads questions.
    pub(super) reads_questions: bool,
    /// And that it has a program that runs tasks.
    pub(super) reads_tasks: bool,
    /// Numbers of the questions that it has not answered.
    pub(super) unanswered: Vec<u64>,
    pub(super) contexts: Contexts,
    pub(super) tracks: HashMap<(Epoch, Lane), Track>,
    pub(super) outstanding: Outstanding,
    /// The newest epoch that hello listed: batches of older ones are backlog.
    pub(super) newest: Epoch,
    pub(super) effects: Vec<Effect>,
}

impl Session {
    /// A connection whose TLS handshake has just ended.
    pub fn new(settings: Arc<Settings>, shared: Shared, peer: Peer, now: Timestamp) -> Self {
        let renews_only = matches!(peer, Peer::Expired(_));
        let (host, stage) = match peer {
            Peer::Unknown => (None, Stage::Enrolling { asked: false }),
            Peer::Host(host) | Peer::Expired(host) => (Some(host), Stage::AwaitHello),
        };
        Self {
            contexts: Contexts::new(shared.pool.clone(), settings.contexts_bytes_max),
            outstanding: Outstanding::new(settings.hold_min, settings.hold_max),
            tracks: HashMap::new(),
            newest: Epoch::NONE,
            effects: Vec::new(),
            held: Vec::new(),
            reads_wanted: false,
            reads_configurations: false,
            reads_questions: false,
            reads_tasks: false,
            unanswered: Vec::new(),
            since: now,
            renews_only,
            settings,
            shared,
            host,
            stage,
        }
    }

    /// Takes one input and appends what is to be done, in order, to `effects`.
    pub fn step(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, effects);
        match input {
            Input::Frame(frame) => self.frame(now, frame),
            Input::BadFrame(error) => self.bad_frame(now, &error),
            Input::Seen(answer) => self.seen(answer),
            Input::Drained => self.drained(),
            Input::Marks(answer) => self.marks(now, answer),
            Input::Settled { token, outcome, append } => self.settled(now, token, outcome, append),
            Input::Failed { token, append } => self.failed(now, token, append, None),
            Input::PutOff { token, append, retry_after } => self.failed(now, token, append, Some(retry_after)),
            Input::Malformed { token, why } => {
                if let Some(pending) = self.outstanding.take(token) {
                    let (key, seqs) = ((pending.epoch, pending.lane), (pending.from, pending.to));
                    match pending.lane {
                        Lane::P2 => self.refuse_unread_lines(now, key, seqs, why),
                        _ => self.refuse_seqs(now, key, seqs, why),
                    }
                }
            }
            Input::Enrolled(answer) => self.enrolled(answer),
            Input::Renewed(answer) => self.renewed(answer),
            Input::HostChanged(host) => {
                if self.host.as_ref() != Some(&host) {
                    self.contexts.clear();
                    self.host = Some(host);
                }
            }
            Input::Throttle(throttle) => {
                self.shared.throttle = throttle;
                if matches!(self.stage, Stage::Open) {
                    self.send(Message::Throttle(throttle));
                }
            }
            Input::TablesWanted(tables) => {
                // One that cannot be asked learns at its next hello what is known of it.
                if self.reads_wanted && matches!(self.stage, Stage::Open) {
                    self.shared.counters.one(Count::TablesAsked);
                    self.send(Message::InventoryWanted(InventoryWanted { tables, extensions: Vec::new() }));
                }
            }
            Input::Configure(configuration) => {
                if self.takes_configurations() {
                    self.shared.counters.one(Count::ConfigurationsOffered);
                    self.send(Message::Configuration(configuration));
                }
            }
            Input::Ask(ask) => self.ask(*ask),
            Input::Tasks(due) => self.give_tasks(due),
            Input::Fenced => self.fenced(),
            Input::Denied(refused) => self.refuse(refused),
            Input::Lost => self.end("the connection is gone".to_owned()),
            Input::Tick => self.tick(now),
            Input::Shutdown { reason, spread_ms } => {
                if !matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
                    self.send(Message::CollectorGoodbye(CollectorGoodbye { reason, spread_ms }));
                    self.end("the collector stops".to_owned());
                }
            }
        }
        self.end_when_drained();
        std::mem::swap(&mut self.effects, effects);
    }

    /// Whether the lanes may be read on.
    pub fn takes_batches(&self) -> bool {
        let (count, bytes) = (self.outstanding.len(), self.outstanding.bytes());
        let room = count < self.settings.outstanding_batches_max && bytes < self.settings.outstanding_bytes_max;
        matches!(self.stage, Stage::Open) && !self.outstanding.is_stalled() && (room || count == 0)
    }

    /// When [`Input::Tick`] is to come, if nothing else does before.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Enrolling { asked: false } | Stage::AwaitHello => Some(self.since.plus(self.settings.first_frame)),
            Stage::Open => {
                let rewinds = self.tracks.values().filter_map(Track::discarding);
                let rewinds = rewinds.map(|since| since.plus(self.settings.rewind_patience));
                rewinds.chain(self.outstanding.retry_at()).min()
            }
            _ => None,
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Whether the agent can be given a configuration: it reads them, and was welcomed.
    pub fn takes_configurations(&self) -> bool {
        self.reads_configurations && self.is_open()
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    fn frame(&mut self, now: Timestamp, frame: Frame) {
        let Frame { lane, epoch, seq, message } = frame;
        match (&self.stage, message) {
            (
                Stage::Ending(_) | Stage::Ended,
                Message::Metrics(_) | Message::Reports(_) | Message::Logs(_) | Message::Gap(_),
            ) => {
                self.shared.counters.one(Count::BatchesFenced);
            }
            (Stage::Ending(_) | Stage::Ended, _) => {}
            (Stage::Enrolling { asked: false }, Message::Enrol(enrol)) if enrol.protocol == PROTOCOL => {
                self.stage = Stage::Enrolling { asked: true };
                self.effects.push(Effect::Enrol(enrol));
            }
            (Stage::Enrolling { asked: false }, Message::Enrol(enrol)) => self.refuse_version(enrol.protocol),
            (Stage::Enrolling { .. }, _) => self.refuse_protocol(
                "a session without a client certificate takes one enrol frame and nothing else",
                "enrol this host first: muster-agent enrol --collector HOST:PORT --token WORD",
            ),
            (_, Message::Enrol(_)) => self.refuse_protocol(
                "an enrol frame on a session that has a certificate",
                "connect without the certificate to enrol anew",
            ),
            (_, Message::Renew(renew)) => self.effects.push(Effect::Renew(renew)),
            // Before hello too: so a host's doctor learns that its certificate is taken, and what time it is, without a session of its own.
            (_, Message::ClockProbe(probe)) => {
                let answer = ClockAnswer { agent_ms: probe.agent_ms, collector_ms: now.millis() };
                self.send(Message::ClockAnswer(answer));
                self.effects.push(Effect::Clock { agent_ms: probe.agent_ms });
            }
            (Stage::AwaitHello, Message::Hello(_)) if self.renews_only => self.refuse(Refused {
                code: RefusalCode::Certificate,
                message: "this host's certificate is expired: it may be renewed, with its own key, and nothing else"
                    .to_owned(),
                remedy: "restart the agent; if its key is lost, enrol it again with `muster token new --replace`"
                    .to_owned(),
                retry_after_ms: 0,
            }),
            (Stage::AwaitHello, Message::Hello(hello)) if hello.protocol == PROTOCOL => {
                self.stage = Stage::Seeing;
                self.held.clone_from(&hello.epochs);
                self.reads_wanted = hello.reads(FrameKind::InventoryWanted);
                self.reads_configurations = hello.reads(FrameKind::Configuration);
                self.reads_questions = hello.reads(FrameKind::Ask);
                self.reads_tasks = hello.takes_tasks();
                self.effects.push(Effect::See(Box::new(hello)));
            }
            (Stage::AwaitHello, Message::Hello(hello)) => self.refuse_version(hello.protocol),
            (Stage::AwaitHello, _) => {
                self.refuse_protocol("the first frame of a session is not hello", "upgrade the agent");
            }
            (_, Message::Hello(_)) => self.refuse_protocol("a second hello in one session", "upgrade the agent"),
            (_, Message::AgentGoodbye(goodbye)) => self.effects.push(Effect::Goodbye(goodbye.reason)),
            (Stage::Open, Message::Context(context)) => self.context(now, epoch, context),
            (Stage::Open, Message::Metrics(batch)) => self.batch(now, lane, epoch, seq, &batch),
            (Stage::Open, Message::Gap(gap)) => self.gap(now, lane, epoch, seq, &gap),
            (Stage::Open, Message::Logs(batch)) => self.log_batch(now, lane, epoch, seq, batch),
            (Stage::Open, Message::Problems(problems)) => self.effects.push(Effect::Problems(problems.problems)),
            (Stage::Open, Message::ConfigurationState(state)) => {
                self.effects.push(Effect::ConfigurationTold(Box::new(state)));
            }
            (Stage::Open, Message::Answer(answer)) => self.answered(answer),
            (Stage::Open, Message::TaskState(state)) => self.task_told(state),
            (Stage::Open, Message::TaskOutput(output)) => self.task_wrote(output),
            (Stage::Open, Message::Reports(batch)) => self.reports(now, lane, epoch, seq, batch),
            _ => self.refuse_protocol("a message out of its place", "wait for the welcome before sending batches"),
        }
    }

    fn bad_frame(&mut self, now: Timestamp, error: &FrameError) {
        if matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            return;
        }
        if let (Some(head), Stage::Open) = (error.refused_batch(), &self.stage) {
            self.undecodable(now, (head.lane, head.epoch, head.seq), error);
            return;
        }
        let remedy = "see the collector's log for the place; agent and collector of one version understand each other";
        self.refuse(Refused {
            code: error.refusal(),
            message: error.to_string(),
            remedy: remedy.to_owned(),
            retry_after_ms: 0,
        });
    }

    fn enrolled(&mut self, answer: Result<Enrolled, Refused>) {
        match (&self.stage, answer) {
            (Stage::Enrolling { asked: true }, Ok(enrolled)) => {
                self.send(Message::Enrolled(enrolled));
                self.end("enrolled".to_owned());
            }
            (Stage::Enrolling { asked: true }, Err(refused)) => self.refuse(refused),
            _ => {}
        }
    }

    fn renewed(&mut self, answer: Option<Result<Renewed, Refused>>) {
        match answer {
            Some(Ok(renewed)) => {
                self.shared.counters.one(Count::Renewals);
                self.send(Message::Renewed(renewed));
            }
            Some(Err(refused)) => self.refuse(refused),
            None => {}
        }
    }

    fn fenced(&mut self) {
        if !matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            self.shared.counters.one(Count::SessionsFenced);
        }
        self.refuse(Refused {
            code: RefusalCode::Superseded,
            message: "a newer session of this host took over".to_owned(),
            remedy: "none, if one agent runs on this host; else enrol the other machine under its own name".to_owned(),
            retry_after_ms: 0,
        });
    }

    fn tick(&mut self, now: Timestamp) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.stage {
            Stage::Enrolling { .. } | Stage::AwaitHello => self.refuse_protocol(
                "no frame came within the time allowed after the handshake",
                "look at the network between agent and collector",
            ),
            Stage::Open => {
                let patience = self.settings.rewind_patience;
                let stuck = self.tracks.values().filter_map(Track::discarding);
                if stuck.into_iter().any(|since| now >= since.plus(patience)) {
                    self.refuse_protocol("the agent did not rewind to the mark it was told", "upgrade the agent");
                    return;
                }
                for (token, append) in self.outstanding.due(now) {
                    self.shared.counters.one(Count::BatchesRetried);
                    self.effects.push(Effect::Commit { token, append });
                }
            }
            _ => {}
        }
    }

    pub(super) fn send(&mut self, message: Message) {
        if !matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            self.effects.push(Effect::Send(message));
        }
    }

    pub(super) fn end(&mut self, why: String) {
        if matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            return;
        }
        self.stage = Stage::Ending(why);
        self.contexts.clear();
        self.leave_questions();
    }

    fn end_when_drained(&mut self) {
        let Stage::Ending(why) = &mut self.stage else { return };
        let why = std::mem::take(why);
        // What failed and waits is given up: the agent holds it still, and the next session asks for it.
        let given_up = self.outstanding.abandon_waiting();
        self.shared.counters.add(Count::BatchesFenced, given_up as u64);
        if self.outstanding.is_under_way() {
            self.stage = Stage::Ending(why);
        } else {
            self.stage = Stage::Ended;
            self.effects.push(Effect::End { why });
        }
    }
}
