//! Reports of checks over QUIC: stored once, whatever is cut, as samples, for the small state and as events.

use muster_common::inventory::{Rows, named};
use muster_common::wire::frame::Frame;
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::{
    CheckDefinition, CheckReport, Epoch, EventReport, Hello, Lane, Message, Report, ReportBatch,
};

use muster_fleet::DiscoveryQuery;

use super::agent::{Agent, epoch, hello};
use super::events::texts;
use super::*;

const STATE: [(&str, &str); 1] = [("__name__", "muster_check_state")];

fn check(at_ms: i64, state: u8) -> Report {
    let definition = CheckDefinition { kind: 2, interval_ms: 60_000, ttl_ms: 90_000, ..CheckDefinition::default() };
    let (check, output) = ("backup".to_owned(), "done".to_owned());
    let (long_output, perfdata) = (String::new(), Vec::new());
    Report::Check(CheckReport { at_ms, check, state, output, long_output, perfdata, duration_ms: 250, definition })
}

fn batch(epoch: Epoch, seq: u64, reports: Vec<Report>) -> Frame {
    Frame::batch(Lane::P0, epoch, seq, Message::Reports(ReportBatch { reports, extensions: Vec::new() }))
}

#[tokio::test]
async fn a_report_is_stored_once_over_repeats_and_restarts() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let begin = time::now().millis() - 60_000;
    let (mut agent, welcome) = Agent::open(address, &credentials, &[one]).await;
    assert_eq!(welcome.lanes, 0b111);
    agent.send(&batch(one, 1, vec![check(begin, 0), check(begin + 1_000, 2)])).await;
    agent.acked(1).await;
    let series = r#"muster_check_state{check="backup", host="web1", instance="web1", job="node"}"#;
    assert_eq!(collector.samples(&STATE), [format!("{series} 0 2")], "visible with the ack");
    let applied = collector.fleet.applied();
    assert!(applied.is_some(), "the small state has passed it");
    // Its ack was lost, and so was the collector.
    drop(agent);
    let collector = collector.restart().await;
    let (mut agent, welcome) = Agent::open(collector.ingest.agents_addr(), &credentials, &[one]).await;
    let marks: Vec<_> = welcome.marks.iter().map(|mark| (mark.epoch, mark.lane, mark.seq)).collect();
    assert_eq!(marks, [(one, Lane::P0, 1)]);
    agent.send(&batch(one, 1, vec![check(begin, 0), check(begin + 1_000, 2)])).await;
    agent.send(&batch(one, 2, vec![check(begin + 2_000, 1)])).await;
    agent.acked(2).await;
    assert_eq!(collector.samples(&STATE), [format!("{series} 0 2 1")]);
    assert_eq!(collector.appended(&STATE), 3, "none is stored twice");
    assert_eq!((collector.stat("reports_total", ""), collector.stat("batches_total", "repeated")), (1.0, 1.0));
}

#[tokio::test]
async fn a_report_out_of_bounds_takes_its_seq_and_is_told_alone() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (one, now) = (epoch(1), time::now().millis());
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    let event = EventReport { at_ms: now, kind: "smart".into(), text: "a bad sector".into(), fields: Vec::new() };
    agent.send(&batch(one, 1, vec![check(now + 3_600_000, 0), check(now, 2), Report::Event(event)])).await;
    agent.send(&batch(one, 2, vec![check(now + 3_600_000, 0)])).await;
    agent.acked(2).await;
    assert_eq!(collector.appended(&STATE), 1);
    let lines = collector.stored_lines(&[("source", "muster"), ("event", "host"), ("host", "web1")]);
    let told = texts(&lines);
    let count = |text: &str| told.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("check `backup` is refused"), count("a bad sector")), (2, 1), "{told:?}");
    assert_eq!(collector.stat("reports_dropped_total", "future"), 2.0);
    assert_eq!(collector.fleet.gaps(0, i64::MAX).unwrap(), [], "nothing is missing that was not told");
}

#[tokio::test]
async fn an_inventory_that_does_not_follow_is_asked_for_and_the_next_welcome_tells_what_is_known() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (one, now) = (epoch(1), time::now().millis());
    let users = named("users").unwrap();
    let rows = Rows::of(users, [vec!["ann".into(), 1_000.into()]]).unwrap();
    let look = |at_ms, word| {
        let table = TableReport { table: users.number, digest: rows.digest().0, dropped: 0, word };
        Report::Inventory(InventoryReport { at_ms, tables: vec![table], ..InventoryReport::default() })
    };
    let mut agent = Agent::dial(address, &credentials).await;
    agent.say(Message::Hello(Hello { extensions: vec![Hello::frames_known()], ..hello(&[one]) })).await;
    let Some(Message::Welcome(welcome)) = agent.hear().await else { panic!("a welcome") };
    assert_eq!((welcome.takes_inventory(), welcome.inventory_digests()), (true, vec![]));
    agent.send(&batch(one, 1, vec![look(now, InventoryWord::Unchanged)])).await;
    let mut wanted = None;
    while wanted.is_none() {
        match agent.hear().await {
            Some(Message::InventoryWanted(asked)) => wanted = Some(asked.tables),
            Some(Message::Ack(ack)) => assert_eq!(ack.seq, 1),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(wanted, Some(vec![users.number]));
    let whole = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    agent.send(&batch(one, 2, vec![look(now + 1, whole)])).await;
    agent.acked(2).await;
    drop(agent);
    let (_, welcome) = Agent::open(address, &credentials, &[one]).await;
    assert_eq!(welcome.inventory_digests(), [(users.number, rows.digest())]);
    let collector = collector.restart().await;
    let (_, welcome) = Agent::open(collector.ingest.agents_addr(), &credentials, &[one]).await;
    assert_eq!(welcome.inventory_digests(), [(users.number, rows.digest())]);
}

#[tokio::test]
async fn what_a_host_newly_has_is_proposed_without_being_asked_for() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let mut moved = collector.fleet.subscribe_discovery();
    let units = named("units").unwrap();
    let texts = ["shop.service", "The shop", "loaded", "active", "running", "enabled"];
    let rows = Rows::of(units, [texts.map(Into::into).to_vec()]).unwrap();
    let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    let table = TableReport { table: units.number, digest: rows.digest().0, dropped: 0, word };
    let at_ms = time::now().millis();
    let look = Report::Inventory(InventoryReport { at_ms, tables: vec![table], ..InventoryReport::default() });
    let one = epoch(1);
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&batch(one, 1, vec![look])).await;
    agent.acked(1).await;
    let told = tokio::time::timeout(Duration::from_secs(20), moved.wait_for(|moved| *moved > 0)).await;
    told.expect("nothing is proposed").unwrap();
    let items = collector.fleet.discovery(&DiscoveryQuery::default(), time::now()).items;
    assert_eq!((items.len(), items[0].key.as_str(), items[0].host_name.as_str()), (1, "unit:shop.service", "web1"));
}
