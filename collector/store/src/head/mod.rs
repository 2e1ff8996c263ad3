//! Heads: the samples of generations that are not flushed, in memory.

mod generation;
pub(crate) mod index;
mod slot;
mod stamps;

pub(crate) use generation::{Head, HeadReader};
