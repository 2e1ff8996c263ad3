//! `muster freeze list|new|end|override`.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use super::inventory::{list, printed, text};
use crate::arguments::{FreezeNew, FreezeVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_moment, parse_positive_span};

const PATH: &str = "/api/muster/v1/freezes";

/// # Errors
/// [`Failure`] in the collector's words, or when a time is none.
pub async fn run(client: &Client, verb: &FreezeVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let (answer, done) = match verb {
        FreezeVerb::List => {
            let answer = client.get(PATH).await?;
            return Ok(printed(&answer, output, rows(&answer, output), "nothing is frozen, now or later"));
        }
        FreezeVerb::New(asked) => (client.post_json(PATH, &body(asked, now_ms)?).await?, "is made"),
        FreezeVerb::End { id } => (client.delete(&format!("{PATH}/{}", escape(id))).await?, "has ended"),
        FreezeVerb::Override(asked) => {
            let (service, env, reason, span) = (&asked.service, &asked.env, &asked.reason, &asked.span);
            let body = json!({"service": service, "env": env, "reason": reason, "for": span});
            let answer = client.post_json(&format!("{PATH}/override"), &body).await?;
            let lifted = &answer["override"];
            let until = lifted["until_ms"].as_i64().map(moment).unwrap_or_default();
            let words = format!("freeze {} is lifted for {service} in {env} until {until}\n", text(&lifted["freeze"]));
            return Ok(if output == Output::Json { Printed::json(&answer) } else { Printed::text(words) });
        }
    };
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows(&json!({"freezes": [answer["freeze"]]}), output).to_csv()),
        Output::Table | Output::Raw => Printed::text(format!("freeze {} {done}\n", text(&answer["freeze"]["id"]))),
    })
}

fn body(asked: &FreezeNew, now_ms: i64) -> Result<Value, Failure> {
    let from_ms = asked.from.as_ref().map_or(Ok(now_ms), |from| parse_moment(from, now_ms))?;
    let to_ms = match (&asked.until, &asked.span) {
        (Some(until), _) => Some(parse_moment(until, now_ms)?),
        (None, Some(span)) => Some(from_ms.saturating_add(parse_positive_span("--for", span)?)),
        (None, None) if asked.every.is_some() => None,
        (None, None) => {
            return Err(Failure::Usage("a freeze has an end: write --for or --until, or --every".to_owned()));
        }
    };
    Ok(json!({
        "matchers": asked.matchers, "reason": asked.reason, "from_ms": from_ms, "to_ms": to_ms,
        "every": asked.every, "zone": asked.every.as_ref().map(|_| &asked.zone),
    }))
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "ON", "FROM", "UNTIL", "EVERY", "MATCHERS", "SOURCE", "BY", "REASON"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => moment(at_ms),
        (None, _) => String::new(),
    };
    for one in list(&answer["freezes"]) {
        let [id, every, zone, source, by, reason] =
            ["id", "every", "zone", "source", "by", "reason"].map(|key| text(&one[key]));
        let matchers: Vec<String> = list(&one["matchers"]).iter().map(text).collect();
        let is_on = if one["is_on"] == true { "yes" } else { "no" };
        rows.rows.push(vec![
            id,
            is_on.to_owned(),
            time(&one["from_ms"]),
            time(&one["to_ms"]),
            format!("{every} {zone}").trim().to_owned(),
            matchers.join(" "),
            source,
            by,
            reason,
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> FreezeNew {
        FreezeNew {
            matchers: vec!["env=production".into()],
            reason: "holidays".into(),
            from: None,
            span: Some("2h".into()),
            until: None,
            every: None,
            zone: "UTC".into(),
        }
    }

    #[test]
    fn a_freeze_has_an_end_unless_it_comes_again() {
        let once = body(&asked(), 1_000).unwrap();
        assert_eq!(
            (once["from_ms"].as_i64(), once["to_ms"].as_i64(), &once["zone"]),
            (Some(1_000), Some(7_201_000), &Value::Null)
        );
        assert!(body(&FreezeNew { span: None, ..asked() }, 0).is_err());
        let weekly =
            FreezeNew { span: None, every: Some("fri 16:00-00:00".into()), zone: "Europe/Berlin".into(), ..asked() };
        let weekly = body(&weekly, 0).unwrap();
        assert_eq!((&weekly["to_ms"], text(&weekly["zone"]).as_str()), (&Value::Null, "Europe/Berlin"));
    }

    #[test]
    fn freezes_stand_in_columns() {
        let one = json!({"id": "weekend", "is_on": true, "from_ms": null, "to_ms": 5_000, "every": "fri 16:00-00:00", "zone": "UTC",
            "matchers": ["env=\"production\""], "source": "file", "by": null, "reason": "nobody is there"});
        let shown = rows(&json!({"freezes": [one]}), Output::Csv);
        assert_eq!(
            shown.rows[0].join("|"),
            "weekend|yes||5000|fri 16:00-00:00 UTC|env=\"production\"|file||nobody is there"
        );
    }
}
