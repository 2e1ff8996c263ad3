//! What a real host has, looked at by a real agent: whole at first, then as what changed; asked now, then, and after restarts.

use std::path::Path;
use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, muster, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

fn asked(collector: &Collector, path: &str) -> Value {
    collector.get(&format!("/api/muster/v1/{path}")).unwrap().json().unwrap()
}

/// The hash that the collector knows of a file, if it knows the file.
fn hash(collector: &Collector, file: &str) -> Option<String> {
    let sql = format!("SELECT sha256 FROM files WHERE host = 'inv1' AND path = '{file}'").replace(' ', "+");
    let answer = asked(collector, &format!("inventory/query?sql={sql}"));
    answer["rows"][0][0].as_str().map(str::to_owned)
}

fn write(path: &Path, text: &str) {
    // As editors do: whole, under its name at once.
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).unwrap();
    std::fs::rename(&fresh, path).unwrap();
}

#[test]
fn what_a_host_has_is_asked_now_then_and_after_restarts() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "inv1").unwrap();
    let conf = folder.path().join("etc");
    std::fs::create_dir(&conf).unwrap();
    let file = conf.join("service.conf");
    write(&file, "workers = 4\n");
    let (shown, setting) = (file.to_str().unwrap(), format!("inventory.files=[\"{}/*.conf\"]", conf.display()));
    let agent = home.start(&[&setting]).unwrap();
    let first = until("the file", LIMIT, || Ok(hash(&collector, shown))).unwrap();

    // What dpkg says is what the collector has.
    let rows = || {
        let answer = asked(&collector, "hosts/inv1/inventory/packages");
        Ok(answer["rows"].as_array().filter(|rows| !rows.is_empty()).cloned())
    };
    let rows = until("the packages", LIMIT, rows).unwrap();
    let form = "${db:Status-Abbrev}|${Package}|${Version}\n";
    let told = std::process::Command::new("dpkg-query").args(["-W", "-f", form]).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    let installed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("ii |")).collect();
    let known: std::collections::BTreeSet<String> =
        rows.iter().map(|row| format!("{}|{}", row[1].as_str().unwrap(), row[3].as_str().unwrap())).collect();
    let missing: Vec<&&str> = installed.iter().filter(|one| !known.contains(**one)).collect();
    assert!(installed.len() > 50 && missing.is_empty(), "{} installed, missing {missing:?}", installed.len());

    // A change is visible within a minute, with the look before it and the one that saw it, and once.
    write(&file, "workers = 8\n");
    let second = until("the change", LIMIT, || Ok(hash(&collector, shown).filter(|hash| *hash != first))).unwrap();
    let changes = asked(&collector, "changes?host=inv1&table=files");
    let mine: Vec<&Value> =
        changes["changes"].as_array().unwrap().iter().filter(|one| one["key"][0] == shown).collect();
    assert_eq!(mine.len(), 1, "{changes}");
    let (after, until_ms) = (mine[0]["after_ms"].as_i64().unwrap(), mine[0]["until_ms"].as_i64().unwrap());
    assert!(0 < after && after < until_ms && mine[0]["kind"] == "changed", "{changes}");
    assert_eq!((mine[0]["before"][1].as_str(), mine[0]["after"][1].as_str()), (Some(&*first), Some(&*second)));

    // It is an event, and people ask for it by command.
    let events = until("the event", LIMIT, || {
        let text = asked(&collector, "events?limit=1000").to_string();
        Ok((text.contains("inventory_change") && text.contains("service.conf")).then_some(text))
    });
    events.unwrap();
    let run = |words: &[&str]| {
        let (code, text, error) = muster(&programs, &collector, words).unwrap();
        assert_eq!(code, 0, "{words:?}: {error}");
        text
    };
    assert!(run(&["changes", "--host", "inv1", "--table", "files"]).contains("service.conf"));
    assert!(run(&["inventory", "show", "inv1"]).lines().any(|line| line.starts_with("packages ")));
    assert!(run(&["inventory", "show", "inv1", "os"]).starts_with("id "));
    let csv = run(&["inventory", "query", "SELECT count(*) AS n FROM packages_counted WHERE hosts = 1", "-o", "csv"]);
    assert_eq!(csv, format!("n\n{}\n", rows.len()));
    let before = (until_ms - 1).to_string();
    let then = asked(&collector, &format!("inventory/compare?one=inv1&one_at={before}&other=inv1&table=files"));
    assert_eq!(then["tables"][0]["rows"][0]["key"][0], shown, "{then}");

    // Both ends start anew: nothing is told as changed that did not change.
    let count = |collector: &Collector| {
        asked(collector, "changes?host=inv1&table=packages")["changes"].as_array().unwrap().len()
    };
    assert_eq!(count(&collector), 0);
    agent.stop().unwrap();
    collector.kill().unwrap();
    let collector = Collector::start(&options).unwrap();
    assert_eq!(hash(&collector, shown), Some(second.clone()));
    write(&file, "workers = 16\n");
    let agent = home.start(&[&setting]).unwrap();
    until("what changed meanwhile", LIMIT, || Ok(hash(&collector, shown).filter(|hash| *hash != second))).unwrap();
    assert_eq!(count(&collector), 0);
    let files = asked(&collector, "changes?host=inv1&table=files&text=service.conf");
    assert_eq!(files["changes"].as_array().unwrap().len(), 2, "{files}");
    agent.stop().unwrap();
}
