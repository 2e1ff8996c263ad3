//! `muster deploy start|finish|list`.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use super::inventory::{list, printed, text};
use crate::arguments::{DeployFinish, DeployList, DeployStart, DeployVerb, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::moment;

const PATH: &str = "/api/muster/v1/deploys";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &DeployVerb, output: Output) -> Result<Printed, Failure> {
    let answer = match verb {
        DeployVerb::List(asked) => {
            let answer = client.get(&format!("{PATH}?{}", query(asked))).await?;
            let mut printed = printed(&answer, output, rows(&answer, output), "nothing was deployed");
            if answer["next"].is_u64() {
                printed.notes.push(format!("these are the newest {}, and there are more: ask for fewer", asked.limit));
            }
            return Ok(printed);
        }
        DeployVerb::Start(asked) => client.post_json(PATH, &begin(asked)).await?,
        DeployVerb::Finish(asked) => {
            let (path, body) = end(asked);
            client.post_json(&path, &body).await?
        }
    };
    let notes = notes(&answer);
    let printed = match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows(&json!({"deploys": [answer["deploy"]]}), output).to_csv()),
        Output::Table | Output::Raw => Printed::text(format!("{}\n", words(&answer["deploy"]))),
    };
    Ok(Printed { notes, ..printed })
}

fn query(asked: &DeployList) -> String {
    let texts =
        [("service", &asked.service), ("env", &asked.env), ("version", &asked.version), ("state", &asked.state)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some(format!("&{name}={}", escape(text.as_ref()?))));
    format!("limit={}{}", asked.limit, texts.collect::<String>())
}

fn begin(asked: &DeployStart) -> Value {
    let DeployStart { service, version, env, hosts, link, note, key } = asked;
    json!({
        "service": service, "version": version, "env": env, "hosts": hosts, "link": link, "note": note, "key": key,
    })
}

/// The path, and the body.
fn end(asked: &DeployFinish) -> (String, Value) {
    let mut body = json!({"result": asked.result.as_str(), "note": asked.note});
    if let Some(id) = asked.id {
        return (format!("{PATH}/{id}/finish"), body);
    }
    let named = [("key", &asked.key), ("service", &asked.service), ("env", &asked.env), ("version", &asked.version)];
    for (name, value) in named {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    (format!("{PATH}/finish"), body)
}

/// What whoever told of a deploy should know: that it goes out in a freeze, or in place of another.
fn notes(answer: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    if answer["is_new"] == false {
        notes.push("this was told before, and nothing changed".to_owned());
    }
    let (frozen, lifted) = (&answer["frozen"]["freeze"], &answer["frozen"]["override"]);
    if !frozen.is_null() {
        notes.push(match lifted.is_null() {
            true => format!("freeze {} is on: {}", text(&frozen["id"]), text(&frozen["reason"])),
            false => format!("freeze {} is on, lifted by {}", text(&frozen["id"]), text(&lifted["by"])),
        });
    }
    for id in list(&answer["superseded"]) {
        notes.push(format!("deploy {} ran on these hosts, and is given up", text(id)));
    }
    notes
}

fn words(deploy: &Value) -> String {
    let [id, service, version, env, state] = ["id", "service", "version", "env", "state"].map(|key| text(&deploy[key]));
    format!("deploy {id} of {service} {version} to {env} is {}", state.replace('_', " "))
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows = Rows::new(&["ID", "STATE", "SERVICE", "VERSION", "ENV", "BEGAN", "ENDED", "HOSTS", "BY", "NOTE"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => moment(at_ms),
        (None, _) => String::new(),
    };
    for one in list(&answer["deploys"]) {
        let [id, state, service, version, env, by, note] =
            ["id", "state", "service", "version", "env", "by", "note"].map(|key| text(&one[key]));
        let hosts: Vec<String> = list(&one["hosts"]).iter().map(text).collect();
        let hosts = if one["hosts"].is_null() { "all".to_owned() } else { hosts.join(" ") };
        let package = text(&one["package"]);
        let note = match (one["unannounced"] == true, package.is_empty()) {
            (true, _) => format!("unannounced: package {package} changed"),
            (false, false) => format!("package {package} changed, {}", text(&one["announced"])),
            (false, true) => note,
        };
        let (began, ended) = (time(&one["started_ms"]), time(&one["ended_ms"]));
        rows.rows.push(vec![id, state, service, version, env, began, ended, hosts, by, note]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::DeployResultName;

    #[test]
    fn a_finish_names_its_deploy_by_number_key_or_service() {
        let asked = |id: Option<u64>, key: Option<&str>, service: Option<&str>| DeployFinish {
            id,
            result: DeployResultName::RolledBack,
            key: key.map(str::to_owned),
            service: service.map(str::to_owned),
            env: service.map(|_| "production".to_owned()),
            version: None,
            note: "n".into(),
        };
        let body = |more: Value| {
            let mut body = json!({"result": "rolled_back", "note": "n"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        assert_eq!(end(&asked(Some(7), None, None)), (format!("{PATH}/7/finish"), body(json!({}))));
        assert_eq!(end(&asked(None, Some("run 7"), None)), (format!("{PATH}/finish"), body(json!({"key": "run 7"}))));
        let named = body(json!({"service": "shop", "env": "production"}));
        assert_eq!(end(&asked(None, None, Some("shop"))), (format!("{PATH}/finish"), named));
    }

    #[test]
    fn filters_are_escaped() {
        let asked =
            DeployList { service: None, env: Some("a b".into()), version: Some("1&2".into()), state: None, limit: 5 };
        assert_eq!(query(&asked), "limit=5&env=a%20b&version=1%262");
    }

    #[test]
    fn what_goes_out_in_a_freeze_or_in_place_of_another_is_said() {
        let answer = json!({"is_new": true, "superseded": [3], "frozen": {"freeze": {"id": "weekend", "reason": "nobody is there"}, "override": null}});
        let expect = ["freeze weekend is on: nobody is there", "deploy 3 ran on these hosts, and is given up"];
        assert_eq!(notes(&answer), expect);
        let lifted = json!({"is_new": false, "frozen": {"freeze": {"id": "1"}, "override": {"by": "user:ann"}}});
        assert_eq!(notes(&lifted), ["this was told before, and nothing changed", "freeze 1 is on, lifted by user:ann"]);
        assert!(notes(&json!({"is_new": true, "superseded": [], "frozen": null})).is_empty());
    }

    #[test]
    fn deploys_stand_in_columns() {
        let one = json!({"id": 2, "state": "ok", "service": "shop", "version": "1.1", "env": "staging", "started_ms": 1_000,
            "ended_ms": null, "hosts": null, "by": "token:3f", "note": "n", "package": null, "unannounced": false});
        let package = json!({"id": 1, "state": "ok", "service": "shop", "version": "1.0", "env": "staging", "started_ms": 1_000,
            "ended_ms": 2_000, "hosts": ["web1", "web2"], "by": "agent", "note": null, "package": "shop", "unannounced": true});
        let shown = rows(&json!({"deploys": [one, package]}), Output::Csv);
        assert_eq!(shown.rows[0].join("|"), "2|ok|shop|1.1|staging|1000||all|token:3f|n");
        assert_eq!(
            shown.rows[1].join("|"),
            "1|ok|shop|1.0|staging|1000|2000|web1 web2|agent|unannounced: package shop changed"
        );
        let told = json!({"id": 2, "service": "shop", "version": "1.1", "env": "staging", "state": "rolled_back"});
        assert_eq!(words(&told), "deploy 2 of shop 1.1 to staging is rolled back");
    }
}
