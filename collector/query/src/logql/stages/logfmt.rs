//! `| logfmt` makes labels of `key=value "pairs"`, `| logfmt a="b"` of those that are named. `--strict` makes an error of
//! what is no pair, `--keep-empty` keeps keys without a value.

use std::borrow::Cow;
use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::json::unescape;
use crate::logql::lexer::TokenKind;
use crate::logql::parser::Parser;
use crate::logql::stages::extraction::{self, Extraction, Listed, push_name};
use crate::logql::stages::{Line, Stage};
use crate::text::fault::{Fault, Parsed};

#[derive(Debug)]
pub(crate) struct Logfmt {
    strict: bool,
    keep_empty: bool,
    named: Vec<Extraction>,
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let (mut strict, mut keep_empty) = (false, false);
    while parser.peek().kind == TokenKind::Flag {
        let token = parser.take();
        match parser.own(token) {
            "--strict" => strict = true,
            "--keep-empty" => keep_empty = true,
            other => {
                let message = format!("unknown parser flag {other}: there are --strict and --keep-empty");
                return Err(Fault::new(token.span.start, message));
            }
        }
    }
    Ok(Arc::new(Logfmt { strict, keep_empty, named: extraction::read(parser)? }))
}

/// One pair, or what stands in its place and where.
type Pair<'a> = Result<(&'a [u8], Cow<'a, str>), (usize, char)>;

/// Shows each pair of a line until `each` answers `false`.
fn pairs<'a>(line: &'a [u8], mut each: impl FnMut(Pair<'a>) -> bool) {
    let mut at = 0;
    while at < line.len() {
        if line[at] <= b' ' {
            at += 1;
            continue;
        }
        let start = at;
        at += line[at..].iter().take_while(|byte| **byte > b' ' && !matches!(byte, b'=' | b'"')).count();
        let key = &line[start..at];
        let pair = match line.get(at) {
            Some(b'=') if !key.is_empty() => {
                at += 1;
                value(line, &mut at).map(|value| (key, value))
            }
            Some(byte @ (b'=' | b'"')) => Err((at, char::from(*byte))),
            _ => Ok((key, Cow::Borrowed(""))),
        };
        if pair.is_err() {
            // On with the next pair.
            at += line[at..].iter().take_while(|byte| **byte > b' ').count();
        }
        if !each(pair) {
            return;
        }
    }
}

/// The value after `=`, in quotes or up to white space.
fn value<'a>(line: &'a [u8], at: &mut usize) -> Result<Cow<'a, str>, (usize, char)> {
    let start = *at;
    if line.get(start) == Some(&b'"') {
        let mut end = start + 1;
        loop {
            match memchr::memchr2(b'"', b'\\', line.get(end..).unwrap_or_default()) {
                None => {
                    *at = line.len();
                    return Err((start, '"'));
                }
                Some(length) if line[end + length] == b'"' => {
                    *at = end + length + 1;
                    return Ok(unescape(&line[start + 1..end + length]));
                }
                Some(length) => end += length + 2,
            }
        }
    }
    let length = line[start..].iter().take_while(|byte| **byte > b' ').count();
    *at = start + length;
    let own = &line[start..start + length];
    match own.iter().position(|byte| matches!(byte, b'=' | b'"')) {
        Some(wrong) => Err((start + wrong, char::from(own[wrong]))),
        None => Ok(String::from_utf8_lossy(own)),
    }
}

impl Stage for Logfmt {
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool {
        if fields.nothing_wanted() {
            return true;
        }
        let mut name = String::new();
        pairs(&line.bytes, |pair| match pair {
            Ok((_, value)) if value.is_empty() && !self.keep_empty => true,
            Ok((key, value)) => {
                name.clear();
                push_name(&mut name, &String::from_utf8_lossy(key));
                if self.named.is_empty() {
                    if !name.is_empty() {
                        fields.extract(&name, &value);
                    }
                } else {
                    for one in self.named.iter().filter(|one| one.path == name) {
                        fields.extract(&one.label, &value);
                    }
                }
                true
            }
            Err((at, wrong)) if self.strict => {
                let reason = format!("logfmt syntax error at pos {} : unexpected {wrong:?}", at + 1);
                fields.fail_parse("LogfmtParserErr", &reason);
                false
            }
            Err(_) => true,
        });
        true
    }
}

impl Display for Logfmt {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let strict = if self.strict { " --strict" } else { "" };
        let keep = if self.keep_empty { " --keep-empty" } else { "" };
        write!(f, "| logfmt{strict}{keep}{}", Listed(&self.named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_what_is_none_is_placed() {
        let line = b"a=1 b=\"x \\\" y\" flag ==bad c=d=e d=\"open";
        let mut all = Vec::new();
        pairs(line, |pair| {
            all.push(pair.map(|(key, value)| format!("{}:{value}", String::from_utf8_lossy(key))));
            true
        });
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(all, [ok("a:1"), ok("b:x \" y"), ok("flag:"), Err((20, '=')), Err((29, '=')), Err((34, '"'))]);
    }
}
