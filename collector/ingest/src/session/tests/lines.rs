//! Lane p2: positions decide.

use muster_common::wire::message::{LogLine, LogStream, Problem, Problems, SourceId, SourceRange};
use muster_store::PositionRow;

use super::*;

fn source(inode: u64) -> SourceId {
    let path = "/var/log/a".to_owned();
    SourceId { device: 1, inode, fingerprint: 2, fingerprint_bytes: 64, incarnation: 0, path }
}

fn range(from: u64, to: u64) -> SourceRange {
    SourceRange { source: source(1), from, to, skipped: String::new(), tail_hash: to, gone: false }
}

fn stream(lines: usize) -> LogStream {
    let line = LogLine { at_ns: NOW * 1_000_000, line: b"x".to_vec(), fields: Vec::new() };
    LogStream { labels: Vec::new(), lines: vec![line; lines] }
}

fn lines(epoch: Epoch, seq: u64, ranges: Vec<SourceRange>) -> Frame {
    let batch = LogBatch { ranges, streams: vec![stream(2)], extensions: Vec::new() };
    Frame::batch(Lane::P2, epoch, seq, Message::Logs(batch))
}

fn place(inode: u64, offset: u64) -> PositionRow {
    PositionRow { source: source(inode), offset, tail_hash: 7, arrived_ms: NOW }
}

fn misplaced(mark: u64) -> Outcome {
    Outcome::Misplaced { mark, positions: vec![place(1, 50)] }
}

#[test]
fn lines_are_committed_with_their_ranges_and_acked_like_batches() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 4)]);
    let mut skipping = range(30, 40);
    skipping.skipped = "rotated away".to_owned();
    assert_eq!(bench.frame(lines(one, 1, vec![range(0, 10), skipping])), ["commit 1: batch 1 live true"]);
    let append = &bench.under_way[&1];
    assert!(matches!(append.source, Source::Batch { host: HOST, lane: Lane::P2, .. }));
    let kinds: Vec<&str> = append
        .records
        .iter()
        .map(|record| match record {
            Record::Range(_) => "range",
            Record::Logs(block) if block.labels.get("job") == Some("logs") => "lines",
            _ => "else",
        })
        .collect();
    assert_eq!(kinds, ["range", "range", "lines"]);
    assert_eq!(bench.frame(batch(one, 5)), ["commit 2: batch 5 live true"], "lanes have marks of their own");
    assert_eq!(bench.settle(1, committed()), ["ack 1"]);
    assert_eq!((bench.counters.value(Count::Lines), bench.counters.value(Count::LogSkips)), (2, 1));
    assert_eq!(bench.frame(lines(one, 1, vec![range(0, 10)])), ["ack 1"], "a repeat is acked again");
    assert_eq!(bench.counters.value(Count::Lines), 2);
}

#[test]
fn a_misplaced_batch_is_answered_by_positions_and_ends_its_epoch_on_that_lane_alone() {
    let (one, two) = (epoch(1), epoch(2));
    let mut bench = Bench::open(&[(one, 0)]);
    for seq in 1..=3 {
        bench.frame(lines(one, seq, vec![range(seq * 10, seq * 10 + 10)]));
    }
    assert_eq!(bench.settle(1, misplaced(0)), ["page 0 of 1"]);
    assert_eq!(bench.settle(2, Outcome::NotNext { mark: 0 }), [""; 0], "told once");
    assert_eq!(bench.settle(3, misplaced(0)), [""; 0]);
    for seq in [1, 4, 9] {
        assert_eq!(bench.frame(lines(one, seq, vec![range(50, 60)])), [""; 0], "seq {seq} of that epoch");
    }
    assert_eq!(bench.session.deadline(), None, "nobody waits for a rewind of it");
    assert_eq!(bench.frame(batch(one, 1)), ["commit 4: batch 1 live true"], "metrics of that epoch go on");
    assert_eq!(bench.frame(lines(two, 1, vec![range(50, 60)])), ["commit 5: batch 1 live true"]);
    assert_eq!(bench.settle(5, committed()), ["ack 1"]);
    assert_eq!(bench.counters.value(Count::BatchesMisplaced), 2);
}

#[test]
fn a_misplaced_batch_behind_a_failed_one_is_judged_when_its_turn_comes() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    bench.frame(lines(one, 1, vec![range(0, 10)]));
    bench.frame(lines(one, 2, vec![range(10, 20)]));
    assert_eq!(bench.fail(1), [""; 0]);
    assert_eq!(bench.settle(2, Outcome::NotNext { mark: 0 }), ["throttle 1000 hold 1000"]);
    bench.now = at(1);
    assert_eq!(bench.step(Input::Tick), ["commit 1: batch 1 live true", "commit 2: batch 2 live true"]);
    assert_eq!(bench.settle(1, misplaced(0)), ["page 0 of 1"]);
    assert_eq!(bench.settle(2, Outcome::NotNext { mark: 0 }), [""; 0]);
    assert!(bench.session.takes_batches() && !bench.session.has_ended());
}

#[test]
fn lines_of_a_forgotten_epoch_go_again_in_another_one_and_no_loss_is_named() {
    let one = epoch(1);
    let mut bench = Bench::open(&[]);
    bench.frame(lines(one, 1, vec![range(0, 10)]));
    assert_eq!(bench.settle(1, Outcome::Expired { floor_ms: NOW }), ["page 0 of 0"]);
    assert_eq!(bench.frame(lines(one, 2, vec![range(10, 20)])), [""; 0]);
    assert_eq!(bench.frame(lines(epoch(2), 1, vec![range(0, 10)])), ["commit 2: batch 1 live true"]);
}

/// A batch whose body is refused, with the ranges that could be read of it.
fn refused(epoch: Epoch, seq: u64, ranges: Vec<SourceRange>) -> Input {
    let bytes = muster_common::wire::frame::encode(&lines(epoch, seq, vec![range(0, 10)])).unwrap();
    let head = muster_common::wire::frame::decode_head(bytes[..42].try_into().unwrap()).unwrap();
    let reason = muster_common::wire::frame::ContentError::Body { problem: "x".to_owned() };
    Input::BadFrame(muster_common::wire::frame::FrameError::Content { head, reason, ranges: ranges.into() })
}

#[test]
fn refused_lines_of_known_ranges_move_their_positions_and_name_the_loss() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    assert_eq!(
        bench.step(refused(one, 1, vec![range(0, 10), range(10, 30)])),
        ["commit 1: batch 1 refused, 5 records"]
    );
    let append = &bench.under_way[&1];
    let Record::Gap(gap) = &append.records[0] else { panic!("the gap comes first") };
    assert_eq!((gap.from, gap.to, gap.reason, gap.lane), (1, 1, GapReason::Refused, Lane::P2));
    let ranges = append.records.iter().filter_map(|record| match record {
        Record::Range(range) => Some((range.from, range.to, range.skipped.starts_with("refused by the collector: "))),
        _ => None,
    });
    // As they came, so that they are judged; then without bytes, so that the loss has its reason.
    assert_eq!(ranges.collect::<Vec<_>>(), [(0, 10, false), (10, 10, true), (10, 30, false), (30, 30, true)]);
    assert_eq!(bench.frame(lines(one, 2, vec![range(30, 40)])), ["commit 2: batch 2 live true"]);
    assert_eq!(bench.settle(1, committed()), ["ack 1"]);
    let counts = [Count::BatchesRefused, Count::LogSkips, Count::BatchesCommitted];
    assert_eq!(counts.map(|count| bench.counters.value(count)), [1, 2, 0]);
    assert_eq!(bench.step(refused(one, 3, vec![range(0, 10)])), ["commit 3: batch 3 refused, 3 records"]);
    assert_eq!(bench.settle(3, misplaced(2)), ["page 0 of 1"], "a refusal skips nothing that is not its own");
}

#[test]
fn refused_lines_of_unknown_ranges_end_their_epoch_on_that_lane_and_the_agent_is_told_after_the_acks() {
    let (one, two) = (epoch(1), epoch(2));
    let mut bench = Bench::open(&[(one, 0)]);
    bench.frame(lines(one, 1, vec![range(0, 10)]));
    assert_eq!(bench.step(refused(one, 2, Vec::new())), ["commit 2: gap 2 to 2 Refused"]);
    assert_eq!(
        bench.frame(lines(one, 3, vec![range(20, 30)])),
        [""; 0],
        "it might open a source behind the refused one"
    );
    assert_eq!(bench.settle(1, committed()), ["ack 1"]);
    assert_eq!(bench.settle(2, committed()), ["page 1 of 0"], "not acknowledged: the agent would take it for stored");
    assert_eq!(bench.frame(lines(two, 1, vec![range(10, 15)])), ["commit 3: batch 1 live true"]);
    assert_eq!(bench.counters.value(Count::BatchesRefused), 1);
    bench.under_way.remove(&3);
    assert_eq!(bench.step(Input::Malformed { token: 3, why: "x" }), ["commit 4: gap 1 to 1 Refused"]);
    assert_eq!(
        bench.settle(4, Outcome::Expired { floor_ms: NOW }),
        ["page 0 of 0"],
        "only a refusal that stands counts"
    );
}

#[test]
fn a_refusal_of_unknown_ranges_waits_for_a_failing_disk() {
    let one = epoch(1);
    let mut bench = Bench::open(&[(one, 0)]);
    bench.step(refused(one, 1, Vec::new()));
    assert_eq!(bench.fail(1), ["throttle 1000 hold 1000"]);
    bench.now = at(1);
    assert_eq!(bench.step(Input::Tick), ["commit 1: gap 1 to 1 Refused"]);
    assert_eq!(bench.settle(1, committed()), ["page 1 of 0"]);
}

#[test]
fn positions_follow_the_welcome_in_pages_and_marks_of_lines_show_no_revert() {
    let one = epoch(1);
    let told = |positions: Vec<PositionRow>, lane: Lane| {
        let mut bench = Bench::host();
        bench.frame(Frame::control(Message::Hello(hello(&[(one, 3)]))));
        bench.step(Input::Seen(Ok(())));
        bench.step(Input::Drained);
        let marks = vec![MarkRow { epoch: one, lane, seq: 9, arrived_ms: NOW }];
        let greeting = Greeting { store_id: [0; 16], incarnation: 1, marks, positions, inventory: Vec::new() };
        let mut effects = Vec::new();
        bench.session.step(bench.now, Input::Marks(Ok(greeting)), &mut effects);
        let Some(Effect::Send(Message::Welcome(welcome))) = effects.first() else { panic!("{effects:?}") };
        let pages = welcome.position_pages;
        let told: Vec<String> = effects.into_iter().map(|effect| bench.tell(effect)).collect();
        (pages, told, bench.counters.value(Count::SessionsReverted))
    };
    assert_eq!(told(Vec::new(), Lane::P2), (0, vec!["welcome".into(), "welcomed".into()], 0));
    let many = (0..1_001).map(|inode| place(inode, 5)).collect();
    let expect = ["welcome", "page 0 of 1000", "page 1 of 1", "welcomed"].map(str::to_owned).to_vec();
    assert_eq!(told(many, Lane::P2), (2, expect, 0));
    assert_eq!(told(Vec::new(), Lane::P1).2, 1);
}

#[test]
fn bytes_of_lines_count_as_outstanding() {
    let one = epoch(1);
    let settings = Settings { outstanding_bytes_max: 100_000, ..Settings::default() };
    let mut bench = Bench::with(Peer::Host(labels("web1")), settings);
    bench.welcome(&[(one, 0)]);
    let mut frame = lines(one, 1, vec![range(0, 10)]);
    if let Message::Logs(batch) = &mut frame.message {
        batch.streams[0].lines[0].line = vec![b'x'; 100_000];
    }
    bench.frame(frame);
    assert!(!bench.session.takes_batches());
    bench.settle(1, committed());
    assert!(bench.session.takes_batches());
}

#[test]
fn problems_of_the_host_pass_through_an_open_session_only() {
    let problem = Problem { place: "/a".to_owned(), message: "closed".to_owned(), remedy: "open it".to_owned() };
    let frame =
        || Frame::control(Message::Problems(Problems { problems: vec![problem.clone()], extensions: Vec::new() }));
    assert_eq!(Bench::open(&[]).frame(frame()), ["1 problems"]);
    assert_eq!(Bench::host().frame(frame()), ["refused Protocol", "end"]);
}
