//! `| regexp "(?P<status>\\d+)"` makes labels of named groups.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::line_filter::{LineRegex, line_regex};
use crate::logql::stages::{Line, Stage};
use crate::text::fault::{Fault, Parsed};
use crate::text::write::Quoted;

#[derive(Debug)]
pub(crate) struct Regexp {
    regex: LineRegex,
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let (pattern, place) = parser.quoted("STRING")?;
    let regex = line_regex(&pattern, place.start)?;
    let mut names = regex.compiled.capture_names().flatten().peekable();
    if names.peek().is_none() {
        let message = "at least one named capture must be supplied: write (?P<name>...)";
        return Err(Fault::new(place.start, message));
    }
    for name in names {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let message = format!("invalid extracted label name '{name}': use letters, digits and _");
            return Err(Fault::new(place.start, message));
        }
    }
    Ok(Arc::new(Regexp { regex }))
}

impl Stage for Regexp {
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool {
        if fields.nothing_wanted() {
            return true;
        }
        if let Some(captures) = self.regex.compiled.captures(&line.bytes) {
            for name in self.regex.compiled.capture_names().flatten() {
                let value = captures.name(name).map_or(&b""[..], |found| found.as_bytes());
                fields.extract_bytes(name, value);
            }
        }
        true
    }
}

impl Display for Regexp {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| regexp {}", Quoted(&self.regex.pattern))
    }
}
