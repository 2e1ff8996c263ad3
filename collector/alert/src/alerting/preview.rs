//! What a mail about an alert would look like now.

use muster_common::time::Timestamp;

use super::handle::Alerting;
use crate::alert::{Alert, AlertId, Notice, NoticeKind};
use crate::desk::Letters;
use crate::dispatch::Plan;
use crate::mail::{MailError, MailSettings, Place, render};
use crate::routing::{EmailConfig, Receiver};

/// A mail that is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub receiver: String,
    /// The first of its addresses; of one that has none an address of the collector's own domain.
    pub recipient: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// As `html`, with its picture inside.
    pub html_alone: String,
    /// The mail whole, without Message-ID.
    pub eml: String,
}

impl Alerting {
    /// The first mail about an alert, with its evidence, as its first receiver with addresses would get it. `None`: there is no such alert.
    /// Blocks: it reads the store and draws.
    ///
    /// # Errors
    /// [`MailError`] where an address of the configuration is none.
    pub fn preview(&self, id: AlertId, now: Timestamp) -> Result<Option<Preview>, MailError> {
        let found = self.ask(|desk| {
            let alert = desk.dispatch().alert(id)?.clone();
            let receivers = desk.routing().routes(&alert.labels).into_iter().map(|way| way.receiver);
            Some((alert, receivers.collect::<Vec<_>>(), desk.letters()))
        });
        let Some((alert, receivers, letters)) = found else { return Ok(None) };
        let (receiver, settings, recipient) = addressed(&letters, &receivers);
        let notice = notice_of(alert, &receiver, 0, now);
        let evidence = self.parts.evidence.gather(&notice, now);
        let letter = render(&settings, &letters.templates, &notice, &evidence, &Place::default());
        let eml = letter.mime(&recipient)?;
        let html_alone = letter.html_alone();
        let (subject, text, html) = (letter.subject, letter.text, letter.html);
        Ok(Some(Preview { receiver, recipient, subject, text, html, html_alone, eml }))
    }
}

/// The first receiver with an address, and how it wants its mails.
fn addressed(letters: &Letters, receivers: &[String]) -> (String, MailSettings, String) {
    let told = receivers.iter().flat_map(|name| letters.config.told_for(name));
    let mut mails = told.flat_map(|receiver| receiver.emails.iter().map(move |email| (receiver, email)));
    let own = format!("muster@{}", letters.domain);
    match mails.next() {
        Some((receiver, email)) => {
            let first = email.to.split(',').map(str::trim).find(|address| !address.is_empty());
            let recipient = first.map_or(own, str::to_owned);
            (receiver.name.clone(), letters.settings(receiver, email), recipient)
        }
        None => {
            let nowhere = EmailConfig {
                to: String::new(),
                from: own.clone(),
                smtp: letters.config.global.smtp.clone(),
                headers: std::collections::BTreeMap::new(),
                html: None,
                text: None,
                send_resolved: true,
            };
            let name = receivers.first().cloned().unwrap_or_default();
            (name, letters.settings(&Receiver::default(), &nowhere), own)
        }
    }
}

/// A notice that nobody has decided.
pub(super) fn notice_of(alert: Alert, receiver: &str, id: u64, now: Timestamp) -> Notice {
    let (firing, resolved) = if alert.is_firing() { (vec![alert], Vec::new()) } else { (Vec::new(), vec![alert]) };
    let kind = if firing.is_empty() { NoticeKind::Resolved } else { NoticeKind::Opened };
    Notice {
        id,
        incident: id,
        kind,
        receiver: receiver.to_owned(),
        group_key: String::new(),
        group_labels: muster_common::label::LabelSet::default(),
        at_ms: now.millis(),
        firing,
        resolved,
    }
}
