//! What changes of the registry do to sessions and series.

use muster_common::wire::message::{AgentGoodbye, GoodbyeReason, Message, RefusalCode};
use muster_fleet::By;

use super::agent::{Agent, batch, context, epoch};
use super::*;
use crate::own::Run;

#[tokio::test]
async fn a_renamed_host_goes_on_under_its_new_name_and_the_old_series_end() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, welcome) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&context(one, 1, &["a"])).await;
    let mut recent = batch(one, 1, 1, 1);
    if let Message::Metrics(batch) = &mut recent.message {
        batch.scrapes[0].at_ms = time::now().millis();
    }
    agent.send(&recent).await;
    agent.acked(1).await;
    let old = [("host", "web1")];
    collector.until(&old, |lines| lines.len() == 2).await;
    let host = muster_common::host::HostId(welcome.host_id);
    collector.fleet.rename(host, "web2", &By::Itself("test"), time::now()).unwrap();
    collector.until(&old, |lines| lines.len() == 2 && lines.iter().all(|line| line.ends_with("stale"))).await;
    assert!(collector.samples(&[("__name__", "a")])[0].ends_with(" 1 stale"), "one marker each");

    agent.send(&batch(one, 2, 1, 1)).await;
    assert!(matches!(agent.hear().await, Some(Message::NeedContext(need)) if need.mark == 1));
    agent.send(&context(one, 1, &["a"])).await;
    agent.send(&batch(one, 2, 1, 1)).await;
    agent.acked(2).await;
    let new = collector.samples(&[("host", "web2"), ("__name__", "a")]);
    assert_eq!(new, [r#"a{host="web2", instance="web2", job="node"} 1"#]);
}

#[tokio::test]
async fn a_retired_host_is_sent_away_and_all_its_series_end() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, welcome) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&context(one, 1, &["a"])).await;
    let mut recent = batch(one, 1, 1, 1);
    if let Message::Metrics(batch) = &mut recent.message {
        batch.scrapes[0].at_ms = time::now().millis();
    }
    agent.send(&recent).await;
    agent.acked(1).await;
    collector.until(&[("host", "web1")], |lines| lines.len() == 2).await;
    let host = muster_common::host::HostId(welcome.host_id);
    collector.fleet.retire(host, "scrapped", &By::Itself("test"), time::now()).unwrap();
    assert_eq!(agent.refused().await.code, RefusalCode::Certificate);
    let all_ended = |lines: &[String]| lines.len() == 2 && lines.iter().all(|line| line.ends_with("stale"));
    let lines = collector.until(&[("host", "web1")], all_ended).await;
    assert!(lines.iter().all(|line| line.matches("stale").count() == 1), "{lines:?}");
    assert!(collector.ingest.presence().is_empty());
}

#[tokio::test]
async fn an_agent_that_leaves_for_good_retires_its_host() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, welcome) = Agent::open(address, &credentials, &[]).await;
    agent.say(Message::AgentGoodbye(AgentGoodbye { reason: GoodbyeReason::Retire })).await;
    assert_eq!(agent.refused().await.code, RefusalCode::Certificate);
    let row = collector.fleet.host(muster_common::host::HostId(welcome.host_id)).unwrap();
    assert_eq!(row.state, muster_fleet::HostState::Retired);
}

#[tokio::test]
async fn own_numbers_are_series_of_host_muster() {
    let collector = Collector::start().await;
    let stat = muster_common::stat::Stat::gauge("muster_collector_test", "x", 4.0);
    collector.ingest.remember_own(vec![stat]);
    let labels = [("source", "muster"), ("host", "muster"), ("__name__", "muster_collector_test")];
    collector.until(&labels, |lines| lines.first().is_some_and(|line| line.ends_with(" 4"))).await;
    let commits = [("source", "muster"), ("__name__", "muster_collector_ingest_commits_total")];
    collector.until(&commits, |lines| !lines.is_empty()).await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_while_nothing_ran_silences_no_up_and_no_marker() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let now = time::now();
    let mut parts = muster_store::open(disk, Config::new(folder.path()), now, &mut || fastrand::u64(..)).unwrap();
    let (store_id, incarnation) = (parts.writer.store_id(), parts.writer.incarnation());
    // What the run before wrote by a clock that was ten days ahead.
    let ahead = u64::try_from(now.plus(Duration::from_secs(864_000)).millis()).unwrap();
    let appends = [Run::Up, Run::Numbers, Run::Markers]
        .map(|run| crate::own::append(run.epoch(store_id, incarnation), ahead, Vec::new(), now));
    parts.writer.commit(&appends, now).unwrap();
    drop(parts);
    let collector = Collector::open(folder, config()).await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (_agent, welcome) = Agent::open(address, &credentials, &[epoch(1)]).await;
    let up = [("__name__", "up"), ("host", "web1")];
    collector.until(&up, |lines| lines.first().is_some_and(|line| line.ends_with(" 1"))).await;
    let host = muster_common::host::HostId(welcome.host_id);
    collector.fleet.retire(host, "scrapped", &By::Itself("test"), time::now()).unwrap();
    collector.until(&up, |lines| lines.first().is_some_and(|line| line.ends_with("stale"))).await;
    // Each run meets the mark once and then goes on above it; the markers' only where the ticker was not quicker.
    let repeated = collector.stat("own_batches_total", "repeated");
    assert!((2.0..=3.0).contains(&repeated), "{repeated}");
    assert_eq!(collector.stat("own_batches_total", "failed"), 0.0);
}

#[tokio::test]
async fn marks_of_a_host_that_was_retired_while_nothing_listened_go_at_the_next_start() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    for name in ["web1", "web2"] {
        let credentials = Agent::enrol(address, &collector.token(name)).await.unwrap();
        let (mut agent, _) = Agent::open(address, &credentials, &[epoch(1)]).await;
        agent.send(&context(epoch(1), 1, &["a"])).await;
        agent.send(&batch(epoch(1), 1, 1, 1)).await;
        agent.acked(1).await;
    }
    let [web1, web2] = ["web1", "web2"].map(|name| collector.fleet.find(name).unwrap());
    let Collector { ingest, fleet, reader, folder } = collector;
    ingest.stop("test").await;
    fleet.retire(web1, "scrapped", &By::Itself("test"), time::now()).unwrap();
    drop((fleet, reader));
    let collector = Collector::open(folder, config()).await;
    for _ in 0..4_000 {
        let marked = collector.ingest.marked_hosts().await;
        assert!(marked.contains(&web2), "only retired ones go");
        if !marked.contains(&web1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("its marks stay");
}
