//! The tree of an expression. Every node knows its place in the text, its type, and whether its value is the same at
//! every step (so that it is evaluated once).

use muster_common::matcher::Matcher;

use crate::promql::functions::Function;
pub(crate) use crate::text::fault::Span;
pub(crate) use crate::vector::ops::{AggregateOp, BinaryOp, Grouping, Matching, Side};

/// The four types of PromQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::Text => "string",
        })
    }
}

/// An expression whose types fit. Prints itself in canonical form.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    pub(crate) ty: ValueType,
    /// The value does not change from step to step.
    pub(crate) invariant: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Number(f64),
    Text(String),
    Selector(Selector),
    Range(RangeSelector),
    Subquery(Box<Subquery>),
    Call(Call),
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Unary(Box<Unary>),
    Paren(Box<Expr>),
}

/// `name{matchers} @ at offset by`.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    /// Counts the selectors of one expression from 0.
    pub(crate) id: usize,
    /// The name before the braces; it is among the matchers too.
    pub(crate) name: Option<String>,
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift,
}

/// `@` and `offset`, which move the time of a selector or subquery.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shift {
    pub(crate) at: Option<At>,
    pub(crate) offset_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    Millis(i64),
    Start,
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct RangeSelector {
    pub(crate) selector: Selector,
    pub(crate) range_ms: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Subquery {
    pub(crate) inner: Expr,
    pub(crate) range_ms: i64,
    pub(crate) step_ms: Option<i64>,
    pub(crate) shift: Shift,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) function: &'static Function,
    pub(crate) args: Vec<Expr>,
}

#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) param: Option<Expr>,
    pub(crate) inner: Expr,
    pub(crate) grouping: Grouping,
}

impl AggregateOp {
    /// The type of the parameter before the vector, for those that take one.
    pub(crate) fn param(self) -> Option<ValueType> {
        match self {
            Self::Topk | Self::Bottomk | Self::Quantile => Some(ValueType::Scalar),
            Self::CountValues => Some(ValueType::Text),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    pub(crate) op_span: Span,
    pub(crate) lhs: Expr,
    pub(crate) rhs: Expr,
    /// `bool`: compare to 0 or 1 instead of filtering.
    pub(crate) as_bool: bool,
    pub(crate) matching: Matching,
}

#[derive(Clone, Debug)]
pub(crate) struct Unary {
    pub(crate) minus: bool,
    pub(crate) inner: Expr,
}

impl Expr {
    pub fn value_type(&self) -> ValueType {
        self.ty
    }

    pub(crate) fn new(kind: Kind, span: Span) -> Self {
        let (ty, invariant) = match &kind {
            Kind::Number(_) => (ValueType::Scalar, true),
            Kind::Text(_) => (ValueType::Text, true),
            Kind::Selector(selector) => (ValueType::Vector, selector.shift.at.is_some()),
            Kind::Range(range) => (ValueType::Matrix, range.selector.shift.at.is_some()),
            Kind::Subquery(subquery) => (ValueType::Matrix, subquery.shift.at.is_some()),
            Kind::Call(call) => {
                (call.function.result, !call.function.follows_time && call.args.iter().all(|arg| arg.invariant))
            }
            Kind::Aggregate(aggregate) => {
                let param = aggregate.param.as_ref().is_none_or(|param| param.invariant);
                (ValueType::Vector, param && aggregate.inner.invariant)
            }
            Kind::Binary(binary) => {
                let scalars = binary.lhs.ty == ValueType::Scalar && binary.rhs.ty == ValueType::Scalar;
                let ty = if scalars { ValueType::Scalar } else { ValueType::Vector };
                (ty, binary.lhs.invariant && binary.rhs.invariant)
            }
            Kind::Unary(unary) => (unary.inner.ty, unary.inner.invariant),
            Kind::Paren(inner) => (inner.ty, inner.invariant),
        };
        Self { kind, span, ty, invariant }
    }

    /// This expression without the brackets around it.
    pub(crate) fn bare(&self) -> &Self {
        let mut expr = self;
        while let Kind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The shift of a selector, range or subquery; `None` for what cannot be shifted.
    pub(crate) fn shift_mut(&mut self) -> Option<&mut Shift> {
        match &mut self.kind {
            Kind::Selector(selector) => Some(&mut selector.shift),
            Kind::Range(range) => Some(&mut range.selector.shift),
            Kind::Subquery(subquery) => Some(&mut subquery.shift),
            _ => None,
        }
    }
}
