//! `muster checks downtime add|list|end`.

use serde_json::{Value, json};

use super::Printed;
use super::checks::{array, word};
use crate::arguments::{DowntimeAdd, DowntimeVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_moment, parse_positive_span};

const PATH: &str = "/api/muster/v1/downtimes";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &DowntimeVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let (answer, done) = match verb {
        DowntimeVerb::List => {
            let answer = client.get(PATH).await?;
            let rows = rows(&answer, output);
            return Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows.to_csv()),
                Output::Table | Output::Raw => Printed::text(rows.to_table("no downtime is planned")),
            });
        }
        DowntimeVerb::Add(add) => (client.post_json(PATH, &body(add, now_ms)?).await?, "is planned"),
        DowntimeVerb::End { id } => (client.delete(&format!("{PATH}/{id}")).await?, "has ended"),
    };
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows(&json!({"downtimes": [answer["downtime"]]}), output).to_csv()),
        Output::Table | Output::Raw => Printed::text(format!("downtime {} {done}\n", answer["downtime"]["id"])),
    })
}

fn body(add: &DowntimeAdd, now_ms: i64) -> Result<Value, Failure> {
    let starts_ms = match &add.from {
        Some(from) => parse_moment(from, now_ms)?,
        None => now_ms,
    };
    let ends_ms = match (&add.until, &add.span) {
        (Some(until), _) => parse_moment(until, now_ms)?,
        (None, Some(span)) => starts_ms.saturating_add(parse_positive_span("--for", span)?),
        (None, None) => return Err(Failure::Usage("a downtime has an end: write --for or --until".to_owned())),
    };
    Ok(json!({
        "matchers": add.matchers, "reason": add.reason, "starts_ms": starts_ms, "ends_ms": ends_ms,
        "every": add.every, "zone": add.every.as_ref().map(|_| &add.zone),
    }))
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "STATE", "FROM", "UNTIL", "EVERY", "MATCHERS", "BY", "REASON"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => moment(at_ms),
        (None, _) => String::new(),
    };
    for one in array(answer, "downtimes") {
        let about = array(one, "matchers").iter().chain(array(one, "hosts"));
        let matchers: Vec<&str> = about.filter_map(Value::as_str).collect();
        let every = match (word(one, "every"), word(one, "zone")) {
            ("", _) => String::new(),
            (every, zone) => format!("{every} {zone}"),
        };
        rows.rows.push(vec![
            one["id"].to_string(),
            word(one, "state").to_owned(),
            time(&one["starts_ms"]),
            time(&one["ends_ms"]),
            every,
            matchers.join(" "),
            word(one, "by").to_owned(),
            word(one, "reason").to_owned(),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn add() -> DowntimeAdd {
        DowntimeAdd {
            matchers: vec!["host=db1".into()],
            reason: "new disk".into(),
            from: None,
            span: Some("2h".into()),
            until: None,
            every: None,
            zone: "UTC".into(),
        }
    }

    #[test]
    fn a_downtime_has_both_ends_and_a_zone_only_where_it_recurs() {
        let once = body(&add(), NOW).unwrap();
        assert_eq!((once["starts_ms"].as_i64(), once["ends_ms"].as_i64()), (Some(NOW), Some(NOW + 7_200_000)));
        assert_eq!((&once["every"], &once["zone"]), (&Value::Null, &Value::Null));
        let weekly = DowntimeAdd {
            every: Some("sun 02:00-04:00".into()),
            zone: "Europe/Berlin".into(),
            until: Some("2024-01-01T00:00:00Z".into()),
            ..add()
        };
        let weekly = body(&weekly, NOW).unwrap();
        assert_eq!((word(&weekly, "every"), word(&weekly, "zone")), ("sun 02:00-04:00", "Europe/Berlin"));
        assert_eq!(weekly["ends_ms"], 1_704_067_200_000_i64);
    }

    #[test]
    fn downtimes_stand_in_columns() {
        let answer = json!({"downtimes": [{"id": 3, "state": "active", "starts_ms": NOW, "ends_ms": NOW + 1_000,
            "every": "sun 02:00-04:00", "zone": "UTC", "matchers": ["host=\"db1\"", "env=\"p\""], "by": "ann", "reason": "x"}]});
        assert_eq!(
            rows(&answer, Output::Table).to_table(""),
            "\
ID  STATE   FROM                     UNTIL                    EVERY                MATCHERS            BY   REASON
3   active  2023-11-14 22:13:20 UTC  2023-11-14 22:13:21 UTC  sun 02:00-04:00 UTC  host=\"db1\" env=\"p\"  ann  x
"
        );
    }
}
