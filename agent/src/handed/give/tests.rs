use muster_common::disk::cut::CutDisk;

use super::*;
use crate::handed::file::tests::report;
use crate::handed::folder::HandedFolder;

const STATE: &str = "/state";

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

fn found(disk: &CutDisk) -> Vec<i64> {
    let folder = folder_of(Path::new(STATE));
    let (mut folder, placed) = HandedFolder::open(std::sync::Arc::new(disk.clone()), folder, 0).unwrap();
    assert!(placed.is_empty() && folder.problems().is_empty());
    std::iter::from_fn(|| folder.take_next()).map(|frame| frame.at_ms).collect()
}

#[test]
fn what_was_handed_over_is_durable_and_in_order() {
    let disk = CutDisk::new(1);
    for ms in 0..3 {
        give(&disk, Path::new(STATE), at(ms), ms, report("backup", ms)).unwrap();
    }
    disk.cut();
    assert_eq!(found(&disk), [0, 1, 2]);
}

#[test]
fn a_power_cut_at_any_operation_leaves_the_report_whole_or_not_at_all() {
    let disk = CutDisk::new(1);
    give(&disk, Path::new(STATE), at(0), 0, report("backup", 0)).unwrap();
    let operations = disk.operations();
    for cut_at in 0..operations {
        for seed in 0..8 {
            let disk = CutDisk::new(seed);
            disk.power_off_at(disk.operations() + cut_at);
            let given = give(&disk, Path::new(STATE), at(0), 0, report("backup", 0));
            disk.cut();
            let found = found(&disk);
            assert!(found.is_empty() || found == [0], "cut at {cut_at}: {found:?}");
            assert!(given.is_err() || found == [0], "cut at {cut_at}: told as durable, and gone");
        }
    }
}

#[test]
fn a_full_folder_refuses_and_says_so() {
    let disk = CutDisk::new(1);
    for ms in 0..FILES_MAX as i64 {
        give(&disk, Path::new(STATE), at(ms), ms, report("backup", ms)).unwrap();
    }
    let error = give(&disk, Path::new(STATE), at(5_000), 5_000, report("backup", 0)).unwrap_err();
    assert!(matches!(error, GiveError::Full { files: FILES_MAX, .. }), "{error}");
    assert!(error.to_string().contains("muster-agent run"), "{error}");
}
