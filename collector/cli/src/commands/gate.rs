//! `muster gate`: may this version go there. Exit code 0 go, 1 no-go, 2 unknown or nothing could be learnt, so that a pipeline goes on at 0 alone.

use std::io::Write;
use std::time::Duration;

use muster_common::time::monotonic;
use serde_json::{Value, json};

use super::Printed;
use super::checks::{array, word};
use super::hosts::escape;
use crate::arguments::{GateArguments, GateVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{moment, parse_positive_span};

const PATH: &str = "/api/muster/v1/gate";
/// How often the collector is asked while one waits: hosts tell of themselves every ten seconds.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// # Errors
/// [`Failure`] in the collector's words; whatever it is, nothing is known then, which is exit code 2.
pub async fn run(client: &Client, asked: &GateArguments, output: Output) -> Result<Printed, Failure> {
    match &asked.verb {
        None => wait(client, asked, output).await.map_err(unknown),
        Some(GateVerb::Decisions { service, limit }) => {
            let service = service.as_ref().map(|name| format!("&service={}", escape(name))).unwrap_or_default();
            let answer = client.get(&format!("{PATH}/decisions?limit={limit}{service}")).await?;
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(decisions(&answer).to_csv()),
                Output::Table | Output::Raw => {
                    Printed::text(decisions(&answer).to_table("the gate has decided nothing yet"))
                }
            })
        }
        Some(GateVerb::Replay { id }) => {
            let answer = client.get(&format!("{PATH}/decisions/{id}/replay")).await?;
            Ok(replayed(&answer, output))
        }
    }
}

/// A refusal is no no-go: the gate was not asked.
fn unknown(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(text) => Failure::Unknown(text),
        other => other,
    }
}

async fn wait(client: &Client, asked: &GateArguments, output: Output) -> Result<Printed, Failure> {
    let span = asked.wait.as_deref().map(|text| parse_positive_span("--wait", text)).transpose()?;
    let begun = monotonic();
    let end = Duration::from_millis(span.and_then(|span| u64::try_from(span).ok()).unwrap_or(0));
    let mut told = String::new();
    loop {
        let answer = ask(client, asked).await;
        let left = end.saturating_sub(monotonic().saturating_sub(begun));
        let is_open = match &answer {
            Ok(answer) => word(answer, "verdict") == "unknown",
            // A collector that restarts is asked again.
            Err(Failure::Unknown(_)) => true,
            Err(_) => false,
        };
        if !is_open || left.is_zero() {
            return answer.map(|answer| printed(&answer, output));
        }
        tell(&answer, &mut told);
        tokio::time::sleep(ASK_EVERY.min(left)).await;
    }
}

async fn ask(client: &Client, asked: &GateArguments) -> Result<Value, Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (service, version, to) = (text(&asked.service), text(&asked.version), text(&asked.to));
    if asked.overrides {
        let body = json!({
            "service": service,
            "version": version,
            "to": to,
            "rollback": asked.rollback,
            "reason": text(&asked.reason),
            "codes": asked.lift,
        });
        return client.post_json(PATH, &body).await;
    }
    let [service, version, to] = [service, version, to].map(|text| escape(&text));
    let rollback = if asked.rollback { "&rollback=true" } else { "" };
    client.get(&format!("{PATH}?service={service}&version={version}&to={to}{rollback}")).await
}

/// Says on standard error what is waited for, when that is news.
fn tell(answer: &Result<Value, Failure>, told: &mut String) {
    let news = match answer {
        Ok(answer) => {
            let reasons = array(answer, "reasons").iter().filter(|reason| word(reason, "effect") == "unknown");
            reasons.map(|reason| word(reason, "text")).collect::<Vec<_>>().join("; ")
        }
        Err(failure) => failure.to_string(),
    };
    // Times in it change with each look, and say nothing new.
    let shape = |text: &str| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    if shape(&news) != shape(told) {
        // Where nobody reads it nobody misses it.
        let _ = writeln!(std::io::stderr(), "waiting: {news}");
        *told = news;
    }
}

fn printed(answer: &Value, output: Output) -> Printed {
    let rows = reasons(array(answer, "reasons"));
    let printed = match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows.to_csv()),
        Output::Table | Output::Raw => {
            let none = "nothing speaks against it";
            Printed::text(format!("{}\n\n{}", headline(answer), rows.to_table(none)))
        }
    };
    let verdict = word(answer, "verdict");
    Printed { is_problem: verdict == "no-go", is_unknown: !matches!(verdict, "go" | "no-go"), ..printed }
}

fn headline(answer: &Value) -> String {
    let (verdict, asked) = (word(answer, "verdict"), &answer["decision"]);
    let [service, version, to] = ["service", "version", "to"].map(|name| word(asked, name));
    let verb = if asked["rollback"] == true { "rollback of" } else { "deploy of" };
    format!("{verdict}: {verb} {service} {version} to {to} (decision {})", asked["id"])
}

fn reasons(reasons: &[Value]) -> Rows {
    let mut rows = Rows::new(&["EFFECT", "CODE", "WHY", "SEE"]);
    for reason in reasons {
        let effect = if reason["lifted"] == true { "lifted" } else { word(reason, "effect") };
        let cells = [effect, word(reason, "code"), word(reason, "text"), word(reason, "evidence")];
        rows.rows.push(cells.map(str::to_owned).to_vec());
    }
    rows
}

fn decisions(answer: &Value) -> Rows {
    let mut rows = Rows::new(&[">DECISION", "AT", "SERVICE", "VERSION", "TO", "VERDICT", "CODES", "BY"]);
    for one in array(answer, "decisions") {
        let words = |name: &str| array(one, name).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
        let mut codes = words("codes");
        let lifted = words("lifted");
        if !lifted.is_empty() {
            codes = format!("{codes} lifted: {lifted}").trim_start().to_owned();
        }
        let verdict = format!("{}{}", word(one, "verdict"), if one["rollback"] == true { ", rollback" } else { "" });
        let at = moment(one["at_ms"].as_i64().unwrap_or(0));
        let [service, version, to, by] = ["service", "version", "to", "by"].map(|name| word(one, name).to_owned());
        rows.rows.push(vec![one["id"].to_string(), at, service, version, to, verdict, codes, by]);
    }
    rows
}

fn replayed(answer: &Value, output: Output) -> Printed {
    let is_same = answer["same"] == true;
    let printed = match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(reasons(array(answer, "reasons")).to_csv()),
        Output::Table | Output::Raw => {
            let mut text = format!("{}\n\n", headline(answer));
            text.push_str(&reasons(array(answer, "reasons")).to_table("nothing spoke against it"));
            text.push_str(&match is_same {
                true => "\nits facts say the same now\n".to_owned(),
                false => {
                    let again = &answer["again"];
                    let rows = reasons(array(again, "reasons")).to_table("nothing speaks against it");
                    format!("\nits facts say {} now\n\n{rows}", word(again, "verdict"))
                }
            });
            Printed::text(text)
        }
    };
    Printed { is_problem: !is_same, ..printed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(verdict: &str) -> Value {
        let reason = json!({
            "code": "problem", "effect": "no-go", "text": "DiskFull of web1", "evidence": "/alerts/7", "waivable": true,
            "lifted": verdict == "go",
        });
        let asked = json!({"id": 4, "service": "shop", "version": "8.1", "to": "production", "rollback": false});
        json!({"verdict": verdict, "reasons": [reason], "decision": asked})
    }

    #[test]
    fn each_verdict_has_its_exit_code() {
        for (verdict, is_problem, is_unknown) in
            [("go", false, false), ("no-go", true, false), ("unknown", false, true), ("", false, true)]
        {
            for output in [Output::Table, Output::Json, Output::Csv] {
                let printed = printed(&answer(verdict), output);
                assert_eq!((printed.is_problem, printed.is_unknown), (is_problem, is_unknown), "{verdict}");
            }
        }
        assert!(matches!(unknown(Failure::Refused("x".into())), Failure::Unknown(_)));
    }

    #[test]
    fn reasons_are_shown_with_where_they_are_seen_and_what_was_lifted() {
        assert_eq!(
            printed(&answer("no-go"), Output::Table).text,
            "no-go: deploy of shop 8.1 to production (decision 4)\n\n\
             EFFECT  CODE     WHY               SEE\n\
             no-go   problem  DiskFull of web1  /alerts/7\n"
        );
        assert!(printed(&answer("go"), Output::Table).text.contains("\nlifted  problem"));
    }

    #[test]
    fn decisions_and_what_their_facts_say_now_are_told() {
        let one = json!({
            "id": 4, "at_ms": 0, "by": "user:ann", "service": "shop", "version": "8", "to": "production",
            "rollback": true, "verdict": "go", "codes": [], "lifted": ["freeze"],
        });
        let rows = decisions(&json!({"decisions": [one]}));
        assert_eq!(rows.rows[0][5..], ["go, rollback", "lifted: freeze", "user:ann"]);

        let mut kept = answer("no-go");
        (kept["same"], kept["again"]) = (json!(true), json!({"verdict": "no-go", "reasons": []}));
        let same = replayed(&kept, Output::Table);
        assert!(!same.is_problem && same.text.ends_with("its facts say the same now\n"), "{}", same.text);
        (kept["same"], kept["again"]) = (json!(false), json!({"verdict": "go", "reasons": []}));
        let other = replayed(&kept, Output::Table);
        assert!(other.is_problem && other.text.contains("its facts say go now\n\nnothing speaks against it"));
    }
}
