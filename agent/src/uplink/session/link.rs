//! Connecting, hello, probes, refusals, and what the collector says outside of data.

use std::time::Duration;

use muster_common::wire::frame::{self, Frame};
use muster_common::wire::message::{
    AgentGoodbye, ClockProbe, GoodbyeReason, HeldEpoch, Hello, Message, PROTOCOL, RefusalCode, Refused, Renew, Throttle,
};

use super::super::backoff;
use super::super::moment::Moment;
use super::epochs::Wish;
use super::{Channel, Effect, InventoryOrder, Note, Session};

/// Connected, but no welcome came: hello waits for commits of the session before it, so this is long.
const WELCOME_WITHIN: Duration = Duration::from_secs(60);
/// A new epoch is waited for this long before hello goes out without it.
const EPOCH_WITHIN: Duration = Duration::from_secs(3);
/// Batches are on their way and no ack comes: the connection is given up. Above the collector's own retries.
const PROGRESS_WITHIN: Duration = Duration::from_secs(90);
/// How long batches are gathered at most, whatever the collector asks for.
const LINGER_MAX: Duration = Duration::from_secs(10);
/// How long batches are held back at most before the collector must ask again.
const HOLD_MAX: Duration = Duration::from_secs(600);

/// The connection's stages.
#[derive(Debug)]
pub(super) enum Link {
    Idle {
        connect_at: Duration,
    },
    Connecting,
    /// Connected; hello waits for a durable epoch.
    Greeting {
        since: Duration,
    },
    AwaitWelcome {
        since: Duration,
    },
    /// The certificate is expired: its renewal was asked for instead of hello.
    Renewing {
        since: Duration,
    },
    /// Welcomed. `progress_at`: when an ack came last, or batches went out after a quiet time.
    Open {
        progress_at: Duration,
    },
    Stopped,
}

impl Session {
    pub(super) fn connected(&mut self, now: Moment) {
        if !matches!(self.link, Link::Connecting) {
            return;
        }
        self.own.connects.add(1);
        self.keeping.on_next_batch = false;
        if self.runs.iter().any(|run| run.has_rest()) {
            self.keeping.wish(Wish::Backlog);
        }
        self.link = Link::Greeting { since: now.steady };
    }

    /// Renews before anything else; the next connection, with the new certificate, says hello.
    pub(super) fn connected_expired(&mut self, now: Moment, csr_der: Vec<u8>) {
        if matches!(self.link, Link::Connecting) {
            self.own.connects.add(1);
            self.link = Link::Renewing { since: now.steady };
            self.control(Message::Renew(Renew { csr_der }));
        }
    }

    pub(super) fn disconnected(&mut self, now: Moment) {
        if matches!(self.link, Link::Idle { .. } | Link::Stopped) {
            return;
        }
        let random = (self.random)();
        let delay = self.backoff.next(random);
        self.leave(now, delay);
    }

    /// Ends the connection from this side.
    pub(super) fn hang_up(&mut self, now: Moment, again_in: Duration) {
        self.effects.push(Effect::Close);
        self.leave(now, again_in);
    }

    fn leave(&mut self, now: Moment, again_in: Duration) {
        let was_open = self.is_open();
        self.link = Link::Idle { connect_at: now.steady + again_in };
        self.own.connected.set(0);
        self.clock.forget();
        self.hold_until = Duration::ZERO;
        self.unanswered.clear();
        self.task_close();
        for run in &mut self.runs {
            run.rewind();
        }
        self.logs.leave();
        // What is made from now on must not share an epoch with what may have arrived: this host may be a copy that was set back.
        self.keeping.on_next_batch |= was_open;
    }

    /// What time makes due on the connection.
    pub(super) fn watch_link(&mut self, now: Moment) {
        match self.link {
            Link::Idle { connect_at } if now.steady >= connect_at && self.stopping.is_none() => {
                self.link = Link::Connecting;
                self.effects.push(Effect::Connect);
            }
            Link::Greeting { since } => {
                let opening = self.keeping.is_opening() || self.keeping.is_under_way();
                if !opening || now.steady >= since + EPOCH_WITHIN {
                    self.say_hello(now);
                }
            }
            Link::AwaitWelcome { since } | Link::Renewing { since } if now.steady >= since + WELCOME_WITHIN => {
                self.give_up(now);
            }
            Link::Open { progress_at } => {
                if self.waits_for_acks() && now.steady >= progress_at.max(self.hold_until) + PROGRESS_WITHIN {
                    self.give_up(now);
                } else if self.clock.probe_at(self.probed_at).is_some_and(|at| now.steady >= at) {
                    self.clock.ask(now);
                    self.control(Message::ClockProbe(ClockProbe { agent_ms: now.wall.millis() }));
                }
            }
            _ => {}
        }
        if self.hold_until > Duration::ZERO && now.steady >= self.hold_until {
            self.hold_until = Duration::ZERO;
        }
    }

    fn waits_for_acks(&self) -> bool {
        self.logs.is_waiting() || self.runs.iter().any(|run| !run.in_flight.is_empty())
    }

    fn give_up(&mut self, now: Moment) {
        self.note(Note::Stalled);
        let random = (self.random)();
        let delay = self.backoff.next(random);
        self.hang_up(now, delay);
    }

    pub(super) fn link_deadline(&self) -> Option<Duration> {
        match self.link {
            Link::Idle { .. } if self.stopping.is_some() => None,
            Link::Idle { connect_at } => Some(connect_at),
            Link::Greeting { since } => Some(since + EPOCH_WITHIN),
            Link::AwaitWelcome { since } | Link::Renewing { since } => Some(since + WELCOME_WITHIN),
            Link::Open { progress_at } => {
                let waits = self.waits_for_acks();
                let stall = waits.then(|| progress_at.max(self.hold_until) + PROGRESS_WITHIN);
                let repeat = self.runs.iter().filter_map(|run| run.repeated_ack).map(|(_, at)| at);
                let probe = self.clock.probe_at(self.probed_at);
                // During a hold nothing goes again.
                let again = repeat.chain(self.runs.iter().filter_map(|run| run.read_at)).min();
                let again = again.map(|at| at.max(self.hold_until));
                [stall, again, probe].into_iter().flatten().min()
            }
            Link::Connecting | Link::Stopped => None,
        }
    }

    fn say_hello(&mut self, now: Moment) {
        self.join_oldest();
        let held = |runs: &[super::run::Run]| {
            let mut held = HeldEpoch { epoch: runs[0].epoch, last_seq: [0, 0, self.logs.last_seq(runs[0].epoch)] };
            runs.iter().for_each(|run| held.last_seq[run.lane as usize] = run.last_told());
            held
        };
        let hello = Hello {
            protocol: PROTOCOL,
            agent_version: self.facts.agent_version.clone(),
            boot_id: self.facts.boot_id,
            clock_ms: now.wall.millis(),
            started_ms: self.facts.started_ms,
            facts: self.facts.facts.clone(),
            epochs: self.runs.chunk_by(|a, b| a.epoch == b.epoch).map(held).collect(),
            extensions: self.hello_extensions(),
        };
        self.clock.ask(now);
        self.link = Link::AwaitWelcome { since: now.steady };
        self.control(Message::Hello(hello));
    }

    pub(super) fn control(&mut self, message: Message) {
        match frame::encode(&Frame::control(message)) {
            Ok(bytes) => self.send(Channel::Control, bytes.into()),
            Err(error) => self.note(Note::Unencodable { why: error.to_string() }),
        }
    }

    pub(super) fn send_renew(&mut self, csr_der: Vec<u8>) {
        if self.is_open() {
            self.control(Message::Renew(Renew { csr_der }));
        }
    }

    pub(super) fn say_goodbye(&mut self, reason: GoodbyeReason) {
        self.control(Message::AgentGoodbye(AgentGoodbye { reason }));
    }

    pub(super) fn message(&mut self, now: Moment, message: Message) {
        match (&self.link, message) {
            (Link::Idle { .. } | Link::Connecting | Link::Stopped, _) => {}
            (_, Message::Refused(refused)) => self.refused(now, refused),
            (_, Message::CollectorGoodbye(goodbye)) => {
                let spread = Duration::from_millis(u64::from(goodbye.spread_ms));
                let again_in = backoff::part(spread.max(backoff::FIRST), (self.random)());
                self.note(Note::CollectorLeaves { reason: goodbye.reason, again_in });
                self.hang_up(now, again_in);
            }
            (Link::AwaitWelcome { .. }, Message::Welcome(welcome)) => self.welcome(now, &welcome),
            (Link::Renewing { .. }, Message::Renewed(renewed)) => {
                self.effects.push(Effect::Renewed { chain_der: renewed.chain_der });
                // The usual delay: a renewal that is of no use must not go round at once.
                let random = (self.random)();
                let delay = self.backoff.next(random);
                self.hang_up(now, delay);
            }
            (Link::Open { .. }, Message::Ack(ack)) => self.ack(now, ack),
            (Link::Open { .. }, Message::NeedContext(need)) => self.need_context(need),
            (Link::Open { .. }, Message::Positions(page)) => self.positions(now, page),
            (Link::Open { .. }, Message::Throttle(throttle)) => self.throttle(now, throttle),
            (Link::Open { .. }, Message::InventoryWanted(wanted)) => {
                self.effects.push(Effect::Inventory(InventoryOrder::Wanted(wanted.tables)));
            }
            (Link::Open { .. }, Message::Ask(ask)) => self.asked(ask),
            (Link::Open { .. }, Message::Configuration(configuration)) => {
                self.effects.push(Effect::Configuration(configuration));
            }
            (Link::Open { .. }, message) if super::tasks::is_of_tasks(&message) => self.task_frame(message),
            (Link::Open { .. }, Message::ClockAnswer(answer)) => self.measure(now, answer.collector_ms),
            (Link::Open { .. }, Message::Renewed(renewed)) => {
                self.effects.push(Effect::Renewed { chain_der: renewed.chain_der });
            }
            // A later collector may say more; what must be understood ends the session at its own end.
            _ => {}
        }
    }

    pub(super) fn throttle(&mut self, now: Moment, throttle: Throttle) {
        let asked = Duration::from_millis(u64::from(throttle.linger_ms));
        self.linger = asked.max(self.settings.linger).min(LINGER_MAX);
        let hold = Duration::from_millis(u64::from(throttle.hold_ms)).min(HOLD_MAX);
        self.hold_until = if hold.is_zero() { Duration::ZERO } else { now.steady + hold };
    }

    /// Rule 29: an answer of the collector's clock.
    pub(super) fn measure(&mut self, now: Moment, collector_ms: i64) {
        let Some((offset_ms, round_trip)) = self.clock.answered(collector_ms, now) else { return };
        self.probed_at = now.steady;
        self.own.rtt_us.set_size(u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX));
        self.own.clock_offset_ms.set(offset_ms);
        let Some(change) = self.clock.measured(offset_ms, round_trip) else { return };
        let correction_ms = self.clock.correction_ms();
        self.own.clock_corrections.add(1);
        self.own.clock_correction_ms.set(correction_ms);
        self.note(Note::ClockCorrected { correction_ms, offset_ms });
        if change < 0 {
            self.keeping.wish(Wish::ClockStep);
        }
    }

    fn refused(&mut self, now: Moment, refused: Refused) {
        self.own.refusals.add(1);
        let told = Duration::from_millis(u64::from(refused.retry_after_ms));
        let random = (self.random)();
        let usual = self.backoff.next(random);
        let least = match refused.code {
            RefusalCode::Busy | RefusalCode::Storage => Duration::ZERO,
            RefusalCode::Protocol => Duration::from_secs(5),
            // Another process or machine speaks as this host: do not fight for the session.
            RefusalCode::Superseded => Duration::from_secs(30),
            RefusalCode::Version | RefusalCode::Token | RefusalCode::Pending => Duration::from_secs(60),
            // Only a person changes these.
            RefusalCode::Certificate | RefusalCode::Quarantined => Duration::from_secs(600),
        };
        let again_in = told.max(least) + usual;
        let (message, remedy) = (refused.message.clone(), refused.remedy.clone());
        self.note(Note::Refused { code: refused.code, message, remedy, again_in });
        self.refusal = Some((refused.message, refused.remedy));
        self.hang_up(now, again_in);
    }
}
