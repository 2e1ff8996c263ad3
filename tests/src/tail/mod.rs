//! The tail trial: a writer of numbered lines that rotates its files, a real agent that tails them, a real collector that is
//! asked for every line at the end. Each line must be there once, whole, and in the order of its file.

mod cases;
mod fresh;
mod judge;
mod reader;
mod run;
mod writer;

pub use cases::{Case, Fault, all, by_name};
pub use fresh::first_lines;
pub use judge::{Counts, Judge};
pub use reader::read_all;
pub use run::{Report, run, under_kills};
pub use writer::{Plan, Rotate, Writer};
