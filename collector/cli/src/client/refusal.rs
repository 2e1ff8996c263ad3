//! Answers that are none, in one line.

use hyper::header::HeaderMap;
use serde_json::Value;

use super::Client;
use crate::error::Failure;

impl Client {
    pub(super) fn no_answer(&self, why: &str) -> Failure {
        Failure::Unknown(format!(
            "no answer from {}: {why}; is muster-collector running there? name another place with --url",
            self.target
        ))
    }

    pub(super) fn refusal(&self, status: u16, told: Option<String>, bytes: &[u8]) -> Failure {
        let line = match (&told, status) {
            (_, 401) => {
                let said = told.as_deref().unwrap_or("not authorised");
                match (&self.token, &self.session) {
                    (Some(token), _) => format!("{said} (the token is from {})", token.from),
                    (None, Some(session)) => {
                        format!("{said} (of user {}): `muster login {}` logs in again", session.user, session.user)
                    }
                    // A login that failed has no use for a token.
                    (None, None) if said.contains("password") => said.to_owned(),
                    (None, None) => format!(
                        "{said}; there is no token: give --token or MUSTER_TOKEN, or run muster as a user who can read admin.token in the collector's data folder (--data DIR)"
                    ),
                }
            }
            (Some(said), _) => said.clone(),
            (None, _) => {
                let start: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
                format!(
                    "{} answered {status} with {start:?}: is that a muster-collector? name it with --url",
                    self.target
                )
            }
        };
        match status {
            // 404 is of a host or token when the collector says so in its own words.
            404 | 409 | 422 if told.is_some() => Failure::Refused(line),
            400 => Failure::Usage(line),
            _ => Failure::Unknown(line),
        }
    }
}

/// What an error says: its JSON's text, or its one line where it is plain text.
pub(super) fn said(json: Option<&Value>, is_text: bool, bytes: &[u8]) -> Option<String> {
    let line =
        || std::str::from_utf8(bytes).ok().map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
    json.and_then(told).or_else(|| is_text.then(line).flatten())
}

pub(super) fn is_text(headers: &HeaderMap) -> bool {
    headers.get("content-type").and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.starts_with("text/plain"))
}

/// One line of an error in either dialect: message, place, remedy.
fn told(json: &Value) -> Option<String> {
    if let Some(text) = json.get("error").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    problem(json.get("error")?)
}

/// One line of a problem: message, place, remedy.
pub(crate) fn problem(problem: &Value) -> Option<String> {
    let part = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = part("message")?;
    Some(match (part("where"), part("remedy")) {
        (None, None) => message.to_owned(),
        (Some(place), None) => format!("{message} ({place})"),
        (None, Some(remedy)) => format!("{message}: {remedy}"),
        (Some(place), Some(remedy)) => format!("{message} ({place}): {remedy}"),
    })
}

/// The cause at the bottom: "connection refused" says more than the layers above it.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::{Target, Trust};

    #[test]
    fn errors_of_both_dialects_become_one_line() {
        for (json, expect) in [
            (json!({"status": "error", "errorType": "bad_data", "error": "parse error"}), Some("parse error")),
            (
                json!({"error": {"code": "not_found", "message": "no host `x`", "where": "path", "remedy": "look"}}),
                Some("no host `x` (path): look"),
            ),
            (json!({"error": {"message": "no host `x`", "where": "", "remedy": "look"}}), Some("no host `x`: look")),
            (json!({"error": {"message": "m", "where": "w", "remedy": ""}}), Some("m (w)")),
            (json!({"x": 1}), None),
        ] {
            assert_eq!(told(&json).as_deref(), expect);
        }
    }

    #[test]
    fn the_status_decides_between_no_and_unknown() {
        let client = Client::new(Target::of_url("http://127.0.0.1:1", &Trust::default()).unwrap(), None);
        let told = json!({"error": "said"});
        for (status, json, expect) in [
            (400, Some(&told), 2),
            (401, Some(&told), 2),
            (403, Some(&told), 2),
            (404, Some(&told), 1),
            (404, None, 2),
            (409, Some(&told), 1),
            (422, Some(&told), 1),
            (503, Some(&told), 2),
        ] {
            let refusal = client.refusal(status, said(json, false, b"<html>"), b"<html>");
            assert_eq!(refusal.exit_code(), expect, "{status}");
        }
        let plain = client.refusal(400, said(None, true, b"parse error at line 1\n"), b"");
        assert_eq!(plain.to_string(), "parse error at line 1");
        let told = client.refusal(401, said(Some(&told), false, b""), b"").to_string();
        assert!(told.starts_with("said; there is no token: give --token or MUSTER_TOKEN"), "{told}");
        let told = client.refusal(200, None, b"<html>").to_string();
        assert_eq!(
            told,
            "http://127.0.0.1:1/ answered 200 with \"<html>\": is that a muster-collector? name it with --url"
        );
    }
}
