use std::collections::BTreeMap;

use axum::http::{Request, header};
use muster_fleet::Scope;
use serde_json::Value;

use super::fixture::{Answer, Fixture, Line, NOW_MS};

const NOW_NS: i64 = NOW_MS * 1_000_000;

/// Ten seconds of two streams up to now, one line with metadata, one that is no UTF-8.
fn filled() -> Fixture {
    let mut fixture = Fixture::new();
    let (web, db) = ([("app", "web"), ("host", "a")], [("app", "db"), ("host", "b")]);
    fixture.log(
        &web,
        &[
            (-9_000_000_000, b"level=info msg=\"a <b>\"", &[]),
            (-5_000_000_000, b"level=warn msg=slow", &[("trace", "7")]),
            (-5_000_000_000, b"level=warn msg=slow", &[("trace", "7")]),
            (-1, b"bad \xff\x00", &[]),
        ],
    );
    fixture.log(&db, &[(-5_000_000_000, b"vacuum", &[])]);
    fixture
}

/// The answer without what it tells of its cost, which is another each time.
fn shape(answer: &Answer) -> String {
    match answer.text.split_once(",\"stats\":") {
        Some((before, stats)) => {
            assert!(
                stats.starts_with("{\"summary\":{\"bytesProcessedPerSecond\":") && stats.ends_with("}}}}\n"),
                "{stats}"
            );
            format!("{before}}}}}")
        }
        None => answer.text.clone(),
    }
}

fn path(of: &str, parameters: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    format!("/loki/api/v1/{of}?{}", pairs.join("&"))
}

/// Parameters.
type Given = &'static [(&'static str, &'static str)];

/// Path, parameters, answer.
const SHAPES: &[(&str, Given, &str)] = &[
    (
        "query_range",
        &[("query", "{app=\"web\"}"), ("since", "1m"), ("limit", "2")],
        r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"web","host":"a"},"values":[["1699999999999999999","bad \ufffd\u0000"]]},{"stream":{"app":"web","host":"a","trace":"7"},"values":[["1699999995000000000","level=warn msg=slow"]]}],"next":"1699999995000000000.1"}}"#,
    ),
    (
        "query_range",
        &[("query", "{app=~\".+\"}"), ("start", "1699999990"), ("end", "1699999995"), ("direction", "forward")],
        r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"web","host":"a"},"values":[["1699999991000000000","level=info msg=\"a \u003cb\u003e\""]]}]}}"#,
    ),
    (
        "query_range",
        &[("query", "{app=\"none\"}")],
        r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#,
    ),
    (
        "query_range",
        &[
            ("query", "sum by (app) (count_over_time({host=~\"a|b\"}[5s]))"),
            ("start", "1699999995.5"),
            ("end", "2023-11-14T22:13:20.5Z"),
            ("step", "5s"),
        ],
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"db"},"values":[[1699999995.5,"1"]]},{"metric":{"app":"web"},"values":[[1699999995.5,"3"],[1700000000.5,"1"]]}]}}"#,
    ),
    (
        "query",
        &[("query", "count_over_time({app=\"db\"}[1m])")],
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":"db","host":"b"},"value":[1700000000,"1"]}]}}"#,
    ),
    // How Grafana asks whether the data source is there.
    (
        "query",
        &[("query", "vector(1)+vector(1)"), ("time", "4000000000")],
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4000000000,"2"]}]}}"#,
    ),
    (
        "query",
        &[("query", "1/0"), ("time", "1.5")],
        r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"NaN"]}}"#,
    ),
    ("labels", &[], "{\"status\":\"success\",\"data\":[\"app\",\"host\"]}\n"),
    ("labels", &[("start", "1"), ("end", "2")], "{\"status\":\"success\"}\n"),
    ("label/app/values", &[], "{\"status\":\"success\",\"data\":[\"db\",\"web\"]}\n"),
    ("label/app/values", &[("query", "{host=\"a\"}")], "{\"status\":\"success\",\"data\":[\"web\"]}\n"),
    ("label/trace/values", &[], "{\"status\":\"success\"}\n"),
    (
        "series",
        &[("match[]", "{app=~\".+\"}"), ("match[]", "{host=\"b\"}")],
        "{\"status\":\"success\",\"data\":[{\"app\":\"db\",\"host\":\"b\"},{\"app\":\"web\",\"host\":\"a\"}]}\n",
    ),
    ("series", &[("match[]", "{app=\"none\"}")], "{\"status\":\"success\",\"data\":[]}\n"),
    ("index/stats", &[("query", "{app=~\".+\"}")], "{\"streams\":2,\"chunks\":2,\"bytes\":92,\"entries\":5}\n"),
    (
        "index/volume",
        &[("query", "{app=~\".+\"}"), ("start", "1699999990"), ("end", "1700000000")],
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":"web"},"value":[1700000000,"66"]},{"metric":{"app":"db"},"value":[1700000000,"6"]}]}}"#,
    ),
    (
        "index/volume",
        &[("query", "{app=~\".+\"}"), ("targetLabels", "host,app"), ("limit", "1"), ("aggregateBy", "series")],
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":"web","host":"a"},"value":[1700000000,"66"]}]}}"#,
    ),
    // The begin is in it, the end is not; no stream has the label.
    (
        "index/volume",
        &[("query", "{app=\"web\"}"), ("start", "1699999991"), ("end", "1699999995")],
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":"web"},"value":[1699999995,"22"]}]}}"#,
    ),
    (
        "index/volume",
        &[("query", "{app=~\".+\"}"), ("targetLabels", "service_name")],
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    ),
    (
        "detected_labels",
        &[],
        "{\"detectedLabels\":[{\"label\":\"app\",\"cardinality\":2},{\"label\":\"host\",\"cardinality\":2}]}\n",
    ),
    (
        "detected_labels",
        &[("query", "{app=\"db\"}")],
        "{\"detectedLabels\":[{\"label\":\"app\",\"cardinality\":1},{\"label\":\"host\",\"cardinality\":1}]}\n",
    ),
    (
        "status/buildinfo",
        &[],
        "{\"version\":\"3.0.0+muster.0.1.0\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}\n",
    ),
];

#[tokio::test]
async fn answers_have_lokis_bytes() {
    let fixture = filled();
    for (of, parameters, expect) in SHAPES.iter().copied() {
        let answer = fixture.get(&path(of, parameters)).await;
        assert_eq!((answer.status.as_u16(), shape(&answer).as_str()), (200, expect), "{of} {parameters:?}");
        assert_eq!(answer.headers["content-type"], "application/json; charset=UTF-8");
        if of != "status/buildinfo" {
            let full = path(of, parameters);
            let (route, form) = full.split_once('?').unwrap();
            assert_eq!(shape(&fixture.post_form(route, form).await), expect, "as a form: {of}");
        }
    }
}

#[tokio::test]
async fn labels_are_told_apart_for_those_who_ask() {
    let fixture = filled();
    let asked = path("query_range", &[("query", "{app=\"web\"} | logfmt | level=\"warn\""), ("limit", "1")]);
    let request = fixture.request("GET", &asked).header("X-Loki-Response-Encoding-Flags", "other,categorize-labels");
    let answer = fixture.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(
        shape(&answer),
        r#"{"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],"result":[{"stream":{"app":"web","host":"a"},"values":[["1699999995000000000","level=warn msg=slow",{"structuredMetadata":{"trace":"7"},"parsed":{"level":"warn","msg":"slow"}}]]}],"next":"1699999995000000000.1"}}"#
    );
}

#[tokio::test]
async fn lines_may_be_asked_an_interval_apart() {
    let fixture = filled();
    let asked = path("query_range", &[("query", "{app=\"web\"}"), ("interval", "4s"), ("direction", "FORWARD")]);
    let text = fixture.get(&asked).await.text;
    let times = ["1699999991000000000", "1699999995000000000", "1699999999999999999"];
    let found: Vec<&str> = times.into_iter().filter(|time| text.matches(time).count() == 1).collect();
    assert_eq!(found, times, "{text}");
}

/// The lines of each stream in the order of the answer.
type Streams = BTreeMap<String, Vec<(String, String)>>;

fn add(all: &mut Streams, json: &Value) -> usize {
    let mut count = 0;
    for stream in json["data"]["result"].as_array().unwrap() {
        let lines = all.entry(stream["stream"].to_string()).or_default();
        for pair in stream["values"].as_array().unwrap() {
            lines.push((pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn pages_neither_lose_nor_repeat_lines_of_one_time_stamp() {
    let mut fixture = Fixture::new();
    // 900 lines of five streams at three nanoseconds, in memory and in segments, equal lines among them.
    for round in 0..3_i64 {
        for stream in ["a", "b", "c", "d", "e"] {
            let texts: Vec<String> = (0..60).map(|index| format!("line {}", index / 2 + round * 100)).collect();
            let lines = texts.iter().enumerate();
            let lines: Vec<Line<'_>> =
                lines.map(|(index, text)| (-3 + (index % 3) as i64, text.as_bytes(), &[][..])).collect();
            fixture.log(&[("app", "web"), ("n", stream)], &lines);
        }
        if round == 0 {
            let admin = fixture.state.admin.clone();
            admin.flush(false, super::fixture::now()).unwrap();
        }
    }
    for query in ["{app=\"web\"}", "{app=\"web\"} |= \"7\""] {
        for direction in ["forward", "backward"] {
            let base = [("query", query), ("since", "1h"), ("direction", direction)];
            let mut whole = Streams::new();
            let json = fixture.get(&path("query_range", &[&base[..], &[("limit", "5000")]].concat())).await.json();
            let all = add(&mut whole, &json);
            assert!(json["data"]["next"].is_null() && (all == 900 || all > 50), "{all}");
            for limit in ["1", "7", "60", "299", "300"] {
                if limit == "1" && all == 900 {
                    continue;
                }
                let (mut pages, mut next, mut asked) = (Streams::new(), None::<String>, 0);
                loop {
                    let after = next.as_deref().map(|token| ("after", token));
                    let parameters: Vec<_> = base.into_iter().chain([("limit", limit)]).chain(after).collect();
                    let json = fixture.get(&path("query_range", &parameters)).await.json();
                    let count = add(&mut pages, &json);
                    next = json["data"]["next"].as_str().map(str::to_owned);
                    asked += 1;
                    assert!(asked < 1_000 && next.is_some() == (count.to_string() == limit), "{json}");
                    if next.is_none() {
                        break;
                    }
                }
                assert_eq!(pages, whole, "{query} {direction} {limit}");
            }
        }
    }
}

/// Path, parameters, status, and how the text begins.
const WRONG: &[(&str, Given, u16, &str)] = &[
    ("query", &[], 400, "parse error at line 1, col 1: "),
    ("query", &[("query", "{app=\"web\"")], 400, "parse error at line 1, col 11: "),
    ("query", &[("query", "rate({app=\"web\"} | json [5m]")], 400, "parse error at line 1, col "),
    (
        "query",
        &[("query", "{app=\"web\"}")],
        400,
        "log queries are not supported as an instant query type, please change your query to a range query type",
    ),
    ("query", &[("query", "vector(1)"), ("time", "soon")], 400, "strconv.ParseInt: parsing \"soon\": invalid syntax"),
    ("query_range", &[("query", "{}")], 400, "parse error at line 1, col 1: queries require at least one regexp"),
    ("query_range", &[("query", "{app=~\"((\"}")], 400, "parse error at line 1, col "),
    ("query_range", &[("query", "{app=\"web\"}"), ("limit", "0")], 400, "limit must be a positive value"),
    ("query_range", &[("query", "{app=\"web\"}"), ("limit", "x")], 400, "strconv.Atoi: parsing \"x\": invalid syntax"),
    (
        "query_range",
        &[("query", "{app=\"web\"}"), ("limit", "5001")],
        400,
        "max entries limit per query exceeded, limit > max_entries_limit (5001 > 5000)",
    ),
    ("query_range", &[("query", "{app=\"web\"}"), ("direction", "up")], 400, "invalid direction 'up'"),
    (
        "query_range",
        &[("query", "{app=\"web\"}"), ("after", "5")],
        400,
        "`5` is no place in an answer (parameter `after`): write `data.next` of the page before as it stands there",
    ),
    (
        "query_range",
        &[("query", "{app=\"web\"}"), ("start", "2"), ("end", "1")],
        400,
        "end timestamp must not be before or equal to start time",
    ),
    (
        "query_range",
        &[("query", "{app=\"web\"}"), ("end", "later")],
        400,
        "could not parse 'end' parameter: strconv.ParseInt: parsing \"later\": invalid syntax",
    ),
    (
        "query_range",
        &[("query", "rate({app=\"web\"}[1m])"), ("since", "1d"), ("step", "1")],
        400,
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter",
    ),
    (
        "query_range",
        &[("query", "rate({app=\"web\"}[1m])"), ("step", "soon")],
        400,
        "cannot parse \"soon\" to a valid duration",
    ),
    ("query_range", &[("query", "sum_over_time({app=\"web\"} | logfmt | unwrap msg [1m])")], 400, "pipeline error: "),
    ("series", &[], 400, "0 matcher groups supplied"),
    ("series", &[("match[]", "{app=\"web\"} | json")], 400, "parse error at line 1, col 13: "),
    ("index/stats", &[], 400, "parse error at line 1, col 1: "),
    ("tail", &[("query", "{app=\"web\"}")], 400, "Connection header did not include 'upgrade' (the request's head): "),
    ("tail", &[("query", "{app=\"web\"}"), ("delay_for", "6")], 400, "delay_for can't be greater than 5"),
    ("tail", &[("query", "rate({app=\"web\"}[1m])")], 400, "only log queries can be tailed: "),
    ("index/volume", &[], 400, "parse error at line 1, col 1: "),
    (
        "index/volume",
        &[("query", "{app=\"web\"}"), ("aggregateBy", "labels")],
        400,
        "volumes are not aggregated by `labels` in this version (parameter `aggregateBy`): ",
    ),
    (
        "index/volume_range",
        &[],
        404,
        "volumes are told of a whole time only in this version (/loki/api/v1/index/volume",
    ),
    ("detected_fields", &[], 404, "fields of lines are not detected in this version (/loki/api/v1/detected_fields): "),
    ("detected_field/level/values", &[], 404, "fields of lines are not detected in this version ("),
    ("patterns", &[], 404, "patterns of lines are not detected in this version (/loki/api/v1/patterns): "),
    ("drilldown-limits", &[], 404, "there are no settings for Logs Drilldown in this version ("),
    ("rules", &[], 404, "this version has no path `/loki/api/v1/rules`"),
];

#[tokio::test]
async fn each_wrong_question_has_lokis_status_and_text() {
    let fixture = filled();
    for (of, parameters, status, start) in WRONG.iter().copied() {
        let answer = fixture.get(&path(of, parameters)).await;
        assert_eq!(answer.status.as_u16(), status, "{of} {parameters:?}: {}", answer.text);
        assert!(answer.text.starts_with(start), "{of} {parameters:?}: {}", answer.text);
        assert!(start == "pipeline error: " || !answer.text.ends_with('\n'), "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    let text = fixture.get("/metrics").await.text;
    let refused =
        text.lines().find(|line| line.starts_with("muster_collector_queries_refused_total{reason=\"bad_data\"}"));
    assert!(refused.unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap() >= 8, "{refused:?}");
}

#[tokio::test]
async fn reading_takes_the_scope_read_and_deleting_the_scope_admin() {
    let fixture = filled();
    let send = async |word: &str, method: &str, of: &str| {
        let request = Request::builder().method(method).uri(of).header(header::AUTHORIZATION, format!("Bearer {word}"));
        fixture.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let (read, ingest) = (fixture.word(Scope::Read), fixture.word(Scope::Ingest));
    let asked = path("labels", &[]);
    assert_eq!(send("wrong", "GET", &asked).await.status.as_u16(), 401);
    let refused = send(&ingest, "GET", &asked).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert!(refused.text.contains("make a token with `muster token new --scope read`"), "{}", refused.text);
    assert_eq!(send(&read, "GET", &asked).await.status.as_u16(), 200);
    let delete = path("delete", &[("query", "{app=\"web\"}"), ("start", "1")]);
    assert_eq!(send(&read, "POST", &delete).await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_delete_hides_what_was_committed_and_nothing_else() {
    let mut fixture = filled();
    let web = path("query_range", &[("query", "{app=\"web\"}"), ("since", "1m"), ("direction", "forward")]);
    let count = |answer: &Answer| add(&mut Streams::new(), &answer.json());
    for (parameters, status, start) in [
        (&[("start", "1")][..], 400, "query not set"),
        (&[("query", "{app=\"web\"}")], 400, "start time not set"),
        (&[("query", "{app=\"web\"}"), ("start", "soon")], 400, "invalid start time: "),
        (&[("query", "{app=\"web\"}"), ("start", "1"), ("end", "1800000000")], 400, "deletes in the future are not"),
        (&[("query", "{app=\"web\"}"), ("start", "2"), ("end", "1")], 400, "start time can't be greater than end"),
        (&[("query", "{app=\"web\"} |= \"x\""), ("start", "1")], 400, "parse error at line 1, col 13: "),
        (&[("query", "{app=\"web\"}"), ("start", "1699999995"), ("end", &NOW_NS.to_string())], 204, ""),
    ] {
        let full = path("delete", parameters);
        let (route, form) = full.split_once('?').unwrap();
        let answer = fixture.post_form(route, form).await;
        assert_eq!(answer.status.as_u16(), status, "{parameters:?}: {}", answer.text);
        assert!(answer.text.starts_with(start), "{}", answer.text);
    }
    let left = fixture.get(&web).await;
    assert_eq!((count(&left), left.text.contains("level=info")), (1, true), "{}", left.text);
    fixture.log(&[("app", "web"), ("host", "a")], &[(-5_000_000_000, b"late", &[])]);
    assert_eq!(count(&fixture.get(&web).await), 2);
    let db = path("query_range", &[("query", "{app=\"db\"}"), ("since", "1m")]);
    assert_eq!(count(&fixture.get(&db).await), 1);
}
