//! Swap in use, per cent. A host without swap is well.

use std::path::{Path, PathBuf};

use muster_common::check::CheckState;

use super::keys::{KeyError, Keys};
use super::memory::{MEMINFO, fields};
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;

struct Swap {
    meminfo: PathBuf,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, proc: &Path) -> Result<Probe, KeyError> {
    Ok(Probe::Look(Box::new(Swap {
        meminfo: proc.join(MEMINFO),
        limits: Limits::of(keys, Limits::at_most(50.0, 80.0)),
    })))
}

impl Look for Swap {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let [total, free] = fields(&self.meminfo, host, ["SwapTotal", "SwapFree"])?;
        if total <= 0.0 {
            return Ok(Outcome::line(CheckState::Ok, "SWAP OK - this host has none"));
        }
        let used = total - free;
        let value = 100.0 * used / total;
        let words =
            format!("{} used, {} of {}", Unit::Percent.show(value), Unit::Bytes.show(used), Unit::Bytes.show(total));
        let reading = Reading::new("used", value, Unit::Percent, self.limits, words);
        Ok(outcome("SWAP", vec![Reading { bounds: (Some(0.0), Some(100.0)), ..reading }]))
    }
}
