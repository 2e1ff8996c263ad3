//! The unix socket: for the machine's own administrators, whom the system names.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Owner and group may connect; who the group is, the folder's owner decides.
const MODE: u32 = 0o660;

/// A socket that is listened on; dropping it takes its file away.
#[derive(Debug)]
pub(crate) struct BoundSocket {
    path: PathBuf,
    inode: u64,
    listener: Option<UnixListener>,
}

impl BoundSocket {
    /// The listener, once.
    pub(crate) fn take(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        // Another one's, if somebody put one there meanwhile.
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens on this path. What a process that was killed left there is replaced.
pub(crate) fn bind_socket(path: &Path) -> io::Result<BoundSocket> {
    check_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "another file has this name"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
        }
        Ok(_) => std::fs::remove_file(path)?,
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
    listener.set_nonblocking(true)?;
    let inode = std::fs::symlink_metadata(path)?.ino();
    Ok(BoundSocket { path: path.to_owned(), inode, listener: Some(listener) })
}

/// Where others may rename files, they could put a socket of their own in this one's place and be sent tokens.
fn check_folder(folder: &Path) -> io::Result<()> {
    let found = std::fs::metadata(folder)?;
    let own = rustix::process::geteuid().as_raw();
    let is_ours = found.uid() == own || found.uid() == 0;
    if is_ours && found.mode() & 0o002 == 0 {
        return Ok(());
    }
    let text = format!("its folder `{}` is not the collector's own, or everybody may write to it", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_used_one_and_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        // Dropping a listener leaves its file, as a kill does.
        drop(UnixListener::bind(&path).unwrap());
        let bound = bind_socket(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        assert_eq!(bind_socket(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(bound);
        assert!(!path.exists(), "an orderly end takes it away");
        std::fs::write(&path, "kept").unwrap();
        assert_eq!(bind_socket(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    }

    #[test]
    fn a_folder_that_everybody_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let told = bind_socket(&folder.path().join("http.sock")).unwrap_err();
        assert!(told.to_string().ends_with("or everybody may write to it"), "{told}");
    }
}
