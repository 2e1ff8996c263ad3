//! TOML of values that JSON has, the same text for the same values: what an agent reads.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Keys that stand first in a table, for those who read it.
const FIRST: [&str; 4] = ["name", "kind", "use", "paths"];

/// One table of an array of tables: `[[HEAD]]` and a line a key. Keys without a value are left out.
pub(super) fn write_table(head: &str, table: &Map<String, Value>, out: &mut String) {
    let _ = writeln!(out, "[[{head}]]");
    for (name, value) in ordered(table) {
        let _ = writeln!(out, "{} = {}", key(name), Inline(value));
    }
}

fn ordered(table: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut all: Vec<(&String, &Value)> = table.iter().filter(|(_, value)| !value.is_null()).collect();
    all.sort_by(|(one, _), (two, _)| place(one).cmp(&place(two)).then_with(|| one.cmp(two)));
    all
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // A String takes every write.
            control if control.is_control() => drop(write!(out, "\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

struct Inline<'a>(&'a Value);

impl std::fmt::Display for Inline<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            // TOML has none; nobody asks for it but within a list.
            Value::Null => f.write_str("\"\""),
            Value::Bool(flag) => flag.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::String(text) => f.write_str(&quoted(text)),
            Value::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { ", " } else { "" }, Inline(item))?;
                }
                f.write_str("]")
            }
            Value::Object(table) => {
                f.write_str("{")?;
                for (at, (name, value)) in ordered(table).into_iter().enumerate() {
                    write!(f, "{} {} = {}", if at > 0 { "," } else { "" }, key(name), Inline(value))?;
                }
                f.write_str(" }")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_whatever_the_texts_hold() {
        let hostile = "a\"b\\c\nd\te\u{0}\u{7f}\u{85}'''\u{1f600}";
        let value = serde_json::json!({
            "zeta": hostile, "name": "x", "count": -7, "is": true, "part": 1.5, "none": null,
            "list": [hostile, "b"], "labels": {"a b": "c", "plain-key": hostile, "": "empty"},
        });
        let mut out = String::new();
        write_table("checks", value.as_object().unwrap(), &mut out);
        assert!(out.starts_with("[[checks]]\nname = \"x\"\ncount = -7\n"), "{out}");
        let read: toml::Table = toml::from_str(&out).unwrap();
        let mut expect = value;
        expect.as_object_mut().unwrap().remove("none");
        assert_eq!(serde_json::to_value(&read["checks"][0]).unwrap(), expect);
        assert_eq!(out.lines().count(), 8, "one line a key: {out}");
    }
}
