//! Parameters of a task: what a value may be. Values are texts; each becomes part of one word of a command and never more than that.

use crate::limits::{HOST_NAME_BYTES_MAX, TASK_NAME_BYTES_MAX, TASK_VALUE_BYTES_MAX};

/// What a parameter's value must be.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A decimal number in these bounds, both of them allowed.
    Integer { from: i64, to: i64 },
    /// One of these.
    Choice { values: Vec<String> },
    /// A host's name: letters, digits, `-` and dots.
    Host,
    /// A version of a package: letters, digits and `.+:~_-`, at most 128 bytes.
    Version,
    /// What this expression fits as a whole, at most so many bytes. Never a beginning `-`.
    Text { pattern: regex::Regex, bytes_max: usize },
}

/// Why the values of a call do not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("parameter {name} is missing; give it with the order")]
    Missing { name: String },
    #[error("the task has no parameter {name}; leave it out")]
    Unknown { name: String },
    #[error("parameter {name}: {value:?} is not {wanted}; give another value")]
    Value { name: String, value: String, wanted: String },
}

impl Kind {
    /// What a value must be, as the end of a sentence.
    fn wanted(&self) -> String {
        match self {
            Self::Integer { from, to } => format!("a number from {from} to {to}"),
            Self::Choice { values } => format!("one of {}", values.join(", ")),
            Self::Host => "the name of a host".to_owned(),
            Self::Version => "a version".to_owned(),
            Self::Text { pattern, bytes_max } => format!("a text of at most {bytes_max} bytes that fits {pattern}"),
        }
    }

    fn fits(&self, value: &str) -> bool {
        match self {
            // Written as it is printed: neither `+5` nor `005`, which programs read in several ways.
            Self::Integer { from, to } => {
                value.parse::<i64>().is_ok_and(|number| (from..=to).contains(&&number) && number.to_string() == value)
            }
            Self::Choice { values } => values.iter().any(|one| one == value),
            Self::Host => is_host(value),
            Self::Version => {
                let word = |byte: u8| byte.is_ascii_alphanumeric() || b".+:~_-".contains(&byte);
                value.len() <= 128 && value.starts_with(|c: char| c.is_ascii_alphanumeric()) && value.bytes().all(word)
            }
            Self::Text { pattern, bytes_max } => {
                value.len() <= *bytes_max && !value.starts_with('-') && pattern.is_match(value)
            }
        }
    }

    /// # Errors
    /// [`ParameterError::Value`].
    pub fn judge(&self, name: &str, value: &str) -> Result<(), ParameterError> {
        if value.len() <= TASK_VALUE_BYTES_MAX && is_plain(value) && self.fits(value) {
            return Ok(());
        }
        let told = value.char_indices().take_while(|(at, _)| *at < 100).map(|(_, letter)| letter).collect();
        Err(ParameterError::Value { name: name.to_owned(), value: told, wanted: self.wanted() })
    }
}

fn is_host(value: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
    };
    value.len() <= HOST_NAME_BYTES_MAX && value.split('.').all(label)
}

/// Whether it can be the name of a task or of a parameter: lower-case letters, digits, `.`, `_` and `-`, a letter or digit first, at most 64 bytes.
pub fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    text.len() <= TASK_NAME_BYTES_MAX / 2
        && text.bytes().all(inner)
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
}

/// Whether people see what is there: no control characters, and none that turn the direction of writing or have no width.
pub fn is_plain(text: &str) -> bool {
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    !text.contains(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_takes_what_it_says_and_nothing_else() {
        let text = Kind::Text { pattern: crate::matcher::anchored_regex(".*").unwrap(), bytes_max: 8 };
        let unit = Kind::Text { pattern: crate::matcher::anchored_regex("[a-z]+\\.service|x").unwrap(), bytes_max: 64 };
        let cases: [(&Kind, &[&str], &[&str]); 6] = [
            (
                &Kind::Integer { from: -1, to: 20 },
                &["-1", "0", "20"],
                &["-2", "21", "+5", "05", "", "5 ", "99999999999999999999", "-0"],
            ),
            (&Kind::Choice { values: vec!["soft".into(), "hard".into()] }, &["soft", "hard"], &["Soft", "", "soft "]),
            (&Kind::Host, &["db1", "db1.example.com", "a-b"], &["", "-db1", "db1-", "a..b", "db1;id", "$(id)", "a b"]),
            (&Kind::Version, &["1.24.0-1~deb12u1", "2:1.0+x_1"], &["", "-1", "1.0 rm", "1/2", "1;id"]),
            (&text, &["", "a b", "$(id)", "12345678"], &["-rf", "123456789", "a\nb", "a\0", "\u{202e}abc", "\u{200b}"]),
            (&unit, &["nginx.service", "x"], &["nginx.service x", "a nginx.service", "nginx.service\n", "xx"]),
        ];
        for (kind, good, bad) in cases {
            for value in good {
                assert_eq!(kind.judge("p", value), Ok(()), "{kind:?}");
            }
            for value in bad {
                assert!(kind.judge("p", value).is_err(), "{kind:?} {value:?}");
            }
        }
        let error = Kind::Integer { from: 1, to: 2 }.judge("count", "3").unwrap_err().to_string();
        assert_eq!(error, "parameter count: \"3\" is not a number from 1 to 2; give another value");
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["restart-unit", "0", "a.b_c", &"n".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "A", "a b", "\u{e4}", ".a", &"n".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
