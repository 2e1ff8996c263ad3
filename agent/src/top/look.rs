//! One look at all processes of /proc after the other, and what each used since the look before.
//!
//! A look reads two small files of each process and has a time limit, which the caller keeps: what it did not come to is counted, and the
//! next look begins there. What is remembered of a process is 48 bytes, of at most [`REMEMBERED_MAX`].

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use muster_common::redact::Redactor;
use muster_common::wire::message::{ProcessLook, ProcessUse};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::leaders::{Leaders, Seen};
use super::stat::{NAME_BYTES_MAX, Stat, boot_of, io_of, uptime_of};
use super::words::{command_of, cut, users_of};

/// Processes of one look; a machine has at most 4,194,304 numbers, and the list of them takes 4 B each.
const PIDS_MAX: usize = 1 << 20;
/// Processes that are remembered to the next look: about 6 MB at the most. Beyond it a process has no share of CPU.
const REMEMBERED_MAX: usize = 100_000;
/// Looks after which a process that none came to is forgotten.
const REMEMBERED_LOOKS: u32 = 16;
/// stat has some 300 B, io 100 B.
const SMALL_FILE_BYTES: usize = 1 << 10;
/// What is read of arguments: the report keeps less, and the count of longer ones ends here.
const CMDLINE_BYTES: usize = 16 << 10;
/// /proc/stat has a line a processor; /etc/passwd of large installations has some 100 kB.
const WHOLE_FILE_BYTES: usize = 1 << 20;

/// What is known of a process from an earlier look.
#[derive(Clone, Copy)]
struct Before {
    started_ticks: u64,
    cpu_ticks: u64,
    io: Option<(u64, u64)>,
    /// Of the machine, hundredths of a second.
    uptime: u64,
    look: u32,
}

/// Looks at the processes of one folder again and again.
pub(super) struct Looker {
    proc: PathBuf,
    passwd: PathBuf,
    redactor: Option<Redactor>,
    top: usize,
    ticks_per_second: u64,
    page_bytes: u64,
    before: HashMap<u32, Before>,
    /// When the last look began, uptime in hundredths of a second; `None`: there was none.
    last: Option<u64>,
    looks: u32,
    /// Where the last look had no more time.
    resume: Option<u32>,
    boot_s: i64,
    own_pid: u32,
}

/// Counts of one look.
#[derive(Default)]
struct Counts {
    seen: u32,
    running: u32,
    blocked: u32,
    zombies: u32,
}

impl Looker {
    /// `redactor`: tells arguments, without secrets.
    pub(super) fn new(proc: &Path, passwd: &Path, top: usize, redactor: Option<Redactor>) -> Self {
        Self {
            proc: proc.to_owned(),
            passwd: passwd.to_owned(),
            redactor,
            top,
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            page_bytes: rustix::param::page_size() as u64,
            before: HashMap::new(),
            last: None,
            looks: 0,
            resume: None,
            boot_s: 0,
            own_pid: std::process::id(),
        }
    }

    /// Looks until `is_over` says that there is no more time. `None`: the first one, from which on shares are taken. Times in it are those
    /// of the host's clock; `at_ms` and `interval_ms` are the caller's to fill in.
    ///
    /// # Errors
    /// When the folder cannot be listed, or lacks `uptime`.
    pub(super) fn look(&mut self, mut is_over: impl FnMut() -> bool) -> io::Result<Option<ProcessLook>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&self.proc, flags, Mode::empty())?;
        let mut buffer = vec![0; WHOLE_FILE_BYTES];
        let uptime = uptime_of(read_at(&folder, "uptime", &mut buffer)?);
        let uptime = uptime.ok_or_else(|| io::Error::other("uptime is no number of seconds"))?;
        let boot_s = boot_of(read_at(&folder, "stat", &mut buffer)?).unwrap_or(0);
        // The kernel derives it from two clocks, so it wavers by a second.
        if self.boot_s.abs_diff(boot_s) > 1 {
            self.boot_s = boot_s;
        }
        let (pids, beyond) = self.pids(&folder)?;
        let since = self.last.replace(uptime);
        self.looks = self.looks.wrapping_add(1);
        let mut leaders = Leaders::new(self.top);
        let mut counts = Counts::default();
        let mut left = pids.iter();
        self.resume = None;
        for pid in left.by_ref() {
            if let Some(seen) = self.see(&folder, *pid, uptime, since, &mut buffer, &mut counts) {
                leaders.offer(&seen);
            }
            if is_over() {
                self.resume = left.as_slice().first().copied();
                break;
            }
        }
        let unseen = left.len() + beyond;
        self.forget(unseen > 0);
        let Some(since) = since else { return Ok(None) };
        let users = users_of(read_at(rustix::fs::CWD, &self.passwd, &mut buffer).unwrap_or_default());
        let told = |seen: &Seen| self.told(&folder, seen, &users, &mut buffer_of_command());
        Ok(Some(ProcessLook {
            span_ms: uptime.saturating_sub(since) * 10,
            seen: counts.seen,
            running: counts.running,
            blocked: counts.blocked,
            zombies: counts.zombies,
            unseen: u32::try_from(unseen).unwrap_or(u32::MAX),
            processes: leaders.all().iter().map(told).collect(),
            ..ProcessLook::default()
        }))
    }

    /// The numbers of all processes, from where the last look ended, and how many more there are than a look takes.
    fn pids(&self, folder: &OwnedFd) -> Result<(Vec<u32>, usize), Errno> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut entries = RawDir::new(folder, &mut buffer);
        let (mut pids, mut beyond) = (Vec::new(), 0);
        while let Some(entry) = entries.next() {
            let Ok(pid) = entry?.file_name().to_str().unwrap_or_default().parse() else { continue };
            if pids.len() < PIDS_MAX { pids.push(pid) } else { beyond += 1 }
        }
        pids.sort_unstable();
        let first = self.resume.map_or(0, |resume| pids.partition_point(|pid| *pid < resume));
        pids.rotate_left(first);
        Ok((pids, beyond))
    }

    /// One process; `None`: it is gone.
    fn see(
        &mut self,
        folder: &OwnedFd,
        pid: u32,
        uptime: u64,
        since: Option<u64>,
        buffer: &mut [u8],
        counts: &mut Counts,
    ) -> Option<Seen> {
        let mut small = [0; SMALL_FILE_BYTES];
        let stat = Stat::of(read_at(folder, format!("{pid}/stat"), &mut small).ok()?)?;
        let io = read_at(folder, format!("{pid}/io"), &mut buffer[..SMALL_FILE_BYTES]).ok().and_then(io_of);
        counts.seen += 1;
        counts.blocked += u32::from(stat.state == b'D');
        counts.zombies += u32::from(stat.state == b'Z');
        // This process runs whenever it looks.
        counts.running += u32::from(stat.state == b'R' && pid != self.own_pid);
        let now = Before { started_ticks: stat.started_ticks, cpu_ticks: stat.cpu_ticks, io, uptime, look: self.looks };
        let room = self.before.len() < REMEMBERED_MAX || self.before.contains_key(&pid);
        let before = if room { self.before.insert(pid, now) } else { None };
        let before = before.filter(|before| before.started_ticks == stat.started_ticks);
        let started = stat.started_ticks.saturating_mul(100) / self.ticks_per_second;
        let before = match (before, since) {
            (Some(before), _) => Some(before),
            // It began after the last look: all that it used is of this span.
            (None, Some(since)) if started + 1 >= since => {
                Some(Before { cpu_ticks: 0, io: Some((0, 0)), uptime: since, ..now })
            }
            (None, _) => None,
        };
        let span = before.map(|before| uptime.saturating_sub(before.uptime)).filter(|span| *span > 0);
        let used = before.zip(span);
        let rate = |after: u64, before: u64, span: u64| after.saturating_sub(before).saturating_mul(100) / span;
        let mut name = ([0; NAME_BYTES_MAX], stat.name.len().min(NAME_BYTES_MAX));
        name.0[..name.1].copy_from_slice(&stat.name[..name.1]);
        Some(Seen {
            pid,
            name,
            state: stat.state,
            threads: stat.threads,
            started_ticks: stat.started_ticks,
            cpu: used.map(|(before, span)| self.share(stat.cpu_ticks.saturating_sub(before.cpu_ticks), span)),
            rss_bytes: stat.rss_pages.saturating_mul(self.page_bytes),
            io: used.and_then(|(before, span)| {
                let (after, before) = (io?, before.io?);
                Some((rate(after.0, before.0, span), rate(after.1, before.1, span)))
            }),
        })
    }

    /// Ticks within hundredths of a second, as hundredths of a percent of one processor.
    fn share(&self, ticks: u64, span: u64) -> u32 {
        let used = u128::from(ticks) * 100 * 10_000;
        u32::try_from(used / (u128::from(self.ticks_per_second) * u128::from(span.max(1)))).unwrap_or(u32::MAX)
    }

    /// Forgets processes that are gone. After a look that came not to all, only those that no look came to for long.
    fn forget(&mut self, is_partial: bool) {
        let (looks, keep) = (self.looks, if is_partial { REMEMBERED_LOOKS } else { 0 });
        self.before.retain(|_, before| looks.wrapping_sub(before.look) <= keep);
        if self.before.capacity() > 4 * self.before.len() + 1_024 {
            self.before.shrink_to_fit();
        }
    }

    fn told(&self, folder: &OwnedFd, seen: &Seen, users: &HashMap<u32, String>, buffer: &mut [u8]) -> ProcessUse {
        let pid = seen.pid;
        let cmdline = read_at(folder, format!("{pid}/cmdline"), buffer).unwrap_or_default();
        let (command, arguments) = command_of(cmdline, self.redactor.as_ref());
        let owner = rustix::fs::statat(folder, format!("{pid}"), AtFlags::SYMLINK_NOFOLLOW);
        let user = owner.map(|stat| users.get(&stat.st_uid).cloned().unwrap_or_else(|| stat.st_uid.to_string()));
        let started = u128::from(seen.started_ticks) * 1_000 / u128::from(self.ticks_per_second);
        let started_ms = self.boot_s.saturating_mul(1_000).saturating_add(i64::try_from(started).unwrap_or(i64::MAX));
        let (read_rate, write_rate) = seen.io.unwrap_or_default();
        ProcessUse {
            pid,
            started_ms,
            name: cut(seen.name()),
            command,
            arguments,
            user: user.unwrap_or_default(),
            state: seen.state,
            threads: seen.threads,
            has_cpu: seen.cpu.is_some(),
            cpu: seen.cpu.unwrap_or(0),
            rss_bytes: seen.rss_bytes,
            has_io: seen.io.is_some(),
            read_rate,
            write_rate,
        }
    }
}

fn buffer_of_command() -> Vec<u8> {
    vec![0; CMDLINE_BYTES]
}

/// The beginning of a file, as much as the buffer takes.
fn read_at(folder: impl std::os::fd::AsFd, path: impl rustix::path::Arg, buffer: &mut [u8]) -> Result<&[u8], Errno> {
    // A pipe in place of a file must not hold up the thread.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::openat(folder, path, flags, Mode::empty())?;
    let mut length = 0;
    while length < buffer.len() {
        match rustix::io::read(&file, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(&buffer[..length])
}
