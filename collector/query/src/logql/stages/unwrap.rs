//! `| unwrap label`, `| unwrap duration(label)`, `| unwrap bytes(label)`: the number of a line is that of its label.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::Stage;
use crate::logql::units;
use crate::text::fault::{Fault, Parsed};

#[derive(Clone, Debug)]
pub(crate) struct Unwrap {
    pub(crate) label: String,
    conversion: Conversion,
    /// Label filters behind it: they see the error of a value that is no number.
    pub(crate) filters: Vec<Arc<dyn Stage>>,
}

#[derive(Clone, Copy, Debug)]
enum Conversion {
    Number,
    /// To seconds.
    Duration,
    Bytes,
}

impl Unwrap {
    /// Reads from the `|` on; filters behind it are the caller's to read.
    pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Self> {
        parser.expect_sign("|")?;
        parser.take();
        let at = parser.peek().span.start;
        let name = parser.name("a label, duration(label) or bytes(label)")?;
        if parser.take_sign("(").is_none() {
            return Ok(Self { label: name, conversion: Conversion::Number, filters: Vec::new() });
        }
        let conversion = match name.as_str() {
            "duration" | "duration_seconds" => Conversion::Duration,
            "bytes" => Conversion::Bytes,
            _ => {
                let message = format!("no such conversion {name:?}: there are duration, duration_seconds and bytes");
                return Err(Fault::new(at, message));
            }
        };
        let label = parser.name("a label name")?;
        parser.expect_sign(")")?;
        Ok(Self { label, conversion, filters: Vec::new() })
    }

    /// The number of a line; `None` where it has no such label. What is no number is 0 and an error.
    pub(crate) fn value(&self, fields: &mut Fields) -> Option<f64> {
        let text = fields.get(&self.label).filter(|text| !text.is_empty())?;
        let value = match self.conversion {
            Conversion::Number => units::float(text),
            Conversion::Duration => units::duration_ns(text).map(|ns| ns / 1e9),
            Conversion::Bytes => units::bytes(text),
        };
        Some(value.unwrap_or_else(|reason| {
            fields.fail("SampleExtractionErr", &reason);
            0.0
        }))
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.conversion {
            Conversion::Number => write!(f, "| unwrap {}", self.label)?,
            Conversion::Duration => write!(f, "| unwrap duration({})", self.label)?,
            Conversion::Bytes => write!(f, "| unwrap bytes({})", self.label)?,
        }
        self.filters.iter().try_for_each(|filter| write!(f, " {filter}"))
    }
}
