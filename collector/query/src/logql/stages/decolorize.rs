//! `| decolorize` takes terminal colors out of a line.

use std::borrow::Cow;
use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::{Line, Stage};
use crate::text::fault::Parsed;

#[derive(Debug)]
pub(crate) struct Decolorize;

#[expect(clippy::unnecessary_wraps, reason = "the table of stages sets the type")]
pub(crate) fn read(_: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    Ok(Arc::new(Decolorize))
}

/// Bytes of the escape sequence that begins with the ESC at the start; 1 where it is none.
fn sequence(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        // CSI: parameters, then one final byte.
        Some(b'[') => {
            let parameters = bytes[2..].iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
            2 + parameters + usize::from(bytes.get(2 + parameters).is_some())
        }
        // OSC: up to BEL or ESC \.
        Some(b']') => match memchr::memchr2(0x07, 0x1b, &bytes[2..]) {
            Some(at) if bytes[2 + at] == 0x07 => 3 + at,
            Some(at) if bytes.get(3 + at) == Some(&b'\\') => 4 + at,
            _ => 2,
        },
        Some(b'(' | b')' | b'#') => bytes.len().min(3),
        Some(_) => 2,
        None => 1,
    }
}

impl Stage for Decolorize {
    fn run(&self, line: &mut Line<'_>, _: &mut Fields) -> bool {
        if memchr::memchr(0x1b, &line.bytes).is_none() {
            return true;
        }
        let mut plain = Vec::with_capacity(line.bytes.len());
        let mut rest = &*line.bytes;
        while let Some(at) = memchr::memchr(0x1b, rest) {
            plain.extend_from_slice(&rest[..at]);
            rest = &rest[at + sequence(&rest[at..])..];
        }
        plain.extend_from_slice(rest);
        line.bytes = Cow::Owned(plain);
        true
    }

    fn changes_line(&self) -> bool {
        true
    }
}

impl Display for Decolorize {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("| decolorize")
    }
}
