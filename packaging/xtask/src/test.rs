//! `cargo xtask test`: what CI runs, and a developer before a commit. The demo is a part of it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::build::{self, cargo};
use crate::{demo, process, tools, web};

pub(crate) fn run() -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a command that tells how long it took; nothing decides by it")]
    let start = Instant::now();
    tools::ensure()?;
    process::run(&mut cargo(&["fmt", "--all", "--check"])).context("format: run `cargo fmt --all`")?;
    web::build().context("pages")?;
    web::test()?;
    let lint = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut cargo(&lint)).context("clippy")?;
    process::run(&mut cargo(&["build", "--locked", "--workspace", "--all-targets"])).context("build")?;
    tests(&mut cargo(&["test", "--locked", "--workspace", "--no-fail-fast"])).context("tests")?;
    // The programs that the build above left: nothing is built anew.
    demo::run_with(&build::folder(false)?, true).context("demo")?;
    println!("test: everything passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Runs all tests, shows what they print as it comes, and at the end once more what the failed ones said: who reads a log from its end,
/// or has only that of it, finds the reason there.
fn tests(command: &mut Command) -> Result<()> {
    let shown = process::show(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("failed to start `{shown}`"))?;
    let stdout = child.stdout.take().context("standard output is piped")?;
    let mut failures = Failures::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.with_context(|| format!("`{shown}`"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        failures.line(&line);
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    println!("\nWhat failed, once more:\n{}", failures.told);
    // Tests run real programs: some fail for what the machine lacks, which nobody can look up afterwards.
    for look in ["uptime", "free -m", "df -h ."] {
        let mut words = look.split(' ');
        let found = words.next().map(|program| process::output(Command::new(program).args(words)));
        println!(
            "{look}: {}",
            found.map_or_else(String::new, |found| found.unwrap_or_else(|error| format!("{error:#}")))
        );
    }
    bail!("`{shown}` ended with {status}")
}

/// Picks what failed tests said out of the output of libtest: from a line `---- NAME stdout ----` to the list of their names.
#[derive(Default)]
struct Failures {
    told: String,
    within: bool,
    /// Lines of the block that is open.
    lines: usize,
}

impl Failures {
    /// Of one test: an assertion and what it compared. Longer ones print whole pages, and their beginning says enough.
    const LINES_MAX: usize = 60;

    fn line(&mut self, line: &str) {
        match line {
            "failures:" | "successes:" => self.within = false,
            _ if line.starts_with("---- ") && line.ends_with(" ----") => (self.within, self.lines) = (true, 0),
            _ => {}
        }
        if !self.within {
            return;
        }
        self.lines += 1;
        if self.lines <= Self::LINES_MAX {
            self.told.push_str(line);
            self.told.push('\n');
        }
    }
}

pub(crate) fn deny() -> Result<()> {
    if process::output(&mut cargo(&["deny", "--version"])).is_err() {
        process::run(&mut cargo(&["install", "--locked", "cargo-deny@0.20.2"])).context("installing cargo-deny")?;
    }
    // Advisories need a fresh copy of their database, which not every machine can reach: checked where it can be had.
    process::run(&mut cargo(&["deny", "--locked", "check", "licenses", "bans", "sources"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_tests_said_is_found_in_what_all_printed() {
        let printed = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\n\nthread 'b' panicked at x.rs:1:1:\nleft: 1\n\n\n\
            failures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed\n";
        let mut failures = Failures::default();
        printed.lines().for_each(|line| failures.line(line));
        assert_eq!(failures.told, "---- b stdout ----\n\nthread 'b' panicked at x.rs:1:1:\nleft: 1\n\n\n");
        let mut long = Failures::default();
        long.line("---- c stdout ----");
        (0..1_000).for_each(|number| long.line(&number.to_string()));
        assert_eq!(long.told.lines().count(), Failures::LINES_MAX);
    }
}
