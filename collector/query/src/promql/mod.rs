//! PromQL, as Prometheus 3 reads and answers it.
//!
//! Text goes through `lexer` and `parser` to a tree (`ast`), whose types `typecheck` tests; `eval` walks the tree over
//! a grid of steps, with the `functions` of the table. `print` writes a tree in canonical form.
//!
//! Series by series: a selector's columns are decoded arrays; a window slides over them once and yields one value a
//! step; what follows works on those rows. Nothing is allocated per step, labels are touched once per series.

pub(crate) mod ast;
pub(crate) mod eval;
pub(crate) mod functions;
pub(crate) mod lexer;
pub(crate) mod parser;
pub(crate) mod print;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod selector;
pub(crate) mod suffix;
pub(crate) mod typecheck;
pub(crate) mod uses;
