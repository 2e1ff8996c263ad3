//! What the endpoint lets in: credit, windows, handshakes, and no early data.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use muster_common::identity::SERVER_NAME;
use muster_common::identity::tls::client_config;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, SendStream};

use super::agent::Agent;
use super::*;

/// What a future gives at once; `None`: it waits.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Bytes that a stream takes before somebody reads it.
fn taken(stream: &mut SendStream) -> usize {
    let bytes = vec![0; 64 << 10];
    let mut taken = 0;
    while let Some(written) = at_once(stream.write(&bytes)) {
        taken += written.unwrap();
    }
    taken
}

fn quiet() -> IngestConfig {
    IngestConfig { interval: Duration::from_secs(3600), ..config() }
}

#[tokio::test]
async fn streams_and_bytes_have_the_credit_that_is_used_and_no_more() {
    let collector = Collector::open(tempfile::tempdir().unwrap(), quiet()).await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    // Without hello no lane is read. The control stream is open already.
    let agent = Agent::dial(address, &credentials).await;
    assert!(at_once(agent.connection.open_bi()).is_some_and(|opened| opened.is_ok()));
    assert!(at_once(agent.connection.open_bi()).is_none());
    let mut lanes = Vec::new();
    while let Some(lane) = at_once(agent.connection.open_uni()) {
        lanes.push(lane.unwrap());
    }
    assert_eq!(lanes.len(), 4);
    let taken: Vec<usize> = lanes.iter_mut().map(taken).collect();
    assert_eq!(taken, [384 << 10, 384 << 10, 256 << 10, 0], "a stream's window, then the connection's");
}

#[tokio::test]
async fn under_pressure_an_address_must_be_shown_to_be_real() {
    let mut config = quiet();
    config.connections.retry_from = 0;
    let collector = Collector::open(tempfile::tempdir().unwrap(), config).await;
    let credentials = Agent::enrol(collector.ingest.agents_addr(), &collector.token("web1")).await.unwrap();
    Agent::open(collector.ingest.agents_addr(), &credentials, &[]).await;
    let handshakes = |result| collector.stat("ingest_handshakes_total", result);
    assert_eq!((handshakes("retry_asked"), handshakes("ok"), handshakes("refused")), (2.0, 2.0, 0.0));
}

#[tokio::test]
async fn handshakes_beyond_the_bound_are_refused() {
    let mut config = quiet();
    config.connections.handshakes_max = 0;
    let collector = Collector::open(tempfile::tempdir().unwrap(), config).await;
    let word = muster_common::identity::TokenWord::parse(&collector.token("web1")).unwrap();
    let trust = muster_common::identity::tls::Trust::Pin(word.pin);
    let refused = Agent::connect(collector.ingest.agents_addr(), &trust, None).await.err().unwrap();
    assert!(matches!(refused, quinn::ConnectionError::ConnectionClosed(_)), "{refused}");
    assert_eq!(collector.stat("ingest_handshakes_total", "refused"), 1.0);
    assert_eq!(collector.stat("ingest_handshakes_total", "ok"), 0.0);
}

#[tokio::test]
async fn a_client_that_wants_early_data_gets_no_ticket_for_it() {
    let mut quick = quiet();
    quick.session.first_frame = Duration::from_millis(100);
    let collector = Collector::open(tempfile::tempdir().unwrap(), quick).await;
    let address = collector.ingest.agents_addr();
    let credentials = Agent::enrol(address, &collector.token("web1")).await.unwrap();
    let mut tls = client_config(&credentials.trust(), Some(&credentials.identity), Arc::new(time::now)).unwrap();
    tls.resumption = rustls::client::Resumption::in_memory_sessions(8);
    tls.enable_early_data = true;
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    for _ in 0..2 {
        let connecting = endpoint.connect_with(config.clone(), address, SERVER_NAME).unwrap();
        // What a ticket of the connection before would allow.
        let Err(connecting) = connecting.into_0rtt() else { panic!("early data") };
        let connection = connecting.await.unwrap();
        // The refusal to a session without hello is the last that the collector says: a ticket would have come before it.
        connection.closed().await;
    }
}
