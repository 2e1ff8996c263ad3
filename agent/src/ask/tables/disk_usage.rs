//! How full file systems are: mountinfo of process 1, then statvfs on a helper thread, since a dead network mount hangs for minutes or ever.
//!
//! A mount that hangs is left out and named; its helper is set aside, and until it comes back no other question asks about that mount.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_common::inventory::Value;
use rustix::fs::StatVfs;
use rustix::io::Errno;

use super::{Host, Scene, Stop, Taker};
use crate::inventory::LARGE_BYTES;
use crate::sources::{Background, Job, Mount, parse, parse_mounts};

/// How long all mounts together may take; a healthy statvfs takes microseconds.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Helpers that may hang at once, and tries of one question: each that hangs costs the time above once.
const HANGING_MAX: usize = 4;

/// The call, which a test replaces by one that hangs.
pub(in crate::ask) type Statvfs = fn(&CStr) -> Result<StatVfs, Errno>;

/// What is remembered between questions.
pub(in crate::ask) struct Disks {
    pub(in crate::ask) statvfs: Statvfs,
    /// Helpers that did not come back, with the mount that each is at.
    hanging: Vec<(Background<Look>, Vec<u8>)>,
}

impl Default for Disks {
    fn default() -> Self {
        Self { statvfs: |path| rustix::fs::statvfs(path), hanging: Vec::new() }
    }
}

/// What a helper is to do: statvfs of each target from the first.
struct Look {
    statvfs: Statvfs,
    targets: Vec<(usize, CString)>,
    answers: Vec<Result<StatVfs, Errno>>,
    /// How many of them have answers, readable from outside.
    at: Arc<AtomicUsize>,
}

impl Job for Look {
    fn run(&mut self) {
        for (number, (_, path)) in self.targets.iter().enumerate() {
            self.at.store(number, Ordering::Release);
            self.answers.push((self.statvfs)(path));
        }
    }
}

pub(super) fn read(host: &Host, scene: &Scene, taker: &mut Taker<'_>) -> Result<(), Stop> {
    let bytes = match scene.read("proc/1/mountinfo", LARGE_BYTES) {
        Ok(Some(bytes)) => bytes,
        // Where processes of others are hidden.
        _ => scene.must_read("proc/self/mountinfo", LARGE_BYTES)?,
    };
    let mut mounts = parse_mounts(&bytes);
    // What is mounted last at a place is what one sees there.
    mounts.reverse();
    let mut seen = std::collections::BTreeSet::new();
    mounts.retain(|mount| seen.insert(mount.point().to_vec()));
    mounts.sort_unstable_by(|one, other| one.point().cmp(other.point()));
    let answers = host.disks.borrow_mut().ask(&mounts, taker);
    for (mount, answer) in mounts.iter().zip(answers) {
        let path = parse::text(mount.point());
        match answer {
            Some(Ok(usage)) => taker.add(row(path, mount, &usage))?,
            // Not for this user, or gone since.
            Some(Err(Errno::NOENT)) => {}
            Some(Err(errno)) => taker.note(format!("{path} is left out: {errno}")),
            None => taker.note(format!("{path} is left out: it gives no answer")),
        }
    }
    Ok(())
}

fn row(path: String, mount: &Mount, usage: &StatVfs) -> [Value; 10] {
    let bytes = |blocks: u64| number(blocks.saturating_mul(usage.f_frsize));
    let (used, inodes_used) =
        (usage.f_blocks - usage.f_bfree.min(usage.f_blocks), usage.f_files - usage.f_ffree.min(usage.f_files));
    // As df: of what those who are not root may use, rounded up.
    let percent = |used: u64, all: u64| (all > 0).then(|| number(used.saturating_mul(100).div_ceil(all)));
    [
        path.into(),
        parse::text(mount.device()).into(),
        parse::text(mount.kind()).into(),
        bytes(usage.f_blocks).into(),
        bytes(used).into(),
        bytes(usage.f_bavail).into(),
        percent(used, used.saturating_add(usage.f_bavail)).into(),
        // Some file systems have no fixed number of them.
        (usage.f_files > 0).then(|| number(usage.f_files)).into(),
        (usage.f_files > 0).then(|| number(inodes_used)).into(),
        percent(inodes_used, usage.f_files).into(),
    ]
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Disks {
    /// What the kernel says of each mount; `None`: it hangs, or nobody came to it.
    fn ask(&mut self, mounts: &[Mount], taker: &Taker<'_>) -> Vec<Option<Result<StatVfs, Errno>>> {
        let mut answers: Vec<Option<Result<StatVfs, Errno>>> = mounts.iter().map(|_| None).collect();
        self.hanging.retain(|(helper, _)| helper.wait(Duration::ZERO).is_none());
        while self.hanging.len() < HANGING_MAX && taker.go_on().is_ok() {
            let hangs = |mount: &Mount| self.hanging.iter().any(|(_, point)| point == mount.point());
            let wanted = mounts.iter().enumerate().filter(|(place, mount)| answers[*place].is_none() && !hangs(mount));
            let targets: Vec<(usize, CString)> =
                wanted.filter_map(|(place, mount)| Some((place, CString::new(mount.point()).ok()?))).collect();
            let Ok(helper) = Background::start("muster-ask-disks") else { break };
            if targets.is_empty() {
                break;
            }
            let at = Arc::new(AtomicUsize::new(0));
            let places: Vec<usize> = targets.iter().map(|(place, _)| *place).collect();
            let look = Look { statvfs: self.statvfs, targets, answers: Vec::new(), at: Arc::clone(&at) };
            match helper.run(look, ANSWER_WITHIN.min(taker.budget.left())) {
                Some(done) => {
                    for (place, answer) in places.into_iter().zip(done.answers) {
                        answers[place] = Some(answer);
                    }
                    break;
                }
                None => {
                    let Some(place) = places.get(at.load(Ordering::Acquire)) else { break };
                    self.hanging.push((helper, mounts[*place].point().to_vec()));
                }
            }
        }
        answers
    }
}
