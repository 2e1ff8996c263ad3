//! Writes numbered lines at a rate and rotates the files meanwhile. Writer and rotation are one thread, so nothing is lost here.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time;

/// How a file makes place for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    None,
    /// `app.log` becomes `app.log.1`, which became `.2` before.
    Rename,
    /// The file is copied to `.1` and cut to nothing.
    CopyTruncate,
    /// Deleted and made anew, mostly with the same inode number.
    Recreate,
    /// A link that points to a new file.
    Symlink,
}

/// What is written.
#[derive(Clone, Debug)]
pub struct Plan {
    pub lines: u64,
    /// Of these, written before the agent starts.
    pub prefill: u64,
    /// Lines a second.
    pub rate: u64,
    pub line_bytes: usize,
    /// Lines of one `write`.
    pub per_write: u64,
    pub files: u64,
    pub rotate: Rotate,
    pub rotate_every: Duration,
    /// Nothing is written for this long before each rotation.
    pub quiet: Duration,
    /// Between deletion and creation.
    pub pause: Duration,
    /// Lines that still go to a renamed file.
    pub late_lines: u64,
    /// Rotated files that are kept.
    pub keep: u64,
    /// From the second on they are packed: `.2.gz`.
    pub packs: bool,
    /// Bytes of a first line that all files share.
    pub header_bytes: usize,
    /// Every n-th line is written in two halves, 1.5 s apart; 0: none.
    pub partial_every: u64,
    /// Every n-th line has 1 MB; 0: none.
    pub huge_every: u64,
    /// Every n-th line has bytes that are no UTF-8; 0: none.
    pub binary_every: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            lines: 100_000,
            prefill: 0,
            rate: 10_000,
            line_bytes: 160,
            per_write: 1,
            files: 1,
            rotate: Rotate::None,
            rotate_every: Duration::from_secs(1),
            quiet: Duration::ZERO,
            pause: Duration::ZERO,
            late_lines: 0,
            keep: 5,
            packs: false,
            header_bytes: 0,
            partial_every: 0,
            huge_every: 0,
            binary_every: 0,
        }
    }
}

const HUGE_BYTES: usize = 1_000_000;
const PARTIAL: Duration = Duration::from_millis(1_500);

/// The writer, with how far it has come.
pub struct Writer {
    plan: Plan,
    folder: PathBuf,
    open: Vec<File>,
    /// The number of the file that each link points to.
    targets: Vec<u64>,
    pub written: u64,
    pub bytes: u64,
    pub rotations: u64,
    line: Vec<u8>,
}

/// File `number` of this folder.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("app-{number:04}.log"))
}

impl Writer {
    /// Makes the files.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn new(plan: Plan, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let targets = vec![0; usize::try_from(plan.files)?];
        let folder = folder.to_path_buf();
        let mut writer =
            Self { plan, folder, open: Vec::new(), targets, written: 0, bytes: 0, rotations: 0, line: Vec::new() };
        for file in 0..writer.plan.files {
            let made = writer.create(file)?;
            writer.open.push(made);
        }
        Ok(writer)
    }

    fn create(&self, number: u64) -> Result<File> {
        let path = path(&self.folder, number);
        let append = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let mut file = if self.plan.rotate == Rotate::Symlink {
            let target = self.folder.join(format!("real-{number:04}-{:06}", self.targets[number as usize]));
            let file = append(&target)?;
            let link = self.folder.join(format!("link-{number:04}"));
            std::os::unix::fs::symlink(&target, &link)?;
            fs::rename(&link, &path)?;
            file
        } else {
            append(&path)?
        };
        self.put_header(&mut file)?;
        Ok(file)
    }

    fn put_header(&self, file: &mut File) -> Result<()> {
        if self.plan.header_bytes > 0 {
            let mut header = vec![b'#'; self.plan.header_bytes];
            header.push(b'\n');
            file.write_all(&header)?;
        }
        Ok(())
    }

    /// The next line of this file, with its newline: number, file, length, text, end.
    fn make(&mut self, file: u64) {
        let plan = &self.plan;
        let is_every = |every: u64| every > 0 && self.written % every == every - 1;
        let length = if is_every(plan.huge_every) { HUGE_BYTES } else { plan.line_bytes };
        let binary = is_every(plan.binary_every);
        self.line.clear();
        let head = format!("seq={:012};f={file:04};l={length:08};", self.written);
        self.line.extend_from_slice(head.as_bytes());
        let text = b"the quick brown fox jumps over the lazy dog 0123456789 ";
        while self.line.len() < length - 4 {
            let byte = text[(self.line.len() + self.written as usize) % text.len()];
            self.line.push(if binary && self.line.len().is_multiple_of(7) { 0xff } else { byte });
        }
        self.line.extend_from_slice(b";end\n");
        self.written += 1;
        self.bytes += self.line.len() as u64;
    }

    /// Lines go to the files in turn, `per_write` in one write.
    fn emit(&mut self, lines: u64, per_write: u64) -> Result<()> {
        let (mut left, mut chunk) = (lines, Vec::new());
        while left > 0 {
            let file = (self.written / per_write) % self.plan.files;
            let count = left.min(per_write);
            chunk.clear();
            for _ in 0..count {
                self.make(file);
                let in_halves = self.plan.partial_every > 0 && self.written.is_multiple_of(self.plan.partial_every);
                if in_halves {
                    let (first, second) = self.line.split_at(self.line.len() / 2);
                    chunk.extend_from_slice(first);
                    self.open[file as usize].write_all(&chunk)?;
                    chunk.clear();
                    std::thread::sleep(PARTIAL);
                    chunk.extend_from_slice(second);
                } else {
                    chunk.extend_from_slice(&self.line);
                }
            }
            self.open[file as usize].write_all(&chunk)?;
            left -= count;
        }
        Ok(())
    }

    /// What is there before the agent starts.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn prefill(&mut self) -> Result<()> {
        self.emit(self.plan.prefill, 1_000)
    }

    /// Everything else, at the rate, until all lines are written.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn run(&mut self) -> Result<()> {
        self.run_while(|_| true)
    }

    /// As [`Writer::run`], and only while `go_on` says so, asked about each 5 ms with the lines written.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn run_while(&mut self, mut go_on: impl FnMut(u64) -> bool) -> Result<()> {
        let (start, first) = (time::monotonic(), self.written);
        let mut rotate_at = self.plan.rotate_every;
        while self.written < self.plan.lines && go_on(self.written) {
            let elapsed = time::monotonic() - start;
            if self.plan.rotate != Rotate::None && elapsed >= rotate_at {
                self.rotate()?;
                rotate_at += self.plan.rotate_every;
            }
            let elapsed = (time::monotonic() - start).as_secs_f64();
            let due = first + (elapsed * self.plan.rate as f64) as u64;
            let lines = due.min(self.plan.lines).saturating_sub(self.written);
            // At most 20 ms of lines at once, so that a late rotation is not later still.
            let lines = lines.min(self.plan.rate / 50 + 1);
            if lines == 0 {
                std::thread::sleep(Duration::from_millis(5));
            } else {
                self.emit(lines, self.plan.per_write)?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> Result<()> {
        std::thread::sleep(self.plan.quiet);
        for number in 0..self.plan.files {
            let path = path(&self.folder, number);
            match self.plan.rotate {
                Rotate::None => {}
                Rotate::Rename => {
                    fs::rename(&path, self.shifted(&path)?)?;
                    // As a program does until it is told to open its log again.
                    for _ in 0..self.plan.late_lines.min(self.plan.lines - self.written) {
                        self.make(number);
                        self.open[number as usize].write_all(&self.line)?;
                    }
                    self.open[number as usize] = self.create(number)?;
                }
                Rotate::CopyTruncate => {
                    fs::copy(&path, self.shifted(&path)?)?;
                    self.open[number as usize].set_len(0)?;
                    let mut file = self.open[number as usize].try_clone()?;
                    self.put_header(&mut file)?;
                }
                Rotate::Recreate => {
                    fs::remove_file(&path)?;
                    std::thread::sleep(self.plan.pause);
                    self.open[number as usize] = self.create(number)?;
                }
                Rotate::Symlink => {
                    self.targets[number as usize] += 1;
                    self.open[number as usize] = self.create(number)?;
                }
            }
        }
        self.rotations += 1;
        Ok(())
    }

    /// Moves the kept files one on, and gives the freed name. The oldest goes.
    fn shifted(&self, path: &Path) -> Result<PathBuf> {
        let plain = |number: u64| PathBuf::from(format!("{}.{number}", path.display()));
        let kept = |number: u64| {
            let ending = if self.plan.packs && number > 1 { ".gz" } else { "" };
            PathBuf::from(format!("{}.{number}{ending}", path.display()))
        };
        let _ = fs::remove_file(kept(self.plan.keep));
        for number in (2..self.plan.keep).rev() {
            let _ = fs::rename(kept(number), kept(number + 1));
        }
        if self.plan.packs && plain(1).exists() {
            pack(&plain(1), &kept(2))?;
        } else {
            let _ = fs::rename(plain(1), plain(2));
        }
        Ok(plain(1))
    }
}

/// As logrotate does: gzip writes another file and deletes the first.
fn pack(from: &Path, to: &Path) -> Result<()> {
    let packed = Command::new("gzip").arg("--keep").arg(from).status().context("failed to start gzip")?;
    let made = PathBuf::from(format!("{}.gz", from.display()));
    if !packed.success() {
        bail!("gzip of {} ended with {packed}", from.display());
    }
    fs::remove_file(from)?;
    fs::rename(made, to).with_context(|| format!("no {}", to.display()))
}
