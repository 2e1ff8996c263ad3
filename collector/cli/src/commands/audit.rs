//! `muster audit list|verify`.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use crate::arguments::{AuditVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::{Rows, plain};
use crate::time::{moment, parse_moment};

const PATH: &str = "/api/muster/v1/audit";
/// Rows of one answer.
const PAGE: usize = 1_000;
/// Rows that are shown when nobody says how many.
const SHOWN: usize = 200;

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &AuditVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        AuditVerb::List { since, until, by, action, object, result, limit } => {
            let at = |text: &Option<String>| text.as_ref().map(|text| parse_moment(text, now_ms)).transpose();
            let numbers = [("from_ms", at(since)?), ("to_ms", at(until)?)];
            let texts = [("by", by), ("action", action), ("object", object), ("result", result)];
            let asked = asked(&numbers, &texts);
            let otherwise = if since.is_some() { usize::MAX } else { SHOWN };
            let limit = limit.map_or(otherwise, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
            let all = list(client, &asked, limit).await?;
            Ok(match output {
                Output::Json => Printed::json(&json!({"version": 1, "rows": all})),
                Output::Csv => Printed::text(rows(&all, output).to_csv()),
                Output::Table | Output::Raw => Printed::text(rows(&all, output).to_table("no such rows")),
            })
        }
        AuditVerb::Verify { head } => {
            let noted = head.as_ref().map(|head| format!("?head={}", escape(head))).unwrap_or_default();
            let answer = client.get(&format!("{PATH}/verify{noted}")).await?;
            let printed = match output {
                Output::Json => Printed::json(&answer),
                Output::Table | Output::Raw | Output::Csv => Printed::text(verdict(&answer)),
            };
            Ok(Printed { is_problem: answer["ok"] != true, ..printed })
        }
    }
}

/// The parameters of what is asked for, each behind an `&`.
fn asked(numbers: &[(&str, Option<i64>)], texts: &[(&str, &Option<String>)]) -> String {
    let numbers = numbers.iter().filter_map(|(name, number)| Some(format!("&{name}={}", (*number)?)));
    let texts = texts.iter().filter_map(|(name, text)| Some(format!("&{name}={}", escape(text.as_ref()?))));
    numbers.chain(texts).collect()
}

/// The newest rows that match, the oldest first.
async fn list(client: &Client, asked: &str, limit: usize) -> Result<Vec<Value>, Failure> {
    let (mut all, mut before): (Vec<Value>, Option<u64>) = (Vec::new(), None);
    while all.len() < limit {
        let page = PAGE.min(limit - all.len());
        let after = before.map(|seq| format!("&before={seq}")).unwrap_or_default();
        let mut answer = client.get(&format!("{PATH}?limit={page}{asked}{after}")).await?;
        if let Value::Array(rows) = answer["rows"].take() {
            all.extend(rows);
        }
        before = answer["next"].as_u64();
        if before.is_none() {
            break;
        }
    }
    all.reverse();
    Ok(all)
}

fn rows(all: &[Value], output: Output) -> Rows {
    let mut rows = Rows::new(&[">SEQ", "TIME", "BY", "SOURCE", "ACTION", "OBJECT", "RESULT", "TEXT"]);
    if output == Output::Csv {
        rows.headings.extend(["PREV".to_owned(), "HASH".to_owned()]);
    }
    for row in all {
        let text = |key: &str| plain(row[key].as_str().unwrap_or(""));
        let at_ms = row["ms"].as_i64().unwrap_or(0);
        let at = if output == Output::Csv { at_ms.to_string() } else { moment(at_ms) };
        let mut cells = vec![row["seq"].to_string(), at];
        cells.extend(["by", "source", "action", "object", "result", "text"].map(text));
        if output == Output::Csv {
            cells.extend(["prev", "hash"].map(text));
        }
        rows.rows.push(cells);
    }
    rows
}

fn verdict(answer: &Value) -> String {
    let number = |key: &str| answer[key].as_u64();
    if answer["ok"] != true {
        let why = answer["why"].as_str().unwrap_or("");
        return match number("broken_seq") {
            Some(seq) => format!("broken at row {seq}: {why}\n"),
            None => format!("broken: {why}\n"),
        };
    }
    let (rows, first, last) = (number("rows").unwrap_or(0), number("first_seq"), number("head_seq"));
    let range = match (first, last) {
        (Some(first), Some(last)) if rows > 0 => format!(" ({first} to {last})"),
        _ => String::new(),
    };
    let noted = number("noted_seq").map(|seq| format!("; the noted hash is that of row {seq}")).unwrap_or_default();
    let head = answer["head"].as_str().unwrap_or("");
    format!("ok: {rows} rows{range}, each follows from the one before{noted}. Note the head elsewhere:\n{head}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_the_row_or_ends_with_the_head() {
        let ok = json!({"ok": true, "rows": 3, "first_seq": 5, "head_seq": 7, "head": "abcd", "noted_seq": 6});
        assert_eq!(
            verdict(&ok),
            "ok: 3 rows (5 to 7), each follows from the one before; the noted hash is that of row 6. Note the head elsewhere:\nabcd\n"
        );
        assert_eq!(verdict(&json!({"ok": false, "broken_seq": 6, "why": "w"})), "broken at row 6: w\n");
        assert_eq!(verdict(&json!({"ok": false, "broken_seq": null, "why": "w"})), "broken: w\n");
    }

    #[test]
    fn only_what_is_given_is_asked_for() {
        let (some, none) = (Some("a b&c".to_owned()), None);
        assert_eq!(
            asked(&[("from_ms", Some(-5)), ("to_ms", None)], &[("object", &some), ("by", &none)]),
            "&from_ms=-5&object=a%20b%26c"
        );
        assert_eq!(asked(&[], &[]), "");
    }

    #[test]
    fn what_strangers_sent_does_nothing_to_the_terminal() {
        let row = json!({"seq": 1, "ms": 0, "by": "anybody", "source": "192.0.2.1", "action": "login_failed",
            "object": "x", "result": "refused", "text": "a\u{1b}[2Jb\u{202e}c", "prev": "00", "hash": "ff"});
        assert_eq!(
            rows(std::slice::from_ref(&row), Output::Table).to_table(""),
            "\
SEQ  TIME                     BY       SOURCE     ACTION        OBJECT  RESULT   TEXT
  1  1970-01-01 00:00:00 UTC  anybody  192.0.2.1  login_failed  x       refused  a\\u{1b}[2Jb\\u{202e}c
"
        );
        assert!(
            rows(&[row], Output::Csv)
                .to_csv()
                .starts_with("seq,time,by,source,action,object,result,text,prev,hash\n1,0,")
        );
    }
}
