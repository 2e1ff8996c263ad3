//! Memory that programs can still have without swapping, per cent of all.

use std::path::{Path, PathBuf};

use super::keys::{KeyError, Keys};
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;
use crate::sources::parse;

pub(super) const MEMINFO: &str = "meminfo";

struct Memory {
    meminfo: PathBuf,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, proc: &Path) -> Result<Probe, KeyError> {
    let limits = Limits::of(keys, Limits::at_least(10.0, 5.0));
    Ok(Probe::Look(Box::new(Memory { meminfo: proc.join(MEMINFO), limits })))
}

/// These fields of meminfo, in bytes.
pub(super) fn fields<const N: usize>(meminfo: &Path, host: &mut Host, names: [&str; N]) -> Result<[f64; N], String> {
    let text = host.read(meminfo)?;
    let mut values = [f64::NAN; N];
    for line in parse::lines(text) {
        let mut words = parse::words(line);
        let Some(field) = words.next().and_then(|word| word.strip_suffix(b":")) else { continue };
        let place = names.iter().position(|name| name.as_bytes() == field);
        if let (Some(place), Some(value)) = (place, words.next().and_then(parse::number)) {
            values[place] = value * 1024.0;
        }
    }
    match values.iter().position(|value| value.is_nan()) {
        Some(missing) => Err(format!("/proc/meminfo has no {}", names[missing])),
        None => Ok(values),
    }
}

impl Look for Memory {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let [total, available] = fields(&self.meminfo, host, ["MemTotal", "MemAvailable"])?;
        let value = if total > 0.0 { 100.0 * available / total } else { 0.0 };
        let words = format!(
            "{} available, {} of {}",
            Unit::Percent.show(value),
            Unit::Bytes.show(available),
            Unit::Bytes.show(total)
        );
        let percent = Reading::new("available", value, Unit::Percent, self.limits, words);
        let bytes = Reading::new("available_bytes", available, Unit::Bytes, Limits::default(), "");
        Ok(outcome(
            "MEMORY",
            vec![
                Reading { bounds: (Some(0.0), Some(100.0)), ..percent },
                Reading { bounds: (Some(0.0), Some(total)), ..bytes },
            ],
        ))
    }
}
