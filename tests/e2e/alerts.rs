//! From a failing check to one mail, and from its repair to the end in the same thread: all of it real.

use std::path::Path;
use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, muster, run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::mailbox::{Fault, Mail, Mailbox};
use muster_tests::harness::programs;

use super::LIMIT;

/// Routing to this mail server, told at once and without pauses that a test would wait for.
pub(super) fn alerting(folder: &Path, mailbox: &Mailbox) -> String {
    let path = folder.join("alerting.yml");
    let text = format!(
        "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
         route:\n  receiver: ops\n  group_by: [alertname, host]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n\
         receivers:\n- name: ops\n  email_configs:\n  - to: ann@example.org\n    send_resolved: true\n",
        mailbox.address
    );
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

struct Scene {
    folder: tempfile::TempDir,
    options: Options,
    mailbox: Mailbox,
    home: AgentHome,
}

fn begin(name: &str) -> (Scene, Collector) {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::start(None).unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    options.arguments = vec!["--alerting".to_owned(), alerting(folder.path(), &mailbox)];
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), name).unwrap();
    (Scene { folder, options, mailbox, home }, collector)
}

impl Scene {
    fn push(&self, check: &str, state: &str, output: &str) {
        let folder = self.home.state.to_string_lossy();
        let words = ["push", "--state-dir", &folder, check, "--state", state, "--output", output];
        let (code, _, error) = run(&self.home.programs, "muster-agent", &words).unwrap();
        assert_eq!(code, 0, "{error}");
    }

    fn mails(&self, count: usize) -> Vec<Mail> {
        self.mailbox.wait(count, LIMIT).unwrap()
    }
}

fn ask(scene: &Scene, collector: &Collector, words: &[&str]) -> (i32, String) {
    let (code, text, error) = muster(&scene.home.programs, collector, words).unwrap();
    assert!(code < 2, "{words:?}: {error}");
    (code, text)
}

fn header(mail: &Mail, name: &str) -> String {
    mail.header(name).unwrap_or_else(|| panic!("no {name} in {}", mail.text()))
}

#[test]
fn a_failing_check_is_one_mail_and_its_repair_another_in_the_same_thread() {
    let (scene, collector) = begin("mail1");
    let _agent = scene.home.start(&["metrics.interval=1s"]).unwrap();
    scene.push("raid", "CRITICAL", "sdb is gone");
    let opened = scene.mails(1).remove(0);
    assert_eq!(opened.to, ["ann@example.org"]);
    assert!(opened.text().contains("sdb is gone") && opened.text().contains("CRITICAL"), "{}", opened.text());
    assert_eq!(header(&opened, "x-muster-host"), "mail1");
    let subject = header(&opened, "subject");
    assert!(subject.contains("mail1") && subject.contains("raid"), "{subject}");
    let (code, listed) = ask(&scene, &collector, &["checks", "list", "--problems"]);
    assert!(code == 1 && listed.contains("CRITICAL") && listed.contains("sdb is gone"), "{listed}");
    ask(&scene, &collector, &["checks", "ack", "mail1", "raid", "--comment", "changing the disk"]);
    let (code, listed) = ask(&scene, &collector, &["checks", "list", "--problems"]);
    assert!(code == 0 && listed.contains("acknowledged"), "{listed}");
    scene.push("raid", "OK", "all disks are there");
    let ended = scene.mails(2).remove(1);
    assert_eq!(header(&ended, "in-reply-to"), header(&opened, "message-id"));
    assert_eq!(header(&ended, "subject"), subject);
    let history = || Ok(ask(&scene, &collector, &["checks", "history", "mail1", "raid"]).1);
    let told = until("the whole history", LIMIT, || {
        let text: anyhow::Result<String> = history();
        Ok(text.ok().filter(|text| text.contains("acknowledged") && text.matches("alert resolved").count() == 1))
    });
    assert!(told.unwrap().contains("alert firing"));
    // What was done then is what helps who is told of it again.
    scene.push("raid", "CRITICAL", "sdb is gone again");
    let text = scene.mails(3).remove(2).text();
    let (_, earlier) = text.split_once("Earlier cases").unwrap_or_else(|| panic!("no earlier case in {text}"));
    assert!(earlier.contains("changing the disk"), "{text}");
}

#[test]
fn a_mail_whose_answer_was_lost_is_sent_again_under_its_id_and_a_kill_repeats_nothing() {
    let (scene, mut collector) = begin("mail2");
    let _agent = scene.home.start(&["metrics.interval=1s"]).unwrap();
    scene.mailbox.fail([Fault::LostReply]);
    scene.push("raid", "2", "sdb is gone");
    let first = scene.mails(1).remove(0);
    // What may have arrived is tried again after half a minute; another process takes it up at once.
    collector.kill().unwrap();
    collector = Collector::start(&scene.options).unwrap();
    let again = scene.mails(2).remove(1);
    assert_eq!(header(&again, "message-id"), header(&first, "message-id"));
    // From here on it is known that it was taken.
    until("what became of it", LIMIT, || {
        let (_, text) = ask(&scene, &collector, &["logs", "{event=\"notice\"}", "--limit", "50", "-o", "raw"]);
        Ok(text.contains("ann@example.org has taken notice 1").then_some(()))
    })
    .unwrap();
    collector.kill().unwrap();
    let _collector = Collector::start(&scene.options).unwrap();
    scene.push("raid", "0", "all disks are there");
    let mails = scene.mails(3);
    assert_eq!(header(&mails[2], "references"), header(&first, "message-id"));
    assert!(scene.mailbox.wait(4, Duration::from_secs(3)).is_err(), "nothing is told twice");
    drop(scene.folder);
}

#[test]
fn a_metric_check_is_told_as_any_other_and_is_no_more_without_its_rule() {
    let (mut scene, collector) = begin("mail3");
    collector.stop().unwrap();
    let rules = scene.folder.path().join("checks.yml");
    // The group looks now: a result is there a second after its number is.
    let text = "groups:\n- name: rooms\n  interval: 1s\n  query_offset: 0s\n  rules:\n  - check: temperature\n\
        \x20   expr: max by (host, label) (muster_check_perfdata{check=\"sensors\"})\n    warn: \"30\"\n    crit: \"40\"\n    unit: C\n\
        \x20   labels: {team: rooms}\n    remedy: open the window\n";
    std::fs::write(&rules, text).unwrap();
    scene.options.arguments.extend(["--rules".to_owned(), rules.to_string_lossy().into_owned()]);
    let mut collector = Collector::start(&scene.options).unwrap();
    let _agent = scene.home.start(&["metrics.interval=1s"]).unwrap();
    let measured = |value: &str| {
        let folder = scene.home.state.to_string_lossy();
        let number = format!("rack={value}C");
        let words = ["push", "--state-dir", &folder, "sensors", "--state", "OK", "--perfdata", &number];
        assert_eq!(run(&scene.home.programs, "muster-agent", &words).unwrap().0, 0);
    };
    measured("41.5");
    let opened = scene.mails(1).remove(0);
    let text = opened.text();
    assert!(text.contains("CRITICAL: rack 41.5") && text.contains("open the window"), "{text}");
    assert_eq!(header(&opened, "x-muster-alert"), "temperature");
    assert_eq!(
        collector.number("muster_check_state{check=\"temperature\", host=\"mail3\", team=\"rooms\"}", None).unwrap(),
        Some(2.0)
    );
    let (_, listed) = ask(&scene, &collector, &["checks", "list"]);
    assert!(listed.contains("metric") || listed.contains("temperature"), "{listed}");
    collector.kill().unwrap();
    collector = Collector::start(&scene.options).unwrap();
    measured("22");
    let ended = scene.mails(2).remove(1);
    assert_eq!(header(&ended, "in-reply-to"), header(&opened, "message-id"));
    std::fs::write(&rules, "groups: []\n").unwrap();
    assert_eq!(collector.request("POST", "/-/reload", b"").unwrap().status, 200);
    let (_, listed) = ask(&scene, &collector, &["checks", "list"]);
    assert!(listed.contains("sensors") && !listed.contains("temperature"), "{listed}");
    assert_eq!(scene.mailbox.mails().len(), 2);
}
