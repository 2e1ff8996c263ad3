//! `| line_format "{{.status}} {{__line__}}"` makes a new line from a template.

use std::borrow::Cow;
use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::{Line, Stage};
use crate::logql::template::Template;
use crate::text::fault::{Fault, Parsed, Span, Trouble};
use crate::text::write::Quoted;

#[derive(Debug)]
pub(crate) struct LineFormat {
    template: Template,
}

/// The template in the next text. Faults point into it where no escape stands in the way.
pub(crate) fn template(parser: &mut Parser<'_>) -> Parsed<Template> {
    let (text, place) = parser.quoted("STRING")?;
    parse(parser, &text, place)
}

fn parse(parser: &Parser<'_>, text: &str, place: Span) -> Parsed<Template> {
    Template::parse(text).map_err(|(at, trouble)| {
        let exact = parser.text.get(place.start + 1..place.end - 1) == Some(text);
        let at = if exact { place.start + 1 + at } else { place.start };
        match trouble {
            Trouble::Wrong(message) => Fault::new(at, format!("invalid template: {message}")),
            Trouble::Refused(what, remedy) => Fault::refused(at, what, remedy),
        }
    })
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    Ok(Arc::new(LineFormat { template: template(parser)? }))
}

impl Stage for LineFormat {
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool {
        match self.template.write(line.at_ns, &line.bytes, fields) {
            Ok(text) => line.bytes = Cow::Owned(text.into_bytes()),
            Err(reason) => fields.fail("TemplateFormatErr", &reason),
        }
        true
    }

    fn reads(&self, names: &mut Vec<String>) {
        self.template.reads(names);
    }

    fn changes_line(&self) -> bool {
        true
    }
}

impl Display for LineFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| line_format {}", Quoted(&self.template.text))
    }
}
