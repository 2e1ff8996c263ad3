//! A notice and its evidence as a mail: words, HTML, plot, headers. Pure: settings, notice and evidence in, MIME out.
//!
//! The text part is complete in itself; HTML says the same with the plot. Every value comes from hosts or people and is cleaned and bounded
//! before a template sees it. ALERTING.md, "Mail", tells what stands where.

#[cfg(test)]
mod browser;
mod digest;
mod evidence;
mod forecast;
mod letter;
mod mime;
#[cfg(test)]
pub(crate) mod samples;
mod templates;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub use digest::digest;
pub use evidence::{Before, Earlier, Evidence, LogLine, Moment, Neighbour, Reading, Suspected};
pub use letter::{Letter, MailSettings, Place, render};
pub use mime::{MAIL_BYTES, MailError};
pub use templates::{TemplateError, Templates};

pub(crate) use forecast::forecast;
pub(crate) use view::lead;
