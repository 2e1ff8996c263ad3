//! Files of /proc and /sys, kept open and read again: one pread a tick for most of them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::SourceError;

/// Where the kernel's files stand. Tests and containers give other roots.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    pub(crate) proc: PathBuf,
    pub(crate) sys: PathBuf,
    /// For /etc/os-release and /run/udev.
    pub(crate) root: PathBuf,
}

/// Room for what most files hold; it grows when one does not fit, and stays grown.
const BUFFER_BYTES: usize = 16 << 10;
/// No file that we read is larger on a healthy host (100,000 UDP sockets are 15 MB, and then the sum is not worth it).
const FILE_BYTES_MAX: usize = 4 << 20;
/// Where reading line by line gives up: 400,000 sockets. By then it would hold up the agent for a second.
const LINES_BYTES_MAX: u64 = 64 << 20;
/// The kernel fills a page before it ends a read early, so less than half a page of short records is all there is.
const LAST_PART_BYTES: usize = 2 << 10;
/// A file that is not there, or not for this user, is looked for again after this many readings: a module may be loaded later.
const ABSENT_READINGS: u16 = 30;

/// The one buffer that all sources read into, and what reading costs.
#[derive(Debug)]
pub(crate) struct Scratch {
    buffer: Vec<u8>,
    /// System calls made, for the agent's own numbers.
    pub(crate) calls: u64,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], calls: 0 }
    }

    /// Reads a whole file from its start. The descriptor stays where it was.
    fn fill(&mut self, file: &OwnedFd, shape: Shape) -> Result<usize, Errno> {
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                if length >= FILE_BYTES_MAX {
                    return Err(Errno::FBIG);
                }
                self.buffer.resize(length * 2, 0);
            }
            self.calls += 1;
            let room = self.buffer.len() - length;
            let read = match rustix::io::pread(file, &mut self.buffer[length..], length as u64) {
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            length += read;
            let ended = match shape {
                Shape::Record => read < room,
                Shape::Lines => read < room.min(LAST_PART_BYTES),
                Shape::LongLines => read == 0,
            };
            if ended {
                return Ok(length);
            }
        }
    }

    /// What was read last, given its length.
    pub(crate) fn text(&self, length: usize) -> &[u8] {
        &self.buffer[..length]
    }

    /// Reads a file of any size line by line through the buffer as it is, without growing it.
    fn fill_lines(&mut self, file: &OwnedFd, each: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        let (mut offset, mut kept) = (0u64, 0usize);
        while offset < LINES_BYTES_MAX {
            self.calls += 1;
            let read = match rustix::io::pread(file, &mut self.buffer[kept..], offset) {
                Ok(0) => {
                    each(&self.buffer[..kept]);
                    return Ok(());
                }
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            offset += read as u64;
            let filled = &self.buffer[..kept + read];
            let whole = filled.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            filled[..whole].split(|byte| *byte == b'\n').for_each(&mut *each);
            kept = filled.len() - whole;
            if kept == self.buffer.len() {
                return Err(Errno::FBIG);
            }
            self.buffer.copy_within(whole..whole + kept, 0);
        }
        Err(Errno::FBIG)
    }

    /// Opens, reads and closes a small file that is not worth a descriptor.
    pub(crate) fn read_once(&mut self, path: &Path) -> Result<&[u8], Errno> {
        self.calls += 2;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let length = self.fill(&file, Shape::Record)?;
        Ok(&self.buffer[..length])
    }
}

/// How the kernel hands a file out, which tells when a short read is the end and saves the read that returns 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One record: whatever fits the buffer is all.
    Record,
    /// Many records, each far below half a page.
    Lines,
    /// Records of any length: only 0 is the end.
    LongLines,
}

/// One file, opened at its first reading and kept.
#[derive(Debug)]
pub(crate) struct ProcFile {
    path: Arc<Path>,
    shape: Shape,
    file: Option<OwnedFd>,
    /// Why it cannot be had on this host, and for how many readings it is not looked for.
    absent: Option<(Errno, u16)>,
}

impl ProcFile {
    pub(crate) fn new(path: &Path, shape: Shape) -> Self {
        Self { path: Arc::from(path), shape, file: None, absent: None }
    }

    /// The file's present content, in the scratch's buffer.
    ///
    /// A device that went and came, or a changed mount, leaves an old descriptor behind: then the file is opened anew, once.
    pub(crate) fn read<'s>(&mut self, scratch: &'s mut Scratch) -> Result<&'s [u8], SourceError> {
        let shape = self.shape;
        let length = self.read_with(scratch, |scratch, file| scratch.fill(file, shape))?;
        Ok(scratch.text(length))
    }

    /// Gives the file's lines one by one, the heading included, however many they are. What was given before an error or
    /// before a second attempt is for the caller to forget: `each` sees `None` when reading starts (again).
    pub(crate) fn read_lines(
        &mut self,
        scratch: &mut Scratch,
        mut each: impl FnMut(Option<&[u8]>),
    ) -> Result<(), SourceError> {
        self.read_with(scratch, |scratch, file| {
            each(None);
            scratch.fill_lines(file, &mut |line| each(Some(line)))
        })
    }

    fn read_with<T>(
        &mut self,
        scratch: &mut Scratch,
        mut fill: impl FnMut(&mut Scratch, &OwnedFd) -> Result<T, Errno>,
    ) -> Result<T, SourceError> {
        if let Some((errno, left)) = self.absent {
            self.absent = (left > 1).then_some((errno, left - 1));
            return Err(SourceError::of(&self.path, errno));
        }
        let mut result = self.read_open(scratch, &mut fill);
        let is_old = matches!(result, Err(Errno::NODEV | Errno::STALE | Errno::NOENT | Errno::NXIO | Errno::SRCH));
        if is_old && self.file.take().is_some() {
            result = self.read_open(scratch, &mut fill);
        }
        result.map_err(|errno| {
            self.file = None;
            // Whatever else it is may have passed by the next tick.
            let stays = matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::OPNOTSUPP | Errno::ACCESS);
            self.absent = stays.then_some((errno, ABSENT_READINGS));
            SourceError::of(&self.path, errno)
        })
    }

    fn read_open<T>(
        &mut self,
        scratch: &mut Scratch,
        fill: &mut impl FnMut(&mut Scratch, &OwnedFd) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        if self.file.is_none() {
            scratch.calls += 1;
            self.file = Some(rustix::fs::open(&*self.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
        }
        self.file.as_ref().map_or(Err(Errno::BADF), |file| fill(scratch, file))
    }

    /// Gives the descriptor back until the next reading: for what is read once a minute, three calls are cheaper than a
    /// descriptor for ever.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// An error that says this file is not what it should be.
    pub(crate) fn malformed(&self, what: &'static str) -> SourceError {
        SourceError::Malformed { path: Arc::clone(&self.path), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn a_file_is_read_again_through_the_same_descriptor() {
        let tree = Tree::new(&[("proc/loadavg", "one\n")]);
        let (mut file, mut scratch) = (ProcFile::new(&tree.path("proc/loadavg"), Shape::Record), Scratch::new());
        assert_eq!(file.read(&mut scratch).unwrap(), b"one\n");
        assert_eq!(scratch.calls, 2);
        tree.write("proc/loadavg", "three\n");
        assert_eq!(file.read(&mut scratch).unwrap(), b"three\n");
        assert_eq!(scratch.calls, 3, "one pread, no open");
    }

    #[test]
    fn a_file_larger_than_the_buffer_is_read_whole() {
        let long = "0123456789abcdef".repeat(5_000);
        let tree = Tree::new(&[("proc/long", &long)]);
        for shape in [Shape::Record, Shape::Lines, Shape::LongLines] {
            let mut scratch = Scratch::new();
            let read = ProcFile::new(&tree.path("proc/long"), shape).read(&mut scratch).unwrap().to_vec();
            assert_eq!(read.len(), long.len(), "{shape:?}");
        }
        tree.write("proc/huge", &"x".repeat(FILE_BYTES_MAX + 1));
        let error = ProcFile::new(&tree.path("proc/huge"), Shape::Record).read(&mut Scratch::new()).unwrap_err();
        assert!(matches!(error, SourceError::Io { errno: Errno::FBIG, .. }), "{error}");
    }

    #[test]
    fn an_absent_file_is_looked_for_again_only_now_and_then() {
        let tree = Tree::new(&[]);
        let (mut file, mut scratch) = (ProcFile::new(&tree.path("proc/late"), Shape::Record), Scratch::new());
        assert!(matches!(file.read(&mut scratch), Err(SourceError::Absent { .. })));
        tree.write("proc/late", "here\n");
        for _ in 0..ABSENT_READINGS {
            assert!(file.read(&mut scratch).is_err());
        }
        assert_eq!(scratch.calls, 1);
        assert_eq!(file.read(&mut scratch).unwrap(), b"here\n");
    }

    #[test]
    fn an_error_that_is_no_absence_is_told_as_it_is_and_the_next_reading_tries_again() {
        let tree = Tree::new(&[("proc/file", "here\n")]);
        let (mut file, mut scratch) = (ProcFile::new(&tree.path("proc/file"), Shape::Record), Scratch::new());
        let mut errnos = vec![Errno::IO, Errno::NOMEM, Errno::MFILE];
        while let Some(errno) = errnos.pop() {
            let result = file.read_with(&mut scratch, |_, _| Err::<(), _>(errno));
            assert!(matches!(result, Err(SourceError::Io { errno: told, .. }) if told == errno), "{result:?}");
            assert_eq!(file.read(&mut scratch).unwrap(), b"here\n", "{errno}");
        }
        // What this user may not read is not asked for at every tick, and told as what it is.
        for _ in 0..3 {
            let result = file.read_with(&mut scratch, |_, _| Err::<(), _>(Errno::ACCESS));
            assert!(matches!(result, Err(SourceError::Io { errno: Errno::ACCESS, .. })), "{result:?}");
        }
        assert!(file.read(&mut scratch).is_err());
    }

    #[test]
    fn lines_of_a_file_of_any_size_come_one_by_one() {
        let text: String = (0..9_000).map(|number| format!("line {number}\n")).collect();
        let tree =
            Tree::new(&[("proc/lines", &(text.clone() + "unfinished")), ("proc/one", &"x".repeat(BUFFER_BYTES))]);
        let (mut scratch, mut seen) = (Scratch::new(), Vec::new());
        let mut file = ProcFile::new(&tree.path("proc/lines"), Shape::Lines);
        file.read_lines(&mut scratch, |line| {
            if let Some(line) = line.filter(|line| !line.is_empty()) {
                seen.push(super::super::parse::text(line));
            }
        })
        .unwrap();
        assert_eq!((seen.len(), seen[0].as_str(), seen[9_000].as_str()), (9_001, "line 0", "unfinished"));
        assert_eq!(scratch.buffer.len(), BUFFER_BYTES);
        let mut one = ProcFile::new(&tree.path("proc/one"), Shape::Lines);
        assert!(one.read_lines(&mut scratch, |_| {}).is_err());
    }

    #[test]
    fn a_descriptor_whose_thing_is_gone_is_opened_anew() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let path = PathBuf::from(format!("/proc/{}/stat", child.id()));
        let (mut file, mut scratch) = (ProcFile::new(&path, Shape::Record), Scratch::new());
        assert!(file.read(&mut scratch).unwrap().ends_with(b"\n"));
        child.wait().unwrap();
        let calls = scratch.calls;
        assert!(file.read(&mut scratch).unwrap_err().is_absence(), "ESRCH, and no such file at the second attempt");
        assert_eq!(scratch.calls - calls, 2);
    }
}
