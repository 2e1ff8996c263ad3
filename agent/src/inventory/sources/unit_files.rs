//! Unit files of systemd in their folders: for hosts whose bus does not answer, and for what the bus does not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::super::scene::{SMALL_BYTES, Stamp};
use super::{Problem, Scene};

/// In the order in which systemd looks; the first file of a name counts. Not those of running programs, which come and go.
pub(in super::super) const FOLDERS: [&str; 4] =
    ["etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
/// Files of one folder: distributions have some 400.
const FILES_MAX: usize = 10_000;

/// One unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct UnitFile {
    /// As on the host, with `/` before it.
    pub(super) path: String,
    /// `masked`: a link to nothing; `alias`: to another unit.
    link: Option<&'static str>,
}

/// By name.
pub(in super::super) type UnitFiles = BTreeMap<String, UnitFile>;

/// What a unit's file says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct UnitHead {
    pub(super) description: Option<String>,
    has_install: bool,
}

/// All unit files. Folders are listed again only when a name in one of them came, went or changed.
pub(super) fn find(scene: &Scene) -> Result<Arc<UnitFiles>, Problem> {
    let stamps: Vec<Stamp> = FOLDERS.iter().map(|folder| scene.stamp(folder)).collect();
    if let Some((before, found)) = &scene.memory.borrow().unit_files
        && *before == stamps
    {
        return Ok(Arc::clone(found));
    }
    let found = Arc::new(list(scene)?);
    scene.memory.borrow_mut().unit_files = Some((stamps, Arc::clone(&found)));
    Ok(found)
}

fn list(scene: &Scene) -> Result<UnitFiles, Problem> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        for name in scene.list(folder, FILES_MAX)? {
            if !is_unit(&name) || found.contains_key(&name) {
                continue;
            }
            let path = format!("{folder}/{name}");
            let link = std::fs::read_link(scene.path(&path)).ok();
            let link = link.and_then(|target| match target.to_str() {
                Some("/dev/null") => Some("masked"),
                _ if target.file_name() != Some(name.as_ref()) => Some("alias"),
                _ => None,
            });
            found.insert(name, UnitFile { path: format!("/{path}"), link });
        }
    }
    Ok(found)
}

fn is_unit(name: &str) -> bool {
    const KINDS: [&str; 6] = [".service", ".socket", ".target", ".timer", ".path", ".automount"];
    KINDS.iter().any(|end| name.len() > end.len() && name.ends_with(end))
}

/// Names that are linked to be started with others: what is enabled.
pub(super) fn enabled(scene: &Scene) -> Result<BTreeSet<String>, Problem> {
    let mut enabled = BTreeSet::new();
    for folder in [FOLDERS[0], "run/systemd/system"] {
        for name in scene.list(folder, FILES_MAX)? {
            if name.ends_with(".wants") || name.ends_with(".requires") {
                enabled.extend(scene.list(&format!("{folder}/{name}"), FILES_MAX)?);
            }
        }
    }
    Ok(enabled)
}

impl UnitFile {
    /// systemd's word for it, as `systemctl list-unit-files` has it.
    pub(super) fn state(&self, name: &str, enabled: &BTreeSet<String>, head: &UnitHead) -> &'static str {
        match self.link {
            Some(link) => link,
            None if enabled.contains(name) => "enabled",
            None if head.has_install => "disabled",
            None => "static",
        }
    }

    /// What it says, read again only when the file is another than before.
    pub(super) fn head(&self, scene: &Scene) -> UnitHead {
        let stamp = scene.stamp(self.path.trim_start_matches('/'));
        if let Some((before, head)) = scene.memory.borrow().unit_heads.get(&self.path)
            && *before == stamp
        {
            return head.clone();
        }
        let text = self.text(scene);
        let description = settings(&text, "Unit").into_iter().find(|(key, _)| key == "Description");
        let head = UnitHead {
            description: description.map(|(_, value)| value),
            has_install: text.lines().any(|line| line.trim() == "[Install]"),
        };
        scene.memory.borrow_mut().unit_heads.insert(self.path.clone(), (stamp, head.clone()));
        head
    }

    /// Its text, empty where it cannot be read.
    pub(super) fn text(&self, scene: &Scene) -> String {
        let path = self.path.trim_start_matches('/');
        if self.link == Some("masked") {
            return String::new();
        }
        let bytes = scene.read(path, SMALL_BYTES).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Texts of what is put over a unit's file (`NAME.d/*.conf`), in the order in which they count.
pub(super) fn drop_ins(scene: &Scene, name: &str) -> Vec<String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in FOLDERS {
        let folder = format!("{folder}/{name}.d");
        for file in scene.list(&folder, FILES_MAX).unwrap_or_default() {
            if Path::new(&file).extension().is_some_and(|end| end == "conf") {
                files.entry(file.clone()).or_insert_with(|| format!("{folder}/{file}"));
            }
        }
    }
    let text = |path: &String| {
        let bytes = scene.read(path, SMALL_BYTES).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    files.values().map(text).collect()
}

/// The assignments of one section, lines that end with `\` joined.
pub(super) fn settings(text: &str, section: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let (mut settings, mut is_in) = (Vec::new(), false);
    for line in joined.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_in = name == section;
        } else if is_in && let Some((key, value)) = line.split_once('=') {
            settings.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    settings
}
