//! Wrong keys, tokens, labels, expressions and settings: one error that names place and remedy.

use muster_tests::harness::agent::{AgentHome, muster, run, token};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::http::escape;
use muster_tests::harness::programs;

/// Each part must be in the text; the error is one paragraph, not a trace.
fn check(code: i32, text: &str, parts: &[&str]) {
    assert!(code != 0, "accepted: {text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert!(!text.contains("panicked") && text.lines().count() <= 12, "{text}");
}

#[test]
fn a_wrong_token_says_so_and_nothing_is_stored() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let good = token(&programs, &collector, &["--name", "a"]).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let home = |name: &str| AgentHome {
        programs: programs.clone(),
        state: folder.path().join(format!("state-{name}")),
        name: name.to_owned(),
    };
    let agents = collector.agents.to_string();

    let wrong_pin = format!("{}.{}.{}", parts[0], parts[1], "0".repeat(parts[2].len()));
    let (code, _, error) = home("a").enrol_with(&agents, &wrong_pin).unwrap();
    check(code, &error, &["not the one that the token is for", "muster token new"]);
    let wrong_secret = format!("{}.{}.{}", parts[0], "0".repeat(parts[1].len()), parts[2]);
    let (code, _, error) = home("a").enrol_with(&agents, &wrong_secret).unwrap();
    check(code, &error, &["token", "muster token new"]);
    let (code, _, error) = home("a").enrol_with(&agents, "no-token").unwrap();
    check(code, &error, &["token"]);
    let (code, _, error) = home("b").enrol_with(&agents, &good).unwrap();
    check(code, &error, &["`a`"]);
    let (code, _, error) = home("a").enrol_with(&agents, &good).unwrap();
    assert_eq!(code, 0, "the token itself still works: {error}");
    assert!(!home("b").state.join("identity").exists());
}

#[test]
fn wrong_settings_are_told_all_at_once_with_their_lines() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.toml");
    std::fs::write(&file, "[collector]\naddresses = [\"x:1\"]\n[metrics]\ninterval = \"10 parsecs\"\nintervall = 3\n")
        .unwrap();
    let path = file.to_string_lossy().into_owned();
    let (code, _, error) = run(&programs, "muster-agent", &["run", "--config", &path]).unwrap();
    check(code, &error, &["agent.toml:4", "10 parsecs", "agent.toml:5", "intervall", "interval"]);
    let (code, _, error) = run(&programs, "muster-agent", &["--log", "loud", "run"]).unwrap();
    check(code, &error, &["--log `loud`", "warn", "MODULE=LEVEL"]);
    let file = folder.path().join("collector.toml");
    std::fs::write(&file, "[retention]\nmetrics = \"soon\"\n[nonsense]\na = 1\n").unwrap();
    let path = file.to_string_lossy().into_owned();
    let words = ["serve", "--config", &path, "--check-config"];
    let (code, _, error) = run(&programs, "muster-collector", &words).unwrap();
    check(code, &error, &["collector.toml:2", "soon", "nonsense"]);
    let data = folder.path().join("data").to_string_lossy().into_owned();
    let serve = ["serve", "--data", &data, "--http", "0.0.0.0:0", "--agents", "127.0.0.1:0"];
    for (words, hints) in [
        (&["--no-auth"][..], &["0.0.0.0", "loopback"][..]),
        (&["--set", "http.tls=false"], &["0.0.0.0", "TLS", "in plain"]),
        (&["--set", "http.cert=/nonexistent/c.pem"], &["http.cert", "http.key"]),
        (
            &["--set", "http.cert=/nonexistent/c.pem", "--set", "http.key=/nonexistent/k.pem"],
            &["http.cert: failed to read `/nonexistent/c.pem`", "PEM"],
        ),
    ] {
        let all: Vec<&str> = serve.iter().chain(words).copied().collect();
        let (code, _, error) = run(&programs, "muster-collector", &all).unwrap();
        check(code, &error, hints);
    }
}

#[test]
fn a_data_folder_has_one_collector() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(&programs, &folder.path().join("data"));
    let first = Collector::start(&options).unwrap();
    let error = Collector::start(&options).err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("data") && error.contains(&first.id.to_string()), "{error}");
}

#[test]
fn the_api_names_what_is_wrong() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let query = |text: &str| collector.request("GET", &format!("/api/v1/query?query={}", escape(text)), b"").unwrap();
    for (text, parts) in [
        ("sum(", &["1:5"][..]),
        ("rate(node_load1)", &["range vector", "rate"]),
        ("foo{a=~\"(\"}", &["("]),
        ("holt_winters(a[5m], 0.1, 0.1)", &["holt_winters"]),
        ("", &["query"]),
    ] {
        let answer = query(text);
        assert_eq!(answer.status, 400, "{text}: {}", answer.text());
        let json = answer.json().unwrap();
        assert_eq!(json["errorType"], "bad_data");
        for part in parts {
            assert!(json["error"].as_str().unwrap().contains(part), "`{part}` is not in {json}");
        }
    }
    for (body, status) in [(&b"no snappy"[..], 400), (b"", 400)] {
        let answer = collector.request("POST", "/api/v1/write", body).unwrap();
        assert!(answer.status == status || answer.status == 415, "{}: {}", answer.status, answer.text());
    }
    let anonymous = muster_tests::harness::http::Connection::open(collector.http)
        .and_then(|mut connection| connection.request("GET", "/api/v1/query?query=up", &[], b""))
        .unwrap();
    assert_eq!(anonymous.status, 401, "{}", anonymous.text());
    let (code, _, error) = muster(&programs, &collector, &["query", "sum("]).unwrap();
    check(code, &error, &["1:5"]);
    let (code, _, error) = run(&programs, "muster", &["--url", "http://127.0.0.1:1", "status"]).unwrap();
    check(code, &error, &["127.0.0.1:1"]);
}
