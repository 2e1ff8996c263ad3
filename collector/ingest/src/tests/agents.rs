//! Agents over QUIC.

use muster_common::check::CheckState;
use muster_common::identity::tls::Trust;
use muster_common::wire::message::{AgentGoodbye, ClockProbe, GoodbyeReason, Lane, Message, RefusalCode, Renew};
use muster_fleet::By;
use muster_fleet::status::Goodbye;

use super::agent::{Agent, Credentials, batch, context, epoch};
use super::*;
use crate::presence::PresenceState;

#[tokio::test]
async fn a_host_enrols_sends_and_is_stored_once() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, welcome) = Agent::open(address, &credentials, &[one]).await;
    assert_eq!((welcome.host_name.as_str(), welcome.lanes, welcome.marks.len()), ("web1", 0b111, 0));
    agent.send(&context(one, 1, &["a", "b"])).await;
    for seq in 1..=3 {
        agent.send(&batch(one, seq, 1, 2)).await;
    }
    agent.acked(3).await;
    let host = [("host", "web1"), ("instance", "web1"), ("job", "node")];
    let expect = [
        r#"a{host="web1", instance="web1", job="node"} 1 1 1"#,
        r#"b{host="web1", instance="web1", job="node"} 2 2 2"#,
    ];
    let stored = |samples: Vec<String>| samples.into_iter().filter(|line| !line.starts_with("up")).collect::<Vec<_>>();
    assert_eq!(stored(collector.samples(&host)), expect, "visible with the ack");

    agent.send(&batch(one, 2, 1, 2)).await;
    agent.acked(3).await;
    assert_eq!(collector.appended(&[("__name__", "a")]), 3, "a repeat is acked and not stored");
    collector.fleet.tick_status(time::now()).unwrap();
    for agent_ms in [7, 8] {
        agent.say(Message::ClockProbe(ClockProbe { agent_ms })).await;
        assert!(matches!(agent.hear().await, Some(Message::ClockAnswer(answer)) if answer.agent_ms == agent_ms));
    }
    // The answer goes out with what else the probe brings about, the next one's after it.
    let host = collector.fleet.standings()[0].host;
    let clock = collector.fleet.check(host, "HostClockSkewed").unwrap();
    assert_eq!(clock.state, CheckState::Warning);
    assert_eq!(collector.stat("ingest_batches_total", "repeated"), 1.0);

    drop(agent);
    let collector = collector.restart().await;
    let (mut agent, welcome) = Agent::open(collector.ingest.agents_addr(), &credentials, &[one]).await;
    let marks: Vec<_> = welcome.marks.iter().map(|mark| (mark.epoch, mark.lane, mark.seq)).collect();
    assert_eq!(marks, [(one, Lane::P1, 3)], "the marks outlive the collector");
    agent.send(&batch(one, 4, 1, 2)).await;
    let need = loop {
        if let Some(Message::NeedContext(need)) = agent.hear().await {
            break need;
        }
    };
    assert_eq!((need.context, need.mark), (1, 3));
    agent.send(&context(one, 1, &["a", "b"])).await;
    agent.send(&batch(one, 4, 1, 2)).await;
    agent.acked(4).await;
    assert_eq!(collector.appended(&[("__name__", "a")]), 4);
}

#[tokio::test]
async fn a_later_session_fences_the_earlier_one() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut first, _) = Agent::open(address, &credentials, &[one]).await;
    first.send(&context(one, 1, &["a"])).await;
    first.send(&batch(one, 1, 1, 1)).await;
    first.acked(1).await;
    let (mut second, welcome) = Agent::open(address, &credentials, &[one]).await;
    assert_eq!(welcome.marks[0].seq, 1);
    assert_eq!(first.refused().await.code, RefusalCode::Superseded);
    assert_eq!(first.hear().await, None);
    second.send(&context(one, 1, &["a"])).await;
    second.send(&batch(one, 2, 1, 1)).await;
    second.acked(2).await;
    let presence = collector.ingest.presence();
    assert_eq!((presence.len(), presence[0].state, presence[0].connected), (1, PresenceState::Up, true));
}

#[tokio::test]
async fn a_denied_certificate_is_closed_at_once_and_not_let_in_again() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, _) = Agent::open(address, &credentials, &[]).await;
    collector.fleet.deny(&credentials.serial(), "stolen", &By::Itself("test"), time::now()).unwrap();
    assert_eq!(agent.refused().await.code, RefusalCode::Certificate);
    assert_eq!(agent.hear().await, None);
    let mut agent = Agent::dial(address, &credentials).await;
    agent.say(Message::Hello(super::agent::hello(&[]))).await;
    let refused = agent.refused().await;
    assert_eq!(refused.code, RefusalCode::Certificate);
    assert!(refused.message.contains("stolen"), "{}", refused.message);
}

#[tokio::test]
async fn certificates_and_collectors_of_another_authority_are_refused() {
    let (ours, other) = (Collector::start().await, Collector::start().await);
    let foreign = Agent::enrol(other.ingest.agents_addr(), &other.token("web1")).await.unwrap();
    // The agent does not trust a collector of another CA.
    let trust = Trust::Roots(foreign.identity.chain_der[1..].to_vec());
    assert!(Agent::connect(ours.ingest.agents_addr(), &trust, None).await.is_err());
    // And one that does is not let in with a certificate of another CA.
    let trust = Trust::Roots(ours.fleet.ca_der());
    let dialled = Agent::connect(ours.ingest.agents_addr(), &trust, Some(&foreign.identity)).await;
    let ended = match dialled {
        Err(_) => None,
        Ok(mut agent) => agent.hear().await,
    };
    assert_eq!(ended, None);
    assert_eq!(ours.stat("ingest_handshakes_total", "failed"), 2.0);
}

#[tokio::test]
async fn strangers_may_enrol_and_nothing_else() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let trust = Trust::Roots(collector.fleet.ca_der());
    let mut stranger = Agent::connect(address, &trust, None).await.unwrap();
    stranger.say(Message::Hello(super::agent::hello(&[]))).await;
    assert_eq!(stranger.refused().await.code, RefusalCode::Protocol);
    let word = collector.token("web1");
    Agent::enrol(address, &word).await.unwrap();
    let refused = Agent::enrol(address, &word).await.err().unwrap();
    assert_eq!(refused.code, RefusalCode::Token, "one use is one use: {}", refused.message);
    assert_eq!(collector.stat("ingest_enrolments_total", ""), 1.0);
}

#[tokio::test]
async fn a_certificate_is_renewed_over_the_session() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, _) = Agent::open(address, &credentials, &[]).await;
    let key_der = muster_common::identity::certificate::new_key().unwrap();
    let csr_der = muster_common::identity::certificate::new_request(&key_der).unwrap();
    agent.say(Message::Renew(Renew { csr_der })).await;
    let Some(Message::Renewed(renewed)) = agent.hear().await else { panic!("not renewed") };
    let identity = muster_common::identity::tls::Identity { chain_der: renewed.chain_der, key_der };
    let (_agent, welcome) = Agent::open(address, &Credentials { identity }, &[]).await;
    assert_eq!(welcome.host_name, "web1");
}

#[tokio::test]
async fn a_refused_batch_is_a_gap_in_the_small_state() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let one = epoch(1);
    let (mut agent, _) = Agent::open(address, &credentials, &[one]).await;
    agent.send(&context(one, 1, &["a"])).await;
    agent.send(&batch(one, 1, 1, 2)).await;
    agent.send(&batch(one, 2, 1, 1)).await;
    agent.acked(2).await;
    let gaps = collector.fleet.gaps(0, i64::MAX).unwrap();
    assert_eq!(gaps.iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(collector.appended(&[("__name__", "a")]), 1);
    drop(agent);
    let collector = collector.restart().await;
    assert_eq!(collector.fleet.gaps(0, i64::MAX).unwrap().len(), 1, "replay adds none");
}

#[tokio::test]
async fn a_stopping_collector_says_goodbye_and_an_agent_too() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, _) = Agent::open(address, &credentials, &[]).await;
    let up = [("__name__", "up")];
    collector.until(&up, |lines| lines.iter().any(|line| line.ends_with(" 1"))).await;
    agent.say(Message::AgentGoodbye(AgentGoodbye { reason: GoodbyeReason::Reboot })).await;
    let lines = collector.until(&up, |lines| lines.iter().any(|line| line.ends_with(" 0"))).await;
    assert!(lines[0].starts_with(r#"up{host="web1", instance="web1", job="node"} 1"#), "{lines:?}");
    let told = collector.fleet.standings();
    assert_eq!(told[0].expected.map(|expected| expected.goodbye), Some(Goodbye::Reboot));
    let stopping = tokio::spawn(async move {
        collector.ingest.stop("test").await;
    });
    let goodbye = loop {
        match agent.hear().await {
            Some(Message::CollectorGoodbye(goodbye)) => break goodbye,
            Some(_) => {}
            None => panic!("no goodbye"),
        }
    };
    assert_eq!(goodbye.spread_ms, 30_000);
    drop(agent);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_session_that_panicked_does_not_lock_its_host_out() {
    let collector = Collector::start().await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let (mut agent, _) = Agent::open(address, &credentials, &[epoch(1)]).await;
    collector.ingest.plant_session_panic();
    agent.send(&context(epoch(1), 1, &["a"])).await;
    agent.say(Message::ClockProbe(ClockProbe { agent_ms: 7 })).await;
    assert!(agent.hear().await.is_none(), "its connection ends");
    let opened = tokio::time::timeout(Duration::from_secs(5), Agent::open(address, &credentials, &[epoch(1)])).await;
    let (_agent, welcome) = opened.expect("the next hello is answered");
    assert_eq!(welcome.host_name, "web1");
}
