//! The log part: the agent tails the collector's own log over rotations and its own death, and every line is compared at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::run::{Demo, STEP};
use crate::process::output;

/// The streams of the collector's own log.
const SELECTOR: &str = "{app=\"muster-collector\"}";
/// Looks back over the whole demo.
const SINCE: &str = "1h";
/// Strangers that the collector turns away while the agent is dead: each leaves lines in the log.
const STRANGERS: usize = 5;
/// What the agent puts in the place of a secret.
const REDACTED: &str = "<redacted>";

/// What the agent's configuration says of the log.
pub(super) fn agent_config(path: &std::path::Path) -> String {
    format!("[[logs]]\npaths = [{:?}]\nfrom = \"start\"\nlabels = {{ app = \"muster-collector\" }}\n", path.display())
}

/// What the collector's configuration says of its log. `trace` tells of each packet of the agents: some tens of lines a second here.
pub(super) fn collector_config(level: &str) -> String {
    format!("[log]\nlevel = \"{level}\"\n")
}

impl Demo {
    /// Rotates the log under the agent, kills the agent, rotates again while it is dead, and starts it anew.
    pub(super) fn rotate_and_kill(&mut self, stop: &AtomicBool) -> Result<()> {
        self.until_lines(stop, |stored| stored > 0)?;
        self.log.rotate()?;
        // The agent goes on with the new file, and dies in the middle of it.
        let before = lines(&self.log.read()?);
        self.until_lines(stop, |stored| stored > before)?;
        println!("log         the collector's own, tailed by the agent; rotated under it");
        self.kill_agent()?;
        for _ in 0..STRANGERS {
            self.turn_away()?;
        }
        self.log.rotate()?;
        for _ in 0..STRANGERS {
            self.turn_away()?;
        }
        self.start_agent()?;
        println!(
            "killed      the agent by SIGKILL; rotated again meanwhile, {} strangers turned away, started anew",
            2 * STRANGERS
        );
        Ok(())
    }

    /// An enrolment that is refused: the word was good for one host.
    fn turn_away(&self) -> Result<()> {
        let state = self.state.with_extension("stranger").to_string_lossy().into_owned();
        let mut enrol = std::process::Command::new(self.programs.join("muster-agent"));
        enrol.args([
            "enrol",
            "--collector",
            &self.agents,
            "--token",
            &self.word,
            "--name",
            "stranger",
            "--state",
            &state,
        ]);
        match output(&mut enrol) {
            Ok(_) => bail!("a stranger was let in"),
            Err(_) => Ok(()),
        }
    }

    /// Lets the log come to rest and compares what was written with what is stored.
    pub(super) fn show_lines(&self, stop: &AtomicBool) -> Result<()> {
        // A log that tells of each packet never rests while it is sent in packets itself.
        std::fs::write(&self.config, collector_config("info"))?;
        crate::process::signal(self.collector.id(), "HUP")?;
        #[expect(clippy::disallowed_methods, reason = "a command that waits for what it shows")]
        let start = Instant::now();
        let files = loop {
            let files = self.log.read()?;
            let stored = self.stored()?;
            let (written, after) = (lines(&files), lines(&self.log.read()?));
            if stored > after {
                bail!("{stored} lines are stored, but only {after} were written");
            }
            if stored == written && after == written {
                break files;
            }
            if stop.load(Ordering::Relaxed) {
                bail!("ended by Ctrl-C");
            }
            if start.elapsed() > STEP {
                bail!("of {written} lines written {stored} are stored, also after {STEP:?}");
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        let written = files.concat();
        let limit = (lines(&files) + 1).to_string();
        let words = ["-o", "raw", "logs", SELECTOR, "--since", SINCE, "--forward", "--limit", &limit];
        let cut = same(&written, &output(&mut self.muster(&words))?)?;
        let each: Vec<String> = files.iter().map(|text| text.lines().count().to_string()).collect();
        println!("\nlines       written {} (in {} files: {})", lines(&files), files.len(), each.join(" + "));
        println!(
            "            stored  {}: none lost, none doubled, all in order and the same byte for byte,",
            lines(&files)
        );
        println!(
            "            {cut} secrets apart (QUIC's reset tokens), which the agent cuts out before a line leaves its host"
        );
        Ok(())
    }

    /// A histogram of the log's levels.
    pub(super) fn show_histogram(&self) -> Result<()> {
        let query = format!("sum by (level) (count_over_time({SELECTOR}[2s]))");
        let words = ["logs", &query, "--since", "30s", "--step", "2s", "--histogram"];
        println!("\n$ muster logs '{query}' --since 30s --step 2s --histogram");
        let picture = output(&mut self.muster(&words))?;
        print!("{picture}");
        histogram_shown(&picture)
    }

    fn until_lines(&self, stop: &AtomicBool, enough: impl Fn(u64) -> bool) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "a command that waits for what it shows")]
        let start = Instant::now();
        loop {
            let stored = self.stored()?;
            if enough(stored) {
                return Ok(());
            }
            if stop.load(Ordering::Relaxed) {
                bail!("ended by Ctrl-C");
            }
            if start.elapsed() > STEP {
                bail!("{stored} lines of the collector's log were stored within {STEP:?}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// How many lines the collector counts in its own log.
    fn stored(&self) -> Result<u64> {
        let query = format!("sum(count_over_time({SELECTOR}[{SINCE}]))");
        count(&output(&mut self.muster(&["-o", "json", "logs", &query, "--since", "1s", "--step", "1s"]))?)
    }
}

/// The last value of the one series of a range's answer; without a series 0.
fn count(answer: &str) -> Result<u64> {
    let json: Value = serde_json::from_str(answer).with_context(|| format!("no JSON from `muster logs`: {answer}"))?;
    let rows = json["result"].as_array().with_context(|| format!("no result in {answer}"))?;
    let Some(row) = rows.first() else { return Ok(0) };
    let last = row["values"].as_array().and_then(|values| values.last()).and_then(|pair| pair[1].as_str());
    last.and_then(|text| text.parse().ok()).with_context(|| format!("no count in {answer}"))
}

fn lines(files: &[String]) -> u64 {
    files.iter().map(|text| text.lines().count() as u64).sum()
}

/// How many lines have a secret cut out; all others are the same byte for byte. An error names the first line in which the two differ.
fn same(written: &str, stored: &str) -> Result<usize> {
    let (mut left, mut right) = (written.lines(), stored.lines());
    let mut cut = 0;
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (Some(written), Some(stored)) if written == stored => {}
            (Some(written), Some(stored)) if is_redacted(written, stored) => cut += 1,
            (written, stored) => bail!("line {number} was written as {written:?} and is stored as {stored:?}"),
        }
    }
    Ok(cut)
}

/// Whether a line is stored as it was written but for the secrets in it.
fn is_redacted(written: &str, stored: &str) -> bool {
    let mut parts = stored.split(REDACTED);
    let Some(mut rest) = parts.next().and_then(|first| written.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    false
}

/// An error when the histogram has no bar, or no level is named.
fn histogram_shown(picture: &str) -> Result<()> {
    let has_bar = picture.lines().any(|line| line.contains("\u{2502}a") || line.contains("\u{2502}b"));
    let has_level = picture.lines().any(|line| line.contains("level=") && line.contains("  sum "));
    if has_bar && has_level { Ok(()) } else { bail!("`muster logs --histogram` drew no level") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_of_a_range_is_read() {
        let answer = r#"{"version":1,"resultType":"matrix","result":[{"metric":{},"values":[[1,"5"],[2,"7"]]}]}"#;
        assert_eq!(count(answer).unwrap(), 7);
        assert_eq!(count(r#"{"result":[]}"#).unwrap(), 0);
        for wrong in ["", "{}", r#"{"result":[{"values":[]}]}"#, r#"{"result":[{"values":[[1,"x"]]}]}"#] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lost_doubled_and_changed_lines_are_no_success() {
        assert_eq!(same("a\nb\n", "a\nb\n").unwrap(), 0);
        for (stored, number) in [("a\n", 2), ("a\na\nb\n", 2), ("b\na\n", 1), ("a\nb\nb\n", 3), ("a\nc\n", 2)] {
            let error = same("a\nb\n", stored).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {number} ")), "{stored}: {error}");
        }
    }

    #[test]
    fn a_secret_that_was_cut_out_is_counted_and_nothing_else_may_differ() {
        assert_eq!(same("a\nkey=x end\n", "a\nkey=<redacted> end\n").unwrap(), 1);
        assert_eq!(same("k=x, k=y.\n", "k=<redacted>, k=<redacted>.\n").unwrap(), 1);
        for stored in ["key=<redacted> en\n", "kay=<redacted> end\n", "key=<redacted> end <redacted>!\n"] {
            assert!(same("key=x end\n", stored).is_err(), "{stored}");
        }
    }

    #[test]
    fn a_histogram_without_a_bar_or_a_level_is_no_success() {
        let (bar, level) = ("10:00:00 \u{2502}aab 3\n", "a {level=\"info\"}  sum 2, max 2\n");
        assert!(histogram_shown(&format!("{bar}{level}")).is_ok());
        for wrong in [bar, level, "no series from 10:00 to 10:01\n"] {
            assert!(histogram_shown(wrong).is_err(), "{wrong}");
        }
    }
}
