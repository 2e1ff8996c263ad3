//! The file system as the doctor asks it, so that tests can script it, and the walk along a path that finds the right that is missing.

use std::io;
use std::path::{Path, PathBuf};

use super::account::{Account, Names};
use super::rights::{Node, Right, allows, read_list};

/// What the doctor asks of the system. Links are followed.
pub(super) trait Look {
    /// # Errors
    /// As the file system.
    fn node(&self, path: &Path) -> io::Result<Node>;

    /// The first bytes of a file.
    ///
    /// # Errors
    /// As the file system.
    fn head(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// The value of `security.capability`; `None`: the file has none, or the file system knows none.
    fn capabilities(&self, path: &Path) -> Option<Vec<u8>>;

    /// Where the path leads when links are followed; the path itself where it leads nowhere.
    fn target(&self, path: &Path) -> PathBuf;
}

/// The system's own.
pub(super) struct RealLook;

/// Access control lists of more bytes are cut off by nobody in practice: 64 KiB is the kernel's limit of an attribute.
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

impl Look for RealLook {
    fn node(&self, path: &Path) -> io::Result<Node> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path)?;
        Ok(Node {
            owner: meta.uid(),
            group: meta.gid(),
            mode: meta.mode() & 0o7777,
            is_folder: meta.is_dir(),
            list: attribute(path, "system.posix_acl_access").map(|bytes| read_list(&bytes)).unwrap_or_default(),
        })
    }

    fn head(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        use std::io::Read;
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe in the file's place would hold up the open for ever.
        let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let mut bytes = Vec::new();
        file.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn capabilities(&self, path: &Path) -> Option<Vec<u8>> {
        attribute(path, "security.capability")
    }

    fn target(&self, path: &Path) -> PathBuf {
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    }
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; ATTRIBUTE_BYTES_MAX];
    let count = rustix::fs::getxattr(path, name, bytes.as_mut_slice()).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// Why an account cannot use a path.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// This right on this name of the path.
    Lacks {
        at: PathBuf,
        right: Right,
        node: Node,
    },
    NotThere(PathBuf),
    /// Whoever runs the doctor may not look.
    Unseen(PathBuf, io::Error),
}

/// Goes along the path: each folder must let the account through, the last name must give it `right`.
pub(super) fn way(look: &impl Look, account: &Account, path: &Path, right: Right) -> Result<Node, Obstacle> {
    let path = look.target(path);
    let mut names: Vec<&Path> = path.ancestors().collect();
    names.reverse();
    let last = names.len().saturating_sub(1);
    let mut found = Node::default();
    for (index, at) in names.iter().enumerate() {
        found = match look.node(at) {
            Ok(node) => node,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Obstacle::NotThere(at.to_path_buf())),
            Err(error) => return Err(Obstacle::Unseen(at.to_path_buf(), error)),
        };
        let right = if index == last { right } else { Right::Execute };
        if !allows(account, &found, right) {
            return Err(Obstacle::Lacks { at: at.to_path_buf(), right, node: found });
        }
    }
    Ok(found)
}

/// The right's name for people: `x` of a folder is to go through it.
pub(super) fn right_name(right: Right, is_folder: bool) -> &'static str {
    match (right, is_folder) {
        (Right::Read, false) => "r (read)",
        (Right::Read, true) => "r (list)",
        (Right::Write, _) => "w (write)",
        (Right::Execute, false) => "x (execute)",
        (Right::Execute, true) => "x (go through)",
    }
}

/// `user muster lacks r (read) on /var/log/x, which is root:adm 0640`.
pub(super) fn lack(account: &Account, names: &Names, at: &Path, right: Right, node: &Node) -> String {
    let (user, group) = (names.user(node.owner), names.group(node.group));
    let list = if node.list.is_empty() { "" } else { " with an access control list" };
    format!(
        "user {} lacks {} on {}, which is {user}:{group} {:04o}{list}",
        account.name,
        right_name(right, node.is_folder),
        at.display(),
        node.mode
    )
}

/// What gives the account the right: its group where that has it, else an entry of an access control list.
pub(super) fn give(account: &Account, names: &Names, at: &Path, right: Right, node: &Node) -> String {
    let user = &account.name;
    let group_has_it = node.mode >> 3 & right as u32 != 0;
    // Root's group is given to nobody.
    if group_has_it && node.group != 0 && !account.groups.contains(&node.group) {
        let group = names.group(node.group);
        return format!("usermod -aG {group} {user}\nsystemctl restart muster-agent");
    }
    let at_shown = at.display();
    match (right, node.is_folder) {
        (Right::Execute, true) => format!("setfacl -m u:{user}:x {at_shown}"),
        (_, true) => format!("setfacl -m u:{user}:rx {at_shown}"),
        (Right::Execute, false) => format!("setfacl -m u:{user}:rx {at_shown}"),
        (right, false) => {
            let letter = if right == Right::Write { "rw" } else { "r" };
            let folder = at.parent().unwrap_or(Path::new("/")).display();
            format!(
                "setfacl -m u:{user}:{letter} {at_shown}\n\
                 setfacl -d -m u:{user}:{letter} {folder}   # for the files that follow it after a rotation"
            )
        }
    }
}

#[cfg(test)]
pub(super) mod memory {
    use std::collections::BTreeMap;

    use super::*;

    /// A scripted file system.
    #[derive(Default)]
    pub(in crate::doctor) struct MemoryLook {
        pub(in crate::doctor) nodes: BTreeMap<PathBuf, Node>,
        pub(in crate::doctor) heads: BTreeMap<PathBuf, Vec<u8>>,
        pub(in crate::doctor) capabilities: BTreeMap<PathBuf, Vec<u8>>,
        /// Paths that whoever looks may not look at.
        pub(in crate::doctor) closed: Vec<PathBuf>,
    }

    impl MemoryLook {
        /// A file of root's with this mode, in folders that all may go through.
        pub(in crate::doctor) fn file(&mut self, path: &str, mode: u32, head: &[u8]) -> &mut Self {
            let path = PathBuf::from(path);
            for folder in path.ancestors().skip(1) {
                let node = Node { mode: 0o755, is_folder: true, ..Node::default() };
                self.nodes.entry(folder.to_path_buf()).or_insert(node);
            }
            self.heads.insert(path.clone(), head.to_vec());
            self.nodes.insert(path, Node { mode, ..Node::default() });
            self
        }

        pub(in crate::doctor) fn change(&mut self, path: &str, change: impl FnOnce(&mut Node)) -> &mut Self {
            if let Some(node) = self.nodes.get_mut(Path::new(path)) {
                change(node);
            }
            self
        }
    }

    impl Look for MemoryLook {
        fn node(&self, path: &Path) -> io::Result<Node> {
            if self.closed.iter().any(|closed| path.starts_with(closed)) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            self.nodes.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
        }

        fn head(&self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
            self.node(path)?;
            Ok(self.heads.get(path).map(|head| head[..head.len().min(bytes_max)].to_vec()).unwrap_or_default())
        }

        fn capabilities(&self, path: &Path) -> Option<Vec<u8>> {
            self.capabilities.get(path).cloned()
        }

        fn target(&self, path: &Path) -> PathBuf {
            path.to_path_buf()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::memory::MemoryLook;
    use super::*;

    fn muster() -> (Account, Names) {
        let names = Names::of("root:x:0:0::/:/x\nmuster:x:990:989::/:/x\n", "root:x:0:\nadm:x:4:\napp:x:50:\n");
        (names.account("muster", &[], 0).unwrap(), names)
    }

    #[test]
    fn the_first_right_that_is_missing_is_named_with_the_command_that_gives_it() {
        let (account, names) = muster();
        let mut look = MemoryLook::default();
        look.file("/var/log/app/x.log", 0o640, b"").change("/var/log/app/x.log", |node| node.group = 4);
        let told = |look: &MemoryLook| match way(look, &account, Path::new("/var/log/app/x.log"), Right::Read) {
            Ok(_) => ("well".to_owned(), String::new()),
            Err(Obstacle::Lacks { at, right, node }) => {
                (lack(&account, &names, &at, right, &node), give(&account, &names, &at, right, &node))
            }
            Err(other) => (format!("{other:?}"), String::new()),
        };
        let (what, remedy) = told(&look);
        assert_eq!(what, "user muster lacks r (read) on /var/log/app/x.log, which is root:adm 0640");
        assert_eq!(remedy, "usermod -aG adm muster\nsystemctl restart muster-agent");
        look.change("/var/log/app", |node| node.mode = 0o700);
        let (what, remedy) = told(&look);
        assert_eq!(what, "user muster lacks x (go through) on /var/log/app, which is root:root 0700");
        assert_eq!(remedy, "setfacl -m u:muster:x /var/log/app");
        look.change("/var/log/app", |node| (node.mode, node.group) = (0o750, 50));
        assert!(told(&look).1.starts_with("usermod -aG app muster"));
        look.change("/var/log/app", |node| node.mode = 0o755).change("/var/log/app/x.log", |node| node.mode = 0o600);
        assert!(
            told(&look)
                .1
                .starts_with("setfacl -m u:muster:r /var/log/app/x.log\nsetfacl -d -m u:muster:r /var/log/app ")
        );
        look.closed.push(PathBuf::from("/var/log/app"));
        assert!(told(&look).0.starts_with("Unseen(\"/var/log/app\""));
        assert!(matches!(way(&look, &account, Path::new("/var/x"), Right::Read), Err(Obstacle::NotThere(_))));
    }

    #[test]
    fn the_system_tells_owner_mode_and_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let node = RealLook.node(&path).unwrap();
        assert!(!node.is_folder && node.mode & 0o600 == 0o600);
        assert_eq!(RealLook.head(&path, 4).unwrap(), b"#!/b");
        assert_eq!(RealLook.capabilities(&path), None);
        assert!(RealLook.node(folder.path()).unwrap().is_folder);
    }
}
