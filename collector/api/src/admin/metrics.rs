//! `GET /metrics`: the collector's own numbers in Prometheus' text format.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{HeaderName, header};
use muster_common::sample::MetricKind;
use muster_common::stat::Stat;

use crate::json::push_float;
use crate::state::State;

pub(crate) async fn metrics(Shared(state): Shared<Arc<State>>) -> ([(HeaderName, &'static str); 1], Vec<u8>) {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], exposition(state.stats()))
}

/// The text format: all samples of one name together, under one HELP and one TYPE line.
fn exposition(mut stats: Vec<Stat>) -> Vec<u8> {
    // Stable: samples of one name keep their order.
    stats.sort_by_key(|stat| stat.name);
    let mut out = Vec::with_capacity(stats.len() * 128);
    let mut last = "";
    for stat in &stats {
        if stat.name != last {
            last = stat.name;
            let kind = if stat.kind == MetricKind::Untyped { "untyped" } else { stat.kind.name() };
            let help = stat.help.replace('\\', "\\\\").replace('\n', "\\n");
            out.extend_from_slice(format!("# HELP {last} {help}\n# TYPE {last} {kind}\n").as_bytes());
        }
        out.extend_from_slice(stat.name.as_bytes());
        for (index, (name, value)) in stat.labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            out.extend_from_slice(format!("{}{name}=\"{value}\"", if index == 0 { "{" } else { "," }).as_bytes());
        }
        if !stat.labels.is_empty() {
            out.push(b'}');
        }
        out.push(b' ');
        push_float(&mut out, stat.value);
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_stand_together_under_one_head() {
        let stats = vec![
            Stat::counter("b_total", "B\\ and\nso on.", 3).with("reason", "a\"b"),
            Stat::gauge("a", "A.", 0.5),
            Stat::counter("b_total", "B\\ and\nso on.", 4).with("reason", "c").with("lane", "p1"),
        ];
        assert_eq!(
            String::from_utf8(exposition(stats)).unwrap(),
            "\
# HELP a A.
# TYPE a gauge
a 0.5
# HELP b_total B\\\\ and\\nso on.
# TYPE b_total counter
b_total{reason=\"a\\\"b\"} 3
b_total{reason=\"c\",lane=\"p1\"} 4
"
        );
    }
}
