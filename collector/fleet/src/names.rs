//! Names and labels that hosts may have, and the patterns that tokens bind them to. Pure.

use std::collections::BTreeMap;

use muster_common::limits::{HOST_NAME_BYTES_MAX, LABEL_NAME_BYTES_MAX};

/// The host name under which the collector stores its own numbers and events.
pub const OWN_HOST: &str = "muster";
/// Labels of one host. A series holds 64 in all, and most of them belong to the series.
pub const HOST_LABELS_MAX: usize = 16;
/// Bytes of a host label's value: it is repeated on every series, so it is a word and no text.
pub const HOST_LABEL_VALUE_BYTES_MAX: usize = 256;
/// Label names that the collector or the query languages give a meaning to, so no host label may have them.
pub const RESERVED_LABELS: [&str; 10] =
    ["host", "instance", "job", "source", "check", "alertname", "severity", "le", "quantile", "exported_host"];

/// Why a text is no host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the host name is empty: give one with `--name`")]
    Empty,
    #[error(
        "the host name `{start}...` has {bytes} bytes, but at most {HOST_NAME_BYTES_MAX} are allowed: shorten it with `--name`"
    )]
    TooLong { start: String, bytes: usize },
    #[error(
        "the host name `{name}` holds {bad:?}: letters, digits, `.`, `-` and `_` are allowed, the first being a letter or digit; give another with `--name`"
    )]
    Character { name: String, bad: char },
    #[error("the host name `{OWN_HOST}` is the collector's own: give another with `--name`")]
    Reserved,
}

/// Why a host label is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelRefusal {
    #[error("{count} host labels, but at most {HOST_LABELS_MAX} are allowed: drop some")]
    TooMany { count: usize },
    #[error("the label name `{name}` is not of the form [a-zA-Z_][a-zA-Z0-9_]*: rename it")]
    Name { name: String },
    #[error("the label name `{name}` has a meaning of its own in muster: choose another")]
    Reserved { name: String },
    #[error("the value of label `{name}` is empty: give it one or drop the label")]
    Empty { name: String },
    #[error(
        "the value of label `{name}` has {bytes} bytes, but at most {HOST_LABEL_VALUE_BYTES_MAX} are allowed: shorten it"
    )]
    TooLong { name: String, bytes: usize },
    #[error("the value of label `{name}` holds a control character: remove it")]
    Control { name: String },
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the pattern is empty: write one such as `web-*`, or `*` for any name")]
    Empty,
    #[error("the pattern has {bytes} bytes, but at most {HOST_NAME_BYTES_MAX} are allowed: shorten it")]
    TooLong { bytes: usize },
    #[error("the pattern `{pattern}` holds {bad:?}: characters of host names, `*` and `?` are allowed")]
    Character { pattern: String, bad: char },
}

/// Checks a host name.
///
/// # Errors
/// [`NameError`] says what is wrong with it.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > HOST_NAME_BYTES_MAX {
        return Err(NameError::TooLong { start: name.chars().take(40).collect(), bytes: name.len() });
    }
    let bad =
        name.char_indices().find(|(at, c)| !(c.is_ascii_alphanumeric() || *at > 0 && matches!(c, '.' | '-' | '_')));
    if let Some((_, bad)) = bad {
        return Err(NameError::Character { name: name.to_owned(), bad });
    }
    if name.eq_ignore_ascii_case(OWN_HOST) {
        return Err(NameError::Reserved);
    }
    Ok(())
}

/// The form under which a name is taken: `DB1` and `db1` would be one host to every reader, so they cannot be two.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Checks the labels of a host.
///
/// # Errors
/// [`LabelRefusal`] names the label and what is wrong with it.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), LabelRefusal> {
    if labels.len() > HOST_LABELS_MAX {
        return Err(LabelRefusal::TooMany { count: labels.len() });
    }
    for (name, value) in labels {
        let shown = || name.chars().take(80).collect::<String>();
        let formed = name
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte.is_ascii_alphabetic() || byte == b'_' || at > 0 && byte.is_ascii_digit());
        if name.is_empty() || name.len() > LABEL_NAME_BYTES_MAX || !formed {
            return Err(LabelRefusal::Name { name: shown() });
        }
        if name.starts_with("__") || RESERVED_LABELS.contains(&name.as_str()) {
            return Err(LabelRefusal::Reserved { name: shown() });
        }
        if value.is_empty() {
            return Err(LabelRefusal::Empty { name: shown() });
        }
        if value.len() > HOST_LABEL_VALUE_BYTES_MAX {
            return Err(LabelRefusal::TooLong { name: shown(), bytes: value.len() });
        }
        if value.chars().any(char::is_control) {
            return Err(LabelRefusal::Control { name: shown() });
        }
    }
    Ok(())
}

/// Checks a pattern of names: `*` is any run of characters, `?` is one.
///
/// # Errors
/// [`PatternError`] says what is wrong with it.
pub fn check_pattern(pattern: &str) -> Result<(), PatternError> {
    if pattern.is_empty() {
        return Err(PatternError::Empty);
    }
    if pattern.len() > HOST_NAME_BYTES_MAX {
        return Err(PatternError::TooLong { bytes: pattern.len() });
    }
    match pattern.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*' | '?'))) {
        Some(bad) => Err(PatternError::Character { pattern: pattern.to_owned(), bad }),
        None => Ok(()),
    }
}

/// Whether the whole name matches, letters of either case being one. Takes time of the product of the lengths at most.
pub fn pattern_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and up to where of the name it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c.eq_ignore_ascii_case(&name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    p = at + 1;
                    n = reach + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hosts_and_never_the_collectors_own() {
        for good in ["db1", "web-1.example.org", "A_b", "1"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        assert_eq!(check_name(""), Err(NameError::Empty));
        assert_eq!(check_name("Muster"), Err(NameError::Reserved));
        assert!(matches!(check_name(&"a".repeat(254)), Err(NameError::TooLong { bytes: 254, .. })));
        for (bad, c) in [("-a", '-'), ("a b", ' '), ("a\"b", '"'), ("a\r\nBcc: x", '\r'), ("h\u{f6}st", '\u{f6}')] {
            assert_eq!(check_name(bad), Err(NameError::Character { name: bad.to_owned(), bad: c }));
        }
    }

    #[test]
    fn host_labels_are_few_formed_and_unreserved() {
        let one = |name: &str, value: &str| check_labels(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
        assert_eq!(one("env", "production"), Ok(()));
        for name in ["", "1a", "a-b", "a b"] {
            assert_eq!(one(name, "x"), Err(LabelRefusal::Name { name: name.to_owned() }));
        }
        for name in RESERVED_LABELS.into_iter().chain(["__name__", "__x"]) {
            assert_eq!(one(name, "x"), Err(LabelRefusal::Reserved { name: name.to_owned() }));
        }
        assert!(matches!(one("env", ""), Err(LabelRefusal::Empty { .. })));
        assert!(matches!(one("env", &"x".repeat(257)), Err(LabelRefusal::TooLong { bytes: 257, .. })));
        assert!(matches!(one("env", "a\nb"), Err(LabelRefusal::Control { .. })));
        let many = (0..17).map(|i| (format!("l{i}"), "x".to_owned())).collect();
        assert_eq!(check_labels(&many), Err(LabelRefusal::TooMany { count: 17 }));
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("web-*", "web-1", true),
            ("web-*", "WEB-1", true),
            ("web-*", "web-", true),
            ("web-*", "db-web-1", false),
            ("web-?", "web-1", true),
            ("web-?", "web-12", false),
            ("*", "anything", true),
            ("*-db-*", "eu-db-1", true),
            ("*a*a*b", &"a".repeat(200), false),
            ("db1", "db1", true),
            ("db1", "db12", false),
        ] {
            assert_eq!(pattern_matches(pattern, name), expected, "{pattern} {name}");
        }
        assert_eq!(check_pattern(""), Err(PatternError::Empty));
        assert!(matches!(check_pattern("web[12]"), Err(PatternError::Character { bad: '[', .. })));
    }
}
