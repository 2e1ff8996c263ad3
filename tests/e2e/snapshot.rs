//! A snapshot of a running collector, put back onto another folder after the first one is lost: agents go on, nobody is told twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_common::time::now;
use muster_tests::harness::agent::{AgentHome, muster, run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::mailbox::Mailbox;
use muster_tests::harness::programs;
use muster_tests::kill;

use super::LIMIT;

const HOST: &str = "snap1";

struct Scene {
    folder: tempfile::TempDir,
    programs: PathBuf,
    options: Options,
    mailbox: Mailbox,
    key: String,
}

impl Scene {
    fn begin() -> (Self, Collector) {
        let programs = programs::folder();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let mailbox = Mailbox::start(None).unwrap();
        let routes = format!(
            "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
             route:\n  receiver: ops\n  group_by: [alertname, host]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n\
             receivers:\n- name: ops\n  email_configs:\n  - to: ann@example.org\n    send_resolved: true\n",
            mailbox.address
        );
        std::fs::write(at("alerting.yml"), routes).unwrap();
        std::fs::write(at("key"), "hFz2vJ5mSnapshotKeyOfATest\n").unwrap();
        std::fs::write(at("collector.toml"), format!("[snapshot]\nkey_file = \"{}\"\n", at("key"))).unwrap();
        let mut options = Options::new(&programs, &folder.path().join("data"));
        options.arguments =
            ["--alerting", &at("alerting.yml"), "--config", &at("collector.toml")].map(str::to_owned).to_vec();
        let collector = Collector::start(&options).unwrap();
        (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
        let key = at("key");
        (Self { folder, programs, options, mailbox, key }, collector)
    }

    fn ask(&self, collector: &Collector, words: &[&str]) -> (i32, String) {
        let (code, text, error) = muster(&self.programs, collector, words).unwrap();
        (code, format!("{text}{error}"))
    }

    /// One of the commands that need no collector.
    fn offline(&self, words: &[&str]) -> (i32, String) {
        let (code, text, error) = run(&self.programs, "muster-collector", words).unwrap();
        (code, format!("{text}{error}"))
    }

    fn push(&self, home: &AgentHome, check: &str, state: &str) {
        let folder = home.state.to_string_lossy();
        let words = ["push", "--state-dir", &folder, check, "--state", state, "--output", "as the test says"];
        let (code, _, error) = run(&self.programs, "muster-agent", &words).unwrap();
        assert_eq!(code, 0, "{error}");
    }
}

/// The folder that `muster snapshot create` names.
fn made(text: &str) -> &Path {
    let line = text.lines().next().unwrap_or_default();
    let rest = line.strip_prefix("made ").unwrap_or_else(|| panic!("{text}"));
    Path::new(rest.split(", ").next().unwrap())
}

#[test]
fn a_lost_machine_comes_back_from_a_snapshot_and_nobody_is_told_twice() {
    let (mut scene, collector) = Scene::begin();
    let home = AgentHome::enrol(&scene.programs, &collector, scene.folder.path(), HOST).unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let count = "count_over_time(node_load1{host=\"snap1\"}[10m])";
    until("samples", LIMIT, || Ok(collector.number(count, None)?.filter(|count| *count >= 4.0))).unwrap();
    scene.push(&home, "raid", "CRITICAL");
    let opened = scene.mailbox.wait(1, LIMIT).unwrap().remove(0);
    let taken = "{event=\"notice\"} |= \"has taken notice 1\"";
    until("what became of the mail", LIMIT, || {
        let (_, text) = scene.ask(&collector, &["logs", taken, "-o", "raw"]);
        Ok(text.contains("ann@example.org").then_some(()))
    })
    .unwrap();
    let at = now().millis() as f64 / 1_000.0 - 1.0;
    let before = collector.number(count, Some(at)).unwrap().unwrap();

    let (code, text) = scene.ask(&collector, &["snapshot", "create"]);
    assert_eq!(code, 0, "{text}");
    let snapshot = made(&text).to_string_lossy().into_owned();
    let (code, listed) = scene.ask(&collector, &["snapshot", "list"]);
    assert!(code == 0 && listed.contains("sealed") && listed.lines().count() == 2, "{listed}");
    // It goes on: a problem that the snapshot does not know of, and samples that are lost with the machine.
    scene.push(&home, "fan", "CRITICAL");
    scene.mailbox.wait(2, LIMIT).unwrap();
    collector.kill().unwrap();
    let lost_ms = now().millis() as f64;
    std::fs::remove_dir_all(&scene.options.data).unwrap();

    let (code, text) = scene.offline(&["verify-snapshot", &snapshot, "--key-file", &scene.key]);
    assert!(
        code == 0 && text.starts_with("whole: snapshot ") && text.contains("this key opens the CA's keys"),
        "{text}"
    );
    let (data, config) = (scene.folder.path().join("data2"), scene.folder.path().join("etc"));
    let (to, etc) = (data.to_string_lossy(), config.to_string_lossy());
    let words =
        ["restore", "--from", &snapshot, "--data", &to, "--key-file", &scene.key, "--verify", "--config-to", &etc];
    let (code, text) = scene.offline(&words);
    assert!(code == 0 && text.contains("to be put back by hand"), "{text}");
    assert_eq!(
        std::fs::read(config.join("alerting.yml")).unwrap(),
        std::fs::read(scene.folder.path().join("alerting.yml")).unwrap()
    );
    let (code, text) = scene.offline(&words);
    assert!(code == 1 && text.contains("is not empty"), "{text}");

    scene.options.data = data;
    let collector = Collector::start(&scene.options).unwrap();
    assert_eq!(collector.number(count, Some(at)).unwrap(), Some(before), "what was there at the snapshot");
    let age = "time() - timestamp(node_load1{host=\"snap1\"})";
    until("the agent", LIMIT, || Ok(collector.number(age, None)?.filter(|age| *age < 3.0))).unwrap();
    let (code, page) = scene.ask(&collector, &["status"]);
    assert!(code == 0 && page.contains("restored   what was acknowledged between"), "{page}");
    // The time that is named covers what the snapshot has not.
    let restored = collector.get("/api/muster/v1/status").unwrap().json().unwrap()["restored"].clone();
    assert!(
        restored["from_ms"].as_f64().unwrap() <= lost_ms && restored["to_ms"].as_f64().unwrap() >= lost_ms,
        "{restored}"
    );
    // The end of what was told before the snapshot is told in its thread, and nothing between.
    scene.push(&home, "raid", "OK");
    let mails = scene.mailbox.wait(3, LIMIT).unwrap();
    let references = mails[2].header("references").unwrap_or_default();
    assert!(references.contains(&opened.header("message-id").unwrap()), "{references}");
    let mut ids: Vec<_> = mails.iter().map(|mail| mail.header("message-id").unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(scene.mailbox.wait(4, Duration::from_secs(3)).is_err(), "nobody is told twice");
    drop(agent);
    assert!(collector.stop().unwrap().success());
    let (raw, distinct) = kill::stored_samples(&scene.options.data, HOST).unwrap();
    assert!(raw == distinct && raw > 0, "{raw} samples are stored, {distinct} answered");
}

#[test]
fn a_snapshot_without_a_key_and_one_that_is_cut_off_are_refused_with_what_to_do() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let ask = |words: &[&str]| {
        let (code, text, error) = muster(&programs, &collector, words).unwrap();
        (code, format!("{text}{error}"))
    };
    let (code, told) = ask(&["snapshot", "create"]);
    assert!(code == 2 && told.contains("--without-ca-key") && told.contains("/dev/urandom"), "{code}: {told}");
    let (code, told) = ask(&["snapshot", "create", "--to", "../elsewhere", "--without-ca-key"]);
    assert!(code == 2 && told.contains("`../elsewhere` is no absolute path"), "{code}: {told}");
    let (code, told) = ask(&["snapshot", "list"]);
    assert!(code == 0 && told.contains("there are no snapshots in"), "{told}");
    let to = folder.path().join("copies").to_string_lossy().into_owned();
    let (code, text) = ask(&["snapshot", "create", "--to", &to, "--without-ca-key"]);
    assert_eq!(code, 0, "{text}");
    let snapshot = made(&text).to_path_buf();
    let offline = |words: &[&str]| {
        let (code, text, error) = run(&programs, "muster-collector", words).unwrap();
        (code, format!("{text}{error}"))
    };
    let shown = snapshot.to_string_lossy().into_owned();
    let (code, told) = offline(&["verify-snapshot", &shown]);
    assert!(code == 0 && told.contains("every host must enrol anew"), "{told}");
    let state = snapshot.join("data/state.redb");
    let length = std::fs::metadata(&state).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&state).unwrap().set_len(length - 4_096).unwrap();
    let new = folder.path().join("new").to_string_lossy().into_owned();
    for words in [&["verify-snapshot", &shown][..], &["restore", "--from", &shown, "--data", &new]] {
        let (code, told) = offline(words);
        assert!(code == 1 && told.contains("state.redb`: it has ") && told.contains("take another copy"), "{told}");
    }
    assert!(!Path::new(&new).join("catalog.redb").exists());
}
