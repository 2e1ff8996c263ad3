//! A condition as people write it: `name = nginx`, `rss_bytes > 1000000`, `not_after < now+30d`, `shell = null`.

use muster_common::ask::SIGNS;
use muster_common::inventory::{Kind, Table, Value};
use muster_common::time::{Timestamp, parse_span};
use muster_common::wire::message::{AskFilter, AskTest};

/// Letters of a foreign text that stand in an error.
const SHOWN_LETTERS_MAX: usize = 80;

/// Reads one condition on a table. A text may stand in quotes of either kind, a time may be counted from `now`.
///
/// # Errors
/// What is wrong, in the house's form.
pub(super) fn condition(table: &Table, text: &str, now: Timestamp) -> Result<AskFilter, String> {
    let text = text.trim();
    let end = text.find(|one: char| !one.is_ascii_alphanumeric() && one != '_').unwrap_or(text.len());
    let (column, rest) = text.split_at(end);
    let shown: String = text.chars().take(SHOWN_LETTERS_MAX).collect();
    let form = "write COLUMN TEST VALUE, such as `name = nginx`";
    let (test, value) = test_of(rest.trim_start())
        .filter(|_| !column.is_empty())
        .ok_or_else(|| format!("`{shown}` is no condition: {form}"))?;
    let known = table.columns.iter().find(|known| known.name == column);
    // A column that there is none of is told by who judges the whole question.
    let kind = known.map_or(Kind::Text, |column| column.kind);
    let value = value_of(value.trim(), kind, now).ok_or_else(|| match kind {
        Kind::Time => format!(
            "`{shown}` compares a time with something else: write seconds since 1970, or a time from now such as now-1h or now+30d"
        ),
        _ => format!("`{shown}` compares a number with something else: write a whole number"),
    })?;
    Ok(AskFilter { column: column.to_owned(), test, value })
}

/// The test at the beginning, and what is behind it. Longer signs first, words only as words.
fn test_of(text: &str) -> Option<(AskTest, &str)> {
    let mut signs = SIGNS;
    signs.sort_by_key(|(_, sign)| std::cmp::Reverse(sign.len()));
    signs.into_iter().find_map(|(test, sign)| {
        let rest = text.strip_prefix(sign)?;
        let is_word = sign.starts_with(|one: char| one.is_ascii_alphabetic());
        (!is_word || rest.starts_with([' ', '\t', '\'', '"'])).then_some((test, rest))
    })
}

fn value_of(text: &str, kind: Kind, now: Timestamp) -> Option<Value> {
    if text == "null" {
        return Some(Value::Null);
    }
    match kind {
        Kind::Text => Some(unquoted(text).into()),
        Kind::Integer => text.parse::<i64>().ok().map(Value::Integer),
        Kind::Time => text.parse::<i64>().ok().or_else(|| from_now(text, now)).map(Value::Integer),
    }
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// `now`, `now-1h`, `now+30d`, as seconds since 1970.
fn from_now(text: &str, now: Timestamp) -> Option<i64> {
    let rest = text.strip_prefix("now")?.trim_start();
    let moved = |span: &str| parse_span(span.trim()).ok();
    let at = match (rest.strip_prefix('-'), rest.strip_prefix('+')) {
        _ if rest.is_empty() => now,
        (Some(span), _) => now.minus(moved(span)?),
        (_, Some(span)) => now.plus(moved(span)?),
        _ => return None,
    };
    Some(at.millis().div_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use muster_common::ask::{named, sign};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn conditions_are_read_by_the_kind_of_their_column() {
        for (table, text, expect) in [
            ("users", "name = ann", "name = Text(\"ann\")"),
            ("users", "name='ann smith'", "name = Text(\"ann smith\")"),
            ("users", "name != \"\"", "name != Text(\"\")"),
            ("users", "  shell = null ", "shell = Null"),
            ("users", "shell = 'null'", "shell = Text(\"null\")"),
            ("users", "home starts_with /srv", "home starts_with Text(\"/srv\")"),
            ("users", "comment contains a = b", "comment contains Text(\"a = b\")"),
            ("users", "uid>=1000", "uid >= Integer(1000)"),
            ("users", "uid <-1", "uid < Integer(-1)"),
            ("certificates", "not_after < now+30d", "not_after < Integer(1702592000)"),
            ("certificates", "not_after < now - 1h", "not_after < Integer(1699996400)"),
            ("certificates", "not_after > now", "not_after > Integer(1700000000)"),
            ("certificates", "not_after = 5", "not_after = Integer(5)"),
            // Told by who judges the question.
            ("users", "nothing = 5", "nothing = Text(\"5\")"),
        ] {
            let read = condition(named(table).unwrap(), text, NOW).unwrap();
            assert_eq!(format!("{} {} {:?}", read.column, sign(read.test), read.value), expect);
        }
    }

    #[test]
    fn what_is_no_condition_is_told_with_its_form() {
        let long = "x".repeat(10_000);
        for (table, text, told) in [
            ("users", "", "is no condition: write COLUMN TEST VALUE"),
            ("users", "name", "`name` is no condition"),
            ("users", "name ~ x", "`name ~ x` is no condition"),
            ("users", "= x", "`= x` is no condition"),
            ("users", "name containsx", "is no condition"),
            ("users", &long, "is no condition"),
            ("users", "uid = root", "compares a number with something else: write a whole number"),
            ("users", "uid = 1.5", "write a whole number"),
            ("users", "uid = 99999999999999999999", "write a whole number"),
            ("certificates", "not_after < soon", "compares a time with something else"),
            ("certificates", "not_after < now*3d", "compares a time with something else"),
        ] {
            let error = condition(named(table).unwrap(), text, NOW).unwrap_err();
            assert!(error.contains(told) && error.len() < 250, "{error}");
        }
    }
}
