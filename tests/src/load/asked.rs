//! Hosts of the workload that are connected and answer questions, or do not.

use std::net::SocketAddr;

use anyhow::Result;
use muster_common::identity::SERVER_NAME;
use muster_common::identity::tls::Trust;
use muster_common::time;
use muster_common::wire::frame::{Frame, encode};
use muster_common::wire::message::{Answer, Ask, Epoch, HeldEpoch, Hello, Message};
use quinn::Endpoint;

use super::wire::{Host, Session, hello, quic_config};

/// A session whose agent reads questions.
pub struct Asked {
    session: Session,
}

impl Asked {
    /// Connects a host that holds nothing.
    ///
    /// # Errors
    /// A refusal by the collector, or a broken connection.
    pub async fn open(endpoint: &Endpoint, target: SocketAddr, host: &Host) -> Result<Self> {
        let config = quic_config(&Trust::Roots(host.identity.chain_der[1..].to_vec()), Some(&host.identity))?;
        let held = HeldEpoch { epoch: Epoch([0; 16]), last_seq: [0; 3] };
        let hello = hello(host.number, time::now().millis(), held);
        let hello = Hello { epochs: Vec::new(), extensions: vec![Hello::frames_known()], ..hello };
        let (session, _) = Session::open(endpoint.connect_with(config, target, SERVER_NAME)?, hello).await?;
        Ok(Self { session })
    }

    /// The next question.
    ///
    /// # Errors
    /// A broken connection.
    pub async fn next(&mut self) -> Result<Ask> {
        loop {
            if let Message::Ask(ask) = self.session.control.next().await? {
                return Ok(ask);
            }
        }
    }

    /// # Errors
    /// A broken connection, or an answer beyond the bounds of one.
    pub async fn answer(&mut self, answer: Answer) -> Result<()> {
        let bytes = encode(&Frame::control(Message::Answer(answer)))?;
        Ok(self.session.control_send.write_all(&bytes).await?)
    }
}
