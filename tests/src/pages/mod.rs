//! What the pages cost with many hosts: the collector's answers, and a browser that shows them.

mod browser;
mod cost;
mod history;
mod reporting;

pub use browser::{Seen, see};
pub use cost::{Cost, Large};

use std::path::Path;

use anyhow::Result;

/// Measures answers with so many hosts, and with `is_seen` a browser before them: `key=value` words.
///
/// # Errors
/// When the collector or the browser cannot be run, a host is refused or stops reporting.
pub fn trial(programs: &Path, hosts: usize, is_seen: bool) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("muster-pages-").tempdir()?;
    let mut large = Large::start(programs, &folder.path().join("data"), hosts)?;
    let mut words = vec![format!("hosts={hosts}")];
    for (name, path) in [("problems", "/api/muster/v1/problems"), ("fleet", "/api/muster/v1/fleet")] {
        let Cost { first_ms, mean_ms, bytes } = large.cost(path)?;
        words.push(format!("{name}_first_ms={first_ms:.0} {name}_ms={mean_ms:.1} {name}_bytes={bytes}"));
    }
    if is_seen {
        let seen = see(programs, &large, folder.path())?;
        words.extend(seen.iter().map(|(name, value)| format!("{name}={value:.1}")));
    }
    large.check()?;
    Ok(words.join(" "))
}
