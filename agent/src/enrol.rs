//! Enrolment: from a token word to a stored certificate.
//!
//! The word carries the hash of the collector's CA key, and TLS checks it before anything is sent. The key is made here, is durable before the
//! request and never leaves. Everything can be repeated: the same key with the same token gets the same certificate.

use std::path::PathBuf;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::identity::{CertificateError, Identity, Pin, TokenWord, Trust, certificate};
use muster_common::limits::HOST_NAME_BYTES_MAX;
use muster_common::time::{Span, Timestamp};
use muster_common::wire::frame::{self, Frame, FrameReader};
use muster_common::wire::message::{Enrol, Enrolled, HostFacts, Message, PROTOCOL, RefusalCode, Refused};
use quinn::{RecvStream, VarInt};
use tokio::time::{sleep, timeout};

use crate::identity_files::{Enrolment, IdentityError, IdentityFiles, roots_of};
use crate::own::ConnectFailure;
use crate::uplink::quic::{self, DialError};

/// The collector signs at once; a disk that is slow to sync is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A collector that is busy or restarting is asked again this often before that is an error.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_secs(2);
/// A difference of the clocks that is worth a word: above it samples are corrected.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// What to enrol with.
#[derive(Clone, Debug)]
pub struct EnrolOptions {
    /// `HOST:PORT`
    pub collector: String,
    pub word: TokenWord,
    /// The name to ask for; empty leaves it to the token, or to the host's own name.
    pub name: String,
    pub state_dir: PathBuf,
    pub facts: HostFacts,
    /// Take the place of the identity that is stored here.
    pub replace: bool,
    /// Wait until a person approves, where that is needed.
    pub wait: bool,
}

/// Why this host is not enrolled. Each says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(
        "{state_dir} holds the identity of host `{name}` ({host}) already: start it with `muster-agent run`, or enrol anew with --replace"
    )]
    Already { state_dir: String, name: String, host: HostId },
    #[error("`{collector}` is no HOST:PORT: name the collector's agent port, such as collector.example:9471")]
    Address { collector: String },
    #[error(
        "the name has {bytes} bytes, but at most {HOST_NAME_BYTES_MAX} are allowed: choose a shorter one with --name"
    )]
    Name { bytes: usize },
    #[error(transparent)]
    State(#[from] IdentityError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("the collector refuses: {message}; {remedy}")]
    Refused { message: String, remedy: String },
    #[error(
        "this host waits for approval: {message}; {remedy}; then run this command again (or let it wait, without --no-wait)"
    )]
    Pending { message: String, remedy: String },
    #[error(
        "{collector} ended the session without an answer ({why}): look at the collector's log, and run this command again"
    )]
    NoAnswer { collector: String, why: String },
    #[error(
        "{collector} answers with what is no answer to an enrolment ({what}): check that it is a Muster collector of this version"
    )]
    Strange { collector: String, what: String },
}

impl EnrolError {
    /// Whether the same question may be answered later: the collector is away or starts anew.
    fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Dial(error) => !matches!(error.reason(), ConnectFailure::Handshake | ConnectFailure::Local),
            _ => false,
        }
    }
}

/// What enrolment brought.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub host: HostId,
    pub name: String,
    pub expires: Timestamp,
    /// How far this host's clock is off, where that is worth a word.
    pub clock_hint: Option<String>,
}

/// Enrols this host. `say` is told what a person should know while it waits. `now` is read where it is needed.
///
/// # Errors
/// [`EnrolError`]
pub async fn enrol(
    options: &EnrolOptions,
    now: impl Fn() -> Timestamp,
    say: &mut dyn FnMut(&str),
) -> Result<Outcome, EnrolError> {
    let named =
        options.collector.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if named.is_none() {
        return Err(EnrolError::Address { collector: options.collector.clone() });
    }
    if options.name.len() > HOST_NAME_BYTES_MAX {
        return Err(EnrolError::Name { bytes: options.name.len() });
    }
    let files = IdentityFiles::new(&options.state_dir);
    let _lock = files.lock()?;
    if !options.replace
        && let Some(enrolled) = files.load()?
    {
        let (name, host) = (enrolled.enrolment.name, enrolled.host);
        return Err(EnrolError::Already { state_dir: options.state_dir.display().to_string(), name, host });
    }
    let key_der = files.enrolling_key()?;
    let request = Message::Enrol(Enrol {
        protocol: PROTOCOL,
        token: options.word.token.to_string(),
        csr_der: certificate::new_request(&key_der)?,
        name: options.name.clone(),
        facts: options.facts.clone(),
    });
    let enrolled = ask_until_answered(options, &request, say).await?;
    let identity = Identity { chain_der: enrolled.chain_der, key_der };
    if !roots_of(&identity.chain_der).iter().any(|der| Pin::of_certificate(der) == Ok(options.word.pin)) {
        let problem = "its chain does not carry the CA that the token names".to_owned();
        return Err(IdentityError::Answer { problem }.into());
    }
    let host = HostId(enrolled.host_id);
    let enrolment = Enrolment {
        version: 1,
        host_id: host.to_string(),
        name: enrolled.name.clone(),
        collector: vec![options.collector.clone()],
    };
    files.store_enrolled(host, &enrolment, &identity)?;
    let facts = certificate::read(identity.chain_der.first().map_or(&[], Vec::as_slice))?;
    let clock_hint = clock_hint((facts.not_before, facts.not_after), now());
    Ok(Outcome { host, name: enrolled.name, expires: facts.not_after, clock_hint })
}

/// A certificate just issued is valid now; if it is not by this host's clock, the clock is wrong.
fn clock_hint((not_before, not_after): (Timestamp, Timestamp), now: Timestamp) -> Option<String> {
    let (ahead, behind) = (now.since(not_after), not_before.since(now));
    let (span, way) = if ahead > Duration::ZERO { (ahead, "ahead of") } else { (behind, "behind") };
    (span > CLOCK_TOLERANCE).then(|| {
        let seconds = Duration::from_secs(span.as_secs());
        format!(
            "this host's clock is at least {} {way} the collector's: set it, or every connection will fail",
            Span(seconds)
        )
    })
}

async fn ask_until_answered(
    options: &EnrolOptions,
    request: &Message,
    say: &mut dyn FnMut(&str),
) -> Result<Enrolled, EnrolError> {
    let (mut busy, mut said, mut pending) = (0, String::new(), false);
    loop {
        let answer = match ask(options, request).await {
            // A person may take days to approve; the collector may be restarted meanwhile.
            Err(error) if pending && error.may_pass() => {
                let text = format!("still waiting for approval, the collector is not there now: {error}");
                if text != said {
                    say(&text);
                    said = text;
                }
                sleep(BUSY_PAUSE).await;
                continue;
            }
            answer => answer?,
        };
        let refused = match answer {
            Message::Enrolled(enrolled) => return Ok(enrolled),
            Message::Refused(refused) => refused,
            other => {
                let what = format!("a frame of kind {}", other.kind().name());
                return Err(EnrolError::Strange { collector: options.collector.clone(), what });
            }
        };
        let Refused { code, message, remedy, retry_after_ms } = refused;
        let told = Duration::from_millis(u64::from(retry_after_ms));
        let pause = if told.is_zero() { BUSY_PAUSE } else { told };
        match code {
            RefusalCode::Pending if options.wait => {
                pending = true;
                let text = format!("waiting for approval: {message}; {remedy}");
                if text != said {
                    say(&text);
                    said = text;
                }
            }
            RefusalCode::Pending => return Err(EnrolError::Pending { message, remedy }),
            RefusalCode::Busy | RefusalCode::Storage if pending || busy < BUSY_TRIES => {
                busy = busy.saturating_add(1);
                say(&format!("the collector cannot enrol now, trying again in {}: {message}", Span(pause)));
            }
            _ => return Err(EnrolError::Refused { message, remedy }),
        }
        sleep(pause).await;
    }
}

/// One connection, one question, one answer.
async fn ask(options: &EnrolOptions, request: &Message) -> Result<Message, EnrolError> {
    let config = quic::client_config(&Trust::Pin(options.word.pin), None)?;
    let dialled = quic::dial(&options.collector, &config).await?;
    let silent = |why: String| EnrolError::NoAnswer { collector: options.collector.clone(), why };
    let exchange = async {
        let (mut send, receive) = dialled.connection.open_bi().await.map_err(|error| silent(quic::explain(&error)))?;
        let strange = |error: frame::EncodeError| EnrolError::Strange {
            collector: options.collector.clone(),
            what: format!("this host's request cannot be sent: {error}"),
        };
        let bytes = frame::encode(&Frame::control(request.clone())).map_err(strange)?;
        send.write_all(&bytes).await.map_err(|error| silent(error.to_string()))?;
        read_answer(receive).await.map_err(silent)
    };
    let answer = timeout(ANSWER_WITHIN, exchange).await;
    dialled.connection.close(VarInt::from_u32(0), b"");
    let _ = timeout(Duration::from_millis(500), dialled.endpoint.wait_idle()).await;
    answer.unwrap_or_else(|_| Err(silent(format!("nothing came within {}", Span(ANSWER_WITHIN)))))
}

async fn read_answer(mut stream: RecvStream) -> Result<Message, String> {
    let mut reader = FrameReader::new();
    loop {
        if let Some(frame) = reader.next().map_err(|error| error.to_string())? {
            return Ok(frame.message);
        }
        match stream.read_chunk(64 << 10, true).await {
            Ok(Some(chunk)) => reader.push(&chunk.bytes),
            Ok(None) => return Err("the stream ended".to_owned()),
            Err(quinn::ReadError::ConnectionLost(error)) => return Err(quic::explain(&error)),
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
