//! What parsers share: label names from foreign keys, and lists of `label="path"`.

use std::fmt::{Display, Formatter};

use crate::logql::lexer::TokenKind;
use crate::logql::parser::Parser;
use crate::text::fault::{Fault, Parsed, Span};
use crate::text::write::Quoted;

/// Labels that one stage may name.
const NAMED_MAX: usize = 256;

/// `label="path"`; `label` alone is its own path.
#[derive(Clone, Debug)]
pub(crate) struct Extraction {
    pub(crate) label: String,
    pub(crate) path: String,
    pub(crate) place: Span,
}

/// The list behind `json` or `logfmt`; may be empty.
pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Vec<Extraction>> {
    let mut all: Vec<Extraction> = Vec::new();
    while parser.peek().kind == TokenKind::Word && !parser.is_word("offset") {
        let place = parser.peek().span;
        let label = parser.name("a label")?;
        let (path, place) = match parser.take_sign("=") {
            Some(_) => parser.quoted("STRING")?,
            None => (label.clone(), place),
        };
        if all.iter().any(|one| one.label == label) {
            return Err(Fault::new(place.start, format!("duplicate extracted label name '{label}': name it once")));
        }
        all.push(Extraction { label, path, place });
        if all.len() > NAMED_MAX {
            return Err(Fault::new(place.start, format!("more than {NAMED_MAX} labels: name the needed ones")));
        }
        if parser.take_sign(",").is_none() {
            break;
        }
    }
    Ok(all)
}

/// Writes a list behind the name of its stage.
pub(crate) struct Listed<'a>(pub(crate) &'a [Extraction]);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            write!(f, "{} {}={}", if index > 0 { "," } else { "" }, one.label, Quoted(&one.path))?;
        }
        Ok(())
    }
}

/// Appends a key as a part of a label's name: what no name may have becomes `_`, and none begins with a digit.
pub(crate) fn push_name(name: &mut String, key: &str) {
    let key = key.trim();
    if name.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push('_');
    }
    name.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
}
