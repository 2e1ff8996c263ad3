//! Paths with wildcards: `*`, `?` and `[a-z]` within one part of a path, `**` for any number of folders.

use std::io;
use std::path::{Path, PathBuf};

use super::fenced::{is_within, leads_out};
use super::files::{Files, Stat};
use crate::fence::Fence;

/// Folders that one pattern may look into: beyond it a pattern such as `/**` would walk the whole host.
const FOLDERS_MAX: usize = 4_096;
/// How deep `**` goes.
const DEPTH_MAX: usize = 8;

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<String>,
}

/// What a pattern matches now.
#[derive(Debug, Default)]
pub struct Expansion {
    /// Files by path, in the order of the folders' names.
    pub files: Vec<(PathBuf, Stat)>,
    /// Folders that were looked into: those to watch.
    pub folders: Vec<PathBuf>,
    /// Folders that could not be read.
    pub refused: Vec<(PathBuf, io::ErrorKind)>,
    /// Folders and files that lead out of the fence: neither looked into nor given.
    pub outside: Vec<PathBuf>,
    /// Whether folders were left out because there are too many.
    pub is_cut: bool,
}

impl Glob {
    /// `None` unless it is an absolute path without `.` and `..` and every bracket is closed.
    pub fn new(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.strip_prefix('/')?.split('/').map(str::to_owned).collect();
        let is_good = |part: &String| {
            !part.is_empty() && part != "." && part != ".." && part.matches('[').count() == part.matches(']').count()
        };
        parts.iter().all(is_good).then(|| Self { text: text.to_owned(), parts })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parts before the first one with a wildcard; of a pattern without any it is the path itself.
    pub fn fixed_head(&self) -> PathBuf {
        let mut head = PathBuf::from("/");
        head.extend(self.parts.iter().take_while(|part| !is_wild(part)));
        head
    }

    /// Whether this path is one of the pattern, by its text alone.
    pub fn matches(&self, path: &Path) -> bool {
        let text = path.to_string_lossy();
        let Some(text) = text.strip_prefix('/') else { return false };
        let names: Vec<&str> = text.split('/').collect();
        // No path of a file that was found has these; one that the collector tells may.
        if names.iter().any(|name| ["", ".", ".."].contains(name)) {
            return false;
        }
        matches_parts(&self.parts, &names)
    }

    /// Looks for the files that match now.
    pub fn expand<F: Files>(&self, files: &F) -> Expansion {
        self.expand_within(files, None)
    }

    /// The same, of what lies in the fence when links are followed.
    pub fn expand_within<F: Files>(&self, files: &F, fence: Option<&Fence>) -> Expansion {
        let mut found = Expansion::default();
        self.walk((files, fence), PathBuf::from("/"), 0, 0, &mut found);
        found
    }

    fn walk<F: Files>(
        &self,
        (files, fence): (&F, Option<&Fence>),
        folder: PathBuf,
        part: usize,
        depth: usize,
        found: &mut Expansion,
    ) {
        let mut folder = folder;
        let mut part = part;
        // Plain parts need no listing, so that folders above may be closed to us.
        while part + 1 < self.parts.len() && !is_wild(&self.parts[part]) {
            folder.push(&self.parts[part]);
            part += 1;
        }
        let name = &self.parts[part];
        let is_last = part + 1 == self.parts.len();
        if found.folders.len() >= FOLDERS_MAX {
            found.is_cut = true;
            return;
        }
        if is_last && !is_wild(name) {
            let path = folder.join(name);
            // Of a folder outside nothing is said, not even whether it has such a file. The path itself may be what is open.
            let is_open = |fence: &Fence| fence.folders().contains(&path) || is_within(files, &folder, fence);
            if !fence.is_none_or(is_open) {
                return found.outside.push(folder);
            }
            if let Ok(stat) = files.stat(&path)
                && stat.is_file
            {
                let is_in = fence.is_none_or(|fence| is_within(files, &path, fence));
                if is_in { found.files.push((path, stat)) } else { found.outside.push(path) }
            }
            remember(&mut found.folders, folder);
            return;
        }
        if fence.is_some_and(|fence| !is_within(files, &folder, fence)) {
            return found.outside.push(folder);
        }
        let entries = match files.list(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    found.refused.push((folder, error.kind()));
                }
                return;
            }
        };
        remember(&mut found.folders, folder.clone());
        if name == "**" && !is_last {
            self.walk((files, fence), folder.clone(), part + 1, depth, found);
        }
        for entry in entries {
            let entry_name = entry.name.to_string_lossy();
            let path = folder.join(&entry.name);
            let is_out = |path: &Path| fence.is_some_and(|fence| leads_out(files, path, fence));
            let mut give = |path: PathBuf, stat: Stat| {
                if is_out(&path) { found.outside.push(path) } else { found.files.push((path, stat)) }
            };
            if name == "**" {
                if is_last && entry.stat.is_file {
                    give(path, entry.stat);
                } else if entry.stat.is_folder && depth < DEPTH_MAX {
                    self.walk((files, fence), path, part, depth + 1, found);
                }
            } else if matches_name(name.as_bytes(), entry_name.as_bytes()) {
                if is_last && entry.stat.is_file {
                    give(path, entry.stat);
                } else if !is_last && entry.stat.is_folder {
                    self.walk((files, fence), path, part + 1, depth, found);
                }
            }
        }
    }
}

fn remember(folders: &mut Vec<PathBuf>, folder: PathBuf) {
    if !folders.contains(&folder) {
        folders.push(folder);
    }
}

fn is_wild(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

fn matches_parts(parts: &[String], names: &[&str]) -> bool {
    match (parts.first(), names.first()) {
        (None, None) => true,
        (Some(part), _) if part == "**" => (0..=names.len().min(DEPTH_MAX + 1)).any(|skip| {
            matches_parts(&parts[1..], &names[skip..]) || (parts.len() == 1 && skip > 0 && skip == names.len())
        }),
        (Some(part), Some(name)) => {
            matches_name(part.as_bytes(), name.as_bytes()) && matches_parts(&parts[1..], &names[1..])
        }
        _ => false,
    }
}

/// Walks pattern and name with one place to come back to, so that no pattern takes more than their product.
pub(crate) fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut taken, mut back) = (0, 0, None);
    while taken < name.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                back = Some((at, taken));
                at += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => in_class(&pattern[at..], name[taken]),
            Some(byte) if *byte == name[taken] => Some(1),
            _ => None,
        };
        match (step, back) {
            (Some(length), _) => {
                at += length;
                taken += 1;
            }
            (None, Some((star, from))) => {
                at = star + 1;
                taken = from + 1;
                back = Some((star, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The class's length in the pattern, if the byte is in it.
fn in_class(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|one| *one == b']')? + 2;
    let (negated, class) = match pattern.get(1)? {
        b'!' | b'^' => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut is_in = false;
    let mut index = 0;
    while index < class.len() {
        if index + 2 < class.len() && class[index + 1] == b'-' {
            is_in |= (class[index]..=class[index + 2]).contains(&byte);
            index += 3;
        } else {
            is_in |= class[index] == byte;
            index += 1;
        }
    }
    (is_in != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::memory::MemoryFiles;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", ".log", true),
            ("*.log", "a.log.1", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("**", "anything", true),
            ("[abc", "a", false),
        ] {
            assert_eq!(matches_name(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} on {name}");
        }
        let hostile = [b"*a".repeat(30), b"b".to_vec()].concat();
        assert!(!matches_name(&hostile, &b"a".repeat(5_000)), "no pattern takes exponential time");
    }

    #[test]
    fn patterns_find_files_and_the_folders_to_watch() {
        let files = MemoryFiles::default();
        for path in ["/var/log/a.log", "/var/log/app/b.log", "/var/log/app/deep/c.log", "/var/log/app/x.txt", "/z.log"]
        {
            files.write(path, b"x\n");
        }
        let found = |pattern: &str| {
            let expansion = Glob::new(pattern).unwrap().expand(&files);
            let mut paths: Vec<String> = expansion.files.iter().map(|(path, _)| path.display().to_string()).collect();
            paths.sort();
            (paths.join(" "), expansion.folders.len())
        };
        assert_eq!(found("/var/log/*.log"), ("/var/log/a.log".to_owned(), 1));
        assert_eq!(found("/var/log/*/*.log"), ("/var/log/app/b.log".to_owned(), 2));
        assert_eq!(found("/var/log/**/*.log").0, "/var/log/a.log /var/log/app/b.log /var/log/app/deep/c.log");
        assert_eq!(found("/var/log/a.log"), ("/var/log/a.log".to_owned(), 1));
        assert_eq!(found("/nowhere/*.log"), (String::new(), 0));
        for (pattern, path) in [("/var/log/**/*.log", "/var/log/a.log"), ("/var/**", "/var/log/x/y")] {
            assert!(Glob::new(pattern).unwrap().matches(Path::new(path)), "{pattern}");
        }
        assert!(!Glob::new("/var/*.log").unwrap().matches(Path::new("/var/log/a.log")));
        for odd in ["/var/log/../../etc/x.log", "/var/log/./x.log", "/var/log//x.log", "/var/log/.."] {
            assert!(!Glob::new("/var/log/**").unwrap().matches(Path::new(odd)), "{odd}");
        }
        for wrong in ["var/log", "/var//log", "/var/../log", "/var/[a", ""] {
            assert!(Glob::new(wrong).is_none(), "{wrong}");
        }
    }
}
