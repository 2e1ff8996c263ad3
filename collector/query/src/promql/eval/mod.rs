//! Evaluation of a tree over a grid of steps. An instant query is a grid of one step.

mod aggregate;
mod binary;
mod evaluator;
mod notes;
mod select;
mod subquery;
mod window;

#[cfg(test)]
mod naive;

pub(crate) use crate::vector::grid::Grid;
pub(crate) use crate::vector::labels::{SeriesLabels, compare};
pub(crate) use crate::vector::rows::{ABSENT, Out, Row, Rows, Scalar};
pub(crate) use crate::vector::sum::Sum;
pub(crate) use crate::vector::window::{Kernel, Scratch, Windows};
pub(crate) use evaluator::Evaluator;
