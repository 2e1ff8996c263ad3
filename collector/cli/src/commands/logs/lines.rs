//! Lines as they are printed.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::ask::Line;
use super::text::shown;
use crate::arguments::Output;
use crate::commands::query::name;
use crate::table::Rows;

/// Writes lines to an output in one form.
pub(super) struct Writer<'a> {
    out: &'a mut (dyn Write + Send),
    output: Output,
    is_empty: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send), output: Output) -> Self {
        Self { out, output, is_empty: true }
    }

    /// Nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(super) fn write<'l>(&mut self, lines: impl IntoIterator<Item = &'l Line>) -> io::Result<()> {
        for line in lines {
            self.one("", line)?;
        }
        self.out.flush()
    }

    /// A line of a context: one that was found, or one around it.
    pub(super) fn write_in_context(&mut self, line: &Line, is_found: bool) -> io::Result<()> {
        self.one(if is_found { "> " } else { "  " }, line)
    }

    /// Between two contexts that do not meet.
    pub(super) fn part(&mut self) -> io::Result<()> {
        if self.output == Output::Table && !self.is_empty { self.out.write_all(b"--\n") } else { Ok(()) }
    }

    fn one(&mut self, sign: &str, line: &Line) -> io::Result<()> {
        let first = std::mem::replace(&mut self.is_empty, false);
        match self.output {
            Output::Table => {
                let labels = name(&all_labels(line), &[]);
                writeln!(self.out, "{sign}{} {} {}", moment(line.at_ns), shown(&labels), shown(&line.text))
            }
            // One object a line, so that it can be read while more come.
            Output::Json => writeln!(self.out, "{}", object(line)),
            Output::Csv => {
                let row = vec![line.at_ns.to_string(), name(&all_labels(line), &[]), line.text.clone()];
                let mut rows = Rows::new(&["NS", "LABELS", "LINE"]);
                rows.rows.push(row);
                let text = rows.to_csv();
                // The heading once.
                let row = text.split_once('\n').map_or("", |(_, row)| row);
                self.out.write_all(if first { text.as_bytes() } else { row.as_bytes() })
            }
            Output::Raw => writeln!(self.out, "{}", line.text),
        }
    }
}

/// Those of the stream, of structured metadata, and what the pipeline made, by name.
fn all_labels(line: &Line) -> Vec<(String, String)> {
    let mut all: Vec<_> = [&line.stream, &line.metadata, &line.parsed].into_iter().flatten().cloned().collect();
    all.sort();
    all
}

fn object(line: &Line) -> Value {
    let map = |pairs: &[(String, String)]| {
        let pairs = pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let (stream, metadata, parsed) = (map(&line.stream), map(&line.metadata), map(&line.parsed));
    json!({"ns": line.at_ns.to_string(), "stream": stream, "metadata": metadata, "parsed": parsed, "line": line.text})
}

/// `2026-01-31 14:00:05.000000001Z`, with as many digits as the time has, three at least.
fn moment(at_ns: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(at_ns)) else { return at_ns.to_string() };
    let part = at_ns.rem_euclid(1_000_000_000);
    let digits = format!("{part:09}");
    let digits = if part % 1_000_000 == 0 { &digits[..3] } else { digits.trim_end_matches('0') };
    format!("{}.{digits}Z", time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S"))
}
