//! Rules on the text of files.

use super::files;

/// Lines of one source file: beyond this nobody reads it whole.
const LINES_MAX: usize = 600;

#[test]
fn source_files_stay_readable() {
    for path in files::rust() {
        let lines = files::read(&path).lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines, more than {LINES_MAX}: split it by concern");
    }
}

#[test]
fn contents_pages_hold_no_logic() {
    for path in files::rust() {
        let page = path.ends_with("/mod.rs") || path.ends_with("/lib.rs");
        let lines = files::read(&path).lines().count();
        assert!(
            !page || lines <= 250,
            "{path} has {lines} lines: a contents page holds docs, modules, a trait and its table"
        );
    }
}

#[test]
fn sources_are_ascii_and_unfinished_words_are_absent() {
    let unfinished = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    for path in files::rust() {
        let text = files::read(&path);
        for (number, line) in text.lines().enumerate() {
            assert!(line.is_ascii(), "{path}:{}: write non-ASCII characters as escapes", number + 1);
            for word in &unfinished {
                let whole = line.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word);
                assert!(!whole, "{path}:{}: {word} stands here: finish it or make an issue", number + 1);
            }
        }
    }
}

#[test]
fn nothing_names_a_machine() {
    let paths = ["/wo", "/ro", "/ho"].map(|start| match start {
        "/wo" => [start, "rk/"].concat(),
        "/ro" => [start, "ot/"].concat(),
        _ => [start, "me/"].concat(),
    });
    for path in files::all().iter().filter(|path| *path != "Cargo.lock") {
        let Ok(text) = std::fs::read_to_string(files::root().join(path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = paths.iter().find(|machine| line.contains(machine.as_str()));
            assert!(found.is_none(), "{path}:{}: names a path of one machine", number + 1);
        }
    }
}

#[test]
fn one_file_knows_bincode_calls_and_one_reads_clocks() {
    for path in files::rust().iter().filter(|path| !path.starts_with("tests/tidy/")) {
        let text = files::read(path);
        let codec = path == "common/src/wire/codec.rs";
        let calls = ["bincode::encode", "bincode::decode", "bincode::config", "config::standard"];
        assert!(
            codec || !calls.iter().any(|call| text.contains(call)),
            "{path} calls bincode: only common/src/wire/codec.rs may"
        );
        // The commands only tell how long something took, and must build without the crates they build.
        let clock = path == "common/src/time.rs" || path.starts_with("packaging/xtask/");
        let clocks = ["SystemTime::now", "Instant::now"];
        assert!(
            clock || !clocks.iter().any(|call| text.contains(call)),
            "{path} reads a clock: only common/src/time.rs may"
        );
    }
}

#[test]
fn no_test_is_switched_off() {
    let ignore = ["#[ig", "nore"].concat();
    for path in files::rust() {
        assert!(!files::read(&path).contains(&ignore), "{path} switches a test off");
    }
}

#[test]
fn the_bans_of_clippy_stand_with_their_reasons() {
    let text = files::read("clippy.toml");
    let bans: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("{ path = ")).collect();
    for banned in [
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::env::var",
        "std::process::exit",
        "tokio::sync::mpsc::unbounded_channel",
        "std::sync::mpsc::channel",
    ] {
        let line = bans.iter().find(|line| line.contains(&format!("path = \"{banned}\"")));
        assert!(line.is_some(), "clippy.toml does not ban {banned}");
    }
    for line in bans {
        let reason = line.split("reason = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
        assert!(reason.split_whitespace().count() >= 4, "clippy.toml: no reason in `{line}`");
    }
}

#[test]
fn the_licence_is_apache_2_and_every_crate_says_so() {
    let licence = files::read("LICENSE");
    for part in ["Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"] {
        assert!(licence.contains(part), "LICENSE lacks `{part}`");
    }
    assert!(files::read("Cargo.toml").contains("license = \"Apache-2.0\""), "Cargo.toml names another licence");
    assert!(files::read("README.md").contains("Licence: Apache-2.0"), "README.md names another licence");
}
