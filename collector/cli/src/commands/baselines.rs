//! `muster inventory pin|unpin|baselines`.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use super::inventory::{list as values, printed, text};
use crate::arguments::{Output, PinArguments};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::relative;

const PATH: &str = "/api/muster/v1/inventory/baselines";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn pin(client: &Client, asked: &PinArguments, output: Output) -> Result<Printed, Failure> {
    let body = json!({"matchers": asked.matchers, "host": asked.host, "tables": asked.tables});
    let answer = client.put_json(&format!("{PATH}/{}", escape(&asked.name)), &body).await?;
    Ok(done(&answer, output, "is pinned"))
}

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn unpin(client: &Client, name: &str, output: Output) -> Result<Printed, Failure> {
    let answer = client.delete(&format!("{PATH}/{}", escape(name))).await?;
    Ok(done(&answer, output, "is dropped"))
}

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn list(client: &Client, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let answer = client.get(PATH).await?;
    Ok(printed(&answer, output, rows(&answer, output, now_ms), "nothing is pinned"))
}

fn done(answer: &Value, output: Output, what: &str) -> Printed {
    let one = &answer["baseline"];
    match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows(&json!({"baselines": [one]}), output, 0).to_csv()),
        Output::Table | Output::Raw => {
            let (name, tables) = (text(&one["name"]), values(&one["tables"]).len());
            Printed::text(format!("baseline {name} {what}: {} rows of {tables} tables\n", one["rows"]))
        }
    }
}

fn rows(answer: &Value, output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&["NAME", "HOSTS", "AS", "TABLES", ">ROWS", "PINNED", "BY"]);
    for one in values(&answer["baselines"]) {
        let joined = |name: &str| values(&one[name]).iter().map(text).collect::<Vec<_>>().join(" ");
        let whose = if one["host"].is_null() { "most".to_owned() } else { text(&one["host"]) };
        let made = match one["made_ms"].as_i64() {
            Some(at_ms) if output != Output::Csv => relative(at_ms, now_ms),
            _ => text(&one["made_ms"]),
        };
        let (name, by) = (text(&one["name"]), text(&one["by"]));
        rows.rows.push(vec![name, joined("matchers"), whose, joined("tables"), text(&one["rows"]), made, by]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_shows_its_hosts_and_whose_rows_it_has() {
        let one = |host: Value| {
            json!({"name": "web", "matchers": ["role=web"], "host": host, "tables": ["os", "packages"],
            "rows": 7, "made_ms": 5, "by": "user:ann"})
        };
        let answer = json!({"baselines": [one(Value::Null), one(json!("web-1"))]});
        let shown: Vec<String> = rows(&answer, Output::Csv, 0).rows.iter().map(|row| row.join("|")).collect();
        assert_eq!(
            shown,
            ["web|role=web|most|os packages|7|5|user:ann", "web|role=web|web-1|os packages|7|5|user:ann"]
        );
        let pinned = done(&json!({"baseline": one(Value::Null)}), Output::Table, "is pinned");
        assert_eq!(pinned.text, "baseline web is pinned: 7 rows of 2 tables\n");
    }
}
