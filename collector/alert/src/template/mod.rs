//! Templates of annotations and labels: Go's text/template as Prometheus documents it for rules.
//!
//! `lexer` and `parse` make the tree of `ast`; `exec` walks it over the values of `value`, with the functions of the one table in
//! `functions`. Every run is bounded in steps, depth and output, since labels come from hosts and may hold anything; what goes wrong becomes the
//! text `<error expanding template: ...>`, as in Prometheus, and is counted by the caller.

mod ast;
mod compare;
mod escape;
mod exec;
mod functions;
mod humanize;
mod lexer;
mod number;
mod parse;
mod printf;
#[cfg(test)]
mod tests;
mod value;

#[cfg(test)]
use exec::OUTPUT_BYTES_MAX;
pub use exec::{Asked, Scope};
pub use parse::{Template, TemplateError};
