//! Mail over SMTP.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};
use tokio::time::timeout;

use super::table::{Attempt, Notifier, Report, SettingsError};
use crate::outgoing::{Outcome, Parcel, Payload};

/// Time for a connection with its TLS and sign-in, each.
const CONNECT: Duration = Duration::from_secs(20);
/// Time for the answer to one command.
const COMMAND: Duration = Duration::from_secs(30);
/// Time for a body and its answer: servers look through mails before they answer. With 20 parcels a session whose server is that slow is cut
/// at [`SESSION`].
const BODY: Duration = Duration::from_secs(120);
/// A server that does not say goodbye is not waited for long.
const GOODBYE: Duration = Duration::from_secs(2);
/// Time for a session; below the queue's lease of 15 minutes. What is left is tried anew.
const SESSION: Duration = Duration::from_secs(10 * 60);

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// STARTTLS or nothing is sent.
    #[default]
    StartTls,
    /// TLS from the first byte, as on port 465.
    Implicit,
    /// STARTTLS where the server offers it, else in clear text.
    Opportunistic,
}

/// One mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    /// Name that we say in EHLO; empty: the machine's.
    pub hello: String,
    /// Envelope sender: an address without a name.
    pub from: String,
    pub username: String,
    /// Never logged: errors have the server's words only.
    pub password: String,
    pub security: SmtpSecurity,
    /// Send a password although the connection is in clear text.
    pub allows_clear_password: bool,
    /// Certificates in PEM that sign the server's; empty: the machine's roots.
    pub ca_pem: Vec<u8>,
    /// Name in the server's certificate; empty: `host`.
    pub server_name: String,
    /// Bounds of the phases; tests make them short.
    pub connect_timeout: Duration,
    pub command_timeout: Duration,
    pub body_timeout: Duration,
}

impl Default for SmtpSettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 25,
            hello: String::new(),
            from: String::new(),
            username: String::new(),
            password: String::new(),
            security: SmtpSecurity::StartTls,
            allows_clear_password: false,
            ca_pem: Vec::new(),
            server_name: String::new(),
            connect_timeout: CONNECT,
            command_timeout: COMMAND,
            body_timeout: BODY,
        }
    }
}

/// A mail server as a notifier.
pub struct Email {
    settings: SmtpSettings,
    from: Address,
    hello: ClientId,
    tls: TlsParameters,
}

/// How one parcel's try ended, and whether the connection still serves.
struct Tried {
    outcome: Outcome,
    is_open: bool,
}

impl Email {
    /// # Errors
    /// [`SettingsError`]: certificates that are none, a password that would go in clear text, a sender that is no address.
    pub fn new(settings: SmtpSettings) -> Result<Self, SettingsError> {
        let server = format!("{}:{}", settings.host, settings.port);
        if !settings.username.is_empty()
            && settings.security == SmtpSecurity::Opportunistic
            && !settings.allows_clear_password
        {
            return Err(SettingsError::ClearPassword { server });
        }
        let from =
            settings.from.parse().map_err(|source| SettingsError::From { text: settings.from.clone(), source })?;
        let name = if settings.server_name.is_empty() { &settings.host } else { &settings.server_name };
        let mut tls = TlsParameters::builder(name.clone());
        if !settings.ca_pem.is_empty() {
            let fail = |text: String| SettingsError::Certificates {
                server: server.clone(),
                file: "the CA file".to_owned(),
                text,
            };
            tls = tls.certificate_store(lettre::transport::smtp::client::CertificateStore::None);
            tls = tls.add_root_certificate(
                Certificate::from_pem(&settings.ca_pem).map_err(|error| fail(error.to_string()))?,
            );
        }
        let tls = tls.build_rustls().map_err(|error| SettingsError::Tls { server, text: error.to_string() })?;
        let hello =
            if settings.hello.is_empty() { ClientId::default() } else { ClientId::Domain(settings.hello.clone()) };
        Ok(Self { settings, from, hello, tls })
    }

    /// A connection that may send: encrypted and signed in as the settings want it. The error is for people.
    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let limit = self.settings.connect_timeout;
        let phase = |name: &'static str| move |_| format!("{name}: no answer within {} s", limit.as_secs_f32());
        let implicit = (self.settings.security == SmtpSecurity::Implicit).then(|| self.tls.clone());
        let address = (self.settings.host.as_str(), self.settings.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(limit), &self.hello, implicit, None);
        let mut connection = timeout(limit, connecting)
            .await
            .map_err(phase("connecting"))?
            .map_err(|error| words("connecting", &error))?;
        let is_needed = self.settings.security == SmtpSecurity::StartTls;
        if is_needed && !connection.can_starttls() {
            return Err("the server offers no STARTTLS, and mail is not sent in clear text: use another port, or `require_tls: false`".to_owned());
        }
        if connection.can_starttls() {
            let securing = connection.starttls(self.tls.clone(), &self.hello);
            timeout(limit, securing).await.map_err(phase("STARTTLS"))?.map_err(|error| words("STARTTLS", &error))?;
        }
        if self.settings.username.is_empty() {
            return Ok(connection);
        }
        if !connection.is_encrypted() && !self.settings.allows_clear_password {
            return Err("the connection is in clear text, so the password is not sent".to_owned());
        }
        let credentials = Credentials::new(self.settings.username.clone(), self.settings.password.clone());
        let signing_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        timeout(limit, signing_in).await.map_err(phase("sign-in"))?.map_err(|error| words("sign-in", &error))?;
        Ok(connection)
    }

    /// One parcel over a connection: what the answer to each command means for it.
    async fn send(&self, connection: &mut AsyncSmtpConnection, parcel: &Parcel) -> Tried {
        let Payload::Mail(body) = &parcel.payload else {
            return Tried {
                outcome: Outcome::Permanent { code: 0, text: "a webhook's body for a mail server".to_owned() },
                is_open: true,
            };
        };
        let to = match address_of(&parcel.recipient) {
            Ok(to) => to,
            Err(text) => return Tried { outcome: Outcome::Permanent { code: 0, text }, is_open: true },
        };
        let limit = self.settings.command_timeout;
        if let Err(tried) = before_data(
            timeout(limit, connection.command(Mail::new(Some(self.from.clone()), Vec::new()))).await,
            "MAIL",
        ) {
            return tried;
        }
        for step in ["RCPT", "DATA"] {
            let answer = match step {
                "RCPT" => timeout(limit, connection.command(Rcpt::new(to.clone(), Vec::new()))).await,
                _ => timeout(limit, connection.command(Data)).await,
            };
            if let Err(mut tried) = before_data(answer, step) {
                // The next recipient begins anew.
                tried.is_open = tried.is_open && matches!(timeout(limit, connection.command(Rset)).await, Ok(Ok(_)));
                return tried;
            }
        }
        let message = format!("{}{body}", headers(parcel));
        match timeout(self.settings.body_timeout, connection.message(message.as_bytes())).await {
            Ok(Ok(_)) => Tried { outcome: Outcome::Accepted, is_open: true },
            Ok(Err(error)) if error.status().is_some() => Tried { outcome: answered("body", &error), is_open: true },
            Ok(Err(error)) => Tried { outcome: Outcome::Unknown { text: words("body", &error) }, is_open: false },
            Err(_) => {
                Tried { outcome: Outcome::Unknown { text: "body: no answer in time".to_owned() }, is_open: false }
            }
        }
    }

    async fn session(&self, parcels: &[Parcel], report: &mut Report<'_>) {
        let mut connection = None;
        for (index, parcel) in parcels.iter().enumerate() {
            let mut open = match connection.take() {
                Some(open) => open,
                None => match self.connect().await {
                    Ok(open) => open,
                    Err(text) => {
                        for rest in &parcels[index..] {
                            report(rest.key, Outcome::Away { text: text.clone() });
                        }
                        return;
                    }
                },
            };
            let tried = self.send(&mut open, parcel).await;
            report(parcel.key, tried.outcome);
            // After a break the rest gets a connection of its own: one mail that a server dies of stops no other.
            connection = tried.is_open.then_some(open);
        }
        if let Some(mut connection) = connection {
            // Everything is known.
            let _ = timeout(GOODBYE, connection.quit()).await;
        }
    }
}

impl Notifier for Email {
    fn deliver<'a>(
        &'a self,
        parcels: &'a [Parcel],
        report: &'a mut Report<'_>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let mut known = 0;
            let mut counted = |key, outcome| {
                known += 1;
                report(key, outcome);
            };
            if timeout(SESSION, self.session(parcels, &mut counted)).await.is_err() {
                // The parcel that was under way may have arrived; the others were not begun.
                for (index, parcel) in parcels.iter().enumerate().skip(known) {
                    let text = "the session took too long".to_owned();
                    report(
                        parcel.key,
                        if index == known { Outcome::Unknown { text } } else { Outcome::Temporary { code: 0, text } },
                    );
                }
            }
        })
    }

    fn attempt(&self) -> Option<Attempt<'_>> {
        let SmtpSettings { host, port, username, .. } = &self.settings;
        let user = if username.is_empty() { String::new() } else { format!(" as {username}") };
        let trying = Box::pin(async {
            let mut connection = self.connect().await?;
            let reached = match (connection.is_encrypted(), self.settings.username.is_empty()) {
                (true, true) => "it answers, encrypted",
                (true, false) => "it answers, encrypted, and takes the password",
                (false, true) => "it answers, in clear text",
                (false, false) => "it answers, in clear text, and takes the password",
            };
            let _ = timeout(GOODBYE, connection.quit()).await;
            Ok(reached)
        });
        let encrypted = match self.settings.security {
            SmtpSecurity::Opportunistic => ", encrypted where it can be",
            SmtpSecurity::StartTls | SmtpSecurity::Implicit => "",
        };
        Some(Attempt { place: format!("{host}:{port}{user}{encrypted}"), trying })
    }
}

/// Message-ID and references, which the row fixed, in front of the body's own headers.
fn headers(parcel: &Parcel) -> String {
    let mut out = format!("Message-ID: {}\r\n", parcel.message_id);
    if let Some(first) = parcel.references.first() {
        out.push_str(&format!("In-Reply-To: {first}\r\nReferences: {}\r\n", parcel.references.join("\r\n ")));
    }
    out
}

fn address_of(recipient: &str) -> Result<Address, String> {
    let mailbox: Result<lettre::message::Mailbox, _> = recipient.parse();
    mailbox.map(|mailbox| mailbox.email).map_err(|error| format!("no mail address: {error}"))
}

/// An answer before the body: nothing has been sent, so nothing is unknown.
fn before_data(answer: Result<Result<Response, Error>, tokio::time::error::Elapsed>, step: &str) -> Result<(), Tried> {
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.status().is_some() => {
            // 421: the server closes.
            let is_open = error.status().is_some_and(|code| u16::from(code) != 421);
            Err(Tried { outcome: answered(step, &error), is_open })
        }
        Ok(Err(error)) => {
            Err(Tried { outcome: Outcome::Temporary { code: 0, text: words(step, &error) }, is_open: false })
        }
        Err(_) => Err(Tried {
            outcome: Outcome::Temporary { code: 0, text: format!("{step}: no answer in time") },
            is_open: false,
        }),
    }
}

fn answered(step: &str, error: &Error) -> Outcome {
    let (code, text) = (error.status().map_or(0, u16::from), words(step, error));
    if error.is_permanent() { Outcome::Permanent { code, text } } else { Outcome::Temporary { code, text } }
}

/// What happened in which phase, bounded: servers write long answers.
fn words(step: &str, error: &Error) -> String {
    let mut text = format!("{step}: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = deeper.source();
    }
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect()
}
