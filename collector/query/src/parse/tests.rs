use super::*;

/// Text in, canonical form or error out.
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let got = match parse(text) {
            Ok(expr) => expr.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, *expected, "{text}");
        if let Ok(expr) = parse(text) {
            let again = parse(&expr.to_string()).map(|again| again.to_string());
            assert_eq!(again.as_deref(), Ok(&*expr.to_string()), "{text} printed and read again");
        }
    }
}

#[test]
fn expressions_print_in_canonical_form() {
    check(&[
        ("1", "1"),
        ("0x10", "16"),
        ("1e3", "1000"),
        ("+iNf", "Inf"),
        ("-inf", "-Inf"),
        ("NAN", "NaN"),
        ("1h", "3600"),
        (".5", "0.5"),
        ("- 5", "-5"),
        ("'a\"b'", r#""a\"b""#),
        ("`a\\b`", r#""a\\b""#),
        ("up", "up"),
        ("a:b:c", "a:b:c"),
        ("up{}", "up"),
        ("up{b='2',a=\"1\",}", r#"up{a="1",b="2"}"#),
        ("{\"a b\",'x.y'!~\"z\"}", r#"{"a b","x.y"!~"z"}"#),
        ("{__name__=\"up\"}", r#"{"up"}"#),
        ("up{a=~\"b|c\"}[5m]", r#"up{a=~"b|c"}[5m]"#),
        ("up[300]", "up[5m]"),
        ("up[1y2w3d]", "up[382d]"),
        ("up[7d]", "up[1w]"),
        ("up offset 1h30m", "up offset 1h30m"),
        ("up OFFSET -5m", "up offset -5m"),
        ("up offset +5m", "up offset 5m"),
        ("up offset 90", "up offset 1m30s"),
        ("up @ 10.5 offset 1m", "up @ 10.500 offset 1m"),
        ("up offset 1m @ -1", "up @ -1.000 offset 1m"),
        ("up[5m] @ start()", "up[5m] @ start()"),
        ("up[5m:1m] @ END () offset 1s", "up[5m:1m] @ end() offset 1s"),
        ("up[5m:]", "up[5m:]"),
        ("sum(up)by(b,a,b)", "sum by (a, b) (up)"),
        ("sum by() (up)", "sum(up)"),
        ("SUM WITHOUT () (up)", "sum without () (up)"),
        ("count by (\"x.y\", sum, on, and) (up)", "count by (and, on, sum, \"x.y\") (up)"),
        ("topk(5, up)", "topk(5, up)"),
        ("count_values by (a) (\"v\", up)", "count_values by (a) (\"v\", up)"),
        ("rate(up[5m])", "rate(up[5m])"),
        ("rate(sum(up)[5m:1m])", "rate(sum(up)[5m:1m])"),
        ("time ( )", "time()"),
        ("1+2*3^4", "1 + 2 * 3 ^ 4"),
        ("(1+2)*3", "(1 + 2) * 3"),
        ("a and b or c unless d", "a and b or c unless d"),
        ("a==bool b", "a == bool b"),
        ("a * on ( x , y ) group_left ( z ) b", "a * on (x, y) group_left (z) b"),
        ("a * ignoring() group_right b", "a * ignoring () group_right () b"),
        ("a + ignoring() b", "a + b"),
        ("a and on() b", "a and on () b"),
        ("a atan2 b % c", "a atan2 b % c"),
        ("-a^2", "-a ^ 2"),
        ("--a", "--a"),
        ("-(-1)", "-(-1)"),
        ("a#comment\n+ b # more", "a + b"),
        ("\tup\r\n", "up"),
        ("label_replace(up, 'a', '$1', 'b', '(.*)')", r#"label_replace(up, "a", "$1", "b", "(.*)")"#),
        ("sum(sum)", "sum(sum)"),
        ("smoothed", "smoothed"),
        ("fill + limitk", "fill + limitk"),
        ("end", "end"),
    ]);
}

#[test]
fn errors_name_place_and_remedy() {
    check(&[
        ("", "1:1: parse error: no expression found in input: write one, such as up"),
        ("# only a comment", "1:1: parse error: no expression found in input: write one, such as up"),
        ("1 +", "1:4: parse error: unexpected end of input, expected a metric, a function, a number or \"(\""),
        (
            "foo bar",
            "1:5: parse error: unexpected identifier \"bar\", expected an operator or the end of the expression",
        ),
        ("a\n+\n+ *", "3:3: parse error: unexpected <op:*>, expected a metric, a function, a number or \"(\""),
        ("sum(up", "1:7: parse error: unclosed left parenthesis: close the one opened at 1:4"),
        ("up{a=\"b\"", "1:9: parse error: unexpected end of input inside braces: close the brace opened at 1:3"),
        ("up[5m", "1:6: parse error: unclosed left bracket: close the one opened at 1:3"),
        ("up)", "1:3: parse error: unexpected right parenthesis ')': none is open"),
        ("up]", "1:3: parse error: unexpected right bracket ']': none is open"),
        ("up}", "1:3: parse error: unexpected right brace '}': none is open"),
        ("up{a}", "1:5: parse error: unexpected \"}\" in label matching, expected label matching operator"),
        ("up{a=b}", "1:6: parse error: unexpected identifier \"b\" in label matching, expected string"),
        (
            "up{a=\"1\" b=\"2\"}",
            "1:10: parse error: unexpected identifier \"b\" in label matching, expected \",\" or \"}\"",
        ),
        ("up{,}", "1:4: parse error: unexpected \",\" in label matching, expected identifier or \"}\""),
        ("up{a==\"b\"}", "1:6: parse error: unexpected \"=\" in label matching, expected string"),
        (
            "up{:a}",
            "1:4: parse error: unexpected character inside braces: ':': put names with other characters in quotes",
        ),
        ("up{(}", "1:4: parse error: unexpected character inside braces: '(': put texts in quotes"),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher: name the metric"),
        (
            "{a=~\".*\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher: name the metric",
        ),
        ("up{__name__=\"x\"}", "1:1: parse error: metric name must not be set twice: \"up\" or \"x\""),
        ("up{'x'}", "1:1: parse error: metric name must not be set twice: \"up\" or \"x\""),
        ("$up", "1:1: parse error: unexpected character: '$': put names with other characters in quotes"),
        ("'a", "1:1: parse error: unterminated quoted string: close it with '"),
        ("`a", "1:1: parse error: unterminated raw string: close it with `"),
        ("\"a\\q\"", "1:1: parse error: unknown escape sequence \\q: write \\\\ for a backslash, or quote with `"),
        ("1 * 5x", "1:5: parse error: bad number or duration syntax: \"5x\": write 1.5, 1e3, 0x1f, 5m or 1h30m"),
    ]);
}

#[test]
fn wrong_windows_and_shifts_are_named() {
    check(&[
        (
            "up[5m5m]",
            "1:4: parse error: not a valid duration string: \"5m5m\": write each unit once, in the order \
             y w d h m s ms, such as 1h30m",
        ),
        ("up[0s]", "1:4: parse error: duration must be greater than 0: such as 5m"),
        ("up[300y]", "1:4: parse error: duration out of range"),
        (
            "up[up]",
            "1:4: parse error: arithmetic in durations is not supported: write the duration as a number and a unit, such as 5m",
        ),
        (
            "up[5m+1m]",
            "1:6: parse error: arithmetic in durations is not supported: write the duration as a number and a unit, such as 5m",
        ),
        ("up[]", "1:4: parse error: unexpected \"]\" in subquery or range selector, expected duration"),
        ("up[5m:1m:1m]", "1:9: parse error: unexpected \":\" in subquery selector, expected \"]\""),
        (
            "(up)[5m]",
            "1:5: parse error: ranges only allowed for vector selectors: write a subquery with a colon, such as [5m:1m]",
        ),
        (
            "up offset 5m[5m]",
            "1:13: parse error: no offset modifiers allowed before range: write the offset after the brackets",
        ),
        ("up @ 1[5m]", "1:7: parse error: no @ modifiers allowed before range: write @ after the brackets"),
        (
            "sum(up) offset 5m",
            "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector \
             selector or a subquery",
        ),
        (
            "1 @ 5",
            "1:1: parse error: @ modifier must be preceded by an instant vector selector or range vector selector \
             or a subquery",
        ),
        ("up offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
        ("up @ 1 @ start()", "1:1: parse error: @ <timestamp> may not be set multiple times"),
        ("up @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: inf"),
        ("up @ foo", "1:6: parse error: unexpected identifier \"foo\" in @, expected timestamp"),
        ("up offset", "1:10: parse error: unexpected end of input in offset, expected number or duration"),
    ]);
}

#[test]
fn wrong_groupings_and_arguments_are_named() {
    check(&[
        ("sum by up", "1:8: parse error: unexpected identifier \"up\" in grouping opts, expected \"(\""),
        ("sum by (1) (up)", "1:9: parse error: unexpected number \"1\" in grouping opts, expected label"),
        (
            "sum by (a b) (up)",
            "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"",
        ),
        ("sum()", "1:1: parse error: no arguments for aggregate expression provided: write sum(...)"),
        (
            "sum(a, b)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2",
        ),
        (
            "topk(up)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
        ),
        ("rate(up[5m],)", "1:12: parse error: trailing commas not allowed in function call args: remove it"),
        (
            "a * group_left b",
            "1:5: parse error: unexpected <group_left>, expected a metric, a function, a number or \"(\"",
        ),
        ("frobnicate()", "1:1: parse error: unknown function with name \"frobnicate\""),
        (
            "mim_over_time(up[5m])",
            "1:1: parse error: unknown function with name \"mim_over_time\": did you mean min_over_time?",
        ),
        ("up=~\"x\"", "1:3: parse error: unexpected character after '=': '~': regular expressions stand in braces"),
        ("up ! up", "1:4: parse error: unexpected character after '!': write != or, in braces, !~"),
        ("up = up", "1:4: parse error: unexpected \"=\", expected an operator or the end of the expression"),
    ]);
}

#[test]
fn types_must_fit() {
    check(&[
        (
            "rate(up)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector: \
             give it a window, such as [5m]",
        ),
        (
            "sum(up[5m])",
            "1:5: parse error: expected type instant vector in aggregation expression, got range vector: \
             apply a function such as rate to the window",
        ),
        (
            "abs(1)",
            "1:5: parse error: expected type instant vector in call to function \"abs\", got scalar: wrap it in vector()",
        ),
        (
            "topk(up, up)",
            "1:6: parse error: expected type scalar in aggregation parameter, got instant vector: wrap it in scalar()",
        ),
        (
            "count_values(5, up)",
            "1:14: parse error: expected type string in aggregation parameter, got scalar: put it in quotes",
        ),
        ("rate()", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 0"),
        ("round(up, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"),
        ("label_join(up, \"a\")", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 2"),
        ("hour(up, up)", "1:1: parse error: expected at most 1 argument(s) in call to \"hour\", got 2"),
        (
            "1 == 1",
            "1:3: parse error: comparisons between scalars must use BOOL modifier: write bool after the operator",
        ),
        ("up + bool up", "1:4: parse error: bool modifier can only be used on comparison operators"),
        ("up and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
        ("up + on(a) 1", "1:1: parse error: vector matching only allowed between instant vectors"),
        ("up and on(a) group_left up", "1:1: parse error: no grouping allowed for \"and\" operation"),
        ("up + on(a) group_left(a) up", "1:4: parse error: label \"a\" must not occur in ON and GROUP clause at once"),
        ("\"a\" + up", "1:1: parse error: binary expression must contain only scalar and instant vector types"),
        ("up + up[5m]", "1:6: parse error: binary expression must contain only scalar and instant vector types"),
        (
            "-\"a\"",
            "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, \
             got \"string\"",
        ),
        ("rate(up[5m])[5m:]", "rate(up[5m])[5m:]"),
        ("up[5m][5m:]", "1:1: parse error: subquery is only allowed on instant vector, got range vector instead"),
        // A slip in writing is told before a misfit of types.
        ("rate(up) +", "1:11: parse error: unexpected end of input, expected a metric, a function, a number or \"(\""),
    ]);
}

#[test]
fn what_is_not_answered_is_refused_by_name() {
    for (text, what, column) in [
        ("histogram_count(up)", "the function \"histogram_count\"", 1),
        ("1 + holt_winters(up[5m], 1, 1)", "the function \"holt_winters\"", 5),
        ("info(up)", "the function \"info\"", 1),
        ("limitk(2, up)", "the aggregation \"limitk\"", 1),
        ("limit_ratio by (a) (0.5, up)", "the aggregation \"limit_ratio\"", 1),
        ("rate(up[5m] smoothed)", "the modifier \"smoothed\"", 13),
        ("up anchored", "the modifier \"anchored\"", 4),
        ("a + fill(0) b", "the modifier \"fill\"", 5),
        ("a + on(x) fill_left(0) b", "the modifier \"fill_left\"", 11),
        ("start()", "the function \"start\"", 1),
        ("up[step()]", "arithmetic in durations", 4),
        ("up offset (5m)", "arithmetic in durations", 11),
        ("up[-5m]", "arithmetic in durations", 4),
    ] {
        match parse(text) {
            Err(error @ QueryError::Unsupported { .. }) => {
                let start = format!("1:{column}: parse error: {what} is not supported: ");
                assert!(error.to_string().starts_with(&start), "{text}: {error}");
                assert_eq!((error.error_type(), error.at()), ("bad_data", Some(column - 1)), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn selectors_stand_alone_in_match() {
    let texts =
        |text: &str| parse_selector(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    assert_eq!(texts("up").as_deref(), Ok("__name__=\"up\""));
    assert_eq!(texts(" {job=~\"a|b\"} ").as_deref(), Ok("job=~\"a|b\""));
    assert_eq!(texts("up{a!=\"b\"}").as_deref(), Ok("a!=\"b\" __name__=\"up\""));
    assert_eq!(texts("{\"x.y\"}").as_deref(), Ok("__name__=\"x.y\""));
    for (text, error) in [
        ("up[5m]", "1:3: parse error: unexpected \"[\", expected the end of the selector"),
        ("up offset 5m", "1:4: parse error: unexpected <offset>, expected the end of the selector"),
        ("1", "1:1: parse error: unexpected number \"1\", expected a selector such as up{job=\"node\"}"),
        ("", "1:1: parse error: unexpected end of input, expected a selector such as up{job=\"node\"}"),
        ("sum(up)", "1:4: parse error: unexpected \"(\", expected the end of the selector"),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher: name the metric"),
        ("+up", "1:1: parse error: unexpected <op:+>, expected a selector such as up{job=\"node\"}"),
        ("up{a=~\"(\"}", "1:4: parse error: regular expression `(` cannot be used: regex parse error:\n"),
        ("up{a=~\"x)|(y\"}", "1:4: parse error: regular expression `x)|(y` cannot be used: regex parse error:\n"),
    ] {
        let got = texts(text).unwrap_err().to_string();
        assert!(got.starts_with(error), "{text}: {got}");
    }
}

#[test]
fn long_and_deep_texts_are_refused() {
    let long = format!("up{}", " ".repeat(QUERY_BYTES_MAX));
    assert!(parse(&long).unwrap_err().to_string().contains("expression has 65538 bytes, but at most 65536 are read"));
    // A small stack: what is accepted and what is refused must both fit it, dropping included.
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let work = || {
        for (open, close) in
            [("(", ")"), ("-", ""), ("abs(", ")"), ("sum by (a) (", ")"), ("2^", ""), ("max_over_time(", "[5m:])")]
        {
            let nested = |depth: usize| format!("{}up{}", open.repeat(depth), close.repeat(depth));
            let deepest = parse(&nested(100)).unwrap();
            assert!(deepest.to_string().len() > 100, "{open}");
            let refused = parse(&nested(8_000.min(QUERY_BYTES_MAX / (open.len() + close.len() + 1)))).unwrap_err();
            assert!(refused.to_string().contains("nested deeper than 128 levels"), "{open}: {refused}");
        }
        let chain = |count: usize| vec!["up"; count + 1].join("+");
        let longest = parse(&chain(crate::limits::CHAIN_MAX)).unwrap();
        assert_eq!(longest.to_string(), chain(crate::limits::CHAIN_MAX).replace('+', " + "));
        assert!(parse(&chain(crate::limits::CHAIN_MAX + 1)).unwrap_err().to_string().contains("operators in a row"));
    };
    small.spawn(work).unwrap().join().unwrap();
}

/// Cheap, seeded, and the same everywhere.
fn next(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 33).unwrap()
}

#[test]
fn mutated_texts_never_panic_and_what_parses_prints_and_parses_again() {
    const SEEDS: [&str; 8] = [
        "sum by (mode) (rate(node_cpu_seconds_total{mode!=\"idle\",host=~\"a.*|b\"}[5m] offset -1m))",
        "a * on (x, y) group_left (z) b > bool 0x1f or -c ^ 2 ^ 3 unless on () d",
        "quantile_over_time(0.9, (x + y)[1h:1m] @ end() offset 5m)",
        "label_replace(up, 'a', \"$1\\n\\u00e9\", `b`, '(.*)') # end",
        "topk(5, {\"quoted.name\", 'l'=\"v\"}) without (host, 'x')",
        "histogram_quantile(0.5, sum(h_bucket) by (le)) == Inf + NaN % 1e-5",
        "count_values(\"v\", x @ 1.5) atan2 vector(time() - 1h30m)",
        "clamp(x, -1, +1) and ignoring(a) absent(y{a='b'}) <= 5",
    ];
    const PIECES: [&str; 24] = [
        "(", ")", "{", "}", "[", "]", "\"", "'", "`", ",", ":", "@", "offset ", "by", "5m", "1", "#", "\n", "-", "^",
        "\u{e9}", "=~", "\\", "sum(",
    ];
    let mut seed = 0x5eed_0000_0001_u64;
    let mut parsed = 0;
    for round in 0..100_000 {
        let mut text = SEEDS[round % SEEDS.len()].to_owned();
        for _ in 0..=next(&mut seed) % 4 {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let at = next(&mut seed) % places.len();
            let (a, b) = (places[at], places[(at + 6).min(places.len() - 1)]);
            match next(&mut seed) % 4 {
                0 => text.insert_str(a, PIECES[next(&mut seed) % PIECES.len()]),
                1 => drop(text.drain(a..b)),
                2 => text.truncate(a),
                _ => {
                    let other = SEEDS[next(&mut seed) % SEEDS.len()];
                    text.insert_str(a, &other[..next(&mut seed) % (other.len() / 2)]);
                }
            }
        }
        match parse(&text) {
            Ok(expr) => {
                parsed += 1;
                let printed = expr.to_string();
                assert_eq!(parse(&printed).map(|again| again.to_string()), Ok(printed), "{text}");
            }
            Err(error) => assert!(error.at().is_some_and(|at| at <= text.len()), "{text}: {error}"),
        }
        let _ = parse_selector(&text);
    }
    assert!(parsed > 1_000, "only {parsed} of the mutated texts parsed: they test nothing");
}
