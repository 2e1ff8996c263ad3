//! Evaluation of a tree over a grid of steps. An instant query is a grid of one step.

mod aggregate;
mod binary;
mod evaluator;
mod fold;
mod grid;
mod labels;
mod matching;
mod notes;
mod rows;
mod select;
mod subquery;
mod sum;
mod topk;
mod window;

#[cfg(test)]
mod naive;

pub(crate) use evaluator::Evaluator;
pub(crate) use fold::quantile;
pub(crate) use grid::Grid;
pub(crate) use labels::{SeriesLabels, compare};
pub(crate) use rows::{ABSENT, Out, Row, Rows, Scalar};
pub(crate) use sum::{Mean, Sum};
pub(crate) use window::{Kernel, Scratch, Windows};
