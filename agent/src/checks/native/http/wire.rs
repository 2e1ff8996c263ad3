//! A connection, plain or under TLS, driven by hand: no more than one request and its answer go over it.

use std::io::{Error, ErrorKind, Read, Result, Write};

use rustls::ClientConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is read at once: a TLS record.
const READ_BYTES: usize = 16 << 10;

pub(super) struct Wire {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    buffer: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, tls: Option<ClientConnection>) -> Self {
        Self { stream, tls: tls.map(Box::new), buffer: vec![0; READ_BYTES] }
    }

    /// With TLS: until both ends trust each other.
    pub(super) async fn handshake(&mut self) -> Result<()> {
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.flush().await?;
            if self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) && self.fill().await? == 0 {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    "the server ended the connection during the handshake",
                ));
            }
        }
        self.flush().await
    }

    /// DER of the server's own certificate.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        Some(self.tls.as_ref()?.peer_certificates()?.first()?.as_ref())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                self.flush().await
            }
            None => self.stream.write_all(bytes).await,
        }
    }

    /// Appends what comes next; 0: the end. A server that ends without TLS's own goodbye has ended too.
    pub(super) async fn read(&mut self, into: &mut Vec<u8>) -> Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else {
                let read = self.stream.read(&mut self.buffer).await?;
                into.extend_from_slice(&self.buffer[..read]);
                return Ok(read);
            };
            match tls.reader().read(&mut self.buffer) {
                Ok(read) => {
                    into.extend_from_slice(&self.buffer[..read]);
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            self.flush().await?;
            if self.fill().await? == 0 {
                return Ok(0);
            }
        }
    }

    /// Takes in what the socket has.
    async fn fill(&mut self) -> Result<usize> {
        let Some(tls) = &mut self.tls else { return Ok(0) };
        let read = self.stream.read(&mut self.buffer).await?;
        let mut rest = &self.buffer[..read];
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            if let Err(error) = tls.process_new_packets() {
                // The other end is told why.
                let _ = self.flush().await;
                return Err(Error::new(ErrorKind::InvalidData, error));
            }
        }
        Ok(read)
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let mut waiting = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut waiting)?;
        }
        self.stream.write_all(&waiting).await
    }
}
