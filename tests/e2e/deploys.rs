//! Deploys from CI to the history of their hosts, with real programs: told over the command line and by a webhook, in a freeze and without, and
//! recognised where nobody told.

use std::path::Path;
use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::operator::Operator;
use muster_tests::harness::programs;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(90);

const SERVICES: &str = "[[services]]\nname = \"shop\"\nhosts = [\"role=web\"]\npackages = [\"shop\"]\n\
    [[freezes]]\nname = \"never\"\nmatchers = [\"env=production\"]\nrecurrence = \"daily 00:00-00:00\"\nreason = \"nobody is there\"\n";

fn start(programs: &Path, folder: &Path) -> Operator {
    std::fs::write(folder.join("deploy.toml"), SERVICES).unwrap();
    let file = format!("deploys.file={}", folder.join("deploy.toml").display());
    let mut options = Options::new(programs, &folder.join("data"));
    options.arguments.extend(["--set".to_owned(), file]);
    Operator::new(programs, Collector::start(&options).unwrap())
}

#[test]
fn a_deploy_goes_from_the_command_line_to_the_history_of_its_hosts() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let world = start(&programs, folder.path());
    let home = AgentHome::enrol(&programs, &world.collector, folder.path(), "web1").unwrap();
    let agent = home.start(&[]).unwrap();
    let (code, _, error) =
        world.run(&["deploy", "start", "--service", "shop", "--version", "1.0", "--env", "staging"]).unwrap();
    assert!(code != 0 && error.contains("no host with the label env") && error.contains("no host matches"), "{error}");
    world.done(&["hosts", "label", "web1", "role=web", "env=staging"]).unwrap();

    let begin = ["deploy", "start", "--service", "shop", "--version", "1.0", "--env", "staging", "--key", "run-7"];
    assert_eq!(world.done(&begin).unwrap(), "deploy 1 of shop 1.0 to staging is running\n");
    let (code, text, notes) = world.run(&begin).unwrap();
    assert!(code == 0 && text.contains("deploy 1") && notes.contains("told before"), "{text} {notes}");
    let ended = world.done(&["deploy", "finish", "--key", "run-7", "--result", "ok"]).unwrap();
    assert_eq!(ended, "deploy 1 of shop 1.0 to staging is ok\n");
    let (code, _, error) = world.run(&["deploy", "finish", "1", "--result", "failed"]).unwrap();
    assert!(code != 0 && error.contains("has ended as ok already"), "{error}");

    // It stands in the history of the collector and of the host, where plots look for what happened.
    until("the events", LIMIT, || {
        let (_, of_all, _) =
            world.run(&["logs", "{source=\"muster\", event=\"deploy\", host=\"\"}", "-o", "raw"]).unwrap();
        let (_, of_host, _) = world.run(&["logs", "{source=\"muster\", host=\"web1\"}", "-o", "raw"]).unwrap();
        let is_told = of_all.contains("deploy of shop 1.0 to staging began on 1 hosts")
            && of_all.contains("deploy of shop 1.0 to staging ended well")
            && of_host.contains("deploy of shop 1.0 to staging ended well");
        Ok(is_told.then_some(()))
    })
    .unwrap();
    let services = world.done(&["services", "-o", "csv"]).unwrap();
    assert!(services.lines().any(|line| line.starts_with("shop,staging,1,1.0,1,")), "{services}");

    // A freeze of the file: what goes out in it is taken, and says so; who lifts it leaves a name and a reason.
    world.done(&["hosts", "label", "web1", "env=production"]).unwrap();
    let begin = ["deploy", "start", "--service", "shop", "--version", "1.1", "--env", "production"];
    let (code, _, notes) = world.run(&begin).unwrap();
    assert!(code == 0 && notes.contains("freeze never is on: nobody is there"), "{notes}");
    let lift = ["freeze", "override", "--service", "shop", "--env", "production", "--reason", "payments fail"];
    assert!(world.done(&lift).unwrap().starts_with("freeze never is lifted for shop in production until"), "override");
    let (_, _, notes) = world.run(&begin).unwrap();
    assert!(notes.contains("lifted by") && notes.contains("deploy 2 ran on these hosts"), "{notes}");
    let audit = world.done(&["audit", "list"]).unwrap();
    assert!(audit.contains("freeze_overridden") && audit.contains("payments fail"), "{audit}");
    let (code, _, error) = world.run(&["freeze", "end", "never"]).unwrap();
    assert!(code != 0 && error.contains("stands in the file"), "{error}");

    // A bad file leaves what was in force, and says why; a good one is taken.
    let file = folder.path().join("deploy.toml");
    std::fs::write(&file, "[[services]]\nname = \"till\"\n").unwrap();
    let refused = world.collector.request("POST", "/-/reload", b"").unwrap();
    assert!(refused.status != 200 && refused.text().contains("services.hosts"), "{}", refused.text());
    assert_eq!(world.get("services").unwrap()["services"][0]["name"], json!("shop"));
    std::fs::write(&file, format!("{SERVICES}[[services]]\nname = \"till\"\nhosts = [\"role=till\"]\n")).unwrap();
    assert_eq!(world.collector.request("POST", "/-/reload", b"").unwrap().status, 200);
    assert_eq!(world.get("services").unwrap()["services"][1]["name"], json!("till"));
    agent.stop().unwrap();
}
