//! The kernel that runs, with what it was started.

use muster_common::inventory::Rows;
use muster_common::redact::KeyState;

use super::super::scene::SMALL_BYTES;
use super::{Problem, Scene};
use crate::sources::parse;

/// The kernel derives the time of its start from two clocks, of which one is steered: it wavers.
const WAVERS_S: u64 = 10;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let release = scene.word("proc/sys/kernel/osrelease");
    let version = scene.word("proc/sys/kernel/version");
    let arguments = scene.read("proc/cmdline", SMALL_BYTES)?.and_then(|bytes| {
        let mut line = parse::trimmed(&bytes).to_vec();
        // Without patterns nothing is told.
        scene.redactor.as_ref()?.redact(&mut line, &mut KeyState::default());
        Some(parse::text(&line))
    });
    let stat = scene.must_read("proc/stat", super::super::scene::LARGE_BYTES)?;
    let boot = parse::lines(&stat).find_map(|line| {
        let word = line.strip_prefix(b"btime ")?;
        std::str::from_utf8(word).ok()?.trim().parse::<i64>().ok()
    });
    let mut memory = scene.memory.borrow_mut();
    if let (Some(before), Some(now)) = (memory.boot_s, boot)
        && before.abs_diff(now) > WAVERS_S
    {
        memory.boot_s = Some(now);
    }
    memory.boot_s = memory.boot_s.or(boot);
    rows.add([release.into(), version.into(), arguments.into(), memory.boot_s.into()]);
    Ok(())
}
