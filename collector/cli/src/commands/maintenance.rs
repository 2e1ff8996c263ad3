//! `muster maintenance start|finish|list`.

use serde_json::{Value, json};

use super::Printed;
use super::inventory::{list, printed, text};
use crate::arguments::{MaintenanceStart, MaintenanceVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_moment, parse_positive_span};

const PATH: &str = "/api/muster/v1/maintenances";

/// # Errors
/// [`Failure`] in the collector's words, or when a time is none.
pub async fn run(client: &Client, verb: &MaintenanceVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let (answer, done) = match verb {
        MaintenanceVerb::List { all } => {
            let path = if *all { format!("{PATH}?closed=true") } else { PATH.to_owned() };
            let answer = client.get(&path).await?;
            return Ok(printed(&answer, output, rows(&answer, output), "no maintenance is under way"));
        }
        MaintenanceVerb::Start(asked) => (
            client.post_json(PATH, &body(asked, now_ms)?).await?,
            "has begun; finish it by this number when the work is done",
        ),
        MaintenanceVerb::Finish { id } => {
            let answer = client.post_json(&format!("{PATH}/{id}/finish"), &json!({})).await?;
            (answer, "is finished; what has not returned when health has had its time is told")
        }
    };
    let one = json!({"maintenances": [answer["maintenance"]]});
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows(&one, output).to_csv()),
        Output::Table | Output::Raw => Printed::text(format!("maintenance {} {done}\n", answer["maintenance"]["id"])),
    })
}

fn body(asked: &MaintenanceStart, now_ms: i64) -> Result<Value, Failure> {
    let ends_ms = match (&asked.until, &asked.span) {
        (Some(until), _) => parse_moment(until, now_ms)?,
        (None, Some(span)) => now_ms.saturating_add(parse_positive_span("--for", span)?),
        (None, None) => return Err(Failure::Usage("a maintenance has an end: write --for or --until".to_owned())),
    };
    let grace_ms = parse_positive_span("--grace", &asked.grace)?;
    let (name, hosts, matchers) = (&asked.name, &asked.hosts, &asked.matchers);
    Ok(json!({"name": name, "hosts": hosts, "matchers": matchers, "ends_ms": ends_ms, "grace_ms": grace_ms}))
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "STATE", "NAME", "BEGUN", "EXPECTED END", "HOSTS", "BY", "OF", "NOT RETURNED"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => moment(at_ms),
        (None, _) => String::new(),
    };
    for one in list(&answer["maintenances"]) {
        let about: Vec<String> = list(&one["hosts"]).iter().chain(list(&one["matchers"])).map(text).collect();
        let left = list(&one["unreturned"]).iter().map(|left| match text(&left["check"]).as_str() {
            "" => text(&left["host"]),
            check => format!("{}/{check}", text(&left["host"])),
        });
        let left: Vec<String> = left.collect();
        let [id, state, name, by, of] = ["id", "state", "name", "by", "reference"].map(|key| text(&one[key]));
        let times = [time(&one["begun_ms"]), time(&one["ends_ms"])];
        let [begun, ends] = times;
        rows.rows.push(vec![id, state, name, begun, ends, about.join(" "), by, of, left.join(" ")]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maintenance_has_an_end_and_shows_what_has_not_returned() {
        let asked = MaintenanceStart {
            name: "new kernel".into(),
            hosts: vec!["db1".into()],
            matchers: vec!["role=web".into()],
            span: Some("1h".into()),
            until: None,
            grace: "2m".into(),
        };
        let made = body(&asked, 60_000).unwrap();
        assert_eq!((made["ends_ms"].as_i64(), made["grace_ms"].as_i64()), (Some(3_660_000), Some(120_000)));
        assert!(body(&MaintenanceStart { span: None, ..asked }, 0).is_err());
        let left = json!([{"host": "db1", "check": null}, {"host": "web1", "check": "disk"}]);
        let one = json!({"id": 4, "state": "not_recovered", "name": "new kernel", "hosts": ["db1"], "matchers": ["role=\"web\""],
            "begun_ms": 0, "ends_ms": 60_000, "by": "user:ann", "reference": "task 7 wave 2", "unreturned": left});
        let shown = rows(&json!({"maintenances": [one]}), Output::Csv);
        assert_eq!(
            shown.rows[0].join("|"),
            "4|not_recovered|new kernel|0|60000|db1 role=\"web\"|user:ann|task 7 wave 2|db1 web1/disk"
        );
    }
}
