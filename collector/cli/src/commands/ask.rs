//! `muster ask TABLE`: what hosts have now, equal rows once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Printed;
use super::inventory::{cells, list, named, printed, tables, text};
use crate::arguments::{AskArguments, Output};
use crate::client::Client;
use crate::error::Failure;

const PATH: &str = "/api/muster/v1/ask";
/// The word in the place of a table that lists them.
const TABLES: &str = "tables";
/// Hosts that are named in a line; their number is told beside.
const NAMED_MAX: usize = 5;
/// Hosts that are named for one reason of missing.
const MISSING_MAX: usize = 20;

/// Exit code 0 when all hosts have answered, 1 when some are missing.
///
/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, asked: &AskArguments, output: Output) -> Result<Printed, Failure> {
    if asked.table == TABLES {
        let answer = client.get(&format!("{PATH}/tables")).await?;
        return Ok(printed(&answer, output, tables(&answer), "the collector knows no tables"));
    }
    let body = json!({
        "table": asked.table,
        "columns": asked.columns,
        "where": asked.conditions,
        "hosts": asked.hosts,
        "matchers": asked.matchers,
        "timeout": asked.timeout,
        "limit": asked.limit,
    });
    let answer = client.post_json(PATH, &body).await?;
    let mut shown = printed(&answer, output, rows(&answer, output), "no rows");
    shown.notes.extend(notes(&answer));
    shown.is_problem = answer["answered"] != answer["asked"];
    Ok(shown)
}

/// A line a row: how many hosts have it, its values, and the first of these hosts. In CSV all that are named.
fn rows(answer: &Value, output: Output) -> crate::table::Rows {
    let times: Vec<bool> = list(&answer["columns"]).iter().map(|column| column["kind"] == "time").collect();
    // Numbers stand at the right, which is no part of their names.
    let mark = if output == Output::Csv { "" } else { ">" };
    let mut names = vec![format!("{mark}hosts"), format!("{mark}count")];
    names.extend(named(&answer["columns"]));
    names.push("on".to_owned());
    let mut rows = crate::table::Rows::under_names(names);
    for row in list(&answer["rows"]) {
        let (on_hosts, hosts) = (row["on_hosts"].as_u64().unwrap_or(0), list(&row["hosts"]));
        let most = if output == Output::Csv { hosts.len() } else { NAMED_MAX };
        let mut on = hosts.iter().take(most).map(text).collect::<Vec<_>>().join(" ");
        let shown = u64::try_from(hosts.len().min(most)).unwrap_or(u64::MAX);
        if on_hosts > shown {
            on.push_str(&format!(" and {} more", on_hosts - shown));
        }
        let mut line = vec![on_hosts.to_string(), text(&row["count"])];
        line.extend(cells(&row["values"], &times, output));
        line.push(on);
        rows.rows.push(line);
    }
    rows
}

/// What the rows do not show, and last how many hosts have answered.
fn notes(answer: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    let number = |name: &str| answer[name].as_u64().unwrap_or(0);
    if number("left_out") > 0 {
        notes.push(format!("{} more different rows are left out: --limit shows them", number("left_out")));
    }
    if number("dropped") > 0 {
        notes.push(format!(
            "{} rows are beyond the bounds of an answer: ask with more conditions, or fewer columns",
            number("dropped")
        ));
    }
    // By reason, since of a hundred hosts most have the same.
    let mut missing: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for one in list(&answer["missing"]) {
        missing.entry((text(&one["why"]), text(&one["problem"]))).or_default().push(text(&one["host"]));
    }
    for ((why, problem), hosts) in missing {
        let mut named = hosts.iter().take(MISSING_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
        if hosts.len() > MISSING_MAX {
            named.push_str(&format!(" and {} more", hosts.len() - MISSING_MAX));
        }
        notes.push(format!("missing, {why}: {named}: {problem}"));
    }
    for one in list(&answer["notes"]) {
        notes.push(format!("{}: {}", text(&one["host"]), text(&one["problem"])));
    }
    notes.push(format!("{} of {} hosts answered", number("answered"), number("asked")));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        let hosts: Vec<String> = (1..=7).map(|number| format!("web-{number}")).collect();
        json!({
            "columns": [{"name": "name", "kind": "text"}, {"name": "started", "kind": "time"}],
            "rows": [
                {"values": ["nginx", 86_400], "count": 9, "on_hosts": 7, "hosts": hosts},
                {"values": ["cron", null], "count": 1, "on_hosts": 1, "hosts": ["web-1"]},
            ],
            "left_out": 3, "asked": 10, "answered": 8, "dropped": 2,
            "missing": [
                {"host": "db-1", "why": "silent", "problem": "it is not connected"},
                {"host": "db-2", "why": "silent", "problem": "it is not connected"},
            ],
            "notes": [{"host": "web-1", "problem": "/mnt is left out: it gives no answer"}],
        })
    }

    #[test]
    fn a_row_tells_how_many_hosts_have_it_and_names_some() {
        let lines = |output| rows(&answer(), output).rows.iter().map(|line| line.join("|")).collect::<Vec<_>>();
        let table = lines(Output::Table);
        assert_eq!(table[0], "7|9|nginx|1970-01-02 00:00:00 UTC|web-1 web-2 web-3 web-4 web-5 and 2 more");
        assert_eq!(table[1], "1|1|cron||web-1");
        assert_eq!(lines(Output::Csv)[0], "7|9|nginx|86400|web-1 web-2 web-3 web-4 web-5 web-6 web-7");
    }

    #[test]
    fn who_is_missing_is_named_by_reason_and_the_last_line_counts() {
        assert_eq!(
            notes(&answer()),
            [
                "3 more different rows are left out: --limit shows them",
                "2 rows are beyond the bounds of an answer: ask with more conditions, or fewer columns",
                "missing, silent: db-1, db-2: it is not connected",
                "web-1: /mnt is left out: it gives no answer",
                "8 of 10 hosts answered",
            ]
        );
    }
}
