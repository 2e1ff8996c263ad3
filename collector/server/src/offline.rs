//! The commands of the collector's program that need no collector to run: `restore` and `verify-snapshot`.

use std::path::Path;
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_fleet::SnapshotKey;
use muster_server::command_line::{Restore, VerifySnapshot};
use muster_server::snapshot::{self, Keys, Manifest, Restored, SnapshotError};
use muster_server::{Lock, chain};

fn key(disk: &dyn Disk, path: Option<&Path>) -> Result<Option<SnapshotKey>, SnapshotError> {
    path.map(|path| snapshot::read_key(disk, path)).transpose()
}

pub(crate) fn restore(asked: &Restore) -> Result<String, String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let told = |error: SnapshotError| chain(&error);
    let key = key(&*disk, asked.key_file.as_deref()).map_err(told)?;
    // So that no collector opens it meanwhile.
    let _lock = Lock::take(&asked.data).map_err(|error| chain(&error))?;
    let done = snapshot::restore(&disk, &asked.from, &asked.data, key.as_ref(), asked.verify).map_err(told)?;
    let Restored { manifest, lost_keys } = &done;
    let mut lines = vec![format!("restored `{}` of {}", asked.data.display(), of(manifest))];
    if let Some(to) = &asked.config_to {
        snapshot::restore_config(&*disk, &asked.from, to, manifest).map_err(told)?;
        let to = to.display();
        lines.push(format!(
            "the configuration lies in `{to}`: copy it to where it was, readable by user muster-collector"
        ));
    } else if !manifest.config.is_empty() {
        let folder = asked.from.join("config");
        lines.push(format!("the configuration that was in force lies in `{}`", folder.display()));
    }
    for (file, lay) in &manifest.config {
        lines.push(format!("  {file} was {lay}"));
    }
    if !manifest.secret_files.is_empty() {
        lines.push(format!("not in the snapshot, to be put back by hand: {}", manifest.secret_files.join(", ")));
    }
    if *lost_keys {
        lines.push(
            "the keys of the CA and of HTTPS were left out of the snapshot: a new CA is made, every host must enrol anew, and pins are void".to_owned(),
        );
    }
    lines.push(
        "let user muster-collector own the folder (chown -R), then start the collector: agents go on by themselves"
            .to_owned(),
    );
    Ok(lines.join("\n"))
}

pub(crate) fn verify(asked: &VerifySnapshot) -> Result<String, String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let told = |error: SnapshotError| chain(&error);
    let key = key(&*disk, asked.key_file.as_deref()).map_err(told)?;
    let manifest = snapshot::verify(&disk, &asked.snapshot, key.as_ref()).map_err(told)?;
    let mut lines = vec![format!("whole: {}", of(&manifest))];
    if let Some(counts) = &manifest.counts {
        lines.push(format!(
            "{} segments with {} samples, {} log lines, {} events; {} entries in {} inbox files; {} hosts",
            counts.segments,
            counts.samples,
            counts.lines,
            counts.events,
            counts.inbox_entries,
            counts.inbox_files,
            counts.rows.get("hosts").copied().unwrap_or(0)
        ));
    }
    lines.push(match (manifest.keys, key.is_some()) {
        (Keys::Sealed, true) if manifest.has_http_key() => "this key opens the CA's keys and that of HTTPS".to_owned(),
        (Keys::Sealed, true) => "this key opens the CA's keys".to_owned(),
        (Keys::Sealed, false) => {
            "the CA's keys are sealed: give --key-file to know whether a key opens them".to_owned()
        }
        (Keys::LeftOut, _) => "the CA's keys were left out: after a restore every host must enrol anew".to_owned(),
        (Keys::Plain, _) => "the CA's keys are in it as in the data folder: keep it as closed as that".to_owned(),
    });
    Ok(lines.join("\n"))
}

fn of(manifest: &Manifest) -> String {
    let (files, mib) = (manifest.files.len(), manifest.bytes().div_ceil(1 << 20));
    format!("snapshot {} ({files} files, {mib} MiB, made by version {})", manifest.id, manifest.collector)
}
