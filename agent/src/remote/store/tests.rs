use muster_common::disk::cut::CutDisk;

use super::*;

fn mark(number: u64, document: &str) -> Mark {
    Mark { number, digest: Configuration::digest_of(document), since_ms: 1_000 }
}

fn store(disk: &CutDisk) -> Store<CutDisk> {
    Store::new(disk.clone(), Path::new("/state"))
}

/// One document after the other: two trials, the first confirmed, the second set back.
fn live(store: &Store<CutDisk>) -> Result<(), StoreError> {
    let (first, second) = (Some(mark(1, "# 1")), Some(mark(2, "# 2")));
    store.begin("# 1", &Record { trial: first.clone(), ..Record::default() })?;
    store.confirm("# 1", &Record { good: first.clone(), ..Record::default() })?;
    store.begin("# 2", &Record { good: first.clone(), trial: second, ..Record::default() })?;
    store.go_back(&Record { good: first, ..Record::default() })
}

#[test]
fn whatever_a_cut_of_the_power_leaves_is_one_of_the_states_that_were() {
    let whole = CutDisk::new(1);
    live(&store(&whole)).unwrap();
    let operations = whole.operations();
    assert!(operations > 20);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..8 {
        for operation in 0..=operations {
            let disk = CutDisk::new(seed);
            disk.power_off_at(operation);
            let ended = live(&store(&disk));
            disk.cut();
            let kept = store(&disk).load();
            assert_eq!(kept.problems, [], "power off at {operation}, seed {seed}");
            let numbers =
                (kept.record.good.as_ref().map(|mark| mark.number), kept.record.trial.as_ref().map(|mark| mark.number));
            assert!(
                [(None, None), (None, Some(1)), (Some(1), None), (Some(1), Some(2))].contains(&numbers),
                "{numbers:?}"
            );
            assert_eq!(kept.good.as_deref(), kept.record.good.as_ref().map(|_| "# 1"));
            assert!(kept.record.trial.is_none() || kept.trial.is_some(), "a trial that began has its document");
            assert_eq!(ended.is_ok(), operation >= operations);
            seen.insert(numbers);
        }
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_record_comes_back_and_damage_is_named_and_taken_for_nothing() {
    let disk = CutDisk::new(3);
    let store = store(&disk);
    assert_eq!(store.load(), Kept::default());
    let told = Told { place: "c:1:1".into(), message: "m".into(), remedy: "r".into() };
    let refused = Some(Refusal { mark: mark(2, "# 2"), is_reverted: true, problems: vec![told] });
    let record = Record { offered: Some(mark(2, "# 2")), good: Some(mark(1, "# 1")), refused, ..Record::default() };
    store.confirm("# 1", &record).unwrap();
    let kept = store.load();
    assert_eq!((&kept.record, kept.good.as_deref(), kept.problems.len()), (&record, Some("# 1"), 0));
    // The bytes are not those that were confirmed.
    store.write(GOOD, b"# 1 and more").unwrap();
    let kept = store.load();
    assert!(kept.good.is_none() && kept.record.good.is_none() && kept.record == Record::default());
    assert!(kept.problems[0].place.ends_with("remote/good.toml"), "{:?}", kept.problems);
    assert!(kept.problems[0].message.starts_with("it is not what was confirmed"), "{:?}", kept.problems);
    store.remove(GOOD).unwrap();
    assert!(store.load().problems[0].message.starts_with("it is gone"));
    for (damage, word) in [
        ("{", "it is damaged"),
        ("{\"version\":9}", "of version 9"),
        ("{\"version\":1,\"good\":{\"number\":1,\"digest\":\"zz\",\"since_ms\":0}}", "32 hexadecimal"),
    ] {
        store.write(STATE, damage.as_bytes()).unwrap();
        let kept = store.load();
        assert!(
            kept.record == Record::default() && kept.problems[0].message.contains(word),
            "{damage}: {:?}",
            kept.problems
        );
    }
    store.write(STATE, &vec![b' '; STATE_BYTES_MAX + 1]).unwrap();
    assert!(store.load().problems[0].message.contains("larger"));
}

#[test]
fn a_disk_that_takes_nothing_is_told_with_its_place() {
    let disk = CutDisk::new(4);
    disk.set_capacity(Some(0));
    let error = store(&disk).begin("# 1", &Record::default()).unwrap_err().to_string();
    assert!(error.contains("/state/remote/trial.toml") && error.contains("free room"), "{error}");
}
