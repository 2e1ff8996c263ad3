mod configurations;
mod ends;
mod inventory;
mod lines;
mod questions;
mod tasks;

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::frame::Frame;
use muster_common::wire::message::{
    AgentGoodbye, CheckList, ClockProbe, Context, Enrol, Enrolled, Epoch, Gap, GapReason, GoodbyeReason, HeldEpoch,
    Hello, HostFacts, Lane, LogBatch, Message, MetricBatch, PROTOCOL, RefusalCode, Refused, Renew, Report, ReportBatch,
    Scrape, SeriesEntry, Throttle, WireLabel,
};
use muster_store::{Append, MarkRow, Outcome, Position, Record, SampleBlock, Source};
use parking_lot::Mutex;
use std::sync::Arc;

use super::*;
use crate::admit::SeriesBudget;
use crate::contexts::ContextPool;
use crate::counters::{Count, Counters};
use crate::host_labels::HostLabels;

const NOW: i64 = 1_700_000_000_000;
const HOST: HostId = HostId([9; 16]);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW + seconds * 1000)
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(NOW + number as i64, number)
}

fn labels(name: &str) -> Arc<HostLabels> {
    Arc::new(HostLabels { id: HOST, name: name.to_owned(), labels: BTreeMap::new() })
}

fn hello(held: &[(Epoch, u64)]) -> Hello {
    Hello {
        protocol: PROTOCOL,
        agent_version: "0".to_owned(),
        boot_id: [0; 16],
        clock_ms: NOW,
        started_ms: NOW,
        facts: HostFacts::default(),
        epochs: held.iter().map(|(epoch, last)| HeldEpoch { epoch: *epoch, last_seq: [0, *last, 0] }).collect(),
        extensions: Vec::new(),
    }
}

fn entry(name: &str, labels: &[(&str, &str)]) -> SeriesEntry {
    let wire = |(name, value): &(&str, &str)| WireLabel { name: (*name).to_owned(), value: (*value).to_owned() };
    SeriesEntry { name: name.to_owned(), labels: labels.iter().map(wire).collect(), kind: 2, scale: 0 }
}

fn context(epoch: Epoch, id: u32) -> Frame {
    let series = vec![entry("a", &[]), entry("b", &[])];
    Frame::context(epoch, Context { id, series, row: vec![1.0, 2.0], extensions: Vec::new() })
}

fn scrape(at_ms: i64) -> Scrape {
    Scrape { at_ms, present: vec![3], differs: vec![0], changes: Vec::new(), raw: Vec::new() }
}

fn batch_at(epoch: Epoch, seq: u64, id: u32, times: &[i64]) -> Frame {
    let scrapes = times.iter().map(|at_ms| scrape(*at_ms)).collect();
    Frame::batch(Lane::P1, epoch, seq, Message::Metrics(MetricBatch { context: id, scrapes, extensions: Vec::new() }))
}

fn batch(epoch: Epoch, seq: u64) -> Frame {
    batch_at(epoch, seq, 1, &[NOW])
}

fn gap(epoch: Epoch, seq: u64, to: u64) -> Frame {
    Frame::gap(Lane::P1, epoch, seq, Gap { to, reason: GapReason::SpoolFull, from_ms: 0, to_ms: 0 })
}

fn committed() -> Outcome {
    Outcome::Committed { position: Position { generation: 1, entry: 1 } }
}

/// A session under test; effects come back as short texts.
struct Bench {
    session: Session,
    counters: Arc<Counters>,
    now: Timestamp,
    /// Appends under way, by token.
    under_way: BTreeMap<u64, Append>,
}

impl Bench {
    fn with(peer: Peer, settings: Settings) -> Self {
        let counters = Arc::new(Counters::default());
        let shared = Shared {
            counters: counters.clone(),
            pool: ContextPool::new(1 << 20),
            budget: Arc::new(Mutex::new(SeriesBudget::new(settings.series_max, at(0)))),
            throttle: Throttle { linger_ms: 1000, hold_ms: 0 },
        };
        let session = Session::new(Arc::new(settings), shared, peer, at(0));
        Self { session, counters, now: at(0), under_way: BTreeMap::new() }
    }

    fn host() -> Self {
        Self::with(Peer::Host(labels("web1")), Settings::default())
    }

    /// Open, holding these epochs with these marks, context 1 known in each.
    fn open(held: &[(Epoch, u64)]) -> Self {
        let mut bench = Self::host();
        bench.welcome(held);
        for (epoch, _) in held {
            bench.step(Input::Frame(context(*epoch, 1)));
        }
        bench
    }

    fn welcome(&mut self, held: &[(Epoch, u64)]) {
        assert_eq!(self.step(Input::Frame(Frame::control(Message::Hello(hello(held))))), ["see"]);
        assert_eq!(self.step(Input::Seen(Ok(()))), ["fence"]);
        let ask = format!("ask marks of {}", held.len());
        assert_eq!(self.step(Input::Drained), [ask.as_str()]);
        let marks = held.iter().filter(|(_, seq)| *seq > 0);
        let marks = marks.map(|(epoch, seq)| MarkRow { epoch: *epoch, lane: Lane::P1, seq: *seq, arrived_ms: NOW });
        let greeting = Greeting {
            store_id: [1; 16],
            incarnation: 7,
            marks: marks.collect(),
            positions: Vec::new(),
            inventory: Vec::new(),
        };
        assert_eq!(self.step(Input::Marks(Ok(greeting))), ["welcome", "welcomed"]);
    }

    fn step(&mut self, input: Input) -> Vec<String> {
        let mut effects = Vec::new();
        self.session.step(self.now, input, &mut effects);
        effects.into_iter().map(|effect| self.tell(effect)).filter(|text| text != "heard").collect()
    }

    fn frame(&mut self, frame: Frame) -> Vec<String> {
        self.step(Input::Frame(frame))
    }

    fn settle(&mut self, token: u64, outcome: Outcome) -> Vec<String> {
        let append = self.under_way.remove(&token).unwrap();
        let append = matches!(outcome, Outcome::NotNext { .. }).then_some(append);
        self.step(Input::Settled { token, outcome, append })
    }

    fn fail(&mut self, token: u64) -> Vec<String> {
        let append = self.under_way.remove(&token).unwrap();
        self.step(Input::Failed { token, append })
    }

    fn tell(&mut self, effect: Effect) -> String {
        match effect {
            Effect::Send(Message::Welcome(_)) => "welcome".to_owned(),
            Effect::Send(Message::Ack(ack)) => format!("ack {}", ack.seq),
            Effect::Send(Message::NeedContext(need)) => format!("need {} mark {}", need.context, need.mark),
            Effect::Send(Message::Throttle(throttle)) => {
                format!("throttle {} hold {}", throttle.linger_ms, throttle.hold_ms)
            }
            Effect::Send(Message::Refused(refused)) => format!("refused {:?}", refused.code),
            Effect::Send(Message::Positions(page)) => format!("page {} of {}", page.page, page.positions.len()),
            Effect::Send(Message::CollectorGoodbye(goodbye)) => format!("goodbye {}", goodbye.spread_ms),
            Effect::Send(message) => format!("send {}", message.kind().name()),
            Effect::Enrol(_) => "enrol".to_owned(),
            Effect::Renew(_) => "renew".to_owned(),
            Effect::See(_) => "see".to_owned(),
            Effect::Fence => "fence".to_owned(),
            Effect::AskMarks { held } => format!("ask marks of {}", held.len()),
            Effect::Welcomed => "welcomed".to_owned(),
            Effect::Heard => "heard".to_owned(),
            Effect::Problems(problems) => format!("{} problems", problems.len()),
            Effect::ConfigurationTold(state) => format!("configuration {} {:?}", state.number, state.word),
            Effect::Clock { agent_ms } => format!("clock {agent_ms}"),
            Effect::Goodbye(reason) => format!("agent leaves {reason:?}"),
            Effect::End { .. } => "end".to_owned(),
            Effect::TaskTold(state) => format!("task state {} {:?}", state.number, state.word),
            Effect::TaskWrote(output) => format!("task output {}", output.chunk),
            other @ (Effect::Answer(_) | Effect::Unasked { .. }) => questions::told(&other),
            Effect::Commit { token, append } => {
                let text = match append.source {
                    Source::Batch { seq, .. } if matches!(append.records.first(), Some(Record::Gap(_))) => {
                        format!("commit {token}: batch {seq} refused, {} records", append.records.len())
                    }
                    Source::Batch { seq, .. } => format!("commit {token}: batch {seq} live {}", append.live),
                    Source::Gap { from, to, .. } => {
                        let Record::Gap(record) = &append.records[0] else { panic!("a gap has its record") };
                        assert_eq!((record.to, record.host), (to, HOST));
                        format!("commit {token}: gap {from} to {to} {:?}", record.reason)
                    }
                    source => panic!("a session commits no {source:?}"),
                };
                self.under_way.insert(token, append);
                text
            }
        }
    }
}

#[test]
fn without_a_certificate_only_one_enrol_frame_is_taken() {
    let enrol = || {
        Frame::control(Message::Enrol(Enrol {
            protocol: PROTOCOL,
            token: String::new(),
            csr_der: Vec::new(),
            name: "web1".to_owned(),
            facts: HostFacts::default(),
        }))
    };
    let mut bench = Bench::with(Peer::Unknown, Settings::default());
    assert_eq!(bench.frame(enrol()), ["enrol"]);
    let enrolled = Enrolled { host_id: HOST.0, name: "web1".to_owned(), chain_der: vec![vec![1]] };
    assert_eq!(bench.step(Input::Enrolled(Ok(enrolled))), ["send enrolled", "end"]);
    assert_eq!(bench.frame(enrol()), [""; 0]);

    let refused =
        || Refused { code: RefusalCode::Token, message: String::new(), remedy: String::new(), retry_after_ms: 0 };
    let mut bench = Bench::with(Peer::Unknown, Settings::default());
    bench.frame(enrol());
    assert_eq!(bench.step(Input::Enrolled(Err(refused()))), ["refused Token", "end"]);
    for frame in [Frame::control(Message::Hello(hello(&[]))), batch(epoch(1), 1)] {
        let mut bench = Bench::with(Peer::Unknown, Settings::default());
        assert_eq!(bench.frame(frame), ["refused Protocol", "end"]);
    }
    let mut bench = Bench::host();
    assert_eq!(bench.frame(enrol()), ["refused Protocol", "end"], "nor does a host enrol again inside its session");
}

#[test]
fn hello_comes_first_and_once_and_of_a_known_version() {
    let goodbye = Message::AgentGoodbye(AgentGoodbye { reason: GoodbyeReason::Reboot });
    for frame in [batch(epoch(1), 1), Frame::control(goodbye)] {
        assert_eq!(Bench::host().frame(frame), ["refused Protocol", "end"]);
    }
    let mut bench = Bench::host();
    let probe = || Frame::control(Message::ClockProbe(ClockProbe { agent_ms: 1 }));
    assert_eq!(bench.frame(probe()), ["send clock_answer", "clock 1"], "the time is told before it");
    assert_eq!(Bench::with(Peer::Unknown, Settings::default()).frame(probe()), ["refused Protocol", "end"]);
    let future = Hello { protocol: 2, ..hello(&[]) };
    assert_eq!(Bench::host().frame(Frame::control(Message::Hello(future))), ["refused Version", "end"]);
    let mut bench = Bench::open(&[]);
    assert_eq!(bench.frame(Frame::control(Message::Hello(hello(&[])))), ["refused Protocol", "end"]);
    let unknown = muster_common::wire::frame::FrameError::Kind { number: 0x7f };
    assert_eq!(Bench::open(&[]).step(Input::BadFrame(unknown)), ["refused Version", "end"]);
    let mut bench = Bench::host();
    assert_eq!(bench.session.deadline(), Some(at(10)));
    bench.now = at(10);
    assert_eq!(bench.step(Input::Tick), ["refused Protocol", "end"]);
}

#[test]
fn an_expired_certificate_serves_for_renewal_only() {
    let renew = || Frame::control(Message::Renew(Renew { csr_der: vec![1] }));
    let mut bench = Bench::with(Peer::Expired(labels("web1")), Settings::default());
    assert_eq!(bench.frame(renew()), ["renew"]);
    assert_eq!(bench.step(Input::Renewed(None)), [""; 0]);
    assert_eq!(bench.frame(Frame::control(Message::Hello(hello(&[])))), ["refused Certificate", "end"]);
    assert_eq!(Bench::open(&[]).frame(renew()), ["renew"]);
}

#[test]
fn only_mark_plus_one_is_taken_and_acks_follow_the_commit() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 4)]);
    assert_eq!(bench.frame(batch(one, 5)), ["commit 1: batch 5 live true"]);
    assert_eq!(bench.frame(batch(one, 6)), ["commit 2: batch 6 live true"]);
    assert_eq!(bench.frame(batch(one, 6)), [""; 0], "on its way already");
    assert_eq!(bench.settle(1, committed()), ["ack 5"]);
    assert_eq!(bench.frame(batch(one, 3)), ["ack 5"], "a repeat is acked again");
    assert_eq!(bench.settle(2, Outcome::Repeat { mark: 6 }), ["ack 6"]);
    assert_eq!(bench.counters.value(Count::Samples), 2);
    assert_eq!(bench.frame(batch(one, 9)), ["ack 6"], "what is not next tells the agent the mark");
    assert_eq!(bench.frame(batch(one, 10)), [""; 0]);
    assert_eq!(bench.frame(batch(one, 7)), ["commit 3: batch 7 live true"]);
    assert_eq!(bench.counters.value(Count::BatchesOutOfOrder), 2);
}

#[test]
fn acks_of_one_answer_are_one() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    bench.frame(batch(one, 1));
    bench.frame(batch(one, 2));
    let mut effects = Vec::new();
    for token in [1, 2] {
        let input = Input::Settled { token, outcome: committed(), append: None };
        bench.session.step(bench.now, input, &mut effects);
    }
    let told: Vec<String> = effects.into_iter().map(|effect| bench.tell(effect)).collect();
    assert_eq!(told, ["ack 2"]);
}

#[test]
fn what_the_store_finds_not_next_is_discarded_until_the_agent_rewinds() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 4)]);
    bench.frame(batch(one, 5));
    bench.frame(batch(one, 6));
    assert_eq!(bench.settle(1, Outcome::NotNext { mark: 2 }), ["ack 2"]);
    assert_eq!(bench.settle(2, Outcome::NotNext { mark: 2 }), [""; 0], "told once");
    assert_eq!(bench.frame(batch(one, 7)), [""; 0]);
    assert_eq!(bench.frame(batch(one, 3)), ["commit 3: batch 3 live true"]);

    let mut bench = Bench::open(&[(one, 4)]);
    bench.frame(batch(one, 9));
    assert_eq!(bench.session.deadline(), Some(at(60)));
    bench.now = at(60);
    assert_eq!(bench.step(Input::Tick), ["refused Protocol", "end"], "it never rewound");
}

#[test]
fn a_missing_context_holds_its_lane_and_no_other() {
    let (one, two) = (epoch(1), epoch(2));
    let mut bench = Bench::open(&[(one, 4), (two, 0)]);
    assert_eq!(bench.frame(batch_at(one, 5, 1, &[NOW])), ["commit 1: batch 5 live false"]);
    assert_eq!(bench.frame(batch_at(one, 6, 2, &[NOW])), ["need 2 mark 4"]);
    assert_eq!(bench.frame(batch_at(one, 7, 1, &[NOW])), [""; 0]);
    assert_eq!(bench.frame(batch(two, 1)), ["commit 2: batch 1 live true"], "the other epoch flows on");
    assert_eq!(bench.settle(1, committed()), ["ack 5"]);
    assert_eq!(bench.frame(context(one, 2)), [""; 0]);
    assert_eq!(bench.frame(batch_at(one, 5, 1, &[NOW])), ["ack 5"]);
    assert_eq!(bench.frame(batch_at(one, 6, 2, &[NOW])), ["commit 3: batch 6 live false"]);
    assert_eq!(bench.frame(batch_at(one, 7, 1, &[NOW])), ["commit 4: batch 7 live false"]);
}

#[test]
fn a_refused_batch_takes_its_seq_as_a_gap() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    let mut wrong = batch(one, 1);
    if let Message::Metrics(batch) = &mut wrong.message {
        batch.scrapes[0].present = vec![1, 1];
        batch.scrapes[0].differs = vec![0, 0];
    }
    assert_eq!(bench.frame(wrong), ["commit 1: gap 1 to 1 Refused"]);
    assert_eq!(bench.frame(batch_at(one, 2, 1, &[NOW + 600_001])), ["commit 2: gap 2 to 2 Refused"]);
    assert_eq!(bench.frame(batch(one, 3)), ["commit 3: batch 3 live true"]);
    assert_eq!(bench.settle(1, committed()), ["ack 1"]);
    assert_eq!(bench.settle(2, committed()), ["ack 2"]);
    assert_eq!(bench.counters.value(Count::BatchesRefused), 2);

    let bytes = muster_common::wire::frame::encode(&batch(one, 4)).unwrap();
    let head = muster_common::wire::frame::decode_head(bytes[..42].try_into().unwrap()).unwrap();
    let reason = muster_common::wire::frame::ContentError::Body { problem: "x".to_owned() };
    let error = muster_common::wire::frame::FrameError::Content { head, reason, ranges: Box::default() };
    assert_eq!(bench.step(Input::BadFrame(error)), ["commit 4: gap 4 to 4 Refused"]);
    assert_eq!(bench.frame(batch(one, 5)), ["commit 5: batch 5 live true"]);
    bench.under_way.remove(&5);
    assert_eq!(bench.step(Input::Malformed { token: 5, why: "x" }), ["commit 6: gap 5 to 5 Refused"]);
}

#[test]
fn single_refused_samples_are_dropped_and_counted() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    let old = NOW - 91 * 86_400_000;
    bench.frame(batch_at(one, 1, 1, &[NOW, NOW + 700_000, old]));
    let Record::Samples(SampleBlock::Rows { rows, .. }) = &bench.under_way[&1].records[0] else { panic!("rows") };
    assert_eq!((rows.len(), rows[0].at_ms), (1, NOW));
    assert_eq!(bench.counters.value(Count::SamplesFuture), 2);
    assert_eq!(bench.counters.value(Count::SamplesTooOld), 2);
}

#[test]
fn gaps_cover_what_is_missing_and_repeat_like_batches() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 4)]);
    assert_eq!(bench.frame(gap(one, 5, 9)), ["commit 1: gap 5 to 9 SpoolFull"]);
    assert_eq!(bench.settle(1, committed()), ["ack 9"]);
    assert_eq!(bench.frame(gap(one, 5, 9)), ["ack 9"]);
    assert_eq!(bench.frame(gap(one, 7, 12)), ["commit 2: gap 10 to 12 SpoolFull"], "cut to what is missing");
    assert_eq!(bench.frame(gap(one, 14, 15)), ["ack 9"], "a gap too takes only mark + 1");
    assert_eq!(bench.frame(gap(one, 13, u64::MAX)), ["refused Protocol"]);
}

#[test]
fn an_expired_epoch_ends_in_a_gap_and_an_ack() {
    let old = epoch(1);
    let mut bench = Bench::open(&[]);
    bench.frame(context(old, 1));
    bench.frame(batch(old, 7));
    let expired = Outcome::Expired { floor_ms: NOW };
    assert_eq!(bench.settle(1, expired), ["commit 2: gap 1 to 7 Expired"]);
    assert_eq!(bench.settle(2, committed()), ["ack 7"]);
    assert_eq!(bench.frame(batch(old, 8)), ["commit 3: batch 8 live true"]);
    assert_eq!(bench.counters.value(Count::BatchesExpired), 1);
}

#[test]
fn a_failed_commit_is_held_and_tried_again_in_order_without_an_ack() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    for seq in 1..=3 {
        bench.frame(batch(one, seq));
    }
    assert_eq!(bench.fail(1), [""; 0]);
    assert!(!bench.session.takes_batches());
    assert_eq!(bench.settle(2, Outcome::NotNext { mark: 0 }), [""; 0], "it stood behind the failed one");
    assert_eq!(bench.fail(3), ["throttle 1000 hold 1000"]);
    assert_eq!(bench.frame(batch(one, 4)), [""; 0], "kept behind the others");
    assert_eq!(bench.session.deadline(), Some(at(1)));
    bench.now = at(1);
    let again = ["commit 1: batch 1 live true", "commit 2: batch 2 live true", "commit 3: batch 3 live true"];
    let told = bench.step(Input::Tick);
    assert_eq!(told[..3], again);
    assert_eq!(told[3..], ["commit 4: batch 4 live true"]);
    assert_eq!(bench.fail(1), [""; 0]);
    for token in 2..=3 {
        assert_eq!(bench.settle(token, Outcome::NotNext { mark: 0 }), [""; 0]);
    }
    assert_eq!(bench.settle(4, Outcome::NotNext { mark: 0 }), ["throttle 1000 hold 2000"]);
    bench.now = at(3);
    bench.step(Input::Tick);
    // The first had reached the disk after all.
    assert_eq!(bench.settle(1, Outcome::Repeat { mark: 1 }), ["ack 1"]);
    assert_eq!(bench.settle(2, committed()), ["ack 2", "throttle 1000 hold 0"]);
    assert_eq!(bench.settle(3, committed()), ["ack 3"]);
    assert_eq!(bench.settle(4, committed()), ["ack 4"]);
    assert!(bench.session.takes_batches());
}

#[test]
fn a_pause_that_the_store_asks_for_is_kept() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    bench.frame(batch(one, 1));
    let append = bench.under_way.remove(&1).unwrap();
    let retry_after = std::time::Duration::from_secs(30);
    assert_eq!(bench.step(Input::PutOff { token: 1, append, retry_after }), ["throttle 1000 hold 30000"]);
    assert_eq!(bench.session.deadline(), Some(at(30)));
    bench.now = at(29);
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.now = at(30);
    assert_eq!(bench.step(Input::Tick), ["commit 1: batch 1 live true"]);
}

#[test]
fn a_later_session_is_answered_only_when_the_older_has_drained() {
    let one = epoch(1);
    let mut older = Bench::open(&[(one, 0)]);
    older.frame(batch(one, 1));
    older.frame(batch(one, 2));
    assert_eq!(older.fail(2), [""; 0]);
    assert_eq!(older.step(Input::Fenced), ["refused Superseded"], "one commit is still under way");
    assert_eq!(older.frame(batch(one, 3)), [""; 0]);
    assert_eq!(older.settle(1, committed()), ["end"], "durable, and not acked to a fenced agent");
    assert!(older.session.has_ended());
    assert_eq!(older.counters.value(Count::BatchesFenced), 2);

    let mut newer = Bench::host();
    newer.frame(Frame::control(Message::Hello(hello(&[(one, 0)]))));
    newer.step(Input::Seen(Ok(())));
    assert!(!newer.session.is_open());
    assert_eq!(newer.step(Input::Fenced), ["refused Superseded", "end"], "it may be fenced while it waits");
}

#[cfg(feature = "planted")]
#[test]
fn the_planted_session_asks_before_the_older_has_drained() {
    let settings = Settings { planted: Some(Planted::HelloAnsweredBeforeDrain), ..Settings::default() };
    let mut bench = Bench::with(Peer::Host(labels("web1")), settings);
    bench.frame(Frame::control(Message::Hello(hello(&[]))));
    assert_eq!(bench.step(Input::Seen(Ok(()))), ["fence", "ask marks of 0"]);
}

#[test]
fn a_lane_that_is_not_stored_ends_the_session() {
    let logs = LogBatch { ranges: Vec::new(), streams: Vec::new(), extensions: Vec::new() };
    let frame = Frame::batch(Lane::P2, epoch(1), 1, Message::Logs(logs));
    let settings = Settings { lanes: 1 << Lane::P1 as u8, ..Settings::default() };
    let mut bench = Bench::with(Peer::Host(labels("web1")), settings);
    bench.welcome(&[]);
    assert_eq!(bench.frame(frame), ["refused Protocol", "end"]);
    let settings = Settings { lanes: 1 << Lane::P1 as u8, ..Settings::default() };
    let mut bench = Bench::with(Peer::Host(labels("web1")), settings);
    bench.welcome(&[]);
    let mut frame = gap(epoch(1), 1, 2);
    frame.lane = Some(Lane::P0);
    assert_eq!(bench.frame(frame), ["refused Protocol", "end"]);
}

#[test]
fn reports_are_batches_of_their_lane() {
    let one = epoch(1);
    let reports = |seq, at_ms| {
        let list = Report::Checks(CheckList { at_ms, checks: vec!["disk".to_owned()] });
        let batch = ReportBatch { reports: vec![list], extensions: Vec::new() };
        Frame::batch(Lane::P0, one, seq, Message::Reports(batch))
    };
    let mut bench = Bench::open(&[(one, 0)]);
    assert_eq!(bench.frame(reports(1, NOW)), ["commit 1: batch 1 live true"]);
    assert_eq!(bench.frame(batch(one, 1)), ["commit 2: batch 1 live true"], "lanes have marks of their own");
    assert_eq!(bench.frame(reports(1, NOW)), [""; 0], "on its way already");
    assert_eq!(
        bench.frame(reports(2, NOW + 600_001)),
        ["commit 3: batch 2 live true"],
        "its seq is taken all the same"
    );
    assert_eq!(bench.settle(1, committed()), ["ack 1"]);
    assert_eq!(bench.settle(3, committed()), ["ack 2"]);
    let counts = [Count::Reports, Count::ReportsFuture, Count::BatchesCommitted];
    assert_eq!(counts.map(|count| bench.counters.value(count)), [1, 1, 2]);
    let frame = reports(4, NOW);
    assert_eq!(bench.frame(frame), ["ack 2"], "what is not next tells the agent the mark");
}

#[test]
fn outstanding_commits_are_bounded_by_count_and_bytes() {
    let one = epoch(1);
    let settings = Settings { outstanding_batches_max: 2, ..Settings::default() };
    let mut bench = Bench::with(Peer::Host(labels("web1")), settings);
    bench.welcome(&[(one, 0)]);
    bench.frame(context(one, 1));
    bench.frame(batch(one, 1));
    assert!(bench.session.takes_batches());
    bench.frame(batch(one, 2));
    assert!(!bench.session.takes_batches());
    bench.settle(1, committed());
    assert!(bench.session.takes_batches());
    let settings = Settings { outstanding_bytes_max: 1, ..Settings::default() };
    let mut bench = Bench::with(Peer::Host(labels("web1")), settings);
    bench.welcome(&[(one, 0)]);
    bench.frame(context(one, 1));
    assert!(bench.session.takes_batches(), "one is always allowed");
    bench.frame(batch(one, 1));
    assert!(!bench.session.takes_batches());
}

#[test]
fn a_renamed_host_resolves_its_contexts_anew() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    assert_eq!(bench.step(Input::HostChanged(labels("web1"))), [""; 0]);
    assert_eq!(bench.frame(batch(one, 1)), ["commit 1: batch 1 live true"], "nothing changed");
    bench.settle(1, committed());
    assert_eq!(bench.step(Input::HostChanged(labels("web2"))), [""; 0]);
    assert_eq!(bench.frame(batch(one, 2)), ["need 1 mark 1"]);
    bench.frame(context(one, 1));
    bench.frame(batch(one, 2));
    let Record::Samples(SampleBlock::Rows { table, .. }) = &bench.under_way[&2].records[0] else { panic!("rows") };
    assert_eq!(table.series()[0].labels.get("host"), Some("web2"));
}
