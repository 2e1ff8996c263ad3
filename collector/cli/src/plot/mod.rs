//! Lines over time in a terminal: axes, braille dots, a legend, a letter a series so that it reads without colours too.

mod axis;
mod canvas;
mod picture;
mod sparkline;

pub(crate) use axis::short;
pub use picture::{LINES_MAX, Line, Plot};
pub use sparkline::sparkline;

#[cfg(test)]
mod tests;
