//! The Prometheus data source: saved and tested, its editor, its variables, the pages of rules.

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::recorded::Kind::{Is, List, Number, NumberText, Object, Text, Time};
use super::recorded::Reads::{FallsBack, Fields, Shows};
use super::recorded::Source::{Page, Prometheus};
use super::recorded::{Row, wrong};
use crate::e2e::LIMIT;

const ITEMS: super::recorded::Reads = Fields(&[("status", Is("success")), ("data", List), ("data/*", Text)]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("save and test: one and one at 4 s after 1970", Prometheus, "POST", "/api/v1/query", &[("query", "1+1"), ("time", "4")],
        Fields(&[("status", Is("success")), ("data/resultType", Is("scalar")), ("data/result/0", Number), ("data/result/1", Is("2"))])),
    ("save and test: whose server it is; features would make it a Mimir", Prometheus, "GET", "/api/v1/status/buildinfo", &[],
        Fields(&[("status", Is("success")), ("data/version", Text), ("data/revision", Text), ("data/branch", Text), ("data/features?", Object),
            ("data/buildUser", Text), ("data/buildDate", Text), ("data/goVersion", Text)])),
    ("pages of alerting: the same", Page, "GET", "/api/v1/status/buildinfo", &[], Fields(&[("data/version", Text)])),
    ("pages of alerting: whether it is a Thanos", Page, "GET", "/api/v1/status/flags", &[], FallsBack("then it is a Prometheus")),
    ("the editor: names of labels", Prometheus, "POST", "/api/v1/labels", &[("end", "END"), ("limit", "40000"), ("start", "START")], ITEMS),
    ("the editor: those of a metric", Prometheus, "POST", "/api/v1/labels",
        &[("end", "END"), ("limit", "40000"), ("match[]", "{__name__=\"node_load1\"}"), ("start", "START")], ITEMS),
    ("the editor: names of metrics", Prometheus, "GET", "/api/v1/label/__name__/values", &[("end", "END"), ("limit", "40000"), ("start", "START")], ITEMS),
    ("the editor: values of a label", Prometheus, "GET", "/api/v1/label/host/values",
        &[("end", "END"), ("limit", "40000"), ("match[]", "{__name__=\"node_load1\"}"), ("start", "START")], ITEMS),
    ("the editor: kinds and helps of metrics", Prometheus, "GET", "/api/v1/metadata", &[("limit", "40000")],
        Fields(&[("status", Is("success")), ("data/*/*/type", Text), ("data/*/*/help", Text), ("data/*/*/unit", Text)])),
    ("a variable by series", Prometheus, "POST", "/api/v1/series", &[("end", "END"), ("match[]", "node_load1"), ("start", "START")],
        Fields(&[("status", Is("success")), ("data/*", Object), ("data/*/__name__", Is("node_load1"))])),
    ("the editor: recording rules to expand", Prometheus, "GET", "/api/v1/rules", &[],
        Fields(&[("status", Is("success")), ("data/groups/*/rules/*/type", Text), ("data/groups/*/rules/*/name", Text), ("data/groups/*/rules/*/query", Text)])),
    ("pages of alerting: rules and their alerts", Page, "GET", "/api/v1/rules", &[],
        Fields(&[("data/groups/*/name", Text), ("data/groups/*/file", Text), ("data/groups/*/interval", Number), ("data/groups/*/evaluationTime", Number),
            ("data/groups/*/rules/*/state", Text), ("data/groups/*/rules/*/health", Text), ("data/groups/*/rules/*/lastEvaluation", Time),
            ("data/groups/*/rules/*/duration", Number), ("data/groups/*/rules/*/labels", Object), ("data/groups/*/rules/*/annotations", Object),
            ("data/groups/*/rules/*/alerts", List)])),
    // All groups come at once, and no `groupNextToken`: there is no next page.
    ("pages of alerting: the first groups of the list", Page, "GET", "/api/v1/rules?group_limit=40&limit_alerts=16", &[],
        Fields(&[("data/groups/*/name", Text), ("data/groupNextToken?", Is("")), ("data/groups/*/rules/*/type", Text)])),
    ("pages of alerting: alerts", Page, "GET", "/api/v1/alerts", &[], Fields(&[("status", Is("success")), ("data/alerts", List)])),
    ("a panel of one number", Prometheus, "POST", "/api/v1/query", &[("query", "count(up{host=\"web1\"})"), ("time", "END")],
        Fields(&[("data/resultType", Is("vector")), ("data/result/*/metric", Object), ("data/result/*/value/0", Number), ("data/result/*/value/1", NumberText)])),
    ("a panel of lines", Prometheus, "POST", "/api/v1/query_range", &[("end", "END"), ("query", "node_load1"), ("start", "START"), ("step", "15")],
        Fields(&[("status", Is("success")), ("data/resultType", Is("matrix")), ("data/result/*/metric/host", Is("web1")),
            ("data/result/*/values/*/0", Number), ("data/result/*/values/*/1", NumberText), ("warnings?", List)])),
    ("the same of a data source that is set to GET", Prometheus, "GET", "/api/v1/query_range",
        &[("end", "END"), ("query", "node_load1"), ("start", "START"), ("step", "15")], Fields(&[("data/result/*/values/*/1", NumberText)])),
    ("exemplars beside a query: there are none", Prometheus, "POST", "/api/v1/query_exemplars", &[("end", "END"), ("query", "node_load1"), ("start", "START")],
        Fields(&[("status", Is("success")), ("data", List)])),
    ("a query with a mistake is shown with its place", Prometheus, "POST", "/api/v1/query_range",
        &[("end", "END"), ("query", "sum("), ("start", "START"), ("step", "15")],
        Shows(400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"query\\\": 1:5: parse error: ")),
];

#[test]
fn the_prometheus_data_source_finds_what_it_reads() {
    let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    let _agent = home.start(&["metrics.interval=1s"]).unwrap();
    until("samples", LIMIT, || collector.number("node_load1{host=\"web1\"} and on(host) up == 1", None)).unwrap();
    let wrong = wrong(&collector, ROWS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
