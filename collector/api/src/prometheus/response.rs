//! The shapes of Prometheus' answers, byte for byte.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use muster_query::Value;

use crate::json::{push_html_safe_string, push_list, push_millis, push_points, push_series, push_value};

/// `{"status":"success","data":...,"warnings":[...],"infos":[...]}`; the lists only when they have something.
pub(crate) fn success(data: impl FnOnce(&mut Vec<u8>), warnings: &[String], infos: &[String]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 << 10);
    out.extend_from_slice(b"{\"status\":\"success\",\"data\":");
    data(&mut out);
    for (name, texts) in [("warnings", warnings), ("infos", infos)] {
        if !texts.is_empty() {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            push_list(&mut out, texts, |out, text| push_html_safe_string(out, text));
        }
    }
    out.push(b'}');
    out
}

/// An answer of status 200 with these bytes.
pub(crate) fn json(bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `data` of a query.
pub(crate) fn push_query_data(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(b"{\"resultType\":\"");
    out.extend_from_slice(value.type_name().as_bytes());
    out.extend_from_slice(b"\",\"result\":");
    match value {
        Value::Scalar { at_ms, value } => push_sample(out, *at_ms, *value),
        Value::String { at_ms, value } => {
            out.push(b'[');
            push_millis(out, *at_ms);
            out.push(b',');
            push_html_safe_string(out, value);
            out.push(b']');
        }
        Value::Vector(points) => push_points(out, points, push_sample),
        Value::Matrix(all) => push_series(out, all, push_sample),
    }
    out.push(b'}');
}

fn push_sample(out: &mut Vec<u8>, at_ms: i64, value: f64) {
    out.push(b'[');
    push_millis(out, at_ms);
    out.push(b',');
    push_value(out, value);
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use muster_common::label::LabelSet;
    use muster_query::{Point, Series};

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Arc<LabelSet> {
        Arc::new(LabelSet::new(pairs.iter().copied()).unwrap())
    }

    fn text(value: &Value, warnings: &[&str], infos: &[&str]) -> String {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        String::from_utf8(success(|out| push_query_data(out, value), &own(warnings), &own(infos))).unwrap()
    }

    #[test]
    fn each_result_type_has_prometheus_shape() {
        for (value, expect) in [
            (
                Value::Vector(vec![
                    Point {
                        labels: labels(&[("__name__", "up"), ("host", "a<b")]),
                        at_ms: 1_435_781_451_781,
                        value: 1.0,
                    },
                    Point { labels: labels(&[]), at_ms: 1_435_781_451_000, value: f64::NAN },
                ]),
                r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","host":"a<b"},"value":[1435781451.781,"1"]},{"metric":{},"value":[1435781451,"NaN"]}]}"#,
            ),
            (
                Value::Matrix(vec![Series {
                    labels: labels(&[("mode", "idle")]),
                    millis: vec![1_000, 16_000],
                    values: vec![0.25, f64::INFINITY],
                }]),
                r#"{"resultType":"matrix","result":[{"metric":{"mode":"idle"},"values":[[1,"0.25"],[16,"+Inf"]]}]}"#,
            ),
            (Value::Vector(Vec::new()), r#"{"resultType":"vector","result":[]}"#),
            (Value::Matrix(Vec::new()), r#"{"resultType":"matrix","result":[]}"#),
            (Value::Scalar { at_ms: 1_500, value: 2.0 }, r#"{"resultType":"scalar","result":[1.500,"2"]}"#),
            (
                Value::String { at_ms: 1_000, value: "a\"b".to_owned() },
                r#"{"resultType":"string","result":[1,"a\"b"]}"#,
            ),
        ] {
            assert_eq!(text(&value, &[], &[]), format!("{{\"status\":\"success\",\"data\":{expect}}}"));
        }
    }

    #[test]
    fn warnings_and_infos_follow_the_data() {
        assert_eq!(
            text(&Value::Scalar { at_ms: 0, value: 1.0 }, &["host a: gap", "more"], &["hint"]),
            r#"{"status":"success","data":{"resultType":"scalar","result":[0,"1"]},"warnings":["host a: gap","more"],"infos":["hint"]}"#
        );
    }
}
