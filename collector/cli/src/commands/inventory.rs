//! `muster inventory tables|show|query|diff`; [`super::drift`] and [`super::baselines`] have the rest.

use serde_json::Value;

use super::hosts::escape;
use super::{Printed, baselines};
use crate::arguments::{InventoryVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_moment, relative};

const PATH: &str = "/api/muster/v1/inventory";

/// # Errors
/// [`Failure`] in the collector's words, or when a time is none.
pub async fn run(client: &Client, verb: &InventoryVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let when = |at: &Option<String>| at.as_ref().map(|at| parse_moment(at, now_ms)).transpose();
    match verb {
        InventoryVerb::Tables => {
            let answer = client.get(&format!("{PATH}/tables")).await?;
            Ok(printed(&answer, output, tables(&answer), "the collector knows no tables"))
        }
        InventoryVerb::Show { host, table: None, at } => {
            if at.is_some() {
                return Err(Failure::Usage("--at is of the rows of a table: name one".to_owned()));
            }
            let answer = client.get(&format!("/api/muster/v1/hosts/{}/inventory", escape(host))).await?;
            let empty = answer["note"].as_str().unwrap_or("nothing is known").to_owned();
            Ok(printed(&answer, output, known(&answer, output, now_ms), &empty))
        }
        InventoryVerb::Show { host, table: Some(table), at } => {
            let at = when(at)?.map(|at_ms| format!("?at={at_ms}")).unwrap_or_default();
            let path = format!("/api/muster/v1/hosts/{}/inventory/{}{at}", escape(host), escape(table));
            let answer = client.get(&path).await?;
            let names = named(&answer["columns"]);
            let kinds: Vec<bool> = list(&answer["columns"]).iter().map(|column| column["kind"] == "time").collect();
            let rows = list(&answer["rows"]).iter().map(|row| cells(row, &kinds, output)).collect();
            Ok(printed(&answer, output, with_rows(names, rows), "the table is empty"))
        }
        InventoryVerb::Drift(asked) => super::drift::run(client, asked, output).await,
        InventoryVerb::Pin(asked) => baselines::pin(client, asked, output).await,
        InventoryVerb::Unpin { name } => baselines::unpin(client, name, output).await,
        InventoryVerb::Baselines => baselines::list(client, output, now_ms).await,
        InventoryVerb::Query { sql, at } => query(client, sql, when(at)?, output).await,
        InventoryVerb::Diff { host, other, since, at, table } => {
            let at = when(at)?;
            // The earlier moment first, so that what is new stands on the right.
            let (one, other, one_at) = match other {
                Some(other) => (host, other, at),
                None => (host, host, when(since)?),
            };
            let mut query = format!("one={}&other={}", escape(one), escape(other));
            let times = [("one_at", one_at), ("other_at", at)];
            for (name, time) in times.into_iter().filter_map(|(name, time)| Some((name, time?))) {
                query.push_str(&format!("&{name}={time}"));
            }
            if let Some(table) = table {
                query.push_str(&format!("&table={}", escape(table)));
            }
            let answer = client.get(&format!("{PATH}/compare?{query}")).await?;
            let mut printed = printed(&answer, output, differences(&answer), "both have the same");
            let unknown: Vec<&str> = list(&answer["tables"])
                .iter()
                .filter(|one| one["known"] == false)
                .filter_map(|one| one["table"].as_str())
                .collect();
            if !unknown.is_empty() {
                printed.notes.push(format!("not known on one of the sides: {}", unknown.join(", ")));
            }
            Ok(printed)
        }
    }
}

async fn query(client: &Client, sql: &str, at: Option<i64>, output: Output) -> Result<Printed, Failure> {
    let read = || {
        let problem = |error| Failure::Usage(format!("the question cannot be read from standard input: {error}"));
        std::io::read_to_string(std::io::stdin()).map_err(problem)
    };
    let sql = if sql == "-" { read()? } else { sql.to_owned() };
    let mut form = vec![("sql", sql)];
    form.extend(at.map(|at_ms| ("at", at_ms.to_string())));
    let answer = client.post_form(&format!("{PATH}/query"), &form).await?;
    let names = list(&answer["columns"]).iter().map(text).collect();
    let rows = list(&answer["rows"]).iter().map(|row| cells(row, &[], output)).collect();
    let mut printed = printed(&answer, output, with_rows(names, rows), "no rows");
    if answer["cut"] == true {
        printed.notes.push(format!(
            "these are the first {} rows, and there are more: ask for fewer, or count them",
            list(&answer["rows"]).len()
        ));
    }
    Ok(printed)
}

pub(super) fn printed(answer: &Value, output: Output, rows: Rows, empty: &str) -> Printed {
    match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows.to_csv()),
        Output::Table | Output::Raw => Printed::text(rows.to_table(empty)),
    }
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn with_rows(names: Vec<String>, rows: Vec<Vec<String>>) -> Rows {
    let mut all = Rows::under_names(names);
    all.rows = rows;
    all
}

pub(super) fn named(columns: &Value) -> Vec<String> {
    list(columns).iter().map(|column| text(&column["name"])).collect()
}

/// A value as it is written: null as nothing.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A row's values; times as moments but in CSV.
pub(super) fn cells(row: &Value, times: &[bool], output: Output) -> Vec<String> {
    let cell = |(at, value): (usize, &Value)| match value.as_i64().filter(|_| times.get(at) == Some(&true)) {
        Some(seconds) if output != Output::Csv => moment(seconds.saturating_mul(1_000)),
        _ => text(value),
    };
    list(row).iter().enumerate().map(cell).collect()
}

pub(super) fn tables(answer: &Value) -> Rows {
    let mut rows = Rows::new(&["TABLE", "COLUMNS"]);
    for table in list(&answer["tables"]) {
        rows.rows.push(vec![text(&table["table"]), named(&table["columns"]).join(", ")]);
    }
    rows
}

fn known(answer: &Value, output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&["TABLE", ">ROWS", "SEEN", "CHANGED", "PROBLEM"]);
    for table in list(&answer["tables"]) {
        let time = |key: &str| match (table[key].as_i64(), output) {
            (None, _) => String::new(),
            (Some(at_ms), Output::Csv) => at_ms.to_string(),
            (Some(at_ms), _) => relative(at_ms, now_ms),
        };
        let mut problem = text(&table["problem"]);
        if let Some(dropped) = table["dropped"].as_u64().filter(|dropped| *dropped > 0) {
            problem = format!("{dropped} more rows are left out, since there are too many. {problem}");
        }
        rows.rows.push(vec![text(&table["table"]), text(&table["rows"]), time("seen_ms"), time("changed_ms"), problem]);
    }
    rows
}

/// A line a row that is not the same: what only one has, and each column that differs.
fn differences(answer: &Value) -> Rows {
    let side = |name: &str| match answer[name]["at_ms"].as_i64() {
        Some(at_ms) => format!("{} {}", text(&answer[name]["host"]), moment(at_ms)),
        None => text(&answer[name]["host"]),
    };
    let mut rows = Rows::under_names(vec!["table".to_owned(), "which".to_owned(), side("one"), side("other")]);
    for table in list(&answer["tables"]) {
        let keys = usize::try_from(table["keys"].as_u64().unwrap_or(0)).unwrap_or(0);
        let names = named(&table["columns"]);
        for row in list(&table["rows"]) {
            let key = list(&row["key"]).iter().map(text).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            let (one, other) = (list(&row["one"]), list(&row["other"]));
            let differs = |at: &usize| one.is_empty() || other.is_empty() || one.get(*at) != other.get(*at);
            let shown = |side: &[Value]| {
                if side.is_empty() {
                    return "-".to_owned();
                }
                let parts = (keys..names.len())
                    .filter(differs)
                    .filter(|at| side.get(*at).is_some_and(|value| !value.is_null()));
                parts.map(|at| format!("{}={}", names[at], text(&side[at]))).collect::<Vec<_>>().join(" ")
            };
            rows.rows.push(vec![text(&table["table"]), key, shown(one), shown(other)]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns() -> Value {
        json!([{"name": "name", "kind": "text"}, {"name": "version", "kind": "text"}, {"name": "made", "kind": "time"}])
    }

    #[test]
    fn a_row_that_differs_shows_what_differs() {
        let rows = json!([
            {"key": ["a"], "one": ["a", "1", 5], "other": ["a", "2", 5]},
            {"key": ["b"], "one": null, "other": ["b", "1", null]},
            {"key": ["c"], "one": ["c", null, 7], "other": null},
        ]);
        let answer = json!({
            "one": {"host": "x", "at_ms": 0}, "other": {"host": "y", "at_ms": null},
            "tables": [{"table": "packages", "keys": 1, "columns": columns(), "rows": rows}],
        });
        let found = differences(&answer);
        assert_eq!(found.headings[2..], ["x 1970-01-01 00:00:00 UTC".to_owned(), "y".to_owned()]);
        let lines: Vec<String> = found.rows.iter().map(|row| row[1..].join("|")).collect();
        assert_eq!(lines, ["a|version=1|version=2", "b|-|version=1", "c|made=7|-"]);
    }

    #[test]
    fn times_are_moments_for_people_and_numbers_for_programs() {
        let row = json!(["a", null, 86_400]);
        let times = [false, false, true];
        assert_eq!(cells(&row, &times, Output::Table), ["a", "", "1970-01-02 00:00:00 UTC"]);
        assert_eq!(cells(&row, &times, Output::Csv), ["a", "", "86400"]);
    }

    #[test]
    fn what_is_left_out_and_what_failed_is_told() {
        let table =
            json!({"table": "files", "rows": 3, "seen_ms": 0, "changed_ms": 0, "dropped": 2, "problem": "denied"});
        let rows = known(&json!({"tables": [table]}), Output::Csv, 60_000);
        assert_eq!(rows.rows[0].join("|"), "files|3|0|0|2 more rows are left out, since there are too many. denied");
    }
}
