//! `muster services`: what is declared, and which version is where.

use serde_json::Value;

use super::Printed;
use super::inventory::{list, printed, text};
use crate::arguments::Output;
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::coarse;

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, output: Output) -> Result<Printed, Failure> {
    let answer = client.get("/api/muster/v1/services").await?;
    let mut printed =
        printed(&answer, output, rows(&answer, output), "no service is declared: declare some in deploy.toml");
    printed.notes.extend(notes(&answer));
    Ok(printed)
}

/// Hosts that a service has and that are in no environment.
fn notes(answer: &Value) -> Vec<String> {
    let outside = list(&answer["services"]).iter().filter(|service| service["outside"].as_u64() > Some(0));
    let note = |service: &Value| {
        let (count, name) = (text(&service["outside"]), text(&service["name"]));
        format!("{count} hosts of {name} have no label env: set it by `muster hosts label HOST env=...`")
    };
    outside.map(note).collect()
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows = Rows::new(&["SERVICE", "ENV", ">HOSTS", "VERSION", ">ON", "SOAKED", "RUNNING", "FROZEN", "AFTER"]);
    for service in list(&answer["services"]) {
        let name = text(&service["name"]);
        if list(&service["environments"]).is_empty() {
            rows.rows.push([name.as_str(), "", "0", "", "", "", "", "", ""].map(str::to_owned).to_vec());
        }
        for environment in list(&service["environments"]) {
            let running: Vec<String> = list(&environment["running"]).iter().map(text).collect();
            let after: Vec<String> = list(&environment["after"]).iter().map(text).collect();
            let frozen = &environment["frozen"];
            let lifted = if frozen["override"].is_null() { "" } else { " (lifted)" };
            let frozen =
                if frozen.is_null() { String::new() } else { format!("{}{lifted}", text(&frozen["freeze"]["id"])) };
            let first = [text(&environment["env"]), text(&environment["hosts"])];
            let last = [running.join(" "), frozen, after.join(" ")];
            let mut row = |[version, on, soaked]: [String; 3]| {
                let row = std::iter::once(name.clone()).chain(first.clone()).chain([version, on, soaked]);
                rows.rows.push(row.chain(last.clone()).collect());
            };
            for seen in list(&environment["versions"]) {
                let soaked = match (seen["soaked_ms"].as_u64(), output) {
                    (Some(ms), Output::Csv) => ms.to_string(),
                    (Some(ms), _) => coarse(ms),
                    (None, _) => String::new(),
                };
                row([text(&seen["version"]), list(&seen["hosts"]).len().to_string(), soaked]);
            }
            if list(&environment["versions"]).is_empty() {
                row([String::new(), String::new(), String::new()]);
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_has_a_row_for_each_version_in_each_environment() {
        let frozen = json!({"freeze": {"id": "weekend"}, "until_ms": 1, "override": null});
        let environment = |env: &str, versions: Value| json!({"env": env, "hosts": 2, "after": ["test"], "soak_ms": 1, "versions": versions, "running": [7], "frozen": frozen});
        let version = |version: &str, hosts: &[&str]| json!({"version": version, "hosts": hosts, "soaked_ms": 5_000});
        let staging = environment("staging", json!([version("1.1", &["a"]), version("1.0", &["b"])]));
        let answer = json!({"services": [
            {"name": "shop", "outside": 1, "environments": [environment("production", json!([])), staging]},
            {"name": "till", "outside": 0, "environments": []},
        ]});
        let shown: Vec<String> = rows(&answer, Output::Csv).rows.iter().map(|row| row.join("|")).collect();
        let expect = [
            "shop|production|2||||7|weekend|test",
            "shop|staging|2|1.1|1|5000|7|weekend|test",
            "shop|staging|2|1.0|1|5000|7|weekend|test",
            "till||0||||||",
        ];
        assert_eq!(shown, expect);
        assert_eq!(notes(&answer), ["1 hosts of shop have no label env: set it by `muster hosts label HOST env=...`"]);
    }
}
