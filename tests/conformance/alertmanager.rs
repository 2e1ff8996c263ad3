//! Alertmanager's own checker of configurations as the measure of ours.

use std::path::Path;
use std::process::Command;

use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

/// What Alertmanager finds only when it connects.
const FOUND_LATER: [&str; 1] = ["cert_without_key.yml"];

/// amtool's judgement of a file.
fn check_config(path: &Path) -> Result<(), String> {
    let mut command = Command::new(programs::tool("prometheus-alertmanager", "usr/bin/amtool"));
    let output = command.arg("check-config").arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// The same files are judged by the tests beside our reader. `good.yml` there has options that Debian's amtool is too old for.
#[test]
fn amtool_takes_and_refuses_the_same_configurations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/alert/src/routing/testdata");
    check_config(&folder.join("good_classic.yml")).unwrap_or_else(|said| panic!("{said}"));
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join("mistakes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".yml") && !FOUND_LATER.contains(&&*name) {
            assert!(check_config(&path).is_err(), "amtool takes {name}");
            count += 1;
        }
    }
    assert!(count >= 30, "{count}");
}

/// What amtool prints when it asks this collector, or what it complained of.
fn amtool(collector: &Collector, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(programs::tool("prometheus-alertmanager", "usr/bin/amtool"));
    command.arg(format!("--alertmanager.url=http://{}", collector.http)).args(words);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(text + &String::from_utf8_lossy(&output.stderr)) }
}

#[test]
fn amtool_pushes_asks_silences_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs::folder(), &folder.path().join("data"));
    options.arguments.push("--no-auth".to_owned());
    let collector = Collector::start(&options).unwrap();
    let ask = |words: &[&str]| amtool(&collector, words).unwrap_or_else(|error| panic!("amtool {words:?}: {error}"));

    ask(&["alert", "add", "alertname=Slow", "team=web", "--annotation=summary=it is slow"]);
    ask(&["alert", "add", "alertname=Lag", "team=db"]);
    let all = ask(&["alert", "query"]);
    assert!(all.contains("Slow") && all.contains("it is slow") && all.contains("Lag"), "{all}");
    let web = ask(&["alert", "query", "team=web"]);
    assert!(web.contains("Slow") && !web.contains("Lag"), "{web}");

    let id = ask(&["silence", "add", "alertname=Slow", "--author=ann", "--comment=why", "--duration=1h"]);
    let id = id.trim();
    assert_eq!(id.len(), 36, "{id}");
    let silences = ask(&["silence", "query"]);
    assert!(silences.contains(id) && silences.contains("ann"), "{silences}");
    // What is silenced is shown only to who asks for it.
    let told = ask(&["alert", "query"]);
    assert!(!told.contains("Slow") && told.contains("Lag"), "{told}");
    let silenced = ask(&["alert", "query", "--silenced"]);
    assert!(silenced.contains("Slow"), "{silenced}");
    ask(&["silence", "expire", id]);
    assert!(!ask(&["silence", "query"]).contains(id));
    assert!(ask(&["alert", "query"]).contains("Slow"));
    let expired = ask(&["silence", "query", "--expired"]);
    assert!(expired.contains(id), "{expired}");

    let config = ask(&["config", "show"]);
    assert!(config.contains("receiver: \"default\""), "{config}");
    let routed = ask(&["config", "routes", "test", "alertname=Slow"]);
    assert_eq!(routed.trim(), "default");
    let refused = amtool(&collector, &["silence", "expire", "00000000-0000-4000-8000-000000000000"]).unwrap_err();
    assert!(refused.contains("not found") || refused.contains("404"), "{refused}");
}
