//! Room on file systems, as `df` counts it: what is free is what ordinary users can have.

use std::path::Path;

use super::keys::{KeyError, Keys};
use super::mounts::{Chosen, Usage};
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;

/// What the limits are about.
#[derive(Clone, Copy, PartialEq)]
enum Measure {
    UsedPercent,
    FreePercent,
    UsedBytes,
    FreeBytes,
}

const MEASURES: [(&str, Measure); 4] = [
    ("used_percent", Measure::UsedPercent),
    ("free_percent", Measure::FreePercent),
    ("used_bytes", Measure::UsedBytes),
    ("free_bytes", Measure::FreeBytes),
];

struct Disk {
    chosen: Chosen,
    measure: Measure,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let named = keys.text("measure").unwrap_or("used_percent");
    let Some((_, measure)) = MEASURES.into_iter().find(|(name, _)| *name == named) else {
        let names = MEASURES.map(|(name, _)| name).join(", ");
        return Err(KeyError::new("measure", format!("`{named}` is none"), format!("write one of {names}")));
    };
    let defaults = match measure {
        Measure::UsedPercent => Limits::at_most(90.0, 95.0),
        Measure::FreePercent => Limits::at_least(10.0, 5.0),
        Measure::UsedBytes | Measure::FreeBytes => Limits::default(),
    };
    Ok(Probe::SlowLook(Box::new(Disk { chosen: Chosen::of(keys), measure, limits: Limits::of(keys, defaults) })))
}

impl Look for Disk {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let usages = self.chosen.usages(host)?;
        Ok(outcome("DISK", usages.into_iter().map(|usage| self.reading(usage)).collect()))
    }
}

impl Disk {
    fn reading(&self, usage: Usage) -> Reading {
        let Usage { point, stat } = usage;
        let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
        let (total, free) = (bytes(stat.f_blocks), bytes(stat.f_bavail));
        let used = bytes(stat.f_blocks.saturating_sub(stat.f_bfree));
        // What only the administrator can have is neither.
        let percent = |part: f64| if used + free > 0.0 { 100.0 * part / (used + free) } else { 0.0 };
        let (value, unit, word, most) = match self.measure {
            Measure::UsedPercent => (percent(used), Unit::Percent, "used", 100.0),
            Measure::FreePercent => (percent(free), Unit::Percent, "free", 100.0),
            Measure::UsedBytes => (used, Unit::Bytes, "used", total),
            Measure::FreeBytes => (free, Unit::Bytes, "free", total),
        };
        let words = format!("{point} {} {word}", unit.show(value));
        Reading { bounds: (Some(0.0), Some(most)), ..Reading::new(point, value, unit, self.limits, words) }
    }
}
