//! Node Exporter Full, asked as Grafana asks it, of what a real agent of this machine has sent.

use std::collections::{BTreeMap, BTreeSet};

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use serde_json::Value;

use super::client::{self, Times};
use super::panels::{JOINED, SINGLE, Shape};
use crate::e2e::LIMIT;

/// Why a name of the dashboard may have no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// The agent has no such source.
    NoSource(&'static str),
    /// It has, and tells what this file of the kernel has; there has to be data where the file has this word.
    Kernel(&'static str, &'static str),
}

#[rustfmt::skip]
const EMPTY: &[(Why, &str)] = &[
    (Why::NoSource("sensors and fans"), "node_hwmon_"),
    (Why::NoSource("cooling devices"), "node_cooling_device_"),
    (Why::NoSource("clock rates of processors"), "node_cpu_scaling_frequency_"),
    (Why::NoSource("power supplies"), "node_power_supply_"),
    (Why::NoSource("systemd by metrics: failed units are a check"), "node_systemd_"),
    (Why::NoSource("hung tasks"), "node_kernel_hung_tasks"),
    (Why::NoSource("states of processes, which cost a read of each"), "node_processes_state"),
    (Why::NoSource("text files"), "node_textfile_"),
    (Why::Kernel("/proc/schedstat", "cpu"), "node_schedstat_"),
    (Why::Kernel("/proc/pressure/irq", "full"), "node_pressure_irq_"),
    (Why::Kernel("/proc/pressure/cpu", "some"), "node_pressure_"),
    (Why::Kernel("/proc/sys/net/netfilter/nf_conntrack_count", ""), "node_nf_conntrack_"),
    (Why::Kernel("/proc/meminfo", "HardwareCorrupted"), "node_memory_HardwareCorrupted_"),
    (Why::Kernel("/proc/meminfo", "DirectMap1G"), "node_memory_DirectMap1G_"),
    (Why::Kernel("/proc/meminfo", "Zswap"), "node_memory_Zswap"),
    (Why::Kernel("/proc/meminfo", "NFS_Unstable"), "node_memory_NFS_Unstable_"),
];

/// Why this name has no data here; `None`: it must have some.
fn excuse(name: &str) -> Option<Why> {
    let (why, _) = EMPTY.iter().find(|(_, begins)| name.starts_with(begins))?;
    let is_there = match why {
        Why::NoSource(_) => false,
        Why::Kernel(file, word) => std::fs::read_to_string(file).is_ok_and(|text| text.contains(word)),
    };
    (!is_there).then_some(*why)
}

/// Panel and expression, its variables not filled in.
fn expressions() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for (panel, shape, names) in SINGLE {
        all.extend(names.split_whitespace().map(|name| {
            let expression = match shape {
                Shape::Value => format!("{name}{{$S}}"),
                Shape::PerSecond => format!("irate({name}{{$S}}[$R])"),
                Shape::Down => format!("-irate({name}{{$S}}[$R])"),
            };
            (*panel, expression)
        }));
    }
    for (panel, own) in JOINED {
        all.extend(own.iter().map(|expression| (*panel, (*expression).to_owned())));
    }
    all
}

fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("node_") || word.starts_with("process_")).collect()
}

/// A variable's values: `label_values(SELECTOR, LABEL)`, as the data source asks where the server is a Prometheus of 2.24 or newer.
fn label_values(collector: &Collector, selector: &str, label: &str) -> Vec<String> {
    let Times { start_s, end_s } = Times::last(300);
    let (start, end) = (start_s.to_string(), end_s.to_string());
    let parameters = [("end", &*end), ("limit", "40000"), ("match[]", selector), ("start", &*start)];
    let answer = client::prometheus(collector, "GET", &format!("/api/v1/label/{label}/values"), &parameters).unwrap();
    assert_eq!(answer.status, 200, "{selector}: {}", answer.text());
    serde_json::from_value(answer.json().unwrap()["data"].clone()).unwrap()
}

/// How many series a panel has of this expression over the last minute, in steps of the agent's interval.
fn series(collector: &Collector, expression: &str) -> Result<usize, String> {
    let Times { start_s, end_s } = Times::last(60);
    let (start, end) = (start_s.to_string(), end_s.to_string());
    let parameters = [("end", &*end), ("query", expression), ("start", &*start), ("step", "1")];
    let answer = client::prometheus(collector, "POST", "/api/v1/query_range", &parameters).unwrap();
    if answer.status != 200 {
        return Err(format!("{expression}: {}: {}", answer.status, answer.text()));
    }
    let json: Value = answer.json().unwrap();
    let result = json["data"]["result"].as_array().ok_or_else(|| format!("{expression}: {json}"))?;
    assert_eq!(json["data"]["resultType"], "matrix", "{expression}");
    Ok(result.len())
}

#[test]
fn every_expression_of_node_exporter_full_is_answered_and_what_is_empty_has_a_reason() {
    let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "web2").unwrap();
    // What node_exporter has by flags of its own, the agent has by settings. Attributes of interfaces, among them the one counter
    // `node_network_receive_nohandler_total`, it reads once a minute unless set: too seldom for rates at a panel's shortest step.
    let settings = [
        "metrics.interval=1s",
        "sources.tcpstat.enabled=true",
        "sources.interrupts.enabled=true",
        "sources.netclass.interval=1s",
    ];
    let _agent = home.start(&settings).unwrap();
    let enough = "count_over_time(node_load1{host=\"web1\"}[1m]) > 4";
    until("five samples", LIMIT, || collector.number(enough, None)).unwrap();

    // The dashboard's variables, one out of another.
    let job = label_values(&collector, "node_uname_info", "job");
    assert_eq!(job, ["node"]);
    let nodename = label_values(&collector, "node_uname_info{job=\"node\"}", "nodename");
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(nodename, [machine.trim()]);
    let node =
        label_values(&collector, &format!("node_uname_info{{job=\"node\",nodename=\"{}\"}}", nodename[0]), "instance");
    assert_eq!(node, ["web1"]);

    let all = expressions();
    let known: BTreeSet<&str> = all.iter().flat_map(|(_, expression)| names(expression)).collect();
    assert_eq!((all.len(), known.len()), (290, 228), "and node_uname_info");
    let mut reasons: BTreeMap<Why, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut answered = 0;
    for (panel, shape) in &all {
        let expression = shape
            .replace("$S", "instance=\"$node\",job=\"$job\"")
            .replace("$I", "instance=\"$node\"")
            .replace("$node", &node[0])
            .replace("$job", &job[0])
            // Four of the data source's interval.
            .replace("$R", "4s")
            .replace("$D", "[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+");
        let excused: Vec<Why> = names(shape).into_iter().filter_map(excuse).collect();
        let found = if excused.is_empty() {
            // A tick may be late on a busy machine.
            until(&expression, LIMIT, || {
                let count = series(&collector, &expression).map_err(anyhow::Error::msg)?;
                Ok((count > 0).then_some(count))
            })
            .map_err(|error| format!("{error:#}"))
        } else {
            series(&collector, &expression)
        };
        match (found, excused.first()) {
            (Err(why), _) => wrong.push(format!("{panel}: {why}")),
            (Ok(0), Some(why)) => *reasons.entry(*why).or_default() += 1,
            (Ok(_), None) => answered += 1,
            (Ok(count), Some(why)) => {
                wrong.push(format!("{panel}: {expression} has {count} series in spite of {why:?}"))
            }
        }
    }
    println!("Node Exporter Full: {answered} of {} expressions have data; empty: {reasons:#?}", all.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(answered + reasons.values().sum::<usize>(), all.len());
    let lacking: usize =
        reasons.iter().filter(|(why, _)| matches!(why, Why::NoSource(_))).map(|(_, count)| count).sum();
    assert_eq!(lacking, 24, "expressions over what the agent has no source of");
}
