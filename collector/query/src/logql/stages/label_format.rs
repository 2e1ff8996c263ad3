//! `| label_format new=old, text="{{.a}}-{{.b}}"` renames labels and sets them from templates.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::{ERROR, Fields};
use crate::logql::lexer::TokenKind;
use crate::logql::parser::Parser;
use crate::logql::stages::line_format::template;
use crate::logql::stages::{Line, Stage};
use crate::logql::template::Template;
use crate::text::fault::{Fault, Parsed};
use crate::text::write::Quoted;

#[derive(Debug)]
pub(crate) struct LabelFormat {
    formats: Vec<(String, Format)>,
}

#[derive(Debug)]
enum Format {
    Rename(String),
    Template(Template),
}

/// Labels that one stage may set.
const FORMATS_MAX: usize = 64;

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let mut formats: Vec<(String, Format)> = Vec::new();
    loop {
        let at = parser.peek().span.start;
        let label = parser.name("a label name")?;
        if label == ERROR {
            return Err(Fault::new(at, format!("{ERROR} cannot be formatted: choose another name")));
        }
        if formats.iter().any(|(own, _)| *own == label) {
            let message = format!("multiple label name '{label}' not allowed in a single format operation: use two");
            return Err(Fault::new(at, message));
        }
        if formats.len() >= FORMATS_MAX {
            return Err(Fault::new(at, format!("more than {FORMATS_MAX} labels in one label_format: use two")));
        }
        parser.expect_sign("=")?;
        let format = if parser.peek().kind == TokenKind::Word {
            Format::Rename(parser.name("a label name")?)
        } else {
            Format::Template(template(parser)?)
        };
        formats.push((label, format));
        if parser.take_sign(",").is_none() {
            return Ok(Arc::new(LabelFormat { formats }));
        }
    }
}

impl LabelFormat {
    /// What each template makes of the labels as they are now.
    fn texts(&self, line: &Line<'_>, fields: &Fields) -> Vec<Option<Result<String, String>>> {
        let text = |(_, format): &(String, Format)| match format {
            Format::Rename(_) => None,
            Format::Template(template) => Some(template.write(line.at_ns, &line.bytes, fields)),
        };
        self.formats.iter().map(text).collect()
    }
}

impl Stage for LabelFormat {
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool {
        // As in Loki, templates do not see what templates of the same stage set.
        let mut texts: Option<Vec<_>> = None;
        for (index, (label, format)) in self.formats.iter().enumerate() {
            if let Format::Rename(from) = format {
                let Some(value) = fields.get(from).map(str::to_owned) else { continue };
                fields.set(label, &value);
                if from != label {
                    fields.remove(from);
                }
                continue;
            }
            let texts = texts.get_or_insert_with(|| self.texts(line, fields));
            match texts[index].take() {
                Some(Ok(value)) => fields.set(label, &value),
                Some(Err(reason)) => fields.fail("TemplateFormatErr", &reason),
                None => {}
            }
        }
        true
    }

    fn reads(&self, names: &mut Vec<String>) {
        for (_, format) in &self.formats {
            match format {
                Format::Rename(from) => names.push(from.clone()),
                Format::Template(template) => template.reads(names),
            }
        }
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("| label_format")?;
        for (index, (label, format)) in self.formats.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match format {
                Format::Rename(from) => write!(f, "{comma} {label}={from}")?,
                Format::Template(template) => write!(f, "{comma} {label}={}", Quoted(&template.text))?,
            }
        }
        Ok(())
    }
}
