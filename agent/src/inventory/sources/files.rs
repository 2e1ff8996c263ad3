//! Configuration files: hash, size, mode and owner, never what is in them.
//!
//! A file is hashed again only when size, times or inode differ from those of its last hash.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use muster_common::digest::Sha256;
use muster_common::inventory::Rows;

use super::super::bounded;
use super::super::scene::Stamp;
use super::accounts::{group_names, shown, user_names};
use super::{Problem, Scene};

/// Files that are looked at: beyond it a host has its configuration in a database.
pub(in super::super) const FILES_MAX: usize = 2_000;
/// A file beyond this is told without its hash: it is data, and reading it would cost.
const FILE_BYTES_MAX: usize = 1 << 20;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let found = bounded::find(scene.root(), &scene.files, FILES_MAX);
    if found.is_cut {
        scene.note(format!(
            "files: not all names are looked at, and at most {FILES_MAX} files; let inventory.files match fewer"
        ));
    }
    for folder in &found.refused {
        scene.note(format!("{}: cannot be listed by this user", folder.display()));
    }
    let (users, groups) = (user_names(scene), group_names(scene));
    let before = std::mem::take(&mut scene.memory.borrow_mut().sums);
    let mut sums = BTreeMap::new();
    for (path, meta) in found.files {
        let (place, stamp) = (path.to_string_lossy().into_owned(), Stamp::of(&meta));
        let known = before.get(&path).filter(|(known, _)| *known == stamp).map(|(_, sum)| sum.clone());
        let sum = known.or_else(|| sum(scene, &place));
        if let Some(sum) = &sum {
            sums.insert(path, (stamp, sum.clone()));
        }
        rows.add([
            place.into(),
            sum.into(),
            i64::try_from(meta.size()).ok().into(),
            format!("{:04o}", meta.mode() & 0o7777).into(),
            shown(&users, meta.uid()).into(),
            shown(&groups, meta.gid()).into(),
        ]);
    }
    let mut memory = scene.memory.borrow_mut();
    memory.sums = sums;
    memory.folders.insert("files", found.folders);
    Ok(())
}

/// `None`: it is too large, or not for this user.
fn sum(scene: &Scene, place: &str) -> Option<String> {
    match bounded::read(&scene.path(place.trim_start_matches('/')), FILE_BYTES_MAX) {
        Ok((bytes, false)) => Some(Sha256::of(&bytes).to_string()),
        Ok((_, true)) | Err(_) => None,
    }
}
