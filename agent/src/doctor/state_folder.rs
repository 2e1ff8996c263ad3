//! The state folder: whether the agent's user may write there, on what kind of file system it lies, and how much room the spool has.

use muster_common::disk::Space;
use muster_common::finding::Finding;
use muster_common::wire::message::Lane;

use super::account::{Account, Names};
use super::look::{Look, Obstacle, RealLook, give, lack, way};
use super::rights::Right;
use super::scene::Scene;
use crate::spool::limits::{Room, SpoolLimits, kept_free};

/// A batch of a busy host: less room than for one of these and nothing can be spooled.
const BATCH_BYTES: u64 = 256 << 10;
/// Below so many free file numbers the spool's segments may find none.
const FILES_FREE_MIN: u64 = 1_000;

/// Kinds of file systems by the kernel's numbers (statfs(2)), and what is wrong with keeping state there.
const KINDS: [(u64, &str, Option<&str>); 12] = [
    (0x0102_1994, "tmpfs", Some("is lost when the host restarts: identity, spool and positions")),
    (0x8584_58f6, "ramfs", Some("is lost when the host restarts: identity, spool and positions")),
    (0x794c_7630, "overlayfs", Some("is lost with the container whose layer it is")),
    (0x6969, "nfs", Some("may hang with its server, and syncs slowly")),
    (0xff53_4d42, "cifs", Some("may hang with its server, and syncs slowly")),
    (0xfe53_4d42, "smb2", Some("may hang with its server, and syncs slowly")),
    (0x6573_5546, "fuse", Some("may hang with the program behind it")),
    (0x0102_1997, "9p", Some("may hang with the host behind it")),
    (0xef53, "ext4", None),
    (0x5846_5342, "xfs", None),
    (0x9123_683e, "btrfs", None),
    (0x2fc1_2fc1, "zfs", None),
];

/// What the file system says.
#[derive(Clone, Copy, Debug)]
struct FileSystem {
    kind: u64,
    is_read_only: bool,
    space: Space,
    /// `None`: it does not count them.
    files_free: Option<u64>,
}

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let place = scene.state_dir.display().to_string();
    let mut findings = rights(&RealLook, scene, &scene.account, &scene.names);
    // The folder itself may be missing: then it will be made in the one above.
    let there = scene.state_dir.ancestors().find(|folder| folder.is_dir()).unwrap_or(&scene.state_dir);
    let read = rustix::fs::statfs(there).and_then(|kind| rustix::fs::statvfs(there).map(|room| (kind, room)));
    match read {
        Ok((kind, room)) => {
            let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
            let found = FileSystem {
                // The kernel's numbers have 32 bits, its field as many as a word.
                kind: kind.f_type as u64 & 0xffff_ffff,
                is_read_only: room.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
                space: Space { total_bytes: bytes(room.f_blocks), free_bytes: bytes(room.f_bavail) },
                files_free: (room.f_files > 0).then_some(room.f_favail),
            };
            let limits = SpoolLimits { bytes_max: scene.config().spool.max_bytes, ..SpoolLimits::default() };
            let held = scene.status().map_or(0, |status| status.spool.bytes);
            findings.extend(judge(found, limits, held, &place));
        }
        Err(error) => {
            findings.push(Finding::warning(
                format!("its file system cannot be looked at: {error}"),
                place.clone(),
                "run the doctor as root",
            ));
        }
    }
    findings
}

fn rights(look: &impl Look, scene: &Scene, account: &Account, names: &Names) -> Vec<Finding> {
    let place = scene.state_dir.display().to_string();
    let one = |right| match way(look, account, &scene.state_dir, right) {
        Ok(node) if !node.is_folder => {
            Some(Finding::problem("it is no folder", place.clone(), format!("rm {place}, and enrol again")))
        }
        Ok(_) => None,
        Err(Obstacle::NotThere(at)) => {
            let remedy = format!("install -d -m 0700 -o {} {place}", account.name);
            Some(Finding::problem(format!("it is not there: {} is missing", at.display()), place.clone(), remedy))
        }
        Err(Obstacle::Lacks { at, right, node }) => {
            let remedy = if at == scene.state_dir {
                format!("chown -R {}: {place}", account.name)
            } else {
                give(account, names, &at, right, &node)
            };
            Some(Finding::problem(lack(account, names, &at, right, &node), place.clone(), remedy))
        }
        Err(Obstacle::Unseen(at, error)) => Some(Finding::warning(
            format!("{} cannot be looked at: {error}", at.display()),
            place.clone(),
            "run the doctor as root",
        )),
    };
    // What lacks both is told once.
    [Right::Write, Right::Execute].into_iter().find_map(one).into_iter().collect()
}

/// `held`: bytes that the spool has now.
fn judge(found: FileSystem, limits: SpoolLimits, held: u64, place: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let known = KINDS.iter().find(|(number, ..)| *number == found.kind);
    let kind = known.map_or_else(|| format!("of kind {:#x}", found.kind), |(_, name, _)| (*name).to_owned());
    if let Some((_, name, Some(trouble))) = known {
        let what = format!("it lies on {name}: what the agent keeps there {trouble}");
        findings.push(Finding::warning(what, place, "keep it on a disk: [agent] state_dir, or a volume"));
    }
    if found.is_read_only {
        let remedy = "dmesg | tail   # says why; repair it, then: mount -o remount,rw";
        findings.push(Finding::problem("its file system is read-only", place, remedy));
    }
    let mib = |bytes: u64| bytes >> 20;
    let Space { total_bytes, free_bytes } = found.space;
    let share = limits.share_bytes(Lane::P1, found.space);
    let of = format!("{} of {} MiB are free", mib(free_bytes), mib(total_bytes));
    match limits.room(found.space, Lane::P1, (held, held), BATCH_BYTES) {
        Room::Short => {
            let kept = mib(kept_free(found.space, limits.free_percent));
            let what =
                format!("{of}, and {kept} MiB stay free for others: while the collector is away nothing is kept");
            findings.push(Finding::problem(
                what,
                place,
                format!("free room: du -xh --max-depth=2 {place} /var | sort -h | tail"),
            ));
        }
        Room::TooLarge => {
            let what = format!("the spool's share for metrics is {} KiB, less than one batch", share >> 10);
            findings.push(Finding::problem(what, place, "give it a larger file system, or raise [spool] max_bytes"));
        }
        Room::Fits | Room::AfterDrop | Room::AfterOwnDrop => {}
    }
    if let Some(files) = found.files_free.filter(|files| *files < FILES_FREE_MIN) {
        let what = format!("only {files} more files can be made on its file system (inodes)");
        findings.push(Finding::problem(what, place, "df -i   # then remove what has very many small files"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            format!("on {kind}, {of}; metrics may take {} MiB while the collector is away", mib(share)),
            place,
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn found(kind: u64, free_bytes: u64) -> FileSystem {
        let space = Space { total_bytes: 100 * GIB, free_bytes };
        FileSystem { kind, is_read_only: false, space, files_free: Some(1 << 20) }
    }

    #[test]
    fn kind_room_and_files_are_judged() {
        let told = |found| judge(found, SpoolLimits::default(), 0, "/s");
        let well = told(found(0xef53, 50 * GIB));
        assert!(
            well[0].level == Level::Ok && well[0].what.contains("on ext4, 51200 of 102400 MiB are free"),
            "{well:?}"
        );
        for (found, level, what) in [
            (found(0xef53, 4 * GIB), Level::Problem, "4096 of 102400 MiB are free, and 4096 MiB stay free"),
            (found(0x0102_1994, 50 * GIB), Level::Warning, "on tmpfs"),
            (found(0x794c_7630, 50 * GIB), Level::Warning, "with the container"),
            (FileSystem { is_read_only: true, ..found(0xef53, 50 * GIB) }, Level::Problem, "read-only"),
            (FileSystem { files_free: Some(7), ..found(0xef53, 50 * GIB) }, Level::Problem, "only 7 more files"),
            (
                FileSystem { space: Space { total_bytes: 8 << 20, free_bytes: 8 << 20 }, ..found(0xef53, 0) },
                Level::Problem,
                "less than one batch",
            ),
        ] {
            let found = told(found);
            assert!(found.len() == 1 && found[0].level == level && found[0].what.contains(what), "{what}: {found:?}");
            assert!(!found[0].remedy.is_empty());
        }
        assert_eq!(told(FileSystem { files_free: None, ..found(0x9123_683e, 50 * GIB) })[0].level, Level::Ok);
        assert!(
            told(found(0x77, 50 * GIB))[0].what.starts_with("on of kind 0x77")
                || told(found(0x77, 50 * GIB))[0].what.contains("0x77")
        );
    }
}
