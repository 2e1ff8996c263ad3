//! What the tests of pushes share: a writer of protobuf bodies; and the intake on bodies of either form.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use muster_common::time::Timestamp;
use muster_store::Record;

use super::intake::{Admitted, Intake, REQUEST_ENTRIES_MAX, REQUEST_STREAMS_MAX};
use super::{json, protobuf};
use crate::admit::TimeBounds;
use crate::counters::{Count, Counters};
use crate::http::speaker::Speaker;

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Time, line, structured metadata.
pub(crate) type TestEntry<'a> = (i64, &'a [u8], &'a [(&'a str, &'a str)]);

/// A `logproto.PushRequest` with one more stream.
pub(crate) fn put_stream(out: &mut Vec<u8>, labels: &str, entries: &[TestEntry<'_>]) {
    let mut stream = Vec::new();
    put_bytes(&mut stream, 1, labels.as_bytes());
    for (at_ns, line, fields) in entries {
        let mut time = vec![0x08];
        put_varint(&mut time, at_ns.div_euclid(1_000_000_000).cast_unsigned());
        time.push(0x10);
        put_varint(&mut time, at_ns.rem_euclid(1_000_000_000).cast_unsigned());
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, &time);
        put_bytes(&mut entry, 2, line);
        for (name, value) in *fields {
            let mut pair = Vec::new();
            put_bytes(&mut pair, 1, name.as_bytes());
            put_bytes(&mut pair, 2, value.as_bytes());
            put_bytes(&mut entry, 3, &pair);
        }
        put_bytes(&mut stream, 2, &entry);
    }
    put_bytes(out, 1, &stream);
}

const NOW: i64 = 1_700_000_000_000;
const NOW_NS: i64 = NOW * 1_000_000;

fn admit(body: &[u8], is_json: bool, speaker: &Speaker, counters: &Counters) -> Result<Admitted, String> {
    let bounds = TimeBounds::at(Timestamp::from_millis(NOW), Duration::from_secs(3600));
    let mut intake = Intake::new(speaker, bounds, counters);
    let read = if is_json {
        json::read(body, &mut intake).map_err(|error| error.to_string())
    } else {
        protobuf::read(body, &mut intake).map_err(|error| error.to_string())
    };
    read.map_err(|error| format!("{}{error}", intake.place()))?;
    Ok(intake.finish())
}

fn admit_json(body: &str) -> Result<Admitted, String> {
    admit(body.as_bytes(), true, &Speaker::default(), &Counters::default())
}

/// `labels@offset line fields` of each entry.
fn told(admitted: &Admitted) -> Vec<String> {
    let mut told = Vec::new();
    for record in &admitted.records {
        let Record::Logs(block) = record else { panic!("lines only") };
        for entry in &block.entries {
            let line = String::from_utf8_lossy(&entry.line);
            told.push(format!("{}@{} {line} {}", block.labels, entry.at_ns - NOW_NS, entry.fields));
        }
    }
    told
}

#[test]
fn both_forms_say_the_same() {
    let text = format!(
        r#"{{"other": [1, {{}}], "streams": [
            {{"values": [["{NOW_NS}", "a \"b\"\n"], ["{NOW_NS}", "a \"b\"\n", {{"trace": "1"}}], ["{}", ""]], "stream": {{"app": "x", "env": ""}}}},
            {{"stream": {{"app": "y"}}, "values": null}},
            {{"stream": {{"app": "y"}}, "values": [["{NOW_NS}", "z", {{}}]], "more": 5}}
        ]}}"#,
        NOW_NS - 5
    );
    let expect = [
        "{app=\"x\"}@0 a \"b\"\n {}",
        "{app=\"x\"}@0 a \"b\"\n {trace=\"1\"}",
        "{app=\"x\"}@-5  {}",
        "{app=\"y\"}@0 z {}",
    ];
    let admitted = admit_json(&text).unwrap();
    assert_eq!(
        (told(&admitted).as_slice(), admitted.lines, admitted.refused),
        (expect.map(String::from).as_slice(), 4, 0)
    );
    let mut body = Vec::new();
    let line = b"a \"b\"\n".as_slice();
    put_stream(
        &mut body,
        r#"{app="x", env=""}"#,
        &[(NOW_NS, line, &[]), (NOW_NS, line, &[("trace", "1")]), (NOW_NS - 5, b"", &[])],
    );
    put_stream(&mut body, r#"{app="y"}"#, &[(NOW_NS, b"z", &[])]);
    let admitted = admit(&body, false, &Speaker::default(), &Counters::default()).unwrap();
    assert_eq!(told(&admitted), expect);
}

#[test]
fn lines_may_be_any_bytes() {
    let mut body = format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[["{NOW_NS}","x"#).into_bytes();
    body.extend(b"\xff\0\x01\"]]}]}");
    let admitted = admit(&body, true, &Speaker::default(), &Counters::default()).unwrap();
    let Record::Logs(block) = &admitted.records[0] else { panic!("lines only") };
    assert_eq!(block.entries[0].line, b"x\xff\0\x01");
    let mut body = Vec::new();
    put_stream(&mut body, r#"{a="b"}"#, &[(NOW_NS, b"\xff\0", &[])]);
    assert_eq!(admit(&body, false, &Speaker::default(), &Counters::default()).unwrap().lines, 1);
}

#[test]
fn broken_entries_are_refused_alone_and_broken_streams_whole() {
    let counters = Counters::default();
    let long = "x".repeat((256 << 10) + 1);
    let many: String = (0..1_000_000).map(|number| format!(r#""l{number}":"v","#)).collect();
    let text = format!(
        r#"{{"streams":[
        {{"stream":{{"a":"b"}},"values":[["{NOW_NS}","1"],["{NOW_NS}","{long}"],["{}","late"],["{}","early"],["99999999999999999999999","never"],["{NOW_NS}","2",{{"":"x"}}],["{NOW_NS}","3"]]}},
        {{"stream":{{"source":"muster"}},"values":[["{NOW_NS}","4"],["{}","early"]]}},
        {{"stream":{{}},"values":[["{NOW_NS}","5"]]}},
        {{"stream":{{"a-b":"c"}},"values":[["{NOW_NS}","6"]]}},
        {{"stream":{{{many}"z":"z"}},"values":[["{NOW_NS}","7"]]}},
        {{"stream":{{"a":"c"}},"values":[["{NOW_NS}","8"]]}}
        ]}}"#,
        NOW_NS - 3_600_001_000_000,
        NOW_NS + 600_001_000_000,
        NOW_NS + 600_001_000_000,
    );
    let admitted = admit(text.as_bytes(), true, &Speaker::default(), &counters).unwrap();
    assert_eq!(told(&admitted), [r#"{a="b"}@0 1 {}"#, r#"{a="b"}@0 3 {}"#, r#"{a="c"}@0 8 {}"#]);
    assert_eq!((admitted.lines, admitted.refused), (3, 10));
    assert_eq!(
        admitted.first_refusal.unwrap(),
        r#"stream 1 {a="b"}, entry 2: the line has 262145 bytes, but at most 262144 are allowed: split it"#
    );
    let counts =
        [Count::LinesTooLong, Count::LinesTooOld, Count::LinesFuture, Count::LinesLabels, Count::LinesReserved];
    assert_eq!(counts.map(|count| counters.value(count)), [1, 1, 3, 4, 1]);
}

#[test]
fn each_fault_of_a_stream_is_told() {
    let cases = [
        (
            r#"{a="b""#,
            "stream 1: its labels are no selector: at byte 6 of them a `,` or `}` is expected: write {name=\"value\", ...}",
        ),
        ("{}", "stream 1: it has no label: give it at least one"),
        (r#"{a=""}"#, "stream 1: it has no label: give it at least one"),
        (r#"{9a="b"}"#, "stream 1: label name `9a` is not of the form [a-zA-Z_][a-zA-Z0-9_]*: rename it"),
        (r#"{a="b",a="c"}"#, "stream 1: label `a` stands twice: send each name once"),
        (
            r#"{host="muster"}"#,
            "stream 1: label `source=\"muster\"` and host `muster` are reserved for the collector's own series: rename yours",
        ),
    ];
    for (labels, expect) in cases {
        let mut body = Vec::new();
        put_stream(&mut body, labels, &[(NOW_NS, b"x", &[])]);
        let admitted = admit(&body, false, &Speaker::default(), &Counters::default()).unwrap();
        assert_eq!(admitted.first_refusal.as_deref(), Some(expect), "{labels}");
    }
}

#[test]
fn labels_of_enrolled_hosts_are_renamed() {
    let speaker = Speaker { enrolled: std::sync::Arc::new(["web1".to_owned()].into()), speaks_for_hosts: false };
    let body = format!(r#"{{"streams":[{{"stream":{{"host":"web1"}},"values":[["{NOW_NS}","x"]]}}]}}"#);
    let admitted = |speaker: &Speaker| admit(body.as_bytes(), true, speaker, &Counters::default()).unwrap();
    assert_eq!(told(&admitted(&speaker)), [r#"{exported_host="web1"}@0 x {}"#]);
    let trusted = Speaker { speaks_for_hosts: true, ..speaker };
    assert_eq!(told(&admitted(&trusted)), [r#"{host="web1"}@0 x {}"#]);
}

#[test]
fn what_cannot_be_read_is_told_with_stream_entry_and_byte() {
    let of = |body: &str| admit_json(body).unwrap_err();
    assert_eq!(of("[]"), "byte 2: invalid type: sequence, expected an object with `streams`");
    assert_eq!(of(""), "byte 0: EOF while parsing a value");
    assert!(of("{} x").starts_with("byte 4: trailing characters"));
    let bad_time = "{\"streams\":[\n{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"],[\"now\",\"x\"]]}]}";
    let at = bad_time.find("\"now\"").unwrap();
    let text = of(bad_time);
    let place: usize = text.split("byte ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(text.starts_with("stream 1, entry 2, byte ") && (at..at + 8).contains(&place), "{text}");
    assert!(text.ends_with("`now` is no time: write nanoseconds since 1970 as a text"), "{text}");
    for entry in ["[]", r#"["1"]"#, r#"["1","x",{},1]"#, r#"[1,"x"]"#, r#"["1",[1]]"#, r#"["1","x",{"a":1}]"#, "5"] {
        let text = of(&format!(r#"{{"streams":[{{"values":[{entry}]}}]}}"#));
        assert!(text.starts_with("stream 1, "), "{entry}: {text}");
    }
    assert!(of(&"[".repeat(1_000_000)).starts_with("byte "));
    let deep = format!(r#"{{"a":{}"#, "[".repeat(1_000_000));
    assert!(of(&deep).starts_with("byte "), "depth costs nothing");
}

#[test]
fn requests_beyond_all_senders_are_refused() {
    let entries =
        |count: usize| format!(r#"{{"streams":[{{"values":[{}["1","x"]]}}]}}"#, r#"["1","x"],"#.repeat(count - 1));
    assert!(admit_json(&entries(REQUEST_ENTRIES_MAX)).is_ok());
    assert!(admit_json(&entries(REQUEST_ENTRIES_MAX + 1)).unwrap_err().contains("more than 200000 entries"));
    let streams = |count: usize| format!(r#"{{"streams":[{}{{}}]}}"#, "{},".repeat(count - 1));
    assert!(admit_json(&streams(REQUEST_STREAMS_MAX)).is_ok());
    assert!(admit_json(&streams(REQUEST_STREAMS_MAX + 1)).unwrap_err().contains("more than 10000 streams"));
}

#[test]
fn no_cut_and_no_flip_of_a_body_panics() {
    let text = format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[["{NOW_NS}","x\n\u00e9",{{"c":"d"}}]]}}]}}"#);
    let mut body = Vec::new();
    put_stream(&mut body, r#"{a="b\n", c=`d`}"#, &[(NOW_NS, b"x", &[("c", "d")]), (-1, b"y", &[])]);
    for (good, is_json) in [(text.into_bytes(), true), (body, false)] {
        for cut in 0..good.len() {
            let _ = admit(&good[..cut], is_json, &Speaker::default(), &Counters::default());
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[cut] ^= 1 << bit;
                let _ = admit(&bad, is_json, &Speaker::default(), &Counters::default());
            }
        }
    }
}
