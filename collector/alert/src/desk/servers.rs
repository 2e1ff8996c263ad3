//! The servers that a configuration names, as notifiers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::notify::{Email, Notifiers, SettingsError, SmtpSecurity, SmtpSettings, Webhook, WebhookSettings};
use crate::routing::{AlertingConfig, Authorization, EmailConfig, WebhookConfig};

/// Where a webhook does not say how long it may take: Alertmanager waits for the group's interval, we have other work.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// The port of mail that is encrypted from its first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// The name of a mail's server in rows: rows of one name share connections.
pub(super) fn server_of_email(email: &EmailConfig) -> Option<String> {
    let (host, port) = email.smtp.smarthost.as_ref()?;
    let user = email.smtp.auth_username.as_deref().unwrap_or_default();
    Some(format!("smtp:{host}:{port}:{user}:{}", envelope_from(email)))
}

pub(super) fn server_of_webhook(receiver: &str, number: usize) -> String {
    format!("webhook:{receiver}:{number}")
}

/// The address without its name.
fn envelope_from(email: &EmailConfig) -> &str {
    let inner = email.from.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(email.from.as_str(), |(address, _)| address).trim()
}

/// Every server of a configuration.
///
/// # Errors
/// Each server that cannot be used, with its receiver.
pub fn notifiers(config: &AlertingConfig) -> Result<Notifiers, Vec<String>> {
    let mut made = Notifiers::default();
    let mut faults = Vec::new();
    let mut seen = BTreeMap::new();
    for receiver in &config.receivers {
        let fault = |error: SettingsError| format!("receiver {}: {error}", receiver.name);
        for email in &receiver.emails {
            let Some(server) = server_of_email(email) else { continue };
            if seen.insert(server.clone(), ()).is_some() {
                continue;
            }
            match smtp(email).and_then(Email::new) {
                Ok(notifier) => made.add(server, Arc::new(notifier)),
                Err(error) => faults.push(fault(error)),
            }
        }
        for (number, webhook) in receiver.webhooks.iter().enumerate() {
            match Webhook::new(web(webhook)) {
                Ok(notifier) => made.add(server_of_webhook(&receiver.name, number), Arc::new(notifier)),
                Err(error) => faults.push(fault(error)),
            }
        }
    }
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

fn smtp(email: &EmailConfig) -> Result<SmtpSettings, SettingsError> {
    let smtp = &email.smtp;
    let (host, port) = smtp.smarthost.clone().unwrap_or_default();
    let tls = smtp.tls.clone().unwrap_or_default();
    if tls.insecure_skip_verify {
        let text = "`insecure_skip_verify` is refused: name the server's CA by `ca_file`".to_owned();
        return Err(SettingsError::Tls { server: format!("{host}:{port}"), text });
    }
    let security = match (port, smtp.is_tls_required()) {
        (SUBMISSIONS, _) => SmtpSecurity::Implicit,
        (_, true) => SmtpSecurity::StartTls,
        (_, false) => SmtpSecurity::Opportunistic,
    };
    Ok(SmtpSettings {
        host,
        port,
        hello: smtp.hello.clone().unwrap_or_default(),
        from: envelope_from(email).to_owned(),
        username: smtp.auth_username.clone().unwrap_or_default(),
        password: smtp.auth_password.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default(),
        security,
        ca_pem: tls.ca.unwrap_or_default().into_bytes(),
        server_name: tls.server_name.unwrap_or_default(),
        ..SmtpSettings::default()
    })
}

fn web(webhook: &WebhookConfig) -> WebhookSettings {
    let authorization = webhook.http.authorization.as_ref().map(|authorization| match authorization {
        Authorization::Basic { username, password } => {
            format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())))
        }
        Authorization::Token { kind, credentials } => format!("{kind} {}", credentials.reveal()),
    });
    let headers = authorization.map(|value| ("Authorization".to_owned(), value)).into_iter().collect();
    let timeout = u64::try_from(webhook.timeout_ms).ok().filter(|millis| *millis > 0);
    WebhookSettings {
        url: webhook.url.reveal().to_owned(),
        ca_pem: webhook.http.tls.as_ref().and_then(|tls| tls.ca.clone()).unwrap_or_default().into_bytes(),
        headers,
        timeout: timeout.map_or(WEBHOOK_TIMEOUT, |millis| Duration::from_millis(millis).min(WEBHOOK_TIMEOUT * 10)),
    }
}
