//! The parser's places and refusals, limits, and hostile queries and lines.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use muster_common::label::LabelSet;

use crate::engine::Engine;
use crate::error::QueryError;
use crate::limits::{Control, Limits};
use crate::logql::parse::{parse_log_query, parse_log_selector};
use crate::logql::pipeline::LogPipeline;
use crate::logql::script::{Stored, control, fetch_from, instant, range};
use crate::logql::source::{LogFields, LogLine, LogOrder, LogRequest, LogSourceError};
use crate::value::{Direction, LogMark, LogPage, LogValue};

fn failure(query: &str) -> String {
    match parse_log_query(query) {
        Err(error) => {
            assert_eq!(error.error_type(), "bad_data");
            error.to_string()
        }
        Ok(expr) => panic!("{query} is {expr}"),
    }
}

#[test]
fn queries_print_in_canonical_form() {
    let cases = [
        ("{ a = `b` ,}", "{a=\"b\"}"),
        ("{a=\"b\"}|=`x\"`or\"y\"|~`z.`", "{a=\"b\"} |= \"x\\\"\" or \"y\" |~ \"z.\""),
        (
            "{a=\"b\"}|json x , y=\"z[0]\"|x=1,y>=5m z!=\"\"",
            "{a=\"b\"} | json x=\"x\", y=\"z[0]\" | (x==1 and y>=5m and z!=\"\")",
        ),
        ("{a=\"b\"} | (x>1 or y<2) and z=~\"q\"", "{a=\"b\"} | ((x>1 or y<2) and z=~\"q\")"),
        (
            "{a=\"b\"}|logfmt --strict a|drop x,y=\"1\"|keep z",
            "{a=\"b\"} | logfmt --strict a=\"a\" | drop x, y=\"1\" | keep z",
        ),
        (
            "{a=\"b\"} | label_format x=y,z=`{{.q}}` | decolorize",
            "{a=\"b\"} | label_format x=y, z=\"{{.q}}\" | decolorize",
        ),
        ("sum(rate({a=\"b\"}[90s]))by(y,x,x)", "sum by (x, y) (rate({a=\"b\"} [1m30s]))"),
        (
            "quantile_over_time(.9,{a=\"b\"}|unwrap duration(x)|__error__=\"\"[1d] offset -1h)without(x)",
            "quantile_over_time(0.9, {a=\"b\"} | unwrap duration(x) | __error__=\"\" [24h] offset -1h) without (x)",
        ),
        ("topk(3,count_over_time({a=\"b\"}[1ms]))>bool -1", "topk(3, count_over_time({a=\"b\"} [1ms])) > bool -1"),
        ("vector(1)*on(x)group_left(y)(vector(2))", "vector(1) * on (x) group_left (y) (vector(2))"),
        ("vector(1)/on()group_right(vector(2))", "vector(1) / on () group_right () (vector(2))"),
        ("count_over_time(({a=\"b\"})[1.5s]|=`x`)", "count_over_time({a=\"b\"} |= \"x\" [1s500ms])"),
    ];
    for (text, printed) in cases {
        let expr = parse_log_query(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expr.to_string(), printed, "{text}");
        assert_eq!(parse_log_query(printed).unwrap().to_string(), printed);
    }
}

#[test]
fn faults_name_their_place_and_what_helps() {
    let cases = [
        ("", "line 1, col 1: syntax error: unexpected $end, expecting a stream selector"),
        ("{a=\"b\"", "line 1, col 7: syntax error: unexpected $end, expecting \",\" or \"}\""),
        ("{a=b}", "line 1, col 4: syntax error: unexpected IDENTIFIER \"b\", expecting STRING"),
        ("{a='b'}", "line 1, col 4: unexpected character '\\'': put texts in double quotes"),
        ("{a==\"b\"}", "line 1, col 3: syntax error: unexpected ==, expecting =, !=, =~ or !~"),
        ("{a=~\"(\"}", "line 1, col 5: regular expression `(` cannot be used"),
        ("{a=\"b\"}\n|= x", "line 2, col 4: syntax error: unexpected IDENTIFIER \"x\", expecting STRING"),
        ("{a=\"b\"} |~ \"[\"", "line 1, col 12: regular expression `[` cannot be used"),
        ("{a=\"b\"} | ", "line 1, col 11: syntax error: unexpected $end, expecting a stage such as json"),
        ("{a=\"b\"} | x", "line 1, col 11: syntax error: unexpected IDENTIFIER \"x\": expecting a stage"),
        (
            "{a=\"b\"} | x >",
            "line 1, col 14: syntax error: unexpected $end, expecting STRING, NUMBER, DURATION or BYTES",
        ),
        ("{a=\"b\"} | x > \"1\"", "line 1, col 13: texts compare by =, !=, =~ and !~ only: leave the quotes out"),
        ("{a=\"b\"} | json x=\"a..b\"", "line 1, col 18: cannot parse expression [a..b]: write a path"),
        ("{a=\"b\"} | json x, x", "duplicate extracted label name 'x': name it once"),
        ("{a=\"b\"} | logfmt --lazy", "unknown parser flag --lazy: there are --strict and --keep-empty"),
        ("{a=\"b\"} | pattern \"<a><b>\"", "invalid pattern: found consecutive capture: put a text between them"),
        ("{a=\"b\"} | pattern \"<_> x\"", "invalid pattern: at least one capture is required"),
        ("{a=\"b\"} | regexp \"(x)\"", "at least one named capture must be supplied: write (?P<name>...)"),
        (
            "{a=\"b\"} | line_format `{{if .a}}`",
            "line 1, col 26: the control structure \"if\" is not supported: use default",
        ),
        ("{a=\"b\"} | line_format `{{.a`", "line 1, col 24: invalid template: unclosed action: close it with }}"),
        ("{a=\"b\"} | line_format `{{date .a}}`", "line 1, col 26: invalid template: function \"date\": there are"),
        ("{a=\"b\"} | label_format a=b, a=c", "multiple label name 'a' not allowed in a single format operation"),
        ("{a=\"b\"} | label_format __error__=b", "__error__ cannot be formatted"),
        ("{a=\"b\"} | distinct x", "the stage \"distinct\" is not supported: use count by"),
        ("{a=\"b\"} !> \"x\"", "the pattern filter !> is not supported: use |="),
        ("count_over_time({a=\"b\"}[0s])", "the window must be longer than 0: such as 5m"),
        ("count_over_time({a=\"b\"}[5])", "unexpected NUMBER 5, expecting a duration such as 5m"),
        ("count_over_time({a=\"b\"}[5m][5m])", "line 1, col 28: a second window: leave one out"),
        ("count_over_time({a=\"b\"} offset 5m [5m])", "line 1, col 25: offset stands behind the window"),
        ("count_over_time by (x) ({a=\"b\"}[5m])", "write the grouping behind: count_over_time(...) by (...)"),
        ("rate({a=\"b\"} | unwrap x | json [5m])", "line 1, col 25: behind unwrap only label filters may stand"),
        ("rate({a=\"b\"} | unwrap x | unwrap y [5m])", "a second unwrap: leave one out"),
        ("rate({a=\"b\"} | unwrap days(x) [5m])", "no such conversion \"days\": there are duration"),
        (
            "quantile_over_time({a=\"b\"} | unwrap x [5m])",
            "line 1, col 20: syntax error: unexpected {, expecting NUMBER",
        ),
        ("{a=\"b\"} + 1", "line 1, col 1: an operator needs numbers, but these are lines: count them"),
        ("1 + {a=\"b\"}", "line 1, col 5: an operator needs numbers, but these are lines: count them"),
        ("sum(1)", "sum needs a vector: write vector(...) around the number"),
        ("sum(2, vector(1))", "line 1, col 5: unsupported parameter for operation sum(2,: leave it out"),
        ("vector(1) + bool 2", "bool modifier can only be used on comparison operators"),
        ("vector(1) and on (x) group_left vector(2)", "no grouping allowed for \"and\" operation"),
        ("variants(1) of ({a=\"b\"}[1m])", "\"variants\" is not supported: ask once for each variant"),
        (
            "label_replace(vector(1), \"a\", \"b\", \"c\", \"(\")",
            "line 1, col 41: invalid regular expression in label_replace()",
        ),
        ("{a=\"b\"} }", "unexpected }, expecting an operator or the end of the query"),
        ("{a=\"b\"} | json | 5", "unexpected NUMBER 5, expecting a stage such as json"),
    ];
    for (query, part) in cases {
        let text = failure(query);
        assert!(text.starts_with("parse error at line "), "{query}: {text}");
        assert!(text.contains(part), "{query}: {text}");
    }
    assert_eq!(parse_log_query("{a=\"b\"} | x").unwrap_err().at(), Some(10));
    assert_eq!(parse_log_selector("{a=\"b\", c=~\"d\"}").unwrap().len(), 2);
    assert!(parse_log_selector("{a=\"b\"} |= \"x\"").unwrap_err().to_string().contains("the end of the selector"));
}

#[test]
fn hostile_queries_are_refused_and_no_stack_is_overrun() {
    let stages = |stage: &str, count: usize| format!("{{a=\"b\"}}{}", stage.repeat(count));
    let cases = [
        ("(".repeat(60_000), "nested deeper than 128 levels"),
        ("sum(".repeat(10_000), "nested deeper than 128 levels"),
        (format!("count_over_time({}", "(".repeat(50_000)), "nested deeper than 128 levels"),
        (format!("{{a=\"b\"}} | {}", "(".repeat(50_000)), "nested deeper than 128 levels"),
        ("1+".repeat(20_000) + "1", "more than 1000 operators in a row"),
        ("2^".repeat(20_000) + "1", "nested deeper than 128 levels"),
        (stages(" | json", 5_000), "more than 256 stages"),
        (format!("{{a=\"b\"}} | x=1{}", ",x=1".repeat(5_000)), "more than 256 conditions"),
        (format!("{{a=\"b\"}} |= \"x\"{}", " or \"x\"".repeat(5_000)), "more than 100 texts"),
        (format!("{{a=\"b\"}} | drop {}x", "x,".repeat(5_000)), "more than 256 labels"),
        (format!("{{a=\"b\"}} |= \"{}\"", "x".repeat(70_000)), "at most 65536 are read"),
        ("{a=\"b\"} |~ \"(?:x{1000}){1000}\"".into(), "cannot be used"),
        ("{a=\"b\"} | regexp \"(?P<x>(?:x{1000}){1000})\"".into(), "cannot be used"),
        ("{a=~\"(?:x{1000}){1000}\"}".into(), "cannot be used"),
        (format!("{{a=\"b\"}} | line_format `{{{{{}}}}}`", "lower (".repeat(2_000)), "nested deeper than 16 levels"),
    ];
    for (query, part) in cases {
        let text = failure(&query);
        assert!(text.contains(part), "{}: {text}", &query[..query.len().min(60)]);
    }
    // As deep and long as allowed.
    let deep = format!("{}vector(1){}", "(".repeat(100), ")".repeat(100));
    assert!(instant(&[], &deep, 0).is_ok());
    let long = "1+".repeat(900) + "1";
    assert_eq!(instant(&[], &long, 0).unwrap().value, LogValue::Scalar { at_ms: 0, value: 901.0 });
}

/// Any bytes for a query end in an answer or an error.
#[test]
fn garbled_queries_never_panic() {
    let seeds = [
        "{a=\"b\", c=~`d|e`} |= \"x\" != `y` |~ \"z.*\" | json a, b=\"c[0].d\" | a > 5m and (b=\"1\" or c<=10KB)",
        "sum by (x) (rate({a=\"b\"} | logfmt --strict | unwrap duration(t) | __error__=\"\" [5m] offset 1h)) > bool 2",
        "{a=\"b\"} | pattern \"<x> - <_>\" | label_format a=b,c=`{{.d | ToUpper}}` | line_format \"{{trunc 5 .x}}\"",
        "topk(3, quantile_over_time(0.9, {a=\"b\"} | unwrap x [1m]) by (y)) / on (y) group_left (z) vector(1)",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from((state >> 11) % bound as u64).unwrap()
    };
    let mut parsed = 0;
    for _ in 0..30_000 {
        let mut bytes = seeds[random(seeds.len())].as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len().max(1));
            match random(4) {
                _ if bytes.len() < 2 => {}
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = b"{}()[]|=!~<>\"`,.5mx \\\xc3"[random(22)],
                2 => bytes.truncate(at.max(1)),
                _ => {
                    let piece = seeds[random(seeds.len())].as_bytes();
                    let from = random(piece.len());
                    let piece = piece[from..(from + random(12)).min(piece.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(expr) = parse_log_query(&text) {
            parsed += 1;
            let printed = expr.to_string();
            assert_eq!(parse_log_query(&printed).map(|expr| expr.to_string()), Ok(printed.clone()), "{text}");
        }
    }
    assert!(parsed > 1_000, "{parsed}");
}

fn one(line: &str) -> Vec<Stored> {
    let labels = Arc::new(LabelSet::new([("app", "web")]).unwrap());
    vec![Stored { labels, at_ns: 5, line: line.as_bytes().to_vec(), fields: LabelSet::default() }]
}

#[test]
fn hostile_lines_keep_the_query_alive() {
    let million: String = (0..1_000_000).map(|index| format!("k{index}=v ")).collect();
    let answer = range(&one(&million), "{app=\"web\"} | logfmt | line_format \"\"", (0, 10, 1)).unwrap();
    let LogValue::Streams(streams) = &answer.value else { panic!("{answer:?}") };
    assert_eq!(streams[0].labels.get("__error__"), Some("LabelLimitErr"));
    assert!(answer.warnings[0].contains("more than 64 labels, the others were left out"), "{:?}", answer.warnings);
    // What is asked for is found among all of them.
    let answer =
        instant(&one(&million), "sum by (k999999) (count_over_time({app=\"web\"} | logfmt [1s]))", 10).unwrap();
    let LogValue::Vector(points) = &answer.value else { panic!("{answer:?}") };
    assert_eq!(points[0].labels.to_string(), "{k999999=\"v\"}");
    let many: String = (0..100).map(|index| format!("k{index}=v ")).collect();
    let error = instant(&one(&many), "count_over_time({app=\"web\"} | logfmt [1s])", 10).unwrap_err();
    assert!(error.to_string().contains("lines have more than 64 labels: group by those you need"), "{error}");
    let long = format!("v={}", "x".repeat(20_000));
    let answer = range(&one(&long), "{app=\"web\"} | logfmt | line_format `{{.v}}`", (0, 10, 1)).unwrap();
    let LogValue::Streams(streams) = &answer.value else { panic!("{answer:?}") };
    assert_eq!((streams[0].entries[0].line.len(), streams[0].labels.get("v").map(str::len)), (20_000, Some(8_192)));
    assert!(answer.warnings[0].contains("cut to 8192 bytes"));
    let nested = "{\"a\":".repeat(50_000);
    let answer = range(&one(&nested), "{app=\"web\"} | json", (0, 10, 1)).unwrap();
    let LogValue::Streams(streams) = &answer.value else { panic!("{answer:?}") };
    assert!(streams[0].labels.get("__error_details__").unwrap().contains("nested deeper than 64 levels"));
    let mut bytes = one("");
    bytes[0].line = (0..=255).cycle().take(10_000).collect();
    for stage in
        ["json", "logfmt", "pattern `<a> <b>`", "regexp `(?P<a>.)`", "decolorize", "line_format `{{__line__}}`"]
    {
        let query = format!("{{app=\"web\"}} |= \"!\" | {stage}");
        assert!(range(&bytes, &query, (0, 10, 1)).is_ok(), "{query}");
    }
}

#[test]
fn colors_are_taken_out() {
    let line = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}plain\u{1b}";
    let answer = range(&one(line), "{app=\"web\"} | decolorize", (0, 10, 1)).unwrap();
    let LogValue::Streams(streams) = answer.value else { panic!() };
    assert_eq!(streams[0].entries[0].line, b"red plain");
}

#[test]
fn requests_say_what_is_needed_and_no_more() {
    let asked = |query: &str| {
        let seen = std::cell::RefCell::new(Vec::new());
        let fetch = |r: &LogRequest<'_>, _: &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>| {
            let needles: Vec<String> = r.needles.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect();
            seen.borrow_mut().push((needles.join(","), r.from_ns, r.to_ns, r.order));
            Ok(())
        };
        Engine::default()
            .log_range_over(&fetch, query, (1_000, 2_000, 100), &LogPage::new(10, Direction::Backward), &control())
            .unwrap();
        seen.into_inner()
    };
    let lines = asked(
        "{a=\"b\"} |= \"x\" |~ `y` |= \"\" |= \"q\" or \"r\" | json | z=\"1\" |= \"w\" != \"v\" | line_format \"\" |= \"u\"",
    );
    assert_eq!(lines, [("x,y,w".to_owned(), 1_000, 2_000, LogOrder::Backward)]);
    let counts = asked("count_over_time({a=\"b\"} |= `x` [50ns] offset 7ns)");
    assert_eq!(counts, [("x".to_owned(), 944, 1_994, LogOrder::ByStream)]);
}

#[test]
fn limits_stop_a_query_and_are_named() {
    let mut lines = Vec::new();
    for index in 0..100 {
        let labels = Arc::new(LabelSet::new([("app", "web"), ("n", &*index.to_string())]).unwrap());
        lines.push(Stored { labels, at_ns: index, line: vec![b'x'; 100], fields: LabelSet::default() });
    }
    let fetch = |r: &LogRequest<'_>, each: &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>| {
        fetch_from(&lines, r, each)
    };
    let ask = |limits: Limits, query: &str| {
        Engine::new(limits).log_range_over(
            &fetch,
            query,
            (0, 1_000, 1),
            &LogPage::new(1_000, Direction::Forward),
            &control(),
        )
    };
    let few = Limits { samples_max: 5_000, ..Limits::default() };
    let error = ask(few, "count_over_time({app=\"web\"}[1s])").unwrap_err();
    assert!(matches!(&error, QueryError::TooMuch { message } if message.contains("more than 5000")), "{error:?}");
    let small = Limits { log_answer_bytes_max: 5_000, ..Limits::default() };
    let error = ask(small, "{app=\"web\"}").unwrap_err();
    assert!(error.to_string().contains("more than 5000 bytes of lines: ask for a shorter time"), "{error}");
    let little = Limits { log_bytes_max: 5_000, ..Limits::default() };
    assert!(matches!(ask(little, "{app=\"web\"}").unwrap_err(), QueryError::TooMuch { .. }));
    let coarse = Limits { points_max: 500, ..Limits::default() };
    let error = ask(coarse, "count_over_time({app=\"web\"}[1s])").unwrap_err();
    assert!(error.to_string().contains("maximum resolution of 500 points per time series"), "{error}");
    let stopped = control();
    stopped.cancelled.store(true, Ordering::Relaxed);
    let range = |control: &Control| {
        Engine::default().log_range_over(
            &fetch,
            "rate({app=\"web\"}[1s])",
            (0, 10, 1),
            &LogPage::new(1, Direction::Forward),
            control,
        )
    };
    assert_eq!(range(&stopped).unwrap_err(), QueryError::Cancelled);
    let late = Control { deadline: Duration::ZERO, ..control() };
    assert_eq!(range(&late).unwrap_err(), QueryError::Timeout);
    let failing = |_: &LogRequest<'_>, _: &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>| {
        Err(LogSourceError::Failed("disk".into()))
    };
    let failed = Engine::default().log_instant_over(&failing, "rate({app=\"web\"}[1s])", 0, &control());
    assert_eq!(failed.unwrap_err(), QueryError::Source { message: "disk".into() });
    for times in [(i64::MIN, i64::MIN + 5, 1), (i64::MAX - 5, i64::MAX, 1)] {
        let asked = Engine::default().log_range_over(
            &fetch,
            "rate({app=\"web\"}[1s])",
            times,
            &LogPage::new(1, Direction::Forward),
            &control(),
        );
        assert!(matches!(asked.unwrap_err(), QueryError::BadData { .. }));
    }
}

#[test]
fn tail_runs_the_pipeline_on_single_lines() {
    let expr = parse_log_query("{app=\"web\"} |= \"x\" | logfmt | line_format `{{.x}}`").unwrap();
    assert_eq!((expr.is_metric(), expr.matchers().len()), (false, 1));
    let mut pipeline = LogPipeline::new(&expr, false).unwrap();
    let labels = Arc::new(LabelSet::new([("app", "web")]).unwrap());
    let fields = LabelSet::new([("trace", "7")]).unwrap();
    let fields = LogFields::canonical(fields.canonical());
    assert_eq!(pipeline.run(&labels, 1, b"y=1", fields), None);
    let (ended, entry) = pipeline.run(&labels, 1, b"x=1", fields).unwrap();
    assert_eq!((ended.to_string(), &*entry.line), ("{app=\"web\", trace=\"7\", x=\"1\"}".to_owned(), &b"1"[..]));
    let (ended, entry) = LogPipeline::new(&expr, true).unwrap().run(&labels, 1, b"x=1", fields).unwrap();
    assert_eq!(ended, labels);
    assert_eq!((&*entry.fields[0].1, &*entry.parsed[0].0), ("7", "x"));
    assert!(LogPipeline::new(&parse_log_query("vector(1)").unwrap(), false).is_err());
}

/// Lines as `n:i` of stream n, several to a nanosecond.
fn crowded() -> Vec<Stored> {
    let mut lines = Vec::new();
    for index in 0..60_i64 {
        for stream in 0..3 {
            let labels = Arc::new(LabelSet::new([("app", "web"), ("n", &*stream.to_string())]).unwrap());
            let line = format!("{stream}:{index}").into_bytes();
            lines.push(Stored { labels, at_ns: index / 20, line, fields: LabelSet::default() });
        }
    }
    lines
}

#[test]
fn pages_put_together_are_the_whole() {
    let stored = crowded();
    let fetch = |r: &LogRequest<'_>, each: &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>| {
        fetch_from(&stored, r, each)
    };
    let ask = |query: &str, page: &LogPage| {
        let answer = Engine::default().log_range_over(&fetch, query, (0, 10, 1), page, &control()).unwrap();
        let LogValue::Streams(streams) = answer.value else { panic!() };
        let mut lines: Vec<(i64, String)> = Vec::new();
        for stream in streams {
            lines.extend(stream.entries.into_iter().map(|one| (one.at_ns, String::from_utf8(one.line).unwrap())));
        }
        (lines, answer.next)
    };
    for query in ["{app=\"web\"}", "{app=\"web\"} != \"7\""] {
        for (direction, limit) in [Direction::Forward, Direction::Backward]
            .into_iter()
            .flat_map(|one| [1, 2, 7, 60, 61, 500].map(|n| (one, n)))
        {
            let (mut whole, next) = ask(query, &LogPage::new(1_000, direction));
            assert_eq!((whole.len() > 130, next), (true, None));
            let (mut pages, mut page) = (Vec::new(), LogPage::new(limit, direction));
            for _ in 0..500 {
                let (lines, next) = ask(query, &page);
                assert!(lines.len() <= limit && (next.is_some() == (lines.len() == limit)), "{lines:?}");
                pages.extend(lines);
                page.after = next;
                if next.is_none() {
                    break;
                }
            }
            whole.sort();
            pages.sort();
            assert_eq!(pages, whole, "{direction:?} {limit}");
        }
    }
    // Lines apart: one of each nanosecond, also page by page.
    let mut page = LogPage { interval_ns: 1, ..LogPage::new(1, Direction::Backward) };
    for at_ns in [2, 1, 0] {
        let (lines, next) = ask("{app=\"web\"}", &page);
        assert_eq!((lines.len(), lines[0].0, next), (1, at_ns, Some(LogMark { at_ns, count: 1 })));
        page.after = next;
    }
    assert_eq!(ask("{app=\"web\"}", &page), (Vec::new(), None));
    assert_eq!(("5.7".parse(), "5".parse::<LogMark>()), (Ok(LogMark { at_ns: 5, count: 7 }), Err(())));
}
