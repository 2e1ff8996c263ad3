//! `muster alerts`.

use serde_json::Value;

use super::Printed;
use super::checks::{array, hold, word};
use super::hosts::escape;
use crate::arguments::{AlertsArguments, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::relative;

const PATH: &str = "/api/muster/v1/alerts";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, asked: &AlertsArguments, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let matchers: Vec<String> = asked.matchers.iter().map(|matcher| format!("&matcher={}", escape(matcher))).collect();
    let answer = client.get(&format!("{PATH}?all={}{}", asked.all, matchers.concat())).await?;
    let rows = rows(&answer, now_ms, output);
    let mut printed = match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows.to_csv()),
        Output::Table | Output::Raw => Printed::text(rows.to_table("nothing fires")),
    };
    printed.is_problem = array(&answer, "alerts").iter().any(|alert| word(alert, "state") == "firing");
    Ok(printed)
}

fn rows(answer: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "STATE", "SEVERITY", "ALERT", "SINCE", "LABELS", "SUMMARY", "TOLD"]);
    for alert in array(answer, "alerts") {
        let since = match (alert["starts_ms"].as_i64().or(alert["active_ms"].as_i64()), output) {
            (Some(at_ms), Output::Csv) => at_ms.to_string(),
            (Some(at_ms), _) => relative(at_ms, now_ms),
            (None, _) => String::new(),
        };
        let labels = alert["labels"].as_object().map(|labels| {
            let shown = labels.iter().filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"));
            shown.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or(""))).collect::<Vec<_>>().join(" ")
        });
        rows.rows.push(vec![
            word(alert, "id").to_owned(),
            word(alert, "state").to_owned(),
            word(&alert["labels"], "severity").to_owned(),
            word(&alert["labels"], "alertname").to_owned(),
            since,
            labels.unwrap_or_default(),
            word(&alert["annotations"], "summary").to_owned(),
            told(alert, now_ms),
        ]);
    }
    rows
}

/// Who was told, or why nobody is.
fn told(alert: &Value, now_ms: i64) -> String {
    let holds: Vec<String> = array(alert, "holds").iter().map(hold).collect();
    let receivers = array(alert, "receivers").iter().filter_map(|one| {
        let told_ms = one["told_ms"].as_i64()?;
        Some(format!("{} {}", word(one, "receiver"), relative(told_ms, now_ms)))
    });
    let told: Vec<String> = receivers.collect();
    match (told.is_empty(), holds.is_empty()) {
        (_, true) if !told.is_empty() => told.join(", "),
        (true, false) => format!("not: {}", holds.join(", ")),
        (false, false) => format!("{}; no more: {}", told.join(", "), holds.join(", ")),
        _ => not_yet(alert, now_ms),
    }
}

/// When the first receiver will be told, and why not sooner.
fn not_yet(alert: &Value, now_ms: i64) -> String {
    let soonest = array(alert, "receivers")
        .iter()
        .filter_map(|one| Some((one["next_ms"].as_i64()?, one)))
        .min_by_key(|(at, _)| *at);
    match soonest {
        Some((next_ms, one)) => {
            let why = if one["storm"] == true { ", with others of a storm" } else { "" };
            format!("not yet: {} {}{why}", word(one, "receiver"), relative(next_ms, now_ms))
        }
        None => "not yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_says_who_was_told_or_why_nobody_is() {
        let now = 1_700_000_000_000_i64;
        let alert = |receivers: Value, holds: Value| {
            json!({"id": "00aa", "state": "firing", "labels": {"alertname": "Disk", "severity": "critical", "host": "db1"},
                "annotations": {"summary": "full"}, "starts_ms": now - 60_000, "receivers": receivers, "holds": holds})
        };
        let told_one = json!([{"receiver": "ops", "told_ms": now - 5_000}]);
        let silenced = json!([{"why": "silenced", "by": "5f", "until_ms": null}]);
        let alerts = [
            alert(told_one.clone(), json!([])),
            alert(json!([{"receiver": "ops", "told_ms": null}]), silenced.clone()),
            alert(told_one, silenced),
            alert(json!([]), json!([])),
            alert(json!([{"receiver": "ops", "told_ms": null, "next_ms": now + 20_000, "storm": true}]), json!([])),
        ];
        assert_eq!(
            rows(&json!({"alerts": alerts}), now, Output::Table).to_table(""),
            "\
ID    STATE   SEVERITY  ALERT  SINCE   LABELS    SUMMARY  TOLD
00aa  firing  critical  Disk   1m ago  host=db1  full     ops 5s ago
00aa  firing  critical  Disk   1m ago  host=db1  full     not: silenced (5f)
00aa  firing  critical  Disk   1m ago  host=db1  full     ops 5s ago; no more: silenced (5f)
00aa  firing  critical  Disk   1m ago  host=db1  full     not yet
00aa  firing  critical  Disk   1m ago  host=db1  full     not yet: ops in 20s, with others of a storm
"
        );
    }
}
