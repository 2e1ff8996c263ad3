//! The files of the repository, as git lists them, so that build output and editors' files do not count.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the root").to_path_buf()
}

/// Paths relative to the root: tracked, or new and not ignored. Deleted ones are left out.
pub(super) fn all() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is needed to list the files: apt-get install git");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let mut files: Vec<String> = list.lines().filter(|path| root().join(path).is_file()).map(str::to_owned).collect();
    files.sort();
    assert!(files.len() > 50, "only {} files listed: is this a git checkout?", files.len());
    files
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(super) fn rust() -> Vec<String> {
    all().into_iter().filter(|path| path.ends_with(".rs")).collect()
}
