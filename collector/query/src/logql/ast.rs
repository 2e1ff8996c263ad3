//! The tree of a log query. Stages of pipelines are objects: each knows how to run and how to write itself.

use std::sync::Arc;

use muster_common::matcher::{LabelRegex, Matcher, Test};

use crate::error::QueryError;
use crate::logql::eval::range_ops::{RangeOp, find};
use crate::logql::stages::Stage;
use crate::logql::stages::unwrap::Unwrap;
use crate::text::fault::Span;
use crate::vector::ops::{AggregateOp, BinaryOp, Grouping, Matching};

/// A LogQL expression: lines, or numbers made of them. Prints itself in canonical form.
#[derive(Clone, Debug)]
pub struct LogExpr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

impl LogExpr {
    /// `sum by (labels) (bytes_over_time({matchers, label=~".+"} [range]))`: what Loki's `index/volume` asks.
    ///
    /// # Errors
    /// [`QueryError`]: never, unless a function of the language is gone.
    pub(crate) fn volume(matchers: &[Matcher], range_ns: i64, by: &[String]) -> Result<Self, QueryError> {
        let internal = |what: &str| QueryError::execution(format!("internal error: {what}"));
        let op = find("bytes_over_time").ok_or_else(|| internal("no function bytes_over_time"))?;
        let mut log = LogSelector { matchers: matchers.to_vec(), stages: Vec::new() };
        let filled = LabelRegex::new(".+").map_err(|error| internal(&error.to_string()))?;
        let named = |name: &&String| !matchers.iter().any(|matcher| matcher.name == **name);
        let present = |name: &String| Matcher { name: name.clone(), test: Test::Regex(filled.clone()) };
        log.matchers.extend(by.iter().filter(named).map(present));
        let range = RangeAggregation { op, param: None, log, unwrap: None, range_ns, offset_ns: 0, grouping: None };
        let span = Span { start: 0, end: 0 };
        let mut labels = by.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let sum = Aggregate {
            op: VectorOp::Fold(AggregateOp::Sum),
            count: None,
            inner: Self { kind: Kind::Range(Box::new(range)), span },
            grouping: Some(Grouping { without: false, labels }),
        };
        Ok(Self { kind: Kind::Aggregate(Box::new(sum)), span })
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Lines(LogSelector),
    Range(Box<RangeAggregation>),
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Replace(Box<Replace>),
    Vector(f64),
    Number(f64),
    Paren(Box<LogExpr>),
}

/// `{matchers} | stages`.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogSelector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) stages: Vec<Arc<dyn Stage>>,
}

/// `op(param, selector [range] offset) by (labels)`. Times in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct RangeAggregation {
    pub(crate) op: &'static RangeOp,
    pub(crate) param: Option<f64>,
    pub(crate) log: LogSelector,
    pub(crate) unwrap: Option<Unwrap>,
    pub(crate) range_ns: i64,
    pub(crate) offset_ns: i64,
    pub(crate) grouping: Option<Grouping>,
}

#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: VectorOp,
    /// How many series `topk` and `bottomk` keep.
    pub(crate) count: Option<u32>,
    pub(crate) inner: LogExpr,
    pub(crate) grouping: Option<Grouping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VectorOp {
    Fold(AggregateOp),
    Sort { descending: bool },
}

impl VectorOp {
    const ALL: [(&'static str, Self); 11] = [
        ("sum", Self::Fold(AggregateOp::Sum)),
        ("avg", Self::Fold(AggregateOp::Avg)),
        ("min", Self::Fold(AggregateOp::Min)),
        ("max", Self::Fold(AggregateOp::Max)),
        ("count", Self::Fold(AggregateOp::Count)),
        ("stddev", Self::Fold(AggregateOp::Stddev)),
        ("stdvar", Self::Fold(AggregateOp::Stdvar)),
        ("topk", Self::Fold(AggregateOp::Topk)),
        ("bottomk", Self::Fold(AggregateOp::Bottomk)),
        ("sort", Self::Sort { descending: false }),
        ("sort_desc", Self::Sort { descending: true }),
    ];

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, op)| *op)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn counts(self) -> bool {
        matches!(self, Self::Fold(AggregateOp::Topk | AggregateOp::Bottomk))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    pub(crate) op_span: Span,
    pub(crate) lhs: LogExpr,
    pub(crate) rhs: LogExpr,
    pub(crate) as_bool: bool,
    pub(crate) matching: Matching,
}

/// `label_replace(inner, "to", "replacement", "from", "pattern")`.
#[derive(Clone, Debug)]
pub(crate) struct Replace {
    pub(crate) inner: LogExpr,
    /// The four texts in their order.
    pub(crate) texts: [String; 4],
}

impl LogExpr {
    /// Whether it answers numbers rather than lines.
    pub fn is_metric(&self) -> bool {
        self.lines().is_none()
    }

    /// The matchers of its stream selector; none of a metric expression.
    pub fn matchers(&self) -> &[Matcher] {
        self.lines().map_or(&[], |log| &log.matchers)
    }

    pub(crate) fn lines(&self) -> Option<&LogSelector> {
        match &self.bare().kind {
            Kind::Lines(log) => Some(log),
            _ => None,
        }
    }

    /// A number rather than a vector.
    pub(crate) fn is_number(&self) -> bool {
        match &self.bare().kind {
            Kind::Number(_) => true,
            Kind::Binary(_) => {
                let mut node = self.bare();
                while let Kind::Binary(binary) = &node.kind {
                    if !binary.rhs.is_number() {
                        return false;
                    }
                    node = binary.lhs.bare();
                }
                node.is_number()
            }
            _ => false,
        }
    }

    /// This expression without the brackets around it.
    pub(crate) fn bare(&self) -> &Self {
        let mut expr = self;
        while let Kind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
