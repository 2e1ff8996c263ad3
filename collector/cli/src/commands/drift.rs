//! `muster inventory drift`.

use serde_json::Value;

use super::Printed;
use super::hosts::escape;
use super::inventory::{list, named, printed, text};
use crate::arguments::{DriftArguments, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;

const PATH: &str = "/api/muster/v1/inventory/drift";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, asked: &DriftArguments, output: Output) -> Result<Printed, Failure> {
    let mut path = format!("{PATH}?limit={}", asked.limit);
    let groups = asked.groups.iter().map(|label| ("group", label));
    let texts = [("table", &asked.table), ("host", &asked.host), ("baseline", &asked.baseline)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    for (name, value) in groups.chain(texts) {
        path.push_str(&format!("&{name}={}", escape(value)));
    }
    if asked.own {
        path.push_str("&own=true");
    }
    let answer = client.get(&path).await?;
    let mut printed = printed(&answer, output, rows(&answer), empty(asked));
    printed.notes.extend(notes(&answer));
    Ok(printed)
}

fn empty(asked: &DriftArguments) -> &'static str {
    match asked.baseline {
        None => "all hosts are as most of their group",
        Some(_) => "all hosts are as the baseline says",
    }
}

/// What the table does not show.
fn notes(answer: &Value) -> Vec<String> {
    let groups = list(&answer["groups"]);
    let sum = |name: &str| groups.iter().filter_map(|group| group[name].as_u64()).sum::<u64>();
    let mut notes = Vec::new();
    if sum("left_out") > 0 {
        notes.push(format!(
            "{} of {} rows are left out: --limit, --table or --host shows others",
            sum("left_out"),
            sum("rows")
        ));
    }
    if let Some(alone) = answer["alone"].as_u64().filter(|alone| *alone > 0) {
        let least = &answer["hosts_min"];
        notes.push(format!(
            "{alone} hosts are in groups of fewer than {least}, and are compared with none: --group names a label"
        ));
    }
    notes
}

/// A line a row of a host, with the columns that differ.
fn rows(answer: &Value) -> Rows {
    let mut rows = Rows::new(&["GROUP", "HOST", "TABLE", "WHICH", "HAS", "EXPECTED"]);
    for group in list(&answer["groups"]) {
        for table in list(&group["tables"]) {
            let keys = table["keys"].as_u64().and_then(|keys| usize::try_from(keys).ok()).unwrap_or(0);
            let names = named(&table["columns"]);
            for key in list(&table["drift"]) {
                let which: Vec<String> = list(&key["key"]).iter().map(text).filter(|part| !part.is_empty()).collect();
                for other in list(&key["others"]) {
                    let differing: Vec<String> = list(&other["columns"]).iter().map(text).collect();
                    let shown = |row: &Value| shown(list(row), &names, keys, &differing);
                    rows.rows.push(vec![
                        text(&group["name"]),
                        text(&other["host"]),
                        text(&table["table"]),
                        which.join(" "),
                        shown(&other["row"]),
                        shown(&key["expected"]),
                    ]);
                }
            }
        }
    }
    rows
}

fn shown(row: &[Value], names: &[String], keys: usize, differing: &[String]) -> String {
    if row.is_empty() {
        return "-".to_owned();
    }
    let is_shown = |at: &usize| {
        let is_told = differing.is_empty() || names.get(*at).is_some_and(|name| differing.contains(name));
        is_told && row.get(*at).is_some_and(|value| !value.is_null() || !differing.is_empty())
    };
    let part = |at: usize| format!("{}={}", names[at], text(&row[at]));
    (keys..names.len()).filter(is_shown).map(part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_a_host_has_and_what_most_have() {
        let columns = json!([{"name": "name", "kind": "text"}, {"name": "version", "kind": "text"}, {"name": "status", "kind": "text"}]);
        let drift = json!([
            {"key": ["bash"], "expected": ["bash", "5", "ok"], "others": [{"host": "a", "row": null, "columns": []}]},
            {"key": ["nmap"], "expected": null, "others": [{"host": "b", "row": ["nmap", "7", null], "columns": []}]},
            {"key": ["ssl"], "expected": ["ssl", "3", null], "others": [{"host": "c", "row": ["ssl", "1", "x"], "columns": ["version"]}]},
        ]);
        let table = json!({"table": "packages", "keys": 1, "columns": columns, "drift": drift});
        let answer = json!({
            "alone": 2, "hosts_min": 3,
            "groups": [{"name": "role=web", "rows": 5, "left_out": 2, "tables": [table]}],
        });
        let lines: Vec<String> = rows(&answer).rows.iter().map(|row| row[1..].join("|")).collect();
        let expect = [
            "a|packages|bash|-|version=5 status=ok",
            "b|packages|nmap|version=7|-",
            "c|packages|ssl|version=1|version=3",
        ];
        assert_eq!(lines, expect);
        let notes = notes(&answer);
        assert!(
            notes[0].starts_with("2 of 5 rows are left out")
                && notes[1].starts_with("2 hosts are in groups of fewer than 3")
        );
    }
}
