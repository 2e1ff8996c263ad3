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
/// A line beyond this is cut: no database has one.
const LINES_BYTES: usize = 64 << 10;

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
    found.folders.sort_unstable();
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

/// Opens what must be a file. A pipe in its place holds nothing up.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta.len())) } else { Err(io::Error::other("it is no file")) }
}

/// Gives the lines of a file of any size through a buffer, without their ends, each cut at the buffer's length; says whether there is more
/// than `bytes_max` of it.
pub(super) fn each_line(path: &Path, bytes_max: u64, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
    let (file, _) = open(path)?;
    let mut file = file.take(bytes_max + 1);
    let (mut buffer, mut filled, mut is_rest) = (vec![0; LINES_BYTES], 0, false);
    loop {
        let read = match file.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled += read;
        let mut from = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[from..filled]) {
            if !std::mem::take(&mut is_rest) {
                each(&buffer[from..from + length]);
            }
            from += length + 1;
        }
        buffer.copy_within(from..filled, 0);
        filled -= from;
        if read == 0 || filled == buffer.len() {
            if filled > 0 && !is_rest {
                each(&buffer[..filled]);
            }
            if read == 0 {
                return Ok(file.limit() == 0);
            }
            (filled, is_rest) = (0, true);
        }
    }
}

/// The beginning of a file, and whether there is more of it.
pub(super) fn read(path: &Path, bytes_max: usize) -> io::Result<(Vec<u8>, bool)> {
    let (file, size) = open(path)?;
    // Files of the kernel say that they have no bytes.
    let size = usize::try_from(size).unwrap_or(bytes_max).min(bytes_max);
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
    fn lines_of_a_file_of_any_size_are_given_and_long_ones_cut() {
        let lines = |text: &str, bytes_max: u64| {
            let tree = Tree::new(&[("file", text)]);
            let mut found = Vec::new();
            let is_more = each_line(&tree.path("file"), bytes_max, |line| found.push(line.to_vec())).unwrap();
            (found, is_more)
        };
        assert_eq!(lines("", 100), (vec![], false));
        assert_eq!(lines("a\n\nb", 100), (vec![b"a".to_vec(), vec![], b"b".to_vec()], false));
        let many: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
        let (found, is_more) = lines(&many, 1 << 20);
        assert_eq!((found.len(), found[49_999].as_slice(), is_more), (50_000, &b"line 49999"[..], false));
        let (found, is_more) = lines(&many, 1_000);
        assert!((90..=150).contains(&found.len()) && is_more, "{}", found.len());
        let long = format!("{}\nshort\n", "x".repeat(200_000));
        let (found, _) = lines(&long, 1 << 20);
        assert_eq!((found.len(), found[0].len(), found[1].as_slice()), (2, LINES_BYTES, &b"short"[..]));
    }

    #[test]
    fn a_folder_with_more_names_than_are_looked_at_costs_no_more_than_these() {
        let tree = Tree::new(&[("etc/many/0", "")]);
        for number in 1..NAMES_MAX + 5_000 {
            std::fs::File::create(tree.path(&format!("etc/many/{number}"))).unwrap();
        }
        // However many fit, and although none does.
        for (pattern, files) in [("/etc/many/*", NAMES_MAX), ("/etc/many/*.conf", 0)] {
            let found = find(&tree.path(""), &[Glob::new(pattern).unwrap()], usize::MAX);
            assert!(
                found.is_cut && found.names == NAMES_MAX + 1 && found.files.len() <= files,
                "{pattern}: {}",
                found.names
            );
        }
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
