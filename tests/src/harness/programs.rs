//! Where the built programs lie, and the real peers that `cargo xtask test` unpacked.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder of the programs built with this test: `target/<profile>`, above the test binary's `deps`.
pub fn folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let above = own.ancestors().skip(1).find(|path| path.file_name().is_none_or(|name| name != "deps"));
    above.unwrap_or(Path::new(".")).to_path_buf()
}

/// One program of ours.
///
/// # Panics
/// When it was not built: the message names the command that builds it.
pub fn program(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: `cargo build --workspace --all-targets` builds it", path.display());
    path
}

/// A program of a Debian package that `cargo xtask test` unpacks below `target/tools`.
///
/// # Panics
/// When it is not there: the message names the command that fetches it.
pub fn tool(package: &str, program: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let path = root.join("target/tools").join(package).join(program);
    assert!(path.is_file(), "{} is missing: `cargo xtask test` unpacks Debian's {package}", path.display());
    path
}

/// Seconds of all threads that a process has now, to the nanosecond; those of threads that have ended are not in it.
///
/// # Errors
/// When there is no such process.
pub fn live_cpu_seconds(id: u32) -> Result<f64> {
    let tasks = format!("/proc/{id}/task");
    let mut nanos = 0;
    for task in std::fs::read_dir(&tasks).with_context(|| tasks.clone())? {
        // A thread that ends meanwhile has no file any more.
        let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanos += text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(nanos as f64 / 1e9)
}

/// User and system seconds of a process and its threads.
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = |place: usize| after.split_whitespace().nth(place).and_then(|word| word.parse::<f64>().ok());
    // Hundredths of a second: what USER_HZ is on every Linux.
    Ok((ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0)
}
