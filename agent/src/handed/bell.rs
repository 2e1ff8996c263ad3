//! Being woken when a folder gets a file: inotify alone, which costs a descriptor and a small thread.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// One event with the longest name takes 272 bytes; several are read at once.
const EVENTS_BYTES: usize = 1_024;

/// Rings while it lives.
pub(super) struct Bell {
    inotify: Arc<OwnedFd>,
    watch: i32,
}

impl Bell {
    /// Calls `ring` on a thread of its own when the folder gets a file; it must not block.
    ///
    /// # Errors
    /// When this user has as many watches as the system allows (`fs.inotify.max_user_instances`), or no thread is left.
    pub(super) fn hang(folder: &Path, ring: impl Fn() + Send + 'static) -> io::Result<Self> {
        let inotify = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
        let watch = inotify::add_watch(&*inotify, folder, WatchFlags::MOVED_TO | WatchFlags::CREATE)?;
        let events = Arc::clone(&inotify);
        let listen = move || {
            let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
            let mut reader = inotify::Reader::new(&*events, &mut buffer);
            loop {
                match reader.next() {
                    // The watch is no more: the bell was taken down, or the folder is gone.
                    Ok(event) if event.events().contains(ReadFlags::IGNORED) => return,
                    Ok(_) => ring(),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(_) => return,
                }
            }
        };
        std::thread::Builder::new().name("muster-bell".to_owned()).stack_size(64 << 10).spawn(listen)?;
        Ok(Self { inotify, watch })
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // The thread hears of it and ends. A watch that is gone already has ended it.
        let _ = inotify::remove_watch(&*self.inotify, self.watch);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, sync_channel};
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_rings_for_files_that_come_until_it_is_taken_down() {
        const LIMIT: Duration = Duration::from_secs(30);
        let folder = tempfile::tempdir().unwrap();
        let (say, heard) = sync_channel(9);
        let ring = move || {
            let _ = say.try_send(());
        };
        let bell = Bell::hang(folder.path(), ring).unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(heard.recv_timeout(LIMIT), Ok(()));
        std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_eq!(heard.recv_timeout(LIMIT), Ok(()));
        drop(bell);
        assert_eq!(heard.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected), "its thread ends");
        assert!(Bell::hang(&folder.path().join("missing"), || {}).is_err());
    }
}
