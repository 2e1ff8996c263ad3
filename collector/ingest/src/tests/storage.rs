//! A disk that fails, and a queue that is full.

use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::wire::message::{Epoch, Message};
use muster_store::{Append, Outcome, Source};

use super::agent::{Agent, batch, context, epoch};
use super::*;
use crate::apply::Apply;
use crate::committer::{self, Answer, QueueFull, QueueLimits};
use crate::counters::{Count, Counters};

/// Waits until the start's own transactions are over: a planted fault must meet the one it is meant for.
async fn quiet(disk: &CutDisk) {
    let mut last = disk.operations();
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if std::mem::replace(&mut last, disk.operations()) == disk.operations() {
            return;
        }
    }
    panic!("the disk does not come to rest within 5 s");
}

#[tokio::test]
async fn nothing_is_acked_that_the_disk_did_not_take_and_all_of_it_later() {
    let disk = CutDisk::new(7);
    let mut config = config();
    config.session.hold_min = Duration::from_millis(20);
    // No batch of the collector's own may take the fault that is meant for the agent's.
    config.interval = Duration::from_secs(3600);
    let disks: [Arc<dyn Disk>; 2] = [Arc::new(disk.clone()), Arc::new(CutDisk::new(8))];
    let collector = Collector::open_on(disks, tempfile::tempdir().unwrap(), config).await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&context(one, 1, &["a"])).await;
    agent.send(&batch(one, 1, 1, 1)).await;
    agent.acked(1).await;
    collector.delivered().await;
    quiet(&disk).await;
    disk.fail(Operation::Sync, 1, 1, Fault::Io);
    // Alone at first: a commit that failed may be durable, and then one that follows at once is taken and acked before the hold is told.
    agent.send(&batch(one, 2, 1, 1)).await;
    let mut held = false;
    loop {
        match agent.hear().await {
            Some(Message::Throttle(throttle)) if throttle.hold_ms > 0 && !held => {
                held = true;
                for seq in 3..=4 {
                    agent.send(&batch(one, seq, 1, 1)).await;
                }
            }
            Some(Message::Throttle(_)) => {}
            Some(Message::Ack(ack)) => {
                assert!(held, "no ack before the disk took it");
                if ack.seq == 4 {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(collector.appended(&[("__name__", "a")]), 4, "tried again, and stored once");
    assert!(!collector.ingest.is_storage_failing());
    assert_eq!(collector.stat("ingest_commits_failed_total", ""), 1.0);
}

#[tokio::test]
async fn small_state_that_its_disk_did_not_take_is_applied_later() {
    let disk = CutDisk::new(9);
    let mut config = config();
    config.interval = Duration::from_secs(3600);
    let disks: [Arc<dyn Disk>; 2] = [Arc::new(CutDisk::new(10)), Arc::new(disk.clone())];
    let collector = Collector::open_on(disks, tempfile::tempdir().unwrap(), config).await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&context(one, 1, &["a"])).await;
    collector.delivered().await;
    quiet(&disk).await;
    disk.fail(Operation::Sync, 1, 1, Fault::Io);
    agent.send(&batch(one, 1, 1, 2)).await;
    agent.acked(1).await;
    assert_eq!(collector.stat("ingest_apply_failed_total", ""), 1.0);
    agent.send(&batch(one, 2, 1, 1)).await;
    agent.acked(2).await;
    let gaps = collector.fleet.gaps(0, i64::MAX).unwrap();
    assert_eq!(gaps.iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(), [(1, 1)], "with the next commit");
}

/// A committer that is not running, and its queue.
fn committer(limits: QueueLimits, counters: &Arc<Counters>) -> (committer::Committer, committer::CommitQueue) {
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::new(1));
    let now = time::now();
    let parts = muster_store::open(disk.clone(), Config::new("/data"), now, &mut || 5).unwrap();
    let fleet = Arc::new(muster_fleet::open(disk, std::path::Path::new("/data"), now).unwrap());
    let (apply, reached) = Apply::start(fleet, &parts.replay).unwrap();
    assert_eq!(reached, None);
    committer::new(parts.writer, apply, counters.clone(), limits)
}

fn own(tick: u64) -> Append {
    let source = Source::Own { run: Epoch::new(1, 1), tick };
    Append { source, records: Vec::new(), arrived: time::now(), live: true }
}

#[tokio::test]
async fn the_queue_is_bounded_by_count_and_bytes_and_commits_many_at_once() {
    let counters = Arc::new(Counters::default());
    let limits = QueueLimits { appends_max: 3, bytes_max: 8 << 10, ..QueueLimits::default() };
    let (committer, queue) = committer(limits, &counters);
    let first = queue.try_append(own(1), 1).unwrap();
    let second = queue.try_append(own(1), 1).unwrap();
    assert!(matches!(queue.try_append(own(2), 8 << 10), Err(QueueFull)), "no room for so many bytes");
    let third = queue.try_append(own(2), 1).unwrap();
    assert!(matches!(queue.try_append(own(3), 1), Err(QueueFull)));
    assert_eq!(queue.depth(), (3, 3 << 10));
    queue.stop();
    tokio::task::spawn_blocking(move || committer.run()).await.unwrap();
    let outcome = |answer| match answer {
        Ok(Answer::Settled { outcome, .. }) => outcome,
        other => panic!("{other:?}"),
    };
    assert!(matches!(outcome(first.await), Outcome::Committed { .. }));
    assert_eq!(outcome(second.await), Outcome::Repeat { mark: 1 });
    assert!(matches!(outcome(third.await), Outcome::Committed { .. }));
    assert_eq!((counters.value(Count::Commits), queue.depth()), (1, (0, 0)));
    let late = queue.try_append(own(3), 1).unwrap();
    assert!(matches!(late.await, Ok(Answer::Failed { .. })), "a stopped committer says so");
}

#[tokio::test]
async fn a_committer_that_panicked_says_so_and_leaves_nobody_waiting() {
    let mut config = config();
    config.interval = Duration::from_secs(3600);
    let collector = Collector::open(tempfile::tempdir().unwrap(), config).await;
    let credentials = Agent::enrol(collector.ingest.agents_addr(), &collector.token("web1")).await.unwrap();
    let (mut agent, _) = Agent::open(collector.ingest.agents_addr(), &credentials, &[epoch(1)]).await;
    agent.send(&context(epoch(1), 1, &["a"])).await;
    collector.ingest.plant_panic();
    agent.send(&batch(epoch(1), 1, 1, 1)).await;
    collector.ingest.broken().cancelled().await;
    assert!(collector.ingest.is_storage_failing());
    let stops = collector.ingest.stop("test");
    tokio::time::timeout(Duration::from_secs(8), stops).await.expect("no session waits for an answer");
}

#[tokio::test]
async fn what_is_queued_behind_a_panic_is_answered() {
    let counters = Arc::new(Counters::default());
    let limits = QueueLimits { commit_appends_max: 1, ..QueueLimits::default() };
    let (committer, queue) = committer(limits, &counters);
    let before = queue.try_append(own(1), 1).unwrap();
    queue.plant_panic();
    let behind = queue.try_append(own(2), 1).unwrap();
    assert!(tokio::task::spawn_blocking(move || committer.run()).await.is_err());
    assert!(matches!(before.await, Ok(Answer::Settled { .. })));
    assert!(matches!(behind.await, Ok(Answer::Failed { .. })));
    assert!(queue.health().is_failing() && queue.health().broken().is_cancelled());
}
