//! `muster task` and `muster rollout`.

mod local;
mod progress;
mod show;

use serde_json::{Value, json};

use self::local::{read_file, read_key};
use super::Printed;
use super::hosts::escape;
use super::inventory::{printed, text};
use crate::arguments::{CallArguments, Output, RolloutArguments, RolloutVerb, SteerArguments, TaskVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::table::plain;
use muster_common::task::Order;

pub use self::local::run as run_local;

const ORDERS: &str = "/api/muster/v1/tasks/orders";

/// # Errors
/// [`Failure`] in the collector's words; a file that cannot be read.
pub async fn run(client: &Client, verb: &TaskVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        TaskVerb::List => {
            let answer = client.get(ORDERS).await?;
            let mut printed =
                printed(&answer, output, show::orders(&answer, output, now_ms), "nobody asked for a task yet");
            if let Some(why) = answer["paused"].as_str() {
                printed.notes.push(format!("all tasks are paused {}: muster task resume", plain(why)));
            }
            Ok(printed)
        }
        TaskVerb::Catalogue => {
            let answer = client.get("/api/muster/v1/tasks/catalogue").await?;
            Ok(show::catalogue(&answer, output, now_ms))
        }
        TaskVerb::Add { file } => {
            let document = read_file(file)?;
            let signature = read_file(&local::signature_path(file))?;
            let body = json!({"document": document, "signature": signature.trim()});
            let answer = client.post_json("/api/muster/v1/tasks/catalogue", &body).await?;
            Ok(show::catalogue(&answer, output, now_ms))
        }
        TaskVerb::Run(call) => {
            let mut body = call_body(call);
            body["canary"] = 0.into();
            body["batch"] = "100%".into();
            body["soak"] = "0s".into();
            ask(client, &body, call.wait, output, now_ms).await
        }
        TaskVerb::Show { order } => show_order(client, *order, output, now_ms).await,
        TaskVerb::Output { order, host, back } => {
            let step = u8::from(*back);
            let answer = client.get(&format!("{ORDERS}/{order}/output?host={}&step={step}", escape(host))).await?;
            Ok(show::output(&answer, output))
        }
        TaskVerb::Approve { order, key, name, yes } => {
            let key = read_key(key)?;
            let answer = client.get(&format!("{ORDERS}/{order}")).await?;
            let signed = answer["order"]["text"].as_str().unwrap_or_default();
            // What is signed is what is shown, and nothing that the collector says beside it.
            Order::parse(signed)
                .map_err(|error| Failure::Refused(format!("the collector's order {order}: {error}")))?;
            if !yes && !local::confirm(signed)? {
                return Err(Failure::Refused(format!("order {order} is not approved")));
            }
            let signature = key.sign(&Order::signed_bytes(signed)).to_string();
            let body = json!({"approver": name, "signature": signature});
            let answer = client.post_json(&format!("{ORDERS}/{order}/approve"), &body).await?;
            Ok(show::steered(&answer, output))
        }
        TaskVerb::Cancel(asked) => steer(client, "stop", asked, output).await,
        TaskVerb::Pause { reason } => {
            let answer = client.post_json("/api/muster/v1/tasks/pause", &json!({"reason": reason})).await?;
            Ok(show::or_json(&answer, output, || format!("all tasks are paused {}\n", plain(&text(&answer["paused"])))))
        }
        TaskVerb::Resume => {
            let answer = client.post_json("/api/muster/v1/tasks/resume", &json!({})).await?;
            Ok(show::or_json(&answer, output, || "tasks go on\n".to_owned()))
        }
        // Done before there is a client.
        TaskVerb::Sign { .. } | TaskVerb::Key(_) => Err(Failure::Usage("this needs no collector".to_owned())),
    }
}

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn rollout(client: &Client, verb: &RolloutVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        RolloutVerb::Start(asked) => ask(client, &rollout_body(asked), asked.call.wait, output, now_ms).await,
        RolloutVerb::Show { order, wait: false } => show_order(client, *order, output, now_ms).await,
        RolloutVerb::Show { order, wait: true } => wait(client, *order, output, now_ms).await,
        RolloutVerb::Pause(asked) => steer(client, "pause", asked, output).await,
        RolloutVerb::Resume(asked) => steer(client, "resume", asked, output).await,
        RolloutVerb::Stop(asked) => steer(client, "stop", asked, output).await,
        RolloutVerb::Rollback(asked) => steer(client, "rollback", asked, output).await,
    }
}

async fn ask(client: &Client, body: &Value, waits: bool, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let answer = client.post_json(ORDERS, body).await?;
    match answer["order"]["order"].as_u64().filter(|_| waits) {
        Some(order) => wait(client, order, output, now_ms).await,
        None => Ok(show::steered(&answer, output)),
    }
}

async fn wait(client: &Client, order: u64, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    progress::follow(client, &format!("{ORDERS}/{order}")).await?;
    show_order(client, order, output, now_ms).await
}

async fn show_order(client: &Client, order: u64, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let answer = client.get(&format!("{ORDERS}/{order}")).await?;
    Ok(show::order(&answer, output, now_ms))
}

async fn steer(client: &Client, verb: &str, asked: &SteerArguments, output: Output) -> Result<Printed, Failure> {
    let body = json!({"reason": asked.reason});
    let answer = client.post_json(&format!("{ORDERS}/{}/{verb}", asked.order), &body).await?;
    Ok(show::steered(&answer, output))
}

fn pairs(pairs: &[(String, String)]) -> Value {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn call_body(call: &CallArguments) -> Value {
    let mut body = json!({
        "task": call.task,
        "parameters": pairs(&call.set),
        "hosts": call.host,
        "matchers": call.on,
        "reason": call.reason,
    });
    if let Some(within) = &call.within {
        body["within"] = within.clone().into();
    }
    body
}

fn rollout_body(asked: &RolloutArguments) -> Value {
    let mut body = call_body(&asked.call);
    if let Some(back) = &asked.back {
        body["back"] = json!({"task": back, "parameters": pairs(&asked.back_set)});
    }
    body["canary"] = asked.canary.into();
    body["batch"] = asked.batch.clone().into();
    body["failures_max"] = asked.max_failures.into();
    body["on_trouble"] = asked.on_trouble.as_str().into();
    body["soak"] = asked.soak.clone().into();
    body["return_within"] = asked.return_within.clone().into();
    if let Some(within) = &asked.back_within {
        body["back_within"] = within.clone().into();
    }
    body
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Noun};

    #[test]
    fn a_rollout_is_asked_for_with_what_was_written_and_the_usual_else() {
        let line = "muster rollout start upgrade --on role=web --set package=nginx --back downgrade --back-set package=nginx --batch 10 --on-trouble roll-back";
        let Noun::Rollout(RolloutVerb::Start(asked)) = Arguments::try_parse_from(line.split(' ')).unwrap().noun else {
            panic!("a start")
        };
        let body = rollout_body(&asked);
        let expected = json!({
            "task": "upgrade", "parameters": {"package": "nginx"}, "hosts": [], "matchers": ["role=web"], "reason": "",
            "back": {"task": "downgrade", "parameters": {"package": "nginx"}}, "canary": 1, "batch": "10",
            "failures_max": 0, "on_trouble": "roll_back", "soak": "1m", "return_within": "10m",
        });
        assert_eq!(body, expected);
        assert!(Arguments::try_parse_from("muster task run restart".split(' ')).is_err(), "on no host");
    }
}
