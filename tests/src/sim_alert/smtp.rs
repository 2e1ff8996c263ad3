//! The mail servers and the webhook of a world, with their faults, and what a letter says.

use std::collections::BTreeMap;

use muster_alert::outgoing::{Key as RowKey, Outcome, Parcel, Payload, Session};

use super::node::known;
use super::{Key, Violation};

/// What a server does wrong for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Away,
    /// 450 to each mail.
    Later,
    /// 550 to each mail.
    Never,
    /// Takes each mail and breaks before the answer.
    NoAnswer,
}

/// All servers: those whose name begins with the key, until then.
#[derive(Debug, Default)]
pub(super) struct Servers {
    pub(super) faults: BTreeMap<&'static str, (Fault, i64)>,
    /// When any fault was on last.
    pub(super) faulty_ms: i64,
}

/// A letter that a server has taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Letter {
    pub(super) receiver: String,
    /// Whom it is for, also where it went to another address since that refused it.
    pub(super) recipient: String,
    pub(super) notice: u64,
    /// Of the row; a mail says it too.
    pub(super) incident: u64,
    pub(super) message_id: String,
    pub(super) references: Vec<String>,
    pub(super) firing: Vec<Key>,
    /// How bad each of these is, in the letter's words.
    pub(super) states: Vec<String>,
    pub(super) ended: Vec<Key>,
    /// It says that nothing of its incident was sent before.
    pub(super) is_only: bool,
    /// Of a digest: how many notices it tells.
    pub(super) digest: Option<usize>,
    /// It was told within a digest.
    pub(super) is_within: bool,
    /// Not all that ended is named.
    pub(super) is_cut: bool,
}

/// What became of one row of a session.
pub(super) struct Done {
    pub(super) key: RowKey,
    /// The address that it was sent to.
    pub(super) recipient: String,
    pub(super) outcome: Outcome,
    pub(super) taken: Option<Letter>,
}

impl Servers {
    pub(super) fn send(&mut self, session: &Session, now_ms: i64) -> Result<Vec<Done>, Violation> {
        let server = if session.server.starts_with("smtp:one") {
            "one"
        } else if session.server.starts_with("smtp:two") {
            "two"
        } else {
            "hook"
        };
        let fault = self.faults.get(server).filter(|(_, until_ms)| now_ms < *until_ms).map(|(fault, _)| *fault);
        if fault.is_some() {
            self.faulty_ms = now_ms;
        }
        let mut done = Vec::new();
        for parcel in &session.parcels {
            let text = "as the script says".to_owned();
            let (outcome, is_taken) = match fault {
                None => (Outcome::Accepted, true),
                Some(Fault::Away) => (Outcome::Away { text }, false),
                Some(Fault::Later) => (Outcome::Temporary { code: 450, text }, false),
                Some(Fault::Never) => (Outcome::Permanent { code: 550, text }, false),
                Some(Fault::NoAnswer) => (Outcome::Unknown { text }, true),
            };
            let taken = if is_taken { Some(read(parcel)?) } else { None };
            done.push(Done { key: parcel.key, recipient: parcel.recipient.clone(), outcome, taken });
        }
        Ok(done)
    }
}

/// What whoever gets it reads.
fn read(parcel: &Parcel) -> Result<Letter, Violation> {
    let mut letter = match &parcel.payload {
        Payload::Mail(text) => read_mail(text)?,
        Payload::Webhook(text) => read_webhook(text)?,
    };
    if letter.digest.is_none() && letter.incident != 0 && letter.notice != parcel.key.notice {
        return Err(Violation(format!("the mail of notice {} says {}", parcel.key.notice, letter.notice)));
    }
    letter.notice = parcel.key.notice;
    letter.message_id.clone_from(&parcel.message_id);
    letter.references.clone_from(&parcel.references);
    Ok(letter)
}

fn read_webhook(text: &str) -> Result<Letter, Violation> {
    let body: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Violation(format!("a webhook's body is no JSON: {error}")))?;
    let mut letter = Letter { receiver: body["receiver"].as_str().unwrap_or_default().to_owned(), ..Letter::default() };
    for alert in body["alerts"].as_array().into_iter().flatten() {
        let of = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
        let key = known(&of("host"), &of("alertname"));
        if alert["status"] == "firing" {
            letter.states.push(of("severity"));
            letter.firing.push(key);
        } else {
            letter.ended.push(key);
        }
    }
    Ok(letter)
}

fn read_mail(text: &str) -> Result<Letter, Violation> {
    let bad = |what: &str| Violation(format!("a mail has no {what}:\n{text}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| bad("body"))?;
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = |name: &str| unfolded.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    if header("X-Muster-Digest").is_some() {
        let plain = body.replace("=\r\n", "").replace("=20", " ");
        let told = plain.lines().filter(|line| line.starts_with("          ")).count();
        return Ok(Letter { digest: Some(told), ..Letter::default() });
    }
    let number = |name: &str| header(name).and_then(|value| value.parse().ok()).ok_or_else(|| bad(name));
    let list = header("List-Id").ok_or_else(|| bad("List-Id"))?;
    let receiver = list.trim_start_matches('<').split('.').next().unwrap_or_default().to_owned();
    let (incident, notice) = (number("X-Muster-Incident")?, number("X-Muster-Notice")?);
    let mut letter = Letter { receiver, incident, notice, ..Letter::default() };
    let plain = body.split("Content-Type: text/html").next().unwrap_or_default();
    let plain = plain.replace("=\r\n", "").replace("=20", " ");
    let mut ends = 0;
    for line in plain.lines() {
        letter.is_only |= line.starts_with("This is the only mail of this incident");
        let member = |line: &str| {
            let (name, host) = line.split_once(" on ").unwrap_or((line, ""));
            known(host.trim(), name.trim())
        };
        if let Some(rest) = line.strip_prefix("ENDED  ") {
            ends += 1;
            letter.ended.push(member(rest));
        }
        for state in ["CRITICAL", "WARNING", "UNKNOWN"] {
            if let Some(rest) = line.strip_prefix(state).and_then(|rest| rest.strip_prefix("  ")) {
                letter.states.push(state.to_owned());
                letter.firing.push(member(rest));
            }
            // One of those that are only named.
            if let Some((host, name)) = line
                .strip_prefix("  ")
                .and_then(|rest| rest.strip_prefix(state)?.strip_prefix(' '))
                .and_then(|rest| rest.trim().split_once(' '))
            {
                letter.states.push(state.to_owned());
                letter.firing.push(known(host, name));
            }
        }
    }
    letter.is_cut = ends >= 10;
    if letter.firing.is_empty() && letter.ended.is_empty() { Err(bad("member")) } else { Ok(letter) }
}
