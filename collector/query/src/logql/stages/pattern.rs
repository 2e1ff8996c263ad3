//! `| pattern "<ip> - <_> <status>"` makes labels of what stands between fixed texts.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::{Line, Stage};
use crate::text::fault::{Fault, Parsed};
use crate::text::write::Quoted;

#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    /// Every line starts with it.
    start: String,
    captures: Vec<Capture>,
}

/// A name (none for `<_>`) and the text behind it; the last one may have none.
#[derive(Debug)]
struct Capture {
    label: Option<String>,
    until: Finder<'static>,
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let (text, place) = parser.quoted("STRING")?;
    let fault = |reason: &str| Fault::new(place.start, format!("invalid pattern: {reason}"));
    let mut start = String::new();
    let mut captures: Vec<(Option<String>, String)> = Vec::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        if let Some((label, after)) = capture(rest) {
            if captures.last().is_some_and(|(_, until)| until.is_empty()) {
                return Err(fault("found consecutive capture: put a text between them"));
            }
            if label != "_" && captures.iter().any(|(own, _)| own.as_deref() == Some(label)) {
                return Err(fault(&format!("duplicate capture name '{label}': name each once")));
            }
            captures.push(((label != "_").then(|| label.to_owned()), String::new()));
            rest = after;
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            captures.last_mut().map_or(&mut start, |(_, until)| until).push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if captures.iter().all(|(label, _)| label.is_none()) {
        return Err(fault("at least one capture is required: write <name> where the value stands"));
    }
    let finder = |(label, until): (Option<String>, String)| Capture { label, until: Finder::new(&until).into_owned() };
    Ok(Arc::new(Pattern { text, start, captures: captures.into_iter().map(finder).collect() }))
}

/// `<name>` at the start, and what follows it.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = text.strip_prefix('<')?.split_once('>')?;
    let first = label.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    (first && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then_some((label, rest))
}

impl Stage for Pattern {
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool {
        if fields.nothing_wanted() {
            return true;
        }
        let Some(mut rest) = line.bytes.strip_prefix(self.start.as_bytes()) else { return true };
        if rest.is_empty() && self.start.is_empty() {
            return true;
        }
        for capture in &self.captures {
            // Where the text behind it is missing, a capture takes what is left.
            let whole = capture.until.needle().is_empty();
            let found = if whole { None } else { capture.until.find(rest) };
            let value = &rest[..found.unwrap_or(rest.len())];
            if let Some(label) = &capture.label {
                fields.extract_bytes(label, value);
            }
            let Some(at) = found else { break };
            rest = &rest[at + capture.until.needle().len()..];
        }
        true
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| pattern {}", Quoted(&self.text))
    }
}
