//! `muster token new|list|revoke`.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use crate::arguments::{NewToken, Output, TokenVerb};
use crate::client::{Client, problem};
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, relative};

const PATH: &str = "/api/muster/v1/tokens";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &TokenVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        TokenVerb::New(new) => {
            let answer = client.post_json(PATH, &request(new)).await?;
            if new.command {
                let printed = command(&answer);
                if printed.is_problem {
                    // Nobody has its word.
                    let id = answer["token"]["id"].as_str().unwrap_or("");
                    client.delete(&format!("{PATH}/{}", escape(id))).await?;
                }
                return Ok(printed);
            }
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Table | Output::Raw => {
                    let notes = no_command(&answer).into_iter().collect();
                    Printed { notes, ..Printed::text(made(&answer)) }
                }
                Output::Csv => Printed::text(format!("{}\n", answer["token"]["word"].as_str().unwrap_or(""))),
            })
        }
        TokenVerb::List => {
            let answer = client.get(PATH).await?;
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Table | Output::Raw => {
                    Printed::text(rows(&answer, now_ms, output).to_table("no tokens: `muster token new` makes one"))
                }
                Output::Csv => Printed::text(rows(&answer, now_ms, output).to_csv()),
            })
        }
        TokenVerb::Revoke { id } => {
            let answer = client.delete(&format!("{PATH}/{}", escape(id))).await?;
            Ok(revoked(&answer, id, output))
        }
    }
}

fn revoked(answer: &Value, id: &str, output: Output) -> Printed {
    match output {
        Output::Json => Printed::json(answer),
        Output::Table | Output::Raw => Printed::text(format!("token {id} is revoked\n")),
        Output::Csv => {
            let mut rows = Rows::new(&["ID", "STATE"]);
            rows.rows.push(vec![id.to_owned(), "revoked".to_owned()]);
            Printed::text(rows.to_csv())
        }
    }
}

/// The body of the request for a new token.
fn request(new: &NewToken) -> Value {
    if !new.scope.is_empty() {
        return json!({"kind": "http", "scopes": new.scope, "ttl": new.ttl});
    }
    let labels: serde_json::Map<String, Value> =
        new.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    json!({
        "kind": "enrolment",
        "name": new.name,
        "pattern": new.pattern,
        "ttl": new.ttl,
        "uses": new.uses,
        "labels": labels,
        "replace": new.replace,
        "ephemeral": new.ephemeral,
    })
}

/// What to run next; the word alone on the last line, so that scripts can take it from there.
fn made(answer: &Value) -> String {
    let token = &answer["token"];
    let text = |key: &str| token[key].as_str().unwrap_or("");
    let end = token["expires_ms"].as_i64().map_or("it is revoked".to_owned(), moment);
    let id = text("id");
    if text("kind") == "http" {
        let scopes: Vec<&str> = token["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        return format!(
            "\
Token {id} for the HTTP API, scope {}, good until {end}.
Send it as `Authorization: Bearer WORD`, or give it to muster as MUSTER_TOKEN. It is not shown again:

{}
",
            scopes.join(", "),
            text("word")
        );
    }
    let (whom, name) = match (token["name"].as_str(), token["pattern"].as_str()) {
        (Some(name), _) => (format!("host {name}"), format!(" --name {name}")),
        (None, pattern) => (format!("hosts named {}", pattern.unwrap_or("*")), " --name NAME".to_owned()),
    };
    let uses = match token["uses"].as_u64() {
        None | Some(1) => "once".to_owned(),
        Some(uses) => format!("{uses} times"),
    };
    if let Some(command) = answer["install"]["command"].as_str() {
        return format!(
            "\
Token {id} for {whom}, good {uses} until {end}. On the host run as root

    {command}

which installs the agent and enrols the host; it knows this collector by its CA and the pin of its key, and the installer by its hash.
The word, which is not shown again:

{}
",
            text("word")
        );
    }
    let port = answer["agents_port"].as_u64().unwrap_or(9471);
    format!(
        "\
Token {id} for {whom}, good {uses} until {end}. On the host run

    muster-agent enrol --collector THIS-COLLECTOR:{port} --token WORD{name}
    muster-agent run

with this collector's address and this word, which is not shown again:

{}
",
        text("word")
    )
}

/// The command alone, or why there is none.
fn command(answer: &Value) -> Printed {
    if let Some(command) = answer["install"]["command"].as_str() {
        return Printed::text(format!("{command}\n"));
    }
    let why = no_command(answer).unwrap_or_else(|| {
        "no command that installs the agent: the collector has no packages to serve: install muster-agent-packages beside it".to_owned()
    });
    Printed { notes: vec![why], is_problem: true, ..Printed::default() }
}

/// Why a collector that has packages gives no command for the host.
fn no_command(answer: &Value) -> Option<String> {
    problem(&answer["install"]["problem"]).map(|why| format!("no command that installs the agent: {why}"))
}

fn rows(answer: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "KIND", "FOR", ">USES LEFT", "ENDS", "MADE", "STATE"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => relative(at_ms, now_ms),
        (None, Output::Csv) => String::new(),
        (None, _) => "never".to_owned(),
    };
    for token in answer["tokens"].as_array().into_iter().flatten() {
        let text = |key: &str| token[key].as_str().unwrap_or("").to_owned();
        let purpose = match text("kind").as_str() {
            "http" => {
                token["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            _ => token["name"].as_str().or(token["pattern"].as_str()).unwrap_or("").to_owned(),
        };
        let left = token["uses_left"].as_u64();
        let state = if token["revoked_ms"].is_i64() {
            "revoked"
        } else if token["expires_ms"].as_i64().is_some_and(|end_ms| end_ms <= now_ms) {
            "expired"
        } else if left == Some(0) {
            "used up"
        } else {
            "good"
        };
        let left = left.map_or(String::new(), |left| left.to_string());
        rows.rows.push(vec![
            text("id"),
            text("kind"),
            purpose,
            left,
            time(&token["expires_ms"]),
            time(&token["made_ms"]),
            state.to_owned(),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Noun};

    const NOW: i64 = 1_700_000_000_000;

    fn new(words: &str) -> Result<NewToken, String> {
        let words = std::iter::once("muster").chain(words.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.noun {
            Noun::Token(TokenVerb::New(new)) => Ok(new),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_flag_reaches_the_collector() {
        let all = new(
            "token new --pattern web-* --ttl 2h --uses 5 --label env=prod --label role=web --replace --ephemeral 6h",
        );
        assert_eq!(
            request(&all.unwrap()),
            json!({"kind": "enrolment", "name": null, "pattern": "web-*", "ttl": "2h", "uses": 5,
                   "labels": {"env": "prod", "role": "web"}, "replace": true, "ephemeral": "6h"})
        );
        assert_eq!(
            request(&new("token new --scope read --scope ingest --ttl 30d").unwrap()),
            json!({"kind": "http", "scopes": ["read", "ingest"], "ttl": "30d"})
        );
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for words in [
            "token new",
            "token new --name a --pattern b",
            "token new --scope read --name a",
            "token new --name a --label x",
        ] {
            assert!(new(words).is_err(), "{words}");
        }
    }

    #[test]
    fn a_new_token_tells_what_to_run_and_ends_with_the_word() {
        let answer = json!({"version": 1, "agents_port": 9471, "token":
            {"kind": "enrolment", "id": "ab12", "word": "ab12.secret.pin", "name": "web-1", "pattern": null, "uses": 1, "expires_ms": NOW}});
        assert_eq!(
            made(&answer),
            "\
Token ab12 for host web-1, good once until 2023-11-14 22:13:20 UTC. On the host run

    muster-agent enrol --collector THIS-COLLECTOR:9471 --token WORD --name web-1
    muster-agent run

with this collector's address and this word, which is not shown again:

ab12.secret.pin
"
        );
        let answer =
            json!({"token": {"kind": "http", "id": "cd34", "word": "cd34.x", "scopes": ["read"], "expires_ms": NOW}});
        assert!(
            made(&answer).starts_with("Token cd34 for the HTTP API, scope read, good until 2023-11-14 22:13:20 UTC.\n")
        );
        assert_eq!(made(&answer).lines().last(), Some("cd34.x"));
    }

    #[test]
    fn where_the_collector_serves_packages_there_is_one_command_and_else_it_says_why_not() {
        let mut answer = json!({"version": 1, "agents_port": 9471, "install": {"command": "sh -c 'set -eu'"}, "token":
            {"kind": "enrolment", "id": "ab12", "word": "ab12.secret.pin", "name": "web-1", "uses": 1, "expires_ms": NOW}});
        let text = made(&answer);
        assert!(text.contains("On the host run as root\n\n    sh -c 'set -eu'\n\n"), "{text}");
        assert_eq!(text.lines().last(), Some("ab12.secret.pin"));
        assert_eq!(no_command(&answer), None);
        assert_eq!(command(&answer), Printed::text("sh -c 'set -eu'\n"));
        answer["install"] =
            json!({"problem": {"message": "HTTP is on 127.0.0.1 only", "where": "", "remedy": "set http.listen"}});
        let none = command(&answer);
        assert!(none.is_problem && none.text.is_empty() && none.notes[0].contains("set http.listen"), "{none:?}");
        let none = command(&json!({"token": {}}));
        assert!(none.is_problem && none.notes[0].contains("muster-agent-packages"), "{none:?}");
        assert!(made(&answer).contains("muster-agent enrol --collector THIS-COLLECTOR:9471"));
        assert_eq!(
            no_command(&answer).as_deref(),
            Some("no command that installs the agent: HTTP is on 127.0.0.1 only: set http.listen")
        );
    }

    #[test]
    fn a_revoked_token_is_a_sentence_or_a_row() {
        assert_eq!(revoked(&json!({}), "ab12", Output::Table).text, "token ab12 is revoked\n");
        assert_eq!(revoked(&json!({}), "ab12", Output::Csv).text, "id,state\nab12,revoked\n");
    }

    #[test]
    fn tokens_stand_in_aligned_columns() {
        let answer = json!({"tokens": [
            {"kind": "enrolment", "id": "ab12", "name": "web-1", "uses": 1, "uses_left": 0, "expires_ms": NOW + 600_000, "made_ms": NOW - 5_000},
            {"kind": "http", "id": "cd34", "scopes": ["read", "ingest"], "expires_ms": null, "made_ms": NOW - 90_000_000},
        ]});
        assert_eq!(
            rows(&answer, NOW, Output::Table).to_table(""),
            "\
ID    KIND       FOR          USES LEFT  ENDS    MADE      STATE
ab12  enrolment  web-1                0  in 10m  5s ago    used up
cd34  http       read ingest             never   1d1h ago  good
"
        );
    }
}
