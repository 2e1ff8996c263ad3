//! `muster checks list|show|history|ack|unack|forget|downtime`.

use serde_json::{Value, json};

use super::hosts::escape;
use super::{Printed, downtime};
use crate::arguments::{AckArguments, ChecksVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_positive_span, relative};

const PATH: &str = "/api/muster/v1/checks";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &ChecksVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let of = |host: &str, check: &str| format!("{PATH}/{}/{}", escape(host), escape(check));
    match verb {
        ChecksVerb::List { host, problems } => {
            let mut path = format!("{PATH}?problems={problems}");
            if let Some(host) = host {
                path.push_str(&format!("&host={}", escape(host)));
            }
            let answer = client.get(&path).await?;
            Ok(listed(&answer, *problems, now_ms, output))
        }
        ChecksVerb::Show { host, check } => {
            let answer = client.get(&of(host, check)).await?;
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows(&json!({"checks": [answer["check"]]}), now_ms, output).to_csv()),
                Output::Table | Output::Raw => shown(&answer["check"], now_ms),
            })
        }
        ChecksVerb::History { host, check, since, limit } => {
            let span_ms = parse_positive_span("--since", since)?;
            history(client, (host, check.as_deref()), (now_ms - span_ms, now_ms), *limit, output).await
        }
        ChecksVerb::Ack(ack) => {
            let answer = client.post_json(&format!("{}/ack", of(&ack.host, &ack.check)), &body(ack, now_ms)?).await?;
            Ok(changed(&answer, "is taken: nothing new is told of it until it is OK", now_ms, output))
        }
        ChecksVerb::Unack { host, check } => {
            let answer = client.delete(&format!("{}/ack", of(host, check))).await?;
            Ok(changed(&answer, "is nobody's again", now_ms, output))
        }
        ChecksVerb::Forget { host, check } => {
            let answer = client.delete(&of(host, check)).await?;
            Ok(changed(&answer, "is forgotten; its history stays", now_ms, output))
        }
        ChecksVerb::Downtime(verb) => downtime::run(client, verb, output, now_ms).await,
    }
}

fn body(ack: &AckArguments, now_ms: i64) -> Result<Value, Failure> {
    let until_ms = match &ack.span {
        Some(span) => Some(now_ms.saturating_add(parse_positive_span("--for", span)?)),
        None => None,
    };
    Ok(json!({"comment": ack.comment, "sticky": ack.sticky, "until_ms": until_ms}))
}

fn listed(answer: &Value, problems: bool, now_ms: i64, output: Output) -> Printed {
    let is_problem = array(answer, "checks").iter().any(is_open);
    let empty = match problems {
        true => "no check has a problem",
        false => "no checks yet: `[[checks]]` in agent.toml, `muster-agent exec` and `muster-agent push` make some",
    };
    let rows = rows(answer, now_ms, output);
    let mut printed = match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows.to_csv()),
        Output::Table | Output::Raw => Printed::text(rows.to_table(empty)),
    };
    printed.is_problem = is_problem;
    printed
}

/// A hard problem that nothing holds back.
fn is_open(check: &Value) -> bool {
    word(check, "hard_state") != "OK" && array(check, "holds").is_empty()
}

/// A check's row. CSV has exact times where the table has ages.
fn rows(answer: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&["HOST", "CHECK", "STATE", "SINCE", "SEEN", "OUTPUT", "NOTE"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => relative(at_ms, now_ms),
        (None, Output::Csv) => String::new(),
        (None, _) => "never".to_owned(),
    };
    for check in array(answer, "checks") {
        rows.rows.push(vec![
            word(check, "host").to_owned(),
            word(check, "check").to_owned(),
            state(check),
            time(&check["since_ms"]),
            time(&check["at_ms"]),
            word(check, "output").to_owned(),
            notes(check),
        ]);
    }
    if output != Output::Csv && rows.rows.iter().all(|row| row[6].is_empty()) {
        rows.headings.truncate(6);
        rows.rows.iter_mut().for_each(|row| row.truncate(6));
    }
    rows
}

/// `CRITICAL`, or while it is soft `CRITICAL 1/3`.
fn state(check: &Value) -> String {
    let state = word(check, "state");
    match (check["is_hard"].as_bool(), check["attempt"].as_u64(), check["max_attempts"].as_u64()) {
        (Some(false), Some(attempt), Some(max)) => format!("{state} {attempt}/{max}"),
        _ => state.to_owned(),
    }
}

fn notes(check: &Value) -> String {
    let mut notes: Vec<String> = array(check, "holds").iter().map(hold).collect();
    for (key, text) in [("is_stale", "stale"), ("is_flapping", "flapping")] {
        if check[key] == true && !notes.iter().any(|note| note.starts_with(text)) {
            notes.push(text.to_owned());
        }
    }
    notes.join(", ")
}

/// Why something is not told, and who says so.
pub(super) fn hold(hold: &Value) -> String {
    let why = word(hold, "why").replace('_', " ");
    let by = match word(hold, "by") {
        "" => String::new(),
        by => format!(" ({by})"),
    };
    let until = hold["until_ms"].as_i64().map(|at_ms| format!(" until {}", moment(at_ms)));
    format!("{why}{by}{}", until.unwrap_or_default())
}

fn shown(check: &Value, now_ms: i64) -> Printed {
    let mut text =
        format!("{} {} on {}: {}\n", state(check), word(check, "check"), word(check, "host"), word(check, "output"));
    for line in word(check, "long_output").lines() {
        text.push_str(&format!("  {line}\n"));
    }
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<10}{value}\n"));
        }
    };
    let time = |key: &str| check[key].as_i64().map(|at_ms| format!("{} ({})", moment(at_ms), relative(at_ms, now_ms)));
    say("since", time("since_ms").unwrap_or_default());
    say("seen", time("at_ms").unwrap_or_default());
    say("kind", word(check, "kind").to_owned());
    say("numbers", array(check, "perfdata").iter().map(number).collect::<Vec<_>>().join(", "));
    say("remedy", word(check, "remedy").to_owned());
    say("not told", notes(check));
    let ack = &check["acknowledgement"];
    if ack.is_object() {
        say("taken", format!("by {}: {}", word(ack, "by"), word(ack, "comment")));
    }
    Printed { text, is_problem: is_open(check), ..Printed::default() }
}

/// `/var 96% (warn 90, crit 95)`.
fn number(perfdata: &Value) -> String {
    let value = perfdata["value"].as_f64().map_or("unknown".to_owned(), |value| value.to_string());
    let limits: Vec<String> = ["warn", "crit"]
        .iter()
        .filter(|key| !word(perfdata, key).is_empty())
        .map(|key| format!("{key} {}", word(perfdata, key)))
        .collect();
    let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
    format!("{} {value}{}{limits}", word(perfdata, "label"), word(perfdata, "unit"))
}

/// Events of the check, from the streams that every change is written to.
async fn history(
    client: &Client,
    (host, check): (&str, Option<&str>),
    (from_ms, to_ms): (i64, i64),
    limit: u32,
    output: Output,
) -> Result<Printed, Failure> {
    let filter = match check {
        Some(check) => format!(" | check={check:?}"),
        None => " | check!=\"\"".to_owned(),
    };
    let form = [
        ("query", format!("{{source=\"muster\", host={host:?}}}{filter}")),
        ("start", format!("{}", from_ms.saturating_mul(1_000_000))),
        ("end", format!("{}", to_ms.saturating_add(1).saturating_mul(1_000_000))),
        ("limit", limit.to_string()),
        ("direction", "backward".to_owned()),
    ];
    let answer = client.post_form("/loki/api/v1/query_range", &form).await?;
    if output == Output::Json {
        return Ok(Printed::json(&answer));
    }
    let mut events: Vec<(i64, [String; 4])> = Vec::new();
    for stream in array(&answer["data"], "result") {
        for value in array(stream, "values") {
            let at_ns: i64 = value[0].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
            let label = |name: &str| word(&stream["stream"], name).to_owned();
            let text = value[1].as_str().unwrap_or("").to_owned();
            events.push((at_ns / 1_000_000, [label("check"), label("kind").replace('_', " "), label("by"), text]));
        }
    }
    events.sort();
    let mut rows = Rows::new(&["TIME", "CHECK", "WHAT", "BY", "TEXT"]);
    for (at_ms, cells) in events {
        let time = if output == Output::Csv { at_ms.to_string() } else { moment(at_ms) };
        rows.rows.push(std::iter::once(time).chain(cells).collect());
    }
    Ok(Printed::text(match output {
        Output::Csv => rows.to_csv(),
        _ => rows.to_table("nothing happened in this time: look further back with --since"),
    }))
}

fn changed(answer: &Value, done: &str, now_ms: i64, output: Output) -> Printed {
    let check = &answer["check"];
    match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows(&json!({"checks": [check]}), now_ms, output).to_csv()),
        Output::Table | Output::Raw => {
            Printed::text(format!("{} on {} {done}\n", word(check, "check"), word(check, "host")))
        }
    }
}

pub(super) fn word<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or("")
}

pub(super) fn array<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object[key].as_array().map_or(&[][..], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn answer() -> Value {
        json!({"checks": [
            {"host": "db1", "check": "disk", "kind": "native", "state": "CRITICAL", "hard_state": "CRITICAL", "is_hard": true,
             "attempt": 3, "max_attempts": 3, "since_ms": NOW - 600_000, "at_ms": NOW - 5_000,
             "output": "DISK CRITICAL - /var 96 % used", "long_output": "/var 96 %\n/ 40 %", "remedy": "grow it",
             "perfdata": [{"label": "/var", "value": 96.0, "unit": "%", "warn": "90", "crit": "95"}],
             "holds": [{"why": "acknowledged", "by": "ann", "until_ms": NOW}],
             "acknowledgement": {"by": "ann", "comment": "on it"}},
            {"host": "db1", "check": "load", "state": "WARNING", "hard_state": "OK", "is_hard": false, "attempt": 1,
             "max_attempts": 3, "since_ms": NOW - 60_000, "at_ms": null, "output": "high", "is_flapping": true},
        ]})
    }

    #[test]
    fn checks_stand_in_columns_with_what_holds_them() {
        let printed = listed(&answer(), false, NOW, Output::Table);
        assert!(!printed.is_problem, "what somebody has taken is no open problem");
        assert_eq!(
            printed.text,
            "\
HOST  CHECK  STATE        SINCE    SEEN    OUTPUT                          NOTE
db1   disk   CRITICAL     10m ago  5s ago  DISK CRITICAL - /var 96 % used  acknowledged (ann) until 2023-11-14 22:13:20 UTC
db1   load   WARNING 1/3  1m ago   never   high                            flapping
"
        );
        let csv = listed(&answer(), false, NOW, Output::Csv).text;
        assert!(csv.contains("db1,load,WARNING 1/3,1699999940000,,high,flapping\n"), "{csv}");
        let mut open = answer();
        open["checks"][0]["holds"] = json!([]);
        assert!(listed(&open, true, NOW, Output::Table).is_problem);
        assert_eq!(listed(&json!({"checks": []}), true, NOW, Output::Table).text, "no check has a problem\n");
    }

    #[test]
    fn one_check_is_shown_with_its_numbers_and_who_has_it() {
        let shown = shown(&answer()["checks"][0], NOW).text;
        for line in [
            "CRITICAL disk on db1: DISK CRITICAL - /var 96 % used\n  /var 96 %\n  / 40 %\n",
            "numbers   /var 96% (warn 90, crit 95)\n",
            "remedy    grow it\n",
            "taken     by ann: on it\n",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }

    #[test]
    fn an_acknowledgement_ends_when_it_is_told_to() {
        let ack = |span: Option<&str>| AckArguments {
            host: "db1".into(),
            check: "disk".into(),
            comment: "on it".into(),
            span: span.map(str::to_owned),
            sticky: true,
        };
        let told = body(&ack(Some("4h")), NOW).unwrap();
        assert_eq!(told, json!({"comment": "on it", "sticky": true, "until_ms": NOW + 14_400_000}));
        assert_eq!(body(&ack(None), NOW).unwrap()["until_ms"], Value::Null);
        assert_eq!(body(&ack(Some("soon")), NOW).unwrap_err().exit_code(), 2);
    }
}
