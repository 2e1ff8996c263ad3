//! A mail server with faults, for tests: real TCP and TLS on a port of the system's choice.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What happens to mails for one address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 450 to RCPT.
    Greylist,
    /// 550 to RCPT.
    Refuse,
    /// 552 to the body.
    RefuseBody,
    /// It takes the body and says nothing.
    Hang,
    /// It takes the body and closes.
    Close,
    /// 421 to RCPT, and closes.
    Shut,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tls {
    #[default]
    None,
    Starttls,
    Implicit,
}

#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) tls: Tls,
    /// Base64 of the only PLAIN answer that is let in; empty: nobody signs in.
    pub(crate) plain: &'static str,
    pub(crate) faults: BTreeMap<&'static str, Fault>,
    /// It takes connections and does not greet.
    pub(crate) is_mute: bool,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) ca_pem: Vec<u8>,
    /// Recipient and mail.
    pub(crate) taken: Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) connections: Arc<Mutex<usize>>,
}

/// A certificate for `mail.example.org` that signs itself, and TLS with it.
pub(crate) fn certificate() -> (Vec<u8>, Arc<ServerConfig>) {
    let signed =
        rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned(), "localhost".to_owned()]).unwrap();
    let chain = vec![CertificateDer::from(signed.cert.der().to_vec())];
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    (signed.cert.pem().into_bytes(), Arc::new(config))
}

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ca_pem, tls) = certificate();
        let (taken, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (box_of, count) = (Arc::clone(&taken), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock() += 1;
                tokio::spawn(serve(stream, script.clone(), TlsAcceptor::from(Arc::clone(&tls)), Arc::clone(&box_of)));
            }
        });
        Self { port, ca_pem, taken, connections }
    }
}

type Taken = Arc<Mutex<Vec<(String, String)>>>;

async fn serve(stream: TcpStream, script: Script, acceptor: TlsAcceptor, taken: Taken) {
    if script.is_mute {
        // Until the other side gives up.
        let mut stream = stream;
        let _ = stream.read(&mut [0; 16]).await;
        return;
    }
    if script.tls == Tls::Implicit {
        if let Ok(stream) = acceptor.accept(stream).await {
            talk(BufReader::new(stream), &script, true, true, &taken).await;
        }
        return;
    }
    if let Some(stream) = talk(BufReader::new(stream), &script, false, true, &taken).await
        && let Ok(stream) = acceptor.accept(stream).await
    {
        talk(BufReader::new(stream), &script, true, false, &taken).await;
    }
}

/// Speaks until the end, or until STARTTLS: then gives the stream back.
async fn talk<S>(mut stream: BufReader<S>, script: &Script, is_secure: bool, greets: bool, taken: &Taken) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if greets {
        stream.write_all(b"220 mail.example.org ESMTP\r\n").await.ok()?;
    }
    let (mut to, mut is_in) = (String::new(), script.plain.is_empty());
    loop {
        stream.flush().await.ok()?;
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => {
                let starttls = if script.tls == Tls::Starttls && !is_secure { "250-STARTTLS\r\n" } else { "" };
                let auth = if script.plain.is_empty() { "" } else { "250-AUTH PLAIN LOGIN\r\n" };
                format!("250-mail.example.org\r\n{starttls}{auth}250 8BITMIME\r\n")
            }
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                stream.flush().await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" => {
                is_in = line.ends_with(script.plain);
                if is_in { "235 welcome\r\n".to_owned() } else { "535 5.7.8 wrong password\r\n".to_owned() }
            }
            "MAIL" if !is_in => "530 5.7.0 sign in first\r\n".to_owned(),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                match script.faults.get(to.as_str()) {
                    Some(Fault::Greylist) => "450 4.2.0 greylisted\r\n".to_owned(),
                    Some(Fault::Refuse) => "550 5.1.1 no such user\r\n".to_owned(),
                    Some(Fault::Shut) => {
                        stream.write_all(b"421 4.3.2 shutting down\r\n").await.ok()?;
                        return None;
                    }
                    _ => "250 ok\r\n".to_owned(),
                }
            }
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await.ok()?;
                stream.flush().await.ok()?;
                let mail = body(&mut stream).await?;
                let fault = script.faults.get(to.as_str()).copied();
                if fault != Some(Fault::RefuseBody) {
                    taken.lock().push((to.clone(), mail));
                }
                match fault {
                    Some(Fault::RefuseBody) => "552 5.3.4 too big\r\n".to_owned(),
                    Some(Fault::Close) => return None,
                    Some(Fault::Hang) => {
                        let _ = stream.read(&mut [0; 16]).await;
                        return None;
                    }
                    _ => "250 queued\r\n".to_owned(),
                }
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "250 ok\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// A body up to its lone dot, with doubled dots as they were.
async fn body<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == ".\r\n" {
            return Some(mail);
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
