//! Webhooks: a POST of the JSON that Alertmanager's version 4 sends.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, Uri};
use jiff::Timestamp;
use muster_common::label::LabelSet;
use rustls::ClientConfig;
use serde::Serialize;

use super::http::{HttpError, Message, send, tls, web_address};
use super::table::{Notifier, Report, SettingsError};
use crate::alert::Notice;
use crate::outgoing::{Outcome, Parcel, Payload};

/// Alerts in one body where the receiver sets no bound: some MB at most.
const ALERTS: usize = 1000;

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    pub url: String,
    /// Certificates in PEM that sign the server's; empty: the machine's roots.
    pub ca_pem: Vec<u8>,
    /// Further headers, such as `Authorization`.
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
}

/// A webhook as a notifier.
pub struct Webhook {
    uri: Uri,
    headers: Vec<(String, String)>,
    tls: Arc<ClientConfig>,
    timeout: Duration,
}

impl Webhook {
    /// # Errors
    /// [`SettingsError`]: no URL of the web, or certificates that are none.
    pub fn new(settings: WebhookSettings) -> Result<Self, SettingsError> {
        let fail = || SettingsError::Url { url: settings.url.chars().take(200).collect() };
        let uri = web_address(&settings.url).ok_or_else(fail)?;
        let certificates =
            |text| SettingsError::Certificates { server: settings.url.clone(), file: "the CA file".to_owned(), text };
        let tls = tls(&settings.ca_pem).map_err(certificates)?;
        Ok(Self { uri, headers: settings.headers, tls, timeout: settings.timeout })
    }

    async fn send(&self, parcel: &Parcel) -> Outcome {
        let Payload::Webhook(body) = &parcel.payload else {
            return Outcome::Permanent { code: 0, text: "a mail for a webhook".to_owned() };
        };
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("User-Agent".to_owned(), "muster".to_owned()),
            // Fixed for notice and recipient, so that whoever gets it twice can tell.
            ("Idempotency-Key".to_owned(), parcel.message_id.trim_matches(['<', '>']).to_owned()),
        ];
        headers.extend(self.headers.iter().cloned());
        let message = Message {
            method: Method::POST,
            uri: &self.uri,
            headers: &headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        match send(message, &self.tls, self.timeout).await {
            Ok((200..=299, _)) => Outcome::Accepted,
            Ok((code, answer)) => {
                let text = answer
                    .chars()
                    .map(|character| if character.is_control() { ' ' } else { character })
                    .take(200)
                    .collect();
                // Timed out, too many, and what the server did not manage.
                let is_temporary = matches!(code, 408 | 429 | 500..=599);
                if is_temporary { Outcome::Temporary { code, text } } else { Outcome::Permanent { code, text } }
            }
            Err(error @ HttpError::Connect { .. }) => Outcome::Away { text: error.to_string() },
            Err(error @ HttpError::Lost { .. }) => Outcome::Unknown { text: error.to_string() },
        }
    }
}

impl Notifier for Webhook {
    fn deliver<'a>(
        &'a self,
        parcels: &'a [Parcel],
        report: &'a mut Report<'_>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            for (index, parcel) in parcels.iter().enumerate() {
                let outcome = self.send(parcel).await;
                if matches!(outcome, Outcome::Away { .. }) {
                    // Not once for each: the queue asks again when it is time.
                    for rest in &parcels[index..] {
                        report(rest.key, outcome.clone());
                    }
                    return;
                }
                report(parcel.key, outcome);
            }
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
    status: &'static str,
    receiver: &'a str,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: BTreeMap<&'a str, &'a str>,
    common_annotations: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: Vec<One<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    status: &'static str,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

fn map(labels: &LabelSet) -> BTreeMap<&str, &str> {
    labels.iter().collect()
}

/// What all have with the same value.
fn common<'a>(mut all: impl Iterator<Item = BTreeMap<&'a str, &'a str>>) -> BTreeMap<&'a str, &'a str> {
    let mut common = all.next().unwrap_or_default();
    for other in all {
        common.retain(|name, value| other.get(name) == Some(value));
    }
    common
}

/// RFC 3339 in UTC; the year 1 stands for no time, as Alertmanager writes it.
fn time(ms: Option<i64>) -> String {
    let none = "0001-01-01T00:00:00Z".to_owned();
    ms.map_or(none.clone(), |ms| Timestamp::from_millisecond(ms).map_or(none, |at| at.to_string()))
}

/// The JSON of a notice: Alertmanager's webhook body, version 4, with at most `max_alerts` alerts (0: as many as one body holds).
pub fn webhook_body(notice: &Notice, external_url: &str, max_alerts: usize) -> String {
    let most = if max_alerts == 0 { ALERTS } else { max_alerts.min(ALERTS) };
    let all = || notice.firing.iter().chain(&notice.resolved);
    let alerts = all().take(most).map(|alert| One {
        status: if alert.is_firing() { "firing" } else { "resolved" },
        labels: map(&alert.labels),
        annotations: &alert.annotations,
        starts_at: time(Some(alert.starts_ms)),
        ends_at: time(alert.ends_ms),
        generator_url: external_url.to_owned(),
        fingerprint: alert.id.to_string(),
    });
    let body = Body {
        version: "4",
        group_key: &notice.group_key,
        truncated_alerts: all().count().saturating_sub(most),
        status: if notice.firing.is_empty() { "resolved" } else { "firing" },
        receiver: &notice.receiver,
        group_labels: map(&notice.group_labels),
        common_labels: common(all().map(|alert| map(&alert.labels))),
        common_annotations: common(
            all().map(|alert| alert.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()),
        ),
        external_url,
        alerts: alerts.collect(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}
