//! ARCHITECTURE.md, README.md and CHANGELOG.md against the tree.

use std::collections::BTreeSet;

use super::files;

/// Words in backticks that look like paths of this repository.
fn named_paths(text: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for word in text.split('`').skip(1).step_by(2) {
        let path_like = word.contains('/') || [".md", ".toml", ".rs", ".yaml"].iter().any(|end| word.ends_with(end));
        let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
        if path_like && plain && !word.starts_with(['/', '-']) {
            paths.insert(word.trim_end_matches('/').to_owned());
        }
    }
    paths
}

/// Words that look like paths and are none of this tree: routes, data folders, configuration files of a running system.
const ELSEWHERE: [&str; 6] = ["application/", "inbox/", "segments/", "muster/", "text/", "rules/"];

#[test]
fn every_path_in_the_map_exists() {
    let root = files::root();
    let at_home = |path: &&String| !ELSEWHERE.iter().any(|start| path.starts_with(start)) && path.contains('/');
    for page in ["ARCHITECTURE.md", "README.md"] {
        for path in named_paths(&files::read(page)).iter().filter(at_home) {
            assert!(root.join(path).exists(), "{page} names `{path}`, which does not exist");
        }
    }
}

#[test]
fn every_folder_is_in_the_map() {
    let map = files::read("ARCHITECTURE.md");
    let mut folders = BTreeSet::new();
    for file in files::all() {
        let mut folder = file.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            folders.insert(above.to_owned());
            folder = above;
        }
    }
    for folder in folders {
        // `x/y` beside `x/y.rs` is that file's continuation.
        let continued = files::root().join(format!("{folder}.rs")).is_file();
        let short = continued || folder.ends_with("/src") || folder.ends_with("testdata");
        assert!(short || map.contains(&format!("`{folder}`")), "ARCHITECTURE.md does not name folder `{folder}`");
    }
}

#[test]
fn the_readme_shows_both_commands() {
    let readme = files::read("README.md");
    for command in ["cargo xtask demo", "cargo xtask test"] {
        assert!(readme.contains(command), "README.md does not show `{command}`");
    }
    assert!(files::read("CHANGELOG.md").contains("## "), "CHANGELOG.md has no version heading");
    assert!(files::read(".ci/run").contains("cargo xtask test"), ".ci/run does not call the README's test command");
}
