//! Rules on the sources of the pages.

use super::files;

/// Lines of one source file, as of Rust's but shorter, since a component has no tests in its file.
const LINES_MAX: usize = 400;

/// What people write: TypeScript, scripts, styles.
fn sources() -> Vec<String> {
    let is_source = |path: &String| {
        path.starts_with("collector/web/ui/")
            && [".ts", ".tsx", ".mjs", ".css", ".html"].iter().any(|end| path.ends_with(end))
    };
    let found: Vec<String> = files::all().into_iter().filter(is_source).collect();
    assert!(found.len() > 60, "only {} sources of pages", found.len());
    found
}

#[test]
fn sources_of_pages_stay_readable_and_finished() {
    let unfinished =
        [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["@ts-", "ignore"].concat(), ["@ts-", "nocheck"].concat()];
    for path in sources() {
        let text = files::read(&path);
        assert!(text.lines().count() <= LINES_MAX, "{path} has more than {LINES_MAX} lines: split it by concern");
        for (number, line) in text.lines().enumerate() {
            assert!(line.is_ascii(), "{path}:{}: write non-ASCII characters as escapes", number + 1);
            let word = unfinished.iter().find(|word| line.contains(word.as_str()));
            assert!(word.is_none(), "{path}:{}: {word:?} stands here", number + 1);
        }
    }
}

#[test]
fn one_file_reads_the_clock_one_writes_the_url_and_one_asks() {
    for (call, only) in [
        ("Date.now(", "collector/web/ui/src/time/clock.ts"),
        ("history.", "collector/web/ui/src/url/location.ts"),
        ("fetch(", "collector/web/ui/src/api/ask.ts"),
        ("localStorage", "none: the URL is the only store"),
    ] {
        for path in sources().iter().filter(|path| path.starts_with("collector/web/ui/src/") && *path != only) {
            let has = files::read(path).lines().any(|line| line.contains(call) && !line.contains(&format!("a{call}")));
            assert!(!has, "{path} has `{call}`; only {only} may");
        }
    }
}

#[test]
fn parts_know_no_page_and_nothing_imports_upwards() {
    for (folder, foreign) in [
        ("parts", &["../pages", "../shell"][..]),
        ("api", &["../pages", "../shell", "../parts"]),
        ("time", &["../pages", "../shell", "../parts", "../api"]),
        ("url", &["../pages", "../shell", "../parts", "../api"]),
    ] {
        let start = format!("collector/web/ui/src/{folder}/");
        for path in sources().iter().filter(|path| path.starts_with(&start)) {
            let text = files::read(path);
            let found = foreign.iter().find(|other| text.contains(&format!("from '{other}")));
            assert!(found.is_none(), "{path} imports {found:?}");
        }
    }
}

#[test]
fn what_pages_are_built_with_is_exact_and_names_no_registry() {
    let package: serde_json::Value = serde_json::from_str(&files::read("collector/web/ui/package.json")).unwrap();
    for group in ["dependencies", "devDependencies"] {
        for (name, version) in package[group].as_object().unwrap() {
            let version = version.as_str().unwrap();
            let is_exact = version.split('.').count() == 3 && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            assert!(is_exact, "package.json: {name} is `{version}`: write one version");
        }
    }
    let lock = files::read("collector/web/ui/package-lock.json");
    assert!(
        !lock.contains("\"resolved\""),
        "package-lock.json names a registry: `npm install` with .npmrc of that folder"
    );
    assert!(lock.matches("\"integrity\"").count() > 15, "package-lock.json lacks sums");
}
