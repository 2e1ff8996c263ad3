//! How soon the first line of a new file is visible: files are made one by one below a pattern that a real agent follows, and a real collector
//! is asked for each line until it answers it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use muster_common::time;

use super::reader::count;
use super::run::{Ends, SELECTOR};

/// Twenty times what is promised: a line that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two questions: far below what is measured.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two files, so that no look at the folder is due because of the last one.
const APART: Duration = Duration::from_millis(700);

/// From a line's `write` to the answer that has it, for each of `files` new files, shortest first.
///
/// # Errors
/// When a program does not start, the collector does not answer, or a line does not come.
pub fn first_lines(programs: &Path, folder: &Path, files: u32) -> Result<Vec<Duration>> {
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs)?;
    let mut ends = Ends::start(programs, folder)?;
    ends.start_agent()?;
    let mut took = Vec::new();
    // The first file waits for the agent's start: it is not counted.
    for number in 0..=files {
        std::thread::sleep(APART);
        std::fs::write(logs.join(format!("app-{number:04}.log")), format!("first line of file {number:04}\n"))?;
        let begun = time::monotonic();
        let question = format!("{SELECTOR} |= \"file {number:04}\"");
        while count(ends.collector()?, &question, Duration::from_secs(3_600))? == 0 {
            if time::monotonic() - begun > PATIENCE {
                bail!("the line of file {number} is not visible after {PATIENCE:?}");
            }
            std::thread::sleep(PAUSE);
        }
        took.push(time::monotonic() - begun);
    }
    took.remove(0);
    took.sort_unstable();
    Ok(took)
}
