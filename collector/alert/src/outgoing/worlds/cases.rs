//! The worlds' tests.

use super::world::World;
use crate::outgoing::planted::Planted;

fn violations(seed: u64, bug: Option<Planted>) -> (Vec<String>, usize) {
    let mut world = World::new(seed, bug);
    world.run();
    (std::mem::take(&mut world.ledger.violations), world.ledger.repeats)
}

#[test]
fn everybody_is_told_once_or_with_the_same_message_id_over_any_crash_and_fault() {
    let mut repeats = 0;
    for seed in 0..120 {
        let (found, count) = violations(seed, None);
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
        repeats += count;
    }
    assert!(repeats > 0, "the worlds are too tame: nothing was ever sent twice");
}

#[test]
fn each_planted_bug_is_found() {
    for bug in [
        Planted::LeaseIsAccepted,
        Planted::FreshMessageId,
        Planted::EndOvertakes,
        Planted::MergesTheUnknown,
        Planted::CapForgets,
        Planted::DigestDropsLast,
        Planted::RetriesRefused,
        Planted::AcceptedNotWritten,
    ] {
        let seed = (0..200).find(|seed| !violations(*seed, Some(bug)).0.is_empty());
        assert!(seed.is_some(), "{bug:?} is not found in 200 worlds");
    }
}
