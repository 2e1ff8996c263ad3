//! Lane p2: whatever happens, each byte of a source is committed once, in order.

use std::collections::BTreeMap;

use muster_common::wire::frame::{self, Frame, FrameReader};
use muster_common::wire::message::{
    Ack, Epoch, Lane, LogBatch, Message, Position, Positions, Problem, SourceId, SourceRange, Throttle,
};

use super::world::World;
use crate::uplink::session::{LinkState, LogFrame, LogOrder};

/// Bytes of one batch of the tests' reader.
const STEP: u64 = 10;

fn source() -> SourceId {
    SourceId { device: 1, inode: 2, fingerprint: 3, fingerprint_bytes: 4, incarnation: 0, path: "/a".into() }
}

/// A reader of one file: it hands out from `sent` on, and goes where it is told.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) written: u64,
    sent: u64,
    acked: u64,
    /// Lines of a batch at most: a byte is a line.
    parts: Option<u64>,
    /// Up to where is given up: at the next seek, and as a range that is to go out.
    gives_up: Option<u64>,
    skip: Option<u64>,
    pub(crate) orders: Vec<LogOrder>,
}

impl Reader {
    pub(super) fn obey(&mut self, order: LogOrder) {
        match &order {
            LogOrder::SeekAll(positions) | LogOrder::SeekAnew(positions) => {
                self.acked = positions.first().map_or(0, |position| position.offset);
                self.sent = self.acked;
            }
            LogOrder::SeekSome(positions) => {
                self.skip = self.gives_up.take();
                self.sent = self.skip.unwrap_or(positions.first().map_or(self.acked, |position| position.offset));
            }
            LogOrder::Parts(lines) => self.parts = *lines,
            LogOrder::GiveUp(ends) => self.gives_up = ends.first().map(|(_, to)| *to),
            LogOrder::Acked(ends) => self.acked = ends.iter().map(|(_, to)| *to).max().unwrap_or(self.acked),
        }
        self.orders.push(order);
    }

    pub(super) fn next(&mut self) -> Option<LogFrame> {
        let skip = self.skip.take();
        let step = self.parts.unwrap_or(STEP).min(STEP);
        let (from, to) = (self.sent, skip.unwrap_or(self.written.min(self.sent + step)));
        if from == to && skip.is_none() {
            return None;
        }
        self.sent = to;
        let skipped = skip.map_or("", |_| "refused").to_owned();
        let range = SourceRange { source: source(), from, to, skipped, tail_hash: 0, gone: false };
        let batch = LogBatch { ranges: vec![range], streams: Vec::new(), extensions: Vec::new() };
        let frame = Frame::batch(Lane::P2, Epoch::new(9, 9), 9, Message::Logs(batch));
        let frame = frame::encode(&frame).unwrap().into();
        Some(LogFrame { frame, ends: vec![(source(), to)], lines: to - from })
    }
}

/// What the collector has of that file.
#[derive(Default)]
pub(crate) struct LogStore {
    pub(crate) offset: u64,
    marks: BTreeMap<Epoch, u64>,
    /// (epoch, seq, from, to) as committed.
    pub(crate) taken: Vec<(Epoch, u64, u64, u64)>,
    pub(crate) problems: Vec<Vec<Problem>>,
    /// Batches that arrive and are not taken nor answered.
    pub(crate) ignores: u32,
    /// The byte, if any, that it cannot read: batches with it are refused, and not even their ranges are known.
    unreadable: Option<u64>,
    reads_nothing: bool,
    /// How many batches were.
    refused: u32,
    /// Bytes that the agent gave up.
    lost: Vec<(u64, u64)>,
    discards: Option<Epoch>,
    frames: FrameReader,
}

impl LogStore {
    pub(super) fn connect(&mut self) {
        self.frames = FrameReader::new();
        self.discards = None;
    }

    fn positions(&self) -> Vec<Position> {
        vec![Position { source: source(), offset: self.offset, tail_hash: 0 }]
    }

    pub(super) fn pages(&self) -> Vec<Message> {
        if self.taken.is_empty() {
            return Vec::new();
        }
        let page = |page, positions| Message::Positions(Positions { page, positions });
        vec![page(0, Vec::new()), page(1, self.positions())]
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.frames.push(bytes);
        let mut answers = Vec::new();
        while let Some(frame) = self.frames.next().unwrap() {
            let Message::Logs(batch) = frame.message else { panic!("{frame:?} on lane p2") };
            let (epoch, seq, range) = (frame.epoch, frame.seq, &batch.ranges[0]);
            if self.ignores > 0 {
                self.ignores -= 1;
                continue;
            }
            let mark = self.marks.get(&epoch).copied().unwrap_or(0);
            if self.discards == Some(epoch) {
                continue;
            }
            if seq != mark + 1 {
                answers.push(Message::Ack(Ack { epoch, lane: Lane::P2, seq: mark }));
            } else if self.reads_nothing || self.unreadable.is_some_and(|byte| (range.from..range.to).contains(&byte)) {
                self.marks.insert(epoch, seq);
                self.discards = Some(epoch);
                self.refused += 1;
                answers.push(Message::Positions(Positions { page: Positions::REFUSED, positions: Vec::new() }));
            } else if range.from > self.offset && !range.skipped.is_empty() {
                self.marks.insert(epoch, seq);
                self.lost.push((self.offset, range.from));
                self.offset = range.to;
                answers.push(Message::Ack(Ack { epoch, lane: Lane::P2, seq }));
            } else if range.from != self.offset {
                self.discards = Some(epoch);
                answers.push(Message::Positions(Positions { page: 0, positions: self.positions() }));
            } else {
                self.marks.insert(epoch, seq);
                self.offset = range.to;
                self.taken.push((epoch, seq, range.from, range.to));
                answers.push(Message::Ack(Ack { epoch, lane: Lane::P2, seq }));
            }
        }
        answers
    }
}

/// A world whose collector takes lines, welcomed.
fn logging(seed: u64) -> World {
    let mut world = World::new(seed);
    world.collector.lanes = 0b110;
    world.run(3);
    world.pass(1_000);
    assert_eq!(world.session().link_state(), LinkState::Connected);
    world
}

fn assert_once(world: &World) {
    let ranges: Vec<_> = world.collector.logs.taken.iter().map(|(_, _, from, to)| (*from, *to)).collect();
    assert_eq!(ranges.first().map(|range| range.0), Some(0));
    assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0), "{ranges:?}");
    assert_eq!(ranges.last().map(|range| range.1), Some(world.reader.written));
    let mut seqs: Vec<_> = world.collector.logs.taken.iter().map(|(epoch, seq, ..)| (*epoch, *seq)).collect();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), ranges.len(), "a seq was given out twice");
}

#[test]
fn lines_go_out_after_the_positions_and_acks_reach_the_reader() {
    let mut world = logging(1);
    assert_eq!(world.reader.orders, [LogOrder::SeekAll(Vec::new())]);
    world.reader.written = 35;
    world.pass(1_000);
    assert_once(&world);
    assert_eq!(world.reader.orders.last(), Some(&LogOrder::Acked(vec![(source(), 35)])));
}

#[test]
fn the_reader_is_told_when_another_store_answers_also_when_the_first_answer_is_lost() {
    let mut world = logging(3);
    world.reader.written = 50;
    world.pass(1_000);
    world.collector.store.incarnation += 1;
    world.break_connection();
    world.pass(5_000);
    let kinds = |world: &World| -> String {
        let letter = |order: &LogOrder| match order {
            LogOrder::SeekAll(_) => Some('a'),
            LogOrder::SeekAnew(_) => Some('n'),
            _ => None,
        };
        world.reader.orders.iter().filter_map(letter).collect()
    };
    assert_eq!(kinds(&world), "an");
    world.break_connection();
    world.pass(5_000);
    assert_eq!(kinds(&world), "ana");
}

#[test]
fn after_a_lost_connection_lines_are_read_from_the_answered_position_in_a_new_epoch() {
    let mut world = logging(2);
    world.reader.written = 50;
    world.pass(15);
    world.collector.logs.ignores = u32::MAX;
    world.pass(500);
    world.collector.logs.ignores = 0;
    world.break_connection();
    world.pass(5_000);
    assert!(world.reader.orders.iter().filter(|order| matches!(order, LogOrder::SeekAll(_))).count() == 2);
    assert_once(&world);
    world.reader.written = 90;
    world.pass(1_000);
    assert_once(&world);
    let hello = world.collector.hellos.last().unwrap();
    assert_eq!(hello.epochs.last().map(|held| held.last_seq[2]), Some(0), "the newest epoch has no lines yet");
}

#[test]
fn what_does_not_continue_is_read_again_from_the_told_position() {
    let mut world = logging(3);
    world.reader.written = 40;
    world.pass(1_000);
    // As after a restore: the collector is behind.
    world.collector.logs.offset = 20;
    world.collector.logs.taken.truncate(2);
    world.reader.written = 60;
    world.pass(5_000);
    assert!(matches!(world.reader.orders.iter().rev().find(|order| !matches!(order, LogOrder::Acked(_))),
        Some(LogOrder::SeekSome(positions)) if positions[0].offset == 20));
    assert_once(&world);
}

#[test]
fn a_line_that_the_collector_cannot_read_is_given_up_alone_and_named() {
    for unreadable in [0, 3, 25, 39] {
        let mut world = logging(8);
        world.collector.logs.unreadable = Some(unreadable);
        world.reader.written = 40;
        world.pass(20_000);
        assert_eq!(world.collector.logs.lost, [(unreadable, unreadable + 1)]);
        let ranges: Vec<_> = world.collector.logs.taken.iter().map(|(_, _, from, to)| to - from).collect();
        assert_eq!((ranges.iter().sum::<u64>(), world.collector.logs.offset), (39, 40), "its neighbours are stored");
        let refused = world.collector.logs.refused;
        assert_eq!(refused, 4, "once as ten lines, three times alone");
        assert_eq!(world.own.log_refusals.value(), u64::from(refused));
        // Once that is behind, batches are large again.
        world.reader.written = 60;
        world.pass(5_000);
        assert_eq!(world.collector.logs.taken.last().map(|(_, _, from, to)| (*from, *to)), Some((50, 60)));
        assert_eq!(world.collector.logs.refused, refused);
    }
}

#[test]
fn what_is_refused_whatever_is_done_is_tried_ever_less_often() {
    let mut world = logging(9);
    world.reader.written = 10;
    world.collector.logs.reads_nothing = true;
    world.pass(20 * 60_000);
    let refused = world.collector.logs.refused;
    assert!((20..40).contains(&refused), "{refused} times in 20 min");
    assert!(world.session().epochs().count() <= 3, "epochs pile up");
    world.collector.logs.reads_nothing = false;
    world.pass(120_000);
    assert_eq!(world.collector.logs.offset, 10);
}

#[test]
fn a_batch_that_comes_as_the_clock_steps_waits_for_the_new_epoch() {
    let mut world = logging(7);
    world.reader.written = 10;
    world.wall_ahead_ms += 20_000;
    // The question is asked before the session has seen the step, the batch comes after it.
    world.read_logs();
    world.reader.written = 20;
    world.pass(3_000);
    assert_once(&world);
    assert_eq!(world.own.log_rewinds.value(), 0);
}

#[test]
fn a_batch_that_the_collector_does_not_see_comes_again() {
    let mut world = logging(4);
    world.collector.logs.ignores = 1;
    world.reader.written = 100;
    world.pass(10_000);
    assert_once(&world);
    assert_eq!(world.own.log_rewinds.value(), 1);
}

#[test]
fn under_throttle_nothing_is_taken_and_the_window_is_bounded() {
    let mut world = logging(5);
    world.tell_agent(Message::Throttle(Throttle { linger_ms: 0, hold_ms: 2_000 }));
    world.pass(100);
    world.reader.written = 1_000;
    world.pass(1_000);
    assert_eq!(world.collector.logs.taken, []);
    world.collector.logs.ignores = u32::MAX;
    world.pass(1_500);
    assert_eq!(world.reader.sent, 160, "16 batches");
    world.collector.logs.ignores = 0;
    world.break_connection();
    world.pass(10_000);
    assert_once(&world);
}

#[test]
fn random_losses_of_connection_process_and_batches_commit_each_byte_once() {
    for seed in 0..60 {
        let mut world = logging(seed);
        for _ in 0..60 {
            world.reader.written += world.rng.u64(0..60);
            match world.rng.u32(..12) {
                0 => world.break_connection(),
                1 => {
                    let power = world.rng.bool();
                    world.crash(power);
                    world.pass(50);
                    world.reader = super::logs::Reader { written: world.reader.written, ..Reader::default() };
                    world.start();
                }
                2 => world.collector.logs.ignores = world.rng.u32(..3),
                3 => world.wall_ahead_ms += world.rng.i64(-20_000..20_000),
                _ => {}
            }
            world.row();
            let millis = world.rng.u64(1..2_000);
            world.pass(millis);
        }
        world.collector.logs.ignores = 0;
        world.pass(100_000);
        world.run(2);
        world.pass(100_000);
        assert_once(&world);
        assert!(world.session().epochs().count() <= 2, "epochs pile up");
    }
}

#[test]
fn problems_are_told_when_they_change_and_to_each_new_session() {
    let mut world = logging(6);
    let problem = |place: &str| Problem { place: place.into(), message: "closed".into(), remedy: "open it".into() };
    world.tell_problems(vec![problem("/a")]);
    world.tell_problems(vec![problem("/a")]);
    world.tell_problems(Vec::new());
    world.tell_problems(vec![problem("/b")]);
    world.pass(1_000);
    world.break_connection();
    world.pass(5_000);
    let told = &world.collector.logs.problems;
    assert_eq!(*told, [vec![problem("/a")], vec![], vec![problem("/b")], vec![problem("/b")]]);
}
