use std::path::Path;

use super::*;
use crate::config::parse;
use crate::remote::store::{Mark, Record};

const DOCUMENT: &str = "[[checks]]\nname = \"added\"\nkind = \"tcp\"\nhost = \"localhost\"\nport = 22\n";

fn start(state_dir: &Path, text: &str) -> (RemoteSide, mpsc::Receiver<RemoteNews>, Vec<String>) {
    let host = parse("agent.toml", text, &[format!("agent.state_dir={}", state_dir.display())]).unwrap();
    let own = Arc::new(Own::default());
    let surroundings = Surroundings { host, own_names: Vec::new(), own, times: Times::default(), say: None };
    let (side, news, config) = RemoteSide::start(surroundings, Moment::read());
    (side, news, config.checks.checks.into_iter().map(|check| check.name).collect())
}

fn keep(state_dir: &Path) {
    let good = Some(Mark { number: 5, digest: Configuration::digest_of(DOCUMENT), since_ms: 1 });
    let record = Record { offered: good.clone(), good, ..Record::default() };
    Store::new(RealDisk, state_dir).confirm(DOCUMENT, &record).unwrap();
}

/// All that is to be waited for, answered as the agent does it.
fn settle(side: &mut RemoteSide, news: &mut mpsc::Receiver<RemoteNews>) {
    while let Some(thread) = side.thread.take() {
        thread.join().unwrap();
        match news.try_recv().unwrap() {
            RemoteNews::Judged(verdict) => side.judged(*verdict, Moment::read()),
            RemoteNews::Written(outcome) => {
                if let Some(wanted) = side.written(outcome, Moment::read()) {
                    side.switch(wanted, Parts { logs: None, checks: None });
                }
            }
            RemoteNews::Switched(switched) => side.switched(*switched, Moment::read()),
        }
    }
}

#[test]
fn a_process_starts_with_what_was_confirmed_whoever_is_away() {
    let folder = tempfile::tempdir().unwrap();
    assert!(start(folder.path(), "").2.is_empty());
    keep(folder.path());
    let (mut side, _news, names) = start(folder.path(), "");
    assert_eq!(names, ["added"]);
    let state = side.news().unwrap();
    assert_eq!((state.word, state.number), (ConfigurationWord::InForce, 5));
    assert_eq!(side.surroundings.own.configuration_number.value(), 5);
    assert_eq!((side.status().number_in_force, side.news()), (5, None), "told once");
}

#[test]
fn what_does_not_fit_is_damaged_or_disabled_does_not_run_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path());
    let (mut side, mut news, names) = start(folder.path(), "[remote]\ntargets = []\n");
    assert!(names.is_empty(), "refused as a whole");
    settle(&mut side, &mut news);
    let status = side.status();
    assert_eq!((status.word.as_str(), side.surroundings.own.configuration_refusals.value()), ("refused", 1));
    assert!(status.problems[0].contains("`localhost:22` is beyond") && status.problems[0].contains("agent.toml:2:1"));
    let (mut side, _news, names) = start(folder.path(), "[remote]\nenabled = false\n");
    assert_eq!((names.len(), side.news().unwrap().word), (0, ConfigurationWord::Disabled));
    // The file is mended, and then the disk is not.
    let (mut side, mut news, names) = start(folder.path(), "");
    settle(&mut side, &mut news);
    assert_eq!((names, side.status().word), (vec!["added".to_owned()], "in force".to_owned()));
    std::fs::write(folder.path().join("remote/good.toml"), "[[checks]]\n").unwrap();
    let (mut side, _news, names) = start(folder.path(), "");
    let state = side.news().unwrap();
    assert!(names.is_empty() && (state.word, state.number) == (ConfigurationWord::None, 0), "{state:?}");
    assert_eq!((state.in_force, state.offered), ([0; 16], [0; 16]), "so the collector offers it again");
    assert!(state.problems[0].message.contains("it is not what was confirmed"), "{state:?}");
}

#[test]
fn a_disk_that_does_not_take_the_trial_sets_it_back_and_nothing_has_run() {
    let folder = tempfile::tempdir().unwrap();
    // A file in the place of the folder, whoever asks.
    std::fs::write(folder.path().join("remote"), "").unwrap();
    let (mut side, mut news, _) = start(folder.path(), "");
    side.offered(Configuration::new(1, DOCUMENT.to_owned()));
    side.look(true, Moment::read());
    settle(&mut side, &mut news);
    let status = side.status();
    assert_eq!((status.word.as_str(), status.number_in_force, status.in_force.as_str()), ("reverted", 0, ""));
    assert!(status.problems[0].contains("remote/trial.toml cannot be written"), "{:?}", status.problems);
    assert!(side.running.checks.checks.is_empty());
}
