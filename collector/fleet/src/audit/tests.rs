use std::collections::BTreeMap;
use std::path::Path;

use redb::{Database, ReadableTable};

use super::*;
use crate::state::FILE_NAME;
use crate::tables::{META, Table as AnyTable};
use crate::testing::{Bench, at};
use crate::{Scope, TokenSpec};

fn ann() -> By {
    By::user("ann", "192.0.2.7")
}

/// A row as version 1 hashes it. Made by hand: SHA-256 over `muster audit 1\0`, seq 1 and ms 1767225600000 as u64 and i64 BE, the six texts
/// each behind its length as u32 BE, and 32 zeros.
const GOLDEN: &str = "f1bedb0f1fa6d8b64a61f7fae7f6e27d2c7032293d80df110a693183098dd884";

fn golden() -> AuditRow {
    let mut row = AuditRow {
        seq: 1,
        ms: 1_767_225_600_000,
        by: "user:ann".to_owned(),
        source: "192.0.2.7".to_owned(),
        action: EventKind::HostApproved,
        object: "db1".to_owned(),
        text: "host `db1` at 192.0.2.1:4000 was approved".to_owned(),
        result: AuditResult::Done,
        prev: Sha256([0; 32]),
        hash: Sha256([0; 32]),
    };
    row.hash = row.computed();
    row
}

#[test]
fn the_hash_of_a_row_is_that_of_its_bytes_as_the_page_tells_them() {
    let row = golden();
    assert_eq!(row.hash(), GOLDEN);
    let json = format!(
        "\u{1}{{\"seq\":1,\"ms\":1767225600000,\"by\":\"user:ann\",\"source\":\"192.0.2.7\",\"action\":\"host_approved\",\"object\":\"db1\",\
         \"text\":\"host `db1` at 192.0.2.1:4000 was approved\",\"result\":\"done\",\"prev\":\"{}\",\"hash\":\"{GOLDEN}\"}}",
        "0".repeat(64)
    );
    assert_eq!(String::from_utf8(encode(&row)).unwrap(), json);
    let other = AuditRow { by: "user:an".to_owned(), source: "n192.0.2.7".to_owned(), ..golden() };
    assert_ne!(other.computed(), row.hash, "texts do not run into each other");
}

/// A fleet with six audited changes by three, and some that are nobody's.
fn changed() -> Bench {
    let bench = Bench::new();
    let host = bench.host("db1").id();
    let fleet = &bench.fleet;
    fleet.rename(host, "db2", &ann(), at(1)).unwrap();
    fleet.relabel(host, &BTreeMap::from([("env".to_owned(), "prod".to_owned())]), &By::unix(0), at(2)).unwrap();
    fleet.new_token(TokenSpec { by: By::token("3f2a90b1", "192.0.2.8"), ..TokenSpec::default() }, at(3)).unwrap();
    let record = Record {
        by: By::anybody("192.0.2.9"),
        action: EventKind::RequestRefused,
        object: "POST /-/flush".to_owned(),
        text: "POST /-/flush was refused: the token is unknown".to_owned(),
        result: AuditResult::Refused,
    };
    fleet.record(record, at(4)).unwrap();
    fleet.retire(host, "sold", &ann(), at(5)).unwrap();
    bench
}

fn all(fleet: &Fleet) -> Vec<AuditRow> {
    let mut rows = fleet.audit(&AuditQuery { limit: 1_000, ..AuditQuery::default() }).unwrap();
    rows.reverse();
    rows
}

#[test]
fn every_change_by_somebody_is_a_row_and_what_happens_by_itself_is_none() {
    let bench = changed();
    let rows = all(&bench.fleet);
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.seq, row.by.as_str(), row.source.as_str(), row.action.as_str(), row.object.as_str(), row.result)
        })
        .collect();
    let token = rows[0].by.clone();
    let made = rows[3].object.clone();
    let done = AuditResult::Done;
    assert_eq!(
        told,
        [
            (1, token.as_str(), "192.0.2.1", "host_enrolled", "db1", done),
            (2, "user:ann", "192.0.2.7", "host_renamed", "db2", done),
            (3, "unix:0", "unix", "host_relabelled", "db2", done),
            (4, "token:3f2a90b1", "192.0.2.8", "token_made", made.as_str(), done),
            (5, "anybody", "192.0.2.9", "request_refused", "POST /-/flush", AuditResult::Refused),
            (6, "user:ann", "192.0.2.7", "host_retired", "db2", done),
        ]
    );
    assert!(token.starts_with("token:") && made.len() == 8, "{token} {made}");
    // Each is an event too, of the same one.
    let events = bench.events();
    for row in &rows {
        let same = |event: &&Event| event.kind == row.action && event.by == row.by && event.text == row.text;
        assert_eq!(events.iter().filter(same).count(), 1, "{row:?}");
    }
    let proof = bench.fleet.verify_audit(None).unwrap().unwrap();
    assert_eq!((proof.rows, proof.first_seq, proof.head_seq, proof.head), (6, 1, 6, rows[5].hash()));
}

#[test]
fn a_change_that_fails_leaves_no_row() {
    let bench = changed();
    let head = bench.fleet.verify_audit(None).unwrap().unwrap().head;
    assert!(bench.fleet.revoke_token("nosuch", &ann(), at(9)).is_err());
    assert!(bench.fleet.new_http_token(&[], std::time::Duration::from_secs(60), &ann(), at(9)).is_err());
    assert_eq!(bench.fleet.verify_audit(None).unwrap().unwrap().head, head);
    bench.fleet.new_http_token(&[Scope::Read], std::time::Duration::from_secs(60), &ann(), at(9)).unwrap();
    let rows = all(&bench.fleet);
    assert_eq!((rows.len(), rows[6].prev()), (7, head));
}

#[test]
fn what_strangers_send_is_cut() {
    let bench = Bench::new();
    let (object, text) = ("\u{20ac}".repeat(1_000), "\u{20ac}".repeat(100_000));
    let record = Record { by: ann(), action: EventKind::LogsDeleted, object, text, result: AuditResult::Done };
    bench.fleet.record(record, at(1)).unwrap();
    let row = all(&bench.fleet).remove(0);
    assert_eq!((row.object.len(), row.text.len()), (255, 999));
    assert!(bench.fleet.verify_audit(None).unwrap().is_ok());
}

#[test]
fn rows_are_asked_for_by_who_by_time_and_page_by_page() {
    let bench = changed();
    let seqs =
        |query: AuditQuery| -> Vec<u64> { bench.fleet.audit(&query).unwrap().iter().map(|row| row.seq).collect() };
    let any = AuditQuery { limit: 2, ..AuditQuery::default() };
    assert_eq!(seqs(any.clone()), [6, 5]);
    assert_eq!(seqs(AuditQuery { before: Some(5), ..any.clone() }), [4, 3]);
    assert_eq!(seqs(AuditQuery { before: Some(1), ..any.clone() }), [0_u64; 0]);
    assert_eq!(seqs(AuditQuery { by: Some("user:ann".to_owned()), ..any.clone() }), [6, 2]);
    assert_eq!(seqs(AuditQuery { from_ms: Some(at(4).millis()), limit: 9, ..any.clone() }), [6, 5]);
    let all = AuditQuery { limit: 9, ..any };
    assert_eq!(seqs(AuditQuery { to_ms: Some(at(4).millis()), from_ms: Some(at(4).millis()), ..all.clone() }), [5]);
    assert_eq!(seqs(AuditQuery { result: Some(AuditResult::Refused), ..all.clone() }), [5]);
    assert_eq!(seqs(AuditQuery { object: Some("POST /-/flush".to_owned()), ..all.clone() }), [5]);
    assert_eq!(seqs(AuditQuery { action: Some(EventKind::HostRetired), ..all.clone() }), [6]);
    let both = AuditQuery { action: Some(EventKind::HostRetired), result: Some(AuditResult::Refused), ..all };
    assert_eq!(seqs(both), [0_u64; 0]);
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let bench = changed().reopen();
    bench.fleet.new_http_token(&[Scope::Read], std::time::Duration::from_secs(60), &ann(), at(9)).unwrap();
    let proof = bench.fleet.verify_audit(None).unwrap().unwrap();
    assert_eq!((proof.rows, proof.head_seq), (7, 7));
}

/// Changes the file as somebody would who has it, and opens it again.
fn tampered(bench: Bench, change: impl FnOnce(&redb::WriteTransaction)) -> Bench {
    let folder = bench.folder.clone();
    bench.reopen_after(|| {
        let database = Database::open(Path::new(&folder).join(FILE_NAME)).unwrap();
        let transaction = database.begin_write().unwrap();
        change(&transaction);
        transaction.commit().unwrap();
    })
}

fn value(transaction: &redb::WriteTransaction, table: AnyTable, key: &[u8]) -> Vec<u8> {
    transaction.open_table(table).unwrap().get(key).unwrap().unwrap().value().to_vec()
}

fn broken(bench: &Bench, noted: Option<&str>) -> AuditBreak {
    bench.fleet.verify_audit(noted).unwrap().unwrap_err()
}

#[test]
fn a_row_of_which_any_byte_is_another_is_named() {
    let length = encode(&golden()).len();
    for at_byte in [0, 1, 12, 40, 90, length - 2, length / 2, length - 20] {
        let bench = tampered(changed(), |transaction| {
            let mut row = value(transaction, AUDIT, &3_u64.to_be_bytes());
            row[at_byte] ^= 1;
            transaction.open_table(AUDIT).unwrap().insert(&3_u64.to_be_bytes()[..], row.as_slice()).unwrap();
        });
        assert_eq!(broken(&bench, None).seq, Some(3), "byte {at_byte}");
    }
}

#[test]
fn a_row_that_is_written_anew_with_its_own_hash_breaks_the_chain_after_it() {
    let bench = tampered(changed(), |transaction| {
        let mut row: AuditRow = decode(&value(transaction, AUDIT, &2_u64.to_be_bytes())).unwrap();
        row.by = "user:bea".to_owned();
        row.hash = row.computed();
        transaction.open_table(AUDIT).unwrap().insert(&2_u64.to_be_bytes()[..], encode(&row).as_slice()).unwrap();
    });
    let broken = broken(&bench, None);
    assert_eq!(broken.seq, Some(3));
    assert!(broken.why.contains("the row before it was another"), "{}", broken.why);
}

#[test]
fn a_row_in_the_middle_that_is_gone_is_named_and_so_is_one_at_the_end() {
    for (gone, named) in [(1, 1), (4, 4), (6, 6)] {
        let bench = tampered(changed(), |transaction| {
            transaction.open_table(AUDIT).unwrap().remove(&u64::to_be_bytes(gone)[..]).unwrap();
        });
        let broken = broken(&bench, None);
        assert_eq!(broken.seq, Some(named));
        assert!(broken.why.starts_with("the row is missing"), "{}", broken.why);
    }
}

#[test]
fn whoever_cuts_the_end_off_and_hides_it_is_found_by_a_hash_that_was_noted() {
    let bench = changed();
    let rows = all(&bench.fleet);
    let noted = rows[4].hash();
    assert_eq!(bench.fleet.verify_audit(Some(&noted)).unwrap().unwrap().noted_seq, Some(5));
    let head = Link { seq: 3, hash: rows[2].hash };
    let bench = tampered(bench, |transaction| {
        for seq in 4..=6 {
            transaction.open_table(AUDIT).unwrap().remove(&u64::to_be_bytes(seq)[..]).unwrap();
        }
        transaction.open_table(META).unwrap().insert(meta::AUDIT_HEAD, head.bytes().as_slice()).unwrap();
    });
    assert_eq!(bench.fleet.verify_audit(None).unwrap().unwrap().head_seq, 3, "the rest is a chain of its own");
    let broken = broken(&bench, Some(&noted));
    assert_eq!(broken.seq, None);
    assert!(broken.why.starts_with(&format!("no row has the hash {noted} that was noted")), "{}", broken.why);
    // Other rows in their place do not have it either.
    bench.fleet.revoke_token("nosuch", &ann(), at(9)).unwrap_err();
    bench.fleet.new_http_token(&[Scope::Read], std::time::Duration::from_secs(60), &ann(), at(9)).unwrap();
    assert!(bench.fleet.verify_audit(Some(&noted)).unwrap().is_err());
    let error = bench.fleet.verify_audit(Some("abc")).unwrap_err().to_string();
    assert!(error.starts_with("`abc` is no hash of the audit: "), "{error}");
}

#[test]
fn old_rows_go_and_the_rest_hangs_on_what_is_kept_of_them() {
    let database = Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap();
    let mut chain = Chain::EMPTY;
    let mut kept = BTreeMap::new();
    for round in 0..10_u64 {
        let events: Vec<Event> = (0..7)
            .map(|number| Event::new(EventKind::TokenMade, &ann(), at(round * 7 + number), format!("made {number}")))
            .collect();
        let transaction = database.begin_write().unwrap();
        let puts = chain.write(&mut transaction.open_table(AUDIT).unwrap(), events.iter(), 20).unwrap();
        transaction.commit().unwrap();
        kept.extend(puts.into_iter().map(|put| (put.key, put.value.unwrap())));
    }
    use redb::ReadableDatabase;
    let table = database.begin_read().unwrap().open_table(AUDIT).unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = table
        .iter()
        .unwrap()
        .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).unwrap())
        .collect();
    let (head, anchor) = (&kept[meta::AUDIT_HEAD], &kept[meta::AUDIT_ANCHOR]);
    let (head, anchor) = (Link::of_bytes(head).unwrap(), Link::of_bytes(anchor).unwrap());
    assert_eq!((rows.len(), chain.rows, head, anchor), (20, 20, chain.head, chain.anchor));
    assert_eq!((head.seq, anchor.seq), (70, 50));
    let proof = walk(rows.clone().into_iter(), anchor, head, Some(anchor.hash)).unwrap();
    assert_eq!((proof.rows, proof.first_seq, proof.head_seq, proof.noted_seq), (20, 51, 70, Some(50)));
    let later = walk(rows[1..].iter().cloned(), anchor, head, None).unwrap_err();
    assert_eq!(later.seq, Some(51), "an old row that went without leaving an anchor is missing");
}
