//! Events become lines of the collector's own streams, each once, whatever is cut or fails.

use std::path::Path;

use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::time::Timestamp;
use muster_common::wire::message::{AgentGoodbye, GoodbyeReason, Message};
use muster_fleet::{By, Scope};
use muster_store::{Admin, Outcome, Writer};

use super::agent::{Agent, batch, context, epoch};
use super::*;
use crate::outbox::{Delivery, Settled};

const EVENTS: [(&str, &str); 1] = [("source", "muster")];

/// The text of each line.
pub(super) fn texts(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| text_of(line)).collect()
}

/// What stands between time and fields.
fn text_of(line: &str) -> &str {
    let (_, rest) = line.split_once("}@").unwrap();
    let (_, rest) = rest.split_once(' ').unwrap();
    rest.rsplit_once(" {").unwrap().0
}

impl Collector {
    /// Waits until every event that is durable is in the store.
    pub(super) async fn delivered(&self) {
        for _ in 0..4_000 {
            let outbox = self.fleet.outbox();
            if outbox.delivered + 1 == outbox.next_seq {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("events stay: {:?}", self.fleet.outbox());
    }
}

#[tokio::test]
async fn what_happens_to_hosts_is_read_as_lines_in_order_also_after_a_restart() {
    let collector = Collector::start().await;
    Agent::enrol(collector.ingest.agents_addr(), &collector.token("web1")).await.unwrap();
    let host = collector.fleet.find("web1").unwrap();
    collector.fleet.rename(host, "web2", &By::Itself("operator"), time::now()).unwrap();
    collector.fleet.retire(host, "scrapped", &By::Itself("operator"), time::now()).unwrap();
    collector.delivered().await;
    let all = collector.stored_lines(&EVENTS);
    let rows = collector.fleet.events(100).unwrap();
    let mut expect: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let mut told = texts(&all);
    expect.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expect, "every row once");
    // As a Grafana annotation asks.
    let of_host = collector.stored_lines(&[("source", "muster"), ("event", "change"), ("host", "web2")]);
    assert!(of_host[0].starts_with(r#"{event="change", host="web2", job="muster", source="muster"}@"#), "{of_host:?}");
    let kinds = |lines: &[String]| -> Vec<String> {
        let kind = |line: &String| line.split("kind=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        lines.iter().map(kind).collect()
    };
    // Those of one transaction have one time and keep their order.
    assert_eq!(kinds(&of_host), ["host_renamed", "certificate_denied", "host_retired"]);
    assert!(of_host[2].contains(r#"by="operator""#), "{of_host:?}");
    let before = collector.stored_lines(&[("source", "muster"), ("event", "change"), ("host", "web1")]);
    assert_eq!(kinds(&before), ["host_enrolled"]);
    let collector = collector.restart().await;
    collector.delivered().await;
    assert_eq!(collector.stored_lines(&EVENTS), all);
}

#[tokio::test]
async fn a_gap_is_a_line_that_says_what_is_missing_and_why() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, _) = Agent::open(address, &credentials, &[epoch(1)]).await;
    agent.send(&context(epoch(1), 1, &["a"])).await;
    // A series more than its context has: refused, which takes its seq.
    agent.send(&batch(epoch(1), 1, 1, 2)).await;
    agent.acked(1).await;
    collector.delivered().await;
    let lines = collector.stored_lines(&[("source", "muster"), ("event", "loss"), ("host", "web1")]);
    let expect = "batches 1 to 1 of host `web1` will never come: the collector refused its content";
    assert_eq!(texts(&lines), [expect]);
    assert!(lines[0].contains(r#"kind="gap""#) && lines[0].contains(r#"reason="refused""#), "{lines:?}");
}

#[tokio::test]
async fn a_silent_host_is_told_once_and_again_when_it_is_back() {
    let mut config = config();
    config.silent_after = Duration::from_millis(200);
    let collector = Collector::open(tempfile::tempdir().unwrap(), config).await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (agent, _) = Agent::open(address, &credentials, &[epoch(1)]).await;
    drop(agent);
    let state = [("source", "muster"), ("event", "state"), ("host", "web1")];
    let lines = collector.until_lines(&state, 1).await;
    assert!(texts(&lines)[0].starts_with("host `web1` is silent: nothing has arrived for"), "{lines:?}");
    let (mut agent, _) = Agent::open(address, &credentials, &[epoch(1)]).await;
    agent.send(&context(epoch(1), 1, &["a"])).await;
    let mut seq = 0;
    while collector.stored_lines(&state).len() < 2 {
        seq += 1;
        assert!(seq < 4_000, "it is heard and not told to be back");
        agent.send(&batch(epoch(1), seq, 1, 1)).await;
        agent.acked(seq).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    agent.say(Message::AgentGoodbye(AgentGoodbye { reason: GoodbyeReason::Shutdown })).await;
    let lines = collector.until_lines(&state, 3).await;
    let told = texts(&lines);
    assert!(told[1].starts_with("host `web1` is heard again, "), "{lines:?}");
    assert_eq!(told[2], "the agent of host `web1` has stopped: shutdown");
}

impl Collector {
    async fn until_lines(&self, labels: &[(&str, &str)], count: usize) -> Vec<String> {
        for _ in 0..4_000 {
            let lines = self.stored_lines(labels);
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{labels:?} stay {:?}", self.stored_lines(labels));
    }
}

/// Store and fleet on one disk, and a delivery between them that has just begun.
struct World {
    disk: CutDisk,
    writer: Writer,
    reader: Reader,
    admin: Admin,
    fleet: Fleet,
    delivery: Delivery,
    seconds: i64,
}

const FOLDER: &str = "/data";
const BEGIN_MS: i64 = 1_767_225_600_000;

impl World {
    fn open(disk: &CutDisk, seconds: i64) -> Option<Self> {
        let now = Timestamp::from_millis(BEGIN_MS + seconds * 1_000);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let parts = muster_store::open(shared.clone(), Config::new(FOLDER), now, &mut || 5).ok()?;
        let fleet = muster_fleet::open(shared, Path::new(FOLDER), now).ok()?;
        fleet.set_incarnation(parts.writer.incarnation(), parts.past, now).ok()?;
        let Parts { writer, reader, admin, .. } = parts;
        Some(Self { disk: disk.clone(), writer, reader, admin, fleet, delivery: Delivery::default(), seconds })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN_MS + self.seconds * 1_000)
    }

    /// An event, if the disk takes it.
    fn happen(&mut self) {
        self.seconds += 1;
        let _ =
            self.fleet.new_http_token(&[Scope::Read], Duration::from_secs(9_000), &By::Itself("operator"), self.now());
    }

    /// Some rows, as far as the disk takes them.
    fn deliver(&mut self, rows: usize) -> Option<()> {
        for _ in 0..100 {
            self.seconds += 1;
            let rows = self.fleet.undelivered(rows).ok()?;
            let Some(append) = self.delivery.next(&rows, self.now()) else { return Some(()) };
            let source = append.source;
            let delivered = match self.writer.commit(&[append], self.now()) {
                Ok(outcomes) => match self.delivery.settled(source, &outcomes[0]) {
                    Settled::Delivered { seq } => self.fleet.delivered(seq).is_ok(),
                    Settled::Known => true,
                },
                Err(_) => false,
            };
            if !delivered {
                self.delivery.failed();
                return None;
            }
        }
        panic!("the delivery does not end");
    }

    /// Some of everything; what the disk does not take is tried again once.
    fn run(&mut self) {
        for round in 0..3 {
            for _ in 0..3 {
                self.happen();
            }
            let _ = self.deliver(2);
            if round == 1 {
                let _ = self.admin.flush(false, self.now());
            }
        }
    }

    fn settle(&mut self, what: &str) {
        if self.deliver(3).is_none() {
            self.deliver(3).unwrap_or_else(|| panic!("{what}: the disk is well again"));
        }
        let lines = lines_of(&self.reader, &EVENTS);
        let rows = self.fleet.events(1_000).unwrap();
        let expect: Vec<&str> = rows.iter().rev().map(|row| row.text.as_str()).collect();
        assert_eq!(texts(&lines), expect, "{what}");
        assert!(expect.len() >= 2, "{what}");
    }
}

#[test]
fn a_power_cut_at_any_operation_neither_loses_nor_doubles_an_event() {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let mut world = World::open(&disk, 0).unwrap();
        world.happen();
        disk.power_off_at(disk.operations() + operation);
        world.run();
        let finished = !disk.is_off();
        drop(world);
        disk.cut();
        let mut world = World::open(&disk, 100).unwrap();
        world.happen();
        world.settle(&format!("operation {operation}"));
        if finished {
            assert!(operation > 50, "{operation}");
            return;
        }
    }
}

#[test]
fn a_disk_error_at_any_write_or_sync_neither_loses_nor_doubles_an_event() {
    for operation in [Operation::Sync, Operation::Write] {
        for nth in 1..60 {
            let disk = CutDisk::new(nth);
            let mut world = World::open(&disk, 0).unwrap();
            world.happen();
            world.disk.fail(operation, nth, 1, Fault::Io);
            world.run();
            world.run();
            world.settle(&format!("{operation:?} {nth}"));
            drop(world);
            disk.cut();
            World::open(&disk, 200).unwrap().settle(&format!("{operation:?} {nth} and a cut"));
        }
    }
}

#[test]
fn a_restored_folder_delivers_what_it_has_under_its_old_epoch_and_the_rest_under_a_new_one() {
    let disk = CutDisk::new(3);
    let mut world = World::open(&disk, 0).unwrap();
    world.run();
    let first = world.fleet.outbox().epoch;
    // In the store, and not yet noted by the fleet: the copy is made between the two.
    world.happen();
    let rows = world.fleet.undelivered(9).unwrap();
    let append = world.delivery.next(&rows, world.now()).unwrap();
    let outcome = world.writer.commit(&[append], world.now()).unwrap();
    assert!(matches!(outcome[0], Outcome::Committed { .. }));
    drop(world);
    let now = Timestamp::from_millis(BEGIN_MS + 300_000);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let config = Config { restored: true, ..Config::new(FOLDER) };
    drop(muster_store::open(shared, config, now, &mut || 77).unwrap());
    let mut world = World::open(&disk, 301).unwrap();
    assert_ne!(world.fleet.outbox().epoch, first);
    world.happen();
    world.settle("after the restore");
}

#[test]
fn an_event_about_no_host_has_no_host_label() {
    let disk = CutDisk::new(1);
    let mut world = World::open(&disk, 0).unwrap();
    world.deliver(9).unwrap();
    let lines = lines_of(&world.reader, &EVENTS);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with(r#"{event="change", job="muster", source="muster"}@"#), "{lines:?}");
    assert!(lines[0].ends_with(r#"{by="muster", kind="authority_made"}"#), "{lines:?}");
}
