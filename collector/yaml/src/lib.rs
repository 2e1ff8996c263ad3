//! YAML as a tree whose every node knows its place, so that all mistakes of a file can be told at once.
//!
//! Scalars are kept as they were written, since Prometheus reads `severity: 1` as a text, and with what YAML takes them for. Pure: text in, tree or
//! mistake out; a file that unfolds to more than its bounds is refused before it is there.

mod place;
mod raw;
mod tree;

pub use place::Place;
pub use tree::{Bounds, Key, NoYaml, Node, Plain, Yaml};
