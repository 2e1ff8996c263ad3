//! `muster mail queue|preview|test`.

use serde_json::{Value, json};

use super::Printed;
use super::checks::{array, word};
use super::hosts::escape;
use crate::arguments::{MailVerb, Output, PreviewForm};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::relative;

const PATH: &str = "/api/muster/v1/mail";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &MailVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        MailVerb::Queue => {
            let answer = client.get(PATH).await?;
            let rows = rows(&answer, now_ms, output);
            let mut printed = match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows.to_csv()),
                Output::Table | Output::Raw => Printed::text(rows.to_table("nothing waits to be sent")),
            };
            printed.is_problem = array(&answer, "rows").iter().any(|row| word(row, "state") == "dead");
            Ok(printed)
        }
        MailVerb::Preview { alert, form } => {
            let answer = client.get(&format!("{PATH}/preview?alert={}", escape(alert))).await?;
            let part = match form {
                PreviewForm::Text => "text",
                PreviewForm::Html => "html",
                PreviewForm::Eml => "eml",
            };
            Ok(match output {
                Output::Json => Printed::json(&answer),
                _ => Printed::text(word(&answer, part)),
            })
        }
        MailVerb::Test { receiver } => {
            let answer = client.post_json(&format!("{PATH}/test"), &json!({"receiver": receiver})).await?;
            Ok(tested(&answer, output))
        }
    }
}

fn rows(answer: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&[">NOTICE", "STATE", "RECEIVER", "TO", ">TRIES", "NEXT", "SUBJECT", "PROBLEM"]);
    for row in array(answer, "rows") {
        let next = match (row["next_ms"].as_i64(), output) {
            (Some(at_ms), Output::Csv) => at_ms.to_string(),
            (Some(at_ms), _) => relative(at_ms, now_ms),
            (None, _) => String::new(),
        };
        rows.rows.push(vec![
            row["notice"].to_string(),
            word(row, "state").to_owned(),
            word(row, "receiver").to_owned(),
            word(row, "recipient").to_owned(),
            row["attempts"].to_string(),
            next,
            word(row, "subject").to_owned(),
            word(row, "problem").to_owned(),
        ]);
    }
    rows
}

fn tested(answer: &Value, output: Output) -> Printed {
    let sent = array(answer, "sent");
    let is_problem = sent.iter().any(|one| one["accepted"] != true);
    let lines = sent.iter().map(|one| format!("{}: {}\n", word(one, "recipient"), word(one, "answer")));
    match output {
        Output::Json => Printed { is_problem, ..Printed::json(answer) },
        _ => Printed { text: lines.collect(), is_problem, ..Printed::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_and_a_test_say_what_the_server_said() {
        let now = 1_700_000_000_000_i64;
        let answer = json!({"rows": [{"notice": 7, "state": "deferred", "receiver": "ops", "recipient": "a@example.org",
            "attempts": 2, "next_ms": now + 60_000, "subject": "db1: disk", "problem": "450 try later"}]});
        assert_eq!(
            rows(&answer, now, Output::Table).to_table(""),
            "\
NOTICE  STATE     RECEIVER  TO             TRIES  NEXT   SUBJECT    PROBLEM
     7  deferred  ops       a@example.org      2  in 1m  db1: disk  450 try later
"
        );
        let answer = json!({"sent": [{"recipient": "a@example.org", "accepted": false, "answer": "550 no such user"}]});
        let told = tested(&answer, Output::Table);
        assert_eq!((told.text.as_str(), told.is_problem), ("a@example.org: 550 no such user\n", true));
    }
}
