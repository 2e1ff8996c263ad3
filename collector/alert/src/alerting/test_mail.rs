//! One mail to each address of a receiver, past the queue, and what the servers said.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::label::LabelSet;
use muster_common::time::Timestamp;

use super::handle::Alerting;
use super::preview::notice_of;
use crate::alert::{Alert, AlertId, Origin};
use crate::mail::{Evidence, Place};
use crate::notify::Attempted;
use crate::outgoing::{Key, NewRow, Outcome, Parcel, Payload, Session, message_id};

/// Somebody waits for the answer: a server that has said nothing until then is as good as away.
const WITHIN: Duration = Duration::from_secs(60);

/// What became of one test mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    pub recipient: String,
    pub accepted: bool,
    /// The server's own words, or what kept us from hearing them.
    pub answer: String,
}

/// Why no test mail was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    #[error("no receiver `{name}` is known: those there are are {known}")]
    NoReceiver { name: String, known: String },
    #[error("receiver `{name}` has no mail address: give it email_configs in the alerting file")]
    NoAddress { name: String },
    #[error("no mail can be written for receiver `{name}`: {faults}")]
    Faults { name: String, faults: String },
}

impl Alerting {
    /// Tries every mail server of the configuration without sending anything: greeting, encryption, sign-in.
    pub async fn attempt_servers(&self) -> Vec<Attempted> {
        self.notifiers.load_full().attempt().await
    }

    /// Sends a test mail to each address of a receiver, at once.
    ///
    /// # Errors
    /// [`TestError`]: nothing was sent.
    pub async fn test_receiver(&self, name: &str, now: Timestamp) -> Result<Vec<Tested>, TestError> {
        let rows = self.test_rows(name, now)?;
        let mut sessions: BTreeMap<String, Vec<Parcel>> = BTreeMap::new();
        for row in rows {
            sessions.entry(row.target.server.clone()).or_default().push(parcel(row));
        }
        let notifiers = self.notifiers.load_full();
        let mut tested = Vec::new();
        for (server, parcels) in sessions {
            let session = Session { server, parcels };
            let mut heard = BTreeMap::new();
            let mut report = |key: Key, outcome: Outcome| drop(heard.insert(key, outcome));
            let sending = notifiers.run(&session, &mut report);
            let is_late = tokio::time::timeout(WITHIN, sending).await.is_err();
            for parcel in session.parcels {
                let (accepted, answer) = match heard.remove(&parcel.key) {
                    Some(outcome) => words(outcome),
                    None if is_late => (false, format!("no answer within {} s", WITHIN.as_secs())),
                    None => (false, "the notifier ended before it".to_owned()),
                };
                tested.push(Tested { recipient: parcel.recipient, accepted, answer });
            }
        }
        Ok(tested)
    }

    fn test_rows(&self, name: &str, now: Timestamp) -> Result<Vec<NewRow>, TestError> {
        let letters = self.ask(crate::desk::Desk::letters);
        if letters.config.receiver(name).is_none() {
            let known: Vec<&str> = letters.config.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
            return Err(TestError::NoReceiver { name: name.to_owned(), known: known.join(", ") });
        }
        // The time makes each test's Message-ID its own.
        let id = u64::try_from(now.millis()).unwrap_or(0);
        let notice = notice_of(test_alert(now), name, id, now);
        let (rows, faults) = letters.rows(&notice, &Evidence::default(), &|_, _| Place::default());
        let mails = rows.into_iter().filter(|row| matches!(row.payload, Payload::Mail(_)));
        let mails: Vec<NewRow> = mails.collect();
        match (mails.is_empty(), faults.is_empty()) {
            (false, _) => Ok(mails),
            (true, true) => Err(TestError::NoAddress { name: name.to_owned() }),
            (true, false) => Err(TestError::Faults { name: name.to_owned(), faults: faults.join("; ") }),
        }
    }
}

/// The alert of a test mail: it stands in the mail only.
fn test_alert(now: Timestamp) -> Alert {
    let labels = LabelSet::new([("alertname", "MusterTest"), ("severity", "none")]).unwrap_or_default();
    let summary = "This is a test: somebody tried whether mail of this receiver arrives. Nothing is wrong.".to_owned();
    Alert {
        id: AlertId::of_labels(&labels),
        labels,
        annotations: BTreeMap::from([("summary".to_owned(), summary)]),
        origin: Origin::Pushed { by: "test".to_owned() },
        active_ms: now.millis(),
        starts_ms: now.millis(),
        ends_ms: None,
        updated_ms: now.millis(),
        value: None,
        expression: String::new(),
        again: false,
        holds: Vec::new(),
        is_quiet_end: false,
        is_one_of_many: false,
    }
}

fn parcel(row: NewRow) -> Parcel {
    let recipient = row.target.recipient;
    Parcel {
        key: row.key,
        message_id: message_id(row.incident, row.key.notice, &row.receiver, &recipient, &row.domain),
        recipient,
        references: Vec::new(),
        payload: row.payload,
    }
}

fn words(outcome: Outcome) -> (bool, String) {
    match outcome {
        Outcome::Accepted => (true, "accepted".to_owned()),
        Outcome::Temporary { code, text } | Outcome::Permanent { code, text } => (false, said(code, &text)),
        Outcome::Away { text } => (false, text),
        Outcome::Unknown { text } => (false, format!("it was sent and no answer came: {text}")),
    }
}

/// The code once, whether or not the words begin with it.
fn said(code: u16, text: &str) -> String {
    let code = code.to_string();
    if text.starts_with(&code) { text.to_owned() } else { format!("{code} {text}") }
}
