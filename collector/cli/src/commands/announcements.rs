//! `muster changes announce|announced|end`.

use serde_json::{Value, json};

use super::Printed;
use super::inventory::{list, printed, text};
use crate::arguments::{AnnounceArguments, ChangesVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_moment, parse_positive_span};

const PATH: &str = "/api/muster/v1/announcements";

/// # Errors
/// [`Failure`] in the collector's words, or when a time is none.
pub async fn run(client: &Client, verb: &ChangesVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let (answer, done) = match verb {
        ChangesVerb::Announced => {
            let answer = client.get(PATH).await?;
            return Ok(printed(&answer, output, rows(&answer, output), "nothing is announced"));
        }
        ChangesVerb::Announce(asked) => (client.post_json(PATH, &body(asked, now_ms)?).await?, "is made"),
        ChangesVerb::End { id } => (client.delete(&format!("{PATH}/{id}")).await?, "has ended"),
    };
    let one = json!({"announcements": [answer["announcement"]]});
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows(&one, output).to_csv()),
        Output::Table | Output::Raw => Printed::text(format!("announcement {} {done}\n", answer["announcement"]["id"])),
    })
}

fn body(asked: &AnnounceArguments, now_ms: i64) -> Result<Value, Failure> {
    let from_ms = asked.from.as_ref().map_or(Ok(now_ms), |from| parse_moment(from, now_ms))?;
    let to_ms = match (&asked.until, &asked.span) {
        (Some(until), _) => parse_moment(until, now_ms)?,
        (None, Some(span)) => from_ms.saturating_add(parse_positive_span("--for", span)?),
        (None, None) => return Err(Failure::Usage("an announcement has an end: write --for or --until".to_owned())),
    };
    let (hosts, matchers, reason) = (&asked.hosts, &asked.matchers, &asked.reason);
    Ok(json!({"hosts": hosts, "matchers": matchers, "from_ms": from_ms, "to_ms": to_ms, "reason": reason}))
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "STATE", "FROM", "UNTIL", "HOSTS", "BY", "REASON"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => moment(at_ms),
        (None, _) => String::new(),
    };
    for one in list(&answer["announcements"]) {
        let about: Vec<String> = list(&one["hosts"]).iter().chain(list(&one["matchers"])).map(text).collect();
        let [id, state, by, reason] = ["id", "state", "by", "reason"].map(|key| text(&one[key]));
        rows.rows.push(vec![id, state, time(&one["from_ms"]), time(&one["to_ms"]), about.join(" "), by, reason]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_has_an_end_and_shows_whom_it_is_about() {
        let asked = AnnounceArguments {
            hosts: vec!["db1".into()],
            matchers: vec!["role=web".into()],
            reason: "CVE".into(),
            from: Some("1970-01-01T00:01:00Z".into()),
            span: Some("1h".into()),
            until: None,
        };
        let made = body(&asked, 90_000).unwrap();
        assert_eq!((made["from_ms"].as_i64(), made["to_ms"].as_i64()), (Some(60_000), Some(3_660_000)));
        assert!(body(&AnnounceArguments { span: None, ..asked }, 0).is_err());
        let one = json!({"id": 4, "state": "active", "hosts": ["db1"], "matchers": ["role=\"web\""], "from_ms": 0,
            "to_ms": 60_000, "by": "user:ann", "reason": "CVE"});
        let shown = rows(&json!({"announcements": [one]}), Output::Csv);
        assert_eq!(shown.rows[0].join("|"), "4|active|0|60000|db1 role=\"web\"|user:ann|CVE");
    }
}
