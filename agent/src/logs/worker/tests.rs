//! The thread with real files, a real watch and a journalctl made of shell.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};

use muster_common::disk::real::RealDisk;

use super::*;
use crate::logs::settings::JournalConfig;
use crate::logs::tests::group;

const PATIENCE: Duration = Duration::from_secs(20);

fn start(folder: &Path, logs: LogsConfig, journalctl: &Path, room: usize) -> (Option<LogWorker>, Receiver<LogNews>) {
    let (sender, news) = sync_channel(room);
    let config = LogWorkerConfig {
        logs,
        disk: RealDisk,
        state_dir: folder.to_path_buf(),
        journalctl: journalctl.to_path_buf(),
        own: Arc::new(Own::default()),
    };
    let tell = move |one| {
        sender.try_send(one).map_err(|error| match error {
            TrySendError::Full(one) | TrySendError::Disconnected(one) => one,
        })
    };
    (LogWorker::start(config, tell).unwrap(), news)
}

fn lines(news: &Receiver<LogNews>, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        if let LogNews::Batch { batch, .. } = news.recv_timeout(PATIENCE).unwrap() {
            let wire = batch.to_wire();
            let texts = wire.streams.iter().flat_map(|stream| &stream.lines);
            lines.extend(texts.map(|line| String::from_utf8_lossy(&line.line).into_owned()));
        }
    }
    lines
}

fn seek(worker: &LogWorker) {
    worker.say(LogWord::Seek { positions: Vec::new(), scope: Scope::All });
}

#[test]
fn lines_come_from_the_thread_within_a_second_and_a_full_channel_loses_none() {
    let (logs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = logs.path().join("a.log");
    let pattern = format!("{}/*.log", logs.path().display());
    let config = LogsConfig { groups: Some(vec![group(&[pattern.as_str()])]), ..LogsConfig::default() };
    let (worker, news) = start(state.path(), config, Path::new("/nonexistent"), 1);
    let worker = worker.unwrap();
    std::fs::write(&path, "one\n").unwrap();
    seek(&worker);
    assert_eq!(lines(&news, 1), ["one"]);
    let before = Moment::read().steady;
    std::fs::write(logs.path().join("b.log"), "two\n").unwrap();
    assert_eq!(lines(&news, 1), ["two"]);
    assert!(Moment::read().steady.saturating_sub(before) < Duration::from_secs(5), "the watch wakes it, not the sweep");
    let many: String = (0..60_000).map(|number| format!("{number} {}\n", "x".repeat(60))).collect();
    std::fs::write(logs.path().join("c.log"), &many).unwrap();
    let got = lines(&news, 60_000);
    assert!(got.iter().enumerate().all(|(number, line)| line.starts_with(&format!("{number} "))));
    drop(worker);
    assert!(state.path().join("logs.json").is_file(), "hints are written at the end");
}

#[test]
fn the_journal_is_read_when_nothing_is_configured_and_started_again_when_its_child_ends() {
    let state = tempfile::tempdir().unwrap();
    let program = state.path().join("journalctl");
    // The first child gives two entries and ends; the next one is asked for what is behind the second.
    let script = r#"#!/bin/sh
entry() { echo "{\"__CURSOR\":\"s=1;i=$1\",\"__REALTIME_TIMESTAMP\":\"$1000\",\"MESSAGE\":\"entry $1\",\"PRIORITY\":\"4\",\"_MACHINE_ID\":\"m1\",\"_SYSTEMD_UNIT\":\"a.service\"}"; }
case "$*" in
  *"-n 1 "*) entry 0 ;;
  *--after-cursor=s=1\;i=2*) entry 3; exec sleep 30 ;;
  *--no-tail*) entry 1; entry 2 ;;
esac
"#;
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let journal = JournalConfig { enabled: None, from: Some(From::Start) };
    let (worker, news) = start(state.path(), LogsConfig { journal, ..LogsConfig::default() }, &program, 8);
    let worker = worker.unwrap();
    seek(&worker);
    assert_eq!(lines(&news, 3), ["entry 1", "entry 2", "entry 3"]);
}

#[test]
fn a_host_with_nothing_to_read_has_no_thread_and_one_pattern_that_is_none_is_an_error() {
    let state = tempfile::tempdir().unwrap();
    let nothing = LogsConfig { groups: Some(Vec::new()), ..LogsConfig::default() };
    assert!(start(state.path(), nothing, Path::new("/nonexistent"), 1).0.is_none());
    let wrong = LogWorkerConfig {
        logs: LogsConfig { redaction: vec!["(".to_owned()], ..LogsConfig::default() },
        disk: RealDisk,
        state_dir: state.path().to_path_buf(),
        journalctl: PathBuf::from("/nonexistent"),
        own: Arc::new(Own::default()),
    };
    assert!(matches!(LogWorker::start(wrong, |_| Ok(())), Err(LogWorkerError::Pattern { index: 0, .. })));
}
