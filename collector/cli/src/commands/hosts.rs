//! `muster hosts list|processes|approve|rename|label|replace|retire`.

use serde_json::{Value, json};

use super::{Printed, processes};
use crate::arguments::{HostsVerb, Output};
use crate::client::Client;
pub(super) use crate::client::escape;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{coarse, relative};

const PATH: &str = "/api/muster/v1/hosts";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &HostsVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let change = |host: &str, action: &str| format!("{PATH}/{}/{action}", escape(host));
    let (answer, done) = match verb {
        HostsVerb::List { all } => {
            let answer = client.get(&format!("{PATH}{}", if *all { "?all=true" } else { "" })).await?;
            return Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Table | Output::Raw => Printed::text(rows(&answer, now_ms, output).to_table(
                    "no hosts yet: `muster token new --name NAME` makes a token, `muster-agent enrol` uses it",
                )),
                Output::Csv => Printed::text(rows(&answer, now_ms, output).to_csv()),
            });
        }
        HostsVerb::Processes { host, at, by } => {
            return processes::run(client, (host, at.as_deref(), *by), output, now_ms).await;
        }
        HostsVerb::Approve { host, name, labels } => {
            let labels: serde_json::Map<String, Value> =
                labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            let body = json!({"name": name, "labels": labels});
            (client.post_json(&change(host, "approve"), &body).await?, "is let in: its agent connects within a minute")
        }
        HostsVerb::Rename { host, name } => (
            client.post_json(&change(host, "rename"), &json!({"name": name})).await?,
            "is its name now; its id and history stay",
        ),
        HostsVerb::Label { host, labels } => {
            (client.post_json(&change(host, "labels"), &label_changes(labels)?).await?, "has these labels from now on")
        }
        HostsVerb::Replace { host } => (
            client.post_json(&change(host, "replace"), &json!({})).await?,
            "is now the machine that waited; the old one's certificates are denied",
        ),
        HostsVerb::Retire { host, reason } => (
            client.post_json(&change(host, "retire"), &json!({"reason": reason})).await?,
            "is retired: certificates denied, series ended, history kept",
        ),
    };
    Ok(changed(&answer, done, now_ms, output))
}

/// The request's body for words such as `env=prod` and `team-`.
fn label_changes(words: &[String]) -> Result<Value, Failure> {
    let (mut set, mut remove) = (serde_json::Map::new(), Vec::new());
    for word in words {
        match (word.split_once('='), word.strip_suffix('-')) {
            (Some((name, value)), _) if !name.is_empty() => drop(set.insert(name.to_owned(), value.into())),
            (None, Some(name)) if !name.is_empty() => remove.push(name),
            _ => {
                let message =
                    format!("`{word}` is no change of a label: write KEY=VALUE to set one, KEY- to remove it");
                return Err(Failure::Usage(message));
            }
        }
    }
    Ok(json!({"set": set, "remove": remove}))
}

/// A host as it is after a change; in CSV the row that `list` has of it.
fn changed(answer: &Value, done: &str, now_ms: i64, output: Output) -> Printed {
    let host = &answer["host"];
    match output {
        Output::Json => Printed::json(answer),
        Output::Table | Output::Raw => Printed::text(format!("{} ({}) {done}\n", word(host, "name"), word(host, "id"))),
        Output::Csv => Printed::text(rows(&json!({"hosts": [host]}), now_ms, output).to_csv()),
    }
}

fn word<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or("")
}

/// A host's row. CSV has exact times where the table has ages.
fn rows(answer: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&["NAME", "STATE", "SEEN", "AGENT", "SYSTEM", "LABELS", "ID", "NOTE"]);
    let hosts = answer["hosts"].as_array().map_or(&[][..], Vec::as_slice);
    for host in hosts {
        let state = match word(host, "state") {
            // Of a registered host it is of interest whether it sends.
            "active" => host["presence"].as_str().unwrap_or("unheard"),
            other => other,
        };
        // Since the collector's start nothing may have arrived; the last hello is known all the same.
        let seen = match (host["last_arrival_ms"].as_i64().or(host["last_hello_ms"].as_i64()), output) {
            (Some(at_ms), Output::Csv) => at_ms.to_string(),
            (Some(at_ms), _) => relative(at_ms, now_ms),
            (None, Output::Csv) => String::new(),
            (None, _) => "never".to_owned(),
        };
        let labels = host["labels"].as_object().map(|labels| {
            let pairs = labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("")));
            pairs.collect::<Vec<_>>().join(" ")
        });
        rows.rows.push(vec![
            word(host, "name").to_owned(),
            state.replace('_', " "),
            seen,
            word(host, "agent_version").to_owned(),
            word(&host["facts"], "os").to_owned(),
            labels.unwrap_or_default(),
            word(host, "id").to_owned(),
            note(host, now_ms),
        ]);
    }
    if output != Output::Csv && rows.rows.iter().all(|row| row[7].is_empty()) {
        rows.headings.truncate(7);
        rows.rows.iter_mut().for_each(|row| row.truncate(7));
    }
    let counts: Vec<usize> = hosts.iter().map(|host| host["problems"].as_array().map_or(0, Vec::len)).collect();
    if output != Output::Csv && counts.iter().any(|count| *count > 0) {
        rows.headings.insert(6, "PROBLEMS".to_owned());
        for (row, count) in rows.rows.iter_mut().zip(counts) {
            row.insert(6, if count > 0 { count.to_string() } else { String::new() });
        }
    }
    rows
}

fn note(host: &Value, now_ms: i64) -> String {
    if let Some(key) = host["waiting_key"].as_str() {
        return format!("waits for approval; its key begins {}", key.chars().take(16).collect::<String>());
    }
    let reason = word(host, "reason");
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match host["certificate_expires_ms"].as_i64() {
        Some(end_ms) if end_ms < now_ms && word(host, "state") == "active" => {
            format!("certificate ended {} ago", coarse(now_ms.abs_diff(end_ms)))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn answer() -> Value {
        json!({"version": 1, "hosts": [
            {"id": "0190-a", "name": "web-1", "state": "active", "presence": "up", "last_arrival_ms": NOW - 3_000,
             "agent_version": "0.1.0", "facts": {"os": "Debian GNU/Linux 13"}, "labels": {"env": "production", "role": "web"},
             "reason": "", "certificate_expires_ms": NOW + 1_000_000},
            {"id": "0190-b", "name": "db-1", "state": "pending", "presence": null, "last_arrival_ms": null, "agent_version": "",
             "facts": {"os": ""}, "labels": {}, "reason": "no token", "waiting_key": "00112233445566778899aabb"},
        ]})
    }

    #[test]
    fn labels_are_set_and_removed_in_one_request() {
        let words = ["env=prod", "team-", "note=a=b-"].map(str::to_owned);
        let expect = json!({"set": {"env": "prod", "note": "a=b-"}, "remove": ["team"]});
        assert_eq!(label_changes(&words).ok(), Some(expect));
        for wrong in ["env", "=x", "-"] {
            assert!(label_changes(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_stand_in_aligned_columns() {
        assert_eq!(
            rows(&answer(), NOW, Output::Table).to_table(""),
            "\
NAME   STATE    SEEN    AGENT  SYSTEM               LABELS                   ID      NOTE
web-1  up       3s ago  0.1.0  Debian GNU/Linux 13  env=production role=web  0190-a
db-1   pending  never                                                        0190-b  waits for approval; its key begins 0011223344556677
"
        );
        assert_eq!(
            rows(&answer(), NOW, Output::Csv).to_csv(),
            "\
name,state,seen,agent,system,labels,id,note
web-1,up,1699999997000,0.1.0,Debian GNU/Linux 13,env=production role=web,0190-a,
db-1,pending,,,,,0190-b,waits for approval; its key begins 0011223344556677
"
        );
    }

    #[test]
    fn a_changed_host_is_a_sentence_or_its_row() {
        let answer = json!({"version": 1, "host": answer()["hosts"][1].clone()});
        assert_eq!(changed(&answer, "is let in", NOW, Output::Table).text, "db-1 (0190-b) is let in\n");
        let csv = changed(&answer, "is let in", NOW, Output::Csv).text;
        assert_eq!(
            csv,
            "\
name,state,seen,agent,system,labels,id,note
db-1,pending,,,,,0190-b,waits for approval; its key begins 0011223344556677
"
        );
    }

    #[test]
    fn a_column_without_content_is_not_shown() {
        let mut answer = answer();
        answer["hosts"].as_array_mut().unwrap().pop();
        assert!(!rows(&answer, NOW, Output::Table).headings.contains(&"NOTE".to_owned()));
        answer["hosts"][0]["certificate_expires_ms"] = json!(NOW - 7_200_000);
        assert_eq!(rows(&answer, NOW, Output::Table).rows[0][7], "certificate ended 2h ago");
    }

    #[test]
    fn problems_of_hosts_are_counted_where_there_are_any() {
        let mut answer = answer();
        answer["hosts"][0]["problems"] = json!([{"where": "/a"}, {"where": "/b"}]);
        let told = rows(&answer, NOW, Output::Table);
        assert_eq!(
            (told.headings[6].as_str(), told.rows[0][6].as_str(), told.rows[1][6].as_str()),
            ("PROBLEMS", "2", "")
        );
        assert!(told.rows.iter().all(|row| row.len() == told.headings.len()));
    }

    #[test]
    fn names_are_one_component_of_the_path() {
        assert_eq!(escape("web-1.example"), "web-1.example");
        assert_eq!(escape("a/b ?#%\u{e9}"), "a%2Fb%20%3F%23%25%C3%A9");
    }
}
