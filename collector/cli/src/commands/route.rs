//! `muster route explain`.

use serde_json::{Value, json};

use super::Printed;
use super::checks::{array, hold, word};
use crate::arguments::{Output, RouteVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::time::relative;

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &RouteVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let RouteVerb::Explain { alert } = verb;
    let labels = RouteVerb::labels(alert).map_err(Failure::Usage)?;
    let body = if labels.is_empty() {
        json!({"alert": alert[0]})
    } else {
        let labels: serde_json::Map<String, Value> =
            labels.into_iter().map(|(name, value)| (name, value.into())).collect();
        json!({"labels": labels})
    };
    let answer = client.post_json("/api/muster/v1/routes/explain", &body).await?;
    Ok(match output {
        Output::Json | Output::Csv => Printed::json(&answer),
        Output::Table | Output::Raw => Printed::text(text(&answer["explanation"], now_ms)),
    })
}

/// Holds first, since they decide; then each route with its receiver and what that was told.
fn text(explanation: &Value, now_ms: i64) -> String {
    let mut text = String::new();
    let holds = array(explanation, "holds");
    if holds.is_empty() {
        text.push_str("nothing holds it back\n");
    }
    for one in holds {
        text.push_str(&format!("not told: {}\n", hold(one)));
    }
    for route in array(explanation, "routes") {
        text.push_str(&format!("route {} to receiver {}\n", word(route, "route"), word(route, "receiver")));
        for one in array(route, "holds") {
            text.push_str(&format!("  not told here: {}\n", hold(one)));
        }
        let time = |key: &str| route[key].as_i64().map(|at_ms| relative(at_ms, now_ms));
        let facts =
            [("group", Some(word(route, "group").to_owned())), ("told", time("told_ms")), ("next", time("next_ms"))];
        for (name, value) in facts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                text.push_str(&format!("  {name} {value}\n"));
            }
        }
        for note in array(route, "notes") {
            text.push_str(&format!("  {}\n", note.as_str().unwrap_or("")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_names_holds_routes_and_what_was_told() {
        let now = 1_700_000_000_000_i64;
        let explanation = json!({
            "holds": [{"why": "silenced", "by": "5f", "until_ms": null}],
            "routes": [{"route": "{} > {team=\"db\"}", "receiver": "ops", "group": "{alertname=\"Disk\"}",
                "told_ms": now - 60_000, "next_ms": null, "holds": [], "notes": ["2 other alerts in the group"]}],
        });
        assert_eq!(
            text(&explanation, now),
            "\
not told: silenced (5f)
route {} > {team=\"db\"} to receiver ops
  group {alertname=\"Disk\"}
  told 1m ago
  2 other alerts in the group
"
        );
        assert_eq!(text(&json!({}), now), "nothing holds it back\n");
    }

    #[test]
    fn words_are_an_id_or_labels() {
        let labels =
            |words: &[&str]| RouteVerb::labels(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(labels(&["00aa"]).unwrap(), []);
        assert_eq!(
            labels(&["a=b", "c=d"]).unwrap(),
            [("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d".to_owned())]
        );
        assert!(labels(&["00aa", "b"]).is_err());
    }
}
