//! Vectors over a grid of steps: what PromQL and LogQL do alike with series once they have values.
//!
//! `rows` holds values and holes, `labels` what series are called, `grid` the steps. `window` finds the samples of each
//! step, `over_time` and `rate` make one value of them. `aggregate` with `fold` and `topk`, `binary` with `matching`,
//! `relabel` and `sort` work on rows. Times have any unit, the same for grid and samples. Nothing here knows a language,
//! but `ops` names what both can write.

pub(crate) mod aggregate;
pub(crate) mod binary;
pub(crate) mod fold;
pub(crate) mod grid;
pub(crate) mod labels;
pub(crate) mod matching;
pub(crate) mod meter;
pub(crate) mod ops;
pub(crate) mod over_time;
pub(crate) mod rate;
pub(crate) mod relabel;
pub(crate) mod rows;
pub(crate) mod sort;
pub(crate) mod sum;
pub(crate) mod topk;
pub(crate) mod window;
