use muster_common::time::monotonic;

use super::*;
use crate::uplink::test_collector::TestCollector;

fn config(collector: &TestCollector) -> ClientConfig {
    client_config(&Trust::Pin(collector.word().pin), None).unwrap()
}

#[tokio::test]
async fn a_silent_first_address_does_not_keep_the_second_from_being_tried() {
    let collector = TestCollector::start();
    // It takes every packet and answers none.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let peers = [silent.local_addr().unwrap(), collector.address.parse().unwrap()];
    let began = monotonic();
    let dialled = dial_peers("collector.example:9471", &peers, &config(&collector)).await.unwrap();
    assert_eq!(dialled.connection.remote_address(), peers[1]);
    assert!(monotonic() - began < Duration::from_secs(5));
}

#[tokio::test]
async fn the_answer_that_says_most_is_told_with_every_address_that_was_tried() {
    let (collector, other) = (TestCollector::start(), TestCollector::start());
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peers = [other.address.parse().unwrap(), silent];
    let mut config = config(&collector);
    let mut short = transport();
    short.max_idle_timeout(IdleTimeout::try_from(Duration::from_secs(1)).ok());
    config.transport_config(Arc::new(short));
    let Err(error) = dial_peers("collector.example:9471", &peers, &config).await else { panic!("connected") };
    let text = error.to_string();
    assert_eq!(error.reason(), ConnectFailure::Handshake);
    assert!(text.contains("not the one that the token is for") && text.contains(&silent.to_string()), "{text}");
    let Err(error) = dial_peers("x:1", &peers[1..], &config).await else { panic!("connected") };
    assert_eq!(error.reason(), ConnectFailure::NoAnswer);
    let Err(error) = dial_peers("x:1", &[], &config).await else { panic!("connected") };
    assert_eq!(error.reason(), ConnectFailure::Resolve);
}

#[tokio::test]
async fn nothing_is_ever_sent_before_the_handshake_is_complete() {
    let collector = TestCollector::start();
    let (config, peer) = (config(&collector), collector.address.parse().unwrap());
    let endpoint = Endpoint::client((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    for _ in 0..2 {
        // The second connection has whatever the first one was given to resume with.
        let connecting = endpoint.connect_with(config.clone(), peer, SERVER_NAME).unwrap();
        let Err(connecting) = connecting.into_0rtt() else { panic!("0-RTT data can be replayed") };
        let connection = connecting.await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(b"no frame").await.unwrap();
        send.finish().unwrap();
        // Until the other end is done with it, so that its tickets have come.
        let _ = timeout(Duration::from_millis(200), receive.read_chunk(64, true)).await;
        connection.close(0u32.into(), b"");
    }
}

#[test]
fn credit_and_windows_are_small() {
    let told = format!("{:?}", transport());
    for setting in [
        "max_concurrent_bidi_streams: 4,",
        "max_concurrent_uni_streams: 4,",
        "stream_receive_window: 262144,",
        "receive_window: 1048576,",
        "send_window: 1048576,",
        "datagram_receive_buffer_size: None,",
    ] {
        assert!(told.contains(setting), "{setting} is not in {told}");
    }
}
