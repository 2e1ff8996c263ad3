use std::sync::Arc;

use muster_common::label::LabelSet;

use super::{Asked, OUTPUT_BYTES_MAX, Scope, Template};

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().copied()).unwrap()
}

/// Answers `metric` with two series, `none` with none, and fails on all else.
fn ask(expression: &str) -> Asked {
    let row = |pairs: &[(&str, &str)], value| (Arc::new(labels(pairs)), value);
    match expression {
        "metric" => Ok(vec![
            row(&[("__name__", "metric"), ("instance", "b")], 21.0),
            row(&[("__name__", "metric"), ("instance", "a")], 11.0),
        ]),
        "texts" => Ok(vec![row(&[("__value__", "a")], 1.0)]),
        "none" => Ok(Vec::new()),
        "many" => Ok((0..20_000).map(|_| row(&[], 1.0)).collect()),
        _ => Err("1:1: parse error".into()),
    }
}

fn expand(text: &str, value: f64) -> Result<String, String> {
    let (own, external) = (labels(&[("instance", "db1.example:9100"), ("job", "node")]), labels(&[("site", "north")]));
    let scope = Scope {
        labels: &own,
        external_labels: &external,
        external_url: "https://muster.example/path/",
        value,
        now_ms: 1_435_065_584_128,
        ask: &ask,
    };
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    template.expand(&scope)
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(expand(text, 1.5).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn what_is_documented_for_annotations() {
    check(&[
        ("plain {text} with }} and {", "plain {text} with }} and {"),
        ("Instance {{ $labels.instance }} down", "Instance db1.example:9100 down"),
        (
            "{{ $labels.instance }} has {{ $value }}, {{ .Value }} of {{ .Labels.job }}",
            "db1.example:9100 has 1.5, 1.5 of node",
        ),
        (
            "{{ $externalLabels.site }} {{ .ExternalLabels.site }} {{ $externalURL }}",
            "north north https://muster.example/path/",
        ),
        ("{{ $labels.absent }}|", "|"),
        ("{{ range query \"metric\" }}{{ .Labels.instance }}: {{ .Value }};{{ end }}", "b: 21;a: 11;"),
        (
            "{{ range query \"metric\" | sortByLabel \"instance\" }}{{ .Labels.instance }}:{{ .Value }}: {{ end }}",
            "a:11: b:21: ",
        ),
        ("{{ with query \"metric\" }}{{ . | first | value | humanize }}{{ end }}", "21"),
        ("{{ query \"metric\" | first | value }} {{ query \"metric\" | first | label \"instance\" }}", "21 b"),
        ("{{ query \"texts\" | first | strvalue }}", "a"),
        ("{{ with query \"none\" }}some{{ else }}none{{ end }}", "none"),
        ("{{ (query \"metric\" | first).Labels.instance }}", "b"),
        ("{{ if gt $value 1.0 }}high{{ else if gt $value 0.5 }}mid{{ else }}low{{ end }}", "high"),
        ("{{ range $i, $s := query \"metric\" }}{{ $i }}={{ $s.Value }} {{ end }}", "0=21 1=11 "),
        (
            "{{ range $name, $value := $labels }}{{ $name }}={{ $value }},{{ end }}",
            "instance=db1.example:9100,job=node,",
        ),
        ("{{ define \"row\" }}<{{ .arg0 }} {{ .arg1 }}>{{ end }}{{ template \"row\" (args 1 \"x\") }}", "<1 x>"),
        (
            "{{ define \"x\" }}[{{ .Value }}{{ $.Labels.job }}]{{ end }}{{ template \"x\" . }}{{ tmpl \"x\" . }}",
            "[1.5node][1.5node]",
        ),
        (
            "{{ graphLink \"up == 0\" }}|{{ tableLink \"up\" }}",
            "/graph?g0.expr=up+%3D%3D+0&g0.tab=0|/graph?g0.expr=up&g0.tab=1",
        ),
        ("{{ pathPrefix }} {{ externalURL }}", "/path https://muster.example/path/"),
        ("{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}", "db1.example db1:9100"),
        (
            "{{ stripPort \"[::1]:80\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"db1\" }}",
            "::1 10.0.0.1:80 db1",
        ),
        ("{{ title \"aa bb CC\" }} {{ toUpper \"ab\" }} {{ \"AB\" | toLower }}", "Aa Bb CC AB ab"),
        ("{{ match \"a+\" \"baa\" }} {{ reReplaceAll \"(a)b\" \"x$1\" \"ab ab\" }}", "true xa xa"),
        ("{{ parseDuration \"1h2m10ms\" }} {{ now | humanizeTimestamp }}", "3720.01 2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ toTime 1435065584.128 }} {{ toDuration 5400 }}", "2015-06-23 13:19:44.128 +0000 UTC 1h30m0s"),
        (
            "{{ safeHtml \"<b>\" }}{{ html \"<b>\" }}{{ urlquery \"a b\" }}{{ urlQueryEscape \"a/b\" }}",
            "<b>&lt;b&gt;a+ba%2Fb",
        ),
        ("{{ js \"it's\" }}", "it\\'s"),
    ]);
}

#[test]
fn numbers_for_people() {
    check(&[
        ("{{ range $i, $v := args 0.0 1.0 1234567.0 0.12 1e24 }}{{ humanize $v }} {{ end }}", "0 1 1.235M 120m 1Y "),
        ("{{ humanize 999 }} {{ humanize 1000 }} {{ humanize -1500 }}", "999 1k -1.5k"),
        ("{{ humanize1024 0.0 }} {{ humanize1024 1048576 }} {{ humanize1024 1500 }}", "0 1Mi 1.465ki"),
        ("{{ humanizeDuration 0 }} {{ humanizeDuration 60 }} {{ humanizeDuration 3600 }}", "0s 1m 0s 1h 0m 0s"),
        (
            "{{ humanizeDuration 86400 }} {{ humanizeDuration 899.99 }} {{ humanizeDuration -1 }}",
            "1d 0h 0m 0s 14m 59s -1s",
        ),
        (
            "{{ humanizeDuration 0.1 }} {{ humanizeDuration 0.0001 }} {{ humanizeDuration 12.3456 }}",
            "100ms 100us 12.35s",
        ),
        ("{{ humanizePercentage -0.22222 }} {{ humanizePercentage \"1.234\" }}", "-22.22% 123.4%"),
        (
            "{{ humanizeTimestamp 0 }} {{ humanizeTimestamp 1435065584 }}",
            "1970-01-01 00:00:00 +0000 UTC 2015-06-23 13:19:44 +0000 UTC",
        ),
        (
            "{{ printf \"%.2f|%d|%s|%5d|%-4s|%05.1f|%q|%x|%t|%%|%v\" $value 7 \"a\" 42 \"b\" 2.5 \"q\" 255 true 1e6 }}",
            "1.50|7|a|   42|b   |002.5|\"q\"|ff|true|%|1e+06",
        ),
        (
            "{{ printf \"%d\" $value }} {{ printf \"%s\" }} {{ printf \"x\" 1 }}",
            "%!d(float64=1.5) %!s(MISSING) x%!(EXTRA int=1)",
        ),
        ("{{ print 1 2 \"a\" 3 }}|{{ println 1 \"a\" }}", "1 2a3|1 a\n"),
        ("{{ 1e6 }} {{ 0x10 }} {{ 'a' }} {{ true }} {{ \"\\u00e4\\n\" }}{{ `a\\n` }}", "1e+06 16 97 true \u{e4}\na\\n"),
    ]);
}

#[test]
fn blocks_variables_and_blanks() {
    check(&[
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
        ("a {{- /* no */ -}} b {{- 1 -}} c", "ab1c"),
        ("a {{ 1 -}}  \n b", "a 1b"),
        ("{{ range $i := args 1 2 3 }}{{ if eq $i 2 }}{{ continue }}{{ end }}{{ $i }}{{ end }}", "13"),
        ("{{ range 5 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}", "012"),
        ("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"),
        ("{{ with $labels.absent }}a{{ else with $labels.job }}{{ . }}{{ end }}", "node"),
        (
            "{{ and true \"\" }}|{{ or \"\" \"b\" }}|{{ not 0 }}|{{ eq \"a\" \"b\" \"a\" }}|{{ ne 1 2 }}",
            "|b|true|true|true",
        ),
        ("{{ lt 1 2 }} {{ le 2.0 2.0 }} {{ gt \"b\" \"a\" }} {{ ge 1 2 }}", "true true true false"),
        ("{{ and false (query \"bad\") }}", "false"),
        (
            "{{ len $labels }} {{ len \"abc\" }} {{ index $labels \"job\" }} {{ index (query \"metric\") 1 | value }}",
            "2 3 node 11",
        ),
        ("{{ slice \"abcdef\" 1 3 }}", "bc"),
        ("{{ block \"b\" . }}{{ .Labels.job }}{{ end }}", "node"),
        ("{{ $labels }}", "map[instance:db1.example:9100 job:node]"),
        ("{{ $.Labels.job }}{{ with 1 }}{{ $.Labels.job }}{{ end }}", "nodenode"),
    ]);
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    for (text, expected) in [
        ("a {{ ", "1:3: unclosed action: a closing }} is missing"),
        ("x\n {{ $lables.a }}", "2:5: undefined variable \"$lables\""),
        ("{{ $Labels.a }}", "1:4: undefined variable \"$Labels\": write $labels"),
        (
            "{{ define \"x\" }}{{ $value }}{{ end }}",
            "1:20: undefined variable \"$value\": write .Value, and give it `.`",
        ),
        ("{{ humanise 1 }}", "1:4: function \"humanise\" not defined: did you mean humanize?"),
        ("{{ if true }}x", "1:15: unexpected end: {{end}} is missing"),
        ("{{ end }}", "1:1: unexpected {{end}}"),
        ("{{ template \"x\" }}", "1:1: template \"x\" not defined"),
        ("{{ humanize }}", "1:4: wrong number of args for humanize: want 1 got 0"),
        ("{{ 1 | humanize 2 }}", "1:8: wrong number of args for humanize: want 1 got 2"),
        ("{{ print printf }}", "1:4: wrong number of args for printf: want 1 got 0"),
        ("{{ .Labels.a 1 }}", "1:4: can't give argument to non-function: put a function before it"),
        ("{{ \"a }}", "1:4: unterminated quoted string"),
        ("{{ }}", "1:1: missing value for command"),
        ("{{ break }}", "1:1: {{break}} outside {{range}}"),
        ("{{ (1 }}", "1:4: unclosed left paren"),
        ("{{ 1 % 2 }}", "1:6: unexpected '%' in action"),
    ] {
        let error = Template::parse(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, expected, "{text}");
    }
    let deep = "{{ if true }}".repeat(100);
    assert!(Template::parse(&deep).unwrap_err().to_string().contains("nest deeper"));
    let brackets = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(Template::parse(&brackets).is_err());
}

#[test]
fn what_goes_wrong_is_told_in_the_text() {
    for (text, expected) in [
        ("{{ query \"bad(\" }}", "1:4: error calling query: 1:1: parse error"),
        ("{{ query \"none\" | first }}", "first() called on vector with no elements"),
        ("{{ $value.x }}", "can't evaluate field x in type float64"),
        ("{{ if gt $value 1 }}{{ end }}", "1:7: error calling gt: incompatible types for comparison: write 1.0"),
        ("{{ range 1.5 }}{{ end }}", "range can't iterate over 1.5"),
        ("{{ match \"(\" \"a\" }}", "error calling match"),
        ("{{ humanize \"x\" }}", "\"x\" is no number"),
        ("{{ query \"many\" }}", "at most 10000 are read"),
        ("{{ toTime 1e300 }}", "overflows int64"),
    ] {
        let error = expand(text, 1.5).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let own = LabelSet::default();
    let scope = Scope { labels: &own, external_labels: &own, external_url: "", value: 1.0, now_ms: 0, ask: &ask };
    let (text, failed) = Template::parse("{{ $value.x }}").unwrap().expand_or_tell(&scope);
    assert!(failed && text.starts_with("<error expanding template: 1:4: can't evaluate"), "{text}");
}

#[test]
fn nothing_takes_long_or_grows() {
    let endless = expand("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}", 1.0).unwrap_err();
    assert!(endless.contains("call each other deeper"), "{endless}");
    let nested = format!(
        "{{{{ define \"a\" }}}}{}{{{{ template \"a\" . }}}}{}{{{{ end }}}}{{{{ template \"a\" . }}}}",
        "{{ if true }}".repeat(50),
        "{{ end }}".repeat(50)
    );
    assert!(expand(&nested, 1.0).unwrap_err().contains("deeper"));
    let slow = expand("{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}", 1.0).unwrap_err();
    assert!(slow.contains("steps"), "{slow}");
    let wide = expand("{{ range 1000 }}{{ printf \"%999s\" \"x\" }}{{ end }}", 1.0).unwrap_err();
    assert!(wide.contains(&OUTPUT_BYTES_MAX.to_string()), "{wide}");
    let growing = "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}";
    let length: usize = expand(growing, 1.0).unwrap().parse().unwrap();
    assert!(length <= 4 * OUTPUT_BYTES_MAX, "{length}");
    assert!(
        expand(
            "{{ reReplaceAll \"\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" (printf \"%999d%999d%999d\" 1 2 3) }}",
            1.0
        )
        .is_err()
    );
}

#[test]
fn hostile_values_stay_texts_and_cost_little() {
    let evil = format!("\r\nBcc: x\r\n{{{{ query \"bad\" }}}}<script>{}", "x".repeat(8_000));
    let own = labels(&[("evil", &evil)]);
    let none = LabelSet::default();
    let scope = Scope { labels: &own, external_labels: &none, external_url: "", value: 1.0, now_ms: 0, ask: &ask };
    let filled = |text: &str| Template::parse(text).unwrap().expand(&scope);
    assert_eq!(filled("{{ $labels.evil }}"), Ok(evil.clone()));
    assert!(filled("{{ html $labels.evil }}").unwrap().contains("&lt;script&gt;"));
    assert!(filled("{{ query $labels.evil }}").is_err());
    assert!(filled("{{ range 20 }}{{ $labels.evil }}{{ end }}").unwrap_err().contains("longer than"));
    let nested = filled("{{ $x := args 1 }}{{ range 50000 }}{{ $x = args $x }}{{ end }}{{ $x }}").unwrap_err();
    assert!(nested.contains("deeper than 16"), "{nested}");
    let blown =
        "{{ $r := \"$0\" }}{{ range 12 }}{{ $r = print $r $r }}{{ end }}{{ reReplaceAll \".+\" $r $labels.evil }}";
    assert!(filled(blown).unwrap_err().contains("too long"));
    assert!(
        filled("{{ range 100000 }}{{ if match \"a{1,50}\" \"b\" }}{{ end }}{{ end }}").unwrap_err().contains("steps")
    );
    assert!(filled("{{ range 100 }}{{ if query \"none\" }}{{ end }}{{ end }}").unwrap_err().contains("steps"));
}

/// Seeded damage to good templates: whatever comes out, it ends.
#[test]
fn damaged_templates_are_read_or_refused() {
    const PARTS: [&str; 24] = [
        "{{ ",
        " }}",
        "{{- ",
        " -}}",
        "/* ",
        " */",
        "$",
        "$labels",
        ".a",
        " | ",
        "(",
        ")",
        "\"",
        "`",
        "if ",
        "else ",
        "end ",
        "range ",
        "with ",
        "printf \"%*.*f\" 3 ",
        "1e9 ",
        "\u{e4}",
        "define \"x\" ",
        "-0x1f ",
    ];
    let own = labels(&[("a", "b")]);
    let scope = Scope { labels: &own, external_labels: &own, external_url: "", value: 2.5, now_ms: 5, ask: &ask };
    let (mut random, mut read) = (7u64, 0);
    for _ in 0..60_000 {
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below
        };
        let text: String = (0..1 + next(12)).map(|_| PARTS[next(PARTS.len())]).collect();
        if let Ok(template) = Template::parse(&text) {
            read += 1;
            let (made, _) = template.expand_or_tell(&scope);
            assert!(made.len() <= OUTPUT_BYTES_MAX + 1_000);
        }
    }
    assert!(read > 1_000, "{read}");
}

#[test]
fn what_depends_on_labels_only_is_known() {
    for (text, of_labels, steady) in [
        ("{{ $labels.a }}", true, true),
        ("plain", true, true),
        ("{{ $value }}", false, true),
        ("{{ .Value }}", false, true),
        ("{{ . }}", false, true),
        ("{{ now }}", false, false),
        ("{{ query \"x\" }}", false, false),
    ] {
        let template = Template::parse(text).unwrap();
        assert_eq!((template.is_of_labels(), template.is_steady()), (of_labels, steady), "{text}");
    }
}
