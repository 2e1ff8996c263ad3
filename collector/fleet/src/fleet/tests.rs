use std::time::Duration;

use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::disk::real::RealDisk;
use muster_common::wire::message::{CheckList, GapReason, Lane, RefusalCode, Report};
use muster_common::wire::record::encode_report;
use muster_store::database::open_database;
use muster_store::{OWN_HOST, Reborn, ReportRecord, StateRecord};
use redb::{ReadableDatabase, ReadableTable};

use super::*;
use crate::rows::Registration;
use crate::tables::{LOG_LOSSES, META, OUTBOX, Table, meta};
use crate::testing::{Bench, Machine, OPERATOR, after_each_cut, at, day, pattern};
use crate::{By, ErrorKind, FILE_NAME, OUTBOX_ROWS_MAX, RestoredWhy, Scope};

const FOLDER: &str = "/data";

fn gap(host: u8, from_ms: i64, to_ms: i64) -> GapRecord {
    GapRecord {
        host: HostId([host; 16]),
        epoch: Epoch::new(1_000, 7),
        lane: Lane::P1,
        from: 1,
        to: 9,
        reason: GapReason::SpoolFull,
        from_ms,
        to_ms,
        arrived_ms: 9_000,
    }
}

fn entry(generation: u64, entry: u64, gaps: &[GapRecord]) -> ReplayEntry {
    ReplayEntry {
        position: Position { generation, entry },
        arrived: at(0),
        live: true,
        records: gaps.iter().cloned().map(StateRecord::Gap).collect(),
    }
}

/// Writes one row of the file behind the fleet's back.
fn put(bench: Bench, table: Table, key: &[u8], value: &[u8]) -> Bench {
    let Bench { fleet, disk, folder, .. } = &bench;
    let path = folder.join(FILE_NAME);
    // The file can be open once only.
    fleet.state.lock().close();
    let database = open_database(disk.as_ref(), &path, false, 1 << 20).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(key, value).unwrap();
    transaction.commit().unwrap();
    drop(database);
    bench
}

#[test]
fn a_file_that_is_older_than_a_table_gets_it() {
    let bench = Bench::new();
    let path = bench.folder.join(FILE_NAME);
    bench.fleet.state.lock().close();
    let database = open_database(bench.disk.as_ref(), &path, false, 1 << 20).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(LOG_LOSSES).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let bench = bench.reopen();
    assert_eq!(bench.fleet.log_losses(0, i64::MAX).unwrap(), []);
    assert_eq!(bench.kinds(), [EventKind::AuthorityMade], "and keeps what it had");
}

#[test]
fn the_fleet_is_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<Fleet>();
}

#[test]
fn the_ca_is_made_once() {
    let bench = Bench::new();
    let (pin, ca) = (bench.fleet.pin(), bench.fleet.ca_der());
    assert_eq!(Pin::of_certificate(&ca[0]), Ok(pin));
    let bench = bench.reopen();
    assert_eq!((bench.fleet.pin(), bench.fleet.ca_der()), (pin, ca));
    assert_ne!(Bench::new().fleet.pin(), pin);
}

#[test]
fn a_file_of_a_newer_collector_is_refused_with_both_formats() {
    let bench = put(Bench::new(), META, meta::FORMAT, &7_u32.to_le_bytes());
    let error = open(Arc::clone(&bench.disk), &bench.folder, at(0)).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("has format 7, but this collector knows 1 at most") && text.contains("snapshot"), "{text}");
    assert_eq!(error.kind(), ErrorKind::Storage);
}

#[test]
fn a_damaged_row_is_named() {
    let bench = Bench::new();
    let host = bench.host("db1").id();
    let bench = put(bench, crate::tables::HOSTS, &host.0, &[1, b'{']);
    let text = open(Arc::clone(&bench.disk), &bench.folder, at(0)).err().unwrap().to_string();
    assert!(text.contains("table `hosts`") && text.contains("restore it from a snapshot"), "{text}");
    let bench = put(Bench::new(), META, meta::OUTBOX_NEXT, &[1]);
    let text = open(Arc::clone(&bench.disk), &bench.folder, at(0)).err().unwrap().to_string();
    assert!(text.contains("row `outbox_next`"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let kept = tempfile::tempdir().unwrap();
    let file = kept.path().join("file");
    std::fs::write(&file, "").unwrap();
    let text = open(Arc::new(RealDisk), &file.join("data"), at(0)).err().unwrap().to_string();
    assert!(text.contains("failed to make the data folder") && text.contains("file/data"), "{text}");
}

#[test]
fn seqs_of_the_outbox_are_never_used_again() {
    let bench = Bench::new();
    bench.host("db1");
    let before = bench.fleet.outbox();
    assert_eq!((before.next_seq, before.rows), (4, 3));
    // The carrier of a later version empties the table.
    {
        let path = bench.folder.join(FILE_NAME);
        bench.fleet.state.lock().close();
        let database = open_database(bench.disk.as_ref(), &path, false, 1 << 20).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(OUTBOX).unwrap().retain(|_, _| false).unwrap();
        transaction.commit().unwrap();
    }
    let bench = bench.reopen();
    assert_eq!(bench.fleet.outbox(), OutboxState { rows: 0, ..before });
    bench.host("db2");
    assert_eq!(bench.events().iter().map(|event| event.seq).collect::<Vec<_>>(), [4, 5]);
    let bench = bench.reopen();
    assert_eq!(bench.fleet.outbox().next_seq, 6);
}

#[test]
fn a_new_incarnation_has_its_own_epoch_and_the_same_one_does_not() {
    let bench = Bench::new();
    let first = bench.fleet.outbox().epoch;
    bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
    assert_eq!(bench.fleet.outbox().epoch, first);
    let bench = bench.reopen();
    bench.fleet.set_incarnation(1, Past::default(), at(2)).unwrap();
    assert_eq!(bench.fleet.outbox().epoch, first);
    bench.fleet.set_incarnation(2, Past::default(), at(3)).unwrap();
    let second = bench.fleet.outbox().epoch;
    assert!(second != first && second.created_ms() == at(3).millis());
    assert_eq!(bench.reopen().fleet.outbox().epoch, second);
}

#[test]
fn a_restore_is_one_event_one_gap_and_the_inbox_is_applied_anew() {
    let bench = Bench::new();
    bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
    assert_eq!((bench.kinds().len(), bench.fleet.restored()), (1, None), "the first is no restore");
    let old = gap(1, 2_000, 3_000);
    bench.fleet.apply(&[entry(11, 4_000, std::slice::from_ref(&old))]).unwrap();
    let past = Past { reborn: Some(Reborn::MarksLost), last_arrival: Some(at(5)) };
    bench.fleet.set_incarnation(77, past, at(9)).unwrap();
    bench.fleet.set_incarnation(77, Past::default(), at(10)).unwrap();
    let bench = bench.reopen();
    bench.fleet.set_incarnation(77, Past::default(), at(11)).unwrap();
    // Generation 11 is used again by the store whose inbox was lost.
    let new = gap(2, 4_000, 5_000);
    bench.fleet.apply(&[entry(11, 1, std::slice::from_ref(&new))]).unwrap();
    assert_eq!(bench.fleet.applied(), Some(Position { generation: 11, entry: 1 }));
    let gaps = bench.fleet.gaps(i64::MIN, i64::MAX).unwrap();
    let own: Vec<_> = gaps.iter().filter(|gap| gap.host == OWN_HOST).collect();
    assert_eq!((gaps.len(), own.len()), (3, 1));
    assert!(gaps.contains(&old) && gaps.contains(&new));
    let (from_ms, to_ms) = (at(5).millis(), at(9).millis());
    assert_eq!((own[0].from_ms, own[0].to_ms, own[0].reason), (from_ms, to_ms, GapReason::Closed));
    let restored = bench.fleet.restored().unwrap();
    let expect = Restored { from_ms, to_ms, incarnation: 77, before: 1, why: RestoredWhy::MarksLost };
    assert_eq!(restored, expect);
    let told: Vec<_> =
        bench.fleet.events(10).unwrap().into_iter().filter(|event| event.kind == EventKind::StoreRestored).collect();
    assert_eq!((told.len(), told[0].host, told[0].fields["why"].as_str()), (1, None, "marks_lost"));
    assert_eq!(told[0].fields["from_ms"], from_ms.to_string());
    assert_eq!((told[0].fields["before"].as_str(), told[0].fields["incarnation"].as_str()), ("1", "77"));
}

#[test]
fn a_restore_is_told_once_whatever_operation_the_power_is_cut_at() {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let bench = Bench::on(Arc::new(disk.clone()), Path::new(FOLDER));
        bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
        bench.fleet.apply(&[entry(3, 9, &[gap(1, 1, 2)])]).unwrap();
        let epoch = bench.fleet.outbox().epoch;
        let past = Past { reborn: Some(Reborn::Restored), last_arrival: Some(at(5)) };
        disk.power_off_at(disk.operations() + operation);
        let _ = bench.fleet.set_incarnation(77, past, at(9));
        let finished = !disk.is_off();
        disk.cut();
        let bench = bench.reopen();
        // The next start knows no reason any more, if it is the one that tells it.
        bench.fleet.set_incarnation(77, Past { reborn: None, ..past }, at(10)).unwrap();
        let told = bench.kinds().into_iter().filter(|kind| *kind == EventKind::StoreRestored).count();
        let gaps = bench.fleet.gaps(i64::MIN, i64::MAX).unwrap();
        assert_eq!((told, gaps.len(), bench.fleet.applied()), (1, 2, None), "operation {operation}");
        assert!(bench.fleet.outbox().epoch != epoch && bench.fleet.restored().is_some(), "operation {operation}");
        if finished {
            assert!(operation > 2, "{operation}");
            return;
        }
    }
}

#[test]
fn a_full_outbox_drops_its_oldest_rows_and_counts_them() {
    let bench = Bench::new();
    let many = OUTBOX_ROWS_MAX + 50;
    bench
        .fleet
        .change(|_, draft| {
            let event = Event::new(EventKind::HostBooted, &By::AGENT, at(1), "x".into());
            draft.events.extend((0..many).map(|_| event.clone()));
            Ok(())
        })
        .unwrap();
    let outbox = bench.fleet.outbox();
    // The CA's own event was the first to go.
    assert_eq!((outbox.rows, outbox.dropped, outbox.next_seq), (OUTBOX_ROWS_MAX, 51, many + 2));
    let newest = bench.fleet.events(2).unwrap();
    assert_eq!(newest.iter().map(|event| event.seq).collect::<Vec<_>>(), [many + 1, many]);
    assert_eq!(bench.reopen().fleet.outbox(), outbox);
}

#[test]
fn entries_are_applied_once_and_in_one_step_with_the_position() {
    let bench = Bench::new();
    assert_eq!(bench.fleet.applied(), None);
    let entries =
        [entry(1, 1, &[gap(1, 2_000, 3_000)]), entry(1, 2, &[]), entry(1, 5, &[gap(2, 5_000, 6_000), gap(3, 0, 0)])];
    bench.fleet.apply(&entries[..2]).unwrap();
    assert_eq!(bench.fleet.applied(), Some(Position { generation: 1, entry: 2 }));
    let bench = bench.reopen();
    let commits = bench.fleet.counts.lock().commits;
    bench.fleet.apply(&entries[..2]).unwrap();
    bench.fleet.apply(&[]).unwrap();
    bench.fleet.apply(&[entry(1, 3, &[])]).unwrap();
    assert_eq!(bench.fleet.applied(), Some(Position { generation: 1, entry: 3 }));
    assert_eq!(bench.fleet.counts.lock().commits, commits, "nothing new, nothing written");
    bench.fleet.apply(&entries).unwrap();
    bench.fleet.apply(&entries).unwrap();
    assert_eq!(bench.fleet.applied(), Some(Position { generation: 1, entry: 5 }));
    let hosts = |from_ms, to_ms| -> Vec<u8> {
        bench.fleet.gaps(from_ms, to_ms).unwrap().iter().map(|gap| gap.host.0[0]).collect()
    };
    assert_eq!(hosts(0, i64::MAX), [1, 2, 3]);
    assert_eq!(hosts(i64::MIN, 1_999), [3], "what the agent could not date lies between its epoch and its report");
    assert_eq!((hosts(3_000, 3_000), hosts(3_001, 4_999)), (vec![1, 3], vec![3]));
    assert_eq!(hosts(9_001, i64::MAX), [0_u8; 0]);
    assert_eq!(bench.fleet.gaps(0, 4_000).unwrap()[0], gap(1, 2_000, 3_000));
}

#[test]
fn reports_are_projected_in_the_order_of_arrival_and_once() {
    let list = |name: &str| Report::Checks(CheckList { at_ms: 5, checks: vec![name.to_owned()] });
    let record = |bytes: Vec<u8>| StateRecord::Report(ReportRecord { host: HostId([3; 16]), report: bytes.into() });
    let of = |names: &[&str]| names.iter().map(|name| record(encode_report(&list(name)).unwrap())).collect::<Vec<_>>();
    let mut entries = [entry(1, 1, &[]), entry(1, 2, &[]), entry(1, 4, &[])];
    entries[0].records = of(&["a", "b"]);
    entries[1].records = vec![record(vec![99, 1])];
    (entries[2].records, entries[2].live) = (of(&["c"]), false);
    let projected = Projected::new(&entries, None).unwrap();
    let told: Vec<_> = projected.reports.iter().map(|one| (one.is_live, one.report.clone())).collect();
    assert_eq!(told, [(true, list("a")), (true, list("b")), (false, list("c"))]);
    assert!(projected.reports.iter().all(|one| (one.arrived, one.host) == (at(0), HostId([3; 16]))));
    let bench = Bench::new();
    bench.fleet.apply(&entries).unwrap();
    let bench = bench.reopen();
    let reached = Position { generation: 1, entry: 4 };
    assert_eq!(bench.fleet.applied(), Some(reached), "durable with what was made of them");
    assert!(Projected::new(&entries, Some(reached)).is_none());
}

#[test]
fn each_gap_is_one_event_however_often_its_entry_is_applied() {
    let bench = Bench::new();
    bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
    let host = bench.host("web1").id();
    let of_host = |from_ms: i64| GapRecord { host, ..gap(1, from_ms, from_ms + 5) };
    let entries = [entry(1, 1, &[of_host(10), gap(7, 20, 30)]), entry(1, 2, &[of_host(40)])];
    bench.fleet.apply(&entries[..1]).unwrap();
    bench.fleet.apply(&entries).unwrap();
    // A restore applies the whole inbox again.
    let past = Past { reborn: Some(Reborn::Restored), last_arrival: None };
    bench.fleet.set_incarnation(2, past, at(9)).unwrap();
    bench.fleet.apply(&entries).unwrap();
    let gap_events =
        || -> Vec<Event> { bench.events().into_iter().filter(|event| event.kind == EventKind::Gap).collect() };
    let told = gap_events();
    let names: Vec<&str> = told.iter().map(|event| event.host_name.as_str()).collect();
    assert_eq!(names, ["web1", "", "web1"]);
    assert_eq!(told[0].text, "batches 1 to 9 of host `web1` will never come: the agent's spool was full");
    let fields = ["from", "to", "from_ms", "to_ms", "lane", "reason"].map(|field| told[0].fields[field].as_str());
    assert_eq!((fields, told[0].ms), (["1", "9", "10", "15", "p1", "spool_full"], 9_000));
    let many: Vec<ReplayEntry> = (1..=200).map(|number| entry(2, number, &[of_host(number as i64)])).collect();
    bench.fleet.apply(&many).unwrap();
    assert_eq!(bench.fleet.gaps(i64::MIN, i64::MAX).unwrap().len(), 1 + 3 + 200);
    assert!((96..=101).contains(&gap_events().len()), "a host has a bound of {}", gap_events().len());
}

#[test]
fn a_scan_holds_up_no_commit_and_sees_one_moment() {
    let bench = Bench::new();
    bench.fleet.apply(&[entry(1, 1, &[gap(1, 1, 2)])]).unwrap();
    let seen = bench.fleet.scan(|reading| {
        bench.fleet.apply(&[entry(1, 2, &[gap(2, 3, 4)])])?;
        reading.gaps_ending_from(0)
    });
    assert_eq!(seen.unwrap().len(), 1);
    let hosts =
        |limit| -> Vec<u8> { bench.fleet.newest_gaps(limit).unwrap().iter().map(|gap| gap.host.0[0]).collect() };
    assert_eq!((hosts(1), hosts(9)), (vec![2], vec![1, 2]));
}

#[test]
fn the_first_administrator_gets_a_word_until_it_is_kept() {
    let bench = Bench::new();
    let lost = bench.fleet.ensure_admin_token(at(1)).unwrap().unwrap();
    let bench = bench.reopen();
    let word = bench.fleet.ensure_admin_token(at(2)).unwrap().unwrap();
    assert_eq!(bench.fleet.check_http_token(&lost, at(3)), None, "it never reached its file");
    bench.fleet.admin_token_kept().unwrap();
    let bench = bench.reopen();
    assert_eq!(bench.fleet.ensure_admin_token(at(4)).unwrap(), None);
    let grant = bench.fleet.check_http_token(&word, day(4_000)).unwrap();
    assert!(Scope::ALL.into_iter().all(|scope| grant.allows(scope)));
}

#[test]
fn http_tokens_hold_to_their_scopes_and_their_end() {
    let bench = Bench::new();
    let hour = Duration::from_secs(3_600);
    let word = bench.fleet.new_http_token(&[Scope::Read, Scope::Ingest, Scope::Read], hour, OPERATOR, at(0)).unwrap();
    let (id, _) = word.split_once('.').unwrap();
    let grant = bench.fleet.check_http_token(&word, at(10)).unwrap();
    assert_eq!((grant.id.as_str(), grant.scopes.as_slice()), (id, [Scope::Read, Scope::Ingest].as_slice()));
    assert!(!grant.allows(Scope::Admin) && grant.allows(Scope::Ingest));
    let flipped: String = word.chars().rev().collect();
    for wrong in ["", "x", flipped.as_str(), &format!("{id}.{}", "0".repeat(32)), &format!("{word}0")] {
        assert_eq!(bench.fleet.check_http_token(wrong, at(10)), None, "{wrong}");
    }
    bench.fleet.maintain(at(20)).unwrap();
    let bench = bench.reopen();
    assert_eq!(bench.fleet.http_tokens()[0].last_used_ms, Some(at(10).millis()));
    assert_eq!(bench.fleet.check_http_token(&word, at(3_600)), None);
    bench.fleet.maintain(at(3_600)).unwrap();
    assert!(bench.fleet.http_tokens().is_empty());
    let no_scope = bench.fleet.new_http_token(&[], hour, OPERATOR, at(0)).unwrap_err();
    assert_eq!(no_scope.kind(), ErrorKind::Input);
    assert!(bench.fleet.new_http_token(&[Scope::Read], Duration::ZERO, OPERATOR, at(0)).is_err());
    let revoked = bench.fleet.new_http_token(&[Scope::Read], hour, OPERATOR, at(0)).unwrap();
    bench.fleet.revoke_token(revoked.split_once('.').unwrap().0, OPERATOR, at(1)).unwrap();
    assert_eq!(bench.fleet.check_http_token(&revoked, at(2)), None);
    assert_eq!(bench.fleet.revoke_token("nothing", OPERATOR, at(1)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn secrets_are_nowhere_in_the_file() {
    let bench = Bench::new();
    let enrolment = bench.fleet.new_token(pattern("*"), at(0)).unwrap();
    let http = bench.fleet.new_http_token(&[Scope::Admin], Duration::from_secs(60), OPERATOR, at(0)).unwrap();
    let path = bench.folder.join(FILE_NAME);
    bench.fleet.state.lock().close();
    let bytes = std::fs::read(path).unwrap();
    for word in [&enrolment, &http] {
        let secret = word.split('.').nth(1).unwrap();
        let raw = crate::rows::unhex_any(secret).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        assert!(!bytes.windows(raw.len()).any(|window| window == raw));
    }
}

#[test]
fn a_commit_that_failed_is_settled_by_reading_the_file_again() {
    let disk = CutDisk::new(3);
    let bench = Bench::on(Arc::new(disk.clone()), Path::new(FOLDER));
    let machine = bench.host("db1");
    let version = bench.fleet.changes_after(0).version;
    for operation in [Operation::Sync, Operation::Write] {
        disk.fail(operation, 1, 1, Fault::Io);
        let error = bench.fleet.rename(machine.id(), "db2", OPERATOR, at(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.to_string().contains(FILE_NAME), "{error}");
        assert_eq!(bench.fleet.find("db1").unwrap(), machine.id(), "not told before it is durable");
        // The disk is well again.
        bench.fleet.retire(HostId([9; 16]), "x", OPERATOR, at(2)).unwrap_err();
        assert!(bench.fleet.changes_after(version).missed, "what the failed commit did is found by reading all");
        if bench.fleet.find("db1").is_err() {
            bench.fleet.rename(machine.id(), "db1", OPERATOR, at(3)).unwrap();
        }
    }
    bench.fleet.rename(machine.id(), "db3", OPERATOR, at(4)).unwrap();
    assert_eq!(bench.fleet.active_names(), ["db3"]);
    assert_eq!(bench.reopen().fleet.find("db3").unwrap(), machine.id());
}

#[test]
fn a_full_disk_refuses_and_the_fleet_goes_on_when_there_is_room() {
    let disk = CutDisk::new(4);
    let bench = Bench::on(Arc::new(disk.clone()), Path::new(FOLDER));
    let token = bench.token(pattern("*"));
    let mut machine = Machine::new("db1");
    disk.fail(Operation::Write, 1, 1_000, Fault::NoSpace);
    disk.fail(Operation::SetLen, 1, 1_000, Fault::NoSpace);
    let error = bench.fleet.enrol(&machine.request(&token), "p", at(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(bench.fleet.enrol(&machine.request(&token), "p", at(2)).is_err());
    disk.cut();
    let bench = bench.reopen();
    machine.enrol(&bench.fleet, &token, at(3)).unwrap();
    assert_eq!(bench.fleet.tokens()[0].uses_left, 99);
}

#[test]
fn a_cut_at_any_operation_of_an_enrolment_loses_no_host_and_no_use() {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let bench = Bench::on(Arc::new(disk.clone()), Path::new(FOLDER));
        let token = bench.token(crate::TokenSpec { uses: 1, ..pattern("*") });
        let mut machine = Machine::new("db1");
        disk.power_off_at(disk.operations() + operation);
        let answered = machine.enrol_if_possible(&bench.fleet, &token, at(1));
        let finished = !disk.is_off();
        disk.cut();
        let bench = bench.reopen();
        if answered.is_some() {
            let admitted = bench.fleet.authenticate(machine.leaf(), at(2)).unwrap();
            assert_eq!(Some(admitted.host), answered, "operation {operation}: a host that was answered is known");
        }
        let again = machine.enrol(&bench.fleet, &token, at(3)).unwrap();
        assert!(answered.is_none_or(|host| host == again), "operation {operation}");
        assert_eq!(bench.in_state(HostState::Active).len(), 1);
        assert_eq!(bench.fleet.tokens()[0].uses_left, 0);
        let enrolments = bench.kinds().iter().filter(|kind| **kind == EventKind::HostEnrolled).count();
        assert_eq!(enrolments, 1, "operation {operation}: one enrolment, one event");
        let stranger = Machine::new("db2").enrol(&bench.fleet, &token, at(4)).unwrap_err();
        assert_eq!(stranger.code, RefusalCode::Token);
        if finished {
            assert!(operation > 5, "the enrolment was cut at few operations only: {operation}");
            return;
        }
    }
}

#[test]
fn a_cut_at_any_operation_of_the_first_opening_leaves_a_folder_that_opens() {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        disk.power_off_at(operation);
        let pin = open(Arc::new(disk.clone()), Path::new(FOLDER), at(0)).map(|fleet| fleet.pin());
        let finished = !disk.is_off();
        disk.cut();
        let bench = Bench::on(Arc::new(disk.clone()), Path::new(FOLDER));
        assert!(pin.is_err() || pin.unwrap() == bench.fleet.pin(), "operation {operation}: a CA that was told stays");
        bench.host("db1");
        if finished {
            return;
        }
    }
}

#[test]
fn replays_after_a_cut_apply_each_entry_once() {
    after_each_cut(
        |_| [entry(1, 1, &[gap(1, 1, 2)]), entry(1, 2, &[gap(2, 3, 4)])],
        |bench, known, operation| {
            assert_eq!(bench.fleet.gaps(0, 10).unwrap().len() as u64, known, "operation {operation}");
        },
    );
}

#[test]
fn everything_written_opens_without_a_repair() {
    let bench = Bench::new();
    bench.host("db1");
    let path = bench.folder.join(FILE_NAME);
    // A copy of the live file is what a kill leaves.
    let copy = bench.folder.join("copy.redb");
    std::fs::copy(&path, &copy).unwrap();
    let repairs = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&repairs);
    let database = redb::Database::builder().set_repair_callback(move |_| *seen.lock() += 1).open(&copy).unwrap();
    assert_eq!(*repairs.lock(), 0);
    let rows = database.begin_read().unwrap().open_table(crate::tables::HOSTS).unwrap();
    assert_eq!(rows.iter().unwrap().count(), 1);
}

#[test]
fn numbers_are_told() {
    let bench = Bench::new();
    bench.host("db1");
    Machine::new("db2").enrol(&bench.fleet, "", at(1)).unwrap_err();
    let stats = bench.fleet.stats();
    let value = |name: &str, label: Option<&str>| {
        let wanted = |stat: &&muster_common::stat::Stat| {
            stat.name == name && label.is_none_or(|label| stat.labels.iter().any(|(_, value)| value == label))
        };
        stats.iter().find(wanted).map(|stat| stat.value)
    };
    assert_eq!(value("muster_collector_hosts", Some("active")), Some(1.0));
    assert_eq!(value("muster_collector_hosts", Some("pending")), Some(1.0));
    assert_eq!(value("muster_collector_certificates_issued_total", None), Some(1.0));
    assert_eq!(value("muster_collector_refused_total", Some("pending")), Some(1.0));
    assert_eq!(value("muster_collector_outbox_rows", None), Some(4.0));
    assert!(value("muster_collector_ca_expiry_timestamp_seconds", None) > Some(2.0e9));
    assert!(stats.iter().all(|stat| stat.name.starts_with("muster_collector_") && !stat.help.is_empty()));
}

#[test]
fn ten_thousand_hosts_are_served_and_come_back_after_a_restart() {
    let bench = Bench::new();
    let host = bench.host("first");
    let row = Registration::clone(bench.fleet.memory.read().host(host.id()).unwrap());
    let many = |_: &Memory, draft: &mut Draft| {
        for number in 0..10_000 {
            let id = crate::tokens::new_host_id(at(number))?;
            draft.hosts.push(Registration { id, name: format!("host-{number}"), ..row.clone() });
            draft.leaves.push((id, host.leaf().to_vec()));
        }
        Ok(())
    };
    bench.fleet.change(many).unwrap();
    assert_eq!(bench.fleet.hosts().len(), 10_001);
    assert_eq!(bench.fleet.active_names().len(), 10_001);
    assert!(bench.fleet.authenticate(host.leaf(), at(1)).is_ok());
    for row in bench.fleet.hosts() {
        bench.fleet.saw(row.id, &host.hello(1, 5, &[1]), None, at(1)).unwrap();
    }
    bench.fleet.maintain(at(2)).unwrap();
    bench.fleet.rename(host.id(), "other", OPERATOR, at(3)).unwrap();
    let bench = bench.reopen();
    assert_eq!(bench.fleet.hosts().len(), 10_001);
    assert!(bench.fleet.active_names().iter().any(|name| name == "other"));
}
