//! What /proc says of one process. Bytes of foreign programs: nothing here panics, and what is not understood is `None`.

use crate::sources::parse;

/// The kernel's name of a process: 15 bytes, of some kernel threads up to 63.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// /proc/PID/stat, as far as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    pub name: &'a [u8],
    pub state: u8,
    /// User and system time of all threads, in the kernel's ticks.
    pub cpu_ticks: u64,
    pub threads: u32,
    /// Ticks after the start of the machine: with the pid it names one process for ever.
    pub started_ticks: u64,
    pub rss_pages: u64,
}

impl<'a> Stat<'a> {
    /// `77 (name) S 1 77 77 0 -1 4194304 ...`: the name may hold blanks and brackets, so it ends with the last one.
    pub(crate) fn of(text: &'a [u8]) -> Option<Self> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')').filter(|close| *close > open)?;
        let name = &text[open + 1..close];
        let mut words = parse::words(parse::trimmed(&text[close + 1..]));
        let state = *words.next()?.first().filter(|letter| letter.is_ascii_alphabetic())?;
        // `nth` counts from behind the state, field 3 of proc(5).
        let mut nth = |skip: usize| words.nth(skip).and_then(whole);
        let (user, system) = (nth(10)?, nth(0)?);
        let (threads, started_ticks) = (nth(4)?, nth(1)?);
        // A process that has no memory any more may show a negative number.
        let rss_pages = nth(1).unwrap_or(0);
        Some(Self {
            name: &name[..name.len().min(NAME_BYTES_MAX)],
            state,
            cpu_ticks: user.saturating_add(system),
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
            started_ticks,
            rss_pages,
        })
    }
}

/// Bytes read from and written to disks, of /proc/PID/io.
pub(super) fn io_of(text: &[u8]) -> Option<(u64, u64)> {
    let value = |name: &[u8]| {
        parse::lines(text).find_map(|line| line.strip_prefix(name)).and_then(|rest| whole(rest.trim_ascii()))
    };
    Some((value(b"read_bytes:")?, value(b"write_bytes:")?))
}

/// How long the machine runs, in hundredths of a second, of /proc/uptime.
pub(super) fn uptime_of(text: &[u8]) -> Option<u64> {
    let seconds = parse::words(text).next().and_then(parse::number)?;
    (seconds >= 0.0).then_some((seconds * 100.0).round() as u64)
}

/// When the machine started, seconds since 1970, of /proc/stat.
pub(crate) fn boot_of(text: &[u8]) -> Option<i64> {
    let line = parse::lines(text).find_map(|line| line.strip_prefix(b"btime "))?;
    whole(line.trim_ascii()).and_then(|seconds| i64::try_from(seconds).ok())
}

fn whole(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
