//! Two versions of all packages, made once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use muster_tests::harness::{packaged, programs};

pub(crate) const OLD: &str = "0.1.0";
pub(crate) const NEW: &str = "0.1.1";

static OLD_FOLDER: LazyLock<PathBuf> = LazyLock::new(|| make(OLD, "old"));
static NEW_FOLDER: LazyLock<PathBuf> = LazyLock::new(|| make(NEW, "new"));

/// Where those of the first version lie.
pub(crate) fn old() -> &'static Path {
    &OLD_FOLDER
}

/// Where those of the next version lie.
pub(crate) fn new() -> &'static Path {
    &NEW_FOLDER
}

/// Makes them below the folder that cargo has for what tests write.
pub(crate) fn make(version: &str, name: &str) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("packages-{name}"));
    packaged::make(&programs::folder(), version, &out).unwrap();
    out
}

/// Files of a folder whose names end so, sorted.
pub(crate) fn ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    found.sort();
    found
}

/// What a command of this machine printed; it must end well.
pub(crate) fn output(words: &[&str], files: &[PathBuf]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).args(files).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: `cargo xtask test` installs it", words[0]));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{words:?}: {}\n{out}{error}", output.status);
    out
}
