//! What the pages cost with many hosts: the collector's answers, and a browser that shows them.

mod browser;
mod cost;
mod history;
mod reporting;

pub use browser::{Seen, see};
pub use cost::{Cost, Large};
