//! Whether the types of an expression fit, with Prometheus' texts. Runs after the whole text was parsed, so that a
//! slip in writing is told before a misfit of types.

use crate::promql::ast::{Aggregate, Binary, Call, Expr, Kind, Side, ValueType};
use crate::promql::functions::Arity;
use crate::promql::parser::{Fault, Parsed};

pub(crate) fn check(expr: &Expr) -> Parsed<()> {
    match &expr.kind {
        Kind::Number(_) | Kind::Text(_) | Kind::Selector(_) | Kind::Range(_) => Ok(()),
        Kind::Paren(inner) => check(inner),
        Kind::Unary(unary) => {
            check(&unary.inner)?;
            match unary.inner.ty {
                ValueType::Scalar | ValueType::Vector => Ok(()),
                ty => Err(Fault::new(
                    expr.span.start,
                    format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got \"{ty}\""
                    ),
                )),
            }
        }
        Kind::Subquery(subquery) => {
            check(&subquery.inner)?;
            match subquery.inner.ty {
                ValueType::Vector => Ok(()),
                ty => Err(Fault::new(
                    expr.span.start,
                    format!("subquery is only allowed on instant vector, got {ty} instead"),
                )),
            }
        }
        Kind::Aggregate(aggregate) => check_aggregate(aggregate),
        Kind::Call(call) => check_call(call, expr),
        Kind::Binary(_) => check_chain(expr),
    }
}

fn check_aggregate(aggregate: &Aggregate) -> Parsed<()> {
    expect(&aggregate.inner, ValueType::Vector, "aggregation expression")?;
    match (&aggregate.param, aggregate.op.param()) {
        (Some(param), Some(wanted)) => expect(param, wanted, "aggregation parameter"),
        _ => Ok(()),
    }
}

fn expect(expr: &Expr, wanted: ValueType, context: &str) -> Parsed<()> {
    check(expr)?;
    if expr.ty == wanted {
        return Ok(());
    }
    let message = format!("expected type {wanted} in {context}, got {}{}", expr.ty, remedy(wanted, expr.ty));
    Err(Fault::new(expr.span.start, message))
}

/// What to write instead, where that is clear.
fn remedy(wanted: ValueType, got: ValueType) -> &'static str {
    match (wanted, got) {
        (ValueType::Matrix, ValueType::Vector) => ": give it a window, such as [5m]",
        (ValueType::Vector, ValueType::Matrix) => ": apply a function such as rate to the window",
        (ValueType::Vector, ValueType::Scalar) => ": wrap it in vector()",
        (ValueType::Scalar, ValueType::Vector) => ": wrap it in scalar()",
        (ValueType::Text, _) => ": put it in quotes",
        _ => "",
    }
}

fn check_call(call: &Call, expr: &Expr) -> Parsed<()> {
    let (function, count) = (call.function, call.args.len());
    let declared = function.args.len();
    let wrong = |bound: &str, number: usize| {
        let message = format!("expected {bound}{number} argument(s) in call to {:?}, got {count}", function.name);
        Err(Fault::new(expr.span.start, message))
    };
    match function.arity {
        Arity::Exact if count != declared => return wrong("", declared),
        Arity::LastOptional if count + 1 < declared => return wrong("at least ", declared - 1),
        Arity::LastOptional if count > declared => return wrong("at most ", declared),
        Arity::LastRepeats if count + 1 < declared => return wrong("at least ", declared - 1),
        _ => {}
    }
    for (index, arg) in call.args.iter().enumerate() {
        check(arg)?;
        let wanted = function.args[index.min(declared - 1)];
        if arg.ty != wanted {
            let message = format!(
                "expected type {wanted} in call to function {:?}, got {}{}",
                function.name,
                arg.ty,
                remedy(wanted, arg.ty)
            );
            return Err(Fault::new(arg.span.start, message));
        }
    }
    Ok(())
}

/// Operators in a row lean to the left as deep as there are operators: down by a loop, checked on the way up.
fn check_chain(expr: &Expr) -> Parsed<()> {
    let mut chain = Vec::new();
    let mut node = expr;
    while let Kind::Binary(binary) = &node.kind {
        chain.push((node, binary));
        node = &binary.lhs;
    }
    check(node)?;
    while let Some((node, binary)) = chain.pop() {
        check(&binary.rhs)?;
        check_binary(binary, node.span.start)?;
    }
    Ok(())
}

fn check_binary(binary: &Binary, start: usize) -> Parsed<()> {
    let (op, at) = (binary.op, binary.op_span.start);
    let (left, right) = (binary.lhs.ty, binary.rhs.ty);
    let matching = &binary.matching;
    let fail = |at: usize, message: &str| Err(Fault::new(at, message));
    if binary.as_bool && !op.is_comparison() {
        return fail(at, "bool modifier can only be used on comparison operators");
    }
    if op.is_comparison() && !binary.as_bool && left == ValueType::Scalar && right == ValueType::Scalar {
        return fail(at, "comparisons between scalars must use BOOL modifier: write bool after the operator");
    }
    if let Some(label) = matching.labels.iter().find(|label| matching.on && matching.include.contains(label)) {
        return fail(at, &format!("label {label:?} must not occur in ON and GROUP clause at once"));
    }
    for side in [&binary.lhs, &binary.rhs] {
        if !matches!(side.ty, ValueType::Scalar | ValueType::Vector) {
            return fail(side.span.start, "binary expression must contain only scalar and instant vector types");
        }
    }
    let vectors = left == ValueType::Vector && right == ValueType::Vector;
    if !vectors && !matching.labels.is_empty() {
        return fail(start, "vector matching only allowed between instant vectors");
    }
    if vectors && op.is_set() && matching.side != Side::OneToOne {
        return fail(start, &format!("no grouping allowed for {:?} operation", op.text()));
    }
    if !vectors && op.is_set() {
        return fail(start, &format!("set operator {:?} not allowed in binary scalar expression", op.text()));
    }
    Ok(())
}
