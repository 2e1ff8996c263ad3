//! Lines of files over QUIC: stored once, whatever is cut, by the positions that the collector has.

use std::ops::ControlFlow;

use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::wire::frame::{Frame, HEAD_BYTES, checksum, encode};
use muster_common::wire::message::{
    Epoch, Gap, GapReason, Lane, LogBatch, LogLine, LogStream, Message, Position, Positions, Problem, Problems,
    RefusalCode, SourceId, SourceRange, WireLabel,
};
use muster_fleet::By;
use muster_store::{LogEntryRef, LogSelect};

use super::agent::{Agent, epoch};
use super::events::texts;
use super::*;

fn source(inode: u64) -> SourceId {
    let path = format!("/var/log/{inode}");
    SourceId { device: 1, inode, fingerprint: 2, fingerprint_bytes: 64, incarnation: 0, path }
}

/// Lines `from..to` of a file whose lines have one byte each, so that offsets are numbers of lines.
fn lines(epoch: Epoch, seq: u64, inode: u64, from: u64, to: u64) -> Frame {
    let at_ns = time::now().millis() * 1_000_000;
    let line = |number: u64| LogLine { at_ns, line: format!("{inode}:{number}").into_bytes(), fields: Vec::new() };
    let label = WireLabel { name: "filename".to_owned(), value: format!("/var/log/{inode}") };
    let range = SourceRange { source: source(inode), from, to, skipped: String::new(), tail_hash: to, gone: false };
    let stream = LogStream { labels: vec![label], lines: (from..to).map(line).collect() };
    let batch = LogBatch { ranges: vec![range], streams: vec![stream], extensions: Vec::new() };
    Frame::batch(Lane::P2, epoch, seq, Message::Logs(batch))
}

/// Lines as they are, with the reason why what lies before them is skipped.
fn skipping(mut frame: Frame, why: &str) -> Frame {
    let Message::Logs(batch) = &mut frame.message else { panic!("a batch of lines") };
    why.clone_into(&mut batch.ranges[0].skipped);
    frame
}

/// A batch that moves so many sources and has no line.
fn many_sources(epoch: Epoch, seq: u64, sources: std::ops::Range<u64>) -> Frame {
    let range = |inode| SourceRange {
        source: source(inode),
        from: 0,
        to: inode,
        skipped: String::new(),
        tail_hash: inode,
        gone: false,
    };
    let ranges = sources.map(range).collect();
    let batch = LogBatch { ranges, streams: Vec::new(), extensions: Vec::new() };
    Frame::batch(Lane::P2, epoch, seq, Message::Logs(batch))
}

impl Collector {
    /// All lines of a host, in the order of their arrival where their times are equal, each with its label set.
    fn lines(&self, host: &str) -> Vec<(String, String)> {
        // The collector's own events of that host are lines too.
        let matchers = [Matcher::equal("host", host), Matcher::equal("job", "logs")];
        let mut found = Vec::new();
        let mut each = |labels: &Arc<LabelSet>, entry: &LogEntryRef<'_>| {
            found.push((labels.to_string(), String::from_utf8_lossy(entry.line).into_owned()));
            ControlFlow::Continue(())
        };
        self.reader.view().logs(&LogSelect::all_times(&matchers), &mut each).unwrap();
        found
    }

    fn numbers(&self, host: &str, inode: u64) -> Vec<u64> {
        let prefix = format!("{inode}:");
        let number = |(_, line): &(String, String)| line.strip_prefix(&prefix).map(|number| number.parse().unwrap());
        self.lines(host).iter().filter_map(number).collect()
    }
}

/// The pages that follow a welcome.
async fn positions(agent: &mut Agent, pages: u32) -> Vec<Position> {
    let mut all = Vec::new();
    for number in 0..pages {
        match agent.hear().await {
            Some(Message::Positions(page)) => {
                assert_eq!(page.page, number);
                all.extend(page.positions);
            }
            other => panic!("{other:?} instead of page {number}"),
        }
    }
    all
}

/// A batch of one short line without labels whose body ends after so many bytes; its checksum is right.
fn cut_lines(epoch: Epoch, seq: u64, (from, to): (u64, u64), body_bytes: usize) -> Vec<u8> {
    let range = SourceRange { source: source(7), from, to, skipped: String::new(), tail_hash: to, gone: false };
    let line = LogLine { at_ns: 0, line: b"x".to_vec(), fields: Vec::new() };
    let stream = LogStream { labels: Vec::new(), lines: vec![line] };
    let batch = LogBatch { ranges: vec![range], streams: vec![stream], extensions: Vec::new() };
    let mut bytes = encode(&Frame::batch(Lane::P2, epoch, seq, Message::Logs(batch))).unwrap();
    assert!(HEAD_BYTES + body_bytes < bytes.len() && bytes[4] == 0, "not compressed");
    bytes.truncate(HEAD_BYTES + body_bytes);
    for at in [6, 10] {
        bytes[at..at + 4].copy_from_slice(&u32::try_from(body_bytes).unwrap().to_le_bytes());
    }
    let (head, body) = bytes.split_first_chunk_mut::<HEAD_BYTES>().unwrap();
    let crc = checksum(head, body);
    head[14..18].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[tokio::test]
async fn refused_lines_are_a_named_loss_and_the_file_goes_on_behind_them() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (one, two) = (epoch(1), epoch(2));
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&lines(one, 1, 7, 0, 3)).await;
    // Its ranges can be read, its lines cannot: nothing has to be sent again.
    agent.send_bytes(&cut_lines(one, 2, (3, 5), 26)).await;
    agent.send(&lines(one, 3, 7, 5, 6)).await;
    agent.acked(3).await;
    assert_eq!(collector.numbers("web1", 7), [0, 1, 2, 5]);
    assert_eq!(collector.stat("log_skips_total", ""), 1.0);
    let gaps = collector.fleet.gaps(0, i64::MAX).unwrap();
    assert_eq!(gaps.iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(), [(2, 2)]);
    // Not even the ranges: the agent alone knows what was in it.
    agent.send_bytes(&cut_lines(one, 4, (6, 7), 3)).await;
    let told = agent.hear().await;
    assert_eq!(told, Some(Message::Positions(Positions { page: Positions::REFUSED, positions: Vec::new() })));
    agent.send(&lines(two, 1, 7, 6, 8)).await;
    agent.acked(1).await;
    drop(agent);
    let collector = collector.restart().await;
    assert_eq!(collector.numbers("web1", 7), [0, 1, 2, 5, 6, 7]);
    assert_eq!(collector.fleet.gaps(0, i64::MAX).unwrap().len(), 2);
}

#[tokio::test]
async fn lines_are_stored_once_and_positions_are_answered_also_after_a_restart() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (one, two) = (epoch(1), epoch(2));
    let (mut agent, welcome) = Agent::open(address, &credentials, &[one]).await;
    assert_eq!(welcome.position_pages, 0);
    agent.send(&lines(one, 1, 7, 0, 3)).await;
    agent.send(&lines(one, 2, 7, 3, 5)).await;
    agent.send(&lines(one, 2, 7, 3, 5)).await;
    agent.acked(2).await;
    assert_eq!(collector.numbers("web1", 7), [0, 1, 2, 3, 4], "visible with the ack, each once");
    let labels = &collector.lines("web1")[0].0;
    assert_eq!(labels, r#"{filename="/var/log/7", host="web1", instance="web1", job="logs"}"#);

    drop(agent);
    let collector = collector.restart().await;
    let (mut agent, welcome) = Agent::open(collector.ingest.agents_addr(), &credentials, &[one, two]).await;
    let told = positions(&mut agent, welcome.position_pages).await;
    assert_eq!(told, [Position { source: source(7), offset: 5, tail_hash: 5 }]);
    agent.send(&lines(two, 1, 7, 5, 8)).await;
    agent.acked(1).await;
    assert_eq!(collector.numbers("web1", 7), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(collector.stat("ingest_lines_total", ""), 3.0);
}

#[tokio::test]
async fn what_does_not_continue_is_answered_by_positions_and_goes_on_in_a_new_epoch() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (one, two) = (epoch(1), epoch(2));
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&lines(one, 1, 7, 0, 4)).await;
    agent.acked(1).await;
    agent.send(&lines(one, 2, 7, 6, 9)).await;
    for seq in 3..6 {
        agent.send(&lines(one, seq, 7, 4, 5)).await;
    }
    match agent.hear().await {
        Some(Message::Positions(page)) => {
            assert_eq!(page.positions, [Position { source: source(7), offset: 4, tail_hash: 4 }]);
        }
        other => panic!("{other:?} instead of the committed position"),
    }
    agent.send(&lines(two, 1, 7, 4, 9)).await;
    agent.acked(1).await;
    assert_eq!(collector.numbers("web1", 7), (0..9).collect::<Vec<u64>>());
    assert_eq!(collector.stat("ingest_batches_total", "discarded_misplaced"), 1.0);
}

#[tokio::test]
async fn lines_that_were_rotated_away_are_an_event_once_also_after_a_restart() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&lines(one, 1, 7, 0, 4)).await;
    let rotated = skipping(lines(one, 2, 7, 9, 11), "rotated away before it was read");
    agent.send(&rotated).await;
    agent.send(&rotated).await;
    let gap = Gap { to: 4, reason: GapReason::SpoolFull, from_ms: 0, to_ms: 0 };
    agent.send(&Frame::gap(Lane::P2, one, 3, gap)).await;
    agent.acked(4).await;
    collector.delivered().await;
    let loss = [("source", "muster"), ("event", "loss"), ("host", "web1")];
    let told = collector.stored_lines(&loss);
    let expect = [
        "host `web1` lost 5 bytes of log lines in `/var/log/7`: rotated away before it was read",
        "batches 3 to 4 of log lines of host `web1` will never come: the agent's spool was full",
    ];
    assert_eq!(texts(&told), expect);
    assert!(told.iter().all(|line| line.contains(r#"kind="log_lost""#)), "{told:?}");
    assert!(told[0].contains(r#"bytes="5""#) && told[0].contains(r#"path="/var/log/7""#), "{told:?}");
    assert_eq!(collector.numbers("web1", 7), [0, 1, 2, 3, 9, 10]);
    drop(agent);
    let collector = collector.restart().await;
    collector.delivered().await;
    assert_eq!(collector.stored_lines(&loss), told, "replay adds none");
    let losses = collector.fleet.log_losses(0, i64::MAX).unwrap();
    assert!(losses.len() == 1 && losses[0].from_ms > 0 && losses[0].from_ms <= losses[0].to_ms, "{losses:?}");
}

#[tokio::test]
async fn thousands_of_positions_come_in_pages_and_each_host_has_its_own() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let other = Agent::enrol(address, &collector.token("web2")).await.unwrap();
    let one = epoch(1);
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&many_sources(one, 1, 1..2_102)).await;
    agent.acked(1).await;
    let (mut agent, welcome) = Agent::open(address, &credentials, &[one]).await;
    assert_eq!(welcome.position_pages, 3);
    let told = positions(&mut agent, 3).await;
    assert_eq!(told.len(), 2_101);
    assert!(told.iter().all(|one| one.offset == one.source.inode && one.tail_hash == one.offset));
    let (_other, welcome) = Agent::open(address, &other, &[one]).await;
    assert_eq!(welcome.position_pages, 0, "another host has its own");
}

#[tokio::test]
async fn a_fenced_session_leaves_nothing_twice() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (one, two) = (epoch(1), epoch(2));
    let (mut first, _) = Agent::open(address, &credentials, &[one]).await;
    first.send(&lines(one, 1, 7, 0, 4)).await;
    first.acked(1).await;
    // Sent, and not known to have arrived.
    first.send(&lines(one, 2, 7, 4, 6)).await;
    let (mut second, welcome) = Agent::open(address, &credentials, &[one, two]).await;
    assert_eq!(first.refused().await.code, RefusalCode::Superseded);
    let told = positions(&mut second, welcome.position_pages).await;
    let from = told[0].offset;
    assert!(from == 4 || from == 6, "{from}");
    second.send(&lines(two, 1, 7, from, 8)).await;
    second.acked(1).await;
    assert_eq!(collector.numbers("web1", 7), (0..8).collect::<Vec<u64>>());
}

#[tokio::test]
async fn problems_of_a_host_are_shown_until_it_says_otherwise() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, welcome) = Agent::open(address, &credentials, &[epoch(1)]).await;
    let problem = Problem { place: "/a".to_owned(), message: "closed".to_owned(), remedy: "open it".to_owned() };
    let told = |problems: Vec<Problem>| Message::Problems(Problems { problems, extensions: Vec::new() });
    let shown = async |expect: &[Problem]| {
        for _ in 0..4_000 {
            if collector.ingest.presence().first().is_some_and(|presence| *presence.problems == *expect) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{:?}", collector.ingest.presence());
    };
    agent.say(told(vec![problem.clone()])).await;
    shown(std::slice::from_ref(&problem)).await;
    assert_eq!(collector.stat("ingest_host_problems", ""), 1.0);
    agent.say(told(Vec::new())).await;
    shown(&[]).await;
    agent.say(told(vec![problem.clone()])).await;
    shown(&[problem]).await;
    collector.fleet.retire(HostId(welcome.host_id), "scrapped", &By::Itself("test"), time::now()).unwrap();
    agent.refused().await;
    for _ in 0..4_000 {
        if collector.ingest.presence().is_empty() {
            assert_eq!(collector.stat("ingest_host_problems", ""), 0.0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("a retired host's problems stay");
}
