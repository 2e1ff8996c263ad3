//! Tasks on hosts, with real programs: asked for by one person, approved by another, carried by the collector and the agent, judged and run by
//! `muster-task`, and written down at both ends.

mod bad_input;
mod forged;
mod kills;

use std::path::Path;

use muster_tests::harness::agent::until;
use muster_tests::harness::programs;
use muster_tests::harness::tasks::{ASKER, TaskHost, Team, own_account};
use serde_json::Value;

use super::LIMIT;

const HOST: &str = "web1";

/// A catalogue of tasks that are scripts in a folder, and what a host writes to allow them.
struct Scripts {
    folder: std::path::PathBuf,
    account: String,
    document: String,
    allowed: String,
}

impl Scripts {
    fn new(folder: &Path) -> Self {
        let (folder, account) = (folder.join("scripts"), own_account().unwrap());
        std::fs::create_dir(&folder).unwrap();
        let document = "version = 1\nexpires = 2099-01-01T00:00:00Z\n".to_owned();
        Self { folder, account, document, allowed: String::new() }
    }

    /// A task that runs this script, whose first argument is its folder, then `words`; `more`: further lines of the catalogue.
    fn with(mut self, name: &str, script: &str, words: &[&str], more: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let argv: Vec<String> = [path.display().to_string(), self.folder.display().to_string()]
            .into_iter()
            .chain(words.iter().map(|word| (*word).to_owned()))
            .map(|word| format!("\"{word}\""))
            .collect();
        let (argv, account) = (argv.join(", "), &self.account);
        self.document += &format!("[tasks.{name}]\nabout = \"x\"\nargv = [{argv}]\naccount = \"{account}\"\n{more}\n");
        self.allowed += &format!("[tasks.{name}]\naccount = \"{account}\"\ntimeout = \"1h\"\noutput_kib = 4096\n");
        self
    }

    /// One that the host does not allow.
    fn unlisted(mut self, name: &str) -> Self {
        let account = &self.account;
        self.document += &format!("[tasks.{name}]\nabout = \"x\"\nargv = [\"/bin/true\"]\naccount = \"{account}\"\n");
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    fn write(&self, name: &str) {
        std::fs::write(self.folder.join(name), "").unwrap();
    }
}

/// A team, its catalogue in force on one host that runs.
fn one_host(folder: &Path, scripts: &Scripts) -> (Team, TaskHost) {
    let team = Team::start(&programs::folder(), folder, &[]).unwrap();
    let mut host = team.host(HOST, &scripts.allowed).unwrap();
    team.publish(&scripts.document).unwrap();
    host.start().unwrap();
    team.wait_in_force(1).unwrap();
    (team, host)
}

/// What `muster logs` has of tasks.
fn events(team: &Team) -> String {
    team.operator.done(&["logs", "{source=\"muster\", event=\"task\"}", "-o", "raw"]).unwrap()
}

/// Both ends have written this refusal down, by its name there and in words here, and `muster task show` says it.
fn is_refused(team: &Team, host: &TaskHost, (order, standing): &(u64, Value), name: &str, words: &str) {
    assert_eq!(standing["state"], "refused", "{standing}");
    assert!(standing["why"].as_str().unwrap().starts_with(words), "{standing}");
    let shown = team.shown(*order).unwrap();
    assert!(shown.lines().any(|line| line.contains("refused") && line.contains(words)), "{shown}");
    let id = team.order(*order).unwrap()["order"]["id"].as_str().unwrap().to_owned();
    let is_it = |entry: &Value| {
        let detail = entry["detail"].as_str().unwrap_or_default();
        entry["event"] == "refused" && detail.starts_with(name) && entry.to_string().contains(&id)
    };
    let entries = host.audit().unwrap();
    assert!(entries.iter().any(is_it), "no {name} of order {id} in {entries:?}");
    until("the event of the refusal", LIMIT, || {
        let told = format!("order {order}, on host `{}`: refused: {words}", host.home.name);
        Ok(events(team).contains(&told).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_task_that_somebody_else_approved_runs_and_what_it_writes_is_seen_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo \"hello $2\"; echo x >> $1/runs; until [ -e $1/go ]; do sleep 0.05; done; echo went; exit 3";
    let more = "[tasks.greet.parameters.whom]\nkind = \"text\"\npattern = \"[a-z ]+\"";
    let scripts = Scripts::new(folder.path()).with("greet", script, &["{whom}"], more);
    let (team, host) = one_host(folder.path(), &scripts);
    let checked = String::from_utf8(host.command(&["check"]).unwrap().stdout).unwrap();
    assert!(
        checked.starts_with("tasks run here\nsigners of catalogues: 1\napproval: needed; approvers: bob\n"),
        "{checked}"
    );
    assert!(checked.contains(&format!("greet as {}: at most 1h, ", scripts.account)), "{checked}");

    let order = team
        .ask(&["task", "run", "greet", "--host", HOST, "--set", "whom=you there", "--reason", "to see it"])
        .unwrap();
    let shown = team.shown(order).unwrap();
    assert!(shown.contains("requested") && shown.contains("0 of 1 approvals: muster task approve 1 "), "{shown}");
    // Who asked has the key in hand and may not: neither the person nor under another name.
    let key = folder.path().join("bob.key").display().to_string();
    let own = ["task", "approve", "1", "--key", &key, "--as", "bob", "--yes"];
    let (code, _, error) = team.run_as(ASKER, &own).unwrap();
    assert!(code != 0 && error.contains("task:approve"), "{error}");
    assert_eq!((scripts.read("runs"), host.audit().unwrap().len()), (String::new(), 2), "start and catalogue alone");

    let approved = team.approve(order).unwrap();
    assert_eq!(approved, "order 1 is running\n");
    // It is seen while the task still runs.
    until("the first line", LIMIT, || Ok((team.output(order, HOST)?.0 == "hello you there\n").then_some(()))).unwrap();
    assert_eq!(team.standing(order, HOST).unwrap()["state"], "running");
    scripts.write("go");
    let standing = team.ended(order, HOST).unwrap();
    assert_eq!((&standing["state"], &standing["exit"]), (&"failed".into(), &3.into()), "{standing}");
    assert_eq!(team.output(order, HOST).unwrap().0, "hello you there\nwent\n");
    assert_eq!(scripts.read("runs"), "x\n", "once");
    let shown = team.shown(order).unwrap();
    assert!(shown.contains("approved by user:bob with the key of bob\n"), "{shown}");

    // Who asked, who approved and what ran stands at both ends, in chains that are whole.
    let verified = team.operator.done(&["audit", "verify"]).unwrap();
    assert!(verified.starts_with("ok: "), "{verified}");
    let audit = team.operator.done(&["audit", "list", "-o", "csv"]).unwrap();
    let told = |by: &str, action: &str| audit.lines().any(|line| line.contains(by) && line.contains(action));
    assert!(told("user:anna", "task_requested") && told("user:bob", "task_approved"), "{audit}");
    assert!(audit.contains("to see it"), "{audit}");
    let entries = host.audit().unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "catalogue", "accepted", "running", "ended"]);
    assert_eq!(entries[2]["requester"], "user:anna", "{}", entries[2]);
    assert_eq!(entries[2]["approvers"][0], "bob", "{}", entries[2]);

    // A changed entry is found.
    let log = host.folder.join("state/audit.log");
    std::fs::write(&log, std::fs::read_to_string(&log).unwrap().replace("you there", "you where")).unwrap();
    assert!(host.audit().unwrap_err().to_string().contains("its hash is not that"));
}

#[test]
fn a_host_refuses_by_name_what_it_does_not_allow() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts::new(folder.path()).with("touch", "echo x >> $1/runs", &[], "").unlisted("unlisted");
    let (team, host) = one_host(folder.path(), &scripts);

    let refused = team.run(HOST, "unlisted", &[]).unwrap();
    is_refused(&team, &host, &refused, "NotAllowed: ", "the host's own file does not allow the task");

    // While the file is there nothing runs; without it the same task does.
    std::fs::write(host.folder.join("no-tasks"), "").unwrap();
    let checked = String::from_utf8(host.command(&["check"]).unwrap().stdout).unwrap();
    assert!(checked.starts_with("no task runs here while "), "{checked}");
    let refused = team.run(HOST, "touch", &[]).unwrap();
    is_refused(&team, &host, &refused, "Disabled: ", "the host runs no tasks now");
    assert_eq!(scripts.read("runs"), "");
    std::fs::remove_file(host.folder.join("no-tasks")).unwrap();
    assert_eq!(team.run(HOST, "touch", &[]).unwrap().1["state"], "ok");
    assert_eq!(scripts.read("runs"), "x\n");

    // What the catalogue has not is not even asked for; what a host is not is no order's.
    for (words, told) in [
        (
            ["task", "run", "invented", "--host", HOST],
            "the catalogue has no task `invented`: `muster task catalogue` shows",
        ),
        (["task", "run", "touch", "--host", "web9"], "web9"),
    ] {
        let (code, _, error) = team.run_as(ASKER, &words).unwrap();
        assert!(code != 0 && error.contains(told), "{error}");
    }
    assert_eq!(team.operator.get("tasks/orders").unwrap()["orders"].as_array().unwrap().len(), 3);
}
