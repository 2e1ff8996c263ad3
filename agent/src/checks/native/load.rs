//! The load averages, whole or per core. Without limits they are only told.

use std::path::{Path, PathBuf};

use super::keys::{KeyError, Keys};
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;
use crate::sources::{ProcFile, Shape, parse};

const MINUTES: [&str; 3] = ["1", "5", "15"];

struct Load {
    loadavg: PathBuf,
    stat: PathBuf,
    per_core: bool,
    /// Place of the average that the limits are about.
    judged: usize,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, proc: &Path) -> Result<Probe, KeyError> {
    let minutes = keys.text("minutes").unwrap_or("5");
    let Some(judged) = MINUTES.iter().position(|known| *known == minutes) else {
        return Err(KeyError::new(
            "minutes",
            format!("`{minutes}` is no average of the kernel"),
            "write \"1\", \"5\" or \"15\"",
        ));
    };
    Ok(Probe::Look(Box::new(Load {
        loadavg: proc.join("loadavg"),
        stat: proc.join("stat"),
        per_core: keys.flag("per_core").unwrap_or(false),
        judged,
        limits: Limits::of(keys, Limits::default()),
    })))
}

impl Load {
    fn cores(&self, host: &mut Host) -> Result<f64, String> {
        let mut stat = ProcFile::new(&self.stat, Shape::LongLines);
        let text = stat.read(&mut host.scratch).map_err(|error| error.to_string())?;
        let is_core =
            |line: &&[u8]| line.strip_prefix(b"cpu").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit));
        let cores = parse::lines(text).filter(is_core).count();
        Ok(cores.max(1) as f64)
    }
}

impl Look for Load {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let cores = if self.per_core { self.cores(host)? } else { 1.0 };
        let text = parse::trimmed(host.read(&self.loadavg)?);
        let averages: Vec<f64> = parse::words(text).take(3).filter_map(parse::number).collect();
        let [one, five, fifteen] = averages[..] else { return Err("/proc/loadavg has no three numbers".to_owned()) };
        let mut readings = Vec::new();
        for (place, value) in [one, five, fifteen].into_iter().enumerate() {
            let value = value / cores;
            let limits = if place == self.judged { self.limits } else { Limits::default() };
            let unit = if self.per_core { " per core" } else { "" };
            let words = format!("{}{unit} over {} min", Unit::Number.show(value), MINUTES[place]);
            readings.push(Reading::new(format!("load{}", MINUTES[place]), value, Unit::Number, limits, words));
        }
        Ok(outcome("LOAD", readings))
    }
}
