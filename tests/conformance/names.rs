//! The agent's names, types and labels against node_exporter's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use muster_tests::harness::agent::{run, until};
use muster_tests::harness::http::Connection;
use muster_tests::harness::programs;

/// A family's type and the sets of label names that its series have.
type Families = BTreeMap<String, (String, BTreeSet<Vec<String>>)>;

fn families(exposition: &str) -> Families {
    let mut all = Families::new();
    for line in exposition.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            all.entry(name.to_owned()).or_default().0 = kind.to_owned();
        } else if !line.starts_with('#') && !line.is_empty() {
            let end = line.find(['{', ' ']).unwrap_or(line.len());
            let labels = line[end..].split("=\"").map(|part| part.rsplit(['{', ',', '"']).next().unwrap_or_default());
            let mut labels: Vec<String> = labels.map(str::to_owned).collect();
            labels.pop();
            labels.sort();
            all.entry(line[..end].to_owned()).or_default().1.insert(labels);
        }
    }
    all
}

/// Collectors whose names the agent takes over whole, by the start of the name.
const TAKEN_OVER: [&str; 28] = [
    "node_cpu_seconds",
    "node_cpu_guest",
    "node_load",
    "node_memory_",
    "node_disk_",
    "node_filesystem_",
    "node_network_receive",
    "node_network_transmit",
    "node_uname",
    "node_boot_time",
    "node_filefd",
    "node_pressure",
    "node_vmstat",
    "node_netstat",
    "node_sockstat",
    "node_softnet",
    "node_context_switches",
    "node_forks",
    "node_procs_",
    "node_network_",
    "node_timex_",
    "node_time_",
    "node_arp_",
    "node_nf_conntrack",
    "node_schedstat_",
    "node_udp_queues",
    "node_scrape_collector_",
    "process_",
];

/// What does not change between two readings: here the series' labels and values are compared too.
const SAME_VALUES: [&str; 8] = [
    "node_uname_info",
    "node_boot_time_seconds",
    "node_memory_MemTotal_bytes",
    "node_filefd_maximum",
    "node_filesystem_size_bytes",
    "node_network_mtu_bytes",
    "node_network_info",
    "node_time_zone_offset_seconds",
];

/// Each series, its labels sorted and without empty ones, and its value.
fn values(exposition: &str, name: &str) -> BTreeMap<Vec<String>, f64> {
    let lines =
        exposition.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    lines
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let labels = series[name.len()..].trim_matches(['{', '}']).split("\",");
            let mut labels: Vec<String> = labels.map(|label| label.trim_end_matches('"').to_owned()).collect();
            labels.retain(|label| !label.ends_with('=') && !label.is_empty());
            labels.sort();
            Some((labels, value.parse().ok()?))
        })
        .collect()
}

/// Labels that udev or the kernel does not give stand there empty, which means absent: ours are left out.
const LEFT_OUT: [&str; 2] = ["node_disk_info", "node_network_info"];

#[test]
fn names_types_and_labels_are_node_exporters() {
    let exporter = programs::tool("prometheus-node-exporter", "usr/bin/prometheus-node-exporter");
    let mut child = Command::new(exporter)
        .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut log = String::new();
    let address = loop {
        let mut buffer = [0; 4096];
        let read = stderr.read(&mut buffer).unwrap();
        assert!(read > 0, "node_exporter ended: {log}");
        log.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let found =
            log.split("address=").skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).next();
        if let Some(address) = found {
            break address;
        }
    };
    let answer = until("node_exporter's answer", Duration::from_secs(20), || {
        Connection::open(address)?.request("GET", "/metrics", &[], b"").map(Some)
    });
    let _ = child.kill();
    child.wait().unwrap();
    let answer = answer.unwrap().text();
    let theirs = families(&answer);
    let (code, text, error) = run(&programs::folder(), "muster-agent", &["collect", "--once"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let ours = families(&text);

    let mut wrong = Vec::new();
    for (name, (kind, labels)) in &theirs {
        let wanted = TAKEN_OVER.iter().any(|start| name.starts_with(start)) && !LEFT_OUT.contains(&name.as_str());
        match ours.get(name) {
            None if wanted => wrong.push(format!("{name} is missing")),
            Some((our_kind, our_labels)) if wanted => {
                if our_kind != kind {
                    wrong.push(format!("{name} is {our_kind}, not {kind}"));
                }
                // Newer exporters add labels (device_error): ours may have more, never fewer.
                let has_all =
                    |theirs: &Vec<String>| our_labels.iter().any(|ours| theirs.iter().all(|l| ours.contains(l)));
                if !labels.iter().all(has_all) {
                    wrong.push(format!("{name} has labels {our_labels:?}, not {labels:?}"));
                }
            }
            _ => {}
        }
    }
    for name in SAME_VALUES {
        let (ours, theirs) = (values(&text, name), values(&answer, name));
        let has = |labels: &[String], value: f64| {
            // Newer exporters add labels (adminstate): ours may have more.
            ours.iter().any(|(own, own_value)| *own_value == value && labels.iter().all(|label| own.contains(label)))
        };
        let missing: Vec<_> = theirs.iter().filter(|(labels, value)| !has(labels, **value)).collect();
        if theirs.is_empty() || !missing.is_empty() {
            wrong.push(format!("{name}: of {theirs:?} ours lack {missing:?}: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ours.len() > 150, "only {} names", ours.len());
}
