//! `muster silence add|list|expire`, by Alertmanager's API.

use muster_common::matcher_text::{parts_of, read_matchers};
use muster_common::time::Timestamp;
use serde_json::{Value, json};

use super::Printed;
use super::checks::{array, word};
use super::hosts::escape;
use crate::arguments::{Output, SilenceAdd, SilenceVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{parse_moment, parse_positive_span};

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &SilenceVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        SilenceVerb::Add(add) => {
            let answer = client.post_json("/api/v2/silences", &body(add, now_ms)?).await?;
            Ok(match output {
                Output::Json => Printed::json(&answer),
                _ => Printed::text(format!("{}\n", word(&answer, "silenceID"))),
            })
        }
        SilenceVerb::List { all } => {
            let answer = client.get("/api/v2/silences").await?;
            let rows = rows(&answer, *all);
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows.to_csv()),
                Output::Table | Output::Raw => Printed::text(rows.to_table("nothing is silenced")),
            })
        }
        SilenceVerb::Expire { id } => {
            client.delete(&format!("/api/v2/silence/{}", escape(id))).await?;
            Ok(Printed::text(format!("silence {id} has ended\n")))
        }
    }
}

fn body(add: &SilenceAdd, now_ms: i64) -> Result<Value, Failure> {
    let starts_ms = match &add.from {
        Some(from) => parse_moment(from, now_ms)?,
        None => now_ms,
    };
    let ends_ms = starts_ms.saturating_add(parse_positive_span("--for", &add.span)?);
    let matchers = add.matchers.iter().map(|text| matcher(text)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "matchers": matchers, "startsAt": rfc3339(starts_ms), "endsAt": rfc3339(ends_ms),
        "createdBy": add.author, "comment": add.comment,
    }))
}

fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_| Timestamp::from_millis(millis).millis().to_string(), |time| time.to_string())
}

/// One matcher as Alertmanager's API has it.
fn matcher(text: &str) -> Result<Value, Failure> {
    let wrong = |what: String| {
        Failure::Usage(format!("`{text}`: {what}; write name=value, name!=value, name=~PATTERN or name!~PATTERN"))
    };
    let read = read_matchers(text).map_err(|error| wrong(error.to_string()))?;
    let [matcher] = read.as_slice() else { return Err(wrong("this is not one matcher".to_owned())) };
    let (operator, value) = parts_of(matcher);
    Ok(
        json!({"name": matcher.name, "value": value, "isRegex": operator.ends_with('~'), "isEqual": !operator.starts_with('!')}),
    )
}

fn rows(answer: &Value, all: bool) -> Rows {
    let mut rows = Rows::new(&["ID", "STATE", "FROM", "UNTIL", "MATCHERS", "BY", "COMMENT"]);
    for one in answer.as_array().map_or(&[][..], Vec::as_slice) {
        let state = word(&one["status"], "state");
        if !all && state == "expired" {
            continue;
        }
        let matchers = array(one, "matchers").iter().map(|matcher| {
            let operator = match (matcher["isRegex"] == true, matcher["isEqual"] != false) {
                (false, true) => "=",
                (false, false) => "!=",
                (true, true) => "=~",
                (true, false) => "!~",
            };
            format!("{}{operator}{:?}", word(matcher, "name"), word(matcher, "value"))
        });
        rows.rows.push(vec![
            word(one, "id").to_owned(),
            state.to_owned(),
            word(one, "startsAt").to_owned(),
            word(one, "endsAt").to_owned(),
            matchers.collect::<Vec<_>>().join(" "),
            word(one, "createdBy").to_owned(),
            word(one, "comment").to_owned(),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_in_all_four_forms() {
        for (text, name, value, regex, equal) in [
            ("a=b", "a", "b", false, true),
            ("a!=\"b c\"", "a", "b c", false, false),
            ("a=~b.*", "a", "b.*", true, true),
            ("a!~b=c", "a", "b=c", true, false),
            ("a=", "a", "", false, true),
        ] {
            let expect = json!({"name": name, "value": value, "isRegex": regex, "isEqual": equal});
            assert_eq!(matcher(text).unwrap(), expect, "{text}");
        }
        for text in ["", "a", "=b", "a!b", "~b"] {
            assert_eq!(matcher(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn a_silence_is_asked_for_in_alertmanagers_form_and_listed_while_it_is_on() {
        let add = SilenceAdd {
            matchers: vec!["alertname=Disk".into()],
            comment: "moving".into(),
            span: "2h".into(),
            from: Some("2024-01-01T00:00:00Z".into()),
            author: "ann".into(),
        };
        let body = body(&add, 0).unwrap();
        assert_eq!((word(&body, "startsAt"), word(&body, "endsAt")), ("2024-01-01T00:00:00Z", "2024-01-01T02:00:00Z"));
        let mut on = body.clone();
        (on["id"], on["status"]) = ("5f".into(), json!({"state": "active"}));
        let mut over = on.clone();
        over["status"]["state"] = "expired".into();
        let shown = rows(&json!([on, over]), false);
        assert_eq!(shown.rows.len(), 1);
        assert_eq!(shown.rows[0][4], "alertname=\"Disk\"");
        assert_eq!(rows(&json!([on, over]), true).rows.len(), 2);
    }
}
