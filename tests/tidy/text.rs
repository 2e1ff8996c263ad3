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
