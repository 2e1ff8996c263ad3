//! Every mistake of documents, with its place and remedy.

use super::*;

/// What is told of a text, each line.
fn told(text: &str) -> Vec<String> {
    let mut mistakes = ProfileMistakes::default();
    read_source(&[("p.yml".to_owned(), text.to_owned())], ProfileSource::Api, &mut mistakes);
    mistakes.0.iter().map(ToString::to_string).collect()
}

/// Every mistake once.
const ALL: &str = "profile: web
descripton: x
include: [Base, base]
accept: maybe
selector:
  labels: 'role'
  facts: {os: \"(\", cpu: 3}
  inventory:
    - {table: unit, where: {name: x}}
    - {table: units, where: {nam: x}}
    - {table: listening_ports, where: {port: http}}
    - {table: units}
logs:
  - path: [/a]
  - paths: [var/log, /a/../b]
    from: middle
    multiline: \"(\"
    labels: {host: x, a-b: y}
checks:
  - {name: a b, kind: raid}
  - {name: a, kind: prt}
  - {name: b, kind: port, port: 0, interval: 1, retry: 9d}
  - {name: b, kind: port, command: [/bin/sh], env: {A: b}}
  - {kind: raid}
  - {name: c}
  - {name: d, kind: raid, use: x}
  - {name: e, kind: process, pattern: \"(\", volatile: 1, max_check_attempts: 0, unit: x}
rules: [1]
---
profile: ../etc
---
description: nameless
---
- a list
---
profile: web
---
profile: [1
";

/// How each is told, and its remedy.
const TOLD: [(&str, &str); 38] = [
    ("p.yml:2: profile `web`: descripton: is no key", "did you mean `description`?"),
    ("p.yml:3: profile `web`: include: `Base` is no name", "write its name"),
    ("p.yml:4: profile `web`: accept: is neither", "`propose`"),
    ("p.yml:6: profile `web`: selector.labels: cannot be read", "role=~"),
    ("p.yml:7: profile `web`: selector.facts.os: is no pattern: unclosed group", "the whole value"),
    ("p.yml:7: profile `web`: selector.facts.cpu: is no key", "host_name"),
    ("p.yml:9: profile `web`: selector.inventory.table: `unit` is no table", "did you mean `units`?"),
    ("p.yml:10: profile `web`: selector.inventory.where.nam: is no key", "did you mean `name`?"),
    ("p.yml:11: profile `web`: selector.inventory.where.port: is a text", "an integer"),
    ("p.yml:12: profile `web`: selector.inventory: lacks", "write both"),
    ("p.yml:14: profile `web`: logs.path: is no key", "did you mean `paths`?"),
    ("p.yml:14: profile `web`: logs.paths: is missing", "paths:"),
    ("p.yml:15: profile `web`: logs.paths: `var/log` is no absolute path", "without `..`"),
    ("p.yml:16: profile `web`: logs.from: is neither", "`end`"),
    ("p.yml:17: profile `web`: logs.multiline: is no pattern: unclosed group", "java, python, go, rust"),
    ("p.yml:18: profile `web`: logs.labels.host: is written by Muster itself", "another name"),
    ("p.yml:18: profile `web`: logs.labels.a-b: is no label name", "underscores"),
    ("p.yml:20: profile `web`: checks.name: `a b` is no name", "letters"),
    ("p.yml:21: profile `web`: checks.kind: `prt` is none", "did you mean `port`?"),
    ("p.yml:22: profile `web`: checks.port: is no integer from 1 to 65535", "443"),
    ("p.yml:22: profile `web`: checks.interval: `1` is no duration", "10s"),
    ("p.yml:22: profile `web`: checks.retry: `9d` lies outside", "60s"),
    ("p.yml:23: profile `web`: checks.command: is for the host's own file alone", "[remote.commands]"),
    ("p.yml:23: profile `web`: checks.env: is for the host's own file alone", "`use`"),
    ("p.yml:23: profile `web`: checks.name: `b` stands twice", "a name of its own"),
    ("p.yml:24: profile `web`: checks.name: is missing", "name: web"),
    ("p.yml:25: profile `web`: checks: has neither `kind` nor `use`", "`use: NAME`"),
    ("p.yml:26: profile `web`: checks.kind: stands beside `use`", "keep one"),
    ("p.yml:27: profile `web`: checks.pattern: is no pattern", "a regular expression"),
    ("p.yml:27: profile `web`: checks.volatile: is a number", "true or false"),
    ("p.yml:27: profile `web`: checks.max_check_attempts: is no integer", "such as 3"),
    ("p.yml:27: profile `web`: checks.unit: is no key", "remove it; known are"),
    ("p.yml:28: profile `web`: rules: is no rule file", "Prometheus"),
    ("p.yml:30: profile: `../etc` is no name of a profile", "63 lower-case"),
    ("p.yml:32: profile: is missing", "profile: NAME"),
    ("p.yml:34: is a list", "a map with the keys profile"),
    ("p.yml:36: profile `web`: profile: the name stands twice", "a name of its own"),
    ("p.yml:38: the document is no YAML", "correct it there"),
];

#[test]
fn all_mistakes_of_all_documents_are_told_at_once() {
    let told = told(ALL);
    for (start, remedy) in TOLD {
        assert!(told.iter().any(|one| one.starts_with(start) && one.contains(remedy)), "{start}: {told:#?}");
    }
    assert_eq!(told.len(), 38, "{told:#?}");
}

#[test]
fn hostile_names_and_texts_are_refused_and_shown_harmless() {
    for name in ["", "a/b", "\"a\\nb\"", "A", "\"\\0\"", ".x", "-x", "x y", "\"\\e[31m\"", &"x".repeat(64), "<b>"] {
        let told = told(&format!("profile: {name}\n"));
        assert!(!told.is_empty() && told.iter().all(|one| !one.contains(['\n', '\u{1b}', '\0'])), "{name}: {told:?}");
    }
    for name in ["a", "0", "web-1.x_y", &"x".repeat(63)] {
        assert_eq!(told(&format!("profile: {name}\n")), Vec::<String>::new());
    }
    let long = format!("profile: x\ndescription: {}\n", "d".repeat(DOCUMENT_BYTES_MAX));
    assert!(told(&long)[0].contains("at most 65536 are taken"));
    let many: String = (0..101).map(|at| format!("  - {{name: c{at}, kind: raid}}\n")).collect();
    assert!(told(&format!("profile: x\nchecks:\n{many}"))[0].contains("has 101 entries, but at most 100"));
    let many: String = (0..51).map(|at| format!("  - {{paths: [/a{at}]}}\n")).collect();
    assert!(told(&format!("profile: x\nlogs:\n{many}"))[0].contains("has 51 entries, but at most 50"));
    assert!(told("profile: x\nselector: {}\n")[0].contains("would fit every host"));
    assert_eq!(told(&"profile: x\nnope: 1\n---\n".repeat(600)).len(), 500, "more of them nobody reads");
}

#[test]
fn sets_refuse_circles_unknown_includes_and_too_much() {
    let judge = |text: &str| {
        let mut mistakes = ProfileMistakes::default();
        let read = read_source(&[("p.yml".to_owned(), text.to_owned())], ProfileSource::File, &mut mistakes);
        let lines = read.iter().map(|(text, line)| (text.name.clone(), *line)).collect();
        let set = Set::of(ProfileSet {
            profiles: sorted(read.into_iter().map(|(text, _)| text).collect()),
            ..ProfileSet::default()
        });
        check(&set, &lines, &mut mistakes);
        mistakes.0.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        judge("profile: a\ninclude: [b, c]\n---\nprofile: b\ninclude: [c]\n---\nprofile: c\n"),
        Vec::<String>::new()
    );
    assert_eq!(
        judge(
            "profile: a\ninclude: [b]\n---\nprofile: b\n\ninclude: [c]\n---\nprofile: c\ninclude: [a]\n---\nprofile: d\ninclude: [d, e]\n"
        ),
        [
            "p.yml:12: profile `d`: include: there is no profile `e`: give it too, or leave it out here",
            "p.yml:2: profile `a`: include: includes itself: a -> b -> c -> a: leave one of these includes out",
            "p.yml:12: profile `d`: include: includes itself: d -> d: leave one of these includes out",
        ]
    );
    let ring: String =
        (0..40).map(|at| format!("profile: r{at:02}\ninclude: [r{:02}]\n---\n", (at + 1) % 40)).collect();
    let told = judge(&ring);
    assert!(
        told.len() == 1 && told[0].contains("r00 -> r01 -> ") && told[0].contains("r17 -> ... -> r00: leave"),
        "{told:?}"
    );
    let all: String = (0..60).map(|at| format!("p{at},")).collect();
    let dense: String = (0..60).map(|at| format!("profile: p{at}\ninclude: [{}]\n---\n", &all[..150])).collect();
    assert!(judge(&dense).len() <= 500);
    let many: String = (0..201).map(|at| format!("profile: p{at}\n---\n")).collect();
    assert!(judge(&many)[0].contains("there are 201 profiles, but at most 200"));
    let large: String = (0..40).map(|at| format!("profile: p{at}\n#{}\n---\n", "x".repeat(60_000))).collect();
    assert!(judge(&large)[0].contains("but at most 2097152 are taken"));
}

#[test]
fn rules_come_out_with_their_lines_and_as_they_were_written() {
    let read = |text: &str| {
        let mut mistakes = ProfileMistakes::default();
        let rules = read_file("p.yml", text, &mut mistakes).pop().and_then(|read| read.profile.rules);
        (rules, mistakes.to_string())
    };
    let block = "profile: x\nrules:\n  groups:\n    - name: g\n      rules:\n        - alert: A\n          expr: up == 0 # down\nchecks: []\n";
    let (rules, mistakes) = read(block);
    assert_eq!(
        (rules.as_deref(), mistakes.as_str()),
        (
            Some(
                "\n      \n  groups:\n    - name: g\n      rules:\n        - alert: A\n          expr: up == 0 # down\n\n"
            ),
            ""
        )
    );
    let (rules, _) = read("profile: x\nrules: {groups: [{name: g, rules: []}]}\n");
    assert_eq!(rules.as_deref(), Some("\n       {groups: [{name: g, rules: []}]}\n"));
    let (rules, mistakes) = read("profile: x\ndescription: &d up\nrules:\n  groups:\n    - name: *d\n");
    assert!(rules.is_none() && mistakes.contains("without anchors of other keys"), "{mistakes}");
}

/// Every table and column of selectors exists: the reader refuses others, so what it reads of the built-in ones is of the tables' own names.
#[test]
fn tables_of_built_in_selectors_are_of_the_inventory() {
    for (name, text) in built_in_profiles() {
        let tables: Vec<&str> = text.split("{table: ").skip(1).filter_map(|rest| rest.split(',').next()).collect();
        assert!(
            !tables.is_empty() && tables.iter().all(|table| TABLES.iter().any(|known| known.name == *table)),
            "{name}: {tables:?}"
        );
    }
}
