//! How long ago a file was written: a backup, a marker of a job, a queue's head.

use std::path::{Path, PathBuf};

use muster_common::check::CheckState;
use muster_common::time::Timestamp;

use super::keys::{KeyError, Keys};
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Host, Look, Probe, Touch};
use crate::checks::outcome::Outcome;
use crate::fence::is_outside;

struct FileAge {
    path: PathBuf,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let path = PathBuf::from(keys.required("path", "/var/backups/db.dump")?);
    let limits = Limits::of(keys, Limits::default());
    if limits == Limits::default() {
        return Err(KeyError::new(
            "crit",
            "is missing, and `warn` too",
            "write the greatest age, such as `crit = \"26h\"`",
        ));
    }
    Ok(Probe::SlowLook(Box::new(FileAge { path, limits })))
}

pub(super) fn touches(keys: &Keys) -> Vec<Touch> {
    keys.text("path").map(|path| Touch::File { key: "path", path: PathBuf::from(path) }).into_iter().collect()
}

impl Look for FileAge {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let path = self.path.display();
        let file = match host.metadata(&self.path) {
            Ok(file) => file,
            Err(error) if is_outside(&error) => {
                return Err(format!("{path} is not looked at: {error}; add its folder to `paths` under [remote]"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Outcome::line(CheckState::Critical, format!("FILE CRITICAL - {path} is not there")));
            }
            Err(error) => return Err(format!("{path} cannot be looked at ({error}): check the rights of its folder")),
        };
        let modified = file.modified().map_err(|error| format!("{path} has no time: {error}"))?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let written = Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        let age = host.now.since(written).as_secs_f64();
        let words = format!("{path} was written {} ago", Unit::Seconds.show(age));
        Ok(outcome(
            "FILE",
            vec![
                Reading::new("age", age, Unit::Seconds, self.limits, words),
                Reading::new("size", file.len() as f64, Unit::Bytes, Limits::default(), ""),
            ],
        ))
    }
}
