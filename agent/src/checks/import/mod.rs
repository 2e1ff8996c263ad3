//! `muster-agent check import nrpe.cfg`: what NRPE runs, as `[[checks]]`.
//!
//! [`nrpe_file`] reads the files with what they include, [`words`] cuts a command line as a shell would and refuses by name what only a shell
//! can do, [`convert`] decides what is taken, [`toml_text`] writes it. Nothing is guessed: what was not taken is told with its line.

mod convert;
mod nrpe_file;
#[cfg(test)]
mod tests;
mod toml_text;
mod words;

pub use convert::{Imported, Left, Taken};
pub use nrpe_file::ImportError;

/// Reads NRPE's configuration and all that it includes.
///
/// # Errors
/// [`ImportError`] when the first file cannot be read; what included ones lack is told in [`Imported::left`].
pub fn import(path: &std::path::Path) -> Result<Imported, ImportError> {
    Ok(convert::convert(&nrpe_file::read(path)?))
}
