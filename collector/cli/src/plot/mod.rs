//! Numbers over time in a terminal: lines of braille dots with axes, or bars; a legend, a letter a series so that it reads without colours too.

mod axis;
mod bars;
mod canvas;
mod picture;
mod sparkline;

pub(crate) use axis::short;
pub use picture::{LINES_MAX, Line, Plot};
pub use sparkline::sparkline;

#[cfg(test)]
mod tests;
