//! The Loki data source: saved and tested, Explore and its editor, Logs Drilldown.

use muster_tests::harness::agent::AgentHome;
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use serde_json::json;

use super::annotations::until_tagged;
use super::client::{self, Times};
use super::recorded::Kind::{Is, List, Number, NumberText, Object, Text};
use super::recorded::Reads::{FallsBack, Fields, Shows};
use super::recorded::Source::{Loki, LokiBeside};
use super::recorded::{Row, wrong};

const EVENTS: &str = "{source=\"muster\"}";
const ITEMS: super::recorded::Reads = Fields(&[("status", Is("success")), ("data", List), ("data/*", Text)]);
const LINES: super::recorded::Reads = Fields(&[
    ("status", Is("success")),
    ("data/resultType", Is("streams")),
    ("data/encodingFlags/*", Is("categorize-labels")),
    ("data/result/*/stream", Object),
    ("data/result/*/values/*/0", NumberText),
    ("data/result/*/values/*/1", Text),
    ("data/result/*/values/*/2", Object),
    ("data/result/*/values/*/2/structuredMetadata?", Object),
]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Its ten digits are seconds for Loki too.
    ("save and test: one and one at 4 s after 1970", Loki, "GET", "/loki/api/v1/query",
        &[("direction", "backward"), ("query", "vector(1)+vector(1)"), ("time", "4000000000")],
        Fields(&[("data/resultType", Is("vector")), ("data/result/*/metric", Object), ("data/result/0/value/0", Number), ("data/result/0/value/1", Is("2"))])),
    ("Explore: lines", Loki, "GET", "/loki/api/v1/query_range",
        &[("direction", "backward"), ("end", "END_NS"), ("limit", "1000"), ("query", EVENTS), ("start", "START_NS"), ("step", "15000ms")], LINES),
    ("Explore: a sample of the lines under a metric", LokiBeside("logsample"), "GET", "/loki/api/v1/query_range",
        &[("direction", "backward"), ("end", "END_NS"), ("limit", "100"), ("query", EVENTS), ("start", "START_NS"), ("step", "15000ms")], LINES),
    ("Explore: the histogram over the lines", LokiBeside("logvolhist"), "GET", "/loki/api/v1/query_range",
        &[("direction", "backward"), ("end", "END_NS"), ("query", "sum by (level, detected_level) (count_over_time({source=\"muster\"} | drop __error__[15s]))"),
            ("start", "START_NS"), ("step", "15000ms")],
        Fields(&[("data/resultType", Is("matrix")), ("data/result/*/metric", Object), ("data/result/*/values/*/0", Number), ("data/result/*/values/*/1", NumberText)])),
    ("the editor: a few lines, to see how they are read", LokiBeside("datasample"), "GET", "/loki/api/v1/query_range",
        &[("direction", "backward"), ("end", "END_NS"), ("limit", "10"), ("query", EVENTS), ("start", "START_NS"), ("step", "15000ms")], LINES),
    ("the editor: names of labels", Loki, "GET", "/loki/api/v1/labels", &[("end", "END_NS"), ("start", "START_NS")], ITEMS),
    ("the editor: those beside others", Loki, "GET", "/loki/api/v1/labels", &[("end", "END_NS"), ("query", EVENTS), ("start", "START_NS")], ITEMS),
    ("the editor: values of a label", Loki, "GET", "/loki/api/v1/label/host/values", &[("end", "END_NS"), ("query", EVENTS), ("start", "START_NS")], ITEMS),
    ("a variable by series", Loki, "GET", "/loki/api/v1/series", &[("end", "END_NS"), ("match[]", EVENTS), ("start", "START_NS")],
        Fields(&[("status", Is("success")), ("data/*/source", Is("muster")), ("data/*/event", Text)])),
    ("Explore: how much a query will read", Loki, "GET", "/loki/api/v1/index/stats", &[("end", "END_NS"), ("query", EVENTS), ("start", "START_NS")],
        Fields(&[("streams", Number), ("chunks", Number), ("bytes", Number), ("entries", Number)])),
    ("Drilldown: how much there is of each", Loki, "GET", "/loki/api/v1/index/volume",
        &[("end", "END_NS"), ("limit", "5000"), ("query", EVENTS), ("start", "START_NS"), ("targetLabels", "host")],
        Fields(&[("data/resultType", Is("vector")), ("data/result/*/metric/host", Text), ("data/result/*/value/1", NumberText)])),
    ("Drilldown: labels", Loki, "GET", "/loki/api/v1/detected_labels", &[("end", "END_NS"), ("query", EVENTS), ("start", "START_NS")],
        Fields(&[("detectedLabels/*/label", Text), ("detectedLabels/*/cardinality", Number)])),
    ("Drilldown: whether there are patterns", Loki, "GET", "/loki/api/v1/patterns", &[("end", "END_NS"), ("query", EVENTS), ("start", "START_NS")],
        FallsBack("its page of patterns says that there are none")),
    ("Drilldown: fields of lines", Loki, "GET", "/loki/api/v1/detected_fields",
        &[("end", "END_NS"), ("limit", "1000"), ("line_limit", "1000"), ("query", EVENTS), ("start", "START_NS")],
        FallsBack("its page of fields stays empty; Explore reads them out of the lines that it has")),
    ("Drilldown: values of a field", Loki, "GET", "/loki/api/v1/detected_field/kind/values", &[("end", "END_NS"), ("query", EVENTS), ("start", "START_NS")],
        FallsBack("as for fields")),
    ("Drilldown: its limits", Loki, "GET", "/loki/api/v1/drilldown-limits", &[], FallsBack("it takes its own")),
    ("a query with a mistake is shown as its text", Loki, "GET", "/loki/api/v1/query_range",
        &[("direction", "backward"), ("end", "END_NS"), ("query", "{source="), ("start", "START_NS"), ("step", "15000ms")],
        Shows(400, "parse error at line 1, col ")),
];

#[test]
fn the_loki_data_source_finds_what_it_reads() {
    let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    until_tagged(&collector, "{source=\"muster\", host=\"web1\"}", "host_enrolled");
    let wrong = wrong(&collector, ROWS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let Times { start_s, end_s } = Times::last(3_600);
    let (start, end) = (format!("{start_s}000000000"), format!("{end_s}000000000"));
    let data = |path: &str, more: &[(&str, &str)]| {
        let parameters = [&[("start", &*start), ("end", &*end)], more].concat();
        client::loki(&collector, &format!("/loki/api/v1/{path}"), &parameters, None).unwrap().json().unwrap()
    };
    assert_eq!(data("labels", &[])["data"], json!(["event", "host", "job", "source"]));
    let hosts = data("label/host/values", &[("query", EVENTS)]);
    assert!(hosts["data"].as_array().unwrap().contains(&"web1".into()), "{hosts}");
    let stats = data("index/stats", &[("query", EVENTS)]);
    assert!(stats["entries"].as_i64() >= Some(2) && stats["bytes"].as_i64() > Some(0), "{stats}");
    let volume = data("index/volume", &[("query", EVENTS), ("targetLabels", "host"), ("limit", "5")]);
    assert!(volume["data"]["result"].as_array().unwrap().iter().any(|one| one["metric"]["host"] == "web1"), "{volume}");
    // What we do not have is refused with what to do instead.
    for (path, instead) in
        [("detected_fields", "json, logfmt"), ("patterns", "| pattern"), ("drilldown-limits", "Explore")]
    {
        let refused = client::loki(&collector, &format!("/loki/api/v1/{path}"), &[("query", EVENTS)], None).unwrap();
        assert!(refused.text().contains(instead), "{path}: {}", refused.text());
    }
}
