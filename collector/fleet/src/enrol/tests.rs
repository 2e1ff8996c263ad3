use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::wire::message::{HostFacts, RefusalCode};

use super::*;
use crate::testing::{Bench, Machine, OPERATOR, PEER, at, day, pattern};
use crate::{AuditQuery, AuditResult, EventKind};
use crate::{RegistryChange, TokenSpec};

#[test]
fn a_token_lets_its_host_in_once_with_its_labels() {
    let bench = Bench::new();
    let token = bench.token(TokenSpec {
        binding: Binding::Name("db1".into()),
        labels: BTreeMap::from([("env".into(), "production".into())]),
        ..TokenSpec::default()
    });
    let mut machine = Machine::new("db1");
    let host = machine.enrol(&bench.fleet, &token, at(1)).unwrap();
    let admitted = bench.fleet.authenticate(machine.leaf(), at(2)).unwrap();
    assert_eq!((admitted.host, admitted.name.as_str(), admitted.expired), (host, "db1", false));
    assert_eq!(admitted.labels, BTreeMap::from([("env".into(), "production".into())]));
    let row = bench.row(host);
    assert_eq!(
        (row.state, row.enrolled_ms, row.serial),
        (HostState::Active, Some(at(1).millis()), Some(machine.serial()))
    );
    assert_eq!(bench.fleet.tokens()[0].uses_left, 0);
    let refused = Machine::new("db1").enrol(&bench.fleet, &token, at(3)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Token);
    assert!(refused.message.contains("was good for 1 use and is used up"), "{}", refused.message);
    let bench = bench.reopen();
    assert_eq!(bench.fleet.authenticate(machine.leaf(), at(4)).map(|admitted| admitted.host), Ok(host));
    assert_eq!(bench.fleet.tokens()[0].uses_left, 0);
}

#[test]
fn wrong_tokens_are_named_with_a_remedy() {
    let bench = Bench::new();
    let good = bench.token(TokenSpec { binding: Binding::Name("db1".into()), ..TokenSpec::default() });
    let (id, secret) = good.split_once('.').unwrap();
    let gone = bench.token(pattern("*"));
    let gone_id = gone.split_once('.').unwrap().0.to_owned();
    bench.fleet.revoke_token(&gone_id, OPERATOR, at(0)).unwrap();
    let wrong_secret = format!("{id}.{}", secret.chars().rev().collect::<String>());
    let unknown = format!("{}.{secret}", if id == "00000000" { "00000001" } else { "00000000" });
    for (token, name, seconds, message) in [
        ("junk".to_owned(), "db1", 1, "the token is damaged".to_owned()),
        (format!("{good}.{}", bench.fleet.pin()), "db1", 1, "the token is damaged".to_owned()),
        (unknown, "db1", 1, "is not known to this collector".to_owned()),
        (wrong_secret, "db1", 1, format!("the secret of token {id} is wrong")),
        (good.clone(), "db1", 3_600, format!("token {id} expired 0s ago")),
        (good.clone(), "db1", 3_600 + 7_230, format!("token {id} expired 2h30s ago")),
        (good.clone(), "db2", 1, format!("token {id} is for host `db1`, not for `db2`")),
        (good.clone(), "d b", 1, "the host name `d b` holds ' '".to_owned()),
        (gone.clone(), "muster", 1, format!("token {gone_id} was revoked")),
    ] {
        let refused = Machine::new(name).enrol(&bench.fleet, &token, at(seconds)).unwrap_err();
        assert_eq!(refused.code, RefusalCode::Token, "{message}");
        assert!(refused.message.contains(&message), "{} is not: {message}", refused.message);
        assert!(refused.remedy.contains("muster token new") || refused.remedy.contains("--name"), "{}", refused.remedy);
    }
    assert!(bench.in_state(HostState::Active).is_empty() && bench.in_state(HostState::Pending).is_empty());
    // One row a second; the others of that second are summed.
    let rows = bench.fleet.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).unwrap();
    let texts: Vec<&str> =
        rows.iter().filter(|row| row.result == AuditResult::Refused).map(|row| row.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            format!("`db1` was not let in: token {id} expired 2h30s ago").as_str(),
            &format!("`db1` was not let in: token {id} expired 0s ago; 3 more of this source before it"),
            "`db1` was not let in: the token is damaged: it is not of the form id.secret",
        ]
    );
    assert!(rows.iter().any(|row| row.action == EventKind::EnrolRefused && row.by == "anybody" && row.object == "db1"));
    assert!(!texts.iter().any(|text| text.contains(secret)));
    Machine::new("db1").enrol(&bench.fleet, &good, at(1)).unwrap();
}

#[test]
fn a_host_that_asks_for_no_name_gets_that_of_its_token_or_its_own() {
    let bench = Bench::new();
    let bound = bench.token(TokenSpec { binding: Binding::Name("db1".into()), ..TokenSpec::default() });
    let mut machine = Machine { name: String::new(), ..Machine::new("ip-10-0-0-1") };
    machine.enrol(&bench.fleet, &bound, at(1)).unwrap();
    assert_eq!(bench.row(machine.id()).name, "db1");
    let any = bench.token(pattern("*"));
    let mut machine = Machine { name: String::new(), ..Machine::new("ip-10-0-0-2") };
    machine.enrol(&bench.fleet, &any, at(1)).unwrap();
    assert_eq!(bench.row(machine.id()).name, "ip-10-0-0-2");
}

#[test]
fn names_outside_the_pattern_wait_and_are_let_in_by_approval_without_a_use() {
    let bench = Bench::new();
    let token = bench.token(pattern("web-*"));
    let mut machine = Machine::new("db1");
    let refused = machine.enrol(&bench.fleet, &token, at(1)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Pending);
    assert!(refused.message.contains("names like `web-*` only"), "{}", refused.message);
    assert!(refused.remedy.contains("muster hosts approve db1") && refused.retry_after_ms > 0);
    let waiting = bench.in_state(HostState::Pending).remove(0);
    assert!(refused.remedy.contains(waiting.waiting_key.as_deref().unwrap()), "the key is shown on both sides");
    let commits = bench.fleet.counts.lock().commits;
    assert_eq!(machine.enrol(&bench.fleet, &token, at(30)).unwrap_err(), refused);
    assert_eq!(bench.fleet.counts.lock().commits, commits, "asking again writes nothing");
    bench.fleet.approve(waiting.id, None, OPERATOR, at(31)).unwrap();
    let bench = bench.reopen();
    assert_eq!(machine.enrol(&bench.fleet, &token, at(60)), Ok(waiting.id));
    assert_eq!(bench.fleet.tokens()[0].uses_left, 100);
    assert_eq!(
        bench.kinds(),
        [
            EventKind::AuthorityMade,
            EventKind::TokenMade,
            EventKind::HostPending,
            EventKind::HostApproved,
            EventKind::HostEnrolled
        ]
    );
}

#[test]
fn a_machine_without_a_token_waits_for_approval_under_any_name() {
    let bench = Bench::new();
    let mut machine = Machine::new("db1");
    assert_eq!(machine.enrol(&bench.fleet, "", at(1)).unwrap_err().code, RefusalCode::Pending);
    let id = bench.fleet.find("db1").unwrap();
    bench.fleet.approve(id, Some("db7"), OPERATOR, at(2)).unwrap();
    assert_eq!(machine.enrol(&bench.fleet, "", at(3)), Ok(id));
    assert_eq!(machine.enrolled.as_ref().unwrap().name, "db7");
    assert_eq!(machine.enrol(&bench.fleet, "", at(4)), Ok(id), "a lost answer is repeated");
}

#[test]
fn a_machine_that_waits_cannot_write_by_asking_for_other_names() {
    let bench = Bench::new();
    let mut machine = Machine::new("db1");
    machine.enrol(&bench.fleet, "", at(1)).unwrap_err();
    let commits = bench.fleet.counts.lock().commits;
    machine.name = "db2".into();
    let refused = machine.enrol(&bench.fleet, "", at(2)).unwrap_err();
    assert!(refused.message.contains("host `db1` waits"), "{}", refused.message);
    assert_eq!(bench.fleet.counts.lock().commits, commits);
    let token = bench.token(pattern("web-*"));
    let refused = machine.enrol(&bench.fleet, &token, at(3)).unwrap_err();
    assert!(refused.message.contains("host `db2` waits"), "a token may say more: {}", refused.message);
    machine.name = "web-1".into();
    machine.enrol(&bench.fleet, &token, at(4)).unwrap();
    assert!(bench.in_state(HostState::Pending).is_empty());
}

#[test]
fn a_taken_name_waits_in_either_case_of_letters() {
    let bench = Bench::new();
    let first = bench.host("db1");
    let token = bench.token(pattern("*"));
    let mut second = Machine { name: "DB1".into(), ..first.other() };
    let refused = second.enrol(&bench.fleet, &token, at(5)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Pending);
    assert!(refused.message.contains("taken by host"), "{}", refused.message);
    let error = bench.fleet.approve(bench.in_state(HostState::Pending)[0].id, None, OPERATOR, at(6)).unwrap_err();
    assert!(error.to_string().contains("`db1` belongs to host"), "{error}");
    assert!(bench.fleet.authenticate(first.leaf(), at(7)).is_ok());
}

#[test]
fn a_replacing_token_keeps_the_host_id_and_denies_the_machine_before() {
    let bench = Bench::new();
    let first = bench.host("db1");
    bench
        .fleet
        .relabel(
            first.id(),
            &BTreeMap::from([("env".into(), "a".into()), ("role".into(), "db".into())]),
            OPERATOR,
            at(1),
        )
        .unwrap();
    let token = bench.token(TokenSpec {
        replace: true,
        labels: BTreeMap::from([("env".into(), "b".into())]),
        ..pattern("db*")
    });
    let version = bench.fleet.changes_after(0).version;
    let mut second = first.other();
    assert_eq!(second.enrol(&bench.fleet, &token, at(2)), Ok(first.id()));
    let refused = bench.fleet.authenticate(first.leaf(), at(3)).unwrap_err();
    assert!(refused.message.contains("is denied: another machine took the host's place"), "{}", refused.message);
    assert!(bench.fleet.authenticate(second.leaf(), at(3)).is_ok());
    let row = bench.row(first.id());
    assert_eq!((row.machine_id.as_str(), row.replaced_ms), ("other-machine-of-db1", Some(at(2).millis())));
    assert_eq!(row.labels, BTreeMap::from([("env".into(), "b".into()), ("role".into(), "db".into())]));
    let changes = bench.fleet.changes_after(version).changes;
    let told = |wanted: fn(&RegistryChange) -> bool| changes.iter().any(wanted);
    assert!(told(|change| matches!(change, RegistryChange::Replaced { .. })));
    assert!(told(|change| matches!(change, RegistryChange::Denied { .. })));
    assert!(told(|change| matches!(change, RegistryChange::Relabelled { .. })));
    let mut third = Machine::new("db2");
    assert_ne!(third.enrol(&bench.fleet, &token, at(4)).unwrap(), first.id(), "a free name is a new host");
}

#[test]
fn a_lost_answer_is_repeated_and_takes_no_second_use() {
    let bench = Bench::new();
    let token = bench.token(TokenSpec { binding: Binding::Name("db1".into()), uses: 2, ..TokenSpec::default() });
    let mut machine = Machine::new("db1");
    let host = machine.enrol(&bench.fleet, &token, at(1)).unwrap();
    let first = machine.enrolled.clone();
    let bench = bench.reopen();
    assert_eq!(machine.enrol(&bench.fleet, &token, at(2)), Ok(host));
    assert_eq!(machine.enrolled, first, "the same certificate");
    assert_eq!(bench.fleet.tokens()[0].uses_left, 1);
    assert_eq!(machine.enrol(&bench.fleet, &token, day(3)), Ok(host), "even when the token has ended since");
    let stranger = Machine::new("db1").enrol(&bench.fleet, &token, at(4)).unwrap_err();
    assert_eq!(stranger.code, RefusalCode::Pending, "another key is another machine");
    let no_token = machine.enrol(&bench.fleet, "", at(5)).unwrap_err();
    assert!(no_token.message.contains("this key belongs to host `db1`"), "{}", no_token.message);
    assert_eq!(bench.row(host).state, HostState::Active);
}

#[test]
fn a_host_may_enrol_again_with_a_new_token_but_not_under_another_name() {
    let bench = Bench::new();
    let mut machine = bench.host("db1");
    let (host, serial) = (machine.id(), machine.serial());
    let token = bench.token(pattern("*"));
    assert_eq!(machine.enrol(&bench.fleet, &token, at(9)), Ok(host));
    assert_ne!(machine.serial(), serial);
    machine.name = "db2".into();
    let refused = machine.enrol(&bench.fleet, &bench.token(pattern("*")), at(10)).unwrap_err();
    assert!(refused.message.contains("belongs to host `db1`, so it cannot be `db2` as well"), "{}", refused.message);
    let narrow = bench.token(pattern("web-*"));
    let refused = machine.enrol(&bench.fleet, &narrow, at(11)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Token);
    assert_eq!((bench.row(host).state, bench.row(host).name.as_str()), (HostState::Active, "db1"));
}

#[test]
fn a_retired_host_is_let_in_only_with_a_new_key() {
    let bench = Bench::new();
    let mut machine = bench.host("db1");
    let old = machine.id();
    bench.fleet.retire(old, "sold", OPERATOR, at(1)).unwrap();
    let token = bench.token(pattern("*"));
    let refused = machine.enrol(&bench.fleet, &token, at(2)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Certificate);
    assert!(refused.message.contains("retired: sold"), "{}", refused.message);
    let mut fresh = machine.other();
    assert_ne!(fresh.enrol(&bench.fleet, &token, at(3)).unwrap(), old, "the name is free, the id is not used again");
}

#[test]
fn machines_that_wait_are_capped_and_tokens_go_on_working() {
    let bench = Bench::new();
    // Rows as the machines would leave them, without 1,000 keys and commits.
    bench
        .fleet
        .change(|memory, draft| {
            for number in 0..WAITING_MAX {
                let request = Machine { key: Vec::new(), csr: Vec::new(), ..blank(number) }.request("");
                let asking = Asking {
                    request: &request,
                    key: Sha256::of(&number.to_le_bytes()),
                    peer: PEER,
                    new_id: crate::tokens::new_host_id(at(0))?,
                    now: at(0),
                };
                let Decision::Wait { row: Some(row), .. } = decide(memory, &asking) else { panic!("does not wait") };
                draft.hosts.push(row);
            }
            Ok(())
        })
        .unwrap();
    let refused = Machine::new("late").enrol(&bench.fleet, "", at(1)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Busy);
    assert_eq!(bench.in_state(HostState::Pending).len(), WAITING_MAX);
    let busy = bench.fleet.stats().into_iter().find(|stat| stat.labels == [("reason", "busy".to_owned())]);
    assert_eq!(busy.map(|stat| stat.value), Some(1.0));
    bench.host("db1");
    bench.fleet.maintain(day(8)).unwrap();
    assert!(bench.in_state(HostState::Pending).is_empty(), "they are forgotten after a week");
}

fn blank(number: usize) -> Machine {
    let name = format!("n{number}");
    Machine { name, facts: HostFacts::default(), key: Vec::new(), csr: Vec::new(), enrolled: None }
}

#[test]
fn requests_without_a_proven_key_are_refused_before_anything_else() {
    let bench = Bench::new();
    let token = bench.token(pattern("*"));
    let mut machine = Machine::new("db1");
    let last = machine.csr.len() - 1;
    machine.csr[last] ^= 1;
    let refused = machine.enrol(&bench.fleet, &token, at(1)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Protocol);
    machine.csr.truncate(20);
    assert_eq!(machine.enrol(&bench.fleet, &token, at(1)).unwrap_err().code, RefusalCode::Protocol);
    assert_eq!(bench.fleet.tokens()[0].uses_left, 100);
}

#[test]
fn long_words_of_a_host_are_cut() {
    let bench = Bench::new();
    let mut machine = Machine::new("db1");
    machine.facts.machine_id = "x".repeat(100_000);
    let token = bench.token(TokenSpec { ttl: Duration::from_secs(60), ..TokenSpec::default() });
    let host = machine.enrol(&bench.fleet, &token, at(1)).unwrap();
    assert_eq!(bench.row(host).machine_id.len(), 256);
}
