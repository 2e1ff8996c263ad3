//! Recorded requests as rows of a table, and what Grafana reads of their answers.

use muster_tests::harness::collector::Collector;
use muster_tests::harness::http::Answer;
use serde_json::Value;

use super::client::{self, Times, Way};

/// Whose client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Prometheus,
    Loki,
    /// A query of this kind that Grafana makes beside the user's own.
    LokiBeside(&'static str),
    /// A page in the browser, through Grafana's proxy.
    Page,
}

/// The type that Grafana reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// This text.
    Is(&'static str),
    Number,
    /// A number as a text, as samples have it.
    NumberText,
    /// RFC 3339.
    Time,
    List,
    Object,
    Truth,
}

/// What is made of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reads {
    /// Status 200; each place is there with its type. A place is names and numbers of lists with `/` between them; `*` is each element or value, at
    /// least one; `?` behind a name lets it be absent.
    Fields(&'static [(&'static str, Kind)]),
    /// Status 404, and how Grafana goes on then.
    FallsBack(&'static str),
    /// This status: its text is shown to people and begins so.
    Shows(u16, &'static str),
}

/// A row: what Grafana does, and its request. `START`, `END` (seconds) and `START_NS`, `END_NS` in parameters are the dashboard's time.
pub(super) type Row =
    (&'static str, Source, &'static str, &'static str, &'static [(&'static str, &'static str)], Reads);

/// Sends every row and says what is wrong with the answers.
pub(super) fn wrong(collector: &Collector, rows: &[Row]) -> Vec<String> {
    rows.iter()
        .filter_map(|row| judge(row, &ask(collector, row)).err().map(|why| format!("{}: {why}", row.0)))
        .collect()
}

fn ask(collector: &Collector, &(_, source, method, path, parameters, _): &Row) -> Answer {
    let Times { start_s, end_s } = Times::last(3_600);
    let filled: Vec<(&str, String)> = parameters
        .iter()
        .map(|(name, value)| {
            let value = match *value {
                "START" => start_s.to_string(),
                "END" => end_s.to_string(),
                "START_NS" => format!("{start_s}000000000"),
                "END_NS" => format!("{end_s}000000000"),
                other => other.to_owned(),
            };
            (*name, value)
        })
        .collect();
    let pairs: Vec<(&str, &str)> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = match source {
        Source::Prometheus => client::prometheus(collector, method, path, &pairs),
        Source::Loki => client::loki(collector, path, &pairs, None),
        Source::LokiBeside(kind) => client::loki(collector, path, &pairs, Some(kind)),
        Source::Page => client::send(collector, Way::Proxy, method, path, &[], ""),
    };
    answer.unwrap_or_else(|error| panic!("{path}: {error:#}"))
}

fn judge(row: &Row, answer: &Answer) -> Result<(), String> {
    let expect = match row.5 {
        Reads::Fields(_) => 200,
        Reads::FallsBack(_) => 404,
        Reads::Shows(status, _) => status,
    };
    if answer.status != expect {
        return Err(format!("{} instead of {expect}: {}", answer.status, answer.text()));
    }
    match row.5 {
        Reads::Fields(fields) => {
            let json = answer.json().map_err(|error| error.to_string())?;
            fields.iter().try_for_each(|(place, kind)| read(&json, place, *kind))
        }
        // Whatever is shown of it tells the person what to do instead.
        Reads::FallsBack(how) if answer.text().is_empty() => Err(format!("404 without a word, where {how}")),
        Reads::FallsBack(_) => Ok(()),
        Reads::Shows(_, begins) if answer.text().starts_with(begins) => Ok(()),
        Reads::Shows(_, begins) => Err(format!("{} does not begin with {begins}", answer.text())),
    }
}

/// Whether what stands at this place has the type.
pub(super) fn read(json: &Value, place: &str, kind: Kind) -> Result<(), String> {
    let Some((name, rest)) = place.split_once('/').or_else(|| (!place.is_empty()).then_some((place, ""))) else {
        return if is_a(json, kind) { Ok(()) } else { Err(format!("{json} is no {kind:?}")) };
    };
    let below = |value: &Value| read(value, rest, kind).map_err(|why| format!("{name}: {why}"));
    if name == "*" {
        let all: Vec<&Value> = match json {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        };
        return if all.is_empty() { Err(format!("nothing in {json}")) } else { all.into_iter().try_for_each(below) };
    }
    let plain = name.trim_end_matches('?');
    let found = plain.parse::<usize>().map_or_else(|_| json.get(plain), |place| json.get(place));
    match found {
        Some(value) => below(value),
        None if plain != name => Ok(()),
        None => Err(format!("no `{name}` in {json}")),
    }
}

fn is_a(json: &Value, kind: Kind) -> bool {
    let text = json.as_str();
    match kind {
        Kind::Text => text.is_some(),
        Kind::Is(expect) => text == Some(expect),
        Kind::Number => json.is_number(),
        Kind::NumberText => text.is_some_and(|text| text.parse::<f64>().is_ok()),
        // Its length and marks: `2023-11-14T22:13:20.000Z`.
        Kind::Time => text.is_some_and(|text| text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z')),
        Kind::List => json.is_array(),
        Kind::Object => json.is_object(),
        Kind::Truth => json.is_boolean(),
    }
}

#[test]
fn a_field_of_another_type_and_one_that_lacks_are_found() {
    let json = serde_json::json!({"data": {"result": [{"metric": {"a": "b"}, "value": [1.5, "2"]}, {"metric": {}}], "none": []}});
    assert_eq!(read(&json, "data/result/*/metric", Kind::Object), Ok(()));
    assert_eq!(read(&json, "data/result/0/value/1", Kind::NumberText), Ok(()));
    assert_eq!(read(&json, "data/result/*/value?/0", Kind::Number), Ok(()));
    for (place, kind, why) in [
        ("data/result/*/value/0", Kind::Number, "data: result: *: no `value` in {\"metric\":{}}"),
        ("data/result/0/value/0", Kind::NumberText, "data: result: 0: value: 0: 1.5 is no NumberText"),
        ("data/none/*", Kind::Text, "data: none: nothing in []"),
    ] {
        assert_eq!(read(&json, place, kind), Err(why.to_owned()), "{place}");
    }
}
