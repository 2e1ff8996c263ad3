//! What webhooks have in common: who may tell, how a body is read, and what is made of what it tells.
//!
//! A hook proves by its secret that the hoster sent it. What is told twice changes nothing: a deploy of a hoster has a key of its own, and
//! what is older than a day is passed over, so that no old message makes a new deploy after the row of its own has gone.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use muster_common::time::Timestamp;
use muster_fleet::{
    AuditResult, By, Deploy, DeployRef, DeployResult, DeploySource, DeployStart, EventKind, Fleet, FleetError, Record,
};
use serde_json::{Value, json};

use super::shown::{HostNames, deploy_json};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::body_bytes;
use crate::logins::note_refusal;
use crate::muster::body::answer;
use crate::state::State;
use crate::work::{blocking, by};

/// How old a message may be, milliseconds: hosters send one again for some hours.
pub(super) const OLD_MS: i64 = 24 * 3_600_000;

/// A hoster whose hooks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hoster {
    pub(super) name: &'static str,
    pub(super) source: DeploySource,
    /// The header that proves who sent it.
    pub(super) header: &'static str,
    /// The key of deploy.toml that names the secret's file.
    pub(super) setting: &'static str,
}

/// What a message says of a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) repository: String,
    /// The deploy's name at its hoster: with the repository its key.
    pub(super) id: String,
    pub(super) env: String,
    pub(super) version: String,
    pub(super) link: String,
    pub(super) note: String,
    /// When it was said; `None`: the message does not tell.
    pub(super) at_ms: Option<i64>,
    pub(super) step: Step,
}

/// What has become of a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Begun,
    Ended(DeployResult),
}

/// What a message is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Deploy(Box<Told>),
    /// It says nothing about a deploy that counts here, and why.
    Passed(String),
}

impl Hoster {
    /// The body and headers of a message that `proves` the secret, and who sent it.
    pub(super) async fn admit(
        &self,
        state: &Arc<State>,
        request: Request,
        secret: Option<muster_fleet::HookSecret>,
        proves: impl FnOnce(&muster_fleet::HookSecret, &[u8], &[u8]) -> bool,
    ) -> Result<(HeaderMap, axum::body::Bytes, By), MusterError> {
        let Some(secret) = secret else {
            let remedy = format!("name a file with its secret by `{}` in deploy.toml, and reload", self.setting);
            let what = format!("webhooks of {} are not taken here", self.name);
            return Err(ApiError::new(ErrorKind::NotFound, what).place("the path").remedy(remedy).into());
        };
        let who = by(&request);
        let source = match &who {
            By::Somebody { source, .. } => source.clone(),
            By::Itself(_) => "unknown".to_owned(),
        };
        let path = request.uri().path().to_owned();
        let (head, body) = request.into_parts();
        let Some(word) = head.headers.get(self.header).map(|value| value.as_bytes().to_vec()) else {
            return Err(self.refuse(state, who, &path, "it is not signed").await);
        };
        let bytes = body_bytes(body).await?;
        if !proves(&secret, &word, &bytes) {
            return Err(self.refuse(state, who, &path, "what it proves to know is not the secret").await);
        }
        Ok((head.headers, bytes, By::hook(self.name, &source)))
    }

    async fn refuse(&self, state: &Arc<State>, by: By, path: &str, why: &str) -> MusterError {
        let object = format!("POST {path}");
        let text = format!("{object} was refused: {why}");
        let action = EventKind::RequestRefused;
        note_refusal(state, Record { by, action, object, text, result: AuditResult::Refused }).await;
        let remedy = format!("give {} the secret of the file that `{}` in deploy.toml names", self.name, self.setting);
        let place = format!("header `{}`", self.header);
        ApiError::new(ErrorKind::Unauthorized, why).place(place).remedy(remedy).into()
    }

    /// Works in what a message says, and answers.
    pub(super) async fn work_in(&self, state: &Arc<State>, message: Message, by: By) -> Result<Response, MusterError> {
        let told = match message {
            Message::Passed(why) => return Ok(passed(&why)),
            Message::Deploy(told) => *told,
        };
        let now = state.now();
        if told.at_ms.is_some_and(|at_ms| now.millis().saturating_sub(at_ms) > OLD_MS) {
            return Ok(passed("it is older than a day"));
        }
        let (fleet, source, name) = (Arc::clone(&state.fleet), self.source, self.name);
        let work = move || work_in(&fleet, &told, (name, source), &by, now);
        let (deploy, is_new) = blocking("the message", work).await?;
        let deploy = deploy_json(&deploy, &mut HostNames::new(&state.fleet));
        Ok(answer(StatusCode::OK, json!({"taken": true, "is_new": is_new, "deploy": deploy})))
    }
}

/// The answer to a message that changes nothing: what is sent again and again would be no better.
fn passed(why: &str) -> Response {
    answer(StatusCode::ACCEPTED, json!({"taken": false, "why": why}))
}

fn work_in(
    fleet: &Fleet,
    told: &Told,
    (hoster, source): (&str, DeploySource),
    by: &By,
    now: Timestamp,
) -> Result<(Deploy, bool), FleetError> {
    let service = fleet.service_of_repository(&told.repository).ok_or_else(|| FleetError::NoService {
        name: told.repository.chars().take(100).collect(),
        known: "no service names this repository".to_owned(),
    })?;
    let key = format!("{hoster}:{}:{}", told.repository.to_ascii_lowercase(), told.id);
    let start = DeployStart {
        service,
        version: told.version.clone(),
        env: told.env.clone(),
        hosts: Vec::new(),
        link: told.link.clone(),
        note: told.note.clone(),
        key: key.clone(),
        source,
    };
    // A message that it began may come after the one that it ended, or never.
    let started = fleet.start_deploy(start, by, now)?;
    match told.step {
        Step::Begun => Ok((started.deploy, started.is_new)),
        Step::Ended(result) => {
            let (deploy, is_new) = fleet.finish_deploy(&DeployRef::Id(started.deploy.id), result, "", by, now)?;
            Ok((deploy, is_new || started.is_new))
        }
    }
}

/// The object in a message's body.
pub(super) fn object(bytes: &[u8]) -> Result<Value, ApiError> {
    let remedy = "set the hook's content type to application/json";
    let read = serde_json::from_slice::<Value>(bytes);
    let read = read.map_err(|error| {
        ApiError::new(ErrorKind::BadData, format!("the body is no JSON ({error})")).place("the message").remedy(remedy)
    })?;
    if read.is_object() {
        return Ok(read);
    }
    Err(ApiError::new(ErrorKind::BadData, "the body is no JSON object").place("the message").remedy(remedy))
}

/// The text at this path of names, or what is missing.
pub(super) fn text(value: &Value, path: &str) -> Result<String, ApiError> {
    let found = path.split('.').try_fold(value, |at, name| at.get(name));
    let text = match found {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    text.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        ApiError::new(ErrorKind::BadData, format!("the message has no `{path}`"))
            .place("the message")
            .remedy("send it from the hoster's own webhook")
    })
}

/// The same where it may be missing.
pub(super) fn maybe(value: &Value, path: &str) -> String {
    text(value, path).unwrap_or_default()
}

/// A link of a message, if it is one; what is none is no reason to refuse a deploy.
pub(super) fn link(texts: &[String]) -> String {
    const BYTES_MAX: usize = 1_024;
    let is_link = |text: &&String| {
        text.starts_with("https://")
            && text.len() <= BYTES_MAX
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    texts.iter().find(is_link).cloned().unwrap_or_default()
}

/// The beginning of a text as a note.
pub(super) fn note(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    text.chars().take(CHARS_MAX).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A moment as RFC 3339 has it, or as GitLab writes it (`2021-04-28 21:50:00 +0200`).
pub(super) fn moment(text: &str) -> Option<i64> {
    let read = text.parse::<jiff::Timestamp>().ok();
    let read = read.or_else(|| {
        let spaced = text.trim_end_matches(" UTC");
        let spaced = if spaced.len() < text.len() { format!("{spaced} +0000") } else { text.to_owned() };
        jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", spaced).and_then(|broken| broken.to_timestamp()).ok()
    });
    read.map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_both_hosters_write_them() {
        for (text, expect) in [
            ("2019-05-15T15:20:53Z", Some(1_557_933_653_000)),
            ("2021-04-28 21:50:00 +0200", Some(1_619_639_400_000)),
            ("2021-04-28 19:50:00 UTC", Some(1_619_639_400_000)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(moment(text), expect, "{text}");
        }
    }

    #[test]
    fn only_addresses_are_links() {
        let text = str::to_owned;
        assert_eq!(link(&[text("javascript:x"), text("https://a b"), text("https://ci/1")]), "https://ci/1");
        assert_eq!(link(&[text("ftp://x")]), "");
        assert_eq!(note("a\nb"), "a b");
    }

    #[test]
    fn what_a_message_lacks_is_named() {
        let value = json!({"a": {"b": "x", "n": 7, "e": " "}});
        assert_eq!((text(&value, "a.b").unwrap(), text(&value, "a.n").unwrap()), ("x".to_owned(), "7".to_owned()));
        for path in ["a.c", "b", "a", "a.e", "a.b.c"] {
            assert_eq!(text(&value, path).unwrap_err().message(), format!("the message has no `{path}`"));
        }
        assert!(object(b"[]").is_err() && object(b"payload=%7B%7D").is_err() && object(b"{}").is_ok());
    }
}
