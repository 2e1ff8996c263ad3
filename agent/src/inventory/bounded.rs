//! Files found by patterns and read in bounded time, however many and however large there are.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::logs::glob::{Glob, matches_name};

/// How deep `**` goes, as for logs.
const DEPTH_MAX: usize = 8;
/// Names that are looked at for all patterns together: a folder with a million names costs as much as this, some 10 ms.
const NAMES_MAX: usize = 20_000;

/// Files by the path that they have on the host.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: BTreeMap<PathBuf, Metadata>,
    /// Folders that were listed, or that hold a file that was named: those to watch.
    pub(super) folders: Vec<PathBuf>,
    /// Folders that this user may not list.
    pub(super) refused: Vec<PathBuf>,
    /// There are more names or files than are looked at.
    pub(super) is_cut: bool,
    names: usize,
}

/// The files below `root` that match a pattern now, at most `files_max`. Folders are entered through links where a pattern names the link,
/// and never by `**`, so that no loop is walked.
pub(super) fn find<'g>(root: &Path, patterns: impl IntoIterator<Item = &'g Glob>, files_max: usize) -> Found {
    let mut found = Found::default();
    for pattern in patterns {
        let parts: Vec<&str> = pattern.text().trim_start_matches('/').split('/').collect();
        walk(root, PathBuf::from("/"), &parts, 0, files_max, &mut found);
    }
    found.folders.sort();
    found.folders.dedup();
    found
}

fn on_host(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn walk(root: &Path, folder: PathBuf, parts: &[&str], depth: usize, files_max: usize, found: &mut Found) {
    let mut folder = folder;
    let mut parts = parts;
    while let [part, rest @ ..] = parts
        && !rest.is_empty()
        && !part.contains(['*', '?', '['])
    {
        folder.push(part);
        parts = rest;
    }
    let Some((name, rest)) = parts.split_first() else { return };
    if !name.contains(['*', '?', '[']) {
        let path = folder.join(name);
        if let Ok(meta) = std::fs::metadata(on_host(root, &path)) {
            add(path, meta, files_max, found);
        }
        found.folders.push(folder);
        return;
    }
    let entries = match std::fs::read_dir(on_host(root, &folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return found.refused.push(folder),
        Err(_) => return,
    };
    found.folders.push(folder.clone());
    let is_deep = *name == "**" && !rest.is_empty();
    if is_deep {
        walk(root, folder.clone(), rest, depth, files_max, found);
    }
    for entry in entries.flatten() {
        found.names += 1;
        if found.names > NAMES_MAX || found.files.len() >= files_max {
            found.is_cut = true;
            return;
        }
        let (path, Ok(kind)) = (folder.join(entry.file_name()), entry.file_type()) else { continue };
        if *name == "**" && kind.is_dir() && depth < DEPTH_MAX {
            walk(root, path, parts, depth + 1, files_max, found);
        } else if !is_deep && (*name == "**" || matches_name(name.as_bytes(), entry.file_name().as_encoded_bytes())) {
            if !rest.is_empty() {
                let is_folder = kind.is_dir() || (kind.is_symlink() && on_host(root, &path).is_dir());
                if is_folder && depth < DEPTH_MAX {
                    walk(root, path, rest, depth + 1, files_max, found);
                }
            } else if !kind.is_dir()
                && let Ok(meta) = std::fs::metadata(on_host(root, &path))
            {
                add(path, meta, files_max, found);
            }
        }
    }
}

fn add(path: PathBuf, meta: Metadata, files_max: usize, found: &mut Found) {
    if !meta.is_file() {
        return;
    }
    if found.files.len() < files_max {
        found.files.insert(path, meta);
    } else {
        found.is_cut = true;
    }
}

/// The beginning of a file, and whether there is more of it. A pipe in its place gives nothing and holds nothing up.
pub(super) fn read(path: &Path, bytes_max: usize) -> io::Result<(Vec<u8>, bool)> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    // Files of the kernel say that they have no bytes.
    let size = usize::try_from(meta.len()).unwrap_or(bytes_max).min(bytes_max);
    let mut bytes = Vec::with_capacity(size + 1);
    let read = file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    bytes.truncate(bytes_max);
    Ok((bytes, read > bytes_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    fn found(tree: &Tree, pattern: &str) -> String {
        let found = find(&tree.path(""), &[Glob::new(pattern).unwrap()], 100);
        let paths: Vec<String> = found.files.keys().map(|path| path.display().to_string()).collect();
        paths.join(" ")
    }

    #[test]
    fn patterns_find_files_below_a_root() {
        let tree = Tree::new(&[
            ("etc/a.conf", ""),
            ("etc/nginx/nginx.conf", ""),
            ("etc/nginx/sites/one.conf", ""),
            ("etc/nginx/sites/one.conf~", ""),
            ("etc/nginx/sites/deep/two.conf", ""),
        ]);
        let all = "/etc/nginx/nginx.conf /etc/nginx/sites/deep/two.conf /etc/nginx/sites/one.conf";
        assert_eq!(found(&tree, "/etc/nginx/**/*.conf"), all);
        assert_eq!(found(&tree, "/etc/*.conf"), "/etc/a.conf");
        assert_eq!(found(&tree, "/etc/*/*.conf"), "/etc/nginx/nginx.conf");
        assert_eq!(found(&tree, "/etc/a.conf"), "/etc/a.conf");
        assert_eq!(found(&tree, "/etc/*/sites/[a-p]*.conf"), "/etc/nginx/sites/one.conf");
        assert_eq!((found(&tree, "/etc/b"), found(&tree, "/none/*"), found(&tree, "/etc/nginx")), Default::default());
        assert!(found(&tree, "/etc/**").starts_with("/etc/a.conf /etc/nginx/nginx.conf"));
    }

    #[test]
    fn loops_of_links_end_and_links_that_are_named_are_followed() {
        let tree = Tree::new(&[("etc/real/x.conf", "x")]);
        std::os::unix::fs::symlink("..", tree.path("etc/real/up")).unwrap();
        std::os::unix::fs::symlink("real", tree.path("etc/link")).unwrap();
        std::os::unix::fs::symlink("itself", tree.path("etc/itself")).unwrap();
        assert_eq!(found(&tree, "/etc/**/*.conf"), "/etc/real/x.conf");
        assert_eq!(found(&tree, "/etc/l*/*.conf"), "/etc/link/x.conf");
        assert_eq!(found(&tree, "/etc/itself/*"), "");
        assert!(read(&tree.path("etc/itself"), 10).is_err());
    }

    #[test]
    fn what_is_too_much_is_cut_and_said() {
        let tree = Tree::new(&[]);
        for number in 0..300 {
            tree.write(&format!("etc/many/{number}"), "");
        }
        let pattern = [Glob::new("/etc/many/*").unwrap()];
        let part = find(&tree.path(""), &pattern, 200);
        assert_eq!((part.files.len(), part.is_cut), (200, true));
        let all = find(&tree.path(""), &pattern, 300);
        assert_eq!((all.files.len(), all.is_cut, all.folders), (300, false, vec![PathBuf::from("/etc/many")]));
        tree.write("etc/long", &"x".repeat(100));
        assert_eq!(read(&tree.path("etc/long"), 99).unwrap(), (vec![b'x'; 99], true));
        assert!(!read(&tree.path("etc/long"), 100).unwrap().1);
        assert!(read(&tree.path("etc"), 100).is_err());
        rustix::fs::mknodat(
            rustix::fs::CWD,
            tree.path("etc/pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(read(&tree.path("etc/pipe"), 100).unwrap_err().to_string().contains("no file"));
    }
}
