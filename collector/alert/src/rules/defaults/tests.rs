use std::collections::BTreeSet;

use super::*;
use crate::rules::{RuleDefaults, lint_rules, load_rules, run_unit_tests};

/// For each rule: series with which it fires, with which it does not, and when (minutes).
type Case = (&'static str, &'static str, &'static str, u32);

const FS: &str = "{host=\"h\",device=\"/dev/sda\",fstype=\"ext4\",mountpoint=\"/\"}";
const OWN: &str = "{host=\"muster\"}";

fn cases() -> Vec<Case> {
    vec![
        ("DiskAlmostFull", "avail 4+0x60|size 100+0x60|ro 0+0x60", "avail 40+0x60|size 100+0x60|ro 0+0x60", 20),
        ("DiskAlmostFull", "avail 4+0x60|size 100+0x60|ro 0+0x60", "avail 4+0x60|size 100+0x60|ro 1+0x60", 20),
        // After 8 hours a tenth is left, and lost in 22 hours; or half of it is left, or it does not shrink.
        (
            "DiskFullIn24Hours",
            "avail 1800-1x500|size 12000+0x500|ro 0+0x500",
            "avail 9600-7x500|size 12000+0x500|ro 0+0x500",
            480,
        ),
        (
            "DiskFullIn24Hours",
            "avail 1850-1x500|size 12000+0x500|ro 0+0x500",
            "avail 1850+0x500|size 12000+0x500|ro 0+0x500",
            480,
        ),
        ("InodesAlmostFull", "ifree 4+0x60|files 100+0x60|ro 0+0x60", "ifree 0+0x60|files 0+0x60|ro 0+0x60", 20),
        (
            "MemoryPressure",
            "node_pressure_memory_stalled_seconds_total{host=\"h\"} 0+12x60",
            "node_pressure_memory_stalled_seconds_total{host=\"h\"} 0+1x60",
            20,
        ),
        (
            "OutOfMemoryKill",
            "node_vmstat_oom_kill{host=\"h\"} 0+0x15 1+0x20",
            "node_vmstat_oom_kill{host=\"h\"} 5+0x60",
            20,
        ),
        (
            "UnitFailed",
            "node_systemd_unit_state{host=\"h\",name=\"a.service\",state=\"failed\"} 1+0x60",
            "node_systemd_unit_state{host=\"h\",name=\"a.service\",state=\"failed\"} 0+0x60",
            20,
        ),
        (
            "ClockNotSynchronised",
            "node_timex_sync_status{host=\"h\"} 0+0x60|node_timex_maxerror_seconds{host=\"h\"} 16+0x60",
            "node_timex_sync_status{host=\"h\"} 0+0x60|node_timex_maxerror_seconds{host=\"h\"} 1+0x60",
            30,
        ),
        (
            "NetworkErrors",
            "rerr 0+600x60|terr 0+0x60|rpack 0+6000x60|tpack 0+6000x60",
            "rerr 0+6x60|terr 0+0x60|rpack 0+6000x60|tpack 0+6000x60",
            30,
        ),
        (
            "RaidDegraded",
            "node_md_disks{host=\"h\",device=\"md0\",state=\"active\"} 1+0x60|node_md_disks_required{host=\"h\",device=\"md0\"} 2+0x60",
            "node_md_disks{host=\"h\",device=\"md0\",state=\"active\"} 2+0x60|node_md_disks_required{host=\"h\",device=\"md0\"} 2+0x60|node_md_disks{host=\"h\",device=\"md0\",state=\"failed\"} 0+0x60",
            20,
        ),
        (
            "RaidDegraded",
            "node_md_disks{host=\"h\",device=\"md0\",state=\"failed\"} 1+0x60",
            "node_md_disks{host=\"h\",device=\"md0\",state=\"spare\"} 1+0x60",
            20,
        ),
        (
            "AgentLosesData",
            "muster_agent_gaps_total{host=\"h\"} 0+1x60",
            "muster_agent_gaps_total{host=\"h\"} 7+0x60",
            20,
        ),
        (
            "AgentLosesData",
            "muster_agent_rows_dropped_total{host=\"h\"} 0+1x60",
            "muster_agent_batches_dropped_total{host=\"h\"} 7+0x60",
            20,
        ),
        (
            "CollectorStorageFails",
            "muster_collector_store_failing{} 1+0x60",
            "muster_collector_store_failing{} 0+0x60|muster_collector_ingest_storage_failing{} 0+0x60",
            20,
        ),
        (
            "CollectorDiskAlmostFull",
            "muster_collector_disk_free_bytes{} 15+0x60|muster_collector_disk_reserve_bytes{} 10+0x60",
            "muster_collector_disk_free_bytes{} 90+0x60|muster_collector_disk_reserve_bytes{} 10+0x60",
            30,
        ),
        (
            "CollectorDropsData",
            "muster_collector_ingest_samples_dropped_total{reason=\"x\"} 0+1x60",
            "muster_collector_ingest_samples_dropped_total{reason=\"x\"} 9+0x60",
            20,
        ),
        (
            "CollectorDropsData",
            "muster_collector_ingest_lines_dropped_total{reason=\"x\"} 0+1x60",
            "muster_collector_outbox_dropped_total{} 9+0x60",
            20,
        ),
        (
            "CollectorFallsBehind",
            "muster_collector_rule_rounds_missed_total{} 0+1x60",
            "muster_collector_rule_rounds_missed_total{} 3+0x60|muster_collector_rule_busy_ratio{} 0.1+0x60",
            30,
        ),
        (
            "CollectorFallsBehind",
            "muster_collector_rule_busy_ratio{} 0.9+0x60",
            "muster_collector_ingest_commits_throttled_total{} 5+0x60",
            30,
        ),
    ]
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
    assert!(rules.len() < 15, "{}", rules.len());
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
    // A kill has happened: there is nothing to wait for.
    assert!(told.len() == 1 && told[0].contains("rule \"OutOfMemoryKill\" has no `for`"), "{told:?}");
}
