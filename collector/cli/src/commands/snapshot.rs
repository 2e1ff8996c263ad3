//! `muster snapshot create|list`.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Printed;
use super::checks::{array, word};
use crate::arguments::{Output, SnapshotVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::relative;

const PATH: &str = "/api/muster/v1/snapshots";
/// How often the collector is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &SnapshotVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        SnapshotVerb::Create { to, key_file, without_ca_key } => {
            let mut body = Map::new();
            for (name, path) in [("to", to), ("key_file", key_file)] {
                if let Some(path) = path {
                    body.insert(name.to_owned(), json!(path));
                }
            }
            body.insert("without_ca_key".to_owned(), json!(without_ca_key));
            let begun = client.post_json(PATH, &Value::Object(body)).await?;
            let id = word(&begun, "id").to_owned();
            let mut told = String::new();
            loop {
                let answer = client.get(PATH).await?;
                tell(note(&answer, 10), &mut told);
                match ended(&answer, &id) {
                    Some(printed) if output == Output::Json => {
                        return Ok(Printed { is_problem: printed.is_problem, ..Printed::json(&answer) });
                    }
                    Some(printed) => return Ok(printed),
                    None => tokio::time::sleep(ASK_EVERY).await,
                }
            }
        }
        SnapshotVerb::List => {
            let answer = client.get(PATH).await?;
            let rows = rows(&answer, now_ms, output);
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows.to_csv()),
                Output::Table | Output::Raw => {
                    let none = format!("there are no snapshots in {}", word(&answer, "folder"));
                    let mut printed = Printed::text(rows.to_table(&none));
                    printed.notes.extend(note(&answer, 1));
                    printed
                }
            })
        }
    }
}

/// Says how far it is, on standard error, when that is news.
fn tell(note: Option<String>, told: &mut String) {
    if let Some(note) = note.filter(|note| note != told) {
        // Where nobody reads it nobody misses it.
        let _ = writeln!(std::io::stderr(), "{note}");
        *told = note;
    }
}

/// What to print once the snapshot of this id has ended; `None`: it is being made.
fn ended(answer: &Value, id: &str) -> Option<Printed> {
    if word(&answer["running"], "id") == id {
        return None;
    }
    let end = &answer["ended"];
    if word(end, "id") != id {
        // Another process of the collector answers now.
        let text = format!("snapshot {id} was given up: the collector was started anew meanwhile; make another\n");
        return Some(Printed { text, is_problem: true, ..Printed::default() });
    }
    Some(match end["problem"].as_str() {
        Some(problem) => {
            Printed { text: format!("no snapshot was made: {problem}\n"), is_problem: true, ..Printed::default() }
        }
        None => {
            let made = array(answer, "snapshots").iter().find(|row| word(row, "id") == id);
            let size = made.map(|row| format!(", {}, commits held for {} ms", size(row), row["barrier_ms"]));
            Printed::text(format!("made {}/{id}{}\n", word(end, "folder"), size.unwrap_or_default()))
        }
    })
}

fn size(row: &Value) -> String {
    format!("{} MiB", row["size_bytes"].as_u64().unwrap_or(0).div_ceil(1 << 20))
}

/// How far one is that is being made, in steps of so many percent.
fn note(answer: &Value, step: u64) -> Option<String> {
    let running = answer.get("running").filter(|running| running.is_object())?;
    let (done, total) = (running["done_bytes"].as_u64()?, running["total_bytes"].as_u64()?);
    let percent = (done * 100).checked_div(total);
    let far = percent.map_or_else(|| "copies".to_owned(), |percent| format!("{} %", percent / step * step));
    Some(format!("{} is being made: {far}", word(running, "id")))
}

fn rows(answer: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&["SNAPSHOT", "MADE", ">SIZE", ">SAMPLES", ">LINES", "CA KEYS", "PROBLEM"]);
    for row in array(answer, "snapshots") {
        let made_ms = row["made_ms"].as_i64().unwrap_or(0);
        let (made, size) = match output {
            Output::Csv => (made_ms.to_string(), row["size_bytes"].to_string()),
            _ if made_ms == 0 => (String::new(), String::new()),
            _ => (relative(made_ms, now_ms), size(row)),
        };
        rows.rows.push(vec![
            word(row, "id").to_owned(),
            made,
            size,
            row["samples"].to_string(),
            row["lines"].to_string(),
            word(row, "ca_keys").to_owned(),
            word(row, "problem").to_owned(),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "20231114T221320Z-07070707";

    fn answer(running: Value, ended: Value) -> Value {
        let row = json!({"id": ID, "made_ms": 1_700_000_000_000_i64, "size_bytes": 5_000_000, "barrier_ms": 12.5,
            "samples": 7, "lines": 3, "ca_keys": "sealed", "problem": null});
        json!({"folder": "/s", "running": running, "ended": ended, "snapshots": [row]})
    }

    #[test]
    fn what_became_of_a_snapshot_is_told() {
        let running = answer(json!({"id": ID, "done_bytes": 1, "total_bytes": 4}), json!(null));
        assert_eq!(ended(&running, ID), None);
        assert_eq!(note(&running, 1).unwrap(), format!("{ID} is being made: 25 %"));
        assert_eq!(note(&running, 10).unwrap(), format!("{ID} is being made: 20 %"));
        let done = ended(&answer(json!(null), json!({"id": ID, "folder": "/s", "problem": null})), ID).unwrap();
        assert_eq!(
            (done.text.as_str(), done.is_problem),
            ("made /s/20231114T221320Z-07070707, 5 MiB, commits held for 12.5 ms\n", false)
        );
        let failed =
            ended(&answer(json!(null), json!({"id": ID, "problem": "the disk is full: free it"})), ID).unwrap();
        assert_eq!(
            (failed.text.as_str(), failed.is_problem),
            ("no snapshot was made: the disk is full: free it\n", true)
        );
        assert!(ended(&answer(json!(null), json!(null)), ID).unwrap().text.contains("started anew"));
    }

    #[test]
    fn the_list_shows_age_and_size() {
        let table = rows(&answer(json!(null), json!(null)), 1_700_000_060_000, Output::Table).to_table("");
        assert_eq!(
            table,
            "\
SNAPSHOT                   MADE     SIZE  SAMPLES  LINES  CA KEYS  PROBLEM
20231114T221320Z-07070707  1m ago  5 MiB        7      3  sealed
"
        );
    }
}
