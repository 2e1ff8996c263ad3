//! `muster-agent inventory` as people call it, and what looking costs.

use std::process::{Command, Output};

const AGENT: &str = env!("CARGO_BIN_EXE_muster-agent");
/// What the inventory may cost a host in an hour, in seconds of CPU.
const BUDGET_S: f64 = 2.0;

fn agent(words: &[&str]) -> Output {
    // An absent file is a mistake: an empty one keeps this machine's configuration out.
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("agent.toml");
    std::fs::write(&config, "").expect("a file");
    Command::new(AGENT).arg("inventory").args(words).arg("--config").arg(config).output().expect("the agent starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn tables_are_printed_for_people_and_for_programs() {
    let shown = agent(&["kernel"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let lines = text(&shown.stdout);
    assert!(lines.starts_with("RELEASE") && lines.lines().count() == 2, "{lines}");
    let shown = agent(&["users", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let users = json["users"].as_array().unwrap();
    assert!(users.iter().any(|user| user["name"] == "root" && user["uid"] == 0), "{json}");
    let wrong = agent(&["user"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("`user` is no table of the inventory: write one of os, kernel"), "{wrong:?}");
}

#[test]
fn looking_at_all_tables_keeps_to_its_budget() {
    let shown = agent(&["--cost"]);
    let lines = text(&shown.stdout);
    let last = lines.lines().last().unwrap_or_default();
    let seconds = last.strip_prefix("all tables: ").and_then(|rest| rest.strip_suffix(" s of CPU an hour"));
    let seconds: f64 = seconds.and_then(|seconds| seconds.parse().ok()).expect("a number of seconds");
    assert!(seconds <= BUDGET_S, "{lines}");
}
