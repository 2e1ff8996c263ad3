use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::wire::inventory::InventoryReport;
use muster_common::wire::message::{CheckDefinition, CheckList, Perfdata, ProcessLook};
use muster_common::wire::record::decode_report;

use super::*;

const NOW: i64 = 1_700_000_000_000;

fn check(at_ms: i64, name: &str) -> CheckReport {
    CheckReport {
        at_ms,
        check: name.to_owned(),
        state: 2,
        output: "full".to_owned(),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 1_500,
        definition: CheckDefinition { interval_ms: 60_000, ..CheckDefinition::default() },
    }
}

fn perfdata(label: &str, value: f64, unit: &str) -> Perfdata {
    let (warn, crit) = (String::new(), String::new());
    Perfdata { label: label.into(), value, unit: unit.into(), warn, crit, min: f64::NAN, max: f64::NAN }
}

fn read_within(reports: Vec<Report>, series_max: usize) -> (Reports, Counters) {
    let host = HostLabels {
        id: HostId([7; 16]),
        name: "web1".into(),
        labels: BTreeMap::from([("env".into(), "prod".into())]),
    };
    let (now, counters) = (Timestamp::from_millis(NOW), Counters::default());
    let bounds = TimeBounds::at(now, Duration::from_secs(86_400));
    let mut budget = SeriesBudget::new(series_max, now);
    let admission = Admission { host: &host, bounds, event_bounds: bounds, now, counters: &counters };
    let batch = ReportBatch { reports, extensions: Vec::new() };
    let read = read_reports(batch, &mut budget, &admission);
    (read, counters)
}

fn read(reports: Vec<Report>) -> (Reports, Counters) {
    read_within(reports, 100)
}

fn samples(read: &Reports) -> Vec<String> {
    let one = |record: &Record| match record {
        Record::Samples(SampleBlock::Points { table, points }) => {
            let series: Vec<_> = table.series().iter().collect();
            let text = |point: &Point| {
                format!("{} {} {}", series[point.series as usize].labels, point.at_ms - NOW, point.value)
            };
            points.iter().map(text).collect()
        }
        _ => Vec::new(),
    };
    read.records.iter().flat_map(one).collect()
}

fn reports(read: &Reports) -> Vec<Report> {
    let one = |record: &Record| match record {
        Record::Report(report) => {
            assert_eq!(report.host, HostId([7; 16]));
            Some(decode_report(&report.report).unwrap())
        }
        _ => None,
    };
    read.records.iter().filter_map(one).collect()
}

fn events(read: &Reports) -> Vec<String> {
    let one = |record: &Record| match record {
        Record::Logs(block) => {
            assert_eq!(block.class, LogClass::Events);
            let text =
                |entry: &LogEntry| format!("{}{} {}", block.labels, entry.fields, String::from_utf8_lossy(&entry.line));
            block.entries.iter().map(text).collect()
        }
        _ => Vec::new(),
    };
    read.records.iter().flat_map(one).collect()
}

#[test]
fn a_result_is_samples_under_its_hosts_labels_and_a_report() {
    let mut one = check(NOW, "disk");
    one.perfdata = vec![perfdata("/", 91.5, "%"), perfdata("/tmp", f64::NAN, "%"), perfdata("n", 3.0, "")];
    one.definition.labels = ["host", "env", "check", "team"].map(|name| label(name, "x")).to_vec();
    let (read, _) = read(vec![Report::Check(one.clone())]);
    let own = r#"exported_check="x", exported_env="x", exported_host="x", host="web1", instance="web1", job="node""#;
    assert_eq!(
        samples(&read),
        [
            format!(r#"muster_check_state{{check="disk", env="prod", {own}, team="x"}} 0 2"#),
            format!(r#"muster_check_duration_seconds{{check="disk", env="prod", {own}, team="x"}} 0 1.5"#),
            format!(
                r#"muster_check_perfdata{{check="disk", env="prod", {own}, label="/", team="x", unit="%"}} 0 91.5"#
            ),
            format!(r#"muster_check_perfdata{{check="disk", env="prod", {own}, label="n", team="x"}} 0 3"#),
        ]
    );
    // As texts, since NaN is unlike itself.
    assert_eq!(format!("{:?}", reports(&read)), format!("{:?}", [Report::Check(one)]));
    assert_eq!((read.samples, read.reports), (4, 1));
    assert_eq!(events(&read), [""; 0]);
}

#[test]
fn results_of_one_check_share_their_series_and_stay_in_order() {
    let list = Report::Checks(CheckList { at_ms: NOW, checks: vec!["disk".into()] });
    let said = vec![Report::Check(check(NOW, "disk")), list, Report::Check(check(NOW + 5, "disk"))];
    let (read, _) = read(said.clone());
    let Record::Samples(block) = &read.records[0] else { panic!("samples come first") };
    let SampleBlock::Points { table, points } = block else { panic!("points") };
    assert_eq!((table.len(), points.len()), (2, 4));
    assert_eq!(reports(&read), said);
}

#[test]
fn a_look_at_processes_is_a_report_and_no_sample() {
    let look = |at_ms| Report::Processes(ProcessLook { at_ms, interval_ms: 30_000, ..ProcessLook::default() });
    let (read, _) = read(vec![look(NOW), look(NOW + 600_001)]);
    assert_eq!((reports(&read), read.samples), (vec![look(NOW)], 0));
    let told = events(&read);
    assert!(told.len() == 1 && told[0].contains("look at the processes is refused"), "{told:?}");
}

#[test]
fn an_inventory_is_a_report_and_no_sample() {
    let look = |at_ms| Report::Inventory(InventoryReport { at_ms, ..InventoryReport::default() });
    let (read, _) = read(vec![look(NOW), look(NOW + 600_001)]);
    assert_eq!((reports(&read), read.samples), (vec![look(NOW)], 0));
    let told = events(&read);
    assert!(told.len() == 1 && told[0].contains("look at what the host has is refused"), "{told:?}");
}

#[test]
fn what_is_out_of_bounds_is_refused_alone_and_told() {
    let event = |at_ms| {
        let fields = vec![label("device", "sda"), label("kind", "forged")];
        Report::Event(EventReport { at_ms, kind: "smart".into(), text: "a bad sector".into(), fields })
    };
    let said = vec![
        Report::Check(check(NOW + 600_001, "ahead")),
        Report::Check(check(NOW, "good")),
        Report::Check(check(NOW - 86_400_001, "old")),
        event(NOW - 86_400_001),
        event(NOW),
    ];
    let (read, counters) = read(said);
    assert_eq!((read.reports, read.samples), (1, 2));
    let stream = r#"{event="host", host="web1", job="muster", source="muster"}"#;
    let told = events(&read);
    assert!(told.iter().all(|text| text.starts_with(stream)), "{told:?}");
    assert!(told[0].contains("check `ahead` is refused") && told[0].contains("NTP"), "{told:?}");
    assert!(told[1].contains("check `old` is refused") && told[2].contains("event `smart` is refused"), "{told:?}");
    assert_eq!(told[3], format!(r#"{stream}{{by="agent", device="sda", kind="smart"}} a bad sector"#));
    let counts = [Count::ReportsFuture, Count::ReportsTooOld, Count::Events];
    assert_eq!(counts.map(|count| counters.value(count)), [1, 2, 1]);
    let many = (0..40).map(|_| Report::Check(check(i64::MIN, "old"))).collect();
    let told = events(&self::read(many).0);
    assert_eq!((told.len(), told.last().unwrap().contains("24 more reports")), (17, true));
}

#[test]
fn the_budget_of_series_and_reserved_labels_cost_samples_and_no_report() {
    let (read, counters) = read_within(vec![Report::Check(check(NOW, "a")), Report::Check(check(NOW, "b"))], 3);
    assert_eq!((read.reports, read.samples, counters.value(Count::SamplesSeriesLimit)), (2, 3, 1));
    let mut forged = check(NOW, "a");
    forged.definition.labels = vec![label("source", "muster")];
    let (read, counters) = self::read(vec![Report::Check(forged)]);
    assert_eq!((read.reports, read.samples, counters.value(Count::SamplesReserved)), (1, 0, 2));
}
