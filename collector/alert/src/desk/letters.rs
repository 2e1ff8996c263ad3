//! From a notice to the rows that tell each recipient.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::servers::{server_of_email, server_of_webhook};
use crate::alert::Notice;
use crate::mail::{Evidence, MailSettings, Place, Templates, digest, render};
use crate::notify::webhook_body;
use crate::outgoing::{DigestLetter, Key, NewRow, Payload, Target};
use crate::routing::{AlertingConfig, EmailConfig, Receiver};

/// Recipients of one notice: beyond, nobody reads who is told.
const RECIPIENTS_MAX: usize = 1_000;

/// What letters are written with.
#[derive(Clone)]
pub struct Letters {
    pub config: Arc<AlertingConfig>,
    pub templates: Arc<Templates>,
    /// The domain of Message-IDs: the collector's host name.
    pub domain: String,
}

impl Letters {
    /// The rows of a notice, and what went wrong with templates, pictures and addresses.
    pub fn rows(
        &self,
        notice: &Notice,
        evidence: &Evidence,
        place: &dyn Fn(&str, &str) -> Place,
    ) -> (Vec<NewRow>, Vec<String>) {
        let (mut rows, mut faults) = (Vec::new(), Vec::new());
        for receiver in self.config.told_for(&notice.receiver) {
            for email in receiver.emails.iter().filter(|email| email.send_resolved || !notice.firing.is_empty()) {
                self.mails(receiver, email, (notice, evidence), place, &mut rows, &mut faults);
            }
            for (number, webhook) in receiver.webhooks.iter().enumerate() {
                if !webhook.send_resolved && notice.firing.is_empty() {
                    continue;
                }
                let url = self.config.external_url.as_deref().unwrap_or_default();
                let payload = Payload::Webhook(webhook_body(notice, url, webhook.max_alerts));
                let server = server_of_webhook(&receiver.name, number);
                let target = Target { recipient: server.clone(), server };
                let subject = notice.receiver.clone();
                rows.push(self.row(receiver, notice, target, (subject.clone(), subject), payload));
            }
        }
        if rows.len() > RECIPIENTS_MAX {
            faults.push(format!("{} recipients, of which {RECIPIENTS_MAX} are told", rows.len()));
            rows.truncate(RECIPIENTS_MAX);
        }
        for (row, number) in rows.iter_mut().zip(0..) {
            row.key = Key { notice: notice.id, recipient: number };
        }
        (rows, faults)
    }

    fn mails(
        &self,
        receiver: &Receiver,
        email: &EmailConfig,
        (notice, evidence): (&Notice, &Evidence),
        place: &dyn Fn(&str, &str) -> Place,
        rows: &mut Vec<NewRow>,
        faults: &mut Vec<String>,
    ) {
        let Some(server) = server_of_email(email) else {
            faults.push(format!("receiver {}: no smarthost is known", receiver.name));
            return;
        };
        let settings = self.settings(receiver, email);
        for recipient in email.to.split(',').map(str::trim).filter(|recipient| !recipient.is_empty()) {
            let letter = render(&settings, &self.templates, notice, evidence, &place(&receiver.name, recipient));
            faults.extend(letter.faults.iter().cloned());
            match letter.mime(recipient) {
                Ok(mime) => {
                    let target = Target { server: server.clone(), recipient: recipient.to_owned() };
                    let words = (letter.subject.clone(), letter.first_line.clone());
                    rows.push(self.row(receiver, notice, target, words, Payload::Mail(mime)));
                }
                Err(error) => faults.push(format!("receiver {}, {recipient}: {error}", receiver.name)),
            }
        }
    }

    /// How a receiver wants its mails.
    pub fn settings(&self, receiver: &Receiver, email: &EmailConfig) -> MailSettings {
        MailSettings {
            from: email.from.clone(),
            domain: self.domain.clone(),
            zone: receiver.zone.clone().unwrap_or(TimeZone::UTC),
            external_url: self.config.external_url.clone(),
            headers: email.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    fn row(
        &self,
        receiver: &Receiver,
        notice: &Notice,
        target: Target,
        (subject, summary): (String, String),
        payload: Payload,
    ) -> NewRow {
        NewRow {
            key: Key { notice: notice.id, recipient: 0 },
            incident: notice.incident,
            receiver: receiver.name.clone(),
            second: self.second(&target),
            target,
            domain: self.domain.clone(),
            subject,
            summary,
            is_end: notice.firing.is_empty() && notice.kind == crate::alert::NoticeKind::Resolved,
            payload,
        }
    }

    /// The fallback receiver's first mail address by another server, for what a server refuses for good.
    fn second(&self, first: &Target) -> Option<Target> {
        let email = self.config.receiver(&self.config.fallback)?.emails.first()?;
        let recipient = email.to.split(',').map(str::trim).find(|recipient| !recipient.is_empty())?;
        let second = Target { server: server_of_email(email)?, recipient: recipient.to_owned() };
        (first.server.starts_with("smtp:") && second != *first).then_some(second)
    }

    /// The mail of a digest.
    pub fn digest(&self, letter: &DigestLetter) -> String {
        let receiver = self.config.receiver(&letter.receiver).or_else(|| self.config.receiver(&self.config.fallback));
        let email = receiver.and_then(|receiver| Some((receiver, receiver.emails.first()?)));
        let settings = match email {
            Some((receiver, email)) => self.settings(receiver, email),
            None => MailSettings {
                from: format!("muster@{}", self.domain),
                domain: self.domain.clone(),
                zone: TimeZone::UTC,
                external_url: None,
                headers: Vec::new(),
            },
        };
        digest(&settings, letter).unwrap_or_else(|error| {
            // The row was made of these addresses, so this is a fault of ours: the words go without the form.
            tracing::error!("a digest for {} could not be written: {error}", letter.recipient);
            format!("Subject: {} notices\r\n\r\n", letter.entries.len())
        })
    }
}
