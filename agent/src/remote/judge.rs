//! A document before anything of it runs: read, held against the host's bounds, put beside the host's own, and made ready in everything but the
//! start (dry run). What would only be awkward (a pattern that no file fits, a file that may not be read) is told and refuses nothing.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_common::limits::CONFIGURATION_PROBLEMS_MAX;
use muster_common::redact::Redactor;
use muster_common::time::monotonic;
use muster_common::wire::message::Problem;

use super::merge::merge;
use crate::checks::worker::try_runners;
use crate::config::{Config, ConfigErrors, parse_remote};
use crate::fence::Fence;
use crate::logs::files::{Entry, Files, RealFiles, Stat};
use crate::logs::{shortened, told_outside, unreadable};

/// Names that are looked at for all patterns together, and how long it may take: a document is judged once, and its files are found by the
/// reader later anyway.
const NAMES_MAX: usize = 100_000;
const LOOK_WITHIN: Duration = Duration::from_secs(2);
/// Files of one pattern whose rights are looked at: what is wrong with thousands is wrong with these.
const FILES_MAX: usize = 100;

/// A document that may run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// With the host's own.
    pub config: Config,
    /// What is worth a word; at most [`CONFIGURATION_PROBLEMS_MAX`].
    pub warnings: Vec<Problem>,
}

/// Judges a document. Blocks for as long as its patterns take to be looked at, 2 s at most. `name` stands in the messages; `host` is the
/// host's own configuration, `own_names` this host's names.
///
/// # Errors
/// Everything that is wrong with it, at most [`CONFIGURATION_PROBLEMS_MAX`]: what is beyond is counted in the last one.
pub fn judge(name: &str, text: &str, host: &Config, own_names: &[String]) -> Result<Judged, Vec<Problem>> {
    let document = parse_remote(name, text, host, own_names).map_err(|errors| of_errors(&errors))?;
    let config = merge(host, &document);
    build(name, &config).map_err(|problem| vec![problem])?;
    let files = Bounded { names_left: Cell::new(NAMES_MAX), until: monotonic() + LOOK_WITHIN };
    let warnings = look(&config, &files);
    Ok(Judged { config, warnings: bounded(warnings) })
}

/// All that a start does but start.
fn build(name: &str, config: &Config) -> Result<(), Problem> {
    try_runners(&config.checks).map_err(|error| {
        let remedy = "correct the profile that it is of".to_owned();
        shortened(name.to_owned(), error.to_string(), remedy)
    })?;
    let redactor = Redactor::new(&config.logs.redaction);
    redactor.map(|_| ()).map_err(|(index, problem)| {
        let message = format!("redaction pattern {index} cannot be used beside the others: {problem}");
        shortened(name.to_owned(), message, "write it shorter, or leave one out".to_owned())
    })
}

/// Looks for the files of its groups once.
fn look(config: &Config, files: &Bounded) -> Vec<Problem> {
    let remote = &config.logs.remote;
    let mut warnings = Vec::new();
    for group in &remote.groups {
        for glob in &group.paths {
            let found = glob.expand_within(files, Some(&remote.fence));
            for path in &found.outside {
                let why = remote.fence.outside(&files.target(path)).to_string();
                warnings.push(told_outside(path, &why));
            }
            for (folder, kind) in &found.refused {
                if let Ok(stat) = files.stat(folder) {
                    warnings.push(unreadable(folder, &stat, *kind));
                }
            }
            let wanted = found.files.iter().filter(|(path, _)| !group.exclude.iter().any(|glob| glob.matches(path)));
            let wanted: Vec<&(PathBuf, Stat)> = wanted.collect();
            for (path, stat) in wanted.iter().take(FILES_MAX) {
                if let Err(error) = remote.fence.open(path) {
                    warnings.push(unreadable(path, stat, error.kind()));
                }
            }
            let is_told = !found.outside.is_empty() || !found.refused.is_empty();
            if files.is_spent() || found.is_cut {
                let message =
                    "it matches more than is looked at beforehand: what it reads is seen when it runs".to_owned();
                let remedy = "name fewer folders in the pattern".to_owned();
                warnings.push(shortened(glob.text().to_owned(), message, remedy));
            } else if wanted.is_empty() && !is_told {
                let remedy = "nothing, if the file comes later; else correct the profile".to_owned();
                warnings.push(shortened(glob.text().to_owned(), "no file matches it now".to_owned(), remedy));
            }
        }
    }
    warnings
}

/// As they go over the wire.
fn of_errors(errors: &ConfigErrors) -> Vec<Problem> {
    let one = |problem: &crate::config::Problem| {
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        shortened(problem.place.to_string(), format!("{key}{}", problem.message), problem.remedy.clone())
    };
    bounded(errors.0.iter().map(one).collect())
}

/// The first ones, and how many more there are.
pub(super) fn bounded(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.dedup();
    if problems.len() > CONFIGURATION_PROBLEMS_MAX {
        let more = problems.len() - (CONFIGURATION_PROBLEMS_MAX - 1);
        problems.truncate(CONFIGURATION_PROBLEMS_MAX - 1);
        problems.push(Problem {
            place: String::new(),
            message: format!("{more} more are not told"),
            remedy: "mend the others first, or ask the host: muster-agent remote check FILE".to_owned(),
        });
    }
    problems
}

/// The file system, up to a number of names and a moment.
struct Bounded {
    names_left: Cell<usize>,
    until: Duration,
}

impl Bounded {
    fn is_spent(&self) -> bool {
        self.names_left.get() == 0 || monotonic() >= self.until
    }
}

impl Files for Bounded {
    type Handle = File;

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            if self.is_spent() {
                break;
            }
            self.names_left.set(self.names_left.get() - 1);
            let entry = entry?;
            if let Ok(stat) = self.stat(&entry.path()) {
                entries.push(Entry { name: entry.file_name(), stat });
            }
        }
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        RealFiles.stat(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        RealFiles.open(path)
    }

    fn open_within(&self, path: &Path, fence: &Fence) -> io::Result<File> {
        RealFiles.open_within(path, fence)
    }

    fn is_link(&self, path: &Path) -> bool {
        RealFiles.is_link(path)
    }

    fn stat_of(&self, handle: &File) -> io::Result<Stat> {
        RealFiles.stat_of(handle)
    }

    fn read_at(&self, handle: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        RealFiles.read_at(handle, buffer, offset)
    }

    fn target(&self, path: &Path) -> PathBuf {
        RealFiles.target(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn host(folder: &Path) -> Config {
        parse("agent.toml", &format!("[remote]\nlog_paths = [\"{}\"]\n", folder.display()), &[]).unwrap()
    }

    #[test]
    fn what_is_awkward_is_told_and_what_is_wrong_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["in", "out"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        std::fs::write(path("in/a.log"), "x\n").unwrap();
        std::fs::write(path("out/b.log"), "x\n").unwrap();
        std::os::unix::fs::symlink(path("out/b.log"), path("in/b.log")).unwrap();
        let host = host(&path("in"));
        let inside = path("in").display().to_string();
        let text = format!("[[logs]]\npaths = [\"{inside}/*.log\", \"{inside}/none/*.log\"]\n");
        let judged = judge("c", &text, &host, &[]).unwrap();
        assert_eq!(judged.config.logs.remote.groups.len(), 1);
        let told: Vec<String> = judged.warnings.iter().map(|one| format!("{}: {}", one.place, one.message)).collect();
        assert!(told.len() == 2 && told[0].contains("in/b.log: a remote configuration names it"), "{told:?}");
        assert!(told[1].contains("none/*.log: no file matches"), "{told:?}");
        let problems = judge("c", "[spool]\nmax_bytes = 1\n", &host, &[]).unwrap_err();
        assert_eq!((problems.len(), problems[0].place.as_str()), (1, "c:2:1"));
    }

    #[test]
    fn more_problems_than_a_message_has_are_counted_and_the_look_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path());
        let text: String = (0..50).map(|n| format!("[[logs]]\npaths = [\"/etc/{n}\"]\n")).collect();
        let problems = judge("c", &text, &host, &[]).unwrap_err();
        assert_eq!(problems.len(), CONFIGURATION_PROBLEMS_MAX);
        assert_eq!(problems.last().unwrap().message, "31 more are not told");
        (0..30).for_each(|n| std::fs::write(folder.path().join(n.to_string()), "").unwrap());
        let files = Bounded { names_left: Cell::new(10), until: Duration::MAX };
        assert_eq!((files.list(folder.path()).unwrap().len(), files.is_spent()), (10, true));
        let files = Bounded { names_left: Cell::new(10), until: Duration::ZERO };
        assert_eq!(files.list(folder.path()).unwrap().len(), 0);
    }
}
