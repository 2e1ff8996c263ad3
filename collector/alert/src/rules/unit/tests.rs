use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/testdata/unit")
}

fn run(tests: &str) -> Result<UnitReport, Vec<Mistake>> {
    let read = |name: &str| {
        let text = fs::read_to_string(folder().join(name)).map_err(|_| format!("there is no file {name:?}"))?;
        Ok(vec![(name.to_owned(), text)])
    };
    run_unit_tests("t.yml", tests, &read)
}

/// The first line of each file says what promtool says of it; the conformance tests ask promtool itself.
#[test]
fn the_verdict_is_promtools() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with("_rules.yml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let report = run(&text).unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", path.display()));
        let passes = text.starts_with("# passes\n");
        assert!(passes || text.starts_with("# fails\n"), "{}", path.display());
        assert_eq!(report.failures.is_empty(), passes, "{}: {:#?}", path.display(), report.failures);
        count += report.cases;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn what_is_otherwise_is_told() {
    let example = fs::read_to_string(folder().join("example.yml")).unwrap();
    for (from, to, part) in [
        ("value: 50", "value: 51", "expr: \"go_goroutines > 5\", time: 4m"),
        ("summary: Instance a", "summary: Host a", "alertname: InstanceDown, time: 10m"),
        ("eval_time: 4m\n    alertname", "eval_time: 5m\n    alertname", "alertname: InstanceDown, time: 5m"),
        ("expr: job:up:sum\n", "expr: sum(\n", "parse error"),
    ] {
        let report = run(&example.replace(from, to)).unwrap();
        assert_eq!(report.failures.len(), 1, "{from}: {:?}", report.failures);
        let failure = &report.failures[0];
        assert!(failure.starts_with("one is down: ") && failure.contains(part), "{failure}");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let mistakes = run("rule_files: [gone.yml]\n").unwrap_err();
    assert_eq!(mistakes[0].to_string(), "t.yml:1:14: there is no file \"gone.yml\": name a file that is there");
}
