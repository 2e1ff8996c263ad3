use std::sync::Mutex;

use clap::Parser;
use serde_json::json;

use super::ask::{Line, read};
use super::follow::dropped;
use super::text::{quoted, shown as shown_line};
use super::*;
use crate::arguments::{Arguments, Noun};

fn arguments(words: &[&str]) -> LogsArguments {
    let words = ["muster", "logs"].iter().chain(words);
    match Arguments::try_parse_from(words).unwrap().noun {
        Noun::Logs(arguments) => *arguments,
        other => panic!("{other:?}"),
    }
}

#[test]
fn shortcuts_become_matchers_and_filters() {
    for (words, expect) in [
        (&[][..], "{host=~\".+\"}"),
        (&["{app=\"web\"}"], "{app=\"web\"}"),
        (&["--host", "web-1", "--unit", "a\"b"], "{host=\"web-1\", unit=\"a\\\"b\"}"),
        (&[" {app=\"web\"} | json", "--host", "h"], "{host=\"h\", app=\"web\"} | json"),
        (&["{ }", "--host", "h"], "{host=\"h\" }"),
        (&["--grep", "a\\b", "--grep", "\u{1}\n"], "{host=~\".+\"} |= \"a\\\\b\" |= \"\\u0001\\n\""),
        (&["rate({app=\"web\"}[1m])"], "rate({app=\"web\"}[1m])"),
    ] {
        assert_eq!(query(&arguments(words)).unwrap(), expect, "{words:?}");
    }
    for (words, expect) in [
        (&["rate({a=\"b\"}[1m])", "--host", "h"][..], "--host and --unit go with a selector, and `rate("),
        (&["rate({a=\"b\"}[1m])", "--grep", "h"], "--grep goes with a selector, and `rate("),
    ] {
        let error = query(&arguments(words)).unwrap_err();
        assert!(error.to_string().starts_with(expect) && error.exit_code() == 2, "{error}");
    }
    for words in [
        &["-f", "--until", "5m"][..],
        &["-f", "--context", "1"],
        &["--limit", "0"],
        &["--plot", "--context", "1"],
        &["--histogram", "--plot"],
        &["--histogram", "-f"],
    ] {
        assert!(Arguments::try_parse_from(["muster", "logs"].iter().chain(words)).is_err(), "{words:?}");
    }
}

#[test]
fn lines_are_counted_together_or_in_a_histogram_by_level() {
    for (picture, expect) in [
        (Picture::Graph, "sum(count_over_time({a=\"b\"} [5000ms]))"),
        (Picture::Bars, "sum by (level) (count_over_time({a=\"b\"} [5000ms]))"),
    ] {
        assert_eq!(numbers("{a=\"b\"}", 5_000, picture), expect);
    }
}

/// A collector of a few lines: (nanosecond, stream, text), in the order of an answer forward. A query selects the streams that
/// it names, and with `|= "x"` the lines that have an x.
struct Fake {
    lines: Vec<(i64, &'static str, String)>,
    asked: Mutex<usize>,
}

impl Fake {
    fn answer(&self, form: &[(&'static str, String)]) -> Result<Value, Failure> {
        *self.asked.lock().unwrap() += 1;
        let get = |name: &str| form.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        let number = |name: &str| get(name).unwrap().parse::<i64>().unwrap();
        let (query, from, to, limit) =
            (get("query").unwrap(), number("start"), number("end"), number("limit") as usize);
        if query.contains("nonsense") {
            return Err(Failure::Usage("parse error at line 1, col 1".to_owned()));
        }
        let fits = |(at, stream, text): &&(i64, &str, String)| {
            let named = query.contains(".+") || query.contains(&format!("app=\"{stream}\""));
            (from..to).contains(at) && named && (!query.contains("|=") || text.contains('x'))
        };
        let mut lines: Vec<_> = self.lines.iter().filter(fits).collect();
        if get("direction") == Some("backward") {
            lines.reverse();
        }
        let (mut skip, mut given) = (0, 0_usize);
        if let Some((at, count)) = get("after").and_then(|after| after.split_once('.')) {
            let at: i64 = at.parse().unwrap();
            given = count.parse().unwrap();
            skip = lines.iter().position(|line| line.0 == at).unwrap() + given;
        }
        let page = &lines[skip.min(lines.len())..lines.len().min(skip + limit)];
        let mut streams: Vec<Value> = Vec::new();
        for name in ["db", "web"] {
            let own = page.iter().filter(|line| line.1 == name);
            let values: Vec<Value> = own.map(|(at, _, text)| json!([at.to_string(), text, {}])).collect();
            if !values.is_empty() {
                streams.push(json!({"stream": {"app": name}, "values": values}));
            }
        }
        let mut data = json!({"resultType": "streams", "result": streams});
        if page.len() == limit {
            let last = page[limit - 1].0;
            let all = page.iter().filter(|line| line.0 == last).count();
            let before = if lines[..skip].last().is_some_and(|line| line.0 == last) { given } else { 0 };
            data["next"] = format!("{last}.{}", all + before).into();
        }
        Ok(json!({"status": "success", "warnings": ["a segment is aside"], "data": data}))
    }
}

fn many(count: i64) -> Fake {
    let one = |index: i64| {
        let text = format!("{index}{}", if index % 100 == 50 { " x" } else { "" });
        (index / 7, if index % 7 < 3 { "db" } else { "web" }, text)
    };
    Fake { lines: (0..count).map(one).collect(), asked: Mutex::new(0) }
}

/// What is printed, and the notes.
async fn printed(fake: &Fake, asked: &Asked, context: Option<u16>, output: Output) -> (String, Vec<String>) {
    let mut out = Vec::new();
    let ask = async |form: Vec<(&'static str, String)>| fake.answer(&form);
    let mut writer = Writer::new(&mut out, output);
    let Ok(notes) = shown(&ask, asked, context, &mut writer).await else { panic!() };
    (String::from_utf8(out).unwrap(), notes)
}

fn asked(query: &str, forward: bool, limit: usize) -> Asked {
    Asked { query: query.to_owned(), from_ns: 0, to_ns: 1_000_000, forward, limit }
}

#[tokio::test]
async fn pages_are_put_together_in_the_order_of_time() {
    let fake = many(3_500);
    let all: Vec<String> = fake.lines.iter().map(|line| line.2.clone()).collect();
    for (forward, limit, expect) in [
        (true, 2_503, &all[..2_503]),
        (false, 2_503, &all[997..]),
        (true, 9_999, &all[..]),
        (false, 9_999, &all[..]),
        (false, 3, &all[3_497..]),
    ] {
        *fake.asked.lock().unwrap() = 0;
        let (text, notes) = printed(&fake, &asked("{app=~\".+\"}", forward, limit), None, Output::Raw).await;
        assert_eq!(text.lines().collect::<Vec<_>>(), expect, "{forward} {limit}");
        assert_eq!(notes, ["warning: a segment is aside"]);
        assert_eq!(*fake.asked.lock().unwrap(), limit.min(3_500).div_ceil(1_000));
    }
    let (text, notes) = printed(&fake, &asked("{app=\"none\"}", false, 5), None, Output::Table).await;
    assert_eq!(
        (text.as_str(), notes.last().unwrap().as_str()),
        ("", "no lines: nothing of {app=\"none\"} in this time")
    );
    let ask = async |form: Vec<(&'static str, String)>| fake.answer(&form);
    let mut out = Vec::new();
    let failed = shown(&ask, &asked("nonsense", false, 5), None, &mut Writer::new(&mut out, Output::Table)).await;
    assert!(matches!(failed, Err(Stop::Failed(Failure::Usage(_)))));
}

#[tokio::test]
async fn context_is_of_the_same_stream_and_shows_each_line_once() {
    let fake = many(400);
    let all = asked("{app=~\".+\"} |= \"x\"", false, 100);
    let (text, notes) = printed(&fake, &all, Some(2), Output::Table).await;
    assert_eq!(notes, ["warning: a segment is aside"]);
    let short = |line: &str| match line.rsplit_once("} ") {
        Some((_, last)) => format!("{}{last}", &line[..2]),
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(short).collect();
    let db = ["  44", "  49", "> 50 x", "  51", "  56", "--", "  344", "  345", "> 350 x", "  351", "  352"];
    let web =
        ["--", "  145", "  146", "> 150 x", "  151", "  152", "--", "  248", "  249", "> 250 x", "  251", "  255"];
    assert_eq!(lines, [&db[..], &web].concat());
    // Contexts that meet are one; without lines around, only what was found is shown.
    let (text, _) = printed(&fake, &all, Some(60), Output::Raw).await;
    let web: Vec<&str> =
        text.lines().filter(|line| matches!(line.trim_end_matches(" x").parse::<i64>().unwrap() % 7, 3..)).collect();
    let mut once = web.clone();
    once.dedup();
    assert_eq!((web.len(), once.len()), (60 + 57 + 1 + 60 + 1, web.len()), "{web:?}");
    let (text, _) = printed(&fake, &all, Some(0), Output::Raw).await;
    assert_eq!(text, "50 x\n350 x\n150 x\n250 x\n");
}

fn line(text: &str) -> Line {
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    Line {
        at_ns: 1_700_000_000_000_000_100,
        stream: pair("app", "web"),
        metadata: pair("trace", "7"),
        parsed: Vec::new(),
        text: text.to_owned(),
    }
}

#[test]
fn lines_have_four_forms() {
    for (output, expect) in [
        (Output::Table, "2023-11-14 22:13:20.0000001Z {app=\"web\", trace=\"7\"} a\\x1b[31m,\n    \"b\"\n"),
        (Output::Raw, "a\u{1b}[31m,\n\"b\"\n"),
        (
            Output::Json,
            "{\"line\":\"a\\u001b[31m,\\n\\\"b\\\"\",\"metadata\":{\"trace\":\"7\"},\"ns\":\"1700000000000000100\",\"parsed\":{},\"stream\":{\"app\":\"web\"}}\n",
        ),
        (
            Output::Csv,
            "ns,labels,line\n1700000000000000100,\"{app=\"\"web\"\", trace=\"\"7\"\"}\",\"a\u{1b}[31m,\n\"\"b\"\"\"\n",
        ),
    ] {
        let mut out = Vec::new();
        Writer::new(&mut out, output).write(&[line("a\u{1b}[31m,\n\"b\"")]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }
    let mut out = Vec::new();
    Writer::new(&mut out, Output::Csv).write(&[line("a"), line("b")]).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().matches("ns,labels").count(), 1);
}

#[test]
fn what_steers_a_terminal_is_written_out() {
    for (text, expect) in [
        ("plain \u{e9}\t|", "plain \u{e9}\t|"),
        ("\u{1b}]0;x\u{7}\r", "\\x1b]0;x\\x07"),
        ("a\rb\u{7f}\u{9b}c\u{202e}d\0", "a\\x0db\\x7f\\u{9b}c\\u{202e}d\\x00"),
        ("a\nb\n", "a\n    b"),
    ] {
        assert_eq!(shown_line(text), expect, "{text:?}");
    }
    assert_eq!(quoted("a\"\\\u{85}"), "\"a\\\"\\\\\\u0085\"");
}

#[test]
fn frames_of_live_lines_are_read_with_what_was_dropped() {
    let frame = json!({"streams": [
        {"stream": {"app": "b"}, "values": [["1", "x", {"structuredMetadata": {"t": "1"}}], ["3", "y", {}]]},
        {"stream": {"app": "a"}, "values": [["2", "z"]]},
    ], "dropped_entries": [{"timestamp": "1", "labels": {}, "count": 7}, {"timestamp": "1"}]});
    let lines = read(&frame["streams"], false).unwrap();
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["x", "z", "y"]);
    assert_eq!(lines[0].metadata, [("t".to_owned(), "1".to_owned())]);
    assert_eq!(dropped(&frame).unwrap(), "8 lines were dropped: they came faster than they were read here");
    assert_eq!(dropped(&json!({"streams": []})), None);
    assert_eq!(read(&json!([{"stream": {}, "values": [["soon", "x"]]}]), false), None);
}
