//! Webhooks of GitHub: events `deployment` and `deployment_status`, signed by `X-Hub-Signature-256`.
//!
//! A deployment that is created begins a deploy of the service that names the repository, in the environment that the deployment names. Its version
//! is `version` of the deployment's payload, else its ref where that looks like a version, else the first letters of its commit.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_fleet::{DeployResult, DeploySource};
use serde_json::Value;

use super::hook::{Hoster, Message, Step, Told, link, maybe, moment, note, object, text};
use super::intake::short;
use crate::error::{ApiError, MusterError};
use crate::state::State;

const GITHUB: Hoster = Hoster {
    name: "github",
    source: DeploySource::Github,
    header: "x-hub-signature-256",
    setting: "hooks.github_secret_file",
};
/// Letters of a commit that name a version.
const COMMIT_CHARS: usize = 12;

/// Takes a message.
pub(in crate::muster) async fn take(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (secret, _) = state.fleet.hook_secrets();
    let proves = |secret: &muster_fleet::HookSecret, word: &[u8], body: &[u8]| {
        signature(word).is_some_and(|signature| secret.signed(body, &signature))
    };
    let (headers, body, by) = GITHUB.admit(&state, request, secret, proves).await?;
    let event = headers.get("x-github-event").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let message = read(&event, &object(&body)?)?;
    GITHUB.work_in(&state, message, by).await
}

/// The bytes of `sha256=HEX`.
fn signature(word: &[u8]) -> Option<[u8; 32]> {
    let hex = word.strip_prefix(b"sha256=")?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    if hex.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// What a message of this event says.
fn read(event: &str, body: &Value) -> Result<Message, ApiError> {
    let passed = |why: String| Ok(Message::Passed(why));
    let step = match event {
        "deployment" => match maybe(body, "action").as_str() {
            "created" | "" => Step::Begun,
            other => return passed(format!("action `{}` of a deployment says nothing here", short(other))),
        },
        "deployment_status" => match text(body, "deployment_status.state")?.as_str() {
            "queued" | "pending" | "in_progress" | "waiting" => Step::Begun,
            "success" => Step::Ended(DeployResult::Ok),
            "failure" | "error" => Step::Ended(DeployResult::Failed),
            other => return passed(format!("state `{}` says nothing about how it ended", short(other))),
        },
        other => return passed(format!("event `{}` is none of a deployment", short(other))),
    };
    let links = ["deployment_status.log_url", "deployment_status.target_url", "deployment.url"];
    let times = ["deployment_status.updated_at", "deployment_status.created_at", "deployment.created_at"];
    Ok(Message::Deploy(Box::new(Told {
        repository: text(body, "repository.full_name")?,
        id: text(body, "deployment.id")?,
        env: text(body, "deployment.environment")?,
        version: version(body)?,
        link: link(&links.map(|path| maybe(body, path))),
        note: note(&maybe(body, "deployment.description")),
        at_ms: times.iter().find_map(|path| moment(&maybe(body, path))),
        step,
    })))
}

fn version(body: &Value) -> Result<String, ApiError> {
    // The payload is an object, or a text with one in it.
    let payload = &body["deployment"]["payload"];
    let inner = payload.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let told = maybe(inner.as_ref().unwrap_or(payload), "version");
    if !told.is_empty() {
        return Ok(told.trim().to_owned());
    }
    let name = maybe(body, "deployment.ref");
    let name = name.strip_prefix("refs/tags/").unwrap_or(&name);
    let commit = maybe(body, "deployment.sha");
    let number = name.strip_prefix('v').unwrap_or(name);
    let is_version = number.starts_with(|letter: char| letter.is_ascii_digit()) && number.contains('.');
    if is_version || commit.is_empty() {
        return if name.is_empty() { text(body, "deployment.sha") } else { Ok(name.to_owned()) };
    }
    Ok(commit.chars().take(COMMIT_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: &str, body: &Value) -> Told {
        match read(event, body).unwrap() {
            Message::Deploy(told) => *told,
            Message::Passed(why) => panic!("{why}"),
        }
    }

    #[test]
    fn the_version_is_what_the_payload_the_ref_or_the_commit_says() {
        let body = |payload: Value, name: &str, sha: &str| serde_json::json!({"deployment": {"payload": payload, "ref": name, "sha": sha}});
        let sha = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e";
        for (payload, name, commit, expect) in [
            (serde_json::json!({"version": "7.1"}), "main", sha, Some("7.1")),
            (serde_json::json!("{\"version\": \"7.2\"}"), "main", sha, Some("7.2")),
            (serde_json::json!({}), "main", sha, Some("f95f852bd8fc")),
            (serde_json::json!(""), "v1.4.2", sha, Some("v1.4.2")),
            (Value::Null, "refs/tags/1.4", sha, Some("1.4")),
            (Value::Null, "main", "", Some("main")),
            (Value::Null, "", "", None),
        ] {
            assert_eq!(version(&body(payload, name, commit)).ok().as_deref(), expect, "{name}");
        }
    }

    #[test]
    fn each_event_says_one_step_or_nothing() {
        let body = |action: &str, state: &str| {
            serde_json::json!({
                "action": action,
                "deployment_status": {"state": state, "updated_at": "2026-11-30T09:00:00Z", "target_url": "https://ci.example/7"},
                "deployment": {"id": 42, "sha": "f95f852bd8fca8", "ref": "main", "environment": "production", "payload": {}},
                "repository": {"full_name": "acme/shop"},
            })
        };
        for (event, action, state, step) in [
            ("deployment", "created", "", Some(Step::Begun)),
            ("deployment", "deleted", "", None),
            ("deployment_status", "created", "in_progress", Some(Step::Begun)),
            ("deployment_status", "created", "success", Some(Step::Ended(DeployResult::Ok))),
            ("deployment_status", "created", "failure", Some(Step::Ended(DeployResult::Failed))),
            ("deployment_status", "created", "error", Some(Step::Ended(DeployResult::Failed))),
            ("deployment_status", "created", "inactive", None),
            ("ping", "", "", None),
        ] {
            let read = read(event, &body(action, state)).unwrap();
            let found = if let Message::Deploy(told) = &read { Some(told.step) } else { None };
            assert_eq!(found, step, "{event} {action} {state}");
        }
        let one = told("deployment_status", &body("created", "success"));
        assert_eq!((one.repository.as_str(), one.id.as_str(), one.env.as_str()), ("acme/shop", "42", "production"));
        assert_eq!((one.link.as_str(), one.at_ms), ("https://ci.example/7", Some(1_796_029_200_000)));
    }

    #[test]
    fn a_signature_is_64_digits_after_its_name() {
        let good = format!("sha256={}", "0f".repeat(32));
        assert_eq!(signature(good.as_bytes()), Some([15; 32]));
        for bad in ["", "sha256=", "sha1=0f0f", &good[7..], &good[..70], &good.replace('f', "g")] {
            assert_eq!(signature(bad.as_bytes()), None, "{bad}");
        }
    }
}
