//! How many processes have a name, or a command line like a pattern. Zombies do not count.

use std::path::Path;
use std::time::Duration;

use muster_common::range::Range;
use regex::bytes::Regex;

use super::keys::{KeyError, Keys};
use super::reading::{Limits, Reading, Unit, at_least, outcome};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;
use crate::sources::Scratch;

/// Checks within this time share one walk through /proc, which costs about a millisecond a hundred processes.
const SHARED: Duration = Duration::from_secs(10);
/// The kernel keeps this much of a name.
const NAME_BYTES: usize = 15;

enum Wanted {
    Name(String),
    Pattern(Regex),
}

struct Process {
    wanted: Wanted,
    /// As the configuration has it.
    written: String,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let (wanted, written) = match (keys.text("process"), keys.text("pattern")) {
        (Some(name), None) => (Wanted::Name(name.to_owned()), name),
        (None, Some(pattern)) => {
            let regex = Regex::new(pattern).map_err(|error| {
                let problem = error.to_string();
                let last = problem.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
                KeyError::new(
                    "pattern",
                    format!("is no regular expression: {last}"),
                    "write one that the command line matches",
                )
            })?;
            (Wanted::Pattern(regex), pattern)
        }
        _ => {
            let remedy =
                "write `process = \"nginx\"` for a name, or `pattern = \"java .*shop\\\\.jar\"` for a command line";
            return Err(KeyError::new("process", "needs one of `process` and `pattern`", remedy));
        }
    };
    let defaults = Limits { warn: None, crit: Some(at_least(1.0)) };
    Ok(Probe::Look(Box::new(Process { wanted, written: written.to_owned(), limits: Limits::of(keys, defaults) })))
}

impl Look for Process {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let Host { proc, scratch, steady, processes, .. } = host;
        let is_pattern = matches!(self.wanted, Wanted::Pattern(_));
        processes.refresh(proc, scratch, *steady, is_pattern)?;
        let count = processes.seen.iter().filter(|seen| self.wants(seen)).count() as f64;
        let noun = if count == 1.0 { "process" } else { "processes" };
        let words = match &self.wanted {
            Wanted::Name(name) => format!("{count} {noun} named {name}"),
            Wanted::Pattern(_) => format!("{count} {noun} like `{}`", self.written),
        };
        let one_or_more = |range: Range| range == at_least(1.0);
        let words = if count == 0.0 && self.limits.crit.is_some_and(one_or_more) {
            format!("no{}", &words[1..])
        } else {
            words
        };
        Ok(outcome("PROCESS", vec![Reading::new("processes", count, Unit::Number, self.limits, words)]))
    }
}

impl Process {
    fn wants(&self, seen: &Seen) -> bool {
        match &self.wanted {
            Wanted::Name(name) => seen.name == name.as_bytes()[..name.len().min(NAME_BYTES)],
            Wanted::Pattern(pattern) => !seen.command.is_empty() && pattern.is_match(&seen.command),
        }
    }
}

struct Seen {
    name: Vec<u8>,
    /// Arguments with blanks between them; empty for kernel threads.
    command: Vec<u8>,
}

/// The processes as the latest walk saw them.
#[derive(Default)]
pub(super) struct Table {
    walked: Option<Duration>,
    with_commands: bool,
    seen: Vec<Seen>,
}

impl Table {
    fn refresh(
        &mut self,
        proc: &Path,
        scratch: &mut Scratch,
        now: Duration,
        needs_commands: bool,
    ) -> Result<(), String> {
        let is_fresh = self.walked.is_some_and(|walked| now.saturating_sub(walked) < SHARED);
        if is_fresh && (self.with_commands || !needs_commands) {
            return Ok(());
        }
        self.with_commands |= needs_commands;
        self.seen.clear();
        let folder =
            std::fs::read_dir(proc).map_err(|error| format!("{} cannot be listed: {error}", proc.display()))?;
        for entry in folder.flatten() {
            if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            let path = entry.path();
            // One that has ended meanwhile is no process any more.
            let Some(name) = scratch.read_once(&path.join("stat")).ok().and_then(living_name) else { continue };
            let mut command = Vec::new();
            if self.with_commands {
                command.extend_from_slice(scratch.read_once(&path.join("cmdline")).unwrap_or_default());
                while command.pop_if(|last| *last == 0).is_some() {}
                command.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
            }
            self.seen.push(Seen { name, command });
        }
        self.walked = Some(now);
        Ok(())
    }
}

/// `22 (name) S ...`: the name, which may hold brackets itself, unless the state is that of a zombie or a dead one.
fn living_name(stat: &[u8]) -> Option<Vec<u8>> {
    let from = stat.iter().position(|byte| *byte == b'(')? + 1;
    let to = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(to + 2)?;
    (!matches!(state, b'Z' | b'X' | b'x')).then(|| stat.get(from..to).map(<[u8]>::to_vec)).flatten()
}
