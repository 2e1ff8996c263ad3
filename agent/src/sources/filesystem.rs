//! Room and state of each mounted file system: mountinfo, then statvfs on a helper thread.
//!
//! A dead network mount makes statvfs hang for minutes or for ever. The helper that hangs is set aside with its mount, a new
//! one asks about the others, and the mount is told as `device_error` until its helper comes back. Where many hang, mounts of
//! the same kind or device are taken for hanging too, so that the local ones are told at every tick.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::StatVfs;
use rustix::io::Errno;

use super::background::{Background, Job};
use super::metric::{Column, Devices};
use super::mounts::{Mount, parse_mounts};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};
use crate::rows::Rows;

/// How long sampling waits for all mounts together. A healthy statvfs takes microseconds.
const ANSWER_LIMIT: Duration = Duration::from_millis(250);
/// Times that mounts are asked about in one tick: each that hangs costs the limit once. From the last one those are left out
/// that are like one that hangs.
const ASKS_PER_TICK: usize = 3;
/// Helpers that may hang at once. From here on mounts like one that hangs are not asked about, so that threads do not pile up.
const HANGING_MAX: usize = 8;
/// The same for mounts that are like none that hangs: a second dead server, a disk that dies.
const HANGING_ALL_MAX: usize = 12;
/// node_exporter's words for a mount that gives no answer.
const TIMEOUT_WORDS: &str = "mountpoint timeout";

const COLUMNS: &[Column] = &[
    Column::gauge("node_filesystem_size_bytes"),
    Column::gauge("node_filesystem_free_bytes"),
    Column::gauge("node_filesystem_avail_bytes"),
    Column::gauge("node_filesystem_files"),
    Column::gauge("node_filesystem_files_free"),
    Column::gauge("node_filesystem_readonly"),
    Column::gauge("node_filesystem_device_error"),
];
/// What a mount without an answer has, under a further label that says why.
const ERROR_COLUMNS: &[Column] =
    &[Column::gauge("node_filesystem_device_error"), Column::gauge("node_filesystem_readonly")];
const INFO_COLUMNS: &[Column] = &[Column::gauge("node_filesystem_mount_info")];

pub(super) struct Filesystem {
    /// Of process 1, which sees the host; else of ourselves.
    files: [ProcFile; 2],
    /// The text that `mounts` was made from: parsed again only when it differs.
    listed: Vec<u8>,
    mounts: Vec<Watched>,
    helper: Option<Background<Ask>>,
    ask: Option<Ask>,
    hanging: Vec<Hanging>,
    usage: Devices,
    errors: Devices,
    infos: Devices,
    error_key: Vec<u8>,
    statvfs: Statvfs,
}

/// A mount and the keys of its series.
struct Watched {
    mount: Mount,
    key: Vec<u8>,
}

/// A helper that does not come back, and the mount it is at.
struct Hanging {
    key: Vec<u8>,
    device: Vec<u8>,
    /// Where all mounts of the kind likely hang with it; not for local ones, of which one disk may be dying alone.
    kind: Option<Vec<u8>>,
    helper: Background<Ask>,
}

impl Hanging {
    /// Whether this mount likely hangs for the same reason.
    fn is_like(&self, mount: &Mount) -> bool {
        self.device == mount.device || self.kind.as_ref().is_some_and(|kind| *kind == mount.kind)
    }
}

/// The call, which a test replaces by one that hangs.
type Statvfs = fn(&CStr) -> Result<StatVfs, Errno>;

/// What a helper is to do: statvfs of each target.
struct Ask {
    targets: Vec<Target>,
    /// Whether mounts like one that hangs are left out.
    careful: bool,
    statvfs: Statvfs,
    /// The number of the target it is at, readable from outside.
    at: Arc<AtomicUsize>,
}

struct Target {
    key: Vec<u8>,
    path: CString,
    answer: Result<StatVfs, Errno>,
}

impl Job for Ask {
    fn run(&mut self) {
        for (number, target) in self.targets.iter_mut().enumerate() {
            self.at.store(number, Ordering::Release);
            target.answer = (self.statvfs)(&target.path);
        }
    }
}

impl Filesystem {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |process: &str| ProcFile::new(&roots.proc.join(process).join("mountinfo"), Shape::LongLines);
        Self {
            files: [file("1"), file("self")],
            listed: Vec::new(),
            mounts: Vec::new(),
            helper: None,
            ask: None,
            hanging: Vec::new(),
            usage: Devices::new(COLUMNS),
            errors: Devices::new(ERROR_COLUMNS),
            infos: Devices::new(INFO_COLUMNS),
            error_key: Vec::new(),
            statvfs: |path| rustix::fs::statvfs(path),
        }
    }

    /// Brings `mounts` up to date.
    fn list(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let [init, own] = &mut self.files;
        // An ordinary user may not read process 1's.
        let length = match init.read(tick.scratch) {
            Ok(text) => text.len(),
            Err(_) => own.read(tick.scratch)?.len(),
        };
        let text = tick.scratch.text(length);
        if text == self.listed {
            return Ok(());
        }
        self.listed.clear();
        self.listed.extend_from_slice(text);
        let watched = |mount: Mount| {
            let key = [&mount.device[..], &mount.point, &mount.kind].join(&0);
            Watched { mount, key }
        };
        self.mounts = parse_mounts(text).into_iter().map(watched).collect();
        self.ask = None;
        Ok(())
    }

    /// Asks about all mounts that do not hang, until every one has answered or this tick's patience is used up.
    fn ask_all(&mut self) -> Result<(), SourceError> {
        let before = self.hanging.len();
        self.hanging.retain(|hanging| hanging.helper.wait(Duration::ZERO).is_none());
        if self.hanging.len() != before {
            self.ask = None;
        }
        for number in 1..=ASKS_PER_TICK {
            let careful = number == ASKS_PER_TICK || self.hanging.len() >= HANGING_MAX;
            if self.hanging.len() >= HANGING_ALL_MAX {
                break;
            }
            let ask = self.ask.take().filter(|ask| ask.careful == careful).unwrap_or_else(|| self.new_ask(careful));
            let at = Arc::clone(&ask.at);
            let helper = match self.helper.take() {
                Some(helper) => helper,
                None => Background::start("muster-statvfs")
                    .map_err(|_| SourceError::Call { doing: "start a thread", errno: Errno::AGAIN })?,
            };
            let keys = ask.targets.len();
            if let Some(ask) = helper.run(ask, ANSWER_LIMIT) {
                self.helper = Some(helper);
                self.ask = Some(ask);
                let all = self.asked(careful).count() == self.asked(false).count();
                return if all { Ok(()) } else { Err(SourceError::Late { what: "a file system" }) };
            }
            let number = at.load(Ordering::Acquire).min(keys.saturating_sub(1));
            let Some(Watched { mount, key }) = self.asked(careful).nth(number) else { break };
            let kind = (!mount.is_local()).then(|| mount.kind.clone());
            let (key, device) = (key.clone(), mount.device.clone());
            self.hanging.push(Hanging { key, device, kind, helper });
        }
        Err(SourceError::Late { what: "a file system" })
    }

    fn new_ask(&self, careful: bool) -> Ask {
        let target = |watched: &Watched| {
            let path = watched.mount.path()?;
            Some(Target { key: watched.key.clone(), path, answer: Err(Errno::AGAIN) })
        };
        let targets = self.asked(careful).filter_map(target).collect();
        Ask { targets, careful, statvfs: self.statvfs, at: Arc::new(AtomicUsize::new(0)) }
    }

    /// What a new ask is about, in its order.
    fn asked(&self, careful: bool) -> impl Iterator<Item = &Watched> {
        // A path with a zero byte is none; no kernel lists one.
        let paths = self.mounts.iter().filter(|watched| !watched.mount.point.contains(&0));
        let free = paths.filter(|watched| !self.hanging.iter().any(|hanging| hanging.key == watched.key));
        free.filter(move |watched| !(careful && self.hanging.iter().any(|hanging| hanging.is_like(&watched.mount))))
    }

    fn put_all(&mut self, rows: &mut Rows) {
        self.usage.begin();
        self.errors.begin();
        self.infos.begin();
        let targets = self.ask.as_ref().map_or(&[][..], |ask| &ask.targets);
        // Those that are not asked about for long are told; those left out of one tick are asked about in the next.
        let is_full = self.hanging.len() >= HANGING_MAX;
        let mut cursor = 0;
        for watched in &self.mounts {
            // Targets stand in the order of the mounts, without those that hang.
            let target = targets.get(cursor).filter(|target| target.key == watched.key);
            cursor += usize::from(target.is_some());
            let mut hanging = self.hanging.iter();
            let hangs = hanging.any(|one| one.key == watched.key || (is_full && one.is_like(&watched.mount)));
            match target.map(|target| &target.answer) {
                Some(Ok(answer)) => put_usage(&mut self.usage, &mut self.infos, rows, watched, answer),
                Some(Err(errno)) => put_error(&mut self.errors, &mut self.error_key, rows, watched, words_for(*errno)),
                None if hangs => put_error(&mut self.errors, &mut self.error_key, rows, watched, TIMEOUT_WORDS),
                // Not asked in this tick: nothing is known, so nothing is said.
                None => {}
            }
        }
        self.usage.finish(rows);
        self.errors.finish(rows);
        self.infos.finish(rows);
    }
}

impl Source for Filesystem {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        self.list(tick)?;
        let asked = self.ask_all();
        tick.scratch.calls += self.mounts.len() as u64;
        self.put_all(tick.rows);
        asked
    }
}

fn put_usage(usage: &mut Devices, infos: &mut Devices, rows: &mut Rows, watched: &Watched, answer: &StatVfs) {
    let Watched { mount, key } = watched;
    let device = usage.device_with(key, || labels(mount));
    // The unit of the counts is the fragment size; f_bsize is only the size that reads best.
    let bytes = |blocks: u64| blocks as f64 * answer.f_frsize as f64;
    // As process 1 has it mounted: what statvfs says is this process' own view, in which a unit with ProtectSystem= cannot write anywhere.
    let read_only = mount.read_only;
    let values = [
        bytes(answer.f_blocks),
        bytes(answer.f_bfree),
        bytes(answer.f_bavail),
        answer.f_files as f64,
        answer.f_ffree as f64,
        f64::from(u8::from(read_only)),
        0.0,
    ];
    for (column, value) in values.into_iter().enumerate() {
        usage.put(rows, device, column, value);
    }
    let info = infos.device_with(key, || {
        let [name, major, minor, point] =
            [&mount.device, &mount.major, &mount.minor, &mount.point].map(|part| parse::text(part));
        vec![("device", name), ("major", major), ("minor", minor), ("mountpoint", point)]
    });
    infos.put(rows, info, 0, 1.0);
}

fn put_error(errors: &mut Devices, key: &mut Vec<u8>, rows: &mut Rows, watched: &Watched, words: &'static str) {
    key.clear();
    key.extend_from_slice(&watched.key);
    key.extend_from_slice(words.as_bytes());
    let device = errors.device_with(key, || {
        let mut labels = labels(&watched.mount);
        labels.push(("device_error", words.to_owned()));
        labels
    });
    errors.put(rows, device, 0, 1.0);
    errors.put(rows, device, 1, f64::from(u8::from(watched.mount.read_only)));
}

fn labels(mount: &Mount) -> Vec<(&'static str, String)> {
    let [device, point, kind] = [&mount.device, &mount.point, &mount.kind].map(|part| parse::text(part));
    vec![("device", device), ("fstype", kind), ("mountpoint", point)]
}

/// The system's words for the errors that statvfs has, in the spelling that node_exporter's label has.
fn words_for(errno: Errno) -> &'static str {
    match errno {
        Errno::ACCESS => "permission denied",
        Errno::NOENT => "no such file or directory",
        Errno::NOTDIR => "not a directory",
        Errno::IO => "input/output error",
        Errno::STALE => "stale NFS file handle",
        Errno::NOTCONN => "transport endpoint is not connected",
        Errno::HOSTDOWN => "host is down",
        Errno::TIMEDOUT => "connection timed out",
        Errno::NODEV => "no such device",
        Errno::NOSYS => "function not implemented",
        Errno::LOOP => "too many levels of symbolic links",
        _ => "statvfs failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Scratch;
    use crate::testing::{Tree, sampled, shown};
    use muster_common::time::Timestamp;
    use std::sync::Mutex;

    fn line(number: usize, point: &str, options: &str) -> String {
        format!("{number} 1 8:{number} / {point} {options} - ext4 /dev/sd{number} rw\n")
    }

    #[test]
    fn each_mount_has_its_room_and_an_error_has_its_words() {
        let tree = Tree::new(&[]);
        let here = tree.path("proc");
        let text = line(1, &here.display().to_string(), "ro") + &line(2, "/no/such/place", "rw");
        tree.write("proc/self/mountinfo", &text);
        let seen = sampled("filesystem", &tree).unwrap();
        let starts = |start: &str| seen.iter().filter(|line| line.starts_with(start)).count();
        for (start, count) in [
            ("node_filesystem_size_bytes{device=\"/dev/sd1\",fstype=\"ext4\",mountpoint=", 1),
            ("node_filesystem_avail_bytes{", 1),
            ("node_filesystem_files{", 1),
            ("node_filesystem_readonly{device=\"/dev/sd1\"", 1),
            ("node_filesystem_mount_info{device=\"/dev/sd1\",major=\"8\",minor=\"1\",mountpoint=", 1),
            ("node_filesystem_device_error{device=\"/dev/sd1\",fstype", 1),
            ("node_filesystem_device_error{device=\"/dev/sd2\",device_error=\"no such file or directory\"", 1),
            ("node_filesystem_size_bytes", 1),
        ] {
            assert_eq!(starts(start), count, "{start} in {seen:#?}");
        }
    }

    #[test]
    fn what_is_read_only_is_what_process_1_has_mounted_so() {
        let tree = Tree::new(&[]);
        let (here, other) = (tree.path("proc").display().to_string(), tree.path("sys").display().to_string());
        // Both can be written to as this process sees them.
        tree.write("proc/1/mountinfo", &(line(1, &here, "rw") + &line(2, &other, "ro")));
        let (mut source, mut rows) = (Filesystem::new(&tree.roots()), Rows::default());
        rows.begin(0);
        rows.source(0);
        let tick = &mut Tick { now: Timestamp::default(), rows: &mut rows, scratch: &mut Scratch::new() };
        source.sample(tick).unwrap();
        rows.finish();
        let seen: Vec<String> =
            shown(&rows).into_iter().filter(|row| row.starts_with("node_filesystem_readonly{")).collect();
        let value =
            |point: &str| seen.iter().find(|row| row.contains(point)).and_then(|row| row.split(' ').next_back());
        assert_eq!((value(&here), value(&other)), (Some("0"), Some("1")), "{seen:#?}");
    }

    #[test]
    fn a_mount_that_goes_ends_its_series() {
        let tree = Tree::new(&[]);
        let here = tree.path("proc").display().to_string();
        let other = tree.path("sys").display().to_string();
        tree.write("proc/1/mountinfo", &(line(1, &here, "rw") + &line(2, &other, "rw")));
        let (mut source, mut rows) = (Filesystem::new(&tree.roots()), Rows::default());
        let mut tick = || {
            rows.begin(0);
            rows.source(0);
            let now = Timestamp::default();
            source.sample(&mut Tick { now, rows: &mut rows, scratch: &mut Scratch::new() }).unwrap();
            rows.finish();
            shown(&rows)
        };
        assert_eq!(tick().len(), 16);
        tree.write("proc/1/mountinfo", &line(1, &here, "rw"));
        assert_eq!(tick().iter().filter(|line| line.ends_with(" stale")).count(), 8);
        assert_eq!(tick().len(), 8);
    }

    /// Holds up every call for the dead mount until the test lets go.
    static DEAD: Mutex<()> = Mutex::new(());

    fn statvfs_with_a_dead_mount(path: &CStr) -> Result<StatVfs, Errno> {
        if path.to_bytes() == b"/net/dead" {
            drop(DEAD.lock());
            return Err(Errno::STALE);
        }
        rustix::fs::statvfs(path)
    }

    /// The same for the mounts of a dead server.
    static DEAD_SERVER: Mutex<()> = Mutex::new(());

    fn statvfs_with_a_dead_server(path: &CStr) -> Result<StatVfs, Errno> {
        if path.to_bytes().starts_with(b"/net/") {
            drop(DEAD_SERVER.lock());
            return Err(Errno::STALE);
        }
        rustix::fs::statvfs(path)
    }

    #[test]
    fn local_file_systems_are_told_however_many_mounts_of_a_dead_server_hang() {
        let tree = Tree::new(&[]);
        let here = tree.path("proc").display().to_string();
        let there = tree.path("sys").display().to_string();
        let mut text = line(1, &here, "rw");
        (10..30).for_each(|number| {
            text += &format!("{number} 1 0:{number} / /net/{number} rw - nfs4 server:/{number} rw\n");
        });
        tree.write("proc/1/mountinfo", &(text + &line(2, &there, "rw")));
        let (mut source, mut rows) = (Filesystem::new(&tree.roots()), Rows::default());
        source.statvfs = statvfs_with_a_dead_server;
        let mut tick = |source: &mut Filesystem| {
            rows.begin(0);
            rows.source(0);
            let now = Timestamp::default();
            let result = source.sample(&mut Tick { now, rows: &mut rows, scratch: &mut Scratch::new() });
            rows.finish();
            let mut seen = shown(&rows);
            seen.retain(|line| !line.ends_with("stale"));
            (result.is_ok(), seen)
        };
        let count = |seen: &[String], words: &str| seen.iter().filter(|line| line.contains(words)).count();
        let held = DEAD_SERVER.lock().unwrap();
        for number in 0..8 {
            let (is_ok, seen) = tick(&mut source);
            assert_eq!(count(&seen, "node_filesystem_size_bytes{"), 2, "tick {number}: {seen:#?}");
            assert!(!is_ok && source.hanging.len() <= HANGING_MAX, "{}", source.hanging.len());
        }
        let (_, seen) = tick(&mut source);
        let timeouts = count(&seen, "node_filesystem_device_error{device=\"server:/");
        assert_eq!((source.hanging.len(), timeouts), (HANGING_MAX, 20), "{seen:#?}");
        assert_eq!(count(&seen, "mountpoint timeout"), 40, "each with its error and whether it is read-only");
        drop(held);
        while !source.hanging.is_empty() {
            tick(&mut source);
        }
        let (is_ok, seen) = tick(&mut source);
        assert!(is_ok && count(&seen, "stale NFS file handle") == 40, "{seen:#?}");
    }

    #[test]
    fn a_mount_that_hangs_is_told_and_the_others_go_on() {
        let tree = Tree::new(&[]);
        let here = tree.path("proc").display().to_string();
        let there = tree.path("sys").display().to_string();
        let text = [line(1, &here, "rw"), line(2, "/net/dead", "rw"), line(3, &there, "rw")].concat();
        tree.write("proc/1/mountinfo", &text);
        let (mut source, mut rows) = (Filesystem::new(&tree.roots()), Rows::default());
        source.statvfs = statvfs_with_a_dead_mount;
        let mut tick = |source: &mut Filesystem| {
            rows.begin(0);
            rows.source(0);
            let now = Timestamp::default();
            let result = source.sample(&mut Tick { now, rows: &mut rows, scratch: &mut Scratch::new() });
            rows.finish();
            result.unwrap();
            shown(&rows)
        };
        let has =
            |seen: &[String], start: &str| seen.iter().any(|line| line.starts_with(start) && !line.ends_with("stale"));
        let held = DEAD.lock().unwrap();
        for _ in 0..3 {
            let seen = tick(&mut source);
            assert!(has(&seen, "node_filesystem_size_bytes{device=\"/dev/sd1\""), "{seen:#?}");
            assert!(has(&seen, "node_filesystem_size_bytes{device=\"/dev/sd3\""), "{seen:#?}");
            let dead = "node_filesystem_device_error{device=\"/dev/sd2\",device_error=\"mountpoint timeout\",fstype=\"ext4\",mountpoint=\"/net/dead\"} 1";
            assert!(has(&seen, dead), "{seen:#?}");
            assert_eq!(source.hanging.len(), 1, "only the first tick waits for it");
        }
        drop(held);
        while source.hanging.len() == 1 {
            tick(&mut source);
        }
        assert!(has(
            &tick(&mut source),
            "node_filesystem_device_error{device=\"/dev/sd2\",device_error=\"stale NFS file handle\""
        ));
    }
}
