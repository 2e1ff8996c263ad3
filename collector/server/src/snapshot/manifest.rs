//! `manifest.json`: what a snapshot is and the sum of every file of it. Written last: a folder without one is no snapshot.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use muster_common::digest::{Sha256, Sum};
use muster_common::disk::Disk;
use muster_common::disk::copy::{read_all, write_new};
use muster_store::StoreCounts;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use super::keys::{SEALED_HTTP_KEY, SEALED_KEYS};

pub(crate) const FILE_NAME: &str = "manifest.json";
/// Of the manifest and of the folder's layout.
pub(crate) const VERSION: u32 = 1;
/// A million files with long names.
const BYTES_MAX: u64 = 256 << 20;
const HEAD: &str = "{\"sha256\":\"";
const MIDDLE: &str = "\",\"manifest\":";
const TAIL: &str = "}\n";

/// What a snapshot is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    /// The folder's name when it was made.
    pub id: String,
    /// 32 hexadecimal digits.
    pub store: String,
    pub incarnation: u64,
    /// The version of the collector that made it.
    pub collector: String,
    pub made_ms: i64,
    /// How long commits were held for it, microseconds.
    pub barrier_us: u64,
    /// The last generation of the inbox that is in it.
    pub generation: u64,
    pub keys: Keys,
    /// `None`: made of a folder that was not opened.
    pub counts: Option<Counts>,
    /// Where the files of `config/` lay.
    pub config: BTreeMap<String, String>,
    /// Files with secrets that the configuration names: they are not in it.
    pub secret_files: Vec<String>,
    /// By path from the snapshot's folder.
    pub files: BTreeMap<String, Entry>,
}

/// What became of the private keys of the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// In `ca-keys.sealed`, under the operator's key, and beside it that of HTTPS.
    Sealed,
    /// Nowhere: after a restore every host must enrol anew.
    LeftOut,
    /// In `data/state.redb`, as in the data folder: of a copy that was made before a change of formats, which lies beside it.
    Plain,
}

/// A file's length and sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub bytes: u64,
    /// SHA-256, as `sha256sum` prints it.
    pub sha256: String,
}

/// What must be found in it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub segments: u64,
    pub samples: u64,
    pub lines: u64,
    pub events: u64,
    pub inbox_files: u64,
    pub inbox_entries: u64,
    /// Rows of `state.redb` by table.
    pub rows: BTreeMap<String, u64>,
}

impl Counts {
    pub(crate) fn new(store: StoreCounts, rows: BTreeMap<String, u64>) -> Self {
        let StoreCounts { segments, samples, lines, events, inbox_files, inbox_entries } = store;
        Self { segments, samples, lines, events, inbox_files, inbox_entries, rows }
    }

    /// The first number that is another, in words.
    pub(crate) fn difference(&self, found: &Self) -> Option<String> {
        let numbers = |counts: &Self| {
            [
                ("segments", counts.segments),
                ("samples in segments", counts.samples),
                ("log lines in segments", counts.lines),
                ("events in segments", counts.events),
                ("inbox files", counts.inbox_files),
                ("inbox entries", counts.inbox_entries),
            ]
        };
        let pairs = numbers(self).into_iter().zip(numbers(found));
        let pairs = pairs.map(|((what, here), (_, there))| (what.to_owned(), here, there));
        let tables = self.rows.keys().chain(found.rows.keys()).map(|table| {
            let rows = |counts: &Self| counts.rows.get(table).copied().unwrap_or(0);
            (format!("rows of `{table}` in state.redb"), rows(self), rows(found))
        });
        let (what, expected, found) = pairs.chain(tables).find(|(_, expected, found)| expected != found)?;
        Some(format!("it has {found} {what}, but {expected} when it was made"))
    }
}

impl Manifest {
    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|entry| entry.bytes).sum()
    }

    /// Whether the key of HTTPS is sealed in it: the collector had one.
    pub fn has_http_key(&self) -> bool {
        self.files.contains_key(SEALED_HTTP_KEY)
    }

    /// What the seal of the CA's keys is bound to.
    pub(crate) fn about(store: &str, id: &str) -> Vec<u8> {
        format!("muster snapshot {store} {id}").into_bytes()
    }

    fn encode(&self) -> String {
        // Texts, numbers and maps with text keys: JSON has a form for all of them.
        let body = serde_json::to_string(self).unwrap_or_default();
        format!("{HEAD}{}{MIDDLE}{body}{TAIL}", Sha256::of(body.as_bytes()))
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self, SnapshotError> {
        let damaged = || SnapshotError::refused(path, "it is cut off or damaged");
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        let rest = text.strip_prefix(HEAD).ok_or_else(damaged)?;
        let (sum, rest) = rest.split_at_checked(64).ok_or_else(damaged)?;
        let body = rest.strip_prefix(MIDDLE).and_then(|rest| rest.strip_suffix(TAIL)).ok_or_else(damaged)?;
        if Sum::parse(sum) != Some(Sha256::of(body.as_bytes())) {
            return Err(damaged());
        }
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // Its bytes are as they were written: what cannot be read is of another version.
        let Version { version } = serde_json::from_str(body).map_err(|_| damaged())?;
        if version > VERSION || version == 0 {
            return Err(SnapshotError::Refused {
                place: format!("`{}`", path.display()),
                what: format!("the snapshot has version {version}, but this collector knows {VERSION} at most"),
                remedy: "restore it with the collector that made it, or a later one",
            });
        }
        let manifest: Self = serde_json::from_str(body).map_err(|_| damaged())?;
        if let Some(file) = manifest.files.keys().find(|file| !is_inside(file)) {
            return Err(SnapshotError::refused(path, format!("it names `{file}`, which is no path within a snapshot")));
        }
        Ok(manifest)
    }

    /// The manifest of the snapshot in this folder.
    ///
    /// # Errors
    /// [`SnapshotError`] with what is wrong with it.
    pub(crate) fn read(disk: &dyn Disk, folder: &Path) -> Result<Self, SnapshotError> {
        let path = folder.join(FILE_NAME);
        match read_all(disk, &path, BYTES_MAX) {
            Ok(bytes) => Self::decode(&bytes, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let what = "there is no manifest.json, so this is no complete snapshot";
                Err(SnapshotError::Refused {
                    place: format!("`{}`", folder.display()),
                    what: what.to_owned(),
                    remedy: "name the folder of one, `muster snapshot list` shows them",
                })
            }
            Err(error) => Err(SnapshotError::disk("read", &path)(error)),
        }
    }

    /// Makes the folder a snapshot, durably.
    pub(crate) fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), SnapshotError> {
        let (path, new) = (folder.join(FILE_NAME), folder.join("manifest.json.new"));
        write_new(disk, &new, self.encode().as_bytes()).map_err(SnapshotError::disk("write", &new))?;
        disk.rename(&new, &path).map_err(SnapshotError::disk("rename", &new))?;
        disk.sync_dir(folder).map_err(SnapshotError::disk("sync folder", folder))
    }
}

/// The paths that a snapshot may have: nothing leads out of its folder.
fn is_inside(file: &str) -> bool {
    let path = PathBuf::from(file);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_))) && path.to_str() == Some(file);
    // `a//b` and `a/` are the same path under another name.
    let is_itself = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    is_plain
        && is_itself
        && (file.starts_with("data/") || file.starts_with("config/") || [SEALED_KEYS, SEALED_HTTP_KEY].contains(&file))
}

#[cfg(test)]
pub(crate) mod tests {
    use muster_common::disk::cut::CutDisk;

    use super::*;

    pub(crate) fn manifest() -> Manifest {
        let entry = Entry { bytes: 3, sha256: Sha256::of(b"abc").to_string() };
        Manifest {
            version: VERSION,
            id: "20260131T140000Z-00000001".into(),
            store: "07".repeat(16),
            incarnation: 1,
            collector: "0.1.0".into(),
            made_ms: 1_769_868_000_000,
            barrier_us: 4_500,
            generation: 7,
            keys: Keys::Sealed,
            counts: Some(Counts { samples: 9, rows: [("hosts".to_owned(), 2)].into(), ..Counts::default() }),
            config: [("config/collector.toml".to_owned(), "/etc/muster/collector.toml".to_owned())].into(),
            secret_files: vec!["/etc/muster/smtp".into()],
            files: [("data/catalog.redb".to_owned(), entry)].into(),
        }
    }

    #[test]
    fn every_bit_of_a_manifest_counts() {
        let (path, manifest) = (Path::new("m"), manifest());
        let text = manifest.encode();
        assert_eq!(Manifest::decode(text.as_bytes(), path).unwrap(), manifest);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["manifest"]["files"]["data/catalog.redb"]["bytes"], 3);
        for end in 0..text.len() {
            assert!(Manifest::decode(&text.as_bytes()[..end], path).is_err(), "cut at {end}");
        }
        for place in 0..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[place] ^= 1;
            let told = Manifest::decode(&flipped, path).unwrap_err().to_string();
            assert!(told.contains("`m`: it is cut off or damaged: take another copy"), "{place}: {told}");
        }
    }

    #[test]
    fn a_later_version_and_paths_that_lead_out_are_refused_by_name() {
        let told = |manifest: Manifest| {
            Manifest::decode(manifest.encode().as_bytes(), Path::new("m")).unwrap_err().to_string()
        };
        let newer = told(Manifest { version: 2, ..manifest() });
        assert!(
            newer.contains("has version 2, but this collector knows 1 at most: restore it with the collector"),
            "{newer}"
        );
        let entry = manifest().files.remove("data/catalog.redb").unwrap();
        for path in ["../x", "/etc/passwd", "data/../../x", "data/./x", "data//x", "data/x/", "other/x", "", "data/"] {
            let told = told(Manifest { files: [(path.to_owned(), entry.clone())].into(), ..manifest() });
            assert!(told.contains("no path within a snapshot"), "{path}: {told}");
        }
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_snapshot() {
        let disk = CutDisk::new(1);
        let folder = Path::new("/s");
        disk.create_dir_all(folder).unwrap();
        let told = Manifest::read(&disk, folder).unwrap_err().to_string();
        assert!(told.contains("no complete snapshot"), "{told}");
        manifest().write(&disk, folder).unwrap();
        disk.cut();
        assert_eq!(Manifest::read(&disk, folder).unwrap(), manifest());
    }

    #[test]
    fn numbers_that_differ_are_told() {
        let made = manifest().counts.unwrap();
        assert_eq!(made.difference(&made.clone()), None);
        let fewer = Counts { samples: 8, ..made.clone() };
        assert_eq!(made.difference(&fewer).unwrap(), "it has 8 samples in segments, but 9 when it was made");
        let none = Counts { rows: BTreeMap::new(), ..made.clone() };
        assert_eq!(made.difference(&none).unwrap(), "it has 0 rows of `hosts` in state.redb, but 2 when it was made");
    }
}
