//! promtool and a real Prometheus as clients of the collector.

use std::process::{Command, Stdio};

use muster_common::time;
use muster_tests::harness::agent::{run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use muster_tests::load::remote_write;

use crate::e2e::LIMIT;

/// promtool's output, or what it complained of.
fn promtool(words: &[&str], input: Option<&str>) -> Result<String, String> {
    let mut command = Command::new(programs::tool("prometheus", "usr/bin/promtool"));
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.unwrap_or_default().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(text + &String::from_utf8_lossy(&output.stderr)) }
}

#[test]
fn promtool_reads_every_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs::folder(), &folder.path().join("data"));
    options.arguments.push("--no-auth".to_owned());
    let collector = Collector::start(&options).unwrap();
    let now = time::now().millis();
    let load = remote_write::Load {
        target: collector.http,
        token: None,
        seed: 1,
        hosts: 2,
        ticks: 20,
        connections: 1,
        hosts_a_request: 2,
        ticks_a_request: 5,
        start_ms: remote_write::start_for(now, 20),
    };
    assert_eq!(remote_write::run(&load).unwrap().samples, 20_000);
    let url = format!("http://{}", collector.http);
    let at = ((now - 60_000) / 1000).to_string();
    let (start, end) = ((now / 1000 - 360).to_string(), (now / 1000 - 60).to_string());
    let ask = |words: &[&str]| promtool(words, None).unwrap_or_else(|error| panic!("promtool {words:?}: {error}"));

    let text = ask(&["query", "instant", "--time", &at, &url, "count by (job) ({__name__=~\".+\"})"]);
    assert!(text.contains("{job=\"node\"} => 1000"), "{text}");
    let text = ask(&["query", "instant", "--time", &at, &url, "1 + 1"]);
    assert!(text.contains('2'), "{text}");
    let range = ["query", "range", "--start", &start, "--end", &end, "--step", "60s", &url];
    let text = ask(&[&range[..], &["sum by (mode) (rate(node_cpu_seconds_total[2m]))"]].concat());
    assert!(text.contains("mode=\"idle\""), "{text}");
    let text = ask(&["query", "labels", "--start", &start, "--end", &end, &url, "instance"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    let words = ["query", "series", "--match", "node_load1", "--start", &start, "--end", &end, &url];
    assert_eq!(ask(&words).lines().count(), 2);
    let error = promtool(&["query", "instant", &url, "sum("], None).unwrap_err();
    assert!(error.contains("bad_data"), "{error}");

    let metrics = collector.get("/metrics").unwrap().text();
    promtool(&["check", "metrics"], Some(&metrics)).unwrap_or_else(|error| panic!("/metrics: {error}"));
}

#[test]
fn what_the_agent_collects_is_valid_exposition() {
    let (code, text, error) = run(&programs::folder(), "muster-agent", &["collect", "--once"]).unwrap();
    assert_eq!(code, 0, "{error}");
    // promtool parses all of it; its style advice (no help texts) is no error of the format.
    if let Err(said) = promtool(&["check", "metrics"], Some(&text)) {
        let broken: Vec<&str> = said.lines().filter(|line| line.contains("error while linting")).collect();
        assert!(broken.is_empty(), "{said}");
    }
}

#[test]
fn a_real_prometheus_can_write_here() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs::folder(), &folder.path().join("data"))).unwrap();
    let configuration = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: own\n    static_configs: [{{ targets: ['{}'] }}]\n\
         remote_write:\n  - url: http://{}/api/v1/write\n    authorization: {{ credentials: {} }}\n",
        collector.http, collector.http, collector.token
    );
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, configuration).unwrap();
    let mut prometheus = Command::new(programs::tool("prometheus", "usr/bin/prometheus"))
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // /metrics needs no more rights than the scrape has, or the scrape fails and `up` tells so: either way `up` arrives.
    let arrived = until("Prometheus' up", LIMIT, || collector.number("count(up{job=\"own\"})", None));
    let _ = prometheus.kill();
    prometheus.wait().unwrap();
    assert_eq!(arrived.unwrap(), 1.0);
}

/// What our own runner says of these files its tests say by their first lines.
#[test]
fn promtool_agrees_on_rules_and_their_unit_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/alert");
    let default_rules = root.join("rules/default.yml");
    promtool(&["check", "rules", &default_rules.to_string_lossy()], None).unwrap_or_else(|error| panic!("{error}"));
    let mut count = 0;
    for entry in std::fs::read_dir(root.join("src/rules/testdata/unit")).unwrap() {
        let path = entry.unwrap().path().to_string_lossy().into_owned();
        if path.ends_with("_rules.yml") {
            continue;
        }
        let passes = std::fs::read_to_string(&path).unwrap().starts_with("# passes\n");
        let said = promtool(&["test", "rules", &path], None);
        assert_eq!(said.is_ok(), passes, "{path}: {said:?}");
        count += 1;
    }
    assert!(count >= 7, "{count}");
}
