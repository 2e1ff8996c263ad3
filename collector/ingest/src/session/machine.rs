//! The session itself: stages from the first frame to the end, and what each input does in each of them.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::time::Timestamp;
use muster_common::wire::frame::{Frame, FrameError};
use muster_common::wire::message::{
    Ack, ClockAnswer, CollectorGoodbye, Enrolled, Epoch, HeldEpoch, Lane, Mark, Message, PROTOCOL, RefusalCode,
    Refused, Renewed, Throttle, Welcome,
};
use muster_store::{Append, Outcome};
use parking_lot::Mutex;

use super::lane::Track;
use super::message::{Effect, Greeting, Input, Peer, Settings};
use super::outstanding::{Kind, Outstanding};
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
    held: Vec<HeldEpoch>,
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
            Input::Failed { token, append } => self.failed(now, token, append),
            Input::Malformed { token, why } => {
                if let Some(pending) = self.outstanding.take(token) {
                    self.refuse_seqs(now, (pending.epoch, pending.lane), (pending.from, pending.to), why);
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

    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    /// Whether the store has commits of this session that it has not answered.
    pub fn is_under_way(&self) -> bool {
        self.outstanding.is_under_way()
    }

    fn frame(&mut self, now: Timestamp, frame: Frame) {
        let Frame { lane, epoch, seq, message } = frame;
        match (&self.stage, message) {
            (Stage::Ending(_) | Stage::Ended, Message::Metrics(_) | Message::Gap(_)) => {
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
                self.effects.push(Effect::See(Box::new(hello)));
            }
            (Stage::AwaitHello, Message::Hello(hello)) => self.refuse_version(hello.protocol),
            (Stage::AwaitHello, _) => {
                self.refuse_protocol("the first frame of a session is not hello", "upgrade the agent");
            }
            (_, Message::Hello(_)) => self.refuse_protocol("a second hello in one session", "upgrade the agent"),
            (_, Message::ClockProbe(probe)) => {
                let answer = ClockAnswer { agent_ms: probe.agent_ms, collector_ms: now.millis() };
                self.send(Message::ClockAnswer(answer));
            }
            (_, Message::AgentGoodbye(goodbye)) => self.effects.push(Effect::Goodbye(goodbye.reason)),
            (Stage::Open, Message::Context(context)) => self.context(now, epoch, context),
            (Stage::Open, Message::Metrics(batch)) => self.batch(now, lane, epoch, seq, &batch),
            (Stage::Open, Message::Gap(gap)) => self.gap(now, lane, epoch, seq, &gap),
            (Stage::Open, Message::Reports(_) | Message::Logs(_)) => self.refuse_lane(lane),
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

    fn seen(&mut self, answer: Result<(), Refused>) {
        if !matches!(self.stage, Stage::Seeing) {
            return;
        }
        if let Err(refused) = answer {
            self.refuse(refused);
            return;
        }
        self.effects.push(Effect::Fence);
        self.stage = Stage::Draining;
        #[cfg(feature = "planted")]
        if self.settings.planted == Some(super::Planted::HelloAnsweredBeforeDrain) {
            self.drained();
        }
    }

    fn drained(&mut self) {
        if matches!(self.stage, Stage::Draining) {
            self.stage = Stage::Marking;
            self.effects.push(Effect::AskMarks { held: self.held.iter().map(|held| held.epoch).collect() });
        }
    }

    fn marks(&mut self, now: Timestamp, answer: Result<Greeting, String>) {
        let (Stage::Marking, Some(host)) = (&self.stage, self.host.clone()) else { return };
        let greeting = match answer {
            Ok(greeting) => greeting,
            Err(why) => {
                self.refuse(Refused {
                    code: RefusalCode::Storage,
                    message: format!("the collector cannot read this host's marks now: {why}"),
                    remedy: "look at the collector's disk; the agent tries again by itself".to_owned(),
                    retry_after_ms: 5_000,
                });
                return;
            }
        };
        let all_held = std::mem::take(&mut self.held);
        for held in &all_held {
            for lane in Lane::ALL {
                self.tracks.insert((held.epoch, lane), Track::at(0));
            }
            self.newest = self.newest.max(held.epoch);
        }
        let mut marks = Vec::with_capacity(greeting.marks.len());
        let mut reverted = false;
        for row in &greeting.marks {
            self.tracks.insert((row.epoch, row.lane), Track::at(row.seq));
            marks.push(Mark { epoch: row.epoch, lane: row.lane, seq: row.seq, arrived_ms: row.arrived_ms });
            let held = all_held.iter().find(|held| held.epoch == row.epoch);
            reverted |= held.is_some_and(|held| held.last_seq[row.lane as usize] < row.seq);
        }
        if reverted {
            self.shared.counters.one(Count::SessionsReverted);
        }
        self.stage = Stage::Open;
        self.shared.counters.one(Count::Sessions);
        self.send(Message::Welcome(Welcome {
            host_id: host.id.0,
            host_name: host.name.clone(),
            store_id: greeting.store_id,
            incarnation: greeting.incarnation,
            clock_ms: now.millis(),
            marks,
            position_pages: 0,
            lanes: self.settings.lanes,
            throttle: self.shared.throttle,
            extensions: Vec::new(),
        }));
        self.effects.push(Effect::Welcomed);
    }

    fn settled(&mut self, now: Timestamp, token: u64, outcome: Outcome, append: Option<Append>) {
        if let (Outcome::NotNext { .. }, Some(append)) = (&outcome, append)
            && self.outstanding.stands_behind_failure(token)
        {
            self.failed(now, token, append);
            return;
        }
        let Some(pending) = self.outstanding.take(token) else { return };
        let key = (pending.epoch, pending.lane);
        let counters = self.shared.counters.clone();
        match outcome {
            Outcome::Committed { .. } | Outcome::RepeatedBody => {
                match pending.kind {
                    Kind::Batch { samples } => {
                        counters.one(Count::BatchesCommitted);
                        counters.add(Count::Samples, samples);
                    }
                    Kind::Gap => counters.one(Count::GapsCommitted),
                    Kind::Refusal => counters.one(Count::BatchesRefused),
                    Kind::Expired => counters.one(Count::BatchesExpired),
                }
                self.advance(key, pending.to);
                if self.outstanding.succeeded() {
                    self.send(Message::Throttle(self.shared.throttle));
                }
            }
            Outcome::Repeat { mark } => {
                counters.one(Count::BatchesRepeated);
                self.advance(key, mark);
            }
            Outcome::Expired { .. } if pending.kind != Kind::Expired => self.expire(now, &pending),
            Outcome::Expired { .. } => self.advance(key, pending.to),
            Outcome::NotNext { mark } => {
                counters.one(Count::BatchesOutOfOrder);
                let track = self.tracks.entry(key).or_insert_with(Track::unknown);
                let told = track.discarding().is_some() && track.mark == mark;
                track.reset(mark, now);
                if !told {
                    self.ack(key, mark);
                }
            }
        }
        self.plan_retry(now);
    }

    fn failed(&mut self, now: Timestamp, token: u64, append: Append) {
        self.outstanding.keep(token, append);
        self.plan_retry(now);
    }

    /// Tells the agent to hold until the next try, once the store has answered everything.
    pub(super) fn plan_retry(&mut self, now: Timestamp) {
        if !matches!(self.stage, Stage::Open) {
            return;
        }
        if let Some(hold) = self.outstanding.plan_retry(now) {
            let hold_ms = u32::try_from(hold.as_millis()).unwrap_or(u32::MAX);
            self.send(Message::Throttle(Throttle { linger_ms: self.shared.throttle.linger_ms, hold_ms }));
        }
    }

    fn advance(&mut self, key: (Epoch, Lane), mark: u64) {
        let track = self.tracks.entry(key).or_insert_with(Track::unknown);
        track.advance(mark);
        let mark = track.mark;
        self.outstanding.drop_waiting_up_to(key.0, key.1, mark);
        self.ack(key, mark);
    }

    /// Acks are cumulative, so one that directly follows another of its lane replaces it.
    pub(super) fn ack(&mut self, (epoch, lane): (Epoch, Lane), seq: u64) {
        let ack = Ack { epoch, lane, seq };
        match self.effects.last_mut() {
            Some(Effect::Send(Message::Ack(last))) if (last.epoch, last.lane) == (epoch, lane) => *last = ack,
            _ => self.send(Message::Ack(ack)),
        }
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

    fn refuse_version(&mut self, protocol: u16) {
        self.refuse(Refused {
            code: RefusalCode::Version,
            message: format!("the agent speaks protocol {protocol}, this collector {PROTOCOL}"),
            remedy: "upgrade the older of the two".to_owned(),
            retry_after_ms: 60_000,
        });
    }

    pub(super) fn refuse_lane(&mut self, lane: Option<Lane>) {
        let lane = lane.map_or_else(|| "none".to_owned(), |lane| format!("{lane:?}").to_lowercase());
        let message = format!("a batch on lane {lane}, which this collector does not store");
        self.refuse_protocol(&message, "upgrade the collector, or leave that part of the agent's configuration out");
    }

    pub(super) fn refuse_protocol(&mut self, message: &str, remedy: &str) {
        let (message, remedy) = (message.to_owned(), remedy.to_owned());
        self.refuse(Refused { code: RefusalCode::Protocol, message, remedy, retry_after_ms: 0 });
    }

    /// Says why and ends. What the store already has is still waited for.
    pub(super) fn refuse(&mut self, refused: Refused) {
        if matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            return;
        }
        self.shared.counters.one(refusal_count(refused.code));
        let why = refused.message.clone();
        self.send(Message::Refused(refused));
        self.end(why);
    }

    fn end(&mut self, why: String) {
        if matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            return;
        }
        self.stage = Stage::Ending(why);
        self.contexts.clear();
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

pub(crate) const fn refusal_count(code: RefusalCode) -> Count {
    match code {
        RefusalCode::Version => Count::RefusedVersion,
        RefusalCode::Protocol => Count::RefusedProtocol,
        RefusalCode::Token => Count::RefusedToken,
        RefusalCode::Pending => Count::RefusedPending,
        RefusalCode::Certificate => Count::RefusedCertificate,
        RefusalCode::Quarantined => Count::RefusedQuarantined,
        RefusalCode::Superseded => Count::RefusedSuperseded,
        RefusalCode::Busy => Count::RefusedBusy,
        RefusalCode::Storage => Count::RefusedStorage,
    }
}
