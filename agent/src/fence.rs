//! Folders that reading may not leave, whatever links lead out of them: those that the host's own file opens to a remote configuration.
//!
//! Which file a name leads to is asked of the kernel about the file itself: it is taken hold of without being opened (`O_PATH`, open(2)), its
//! real path is read of `/proc/self/fd`, and only then it is opened, by the hold. So nothing outside is opened at all, and a link that is
//! turned meanwhile changes nothing. A hard link lies where its name lies.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file that is renamed between two looks is looked at again so often.
const TRIES: usize = 3;

/// The folders, and what is closed inside of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    folders: Vec<PathBuf>,
    /// Never read, though it may lie in one of the folders: the agent's own state, which has its key.
    except: Vec<PathBuf>,
}

/// A name that leads out.
#[derive(Debug, thiserror::Error)]
#[error("it leads to {target}, which is outside of {within}")]
pub struct Outside {
    target: String,
    within: String,
}

impl Fence {
    /// `folders` may be files too. Nothing needs to be there yet.
    pub fn new(folders: Vec<PathBuf>, except: Vec<PathBuf>) -> Self {
        Self { folders, except }
    }

    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Whether a path lies in one of the folders by its text alone.
    pub fn holds(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder)) && !self.is_closed(path)
    }

    fn is_closed(&self, path: &Path) -> bool {
        self.except.iter().any(|closed| path.starts_with(closed))
    }

    /// Whether a path without links (`target`) lies in one of the folders, as they are called when links are followed. `real` follows them.
    pub fn holds_target(&self, target: &Path, real: impl Fn(&Path) -> PathBuf) -> bool {
        let is_in = |folders: &[PathBuf]| folders.iter().any(|folder| target.starts_with(real(folder)));
        is_in(&self.folders) && !is_in(&self.except)
    }

    /// What is told of a name that leads there.
    pub fn outside(&self, target: &Path) -> Outside {
        let within: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let within = if within.is_empty() { "any folder: none is opened".to_owned() } else { within.join(", ") };
        Outside { target: target.display().to_string(), within }
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Outside`] inside of the error (see [`is_outside`]) where it lies elsewhere; else as the file system.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let held = self.hold(path)?;
        if !held.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
        File::options().read(true).custom_flags(flags).open(link_of(&held))
    }

    /// What is known of a file without opening it.
    ///
    /// # Errors
    /// As [`Fence::open`].
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.hold(path)?.metadata()
    }

    /// Takes hold of what the path leads to, without opening it.
    fn hold(&self, path: &Path) -> io::Result<File> {
        let held = File::options().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)?;
        let own = held.metadata()?;
        let mut target = PathBuf::new();
        for _ in 0..TRIES {
            target = std::fs::read_link(link_of(&held))?;
            // The same path of another mount namespace, or of a file that is gone, is none of this host's.
            let named = std::fs::symlink_metadata(&target);
            let is_here = named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino()));
            let real = |folder: &Path| std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
            if !self.holds_target(&target, real) {
                break;
            }
            if is_here {
                return Ok(held);
            }
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, self.outside(&target)))
    }
}

fn link_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Whether this error is [`Outside`].
pub fn is_outside(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Outside>())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn read(fence: &Fence, path: &Path) -> Result<String, String> {
        let mut text = String::new();
        let mut file = fence.open(path).map_err(|error| error.to_string())?;
        file.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn what_lies_inside_is_read_and_what_leads_out_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["in", "in/deep", "in/state", "out"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        std::fs::write(path("in/deep/a"), "inside").unwrap();
        std::fs::write(path("in/state/key"), "key").unwrap();
        std::fs::write(path("out/secret"), "secret").unwrap();
        symlink(path("in/deep/a"), path("in/link")).unwrap();
        symlink("deep/../deep/a", path("in/round")).unwrap();
        symlink(path("out/secret"), path("in/file")).unwrap();
        symlink(path("out"), path("in/folder")).unwrap();
        symlink("../out/secret", path("in/up")).unwrap();
        symlink("up", path("in/twice")).unwrap();
        symlink(format!("/proc/self/root{}", path("out/secret").display()), path("in/root")).unwrap();
        symlink(format!("/proc/self/cwd/../..{}", path("out/secret").display()), path("in/cwd")).unwrap();
        symlink(path("in/state/key"), path("in/key")).unwrap();
        let open = File::open(path("out/secret")).unwrap();
        symlink(link_of(&open), path("in/descriptor")).unwrap();
        symlink(path("in"), path("alias")).unwrap();
        for bound in ["in", "alias"] {
            let fence = Fence::new(vec![path(bound)], vec![path("in/state")]);
            for name in ["in/deep/a", "in/link", "in/round", "alias/deep/a"] {
                assert_eq!(read(&fence, &path(name)).as_deref(), Ok("inside"), "{name} in {bound}");
            }
            for name in
                ["in/file", "in/folder/secret", "in/up", "in/twice", "in/root", "in/cwd", "in/key", "in/descriptor"]
            {
                let error = fence.open(&path(name)).unwrap_err();
                // Without such a working folder the link leads nowhere.
                let is_nowhere = name == "in/cwd" && error.kind() == io::ErrorKind::NotFound;
                assert!(is_outside(&error) || is_nowhere, "{name}: {error}");
                assert!(fence.metadata(&path(name)).is_err());
            }
        }
        let error = Fence::new(vec![path("in")], Vec::new()).open(&path("in/up")).unwrap_err().to_string();
        assert!(error.contains("out/secret") && error.contains("outside of"), "{error}");
        assert!(Fence::default().open(&path("in/link")).unwrap_err().to_string().contains("none is opened"));
    }

    #[test]
    fn neither_pipes_nor_folders_are_opened_and_texts_are_judged_by_whole_parts() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        let fence = Fence::new(vec![folder.path().to_path_buf()], Vec::new());
        assert!(fence.open(&pipe).unwrap_err().to_string().contains("no file"));
        assert!(fence.open(folder.path()).is_err() && fence.metadata(folder.path()).unwrap().is_dir());
        let fence = Fence::new(vec!["/var/log".into()], vec!["/var/log/own".into()]);
        for (path, expected) in
            [("/var/log", true), ("/var/log/a", true), ("/var/logs", false), ("/var", false), ("/var/log/own/x", false)]
        {
            assert_eq!(fence.holds(Path::new(path)), expected, "{path}");
        }
    }
}
