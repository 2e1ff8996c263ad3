//! A configuration that the collector offers, end to end over real QUIC and real files: what runs, what arrives, what the next process finds.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use muster_common::wire::message::{ConfigurationWord, Report};

use super::*;
use crate::remote::machine::Times;

/// An enrolled host with a folder of logs that it opens.
struct Host {
    trial: Trial,
    logs: tempfile::TempDir,
}

type Running = (oneshot::Sender<GoodbyeReason>, tokio::task::JoinHandle<Result<(), RunError>>);

impl Host {
    async fn new() -> Self {
        let mut trial = Trial::enrolled().await;
        trial.collector.with_model(|model| (model.lanes, model.takes_configurations) = (0b111, true));
        let logs = tempfile::tempdir().unwrap();
        let folder = logs.path().display();
        let text = format!(
            "[agent]\nhost_checks = false\n\n[[logs]]\npaths = [\"{folder}/own.log\"]\n\n[remote]\nlog_paths = [\"{folder}\"]\n\n[inventory]\nenabled = false\n"
        );
        let sets = ["metrics.interval=1s".to_owned(), format!("agent.state_dir={}", trial.folder.path().display())];
        trial.config = config::parse("agent.toml", &text, &sets).unwrap();
        Self { trial, logs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.logs.path().join(name)
    }

    fn append(&self, name: &str, line: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    fn start(&self, stood: Duration) -> Running {
        let (stop, stopped) = oneshot::channel();
        let config = self.trial.config.clone();
        let times = Times { stood, within: Duration::from_secs(60) };
        let run = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let stop = async { stopped.await.unwrap_or(GoodbyeReason::Restart) };
            runtime.block_on(run_with(config, times, stop))
        });
        (stop, run)
    }

    /// Waits until the collector is told this word of this number.
    async fn until_told(&self, number: u64, word: ConfigurationWord) {
        let is_told = |collector: &TestCollector| {
            let last = collector.with_model(|model| model.configurations.last().cloned());
            last.is_some_and(|state| (state.number, state.word) == (number, word))
        };
        self.trial.until(&format!("{word:?} of {number}"), is_told).await;
    }

    /// Waits until the last list of checks that the collector has is this one.
    async fn until_checks(&self, wanted: &[&str]) {
        let list = |report| if let Report::Checks(list) = report { Some(list.checks) } else { None };
        let is_told = |collector: &TestCollector| {
            collector.reports().into_iter().filter_map(list).next_back().is_some_and(|checks| checks == wanted)
        };
        self.trial.until(&format!("the list {wanted:?} of checks"), is_told).await;
    }

    fn document(&self) -> String {
        let folder = self.logs.path().display();
        format!(
            "[[logs]]\npaths = [\"{folder}/added*.log\"]\n\n[[checks]]\nname = \"stamp\"\nkind = \"file_age\"\npath = \"{folder}/own.log\"\ncrit = \"1h\"\n\n[redaction]\npatterns = [\"card=(\\\\d+)\"]\n"
        )
    }
}

async fn end((stop, run): Running) {
    stop.send(GoodbyeReason::Restart).unwrap();
    run.await.unwrap().unwrap();
}

#[tokio::test]
async fn lines_written_during_a_switch_arrive_once_metrics_go_on_and_a_restart_finds_what_was_confirmed() {
    let host = Host::new().await;
    let running = host.start(Duration::from_secs(2));
    // A writer that never waits for anybody.
    let (mut written, collector) = (0, &host.trial.collector);
    let mut write = |count: u32| {
        for _ in 0..count {
            host.append("own.log", &format!("own {written:05}\n"));
            host.append("added.log", &format!("added {written:05} card=1234\n"));
            written += 1;
        }
    };
    write(50);
    host.trial.until("the host's own lines", |collector| collector.lines().contains("own 00049")).await;
    assert!(!host.trial.collector.lines().contains("added"), "nobody asked for it yet");
    let before = collector.with_model(|model| model.store.counts.values().sum::<u32>());
    collector.offer(1, &host.document());
    for _ in 0..200 {
        write(5);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    host.until_told(1, ConfigurationWord::InForce).await;
    write(20);
    let last = written - 1;
    let has_all = |collector: &TestCollector| {
        let lines = collector.lines();
        lines.contains(&format!("own {last:05}")) && lines.contains(&format!("added {last:05}"))
    };
    host.trial.until("all lines", has_all).await;
    let lines = collector.lines();
    for kind in ["own", "added"] {
        let numbers: Vec<&str> = lines.lines().filter(|line| line.starts_with(&format!("{kind} "))).collect();
        assert_eq!(numbers.len(), written as usize, "each line of {kind} once");
        assert!(numbers.is_sorted(), "in order");
    }
    assert!(!lines.contains("1234"), "the added pattern cuts out what it names");
    let after = collector.with_model(|model| model.store.counts.values().sum::<u32>());
    assert!(after > before + 1, "metrics go on");
    host.trial
        .until("the added check's result", |collector| {
            collector.reports().iter().any(|report| matches!(report, Report::Check(check) if check.check == "stamp"))
        })
        .await;
    host.until_checks(&["stamp"]).await;
    end(running).await;
    let status = Status::read(host.trial.folder.path()).unwrap().unwrap();
    assert_eq!((status.remote.word.as_str(), status.remote.number_in_force), ("in force", 1));
    // The next process starts with it, and says so.
    let running = host.start(Duration::from_secs(2));
    host.append("added.log", "after a restart\n");
    host.trial.until("a line of the added file", |collector| collector.lines().contains("after a restart")).await;
    host.until_told(1, ConfigurationWord::InForce).await;
    // And back to the host's own file alone.
    collector.offer(2, "");
    host.until_told(2, ConfigurationWord::InForce).await;
    host.append("added.log", "nobody reads this\n");
    host.append("own.log", "own is read on\n");
    host.trial.until("the host's own lines", |collector| collector.lines().contains("own is read on")).await;
    assert!(!collector.lines().contains("nobody reads this"));
    // On a lane of its own, so maybe later than the lines.
    host.until_checks(&[]).await;
    end(running).await;
    let lines = collector.lines();
    assert_eq!(lines.lines().filter(|line| line.starts_with("own 0")).count(), written as usize, "still once each");
}

#[tokio::test]
async fn a_document_beyond_the_bounds_changes_nothing_and_a_trial_that_was_killed_is_set_back() {
    let host = Host::new().await;
    let hour = Duration::from_secs(3_600);
    let running = host.start(hour);
    host.append("own.log", "one\n");
    host.trial.until("a line", |collector| collector.lines().contains("one")).await;
    let collector = &host.trial.collector;
    collector.offer(1, "[[logs]]\npaths = [\"/etc/shadow\"]\n\n[[checks]]\nname = \"x\"\ncommand = [\"/bin/sh\"]\n");
    host.until_told(1, ConfigurationWord::Refused).await;
    let state = collector.with_model(|model| model.configurations.last().cloned().unwrap());
    let told: Vec<&str> = state.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(
        told.len() == 2 && told[0].contains("`/etc/shadow` is beyond") && told[1].contains("brings no command"),
        "{told:?}"
    );
    assert!(state.problems[0].place == "configuration 1:2:10" && state.in_force == [0; 16], "{state:?}");
    let hellos = collector.with_model(|model| model.hellos.len());
    collector.offer(2, &host.document());
    host.until_told(2, ConfigurationWord::Trial).await;
    host.append("added.log", "on trial\n");
    host.trial.until("a line of the trial", |collector| collector.lines().contains("on trial")).await;
    assert!(collector.with_model(|model| model.hellos.len()) > hellos, "by a new session");
    // What a process that is killed leaves behind.
    let kept = host.trial.folder.path().join("remote");
    let files = ["state.json", "trial.toml"].map(|name| std::fs::read(kept.join(name)).unwrap());
    end(running).await;
    std::fs::write(kept.join("state.json"), &files[0]).unwrap();
    std::fs::write(kept.join("trial.toml"), &files[1]).unwrap();
    let running = host.start(hour);
    host.until_told(2, ConfigurationWord::Reverted).await;
    host.append("added.log", "set back\n");
    host.append("own.log", "two\n");
    host.trial.until("a line", |collector| collector.lines().contains("two")).await;
    assert!(!collector.lines().contains("set back"), "the host's own file alone is in force");
    end(running).await;
    assert!(!kept.join("trial.toml").exists(), "it is removed after its record is written");
    let status = Status::read(host.trial.folder.path()).unwrap().unwrap();
    let problems = status.remote.problems.join("\n");
    assert!(status.remote.is_bad() && problems.contains("killed, while it was on trial"), "{problems}");
}
