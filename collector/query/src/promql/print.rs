//! The canonical form of an expression: what it prints parses to the same tree.

use std::fmt::{Display, Formatter, Result, Write};

use crate::promql::ast::{Aggregate, At, Binary, Expr, Grouping, Kind, Selector, Shift};
use crate::text::write::{Millis, Names, Number, Quoted, matcher_text};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            // With its sign, infinity would print as a sign and a number.
            Kind::Number(f64::INFINITY) => f.write_str("Inf"),
            Kind::Number(value) => write!(f, "{}", Number(*value)),
            Kind::Text(text) => write!(f, "{}", Quoted(text)),
            Kind::Selector(selector) => write!(f, "{}{}", Bare(selector), selector.shift),
            Kind::Range(range) => {
                write!(f, "{}[{}]{}", Bare(&range.selector), Millis(range.range_ms), range.selector.shift)
            }
            Kind::Subquery(subquery) => {
                write!(f, "{}[{}:", subquery.inner, Millis(subquery.range_ms))?;
                if let Some(step) = subquery.step_ms {
                    write!(f, "{}", Millis(step))?;
                }
                write!(f, "]{}", subquery.shift)
            }
            Kind::Call(call) => {
                write!(f, "{}({})", call.function.name, Listed(&call.args))
            }
            Kind::Aggregate(aggregate) => print_aggregate(aggregate, f),
            Kind::Binary(_) => print_chain(self, f),
            Kind::Unary(unary) => write!(f, "{}{}", if unary.minus { '-' } else { '+' }, unary.inner),
            Kind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

fn print_aggregate(aggregate: &Aggregate, f: &mut Formatter<'_>) -> Result {
    f.write_str(aggregate.op.name())?;
    let Grouping { without, labels } = &aggregate.grouping;
    if *without || !labels.is_empty() {
        write!(f, " {} ({}) ", if *without { "without" } else { "by" }, Names(labels))?;
    }
    f.write_char('(')?;
    if let Some(param) = &aggregate.param {
        write!(f, "{param}, ")?;
    }
    write!(f, "{})", aggregate.inner)
}

/// Operators in a row by a loop, since the tree leans as deep as there are operators.
fn print_chain(expr: &Expr, f: &mut Formatter<'_>) -> Result {
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

impl Display for Shift {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.at {
            None => {}
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            Some(At::Millis(ms)) => {
                let sign = if ms < 0 { "-" } else { "" };
                write!(f, " @ {sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)?;
            }
        }
        match self.offset_ms {
            0 => Ok(()),
            ms => write!(f, " offset {}{}", if ms < 0 { "-" } else { "" }, Millis(ms.abs())),
        }
    }
}

/// A selector without its shift.
struct Bare<'a>(&'a Selector);

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Selector { name, matchers, .. } = self.0;
        f.write_str(name.as_deref().unwrap_or(""))?;
        // The name before the braces stands last among the matchers.
        let shown = &matchers[..matchers.len() - usize::from(name.is_some())];
        if shown.is_empty() {
            return Ok(());
        }
        let mut texts: Vec<String> = shown.iter().map(matcher_text).collect();
        texts.sort_unstable();
        write!(f, "{{{}}}", texts.join(","))
    }
}

struct Listed<'a>(&'a [Expr]);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, expr) in self.0.iter().enumerate() {
            write!(f, "{}{expr}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
