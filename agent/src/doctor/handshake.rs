//! A real connection to one address, as the agent makes it: QUIC and TLS with this host's certificate, then the collector's clock as proof that it
//! took the certificate. It says no hello, so the running agent's session goes on.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use muster_common::identity::SERVER_NAME;
use muster_common::time;
use muster_common::wire::frame::{self, Frame, FrameReader};
use muster_common::wire::message::{ClockProbe, Message};
use quinn::{ClientConfig, ConnectionError, Endpoint, RecvStream, VarInt};
use tokio::time::timeout;

use crate::uplink::quic::explain;

/// A handshake takes two or three round trips and the retries of lost packets.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// The answer takes one more, and the collector looks the host up.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// QUIC carries a TLS alert as its number plus this.
const CRYPTO_ERRORS: u64 = 0x100;

/// How far it came.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shaken {
    /// The collector took the certificate; how its clock stands to this host's, where it told.
    Up {
        offset_seconds: Option<f64>,
    },
    /// What answers there has no certificate of the CA that this host knows.
    WrongServer(String),
    /// The collector does not take this host's certificate.
    CertificateRefused(String),
    /// No common version of QUIC, or of the protocol above it.
    Version(String),
    Closed(String),
    Silent,
    /// Nothing left this host.
    Local(String),
}

/// Tries it.
pub(super) async fn shake(peer: SocketAddr, config: ClientConfig) -> Shaken {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = match Endpoint::client(any) {
        Ok(endpoint) => endpoint,
        Err(error) => return Shaken::Local(error.to_string()),
    };
    let connecting = match endpoint.connect_with(config, peer, SERVER_NAME) {
        Ok(connecting) => connecting,
        Err(error) => return Shaken::Local(error.to_string()),
    };
    let connection = match timeout(HANDSHAKE_WITHIN, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return of_error(&error),
        Err(_) => return Shaken::Silent,
    };
    let shaken = match timeout(ANSWER_WITHIN, ask(&connection)).await {
        Ok(shaken) => shaken,
        Err(_) => Shaken::Closed("it took the connection and answers nothing".to_owned()),
    };
    connection.close(VarInt::from_u32(0), b"");
    let _ = timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
    shaken
}

/// The handshake ends on this side before the other has judged our certificate: only an answer proves that it did.
async fn ask(connection: &quinn::Connection) -> Shaken {
    let sent = time::now().millis();
    let asking = async {
        let (mut send, receive) = connection.open_bi().await?;
        if let Ok(bytes) = frame::encode(&Frame::control(Message::ClockProbe(ClockProbe { agent_ms: sent }))) {
            // A stream that was stopped says so when it is read.
            let _ = send.write_all(&bytes).await;
        }
        read(receive).await
    };
    match asking.await {
        Ok(Some(Message::ClockAnswer(answer))) => {
            let middle = (sent + time::now().millis()) / 2;
            Shaken::Up { offset_seconds: Some((middle - answer.collector_ms) as f64 / 1e3) }
        }
        Ok(Some(Message::Refused(refused))) => of_refusal(&refused),
        Ok(Some(other)) => Shaken::Version(format!("it answers with a frame of kind {}", other.kind().name())),
        Ok(None) => match connection.close_reason() {
            Some(error) => of_error(&error),
            None => Shaken::Closed("it ended the stream without an answer".to_owned()),
        },
        Err(error) => of_error(&error),
    }
}

async fn read(mut stream: RecvStream) -> Result<Option<Message>, ConnectionError> {
    let mut reader = FrameReader::new();
    loop {
        match reader.next() {
            Ok(Some(frame)) => return Ok(Some(frame.message)),
            Ok(None) => {}
            Err(_) => return Ok(None),
        }
        match stream.read_chunk(64 << 10, true).await {
            Ok(Some(chunk)) => reader.push(&chunk.bytes),
            Err(quinn::ReadError::ConnectionLost(error)) => return Err(error),
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

/// A refusal in the collector's words. Those of the protocol itself come after the certificate was taken.
fn of_refusal(refused: &muster_common::wire::message::Refused) -> Shaken {
    use muster_common::wire::message::RefusalCode;
    let text = format!("{}: {}", refused.message, refused.remedy);
    match refused.code {
        RefusalCode::Protocol => Shaken::Up { offset_seconds: None },
        RefusalCode::Version => Shaken::Version(text),
        RefusalCode::Busy | RefusalCode::Storage => Shaken::Closed(text),
        _ => Shaken::CertificateRefused(text),
    }
}

fn of_error(error: &ConnectionError) -> Shaken {
    let alert = |code: u64| code.checked_sub(CRYPTO_ERRORS).and_then(|alert| u8::try_from(alert).ok());
    let text = explain(error);
    match error {
        // The alert that this side would send: about the server's certificate.
        ConnectionError::TransportError(inner) => match alert(u64::from(inner.code)) {
            Some(alert) => of_alert(alert, true, text),
            None => Shaken::Closed(text),
        },
        ConnectionError::ConnectionClosed(frame) => match alert(u64::from(frame.error_code)) {
            Some(alert) => of_alert(alert, false, text),
            None => Shaken::Closed(text),
        },
        ConnectionError::VersionMismatch => Shaken::Version(text),
        ConnectionError::TimedOut => Shaken::Silent,
        ConnectionError::CidsExhausted | ConnectionError::LocallyClosed => Shaken::Local(text),
        ConnectionError::ApplicationClosed(_) | ConnectionError::Reset => Shaken::Closed(text),
    }
}

/// RFC 8446, section 6.2: 42 to 49 are about certificates, 51 about their signatures, 70 and 120 about versions.
fn of_alert(alert: u8, is_ours: bool, text: String) -> Shaken {
    match (alert, is_ours) {
        (70 | 120, _) => Shaken::Version(text),
        (42..=49 | 51 | 116, true) => Shaken::WrongServer(text),
        (42..=49 | 51 | 116, false) => Shaken::CertificateRefused(text),
        _ => Shaken::Closed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_of_the_side_that_sends_it() {
        let is = |shaken: Shaken| match shaken {
            Shaken::WrongServer(_) => "server",
            Shaken::CertificateRefused(_) => "certificate",
            Shaken::Version(_) => "version",
            Shaken::Closed(_) => "closed",
            _ => "other",
        };
        for (alert, ours, theirs) in [
            (48, "server", "certificate"),
            (45, "server", "certificate"),
            (120, "version", "version"),
            (80, "closed", "closed"),
        ] {
            assert_eq!(is(of_alert(alert, true, String::new())), ours, "{alert}");
            assert_eq!(is(of_alert(alert, false, String::new())), theirs, "{alert}");
        }
    }
}
