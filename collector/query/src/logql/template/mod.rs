//! Templates of `line_format` and `label_format`: the part of Go's that formats texts. `{{.label}}`, `{{__line__}}`,
//! `{{__timestamp__}}`, texts and numbers, through the `functions` of the table, also by `|` and in brackets. Control
//! structures are refused by name.

mod functions;
mod parse;

use std::borrow::Cow;
use std::fmt::Write;

use crate::logql::fields::Fields;
use functions::Function;

/// Bytes that one template may make of one line: four times the longest line.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Template {
    /// As it was written.
    pub(crate) text: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Value(Node),
}

#[derive(Debug)]
enum Node {
    Label(String),
    Line,
    Timestamp,
    Text(String),
    Int(i64),
    Float(f64),
    Call(&'static Function, Vec<Node>),
}

/// What a node evaluates to.
#[derive(Clone, Debug, PartialEq)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds since 1970.
    Time(i64),
}

impl Template {
    /// The text of this line. The error is for `__error_details__`.
    pub(crate) fn write(&self, at_ns: i64, line: &[u8], fields: &Fields) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(node) => node.eval(at_ns, line, fields)?.write(&mut out),
            }
            if out.len() > OUTPUT_BYTES_MAX {
                return Err(format!("the template makes more than {OUTPUT_BYTES_MAX} bytes of a line"));
            }
        }
        Ok(out)
    }

    /// The labels it shows.
    pub(crate) fn reads(&self, names: &mut Vec<String>) {
        for part in &self.parts {
            if let Part::Value(node) = part {
                node.reads(names);
            }
        }
    }
}

impl Node {
    fn eval<'a>(&'a self, at_ns: i64, line: &'a [u8], fields: &'a Fields) -> Result<Value<'a>, String> {
        Ok(match self {
            Self::Label(name) => Value::Text(Cow::Borrowed(fields.get(name).unwrap_or(""))),
            Self::Line => Value::Text(String::from_utf8_lossy(line)),
            Self::Timestamp => Value::Time(at_ns),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Call(function, args) => {
                let args: Result<Vec<_>, _> = args.iter().map(|arg| arg.eval(at_ns, line, fields)).collect();
                let value = (function.run)(&args?).map_err(|reason| format!("{}: {reason}", function.name))?;
                // Owned texts are bounded at each step, so that nested calls cannot grow without end.
                if matches!(&value, Value::Text(text) if text.len() > OUTPUT_BYTES_MAX) {
                    return Err(format!("{} makes more than {OUTPUT_BYTES_MAX} bytes", function.name));
                }
                value.into_owned()
            }
        })
    }

    fn reads(&self, names: &mut Vec<String>) {
        match self {
            Self::Label(name) => names.push(name.clone()),
            Self::Call(_, args) => args.iter().for_each(|arg| arg.reads(names)),
            _ => {}
        }
    }
}

impl Value<'_> {
    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Bool(value) => Value::Bool(value),
            Self::Time(value) => Value::Time(value),
        }
    }

    fn write(&self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = match self {
            Self::Text(text) => out.write_str(text),
            Self::Int(value) => write!(out, "{value}"),
            Self::Float(value) => write!(out, "{value}"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Time(value) => write_time(*value, out),
        };
    }

    fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            other => {
                let mut text = String::new();
                other.write(&mut text);
                Cow::Owned(text)
            }
        }
    }
}

/// As Go writes a time: `2022-09-01 10:20:30.5 +0000 UTC`.
fn write_time(ns: i64, out: &mut String) -> std::fmt::Result {
    const DAY_SECONDS: i64 = 86_400;
    let (seconds, fraction) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (day, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    // Days since 0000-03-01, so that leap days end a year; eras of 400 years are alike.
    let shifted = day + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, after) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + after;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(out, "{year:04}-{month:02}-{of_month:02} {hour:02}:{minute:02}:{second:02}")?;
    if fraction > 0 {
        let digits = format!("{fraction:09}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    out.write_str(" +0000 UTC")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use muster_common::label::LabelSet;

    use super::*;
    use crate::text::fault::Trouble;

    fn written(text: &str) -> Result<String, String> {
        let template = Template::parse(text).map_err(|(at, trouble)| match trouble {
            Trouble::Wrong(message) => format!("{at}: {message}"),
            Trouble::Refused(what, remedy) => format!("{at}: {what}: {remedy}"),
        })?;
        let mut fields = Fields::default();
        fields.begin(&Arc::new(LabelSet::new([("app", "Web"), ("n", "41")]).unwrap()));
        template.write(1_500_000_000, b"the line", &fields)
    }

    #[test]
    fn templates_format_labels() {
        let cases = [
            ("plain", "plain"),
            ("{{.app}}-{{ .none }}:{{__line__}}", "Web-:the line"),
            ("a {{- .app -}} b", "aWebb"),
            ("{{ .app | lower | trunc 2 }}", "we"),
            ("{{ ToUpper (printable .app) }}", "!12: function \"printable\": there are "),
            ("{{ upper (lower .app) }}", "WEB"),
            ("{{ Replace .app \"e\" \"3\" -1 }}{{ replace `W` \"w\" .app }}", "W3bweb"),
            ("{{ TrimPrefix .app \"W\" }}{{ trimPrefix \"W\" .app }}{{ trimSuffix \"b\" .app }}", "ebebWe"),
            ("{{ add .n 1 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ sub 1 2 }} {{ mod 7 4 }}", "42 24 3 -1 3"),
            ("{{ substr 1 3 .app }}{{ default \"d\" .none }}{{ contains \"eb\" .app }}", "ebdtrue"),
            ("{{/* nothing */}}{{ repeat 3 \"ab\" }}", "ababab"),
            ("{{ __timestamp__ | unixEpochMillis }} {{ unixEpoch __timestamp__ }}", "1500 1"),
            ("{{ __timestamp__ }}", "1970-01-01 00:00:01.5 +0000 UTC"),
            ("{{ div 1 0 }}", "!div: division by zero"),
            ("{{ repeat 99999999 .app }}", "!repeat makes more than 1048576 bytes"),
            ("{{ if .app }}x{{ end }}", "!3: the control structure \"if\": "),
            ("{{ .app", "!0: unclosed action: "),
            ("{{ . }}", "!3: unexpected \".\""),
            ("{{ lower }}", "!3: wrong number of args for lower: want 1 got 0"),
            ("{{ trunc \"x\" .app }}", "!trunc: expected integer"),
        ];
        for (text, wanted) in cases {
            let got = written(text);
            match wanted.strip_prefix('!') {
                Some(part) => assert!(got.as_ref().is_err_and(|error| error.contains(part)), "{text}: {got:?}"),
                None => assert_eq!(got.as_deref(), Ok(wanted), "{text}"),
            }
        }
    }

    #[test]
    fn hostile_templates_end() {
        let nested = format!("{{{{ {}.app{} }}}}", "lower (".repeat(2_000), ")".repeat(2_000));
        assert!(written(&nested).unwrap_err().contains("nested deeper"));
        assert!(written(&"{{__line__}}".repeat(200_000)).unwrap_err().contains("more than 1048576 bytes"));
        let growing = format!("{{{{ .app {} }}}}", "| repeat 1000 ".repeat(10));
        assert!(written(&growing).unwrap_err().contains("repeat makes more than"));
    }
}
