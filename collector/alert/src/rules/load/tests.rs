use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::rules::{NoData, RuleExpr};
use crate::testing::every_mistake_is_told;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/testdata")
}

fn load(text: &str) -> Result<Vec<RuleFile>, Vec<Mistake>> {
    load_rules(&[("r.yml".to_owned(), text.to_owned())], RuleDefaults::default())
}

#[test]
fn every_mistake_is_told_with_place_and_remedy() {
    every_mistake_is_told(&folder().join("mistakes"), |text| load(text).err().unwrap_or_default());
}

#[test]
fn what_prometheus_and_loki_take_is_taken() {
    let files = load(&fs::read_to_string(folder().join("good.yml")).unwrap()).unwrap();
    let groups = &files[0].groups;
    assert_eq!(groups.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["node", "logs", "chosen", "empty"]);
    let node = &groups[0];
    assert_eq!((node.interval_ms, node.query_offset_ms, node.limit), (30_000, 10_000, 100));
    assert_eq!((groups[1].interval_ms, groups[1].query_offset_ms), (60_000, 5_000));
    let labels = |rule: &crate::rules::Rule| {
        rule.labels.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(labels(&node.rules[0]), "level=1 severity=info team=ops");
    assert!(labels(&node.rules[1]).contains("severity={{ if gt $value 3.0 }}"));
    let alert = node.rules[1].alert().unwrap();
    assert_eq!((alert.for_ms, alert.keep_firing_for_ms, alert.no_data), (5_400_000, 300_000, NoData::Ok));
    assert!(
        matches!(&node.rules[1].expr, RuleExpr::Prom { compared: Some(own), .. } if own.text() == "host:load:ratio")
    );
    assert_eq!(groups[1].rules[0].expr.language(), "logql");
    assert_eq!(groups[1].rules[0].alert().unwrap().keep_firing_for_ms, 600_000);
    assert_eq!(groups[2].rules[0].expr.language(), "logql");
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let sources = [("a.yml", "groups: 5"), ("b.yml", "groups:\n- name: g\n- name: g\n"), ("a.yml", "")];
    let sources = sources.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let told: Vec<String> =
        load_rules(&sources, RuleDefaults::default()).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.yml:1:9: groups is a number: write a list: `groups:` and below it `- name: ...`",
            "b.yml:3:3: group \"g\" stands twice in this file: give each group of a file its own name",
            "a.yml:1:1: the file is named twice: name it once",
        ]
    );
}

/// Seeded damage to a good file: it is read, or every mistake has a place in it.
#[test]
fn damaged_files_are_read_or_refused() {
    let good = fs::read(folder().join("good.yml")).unwrap();
    let mut random = 11u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + next(4) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = b" :-{}[]'\"|>&*!%\n#"[next(17)],
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"{}[]:\"\n \t"[next(8)]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(mistakes) = load(&text) {
            refused += 1;
            let lines = text.matches('\n').count() + 2;
            assert!(!mistakes.is_empty() && mistakes.iter().all(|one| one.place.line <= lines), "{mistakes:?}");
        }
    }
    assert!(refused > 500, "{refused}");
}
