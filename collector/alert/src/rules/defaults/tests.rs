use std::collections::BTreeSet;

use super::*;
use crate::rules::{RuleDefaults, lint_rules, load_rules, run_unit_tests};

/// For each rule: series with which it fires, with which it does not, and when (minutes).
type Case = (&'static str, &'static str, &'static str, u32);

const FS: &str = "{host=\"h\",device=\"/dev/sda\",fstype=\"ext4\",mountpoint=\"/\"}";
const OWN: &str = "{host=\"muster\"}";

/// The cases of `testdata/default_cases.txt`.
fn cases() -> Vec<Case> {
    let text: &'static str = include_str!("../testdata/default_cases.txt");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let case = |lines: &[&'static str]| -> Case {
        let (name, minute) = lines[0].split_once(' ').unwrap();
        let series = |line: &'static str, word| line.trim().strip_prefix(word).unwrap();
        (name, series(lines[1], "fires: "), series(lines[2], "quiet: "), minute.parse().unwrap())
    };
    lines.chunks_exact(3).map(case).collect()
}

fn input(series: &str) -> String {
    let line = |one: &str| {
        let (name, values) = one.split_once(' ').unwrap();
        let name = match name {
            "avail" => format!("node_filesystem_avail_bytes{FS}"),
            "size" => format!("node_filesystem_size_bytes{FS}"),
            "ro" => format!("node_filesystem_readonly{FS}"),
            "ifree" => format!("node_filesystem_files_free{FS}"),
            "files" => format!("node_filesystem_files{FS}"),
            "rerr" => "node_network_receive_errs_total{host=\"h\",device=\"eth0\"}".into(),
            "terr" => "node_network_transmit_errs_total{host=\"h\",device=\"eth0\"}".into(),
            "rpack" => "node_network_receive_packets_total{host=\"h\",device=\"eth0\"}".into(),
            "tpack" => "node_network_transmit_packets_total{host=\"h\",device=\"eth0\"}".into(),
            other => other.replace("{}", OWN),
        };
        format!("  - series: '{name}'\n    values: '{values}'\n")
    };
    series.split('|').map(line).collect()
}

/// How often an alert of this rule fires at that minute.
fn fires(name: &str, series: &str, minutes: u32) -> bool {
    let expected = "  promql_expr_test:\n  - expr: count(ALERTS{alertname=\"NAME\",alertstate=\"firing\"}) > 0 or vector(0)\n    eval_time: MINm\n    exp_samples:\n    - labels: '{}'\n      value: 1\n";
    let expected = expected.replace("NAME", name).replace("MIN", &minutes.to_string());
    let text =
        format!("rule_files: [default]\nevaluation_interval: 1m\ntests:\n- input_series:\n{}{expected}", input(series));
    let read = |_: &str| Ok(vec![(DEFAULT_RULES_PATH.to_owned(), DEFAULT_RULES.to_owned())]);
    let report = run_unit_tests("t.yml", &text, &read).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let failed = !report.failures.is_empty();
    assert!(!failed || report.failures[0].contains("0.0)]"), "{name}: {:?}", report.failures);
    !failed
}

#[test]
fn every_default_rule_fires_when_it_should_and_only_then() {
    let mut tried = BTreeSet::new();
    for (name, bad, good, minutes) in cases() {
        assert!(fires(name, bad, minutes), "{name} does not fire with {bad}");
        assert!(!fires(name, good, minutes), "{name} fires with {good}");
        tried.insert(name);
    }
    let sources = [(DEFAULT_RULES_PATH.to_owned(), DEFAULT_RULES.to_owned())];
    let files = load_rules(&sources, RuleDefaults::default()).unwrap();
    let rules: Vec<_> = files[0].groups.iter().flat_map(|group| &group.rules).collect();
    assert_eq!(rules.iter().map(|rule| &*rule.name).collect::<BTreeSet<_>>(), tried);
    assert!(rules.len() <= 15, "{}: whoever gets many mails reads none", rules.len());
    for rule in rules {
        let alert = rule.alert().unwrap();
        for wanted in ["summary", "description"] {
            assert!(alert.annotations.iter().any(|(name, _)| name == wanted), "{}: {wanted}", rule.name);
        }
    }
}

#[test]
fn lint_has_little_to_say_of_them() {
    let sources = [(DEFAULT_RULES_PATH.to_owned(), DEFAULT_RULES.to_owned())];
    let told: Vec<String> =
        lint_rules(&sources, RuleDefaults::default(), None).iter().map(ToString::to_string).collect();
    // A kill has happened, and a verdict is made once over a long time: there is nothing to wait for.
    let at_once = ["OutOfMemoryKill", "DeployWorse"].map(|name| format!("rule \"{name}\" has no `for`"));
    assert_eq!(told.len(), at_once.len(), "{told:?}");
    assert!(told.iter().zip(&at_once).all(|(line, wanted)| line.contains(wanted)), "{told:?}");
}
