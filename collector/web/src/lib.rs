//! The pages, inside the program: built by `cargo xtask web` from `collector/web/ui`, embedded, and served compressed.
//!
//! [`router`] has a route for each page and one for the files that pages load; whatever else is asked for stays the API's. The pages know
//! nothing but the public API, so this crate knows nothing of ours. `PAGES.md` tells how they are made.

mod answer;
mod encoding;
mod files;
mod routes;

pub use files::is_built;
pub use routes::{PAGES, router};

/// What pages may do: load scripts, styles, pictures and answers from here, and nothing else from anywhere. No script or style that stands in
/// a page or in an attribute's text runs, so that a log line or a label that gets into one by mistake does nothing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[cfg(test)]
mod tests;
