//! From nothing to a host's metrics in PromQL, and the host's orderly end.

use muster_tests::harness::agent::{AgentHome, muster, run, token, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::LIMIT;

#[test]
fn a_hosts_numbers_arrive_under_its_registered_name() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let word = token(&programs, &collector, &["--name", "web-1", "--label", "env=test"]).unwrap();
    let home = AgentHome { programs: programs.clone(), state: folder.path().join("web-1"), name: "web-1".to_owned() };
    let (code, _, error) = home.enrol_with(&collector.agents.to_string(), &word).unwrap();
    assert_eq!(code, 0, "{error}");
    let agent = home.start(&["metrics.interval=1s"]).unwrap();

    let row = until("node_load1", LIMIT, || Ok(collector.query("node_load1", None)?.first().cloned())).unwrap();
    let labels = &row["metric"];
    for (name, value) in [("host", "web-1"), ("instance", "web-1"), ("job", "node"), ("env", "test")] {
        assert_eq!(labels[name], value, "{labels}");
    }
    let up = until("up", LIMIT, || Ok(collector.number("up{host=\"web-1\"}", None)?.filter(|up| *up == 1.0))).unwrap();
    assert_eq!(up, 1.0);
    // The slow sources have had their first turn by then.
    until("400 series", LIMIT, || {
        Ok(collector.number("count({host=\"web-1\"})", None)?.filter(|count| *count >= 400.0))
    })
    .unwrap();
    let (code, text, error) = muster(&programs, &collector, &["hosts", "list"]).unwrap();
    assert!(code == 0 && text.contains("web-1") && text.contains("env=test"), "{text}{error}");
    let state = home.state.to_string_lossy().into_owned();
    let text = until("a status with an ack", LIMIT, || {
        let (code, text, _) = run(&programs, "muster-agent", &["status", "--state", &state])?;
        Ok((code == 0 && text.contains("web-1")).then_some(text))
    })
    .unwrap();
    assert!(text.contains("connected"), "{text}");

    assert!(agent.stop().unwrap().success());
    until("up 0 after goodbye", LIMIT, || Ok(collector.number("up{host=\"web-1\"}", None)?.filter(|up| *up == 0.0)))
        .unwrap();
    assert!(collector.stop().unwrap().success());
}

#[test]
fn a_collector_that_was_away_gets_what_was_sampled_meanwhile() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "away").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let count = "count_over_time(node_load1{host=\"away\"}[10m])";
    until("first samples", LIMIT, || Ok(collector.number(count, None)?.filter(|count| *count >= 2.0))).unwrap();
    assert!(collector.stop().unwrap().success());

    // The agent goes on sampling: two of its ticks pass before the collector is back.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let collector = Collector::start(&options).unwrap();
    let up_again =
        until("samples after the return", LIMIT, || collector.number("timestamp(node_load1{host=\"away\"})", None))
            .unwrap();
    // No second is missing: as many samples as seconds between first and last.
    let (first, last, count) = until("an unbroken row", LIMIT, || {
        let text = "node_load1{host=\"away\"}[10m]";
        let rows = collector.query(text, None)?;
        let values = rows.first().and_then(|row| row["values"].as_array().cloned()).unwrap_or_default();
        let time = |value: Option<&serde_json::Value>| value.and_then(|value| value[0].as_f64()).unwrap_or(0.0);
        let (first, last) = (time(values.first()), time(values.last()));
        let whole = values.len() as f64 >= last - first + 0.5 && last >= up_again;
        Ok((whole && values.len() > 4).then_some((first, last, values.len())))
    })
    .unwrap();
    assert!(count as f64 <= last - first + 1.5, "{count} samples between {first} and {last}");
    drop(agent);
}
