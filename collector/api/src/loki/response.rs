//! The shapes of Loki's answers, byte for byte.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use muster_common::label::LabelSet;
use muster_query::{AnswerEntry, LogAnswer, LogStats, LogValue};

use crate::json::{push_html_safe_bytes, push_labels, push_list, push_pairs, push_points, push_series, push_string};

/// What a client is told of its flag.
const FLAGS: &[u8] = b",\"encodingFlags\":[\"categorize-labels\"]";

/// An answer of status 200 with these bytes.
pub(super) fn json(bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}

/// The answer to a query.
pub(super) fn answered(answer: &LogAnswer, categorized: bool, took: Duration) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 << 10);
    out.extend_from_slice(b"{\"status\":\"success\"");
    if !answer.warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        push_list(&mut out, &answer.warnings, |out, text| push_string(out, text));
    }
    out.extend_from_slice(b",\"data\":{\"resultType\":\"");
    out.extend_from_slice(answer.value.type_name().as_bytes());
    out.push(b'"');
    if categorized {
        out.extend_from_slice(FLAGS);
    }
    out.extend_from_slice(b",\"result\":");
    push_value(&mut out, &answer.value, categorized);
    if let Some(next) = answer.next {
        out.extend_from_slice(format!(",\"next\":\"{next}\"").as_bytes());
    }
    out.extend_from_slice(b",\"stats\":");
    push_stats(&mut out, &answer.stats, took, &answer.value);
    out.extend_from_slice(b"}}\n");
    out
}

fn push_value(out: &mut Vec<u8>, value: &LogValue, categorized: bool) {
    match value {
        LogValue::Scalar { at_ms, value } => push_sample(out, *at_ms, *value),
        LogValue::Vector(points) => push_points(out, points, push_sample),
        LogValue::Matrix(all) => push_series(out, all, push_sample),
        LogValue::Streams(streams) => push_list(out, streams, |out, stream| {
            push_stream(out, &stream.labels, &stream.entries, categorized);
        }),
    }
}

/// One stream with its lines.
pub(crate) fn push_stream<'a>(
    out: &mut Vec<u8>,
    labels: &LabelSet,
    entries: impl IntoIterator<Item = &'a AnswerEntry>,
    categorized: bool,
) {
    out.extend_from_slice(b"{\"stream\":");
    push_labels(out, labels);
    out.extend_from_slice(b",\"values\":");
    push_list(out, entries, |out, entry| push_entry(out, entry, categorized));
    out.push(b'}');
}

fn push_entry(out: &mut Vec<u8>, entry: &AnswerEntry, categorized: bool) {
    out.extend_from_slice(format!("[\"{}\",", entry.at_ns).as_bytes());
    push_html_safe_bytes(out, &entry.line);
    if categorized {
        out.extend_from_slice(b",{");
        let lists = [("structuredMetadata", &entry.fields), ("parsed", &entry.parsed)];
        for (index, (name, pairs)) in lists.into_iter().filter(|(_, pairs)| !pairs.is_empty()).enumerate() {
            out.extend_from_slice(format!("{}\"{name}\":", if index > 0 { "," } else { "" }).as_bytes());
            push_pairs(out, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// One frame of a live tail: lines, and what was dropped at which time before them.
pub(super) fn frame(
    streams: &[(&LabelSet, Vec<&AnswerEntry>)],
    dropped: Option<(i64, u64)>,
    categorized: bool,
) -> Vec<u8> {
    let mut out = b"{\"streams\":".to_vec();
    push_list(&mut out, streams, |out, (labels, entries)| {
        push_stream(out, labels, entries.iter().copied(), categorized);
    });
    if let Some((at_ns, count)) = dropped {
        let entry = format!(",\"dropped_entries\":[{{\"timestamp\":\"{at_ns}\",\"labels\":{{}},\"count\":{count}}}]");
        out.extend_from_slice(entry.as_bytes());
    }
    if categorized {
        out.extend_from_slice(FLAGS);
    }
    out.push(b'}');
    out
}

/// Loki writes times and values without an exponent and with no more digits than they have.
fn push_sample(out: &mut Vec<u8>, at_ms: i64, value: f64) {
    let (sign, millis) = (if at_ms < 0 { "-" } else { "" }, at_ms.unsigned_abs());
    let seconds = format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000);
    out.push(b'[');
    out.extend_from_slice(seconds.trim_end_matches('0').trim_end_matches('.').as_bytes());
    let value = match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    };
    out.extend_from_slice(format!(",\"{value}\"]").as_bytes());
}

/// The part of Loki's statistics that clients show.
fn push_stats(out: &mut Vec<u8>, stats: &LogStats, took: Duration, value: &LogValue) {
    let seconds = took.as_secs_f64();
    // Shown to people: a query too short to be measured has no speed.
    let rate = |count: u64| if seconds > 0.0 { (count as f64 / seconds) as u64 } else { 0 };
    let returned: usize = match value {
        LogValue::Streams(streams) => streams.iter().map(|stream| stream.entries.len()).sum(),
        LogValue::Vector(points) => points.len(),
        LogValue::Matrix(series) => series.len(),
        LogValue::Scalar { .. } => 1,
    };
    let text = format!(
        "{{\"summary\":{{\"bytesProcessedPerSecond\":{},\"linesProcessedPerSecond\":{},\"totalBytesProcessed\":{},\
         \"totalLinesProcessed\":{},\"execTime\":{seconds},\"queueTime\":0,\"subqueries\":0,\"totalEntriesReturned\":{returned},\
         \"splits\":0,\"shards\":0,\"totalPostFilterLines\":{}}}}}",
        rate(stats.bytes),
        rate(stats.lines),
        stats.bytes,
        stats.lines,
        stats.kept,
    );
    out.extend_from_slice(text.as_bytes());
}
