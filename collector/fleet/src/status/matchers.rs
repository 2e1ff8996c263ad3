//! Matchers as people write them: `host=web1, check=~"disk.*"`; all must match.

use muster_common::matcher::{LabelRegex, Matcher, Test};

/// Matchers of one downtime. What people write by hand has two or three.
const MATCHERS_MAX: usize = 32;

/// Reads matchers, separated by commas. Values may be in double quotes, with `\"` and `\\` for these two.
///
/// # Errors
/// What is wrong with the text, in words that name the matcher.
pub(crate) fn parse_matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let mut rest = text.trim();
    let mut matchers = Vec::new();
    while !rest.is_empty() {
        let (matcher, after) = one(rest)?;
        matchers.push(matcher);
        rest = match after.trim_start().split_at_checked(1) {
            None => "",
            Some((",", after)) => after.trim_start(),
            Some(_) => return Err(format!("`{after}`: put a comma between matchers")),
        };
    }
    match matchers.len() {
        0 => Err("no matcher: write such as host=\"web1\"".to_owned()),
        1..=MATCHERS_MAX => Ok(matchers),
        count => Err(format!("{count} matchers, and {MATCHERS_MAX} are the most")),
    }
}

/// The first matcher and what follows it.
fn one(text: &str) -> Result<(Matcher, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("`{text}`: a matcher begins with the name of a label"));
    }
    let rest = rest.trim_start();
    let operators = ["=~", "!~", "!=", "="];
    let Some(operator) = operators.into_iter().find(|operator| rest.starts_with(operator)) else {
        return Err(format!("`{text}`: after the label comes =, !=, =~ or !~"));
    };
    let (value, after) = value(rest[operator.len()..].trim_start())?;
    let regex = |value: &str| LabelRegex::new(value).map_err(|error| error.to_string());
    let test = match operator {
        "=" => Test::Equal(value),
        "!=" => Test::NotEqual(value),
        "=~" => Test::Regex(regex(&value)?),
        _ => Test::NotRegex(regex(&value)?),
    };
    Ok((Matcher { name: name.to_owned(), test }, after))
}

/// The value at the beginning and what follows it.
fn value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let bare = text[..end].trim_end();
        return if bare.contains(['"', '{', '}']) {
            Err(format!("`{bare}`: put this value into double quotes"))
        } else {
            Ok((bare.to_owned(), &text[end..]))
        };
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                Some((_, c)) => value.extend(['\\', c]),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err(format!("`{text}`: the quote is not closed"))
}

/// Whether all of them match the labels that this gives; an absent label is an empty text.
pub(crate) fn all_match<'a>(matchers: &[Matcher], label: impl Fn(&str) -> Option<&'a str>) -> bool {
    matchers.iter().all(|matcher| matcher.is_match(label(&matcher.name).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_read_as_written() {
        for (text, shown) in [
            ("host=web1", &["host=\"web1\""][..]),
            (" host = \"web 1\" , check=~disk.* ", &["host=\"web 1\"", "check=~\"disk.*\""]),
            (r#"a!="x,\"y\\",b!~"c|d","#, &[r#"a!="x,\"y\\""#, "b!~\"c|d\""]),
            (r#"a=~"\d+""#, &[r#"a=~"\\d+""#]),
            ("a=", &["a=\"\""]),
        ] {
            let read: Vec<_> = parse_matchers(text).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(read, shown, "{text}");
        }
        for bad in ["", "  ", "=x", "1a=x", "a", "a>1", "a=~(", "a=\"x", "a=\"x\" b=y", "{a=\"x\"}", "a=x\"", "a=\"\\"]
        {
            assert!(parse_matchers(bad).is_err(), "{bad}");
        }
        assert!(parse_matchers(&"a=b,".repeat(33)).is_err());
    }

    #[test]
    fn all_must_match_and_absent_is_empty() {
        let labels = |name: &str| (name == "host").then_some("web1");
        for (text, is_match) in [("host=web1", true), ("host=web1,check=disk", false), ("host=~web.*,check=", true)] {
            assert_eq!(all_match(&parse_matchers(text).unwrap(), labels), is_match, "{text}");
        }
    }
}
