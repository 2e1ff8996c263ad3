//! What each lane may take.

use super::*;

#[test]
fn reports_have_a_share_of_their_own_and_go_last() {
    let disk = CutDisk::new(9);
    let own = Arc::new(Own::default());
    let shares = |disk: &CutDisk, reports_percent| {
        let mut config = config(2 << 20);
        (config.limits.metrics_percent, config.limits.reports_percent) = (50, reports_percent);
        Spool::open(Arc::new(disk.clone()), config, Arc::clone(&own)).unwrap().0
    };
    let report = |seq, length| SpooledBatch { lane: Lane::P0, ..batch(1, seq, 0, length) };
    let held = |spool: &mut Spool, one: SpooledBatch| matches!(append(spool, one), AppendOutcome::Held { .. });
    let reports = |spool: &mut Spool| {
        let (mut seqs, mut from) = (Vec::new(), 1);
        while let Some(SpoolAnswer::Found { found: Some(found), .. }) =
            spool.serve(SpoolRequest::Read { epoch: epoch(1), lane: Lane::P0, from, have_context: 0 })
        {
            seqs.push(found.batch.seq);
            from = found.batch.seq + 1;
        }
        seqs
    };
    let mut spool = shares(&disk, 10);
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    assert!((1..=5).all(|seq| held(&mut spool, report(seq, 10_000))));
    assert!((1..=60).all(|seq| held(&mut spool, batch(1, seq, 1, 40_000))));
    assert!(own.dropped_batches(DropReason::SpoolFull) > 30, "metrics are beyond their share");
    assert_eq!(reports(&mut spool), [1, 2, 3, 4, 5], "and cost no report");
    assert!((6..=60).all(|seq| held(&mut spool, report(seq, 10_000))));
    let left = reports(&mut spool);
    assert!(left.len() < 25 && left.last() == Some(&60), "beyond their own share the oldest go: {left:?}");
    let metrics = drain(&mut spool, 1).len();
    assert!(metrics > 15, "and no metric for it: {metrics}");
    // A disk that is full in truth: metrics go for reports.
    let files_before = disk.list(Path::new(FOLDER)).unwrap();
    disk.fail(Operation::Write, 1, 1, Fault::NoSpace);
    assert!(held(&mut spool, report(61, 10_000)));
    let gone = |lane: &str| {
        let files = disk.list(Path::new(FOLDER)).unwrap();
        files_before.iter().filter(|name| name.starts_with(lane) && !files.contains(name)).count()
    };
    assert_eq!(gone("p1-"), 1);
    assert!(drain(&mut spool, 1).len() < metrics && reports(&mut spool).last() == Some(&61));
}
