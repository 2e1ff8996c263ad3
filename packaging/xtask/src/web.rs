//! `cargo xtask web`: the pages, built into `collector/web/dist`, which the next build of the collector embeds. Nothing is done where nothing
//! has changed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::{build, process, tools};

/// The folder of the pages' sources.
fn sources() -> PathBuf {
    build::root().join("collector/web/ui")
}

/// What a build leaves last; without it the collector has no pages.
fn index() -> PathBuf {
    build::root().join("collector/web/dist/index.html")
}

/// Builds the pages, where they are missing or older than what they are made of.
pub(crate) fn build() -> Result<()> {
    tools::ensure_node()?;
    let folder = sources();
    install(&folder)?;
    let made = changed(&index());
    if made.is_some_and(|made| newest(&folder).is_some_and(|newest| newest <= made)) {
        return Ok(());
    }
    println!("web: building the pages");
    npm(&folder, "check").context("types of the pages")?;
    npm(&folder, "build").context("the pages")?;
    anyhow::ensure!(is_built(), "the build left no {}", index().display());
    Ok(())
}

/// The unit tests of the pages' sources.
pub(crate) fn test() -> Result<()> {
    npm(&sources(), "test").context("tests of the pages' sources")
}

/// Whether the collector that is built next has its pages.
pub(crate) fn is_built() -> bool {
    index().is_file()
}

/// What npm installs, exactly as the lock file names it: anew when that is newer than what is installed.
fn install(folder: &Path) -> Result<()> {
    let installed = changed(&folder.join("node_modules/.package-lock.json"));
    let wanted = ["package-lock.json", "package.json"].iter().filter_map(|name| changed(&folder.join(name))).max();
    if installed.is_some_and(|installed| Some(installed) >= wanted) {
        return Ok(());
    }
    println!("web: installing what the pages are built with");
    // Scripts of packages are not needed, and not run.
    let mut command = Command::new("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder);
    process::run(&mut command).context("npm needs its registry once; see `npm config get registry`")
}

fn npm(folder: &Path, script: &str) -> Result<()> {
    process::run(Command::new("npm").args(["run", "--silent", script]).current_dir(folder))
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// When something in the folder changed last. Folders count too: one changes when a file is taken out of it. What npm installs does not.
fn newest(folder: &Path) -> Option<SystemTime> {
    let mut newest = changed(folder);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let one = match (path.is_dir(), entry.file_name().to_str()) {
            (true, Some("node_modules")) => None,
            (true, _) => self::newest(&path),
            (false, _) => changed(&path),
        };
        newest = newest.max(one);
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_taken_away_is_a_change_and_one_of_npm_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("src/parts");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::create_dir_all(folder.path().join("node_modules/x")).unwrap();
        std::fs::write(inner.join("a.ts"), "").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH;
        let set = |path: &Path, time: SystemTime| {
            std::fs::File::open(path).unwrap().set_modified(time).unwrap();
        };
        let all = [folder.path().to_path_buf(), folder.path().join("src"), inner.clone(), inner.join("a.ts")];
        all.iter().for_each(|path| set(path, long_ago));
        std::fs::write(folder.path().join("node_modules/x/new.js"), "").unwrap();
        assert_eq!(newest(folder.path()), Some(long_ago));
        std::fs::remove_file(inner.join("a.ts")).unwrap();
        assert!(newest(folder.path()) > Some(long_ago));
    }
}
