//! `muster changes`: what changed on hosts, newest last; before an alert, the likeliest reason first.

use serde_json::{Value, json};

use super::hosts::escape;
use super::inventory::text;
use super::{Printed, announcements};
use crate::arguments::{ChangesArguments, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_moment};

const PATH: &str = "/api/muster/v1/changes";
/// Changes of one answer.
const PAGE: usize = 1_000;

/// # Errors
/// [`Failure`] in the collector's words, or when a time is none.
pub async fn run(client: &Client, asked: &ChangesArguments, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    if let Some(verb) = &asked.verb {
        return announcements::run(client, verb, output, now_ms).await;
    }
    if let Some(alert) = &asked.alert {
        return before(client, alert, asked, output).await;
    }
    let since = parse_moment(asked.since.as_deref().unwrap_or("24h"), now_ms)?;
    let mut query = format!("&from={since}");
    if let Some(until) = &asked.until {
        query.push_str(&format!("&to={}", parse_moment(until, now_ms)?));
    }
    if asked.unannounced {
        query.push_str("&announced=false");
    }
    let hosts = asked.hosts.iter().map(|host| ("host", host));
    let texts = [("table", &asked.table), ("text", &asked.text)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    for (name, value) in hosts.chain(texts) {
        query.push_str(&format!("&{name}={}", escape(value)));
    }
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let (mut all, mut place): (Vec<Value>, Option<String>) = (Vec::new(), None);
    let is_more = loop {
        let before = place.as_ref().map(|place| format!("&before={place}")).unwrap_or_default();
        let mut answer = client.get(&format!("{PATH}?limit={PAGE}{query}{before}")).await?;
        if let Value::Array(changes) = answer["changes"].take() {
            all.extend(changes.into_iter().filter(|change| asked.all || change["is_news"] != false));
        }
        place = answer["next"].as_str().map(str::to_owned);
        if place.is_none() || all.len() > limit {
            break all.len() > limit;
        }
    };
    all.truncate(limit);
    all.reverse();
    let mut printed = match output {
        Output::Json => Printed::json(&json!({"version": 1, "changes": all})),
        Output::Csv => Printed::text(rows(&all, output).to_csv()),
        Output::Table | Output::Raw => Printed::text(rows(&all, output).to_table("nothing changed")),
    };
    if is_more {
        printed.notes.push(format!("these are the newest {limit}, and there are more: --limit shows them"));
    }
    Ok(printed)
}

/// What may be behind an alert.
async fn before(client: &Client, alert: &str, asked: &ChangesArguments, output: Output) -> Result<Printed, Failure> {
    // All of them are asked for, since states among them are not shown unless they are wanted.
    let mut answer = client.get(&format!("/api/muster/v1/alerts/{}/changes?limit={PAGE}", escape(alert))).await?;
    if let Value::Array(suspects) = &mut answer["suspects"] {
        suspects.retain(|one| asked.all || one["change"]["is_news"] != false);
        suspects.truncate(usize::try_from(asked.limit).unwrap_or(usize::MAX));
    }
    let mut printed = match output {
        Output::Json => return Ok(Printed::json(&answer)),
        Output::Csv => Printed::text(suspects(&answer, output).to_csv()),
        Output::Table | Output::Raw => {
            Printed::text(suspects(&answer, output).to_table("nothing changed in the 24 hours before it"))
        }
    };
    for one in answer["suspects"].as_array().into_iter().flatten().filter(|one| one["page"].is_string()) {
        printed.notes.push(format!("{}: see {}", text(&one["change"]["words"]), text(&one["page"])));
    }
    let contrast = text(&answer["contrast"]["words"]);
    printed.notes.extend([contrast, text(&answer["note"])].into_iter().filter(|words| !words.is_empty()));
    if answer["is_partial"] == true {
        printed.notes.push("more hosts or changes were there than are looked at".to_owned());
    }
    Ok(printed)
}

fn suspects(answer: &Value, output: Output) -> Rows {
    let mut rows = if output == Output::Csv {
        Rows::new(&["SCORE", "AFTER", "UNTIL", "HOSTS", "TABLE", "KIND", "WHAT", "WHY", "PAGE"])
    } else {
        Rows::new(&["SCORE", "HOST", "WHAT", "WHY"])
    };
    for one in answer["suspects"].as_array().into_iter().flatten() {
        let hosts: Vec<&str> = one["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let score = format!("{:.3}", one["score"].as_f64().unwrap_or(0.0));
        let change = &one["change"];
        let [table, kind, words, why] = [&change["table"], &change["kind"], &change["words"], &one["why"]].map(text);
        rows.rows.push(if output == Output::Csv {
            let [after, until, page] = [&change["after_ms"], &change["until_ms"], &one["page"]].map(text);
            vec![score, after, until, hosts.join(" "), table, kind, words, why, page]
        } else {
            let host = match hosts.as_slice() {
                [] => String::new(),
                [only] => (*only).to_owned(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            };
            vec![score, host, words, why]
        });
    }
    rows
}

/// A change happened between two looks: people are shown when it was seen, CSV has both.
fn rows(all: &[Value], output: Output) -> Rows {
    let mut rows = if output == Output::Csv {
        Rows::new(&["AFTER", "UNTIL", "HOST", "TABLE", "KIND", "WHAT", "ANNOUNCED"])
    } else {
        Rows::new(&["SEEN", "HOST", "TABLE", "WHAT", "ANNOUNCED"])
    };
    for change in all {
        let announced = announced(&change["announced"]);
        let [host, table, kind, words] = ["host", "table", "kind", "words"].map(|key| text(&change[key]));
        rows.rows.push(if output == Output::Csv {
            vec![text(&change["after_ms"]), text(&change["until_ms"]), host, table, kind, words, announced]
        } else {
            vec![moment(change["until_ms"].as_i64().unwrap_or(0)), host, table, words, announced]
        });
    }
    rows
}

/// Why and by whom; nothing where nobody did.
fn announced(by: &Value) -> String {
    match (text(&by["reason"]), text(&by["by"])) {
        (_, by) if by.is_empty() => String::new(),
        (reason, by) => format!("{reason} ({by})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspects_are_told_with_their_reasons() {
        let change = json!({"table": "packages", "kind": "changed", "words": "package nginx 1 -> 2", "after_ms": 1, "until_ms": 2});
        let one = json!({"change": change, "hosts": ["web1", "web2"], "score": 0.1266, "why": "4 min before"});
        let answer = json!({"suspects": [one]});
        let line = |output| suspects(&answer, output).rows[0].join("|");
        assert_eq!(line(Output::Table), "0.127|web1 and 1 more|package nginx 1 -> 2|4 min before");
        assert_eq!(line(Output::Csv), "0.127|1|2|web1 web2|packages|changed|package nginx 1 -> 2|4 min before|");
        let change = json!({"table": "deploys", "kind": "deploy", "words": "deploy 7 of shop 8 to p began", "after_ms": 1, "until_ms": 2});
        let one = json!({"change": change, "deploy": 7, "page": "/deploys?service=shop", "hosts": ["web1"], "score": 0.9, "why": "4 min before"});
        let told = suspects(&json!({"suspects": [one]}), Output::Csv).rows[0].join("|");
        assert_eq!(
            told,
            "0.900|1|2|web1|deploys|deploy|deploy 7 of shop 8 to p began|4 min before|/deploys?service=shop"
        );
        assert!(suspects(&json!({}), Output::Table).rows.is_empty());
    }

    #[test]
    fn people_see_when_and_programs_between_when() {
        let one = json!({"host": "db1", "table": "users", "kind": "added", "words": "user eve is new", "after_ms": 0, "until_ms": 60_000,
            "announced": {"kind": "downtime", "id": 3, "reason": "a colleague", "by": "user:ann"}});
        let line = |output| rows(std::slice::from_ref(&one), output).rows[0].join("|");
        assert_eq!(line(Output::Table), "1970-01-01 00:01:00 UTC|db1|users|user eve is new|a colleague (user:ann)");
        assert_eq!(line(Output::Csv), "0|60000|db1|users|added|user eve is new|a colleague (user:ann)");
        assert_eq!(announced(&Value::Null), "");
    }
}
