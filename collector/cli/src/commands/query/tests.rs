use clap::Parser;

use super::*;
use crate::arguments::{Arguments, Noun};

const NOW: i64 = 1_700_000_000_000;
const TERMINAL: Terminal = Terminal { columns: 80, colours: false };

fn arguments(words: &[&str]) -> QueryArguments {
    let words = ["muster", "query"].iter().chain(words);
    match Arguments::try_parse_from(words).unwrap().noun {
        Noun::Query(arguments) => arguments,
        other => panic!("{other:?}"),
    }
}

fn vector_answer() -> Value {
    json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"__name__": "up", "host": "web-1"}, "value": [1_700_000_000, "1"]},
        {"metric": {"__name__": "up", "host": "db, \"main\""}, "value": [1_700_000_000, "NaN"]},
    ]}, "warnings": ["host web-1: 1 gap"], "infos": ["metric might not be a counter"]})
}

fn matrix_answer() -> Value {
    let values = |scale: f64| {
        (0..=4).map(|k| json!([1_699_999_940 + k * 15, (k as f64 * scale).to_string()])).collect::<Vec<_>>()
    };
    json!({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "load", "host": "a", "env": "p"}, "values": values(1.0)},
        {"metric": {"__name__": "load", "host": "b", "env": "p"}, "values": values(0.5)},
    ]}})
}

const RANGE: When = When::Range { from: NOW - 60_000, to: NOW, step: 15_000 };

fn printed(answer: &Value, when: When, output: Output, picture: Picture) -> String {
    print(answer, when, output, picture, TERMINAL).unwrap().text
}

#[test]
fn times_come_from_at_since_and_step() {
    for (words, expect) in [
        (&["up"][..], When::At(NOW)),
        (&["up", "--at", "5m"], When::At(NOW - 300_000)),
        (&["up", "--since", "1h"], When::Range { from: NOW - 3_600_000, to: NOW, step: 30_000 }),
        (
            &["up", "--since", "1h", "--step", "1m", "--at", "1h"],
            When::Range { from: NOW - 7_200_000, to: NOW - 3_600_000, step: 60_000 },
        ),
    ] {
        assert_eq!(when(&arguments(words), NOW).unwrap(), expect, "{words:?}");
    }
    for (words, expect) in [
        (&["up", "--since", "x"][..], "--since: `x` is no duration"),
        (&["up", "--since", "1h", "--step", "0"], "--step `0` must be longer than nothing"),
        (&["up", "--at", "x"], "--at `x` is no time"),
    ] {
        let error = when(&arguments(words), NOW).unwrap_err();
        assert!(error.to_string().starts_with(expect) && error.exit_code() == 2, "{error}");
    }
}

#[test]
fn times_before_1970_are_sent_as_they_are() {
    for (millis, expect) in [(-1_500, "-1.500"), (-1, "-0.001"), (0, "0.000"), (1_700_000_000_123, "1700000000.123")] {
        assert_eq!(seconds(millis), expect);
    }
}

#[test]
fn steps_and_plots_need_a_span() {
    for words in [["muster", "query", "up", "--plot"], ["muster", "query", "up", "--step=1m"]] {
        assert!(Arguments::try_parse_from(words).is_err(), "{words:?}");
    }
}

#[test]
fn default_steps_are_round_and_give_at_most_the_points_wanted() {
    for (span, expect) in
        [(30_000, 1_000), (300_000, 2_000), (3_600_000, 30_000), (86_400_000, 600_000), (90 * 86_400_000, 43_200_000)]
    {
        assert_eq!(default_step(span, POINTS_WANTED), expect, "{span}");
    }
    let century = 100 * 365 * 86_400_000_i64;
    assert!(century / default_step(century, POINTS_WANTED) <= POINTS_WANTED);
}

#[test]
fn a_vector_is_a_table_of_series() {
    assert_eq!(
        printed(&vector_answer(), When::At(NOW), Output::Table, Picture::None),
        "\
SERIES                   VALUE
up{host=\"web-1\"}             1
up{host=\"db, \\\"main\\\"\"}    NaN
"
    );
    assert_eq!(
        printed(&vector_answer(), When::At(NOW), Output::Csv, Picture::None),
        "__name__,host,timestamp,value\nup,web-1,1700000000000,1\nup,\"db, \"\"main\"\"\",1700000000000,NaN\n"
    );
}

#[test]
fn warnings_and_infos_are_notes() {
    let answer = print(&vector_answer(), When::At(NOW), Output::Table, Picture::None, TERMINAL).unwrap();
    assert_eq!(answer.notes, ["warning: host web-1: 1 gap", "note: metric might not be a counter"]);
}

#[test]
fn json_is_the_result_with_a_version() {
    let json: Value =
        serde_json::from_str(&printed(&vector_answer(), When::At(NOW), Output::Json, Picture::None)).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["resultType"], "vector");
    assert_eq!(json["result"], vector_answer()["data"]["result"]);
    assert_eq!(json["warnings"], json!(["host web-1: 1 gap"]));
    let json: Value = serde_json::from_str(&printed(&matrix_answer(), RANGE, Output::Json, Picture::None)).unwrap();
    assert_eq!(json["warnings"], json!([]));
}

#[test]
fn a_range_is_a_summary_with_its_shape() {
    assert_eq!(
        printed(&matrix_answer(), RANGE, Output::Table, Picture::None),
        "\
SERIES                   POINTS  MIN  AVG  MAX  LAST  SHAPE
load{env=\"p\", host=\"a\"}       5    0    2    4     4  \u{2581}\u{2583}\u{2585}\u{2587}\u{2588}
load{env=\"p\", host=\"b\"}       5    0    1    2     2  \u{2581}\u{2583}\u{2585}\u{2587}\u{2588}
"
    );
    let csv = printed(&matrix_answer(), RANGE, Output::Csv, Picture::None);
    assert!(
        csv.starts_with("__name__,env,host,timestamp,value\nload,p,a,1699999940000,0\nload,p,a,1699999955000,1\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 11);
}

#[test]
fn a_plot_names_what_differs_and_says_what_all_share() {
    let picture = printed(&matrix_answer(), RANGE, Output::Table, Picture::Graph);
    let legend: Vec<&str> = picture.lines().rev().take(3).collect();
    assert_eq!(
        legend,
        ["all: load{env=\"p\"}", "b {host=\"b\"}  last 2, min 0, max 2", "a {host=\"a\"}  last 4, min 0, max 4"]
    );
    assert!(picture.lines().any(|line| line.ends_with("22:13:20 UTC")), "{picture}");
}

#[test]
fn bars_have_a_row_a_step_and_the_same_names() {
    let picture = printed(&matrix_answer(), RANGE, Output::Table, Picture::Bars);
    let rows: Vec<&str> = picture.lines().collect();
    assert_eq!(rows.len(), 5 + 1 + 2 + 1, "{picture}");
    assert!(rows[0].starts_with("22:12:20 ") && rows[0].ends_with(" 0"), "{picture}");
    assert!(rows[4].starts_with("22:13:20 ") && rows[4].contains("ab") && rows[4].ends_with(" 6"), "{picture}");
    assert_eq!(rows[6..], ["a {host=\"a\"}  sum 10, max 4", "b {host=\"b\"}  sum 5, max 2", "all: load{env=\"p\"}"]);
}

#[test]
fn nothing_found_is_said_plainly() {
    let empty = |kind: &str| json!({"data": {"resultType": kind, "result": []}});
    assert_eq!(
        printed(&empty("vector"), When::At(NOW), Output::Table, Picture::None),
        "no series at 2023-11-14 22:13:20 UTC: nothing of that name, or nothing heard in the 5 min before\n"
    );
    let expect = "no series from 2023-11-14 22:12:20 UTC to 2023-11-14 22:13:20 UTC\n";
    assert_eq!(printed(&empty("matrix"), RANGE, Output::Table, Picture::None), expect);
    assert_eq!(printed(&empty("matrix"), RANGE, Output::Table, Picture::Graph), expect);
}

#[test]
fn scalars_and_texts_are_one_line() {
    let scalar = json!({"data": {"resultType": "scalar", "result": [1_700_000_000.5, "42"]}});
    assert_eq!(printed(&scalar, When::At(NOW), Output::Table, Picture::None), "42\n");
    assert_eq!(printed(&scalar, When::At(NOW), Output::Csv, Picture::None), "timestamp,value\n1700000000500,42\n");
}

#[test]
fn csv_quotes_a_text_and_keeps_label_names() {
    let text = json!({"data": {"resultType": "string", "result": [1, "a, \"b\""]}});
    assert_eq!(printed(&text, When::At(NOW), Output::Csv, Picture::None), "timestamp,value\n1000,\"a, \"\"b\"\"\"\n");
    let vector = json!({"data": {"resultType": "vector", "result": [
        {"metric": {"Env": "p", "env": "q", "a b": "r", ">x": "s"}, "value": [1, "1"]},
    ]}});
    assert_eq!(
        printed(&vector, When::At(NOW), Output::Csv, Picture::None),
        ">x,Env,a b,env,timestamp,value\ns,p,r,q,1000,1\n"
    );
}

#[test]
fn an_answer_that_makes_no_sense_is_unknown() {
    for answer in [
        json!({}),
        json!({"data": {"resultType": "vector", "result": [{"metric": {}}]}}),
        json!({"data": {"resultType": "matrix", "result": 1}}),
    ] {
        let error = print(&answer, When::At(NOW), Output::Table, Picture::None, TERMINAL).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{answer}");
    }
}
