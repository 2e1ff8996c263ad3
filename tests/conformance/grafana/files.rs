//! The files that Grafana is given: they fit each other, and the collector answers what stands in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use serde_json::Value;

use super::annotations::{annotations, until_tagged};
use super::client::{self, Times};
use crate::e2e::LIMIT;

fn file(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/grafana").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of every `key: VALUE` line, in order.
fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).collect()
}

fn uids(json: &Value, found: &mut BTreeSet<String>) {
    match json {
        Value::Object(map) => {
            found.extend(map.get("datasource").and_then(|source| source["uid"].as_str()).map(str::to_owned));
            map.values().for_each(|value| uids(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| uids(value, found)),
        _ => {}
    }
}

#[test]
fn the_data_sources_have_one_address_no_secret_and_the_dashboards_names() {
    let text = file("provisioning/datasources/muster.yaml");
    assert_eq!(values(&text, "type"), ["prometheus", "loki", "alertmanager"]);
    assert_eq!(values(&text, "url")[0], "$MUSTER_URL");
    assert_eq!(values(&text, "url").iter().filter(|url| **url == "$MUSTER_URL").count(), 3);
    assert_eq!(values(&text, "httpHeaderValue1"), ["Bearer $__file{/etc/grafana/muster.token}"; 3]);
    assert_eq!(values(&text, "tlsCACert"), ["$__file{/etc/grafana/muster-ca.pem}"; 3]);
    assert_eq!(
        (values(&text, "implementation"), values(&text, "manageAlerts")),
        (vec!["prometheus"], vec!["true", "false"])
    );
    let dashboard: Value = serde_json::from_str(&file("dashboards/muster-host.json")).unwrap();
    let mut used = BTreeSet::new();
    uids(&dashboard, &mut used);
    let there = values(&text, "uid");
    assert!(used.len() == 2 && used.iter().all(|uid| there.contains(&uid.as_str())), "{used:?} of {there:?}");
    // The link of a line leads to it.
    assert!(text.contains(&format!("/d/{}?var-host=$${{__value.raw}}", dashboard["uid"].as_str().unwrap())));
    assert_eq!(values(&file("provisioning/dashboards/muster.yaml"), "path"), ["/var/lib/grafana/dashboards/muster"]);
}

/// The expressions of a dashboard's panels: data source, expression.
fn targets(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let all = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|target| (text(&target["datasource"]["type"]), text(&target["expr"]))).collect()
}

#[test]
fn our_dashboard_shows_a_real_host_and_the_events_of_that_host_alone() {
    let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "web2").unwrap();
    let log = folder.path().join("app.log");
    std::fs::write(&log, "level=info first\n").unwrap();
    let config = folder.path().join("agent.toml");
    let text = format!(
        "[metrics]\ninterval = \"1s\"\n[[logs]]\npaths = [\"{}\"]\nfrom = \"start\"\n\
         [[checks]]\nname = \"load\"\nkind = \"load\"\nwarn = \"1000\"\ncrit = \"2000\"\ninterval = \"1s\"\nretry = \"1s\"\n",
        log.display()
    );
    std::fs::write(&config, text).unwrap();
    let _agent = home.start_with(&["--config".to_owned(), config.to_string_lossy().into_owned()]).unwrap();
    let dashboard: Value = serde_json::from_str(&file("dashboards/muster-host.json")).unwrap();
    let variable = &dashboard["templating"]["list"][0];
    assert_eq!(
        (&variable["name"], &variable["query"]["query"]),
        (&"host".into(), &"label_values(node_uname_info, host)".into())
    );
    let host = until("the host", LIMIT, || {
        let answer =
            client::prometheus(&collector, "GET", "/api/v1/label/host/values", &[("match[]", "node_uname_info")])?;
        Ok(answer.json()?["data"][0].as_str().map(str::to_owned))
    });
    let host = host.unwrap();
    assert_eq!(host, "web1");

    let all = targets(&dashboard);
    assert!(all.len() > 15, "{}", all.len());
    for (source, expression) in all {
        let filled = expression
            .replace("$host", &host)
            .replace("$search", "")
            .replace("$__rate_interval", "4s")
            .replace("$__auto", "1m");
        until(&filled, LIMIT, || {
            let Times { start_s, end_s } = Times::last(60);
            let (start, end) = (start_s.to_string(), end_s.to_string());
            let parameters = [("end", &*end), ("query", &*filled), ("start", &*start), ("step", "1")];
            let answer = match source.as_str() {
                "loki" => client::loki(&collector, "/loki/api/v1/query_range", &parameters, None)?,
                _ => client::prometheus(&collector, "POST", "/api/v1/query_range", &parameters)?,
            };
            assert_eq!(answer.status, 200, "{filled}: {}", answer.text());
            Ok((answer.json()?["data"]["result"].as_array().is_some_and(|rows| !rows.is_empty())).then_some(()))
        })
        .unwrap();
    }

    let (code, _, error) =
        muster_tests::harness::agent::muster(&programs, &collector, &["hosts", "retire", "web1"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let marks = dashboard["annotations"]["list"].as_array().unwrap();
    let expressions: Vec<String> =
        marks.iter().map(|mark| mark["expr"].as_str().unwrap().replace("$host", &host)).collect();
    until_tagged(&collector, &expressions[0], "host_retired");
    for expression in &expressions {
        let found = annotations(&collector, expression, 100).unwrap();
        assert!(
            found.iter().all(|one| one.tags.contains("web1") && !one.tags.contains("web2")),
            "{expression}: {found:?}"
        );
    }
    let changes = annotations(&collector, &expressions[0], 100).unwrap();
    let kinds = ["host_enrolled", "host_retired"];
    assert!(kinds.iter().all(|kind| changes.iter().any(|one| one.tags.contains(*kind))), "{changes:?}");
    assert!(changes.iter().all(|one| one.time_ms > 0 && one.text.contains("web1")), "{changes:?}");
}
