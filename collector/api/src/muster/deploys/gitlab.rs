//! Webhooks of GitLab: deployment events, known by `X-Gitlab-Token`.
//!
//! Its version is the ref where that looks like a version, else the short commit.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_fleet::{DeployResult, DeploySource};
use serde_json::Value;

use super::hook::{Hoster, Message, Step, Told, link, maybe, moment, note, object, text};
use super::intake::short;
use crate::error::{ApiError, MusterError};
use crate::state::State;

const GITLAB: Hoster = Hoster {
    name: "gitlab",
    source: DeploySource::Gitlab,
    header: "x-gitlab-token",
    setting: "hooks.gitlab_token_file",
};

/// Takes a message.
pub(in crate::muster) async fn take(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (_, secret) = state.fleet.hook_secrets();
    let proves = |secret: &muster_fleet::HookSecret, word: &[u8], _: &[u8]| secret.is(word);
    let (_, body, by) = GITLAB.admit(&state, request, secret, proves).await?;
    let message = read(&object(&body)?)?;
    GITLAB.work_in(&state, message, by).await
}

/// What a message says.
fn read(body: &Value) -> Result<Message, ApiError> {
    let kind = maybe(body, "object_kind");
    if kind != "deployment" {
        return Ok(Message::Passed(format!("a message of kind `{}` is none of a deployment", short(&kind))));
    }
    let status = text(body, "status")?;
    let step = match status.as_str() {
        "running" => Step::Begun,
        "success" => Step::Ended(DeployResult::Ok),
        "failed" | "canceled" => Step::Ended(DeployResult::Failed),
        other => return Ok(Message::Passed(format!("status `{}` is before it began", short(other)))),
    };
    let title = maybe(body, "commit_title");
    let name = maybe(body, "ref");
    let number = name.strip_prefix('v').unwrap_or(&name);
    let is_version = number.starts_with(|letter: char| letter.is_ascii_digit()) && number.contains('.');
    Ok(Message::Deploy(Box::new(Told {
        repository: text(body, "project.path_with_namespace")?,
        id: text(body, "deployment_id")?,
        env: text(body, "environment")?,
        version: if is_version { name.clone() } else { text(body, "short_sha")? },
        link: link(&["deployable_url", "commit_url"].map(|path| maybe(body, path))),
        note: if status == "canceled" { "canceled".to_owned() } else { note(&title) },
        at_ms: moment(&maybe(body, "status_changed_at")),
        step,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_says_one_step_or_nothing() {
        let body = |kind: &str, status: &str, name: &str| {
            serde_json::json!({
                "object_kind": kind, "status": status, "status_changed_at": "2026-11-30 10:00:00 +0100",
                "deployment_id": 15, "deployable_url": "https://gitlab.example/acme/shop/-/jobs/796",
                "environment": "production", "project": {"path_with_namespace": "acme/shop"}, "short_sha": "279484c0",
                "ref": name, "commit_title": "Add new file",
            })
        };
        for (kind, status, step) in [
            ("deployment", "running", Some(Step::Begun)),
            ("deployment", "success", Some(Step::Ended(DeployResult::Ok))),
            ("deployment", "failed", Some(Step::Ended(DeployResult::Failed))),
            ("deployment", "canceled", Some(Step::Ended(DeployResult::Failed))),
            ("deployment", "created", None),
            ("deployment", "blocked", None),
            ("pipeline", "success", None),
        ] {
            let read = read(&body(kind, status, "main")).unwrap();
            let found = if let Message::Deploy(told) = &read { Some(told.step) } else { None };
            assert_eq!(found, step, "{kind} {status}");
        }
        for (name, version) in [("main", "279484c0"), ("v1.4.2", "v1.4.2"), ("2fast", "279484c0")] {
            let Message::Deploy(told) = read(&body("deployment", "success", name)).unwrap() else { panic!("{name}") };
            assert_eq!((told.version.as_str(), told.id.as_str(), told.at_ms), (version, "15", Some(1_796_029_200_000)));
        }
        let mut lacking = body("deployment", "success", "main");
        lacking.as_object_mut().unwrap().remove("environment");
        assert_eq!(read(&lacking).unwrap_err().message(), "the message has no `environment`");
    }
}
