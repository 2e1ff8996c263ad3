use muster_common::wire::message::ProcessUse;
use muster_store::{Past, Position, Reborn, ReplayEntry, ReportRecord, StateRecord};

use super::*;
use crate::By;
use crate::testing::{Bench, after_each_cut, at};

fn used(pid: u32, name: &str) -> ProcessUse {
    ProcessUse {
        pid,
        started_ms: at(0).millis(),
        name: name.to_owned(),
        command: name.to_owned(),
        arguments: 2,
        user: "www-data".to_owned(),
        state: b'S',
        threads: 4,
        has_cpu: true,
        cpu: 1_234,
        rss_bytes: 300 << 20,
        has_io: true,
        read_rate: 12_000,
        write_rate: 4_096,
    }
}

/// A look of 30 s that ended then.
fn look(seconds: u64, name: &str) -> ProcessLook {
    let processes = vec![used(77, name)];
    ProcessLook {
        at_ms: at(seconds).millis(),
        span_ms: 30_000,
        interval_ms: 30_000,
        seen: 150,
        running: 1,
        processes,
        ..ProcessLook::default()
    }
}

fn entry(number: u64, arrived: u64, host: HostId, look: ProcessLook) -> ReplayEntry {
    let report = encode_report(&Report::Processes(look)).unwrap().into();
    let records = vec![StateRecord::Report(ReportRecord { host, report })];
    ReplayEntry { position: Position { generation: 1, entry: number }, arrived: at(arrived), live: true, records }
}

/// Whom the look names that answers this question, and when it ended, seconds.
fn asked(bench: &Bench, host: HostId, seconds: Option<u64>, now: u64) -> Option<(String, u64)> {
    let look = bench.fleet.processes(host, seconds.map(at), at(now)).unwrap()?;
    Some((look.processes[0].name.clone(), (look.at_ms - at(0).millis()) as u64 / 1_000))
}

fn rows(bench: &Bench) -> usize {
    bench.fleet.scan(|reading| reading.pairs(crate::tables::PROCESS_LOOKS)).unwrap().len()
}

#[test]
fn the_look_that_covers_a_moment_answers_and_else_the_nearest() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let other = bench.host("web2").id();
    assert_eq!(asked(&bench, host, None, 1_000), None);
    let told = [(40, "a"), (70, "b"), (100, "c"), (130, "d"), (600, "e")];
    let entries: Vec<_> = told.iter().zip(1..).map(|((at, name), n)| entry(n, at + 1, host, look(*at, name))).collect();
    bench.fleet.apply(&entries).unwrap();
    let one = |seconds: u64| asked(&bench, host, Some(seconds), 700).map(|(name, _)| name);
    // Of 70 s and 100 s, which are one minute, the later stays.
    assert_eq!(rows(&bench), 4);
    assert_eq!(asked(&bench, host, None, 700), Some(("e".to_owned(), 600)));
    assert_eq!((one(40), one(20), one(10)).0.as_deref(), Some("a"));
    assert_eq!([one(75), one(100), one(101), one(130)].map(Option::unwrap), ["c", "c", "d", "d"]);
    assert_eq!([one(200), one(500)].map(Option::unwrap), ["d", "e"], "the nearest, before or after");
    assert_eq!([one(0), one(100_000)].map(Option::unwrap), ["a", "e"]);
    assert_eq!(asked(&bench, other, None, 700), None, "of another host nothing is known");
    let found = bench.fleet.processes(host, Some(at(600)), at(700)).unwrap().unwrap();
    assert!(covers(&found, at(570).millis()) && !covers(&found, at(569).millis()) && !covers(&found, at(601).millis()));
    assert_eq!(found, look(600, "e"), "as it was told");
}

#[test]
fn looks_are_the_same_after_a_replay_a_restart_and_a_restore() {
    let bench = Bench::new();
    bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
    let host = bench.host("web1").id();
    let entries =
        [entry(1, 41, host, look(40, "a")), entry(2, 71, host, look(70, "b")), entry(3, 101, host, look(100, "c"))];
    bench.fleet.apply(&entries[..2]).unwrap();
    bench.fleet.apply(&entries).unwrap();
    let all = |bench: &Bench| (rows(bench), asked(bench, host, None, 200), asked(bench, host, Some(40), 200));
    let expect = (2, Some(("c".to_owned(), 100)), Some(("a".to_owned(), 40)));
    assert_eq!(all(&bench), expect);
    let bench = bench.reopen();
    assert_eq!(all(&bench), expect);
    bench.fleet.apply(&entries).unwrap();
    let past = Past { reborn: Some(Reborn::Restored), last_arrival: None };
    bench.fleet.set_incarnation(2, past, at(9)).unwrap();
    bench.fleet.apply(&entries).unwrap();
    assert_eq!(all(&bench), expect);
}

#[test]
fn a_look_is_durable_with_the_position_that_names_it() {
    let entries = |bench: &Bench| {
        let host = bench.host("web1").id();
        [entry(1, 41, host, look(40, "a")), entry(2, 131, host, look(130, "b"))]
    };
    after_each_cut(entries, |bench, known, operation| assert_eq!(rows(bench) as u64, known, "operation {operation}"));
}

#[test]
fn looks_go_after_a_day_and_those_of_strangers_and_retired_hosts_are_not_taken() {
    const DAY: u64 = 86_400;
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let gone = bench.host("web2").id();
    bench.fleet.retire(gone, "sold", &By::Itself("operator"), at(5)).unwrap();
    let entries = [
        entry(1, 10, HostId([9; 16]), look(10, "stranger")),
        entry(2, 10, gone, look(10, "retired")),
        entry(3, 61, host, look(60, "first")),
        entry(4, 3_601, host, look(3_600, "second")),
        // Out of a spool, and too old already.
        entry(5, DAY + 130, host, look(70, "late")),
    ];
    bench.fleet.apply(&entries[..4]).unwrap();
    assert_eq!(rows(&bench), 2);
    bench.fleet.apply(&entries).unwrap();
    assert_eq!((rows(&bench), asked(&bench, host, Some(60), DAY)), (1, Some(("second".to_owned(), 3_600))));
    let past_all = asked(&bench, host, None, 2 * DAY);
    assert_eq!(past_all, None, "older than a day is not told, though nothing came since that would have dropped it");
    let early = bench
        .fleet
        .stats()
        .iter()
        .find(|stat| stat.name == "muster_collector_process_looks_dropped_total")
        .unwrap()
        .value;
    assert_eq!(early, 0.0, "what went was over");
}

/// What a host costs, for the page: 9 processes a look, as the first 5 of each kind are on most hosts.
#[test]
fn a_day_of_a_host_is_below_a_megabyte() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let size = |bench: &Bench| std::fs::metadata(bench.folder.join(crate::FILE_NAME)).unwrap().len();
    let before = size(&bench);
    let names =
        ["postgres", "muster-agent", "nginx", "php-fpm8.2", "systemd-journal", "java", "cron", "rsyslogd", "python3"];
    let full = |seconds: u64| {
        let processes = names.iter().zip(1_000..).map(|(name, pid)| used(pid, name)).collect();
        ProcessLook { processes, ..look(seconds, "x") }
    };
    let one = encode_report(&Report::Processes(full(60))).unwrap().len();
    assert!((350..600).contains(&one), "{one} B a look");
    for hour in 0..24 {
        let of_hour = (0..60).map(|minute| {
            let seconds = (hour * 60 + minute + 1) * 60;
            entry(hour * 60 + minute + 1, seconds, host, full(seconds))
        });
        bench.fleet.apply(&of_hour.collect::<Vec<_>>()).unwrap();
    }
    assert_eq!(rows(&bench), 1_440);
    let grown = size(&bench.reopen()).saturating_sub(before);
    assert!(grown < 3 << 20, "{grown} B for a day, free pages included");
}
