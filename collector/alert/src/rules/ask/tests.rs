use std::time::Duration;

use muster_common::disk::cut::CutDisk;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use muster_store::{
    Append, Config, LogBlock, LogClass, LogEntry, Parts, Point, Record, SampleBlock, SeriesTable, Source,
};

use super::*;
use crate::alert::AlertChange;
use crate::rules::{Due, RuleContext, RuleDefaults, Ruler, load_rules};

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().copied()).unwrap()
}

/// A store with one series and the lines of two hosts, one a second.
fn stored() -> Parts {
    let now = Timestamp::from_millis(600_000);
    let mut parts = muster_store::open(Arc::new(CutDisk::new(1)), Config::new("/data"), now, &mut || 5).unwrap();
    let table = SeriesTable::new(vec![(labels(&[("__name__", "m"), ("host", "a")]), MetricKind::Gauge)]);
    let points = (0..60i32).map(|step| Point { series: 0, at_ms: i64::from(step) * 10_000, value: f64::from(step) });
    let samples = SampleBlock::Points { table: Arc::new(table), points: points.collect() };
    let lines = |host: &str, line: &str| {
        let entry = |second: i64| LogEntry {
            at_ns: second * 1_000_000_000,
            line: line.as_bytes().to_vec(),
            fields: LabelSet::default(),
        };
        let labels = Arc::new(labels(&[("host", host), ("job", "logs")]));
        Record::Logs(LogBlock { class: LogClass::Logs, labels, entries: (0..600).map(entry).collect() })
    };
    let records = vec![Record::Samples(samples), lines("a", "error: disk"), lines("b", "all is well")];
    let source = Source::Own { run: Epoch::new(1, 1), tick: 1 };
    parts.writer.commit(&[Append { source, records, arrived: now, live: true }], now).unwrap();
    parts
}

const RULES: &str = "groups:
- name: g
  query_offset: 0s
  rules:
  - record: m:twice
    expr: m * 2
  - alert: Twice
    expr: m:twice == 118
  - alert: Errors
    expr: sum by (host) (count_over_time({job=\"logs\"} |= \"error\" [1m])) > 30
    annotations: {summary: '{{ $labels.host }}: {{ $value }} lines'}
";

#[test]
fn rules_of_both_languages_are_answered_from_a_store_and_see_what_was_just_recorded() {
    let parts = stored();
    let files = load_rules(&[("f.yml".into(), RULES.into())], RuleDefaults::default()).unwrap();
    let mut ruler = Ruler::new([0; 16], 1);
    ruler.reload(&files, 0);
    let (engine, view, control) = (Engine::default(), parts.reader.view(), Control::new(Duration::from_secs(60)));
    let none = LabelSet::default();
    let context = RuleContext { external_labels: &none, external_url: "", ready_ms: i64::MIN / 2, is_away: &|_| false };
    let ask = ViewAsk { engine: &engine, view: &view, control: &control };
    let round = ruler.groups_mut()[0].evaluate(Due { tick: 1, at_ms: 595_000, missed: 0 }, &ask, &context);
    let told: Vec<String> = round
        .changes
        .iter()
        .map(|change| match change {
            AlertChange::Firing(alert) => format!("{} {:?}", alert.labels, alert.annotations.get("summary")),
            AlertChange::Ended { why, .. } => (*why).to_owned(),
        })
        .collect();
    assert_eq!(
        told,
        ["{alertname=\"Twice\", host=\"a\"} None", "{alertname=\"Errors\", host=\"a\"} Some(\"a: 60 lines\")",]
    );
    for (_, health, _) in ruler.groups()[0].rules() {
        assert_eq!(health.error, None);
    }
}

#[test]
fn a_query_that_was_stopped_is_an_error_and_ends_no_alert() {
    let parts = stored();
    let (engine, view, control) = (Engine::default(), parts.reader.view(), Control::new(Duration::from_secs(60)));
    control.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let ask = ViewAsk { engine: &engine, view: &view, control: &control };
    let query = Prepared::new("m").unwrap();
    let error = ask.prom(&query, &MemorySeries::default(), 595_000).unwrap_err();
    assert!(error.contains("canceled"), "{error}");
}
