//! Processes, of /proc. Their share of a processor takes a second look after half a second, so it is only found out where it is asked for.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use muster_common::inventory::Value;
use muster_common::time;

use super::{Host, Scene, Stop, Taker};
use crate::inventory::{SMALL_BYTES, shown, user_names};
use crate::sources::parse;
use crate::top::stat::{Stat, boot_of};
use crate::top::words::command_of;

/// Between the two looks of a share: with the kernel's 100 ticks a second it is exact to two percent.
const SHARE_OVER: Duration = Duration::from_millis(500);
/// stat has some 300 B.
const STAT_BYTES: usize = 1 << 10;
/// What is read of arguments; a column holds less.
const CMDLINE_BYTES: usize = 16 << 10;
/// A machine has at most 4,194,304 numbers; 4 B each.
const PIDS_MAX: usize = 1 << 20;

/// Of the look before: when the process began, its processor time, both in ticks, and when that was.
type Before = HashMap<u32, (u64, u64, Duration)>;

pub(super) fn read(host: &Host, scene: &Scene, taker: &mut Taker<'_>) -> Result<(), Stop> {
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let page_bytes = rustix::param::page_size() as u64;
    let before = if taker.sieve.needs("cpu_percent") { look_before(scene, taker)? } else { Before::new() };
    let users = if taker.sieve.needs("user") { user_names(scene) } else { Default::default() };
    let boot_s = scene.read("proc/stat", SMALL_BYTES)?.as_deref().and_then(boot_of);
    for pid in pids(scene)? {
        taker.go_on()?;
        let Some(bytes) = small(scene, pid, "stat", STAT_BYTES) else { continue };
        let Some(stat) = Stat::of(&bytes) else { continue };
        let share = before.get(&pid).filter(|(started, ..)| *started == stat.started_ticks).map(|(_, ticks, at)| {
            let span_ms = time::monotonic().saturating_sub(*at).as_millis().max(1);
            let used = u128::from(stat.cpu_ticks.saturating_sub(*ticks)) * 1_000;
            number(u64::try_from(used * 100 / u128::from(ticks_per_second) / span_ms).unwrap_or(u64::MAX))
        });
        let started = boot_s.map(|boot_s| boot_s.saturating_add(number(stat.started_ticks / ticks_per_second)));
        let user = taker.sieve.needs("user").then(|| owner(scene, pid)).flatten().map(|uid| shown(&users, uid));
        let command = taker.sieve.needs("command").then(|| command(host, scene, pid)).flatten();
        taker.add([
            i64::from(pid).into(),
            parse::text(stat.name).into(),
            user.into(),
            command.into(),
            char::from(stat.state).to_string().into(),
            started.into(),
            i64::from(stat.threads).into(),
            share.into(),
            number(stat.cpu_ticks.saturating_mul(1_000) / ticks_per_second).into(),
            Value::from(number(stat.rss_pages.saturating_mul(page_bytes))),
        ])?;
    }
    Ok(())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What each process has used until now, and a pause.
fn look_before(scene: &Scene, taker: &Taker<'_>) -> Result<Before, Stop> {
    let mut before = Before::new();
    for pid in pids(scene)? {
        taker.go_on()?;
        let bytes = small(scene, pid, "stat", STAT_BYTES);
        if let Some(stat) = bytes.as_deref().and_then(Stat::of) {
            before.insert(pid, (stat.started_ticks, stat.cpu_ticks, time::monotonic()));
        }
    }
    // A question that may not wait so long gets what the time allows.
    std::thread::sleep(SHARE_OVER.min(taker.budget.left() / 2));
    Ok(before)
}

/// The numbers of all processes, sorted.
fn pids(scene: &Scene) -> Result<Vec<u32>, Stop> {
    let entries = std::fs::read_dir(scene.path("proc")).map_err(|error| crate::inventory::Problem {
        place: "/proc".to_owned(),
        problem: format!("cannot be listed: {error}"),
    })?;
    let number = |name: OsString| name.to_str()?.parse::<u32>().ok();
    let mut pids: Vec<u32> = entries.flatten().filter_map(|entry| number(entry.file_name())).take(PIDS_MAX).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// A small file of a process; `None`: the process is gone, or it is not for this user.
fn small(scene: &Scene, pid: u32, file: &str, bytes_max: usize) -> Option<Vec<u8>> {
    scene.beginning(&format!("proc/{pid}/{file}"), bytes_max)
}

fn owner(scene: &Scene, pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::symlink_metadata(scene.path(&format!("proc/{pid}"))).ok()?.uid())
}

/// `None`: a thread of the kernel.
fn command(host: &Host, scene: &Scene, pid: u32) -> Option<String> {
    let cmdline = small(scene, pid, "cmdline", CMDLINE_BYTES)?;
    let (command, _) = command_of(&cmdline, host.redactor.as_ref());
    (!command.is_empty()).then_some(command)
}
