use muster_common::identity::certificate;

use super::*;
use crate::testing::{Bench, Machine, OPERATOR, at, day, pattern};
use crate::{By, ErrorKind, TokenSpec, WAITING_KEPT};

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_renamed_host_keeps_its_id_and_its_old_name_is_free() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let version = bench.fleet.changes_after(0).version;
    bench.fleet.rename(machine.id(), "db9", OPERATOR, at(1)).unwrap();
    assert_eq!(bench.fleet.authenticate(machine.leaf(), at(2)).unwrap().name, "db9");
    let renamed = RegistryChange::Renamed { host: machine.id(), from: "db1".into(), to: "db9".into() };
    assert_eq!(bench.fleet.changes_after(version).changes, [renamed]);
    assert_eq!(bench.fleet.find("db1").unwrap_err().kind(), ErrorKind::NotFound);
    let other = bench.host("db1");
    let error = bench.fleet.rename(other.id(), "DB9", OPERATOR, at(3)).unwrap_err();
    assert!(error.to_string().contains("`db9` belongs to host") && error.kind() == ErrorKind::Conflict, "{error}");
    bench.fleet.rename(other.id(), "DB1", OPERATOR, at(4)).unwrap();
    let bench = bench.reopen();
    assert_eq!(bench.fleet.find("db9").unwrap(), machine.id());
    assert_eq!(bench.row(bench.fleet.find("db1").unwrap()).name, "DB1");
}

#[test]
fn wrong_names_and_labels_change_nothing() {
    let bench = Bench::new();
    let host = bench.host("db1").id();
    let (before, events) = (bench.row(host), bench.events());
    for name in ["muster", "", "a b", &"x".repeat(300)] {
        assert_eq!(bench.fleet.rename(host, name, OPERATOR, at(1)).unwrap_err().kind(), ErrorKind::Input, "{name}");
    }
    for pairs in [[("host", "x")], [("__a", "x")], [("a", "")]] {
        assert_eq!(bench.fleet.relabel(host, &labels(&pairs), OPERATOR, at(1)).unwrap_err().kind(), ErrorKind::Input);
    }
    bench.fleet.rename(host, "db1", OPERATOR, at(1)).unwrap();
    bench.fleet.relabel(host, &BTreeMap::new(), OPERATOR, at(1)).unwrap();
    assert_eq!((bench.row(host), bench.events()), (before, events));
}

#[test]
fn relabelling_tells_the_labels_before() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let (a, b) = (labels(&[("env", "staging")]), labels(&[("env", "production"), ("role", "db")]));
    bench.fleet.relabel(machine.id(), &a, OPERATOR, at(1)).unwrap();
    let version = bench.fleet.changes_after(0).version;
    bench.fleet.relabel(machine.id(), &b, OPERATOR, at(2)).unwrap();
    let changes = bench.fleet.changes_after(version).changes;
    assert_eq!(changes, [RegistryChange::Relabelled { host: machine.id(), from: a, to: b.clone() }]);
    assert_eq!(bench.reopen().fleet.authenticate(machine.leaf(), at(3)).unwrap().labels, b);
}

#[test]
fn a_retired_host_is_denied_and_its_name_is_free() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let watched = bench.fleet.subscribe();
    let version = bench.fleet.changes_after(0).version;
    bench.fleet.retire(machine.id(), "sold", OPERATOR, at(1)).unwrap();
    assert!(watched.has_changed().unwrap());
    let changes = bench.fleet.changes_after(version).changes;
    let serial = machine.serial();
    assert!(changes.contains(&RegistryChange::Denied { host: Some(machine.id()), serial }));
    let ended = RegistryChange::Retired { host: machine.id(), name: "db1".into(), labels: BTreeMap::new() };
    assert!(changes.contains(&ended));
    let bench = bench.reopen();
    assert!(bench.fleet.is_denied(&certificate::read(machine.leaf()).unwrap().serial));
    let refused = bench.fleet.authenticate(machine.leaf(), at(2)).unwrap_err();
    assert!(refused.message.contains("host `db1` is retired: sold"), "{}", refused.message);
    let again = bench.fleet.retire(machine.id(), "sold", OPERATOR, at(3)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    assert_ne!(bench.host("db1").id(), machine.id());
    assert_eq!(bench.row(machine.id()).retired_ms, Some(at(1).millis()), "its row stays");
}

#[test]
fn a_machine_that_waits_takes_the_place_of_a_host_by_name() {
    let bench = Bench::new();
    let first = bench.host("db1");
    let nobody = bench.fleet.replace(first.id(), None, OPERATOR, at(1)).unwrap_err();
    assert!(nobody.to_string().contains("muster token new --name db1 --replace"), "{nobody}");
    let token = bench.token(pattern("*"));
    let (mut second, mut third) = (first.other(), first.other());
    second.enrol(&bench.fleet, &token, at(2)).unwrap_err();
    third.enrol(&bench.fleet, &token, at(3)).unwrap_err();
    let several = bench.fleet.replace(first.id(), None, OPERATOR, at(4)).unwrap_err();
    assert!(several.to_string().contains("means 2 hosts"), "{several}");
    let waiting = bench.in_state(HostState::Pending)[0].id;
    bench.fleet.replace(first.id(), Some(waiting), OPERATOR, at(5)).unwrap();
    assert!(bench.fleet.authenticate(first.leaf(), at(6)).is_err());
    let bench = bench.reopen();
    assert_eq!(second.enrol(&bench.fleet, &token, at(7)), Ok(first.id()), "the next question is answered");
    assert_eq!(second.enrol(&bench.fleet, &token, at(8)), Ok(first.id()));
    assert!(bench.fleet.authenticate(second.leaf(), at(9)).is_ok());
    bench.fleet.replace(first.id(), None, OPERATOR, at(10)).unwrap();
    assert_eq!(third.enrol(&bench.fleet, &token, at(11)), Ok(first.id()));
    assert!(bench.fleet.authenticate(second.leaf(), at(12)).is_err());
    assert!(bench.in_state(HostState::Pending).is_empty());
}

#[test]
fn a_machine_that_is_turned_down_stays_out() {
    let bench = Bench::new();
    let token = bench.token(pattern("web-*"));
    let mut machine = Machine::new("db1");
    machine.enrol(&bench.fleet, &token, at(1)).unwrap_err();
    let waiting = bench.fleet.find("db1").unwrap();
    bench.fleet.retire(waiting, "not ours", OPERATOR, at(2)).unwrap();
    let refused = machine.enrol(&bench.fleet, &token, at(3)).unwrap_err();
    assert!(refused.message.contains("not ours"), "{}", refused.message);
    assert!(bench.in_state(HostState::Pending).is_empty());
    let error = bench.fleet.approve(waiting, None, OPERATOR, at(4)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn who_waits_under_a_taken_name_is_the_one_to_approve() {
    let bench = Bench::new();
    let active = bench.host("web-1");
    assert_eq!(bench.fleet.find_waiting("web-1").unwrap(), active.id());
    let token = bench.token(pattern("web-*"));
    Machine::new("WEB-1").enrol(&bench.fleet, &token, at(1)).unwrap_err();
    let waiting = bench.fleet.find_waiting("web-1").unwrap();
    assert_ne!(waiting, active.id());
    assert_eq!(bench.fleet.find("web-1").unwrap(), active.id());
    bench.fleet.approve(waiting, Some("web-2"), OPERATOR, at(2)).unwrap();
    assert_eq!(bench.fleet.find_waiting("web-1").unwrap(), active.id());
}

#[test]
fn ephemeral_hosts_are_due_after_their_silence_and_never_for_the_collectors_own() {
    let bench = Bench::new();
    let hour = Duration::from_secs(3_600);
    let token = bench.token(TokenSpec { ephemeral: Some(6 * hour), ..pattern("*") });
    let mut machine = Machine::new("runner-1");
    let host = machine.enrol(&bench.fleet, &token, at(0)).unwrap();
    bench.host("db1");
    assert_eq!(bench.row(host).ephemeral, Some(6 * hour));
    let due = |now, ready, heard| bench.fleet.due_retirements(now, ready, |_| heard);
    assert!(due(day(0).plus(6 * hour), at(0), None).is_empty());
    assert_eq!(due(at(6 * 3_600 + 1), at(0), None), [host]);
    assert!(due(at(6 * 3_600 + 1), at(0), Some(at(1))).is_empty());
    assert_eq!(due(at(6 * 3_600 + 2), at(0), Some(at(1))), [host]);
    assert!(due(day(9), day(9), None).is_empty(), "the collector was away, not the host");
    assert!(due(day(9), day(9), Some(at(1))).is_empty());
    bench.fleet.retire(host, &ephemeral_reason(6 * hour), &By::MUSTER, day(1)).unwrap();
    assert!(due(day(2), at(0), None).is_empty());
}

#[test]
fn hosts_are_found_by_id_or_name_and_doubt_is_an_error() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let token = bench.token(pattern("*"));
    machine.other().enrol(&bench.fleet, &token, at(1)).unwrap_err();
    assert_eq!(bench.fleet.find("DB1").unwrap(), machine.id(), "the active one is meant");
    assert_eq!(bench.fleet.find(&machine.id().to_string()).unwrap(), machine.id());
    bench.fleet.retire(machine.id(), "sold", OPERATOR, at(2)).unwrap();
    let waiting = bench.in_state(HostState::Pending)[0].id;
    assert_eq!(bench.fleet.find("db1").unwrap(), waiting, "then the one that waits");
    machine.other().enrol(&bench.fleet, "", at(3)).unwrap_err();
    assert_eq!(bench.fleet.find("db1").unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(bench.fleet.find("none").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_has_served_is_dropped_in_time() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    Machine::new("late").enrol(&bench.fleet, "", at(1)).unwrap_err();
    bench.fleet.retire(machine.id(), "sold", OPERATOR, at(2)).unwrap();
    bench.fleet.maintain(day(6)).unwrap();
    assert_eq!((bench.fleet.tokens().len(), bench.fleet.denied().len(), bench.fleet.hosts().len()), (1, 1, 2));
    bench.fleet.maintain(at(2).plus(WAITING_KEPT).plus(Duration::from_secs(86_400))).unwrap();
    assert_eq!((bench.fleet.tokens().len(), bench.fleet.denied().len(), bench.fleet.hosts().len()), (0, 1, 1));
    bench.fleet.maintain(day(121)).unwrap();
    assert!(bench.fleet.denied().is_empty(), "its certificate could not be renewed any more");
    assert!(bench.fleet.authenticate(machine.leaf(), day(121)).is_err());
}

#[test]
fn every_change_leaves_an_event_that_says_who() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    bench.fleet.rename(machine.id(), "db2", &By::token("1a2b3c4d", "192.0.2.7"), at(1)).unwrap();
    bench.fleet.relabel(machine.id(), &labels(&[("env", "a")]), OPERATOR, at(2)).unwrap();
    bench.fleet.retire(machine.id(), "sold", OPERATOR, at(3)).unwrap();
    use crate::EventKind::{
        AuthorityMade, CertificateDenied, HostEnrolled, HostRelabelled, HostRenamed, HostRetired, TokenMade,
    };
    let wanted = [AuthorityMade, TokenMade, HostEnrolled, HostRenamed, HostRelabelled, CertificateDenied, HostRetired];
    assert_eq!(bench.kinds(), wanted);
    let events = bench.events();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
    assert_eq!((events[3].by.as_str(), events[3].host_name.as_str()), ("token:1a2b3c4d", "db2"));
    assert!(events[2].by.starts_with("token:") && events[2].fields["serial"] == machine.serial());
}
