//! The canonical form of an expression: what it prints parses to the same tree.

use std::fmt::{Display, Formatter, Result};

use crate::logql::ast::{Binary, Kind, LogExpr, LogSelector, RangeAggregation};
use crate::text::write::{Names, Number, Quoted, log_matcher_text};
use crate::vector::ops::Grouping;

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            Kind::Lines(log) => write!(f, "{log}"),
            Kind::Range(range) => write!(f, "{range}"),
            Kind::Aggregate(aggregate) => {
                f.write_str(aggregate.op.name())?;
                if let Some(grouping) = &aggregate.grouping {
                    write!(f, " {} ", Grouped(grouping))?;
                }
                match aggregate.count {
                    Some(count) => write!(f, "({count}, {})", aggregate.inner),
                    None => write!(f, "({})", aggregate.inner),
                }
            }
            Kind::Binary(_) => print_chain(self, f),
            Kind::Replace(replace) => {
                write!(f, "label_replace({}", replace.inner)?;
                replace.texts.iter().try_for_each(|text| write!(f, ", {}", Quoted(text)))?;
                f.write_str(")")
            }
            Kind::Vector(value) => write!(f, "vector({})", Number(*value)),
            Kind::Number(value) => write!(f, "{}", Number(*value)),
            Kind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

/// Operators in a row by a loop, since the tree leans as deep as there are operators.
fn print_chain(expr: &LogExpr, f: &mut Formatter<'_>) -> Result {
    let mut chain: Vec<&Binary> = Vec::new();
    let mut node = expr;
    while let Kind::Binary(binary) = &node.kind {
        chain.push(binary);
        node = &binary.lhs;
    }
    write!(f, "{node}")?;
    for binary in chain.iter().rev() {
        let bool = if binary.as_bool { " bool" } else { "" };
        write!(f, " {}{bool}{} {}", binary.op.text(), binary.matching, binary.rhs)?;
    }
    Ok(())
}

struct Grouped<'a>(&'a Grouping);

impl Display for Grouped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} ({})", if self.0.without { "without" } else { "by" }, Names(&self.0.labels))
    }
}

impl Display for LogSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let texts: Vec<String> = self.matchers.iter().map(log_matcher_text).collect();
        write!(f, "{{{}}}", texts.join(", "))?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}(", self.op.name)?;
        if let Some(param) = self.param {
            write!(f, "{}, ", Number(param))?;
        }
        write!(f, "{}", self.log)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        write!(f, " [{}]", Nanos(self.range_ns))?;
        if self.offset_ns != 0 {
            let sign = if self.offset_ns < 0 { "-" } else { "" };
            write!(f, " offset {sign}{}", Nanos(self.offset_ns.saturating_abs()))?;
        }
        f.write_str(")")?;
        match &self.grouping {
            Some(grouping) => write!(f, " {}", Grouped(grouping)),
            None => Ok(()),
        }
    }
}

/// A duration as Go writes it, whole units only: `1h30m`, `5ms`.
struct Nanos(i64);

impl Display for Nanos {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const UNITS: [(&str, i64); 6] = [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut left = self.0;
        for (unit, ns) in UNITS {
            if left >= ns {
                write!(f, "{}{unit}", left / ns)?;
                left %= ns;
            }
        }
        Ok(())
    }
}
