//! Planned work tells nobody, the same without a word tells once, and so does a host that does not come back from planned work.

use muster_tests::harness::programs;
use muster_tests::maintenance;

#[test]
fn planned_work_pages_nobody_and_what_does_not_return_is_told_once() {
    let told = maintenance::run(&programs::folder()).unwrap();
    assert_eq!((told.planned, told.unplanned, told.lost, told.bystander), (0, 1, 1, 0), "{told:?}");
    assert_eq!(told.lost_alert, "MaintenanceNotRecovered");
    for part in ["health has not returned after maintenance", "new kernel", "nothing arrives of host `lost`"] {
        assert!(told.lost_text.contains(part), "{part}: {}", told.lost_text);
    }
    assert_eq!(told.ends, 2, "both that were told are told to have ended");
}
