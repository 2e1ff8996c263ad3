//! The certificate of HTTPS: of two files, or of the embedded CA; which of them is in force, and when another one is.
//!
//! A change never ends a connection: the next handshake takes the new certificate. What is bad changes nothing, and is told.

mod certificates;
mod files;
mod in_force;
mod own;
mod watch;

pub(crate) use certificates::Certificates;
pub(crate) use own::KEY_FILE_NAME;
pub(crate) use watch::run;

use muster_common::time::Timestamp;

use crate::config::Config;

/// Whether the files that this configuration names can be used now.
///
/// # Errors
/// What is wrong with them, with place and remedy.
pub fn check(config: &Config, now: Timestamp) -> Result<(), String> {
    match config.http.certificate() {
        Some(files) => files::load(&files).and_then(|loaded| files::check_dates(&files, &loaded, now)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
