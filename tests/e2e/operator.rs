//! What an operator types: graphs, the status page, and exit codes that scripts stand on.

use std::process::{Command, Stdio};

use muster_tests::harness::agent::{AgentHome, muster, run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::LIMIT;

#[test]
fn a_range_is_drawn_and_the_status_says_who_sends() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web-1").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let count = "count_over_time(node_load1{host=\"web-1\"}[1m])";
    until("some points", LIMIT, || Ok(collector.number(count, None)?.filter(|count| *count >= 3.0))).unwrap();

    let words = ["query", "node_load1", "--since", "30s", "--step", "1s", "--plot", "--width", "90"];
    let (code, text, error) = muster(&programs, &collector, &words).unwrap();
    assert_eq!(code, 0, "{text}{error}");
    let legend = text.lines().find(|line| line.contains("host=\"web-1\"")).unwrap_or_else(|| panic!("{text}"));
    assert!(legend.contains("node_load1{") && legend.contains("  last "), "{text}");
    assert!(text.lines().count() > 8 && text.contains(" UTC"), "an axis and a picture: {text}");

    let (code, text, error) = muster(&programs, &collector, &["status"]).unwrap();
    assert_eq!(code, 0, "{text}{error}");
    assert!(
        text.lines().next().is_some_and(|line| line.starts_with("collector  ") && line.ends_with(", well")),
        "{text}"
    );
    assert!(text.contains(&format!("listens    HTTP {}, agents {}", collector.http, collector.agents)), "{text}");
    assert!(text.contains("hosts      1 active; of the active 1 up"), "{text}");
    drop(agent);
}

#[test]
fn lines_are_asked_counted_and_followed_until_the_collector_stops() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let (code, text, error) = muster(&programs, &collector, &["logs", "--host", "web-1", "--since", "5m"]).unwrap();
    assert_eq!((code, text.as_str()), (0, ""), "{error}");
    assert_eq!(error, "no lines: nothing of {host=\"web-1\"} in this time\n");
    let words = ["logs", "vector(3) * 2", "--since", "5m", "--plot", "--width", "80"];
    let (code, text, error) = muster(&programs, &collector, &words).unwrap();
    assert!(code == 0 && text.contains("last 6, min 6, max 6"), "{text}{error}");
    let words = ["logs", "vector(3) * 2", "--since", "1m", "--step", "20s", "--histogram", "--width", "60"];
    let (code, text, error) = muster(&programs, &collector, &words).unwrap();
    assert!(code == 0 && text.contains("sum 24, max 6"), "{text}{error}");
    assert_eq!(text.lines().filter(|line| line.contains("aaaa") && line.ends_with(" 6")).count(), 4, "{text}");
    let (code, _, error) = muster(&programs, &collector, &["logs", "{host=", "--follow"]).unwrap();
    assert!(code == 2 && error.starts_with("muster: parse error at line 1, col "), "{code}: {error}");

    let url = format!("http://{}", collector.http);
    let mut command = Command::new(programs::program(&programs, "muster"));
    command.args(["--url", &url, "--token", &collector.token, "logs", "-f"]);
    let following = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a live tail", LIMIT, || {
        let metrics = collector.get("/metrics")?.text();
        Ok(metrics.contains("\nmuster_collector_tails 1\n").then_some(()))
    })
    .unwrap();
    assert!(collector.stop().unwrap().success());
    let ended = following.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{error}");
    assert_eq!(error, "muster: the collector ended the live lines: the collector stops; run it again to go on\n");
}

#[test]
fn the_exit_code_tells_no_from_unknown() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    for (words, expect) in [
        (&["query", "1 + 1"][..], 0),
        // The collector understood and says no.
        (&["query", "label_replace(vector(1), \"\", \"v\", \"host\", \".*\")"], 1),
        (&["hosts", "retire", "nosuch"], 1),
        // The command was wrong.
        (&["query", "sum("], 2),
        (&["query", "up", "--plot"], 2),
        (&["-o", "raw", "status"], 2),
        (&["nosuch"], 2),
    ] {
        let (code, text, error) = muster(&programs, &collector, words).unwrap();
        assert_eq!(code, expect, "{words:?}: {text}{error}");
        assert_eq!(error.is_empty(), code == 0, "{words:?}: {error}");
    }
    // Nothing could be learnt: no token, no collector.
    let url = format!("http://{}", collector.http);
    let empty = folder.path().to_string_lossy().into_owned();
    let (code, _, error) = run(&programs, "muster", &["--url", &url, "--data", &empty, "status"]).unwrap();
    assert!(code == 2 && error.contains("MUSTER_TOKEN"), "{code}: {error}");
    let words = ["--url", "http://127.0.0.1:1", "--token", "x", "status"];
    let (code, _, error) = run(&programs, "muster", &words).unwrap();
    assert!(code == 2 && error.contains("127.0.0.1:1"), "{code}: {error}");
}
