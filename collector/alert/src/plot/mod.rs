//! Plots of mails: our own SVG, drawn without a font of the system, and its PNG.

mod axis;
mod data;
mod font;
mod png;
#[cfg(test)]
pub(crate) mod samples;
mod svg;
#[cfg(test)]
mod tests;

pub use data::{Bad, Limit, MARKS, Mark, PlotData, PlotSeries, Theme};
pub use png::{PNG_BYTES, PlotError, png};
pub use svg::{HEIGHT, WIDTH, svg};

pub(crate) use axis::with_unit;
