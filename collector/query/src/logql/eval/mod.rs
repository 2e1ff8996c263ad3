//! Evaluation: lines into streams, lines into numbers over a grid of steps.

mod aggregate;
mod collect;
mod evaluator;
mod lines;
pub(crate) mod range_ops;

pub(crate) use evaluator::Evaluator;
pub(crate) use lines::lines;
