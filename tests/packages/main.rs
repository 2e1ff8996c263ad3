//! The packages, as people get them: made of the programs that are built, looked at by lintian, rpm and systemd-analyze, and lived through
//! in a minimal Debian root. Needs root, for chroot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod booted;
mod contents;
mod guides;
mod installer;
mod life;
mod made;
mod rpm_life;
mod settings;
mod units;

use std::time::Duration;

/// Longer than anything here takes on a starved machine; a test that waits this long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
