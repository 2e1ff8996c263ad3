//! Inodes of file systems: per cent in use. File systems that make inodes as they need them have none to run out of.

use std::path::Path;

use super::keys::{KeyError, Keys};
use super::mounts::Chosen;
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;

struct Inode {
    chosen: Chosen,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let limits = Limits::of(keys, Limits::at_most(90.0, 95.0));
    Ok(Probe::SlowLook(Box::new(Inode { chosen: Chosen::of(keys), limits })))
}

impl Look for Inode {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let mut readings = Vec::new();
        for usage in self.chosen.usages(host)?.into_iter().filter(|usage| usage.stat.f_files > 0) {
            let used = usage.stat.f_files.saturating_sub(usage.stat.f_ffree) as f64;
            let value = 100.0 * used / usage.stat.f_files as f64;
            let words = format!("{} {} of inodes used", usage.point, Unit::Percent.show(value));
            let reading = Reading::new(usage.point, value, Unit::Percent, self.limits, words);
            readings.push(Reading { bounds: (Some(0.0), Some(100.0)), ..reading });
        }
        if readings.is_empty() {
            return Ok(Outcome::line(
                muster_common::check::CheckState::Ok,
                "INODE OK - no file system here limits them",
            ));
        }
        Ok(outcome("INODE", readings))
    }
}
