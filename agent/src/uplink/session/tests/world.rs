//! One agent, one model of a collector, a network between them, virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::cut::CutDisk;
use muster_common::host::HostId;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Ask, Configuration, GoodbyeReason, Message, Report};

use super::model::{Collector, result};
use crate::handed::folder::HandedFolder;
use crate::handed::give::{folder_of, give};
use crate::own::Own;
use crate::rows::Series;
use crate::spool::{Spool, SpoolAnswer, SpoolConfig, SpoolLimits, SpoolRequest};
use crate::tasks::TaskOrder;
use crate::uplink::session::{Channel, Effect, HandedAnswer, HandedOrder, HelloFacts, Input, Note, Session, Settings};
use crate::uplink::{InventoryOrder, Moment, Row, Sender};

pub(super) const START_MS: i64 = 1_700_000_000_000;

pub(super) struct World {
    pub(super) rng: fastrand::Rng,
    pub(super) disk: CutDisk,
    pub(super) own: Arc<Own>,
    pub(super) agent: Option<Agent>,
    /// How long the spool may take for an answer; 0: it answers at once.
    pub(super) spool_delay_ms: u64,
    pub(super) collector: Collector,
    pub(super) settings: Settings,
    pub(super) spool_bytes_max: u64,
    /// The agent's steady clock, ms, and what its wall clock is ahead of the collector's.
    pub(super) now_ms: u64,
    pub(super) wall_ahead_ms: i64,
    pub(super) network_up: bool,
    /// Connections serve for the renewal alone, and its answer changes nothing.
    pub(super) certificate_expired: bool,
    pub(super) latency_ms: u64,
    connected: bool,
    connecting: bool,
    up: VecDeque<(u64, Channel, Arc<[u8]>)>,
    down: VecDeque<(u64, Message)>,
    pub(super) notes: Vec<Note>,
    pub(super) inventory_orders: Vec<InventoryOrder>,
    pub(super) questions: Vec<Ask>,
    pub(super) configurations: Vec<Configuration>,
    pub(super) task_orders: Vec<TaskOrder>,
    /// `muster-task` is there.
    pub(super) has_tasks: bool,
    pub(super) done: bool,
    /// Each row's number and when it was made.
    pub(super) made: BTreeMap<u64, u64>,
    pub(super) generation: u64,
    pub(super) reader: super::logs::Reader,
    /// What other processes handed over, on the same disk.
    pub(super) handed: Option<HandedFolder>,
    /// Orders for it that wait: its thread hangs.
    pub(super) handed_hangs: Option<Vec<HandedOrder>>,
    /// What could not be given back yet.
    unfreed: Vec<u64>,
    /// Each result's number.
    pub(super) said: u64,
    series: Vec<Series>,
}

/// Session and spool, as the simulator runs them or as the program does.
pub(super) enum Agent {
    AtOnce(Sender),
    /// The spool's thread has these requests, and is done with each at its time.
    Slow {
        session: Session,
        spool: Spool,
        waiting: VecDeque<(u64, SpoolRequest)>,
    },
}

impl Agent {
    pub(super) fn session(&self) -> &Session {
        match self {
            Self::AtOnce(sender) => sender.session(),
            Self::Slow { session, .. } => session,
        }
    }

    fn session_mut(&mut self) -> &mut Session {
        match self {
            Self::AtOnce(sender) => sender.session_mut(),
            Self::Slow { session, .. } => session,
        }
    }

    fn correction_at(&mut self, now: Moment) -> i64 {
        self.session_mut().correction_at(now)
    }

    fn step(&mut self, now: Moment, input: Input<'_>, mut delay: impl FnMut() -> u64) -> Vec<Effect> {
        let (session, waiting) = match self {
            Self::AtOnce(sender) => return sender.step(now, input),
            Self::Slow { session, waiting, .. } => (session, waiting),
        };
        let (mut effects, mut outer) = (Vec::new(), Vec::new());
        session.step(now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Spool(request) => {
                    let due = u64::try_from(now.steady.as_millis()).unwrap() + delay();
                    let last = waiting.back().map_or(0, |(due, _)| *due);
                    waiting.push_back((due.max(last), request));
                }
                other => outer.push(other),
            }
        }
        outer
    }

    fn answer_due(&self) -> Option<u64> {
        match self {
            Self::AtOnce(_) => None,
            Self::Slow { waiting, .. } => waiting.front().map(|(due, _)| *due),
        }
    }

    fn answer(&mut self, now_ms: u64) -> Option<SpoolAnswer> {
        let Self::Slow { spool, waiting, .. } = self else { return None };
        while let Some((_, request)) = waiting.pop_front_if(|(due, _)| *due <= now_ms) {
            if let Some(answer) = spool.serve(request) {
                return Some(answer);
            }
        }
        None
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let series = |name: &str| Series { name: name.into(), labels: Vec::new(), kind: MetricKind::Counter };
        let settings = Settings { interval: Duration::from_secs(1), ..Settings::default() };
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            disk: CutDisk::new(seed),
            own: Arc::new(Own::default()),
            agent: None,
            spool_delay_ms: 0,
            collector: Collector::default(),
            settings,
            spool_bytes_max: 64 << 20,
            now_ms: 1_000,
            wall_ahead_ms: 0,
            network_up: true,
            certificate_expired: false,
            latency_ms: 20,
            connected: false,
            connecting: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            notes: Vec::new(),
            inventory_orders: Vec::new(),
            questions: Vec::new(),
            configurations: Vec::new(),
            task_orders: Vec::new(),
            has_tasks: false,
            done: false,
            made: BTreeMap::new(),
            generation: 1,
            reader: super::logs::Reader::default(),
            handed: None,
            handed_hangs: None,
            unfreed: Vec::new(),
            said: 0,
            series: vec![series("number"), series("other")],
        };
        world.start();
        world
    }

    pub(super) fn moment(&self) -> Moment {
        let wall = START_MS + i64::try_from(self.now_ms).unwrap() + self.wall_ahead_ms;
        Moment { wall: Timestamp::from_millis(wall), steady: Duration::from_millis(self.now_ms) }
    }

    pub(super) fn collector_ms(&self) -> i64 {
        START_MS + i64::try_from(self.now_ms).unwrap()
    }

    pub(super) fn start(&mut self) {
        let limits = SpoolLimits {
            bytes_max: self.spool_bytes_max,
            file_system_percent: 100,
            free_percent: 0,
            metrics_percent: 100,
            reports_percent: 100,
        };
        let config = SpoolConfig { folder: "/state/spool".into(), host: HostId([9; 16]), limits };
        let (spool, mut loaded) =
            Spool::open(Arc::new(self.disk.clone()), config, Arc::clone(&self.own)).expect("a spool");
        let folder = folder_of(Path::new("/state"));
        let (handed, placed) = HandedFolder::open(Arc::new(self.disk.clone()), folder, 0).expect("a folder");
        (self.handed, loaded.handed) = (Some(handed), placed);
        let mut random = self.rng.fork();
        let random = Box::new(move || random.u64(..));
        let facts = HelloFacts { agent_version: "1".into(), ..HelloFacts::default() };
        let session = Session::new(self.settings.clone(), facts, Arc::clone(&self.own), loaded, random);
        self.agent = Some(if self.spool_delay_ms == 0 {
            Agent::AtOnce(Sender::new(session, spool))
        } else {
            Agent::Slow { session, spool, waiting: VecDeque::new() }
        });
        self.done = false;
        self.step(Input::Tick);
    }

    /// The process is gone without a word; what was not synced is lost in part.
    pub(super) fn crash(&mut self, power: bool) {
        self.agent = None;
        (self.handed, self.unfreed) = (None, Vec::new());
        self.drop_connection();
        if power {
            self.disk.cut();
        }
    }

    pub(super) fn stop(&mut self) {
        self.step(Input::Stop(GoodbyeReason::Restart));
        for _ in 0..100 {
            if self.done {
                break;
            }
            self.pass(50);
        }
        assert!(self.done, "the end took longer than 5 s");
        self.agent = None;
        self.drop_connection();
    }

    fn drop_connection(&mut self) {
        (self.connected, self.connecting) = (false, false);
        self.up.clear();
        self.down.clear();
        self.collector.disconnect();
    }

    pub(super) fn break_connection(&mut self) {
        if self.connected || self.connecting {
            self.drop_connection();
            self.step(Input::Disconnected);
        }
    }

    pub(super) fn session(&self) -> &Session {
        self.agent.as_ref().expect("an agent").session()
    }

    pub(super) fn tell_agent(&mut self, message: Message) {
        self.down.push_back((self.now_ms + self.latency_ms, message));
    }

    pub(super) fn tell_problems(&mut self, problems: Vec<muster_common::wire::message::Problem>) {
        self.step(Input::Problems(problems));
    }

    /// Makes a row; returns its time stamp.
    pub(super) fn row(&mut self) -> i64 {
        let number = self.made.len() as u64 + 1;
        self.made.insert(number, self.now_ms);
        let now = self.moment();
        let at_ms = now.wall.millis() + self.agent.as_mut().map_or(0, |agent| agent.correction_at(now));
        let series = self.series.clone();
        let values = [number as f64, 2.0];
        let row = Row { at_ms, generation: self.generation, series: &series, values: &values, present: &[0b11] };
        self.step(Input::Row(row));
        at_ms
    }

    pub(super) fn step(&mut self, input: Input<'_>) {
        let now = self.moment();
        let Some(agent) = &mut self.agent else { return };
        let mut orders = Vec::new();
        let (rng, longest) = (&mut self.rng, self.spool_delay_ms);
        for effect in agent.step(now, input, || rng.u64(..=longest)) {
            match effect {
                Effect::Connect => {
                    assert!(!self.connected && !self.connecting, "connects twice");
                    self.connecting = true;
                    if let Some(agent) = &mut self.agent {
                        agent.session_mut().set_takes_tasks(self.has_tasks);
                    }
                }
                Effect::Send { on, bytes } => {
                    assert!(self.connected, "sends without a connection");
                    self.up.push_back((self.now_ms + self.latency_ms, on, bytes));
                }
                Effect::Close => self.drop_connection(),
                Effect::Note(note) => self.notes.push(note),
                Effect::Done => self.done = true,
                Effect::Logs(order) => self.reader.obey(order),
                Effect::Handed(order) => orders.push(order),
                Effect::Inventory(order) => self.inventory_orders.push(order),
                Effect::Ask(ask) => self.questions.push(ask),
                Effect::Configuration(configuration) => self.configurations.push(configuration),
                Effect::Tasks(order) => self.task_orders.push(order),
                Effect::Renewed { .. } => {}
                Effect::Spool(request) => panic!("left over: {request:?}"),
            }
        }
        match &mut self.handed_hangs {
            Some(waiting) => waiting.extend(orders),
            None => orders.into_iter().for_each(|order| self.obey_handed(order)),
        }
    }

    pub(super) fn obey_handed(&mut self, order: HandedOrder) {
        let Some(folder) = &mut self.handed else { return };
        let answer = match order {
            HandedOrder::Claim { id, epoch, seq } => {
                HandedAnswer::Claimed { id, kept: folder.claim(id, epoch, seq).is_ok() }
            }
            HandedOrder::Free { id } => {
                if folder.free(id).is_err() {
                    self.unfreed.push(id);
                    return;
                }
                HandedAnswer::Freed { id }
            }
            HandedOrder::Done { id } => return folder.done(id),
        };
        self.step(Input::HandedAnswer(answer));
    }

    /// Another process hands over a report; its number.
    pub(super) fn hand_over(&mut self) -> u64 {
        self.said += 1;
        let now = self.moment().wall;
        give(&self.disk, Path::new("/state"), now, now.millis(), result(self.said, now.millis())).expect("handed over");
        if let Some(folder) = &mut self.handed {
            folder.look(0).expect("a folder");
        }
        self.said
    }

    /// The next result of a check; its number.
    pub(super) fn say(&mut self) -> u64 {
        self.said += 1;
        let at_ms = self.moment().wall.millis();
        self.step(Input::Reports(vec![result(self.said, at_ms)]));
        self.said
    }

    /// Reports of another kind than results.
    pub(super) fn tell(&mut self, reports: Vec<Report>) {
        self.step(Input::Reports(reports));
    }

    /// Handed reports get their places while the session gives any.
    pub(super) fn take_handed(&mut self) {
        while self.agent.is_some() && self.session().takes_handed() {
            let Some(frame) = self.handed.as_mut().and_then(HandedFolder::take_next) else { return };
            self.step(Input::Handed(frame));
        }
    }

    /// Lets this much time pass: deliveries and deadlines in their order, without rows.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.now_ms + millis;
        let mut spins = 0;
        self.read_logs();
        std::mem::take(&mut self.unfreed).into_iter().for_each(|id| self.obey_handed(HandedOrder::Free { id }));
        self.take_handed();
        loop {
            self.answer_connect();
            let up = self.up.front().map(|(due, ..)| *due);
            let down = self.down.front().map(|(due, _)| *due);
            let deadline = self.agent.as_ref().and_then(|agent| agent.session().deadline());
            let deadline = deadline.map(|due| u64::try_from(due.as_millis()).unwrap_or(u64::MAX).max(self.now_ms));
            let answer = self.agent.as_ref().and_then(Agent::answer_due);
            let Some(next) = [up, down, deadline, answer].into_iter().flatten().min().filter(|next| *next <= end)
            else {
                break;
            };
            let before = self.now_ms;
            self.now_ms = next.max(self.now_ms);
            self.deliver();
            self.step(Input::Tick);
            self.read_logs();
            self.take_handed();
            spins = if before == self.now_ms && self.is_due_in_vain() { spins + 1 } else { 0 };
            assert!(spins < 3, "at {} a deadline stays due, whatever is done", self.now_ms);
        }
        self.now_ms = end;
        self.step(Input::Tick);
        self.read_logs();
        self.take_handed();
    }

    /// Lines go out while the session takes them.
    pub(super) fn read_logs(&mut self) {
        while self.agent.is_some() && self.session().takes_logs(self.moment()) {
            let Some(batch) = self.reader.next() else { return };
            self.step(Input::Logs(batch));
        }
    }

    /// Whether the session wants to be called at once though nothing else happens by now: the program would spin.
    fn is_due_in_vain(&self) -> bool {
        let Some(agent) = &self.agent else { return false };
        let is_due = agent.session().deadline().is_some_and(|due| due.as_millis() <= u128::from(self.now_ms));
        let up = self.up.front().map(|(due, ..)| *due);
        let down = self.down.front().map(|(due, _)| *due);
        let others = [up, down, agent.answer_due()];
        is_due && !self.connecting && others.into_iter().flatten().all(|due| due > self.now_ms)
    }

    fn answer_connect(&mut self) {
        if !self.connecting {
            return;
        }
        self.connecting = false;
        if self.network_up {
            self.connected = true;
            self.collector.connect();
            if self.certificate_expired {
                self.step(Input::ConnectedExpired { csr_der: vec![1] });
            } else {
                self.step(Input::Connected);
            }
        } else {
            self.step(Input::Disconnected);
        }
    }

    fn deliver(&mut self) {
        let now_ms = self.collector_ms();
        while let Some((_, on, bytes)) = self.up.pop_front_if(|(due, ..)| *due <= self.now_ms) {
            let answers = match on {
                Channel::Control => self.collector.take_control(&bytes, now_ms),
                Channel::Lane(muster_common::wire::message::Lane::P2) => self.collector.logs.take(&bytes),
                Channel::Lane(lane) => self.collector.take_lane(lane, &bytes, now_ms),
            };
            answers.into_iter().for_each(|answer| self.tell_agent(answer));
        }
        while let Some(answer) = self.agent.as_mut().and_then(|agent| agent.answer(self.now_ms)) {
            self.step(Input::Spool(answer));
        }
        while let Some((_, message)) = self.down.pop_front_if(|(due, _)| *due <= self.now_ms) {
            self.step(Input::Message(message));
        }
    }

    /// Rows on the grid of one second for this long.
    pub(super) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.row();
            self.pass(1_000);
        }
    }

    /// Rows go on until everything held is committed.
    pub(super) fn settle(&mut self, seconds_max: u64) {
        for second in 0..seconds_max {
            if second % 20 == 19 {
                self.pass(3_000);
                if self.session().is_settled() {
                    return;
                }
            }
            self.run(1);
        }
        panic!("not settled: {:?}; {:?}", self.session().epochs().collect::<Vec<_>>(), self.notes);
    }

    pub(super) fn count(&self, number: u64) -> u32 {
        self.collector.store.counts.get(&number).copied().unwrap_or(0)
    }

    /// Numbers made and not committed; fails when one was committed twice.
    pub(super) fn missing(&self) -> Vec<u64> {
        let twice: Vec<_> = self.collector.store.counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "committed more than once: {twice:?}");
        self.made.keys().copied().filter(|number| self.count(*number) == 0).collect()
    }
}
