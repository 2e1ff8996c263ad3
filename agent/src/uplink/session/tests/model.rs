//! A collector in a few lines: marks, contexts of the session, and how often each row's number was committed.

use std::collections::{BTreeMap, HashMap};

use muster_common::wire::frame::{Frame, FrameReader};
use muster_common::wire::message::{
    Ack, Answer, Ask, CheckList, ConfigurationState, Epoch, Extension, Gap, GoodbyeReason, Hello, Lane, Mark, Message,
    NeedContext, Report, Throttle, Welcome,
};
use muster_common::wire::metrics::RowCoder;

/// What is durable at the collector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) marks: BTreeMap<Epoch, (u64, i64)>,
    /// The same of lane p0.
    pub(crate) report_marks: BTreeMap<Epoch, (u64, i64)>,
    /// Numbers of results, in the order in which they were committed.
    pub(crate) results: Vec<u64>,
    /// Looks at processes.
    pub(crate) looks: Vec<Report>,
    /// Places of p0 named as missing.
    pub(crate) report_gaps: Vec<(Epoch, u64, Gap)>,
    /// How often each number was committed.
    pub(crate) counts: BTreeMap<u64, u32>,
    pub(crate) gaps: Vec<(Epoch, u64, Gap)>,
    pub(crate) incarnation: u64,
}

/// A result that is known by its number.
pub(crate) fn result(number: u64, at_ms: i64) -> Report {
    Report::Checks(CheckList { at_ms, checks: vec![number.to_string()] })
}

fn number_of(report: &Report) -> u64 {
    let Report::Checks(list) = report else { panic!("{report:?} is no numbered one") };
    list.checks[0].parse().expect("a number")
}

/// One session at the collector.
#[derive(Default)]
struct Open {
    control: FrameReader,
    lane: FrameReader,
    reports: FrameReader,
    contexts: HashMap<(Epoch, u32), RowCoder>,
    welcomed: bool,
    /// Discards this epoch until this seq comes.
    discards: HashMap<Epoch, u64>,
    discards_reports: HashMap<Epoch, u64>,
}

pub(crate) struct Collector {
    pub(crate) store: Store,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) goodbyes: Vec<GoodbyeReason>,
    pub(crate) throttle: Throttle,
    /// Its clock minus the world's.
    pub(crate) clock_ahead_ms: i64,
    /// Bits of the lanes it offers.
    pub(crate) lanes: u8,
    /// Says in its welcome that it reads looks at processes.
    pub(crate) takes_processes: bool,
    /// Says in its welcome that it reads which configuration a host runs by.
    pub(crate) takes_configurations: bool,
    /// What it was told of that.
    pub(crate) configurations: Vec<ConfigurationState>,
    /// Contexts are thrown away as they come.
    pub(crate) refuses_contexts: bool,
    /// So many frames of the lane are lost on their way to the disk.
    pub(crate) ignores: u32,
    /// Seqs ever named as missing, by a store that may have been restored since, too.
    pub(crate) named: u64,
    /// Every frame of the lane, as read: for tests of order.
    pub(crate) seen: Vec<(Epoch, u64, Kind)>,
    pub(crate) logs: super::logs::LogStore,
    /// Asked after each welcome, and what was answered.
    pub(crate) asks: Vec<Ask>,
    pub(crate) answers: Vec<Answer>,
    /// Says in its welcome that it reads states of tasks.
    pub(crate) takes_tasks: bool,
    /// What it was told of them.
    pub(crate) tasks: Vec<Message>,
    open: Option<Open>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Context(u32),
    Batch(Vec<u64>),
    Gap(Gap),
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            store: Store::default(),
            hellos: Vec::new(),
            goodbyes: Vec::new(),
            throttle: Throttle::default(),
            clock_ahead_ms: 0,
            lanes: 0b011,
            takes_processes: false,
            takes_configurations: false,
            configurations: Vec::new(),
            refuses_contexts: false,
            ignores: 0,
            named: 0,
            seen: Vec::new(),
            logs: super::logs::LogStore::default(),
            asks: Vec::new(),
            answers: Vec::new(),
            takes_tasks: false,
            tasks: Vec::new(),
            open: None,
        }
    }
}

impl Collector {
    pub(crate) fn connect(&mut self) {
        self.open = Some(Open::default());
        self.logs.connect();
    }

    pub(crate) fn disconnect(&mut self) {
        self.open = None;
    }

    pub(crate) fn forget_contexts(&mut self) {
        if let Some(open) = &mut self.open {
            open.contexts.clear();
        }
    }

    pub(crate) fn take_control(&mut self, bytes: &[u8], now_ms: i64) -> Vec<Message> {
        let Some(open) = &mut self.open else { return Vec::new() };
        open.control.push(bytes);
        let mut answers = Vec::new();
        while let Some(frame) = self.open.as_mut().and_then(|open| open.control.next().expect("a frame")) {
            match frame.message {
                Message::Hello(hello) => {
                    answers.push(self.welcome(hello, now_ms));
                    answers.extend(self.logs.pages());
                    answers.extend(self.asks.iter().cloned().map(Message::Ask));
                }
                Message::Answer(answer) => self.answers.push(answer),
                Message::Problems(told) => self.logs.problems.push(told.problems),
                Message::ConfigurationState(state) => {
                    assert!(self.takes_configurations, "a state that was not asked for");
                    self.configurations.push(state);
                }
                told @ (Message::TaskState(_) | Message::TaskOutput(_)) => {
                    assert!(self.takes_tasks, "a state that was not asked for");
                    self.tasks.push(told);
                }
                Message::AgentGoodbye(goodbye) => self.goodbyes.push(goodbye.reason),
                Message::ClockProbe(probe) => {
                    let collector_ms = now_ms + self.clock_ahead_ms;
                    let answer = muster_common::wire::message::ClockAnswer { agent_ms: probe.agent_ms, collector_ms };
                    answers.push(Message::ClockAnswer(answer));
                }
                Message::Renew(_) => {
                    let chain_der = vec![vec![1]];
                    answers.push(Message::Renewed(muster_common::wire::message::Renewed { chain_der }));
                }
                other => panic!("unexpected on the control stream: {other:?}"),
            }
        }
        answers
    }

    fn welcome(&mut self, hello: Hello, now_ms: i64) -> Message {
        assert!(hello.epochs.is_sorted_by_key(|held| held.epoch), "oldest first");
        let marks = hello.epochs.iter().flat_map(|held| {
            let of = |lane: Lane, marks: &BTreeMap<Epoch, (u64, i64)>| {
                let (seq, arrived_ms) = *marks.get(&held.epoch)?;
                Some(Mark { epoch: held.epoch, lane, seq, arrived_ms })
            };
            [of(Lane::P0, &self.store.report_marks), of(Lane::P1, &self.store.marks)].into_iter().flatten()
        });
        let marks = marks.collect();
        self.hellos.push(hello);
        if let Some(open) = &mut self.open {
            open.welcomed = true;
        }
        Message::Welcome(Welcome {
            host_id: [1; 16],
            host_name: "web1".into(),
            store_id: [2; 16],
            incarnation: self.store.incarnation,
            clock_ms: now_ms + self.clock_ahead_ms,
            marks,
            position_pages: self.logs.pages().len() as u32,
            lanes: self.lanes,
            throttle: self.throttle,
            extensions: [
                (self.takes_processes, Welcome::reports_known()),
                (self.takes_configurations && !self.takes_tasks, Welcome::frames_known()),
                (self.takes_tasks, Extension { id: Welcome::FRAMES_KNOWN, bytes: vec![0x0a] }),
            ]
            .into_iter()
            .filter_map(|(is_said, extension)| is_said.then_some(extension))
            .collect(),
        })
    }

    pub(crate) fn take_lane(&mut self, lane: Lane, bytes: &[u8], now_ms: i64) -> Vec<Message> {
        let Some(open) = &mut self.open else { return Vec::new() };
        assert!(self.lanes & (1 << lane as u8) != 0, "a lane that was not offered");
        if lane == Lane::P0 {
            open.reports.push(bytes);
            let mut answers = Vec::new();
            while let Some(frame) = self.open.as_mut().and_then(|open| open.reports.next().expect("a frame")) {
                answers.extend(self.report_frame(frame, now_ms));
            }
            return answers;
        }
        assert!(open.welcomed, "a batch before the welcome");
        open.lane.push(bytes);
        let mut answers = Vec::new();
        while let Some(frame) = self.open.as_mut().and_then(|open| open.lane.next().expect("a frame")) {
            answers.extend(self.lane_frame(frame, now_ms));
        }
        answers
    }

    fn report_frame(&mut self, frame: Frame, now_ms: i64) -> Option<Message> {
        let open = self.open.as_mut()?;
        let (lane, epoch, seq) = (Lane::P0, frame.epoch, frame.seq);
        assert_eq!(frame.lane, Some(lane));
        let mark = self.store.report_marks.get(&epoch).map_or(0, |(mark, _)| *mark);
        let to = if let Message::Gap(gap) = &frame.message { gap.to } else { seq };
        if self.ignores > 0 {
            self.ignores -= 1;
            return None;
        }
        if to <= mark {
            return Some(Message::Ack(Ack { epoch, lane, seq: mark }));
        }
        if seq > mark + 1 {
            let told = open.discards_reports.insert(epoch, mark + 1).is_some();
            return (!told).then_some(Message::Ack(Ack { epoch, lane, seq: mark }));
        }
        match frame.message {
            Message::Gap(gap) => self.store.report_gaps.push((epoch, mark + 1, gap)),
            Message::Reports(batch)
                if matches!(batch.reports[..], [Report::Processes(_) | Report::Inventory(_), ..]) =>
            {
                assert!(self.takes_processes, "a report that was not asked for");
                let kind = std::mem::discriminant(&batch.reports[0]);
                assert!(batch.reports.iter().all(|one| std::mem::discriminant(one) == kind), "apart from others");
                self.store.looks.extend(batch.reports);
            }
            Message::Reports(batch) => self.store.results.extend(batch.reports.iter().map(number_of)),
            other => panic!("unexpected on lane p0: {other:?}"),
        }
        open.discards_reports.remove(&epoch);
        self.store.report_marks.insert(epoch, (to, now_ms));
        Some(Message::Ack(Ack { epoch, lane, seq: to }))
    }

    fn lane_frame(&mut self, frame: Frame, now_ms: i64) -> Option<Message> {
        let open = self.open.as_mut()?;
        let (epoch, seq) = (frame.epoch, frame.seq);
        let mark = self.store.marks.get(&epoch).map_or(0, |(mark, _)| *mark);
        let to = match &frame.message {
            Message::Context(context) => {
                self.seen.push((epoch, 0, Kind::Context(context.id)));
                if !self.refuses_contexts {
                    open.contexts.insert((epoch, context.id), RowCoder::new(context).expect("a context"));
                }
                return None;
            }
            Message::Gap(gap) => gap.to,
            _ => seq,
        };
        if self.ignores > 0 {
            self.ignores -= 1;
            return None;
        }
        if to <= mark {
            return Some(Message::Ack(Ack { epoch, lane: Lane::P1, seq: mark }));
        }
        if seq > mark + 1 {
            let told = open.discards.insert(epoch, mark + 1).is_some();
            return (!told).then_some(Message::Ack(Ack { epoch, lane: Lane::P1, seq: mark }));
        }
        match frame.message {
            Message::Gap(gap) => {
                self.seen.push((epoch, seq, Kind::Gap(gap.clone())));
                self.named += gap.to - mark;
                self.store.gaps.push((epoch, mark + 1, gap));
            }
            Message::Metrics(batch) => {
                let Some(coder) = open.contexts.get(&(epoch, batch.context)) else {
                    open.discards.insert(epoch, seq);
                    let need = NeedContext { epoch, context: batch.context, mark };
                    return Some(Message::NeedContext(need));
                };
                let mut numbers = Vec::new();
                for scrape in &batch.scrapes {
                    let mut values = Vec::new();
                    coder.decode(scrape, &mut values).expect("a row of its context");
                    numbers.push(values[0] as u64);
                }
                numbers.iter().for_each(|number| *self.store.counts.entry(*number).or_default() += 1);
                self.seen.push((epoch, seq, Kind::Batch(numbers)));
            }
            other => panic!("unexpected on lane p1: {other:?}"),
        }
        open.discards.remove(&epoch);
        self.store.marks.insert(epoch, (to, now_ms));
        Some(Message::Ack(Ack { epoch, lane: Lane::P1, seq: to }))
    }
}
