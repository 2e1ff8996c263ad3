//! LogQL, as Loki 3 reads and answers it.
//!
//! Text goes through `lexer` and `parser` (with `selector` for what stands in and behind braces) to a tree (`ast`),
//! whose pipelines are `stages`. `pipeline` runs them on one line after the other, with its labels in `fields`. `eval`
//! gathers lines into streams, or into numbers over a grid of steps, with which `vector` goes on as in PromQL.
//! `template`, `json` and `units` read what stages need. `print` writes a tree in canonical form.
//!
//! The way of a line that a filter drops allocates nothing: texts to search go down to the store with the request, line
//! filters run before labels are looked at, parsers extract only labels that anyone asks for.

pub(crate) mod ast;
pub(crate) mod eval;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod lexer;
pub(crate) mod parse;
pub(crate) mod parser;
pub(crate) mod pipeline;
pub(crate) mod print;
pub(crate) mod selector;
pub(crate) mod source;
pub(crate) mod stages;
pub(crate) mod template;
pub(crate) mod units;

#[cfg(test)]
mod naive;
#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;

pub(crate) use crate::text::near::nearest;
