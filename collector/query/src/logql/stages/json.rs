//! `| json` makes labels of a JSON line's fields, `| json a="b.c[0]"` of those that are named.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::json::{Read, Reader, Value, unescape};
use crate::logql::parser::Parser;
use crate::logql::stages::extraction::{self, Extraction, Listed, push_name};
use crate::logql::stages::{Line, Stage};
use crate::text::fault::{Fault, Parsed};

#[derive(Debug)]
pub(crate) struct Json {
    named: Vec<Extraction>,
    /// As many as named.
    paths: Vec<Vec<Step>>,
}

/// One step of a path such as `a.b[0]["c d"]`.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Steps of one path: objects of a line are no deeper.
const STEPS_MAX: usize = 64;

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let named = extraction::read(parser)?;
    let mut paths = Vec::new();
    for one in &named {
        let steps = path(&one.path).filter(|steps| !steps.is_empty() && steps.len() <= STEPS_MAX);
        paths.push(steps.ok_or_else(|| {
            let message = format!("cannot parse expression [{}]: write a path such as a.b[0][\"c d\"]", one.path);
            Fault::new(one.place.start, message)
        })?);
    }
    Ok(Arc::new(Json { named, paths }))
}

fn path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let (key, after) = inner.split_once("\"]")?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        } else {
            let own = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = own.find(['.', '[']).unwrap_or(own.len());
            let key = &own[..end];
            if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            rest = &own[end..];
        }
    }
    Some(steps)
}

/// Sets labels of all fields; those of inner objects get the names above before theirs.
fn all(object: &[u8], above: &str, fields: &mut Fields) -> Read<()> {
    let mut name = String::new();
    Reader::new(object).object(&mut |key, value| {
        name.clear();
        if !above.is_empty() {
            name.push_str(above);
            name.push('_');
        }
        push_name(&mut name, &unescape(key));
        match value {
            Value::Text(raw) => fields.extract(&name, &unescape(raw)),
            Value::Plain(raw) => fields.extract_bytes(&name, raw),
            // No deeper than the reader lets objects be.
            Value::Object(inner) => all(inner, &name, fields)?,
            Value::Null | Value::Array(_) => {}
        }
        Ok(())
    })
}

/// The value at the end of a path.
fn find<'a>(line: &'a [u8], steps: &[Step]) -> Read<Option<Value<'a>>> {
    let mut value = Value::Object(line);
    for step in steps {
        value = match (step, value) {
            (Step::Key(wanted), Value::Object(object)) => {
                let mut found = None;
                Reader::new(object).object(&mut |key, value| {
                    if found.is_none() && unescape(key) == wanted.as_str() {
                        found = Some(value);
                    }
                    Ok(())
                })?;
                match found {
                    Some(value) => value,
                    None => return Ok(None),
                }
            }
            (Step::Index(wanted), Value::Array(array)) => match Reader::new(array).element(*wanted)? {
                Some(value) => value,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
    }
    Ok(Some(value))
}

impl Json {
    fn named(&self, line: &[u8], fields: &mut Fields) -> Read<()> {
        for (one, path) in self.named.iter().zip(&self.paths) {
            match find(line, path)? {
                Some(Value::Text(raw)) => fields.extract(&one.label, &unescape(raw)),
                Some(Value::Plain(raw) | Value::Object(raw) | Value::Array(raw)) => {
                    fields.extract_bytes(&one.label, raw);
                }
                Some(Value::Null) | None => fields.extract(&one.label, ""),
            }
        }
        Ok(())
    }
}

impl Stage for Json {
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool {
        if fields.nothing_wanted() {
            return true;
        }
        let read = if self.named.is_empty() { all(&line.bytes, "", fields) } else { self.named(&line.bytes, fields) };
        if let Err(reason) = read {
            fields.fail_parse("JSONParserErr", &reason);
        }
        true
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| json{}", Listed(&self.named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_keys_and_indexes() {
        let key = |text: &str| Step::Key(text.to_owned());
        assert_eq!(path("a.b[0][\"c d\"].e"), Some(vec![key("a"), key("b"), Step::Index(0), key("c d"), key("e")]));
        for text in ["a..b", "a[", "a[x]", "[\"a", "a b", "."] {
            assert_eq!(path(text), None, "{text}");
        }
    }
}
