use std::io::Cursor;
use std::sync::Arc;

use muster_common::identity::{Identity, SERVER_NAME, Trust, tls};
use muster_common::wire::message::RefusalCode;
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::testing::{Bench, Machine, OPERATOR, at, day};
use crate::{Binding, Rotation, TokenSpec};

/// A new key for a machine, as at renewal.
fn new_key(machine: &Machine) -> Machine {
    let fresh = Machine::new(&machine.name);
    Machine { facts: machine.facts.clone(), ..fresh }
}

/// Renews `machine`, whose next key and request are `next`.
fn renew(bench: &Bench, machine: &Machine, next: &Machine, now: Timestamp) -> Result<Vec<Vec<u8>>, Refused> {
    match bench.fleet.renew(machine.leaf(), &next.csr, now).unwrap() {
        RenewOutcome::Issued(renewed) => Ok(renewed.chain_der),
        RenewOutcome::Refused(refused) => Err(refused),
    }
}

/// The same host with what it got.
fn renewed(machine: &Machine, next: Machine, chain_der: Vec<Vec<u8>>) -> Machine {
    let mut enrolled = machine.enrolled.clone().unwrap();
    enrolled.chain_der = chain_der;
    Machine { enrolled: Some(enrolled), ..next }
}

/// A TLS handshake in memory at this time: what the server sees of the client, or which end failed.
fn handshake(
    server: &Identity,
    roots: &[Vec<u8>],
    trust: &Trust,
    client: Option<&Identity>,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let clock: tls::Clock = Arc::new(move || now);
    let server = tls::server_config(server, roots, Arc::clone(&clock)).unwrap();
    let client = tls::client_config(trust, client, clock).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), SERVER_NAME.try_into().unwrap()).unwrap();
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = Cursor::new(wire);
        while server.read_tls(&mut wire).unwrap() > 0 {}
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = Cursor::new(wire);
        while client.read_tls(&mut wire).unwrap() > 0 {}
        client.process_new_packets()?;
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok(server.peer_certificates().map(|chain| chain[0].to_vec()))
}

#[test]
fn both_ends_know_each_other_by_what_was_issued() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let server: Identity = bench.fleet.server_identity(at(0)).unwrap().into();
    let roots = bench.fleet.ca_der();
    let pinned = handshake(&server, &roots, &Trust::Pin(bench.fleet.pin()), None, at(1));
    assert_eq!(pinned, Ok(None), "an enrolling agent knows the collector by the pin in its token");
    let stored = Trust::Roots(machine.enrolled.as_ref().unwrap().chain_der[1..].to_vec());
    let seen = handshake(&server, &roots, &stored, Some(&machine.identity()), at(1)).unwrap().unwrap();
    assert_eq!(seen, machine.leaf());
    assert_eq!(bench.fleet.authenticate(&seen, at(1)).unwrap().host, machine.id());
}

#[test]
fn certificates_of_another_collector_are_refused_on_both_ends() {
    let (bench, other) = (Bench::new(), Bench::new());
    let (machine, stranger) = (bench.host("db1"), other.host("db1"));
    let server: Identity = bench.fleet.server_identity(at(0)).unwrap().into();
    let roots = bench.fleet.ca_der();
    let ours = Trust::Roots(roots.clone());
    assert!(handshake(&server, &roots, &Trust::Pin(other.fleet.pin()), None, at(1)).is_err());
    assert!(handshake(&server, &roots, &Trust::Roots(other.fleet.ca_der()), None, at(1)).is_err());
    assert!(handshake(&server, &roots, &ours, Some(&stranger.identity()), at(1)).is_err());
    let refused = bench.fleet.authenticate(stranger.leaf(), at(1)).unwrap_err();
    assert!(refused.message.contains("none that this collector issued"), "{}", refused.message);
    // A host's certificate opens no server, and the collector's opens no session.
    assert!(handshake(&machine.identity(), &roots, &ours, None, at(1)).is_err());
    assert!(handshake(&server, &roots, &ours, Some(&server), at(1)).is_err());
    for wrong in [&server.chain_der[0], &server.chain_der[1]] {
        assert_eq!(bench.fleet.authenticate(wrong, at(1)).unwrap_err().code, RefusalCode::Certificate);
    }
}

#[test]
fn a_leaf_has_the_host_id_as_its_only_name_and_30_days() {
    let bench = Bench::new();
    let machine = bench.host("gateway");
    let facts = certificate::read(machine.leaf()).unwrap();
    assert_eq!((facts.host, facts.for_clients, facts.is_ca), (Some(machine.id()), true, false));
    assert_eq!(facts.not_after, day(30));
    assert!(facts.not_before < at(0));
    // Of 16 random bytes, without their leading zeros: four of them are seen once in four thousand million runs.
    assert!((13..=16).contains(&facts.serial.as_bytes().len()), "{}", facts.serial);
    // A name with letters beyond f: the host's id is in the leaf in hexadecimal, and holds short names like db1 by chance.
    assert!(!String::from_utf8_lossy(machine.leaf()).contains("gateway"), "a name that changes is not in it");
    let (_, parsed) = x509_parser::parse_x509_certificate(machine.leaf()).unwrap();
    assert_eq!(parsed.subject().iter().count(), 0);
    let server = bench.fleet.server_identity(at(0)).unwrap();
    assert_eq!((server.renew_at, server.expires), (day(20), day(30)));
}

#[test]
fn a_changed_bit_of_a_leaf_is_refused() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let leaf = machine.leaf();
    for position in (0..leaf.len()).step_by(3) {
        let mut bad = leaf.to_vec();
        bad[position] ^= 1;
        let judged = bench.fleet.authenticate(&bad, at(1));
        // Only the frame around what is signed may be odd.
        assert!(judged.is_err() || judged.unwrap().host == machine.id(), "byte {position}");
        assert!(bench.fleet.authenticate(&leaf[..position], at(1)).is_err());
    }
}

#[test]
fn renewal_asks_for_a_new_key_while_valid_and_for_the_same_one_afterwards() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let stranger = bench.host("web-1");
    let next = new_key(&machine);
    for (request, days, refused) in [
        (&machine, 20, Some("asked for renewal with the key that it has")),
        (&next, 31, Some("is expired, so it can be renewed with its own key only")),
        (&next, 121, Some("expired 91d ago")),
        (&machine, 121, Some("expired 91d ago")),
        (&stranger, 20, Some("is already that of `web-1`")),
        (&machine, 119, None),
    ] {
        match (renew(&bench, &machine, request, day(days)), refused) {
            (Ok(_), None) => {}
            (Err(refusal), Some(message)) => assert!(refusal.message.contains(message), "{}", refusal.message),
            (outcome, expected) => panic!("day {days}: {outcome:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_renewed_host_stays_who_it_is_and_its_older_certificate_works_until_it_ends() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let next = new_key(&machine);
    let chain_der = renew(&bench, &machine, &next, day(20)).unwrap();
    let after = renewed(&machine, next, chain_der);
    assert_eq!(bench.fleet.authenticate(after.leaf(), day(49)).map(|admitted| admitted.host), Ok(machine.id()));
    assert_eq!(certificate::read(after.leaf()).unwrap().not_after, day(50));
    assert!(bench.fleet.authenticate(machine.leaf(), day(29)).is_ok(), "the answer may have been lost");
    assert!(bench.fleet.authenticate(machine.leaf(), day(31)).unwrap().expired);
    let server: Identity = bench.fleet.server_identity(day(20)).unwrap().into();
    let roots = bench.fleet.ca_der();
    assert!(handshake(&server, &roots, &Trust::Roots(roots.clone()), Some(&after.identity()), day(49)).is_ok());
}

#[test]
fn a_lost_renewal_is_repeated_with_the_same_certificate() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let next = new_key(&machine);
    let first = renew(&bench, &machine, &next, day(20)).unwrap();
    let bench = bench.reopen();
    assert_eq!(renew(&bench, &machine, &next, day(21)), Ok(first));
    assert_eq!(bench.fleet.counts.lock().commits, 0);
}

#[test]
fn renewal_is_refused_where_enrolment_would_be() {
    let bench = Bench::new();
    let (machine, gone) = (bench.host("db1"), bench.host("db2"));
    let next = new_key(&machine);
    let mut unsigned = new_key(&machine);
    let last = unsigned.csr.len() - 1;
    unsigned.csr[last] ^= 1;
    assert_eq!(renew(&bench, &machine, &unsigned, day(20)).unwrap_err().code, RefusalCode::Protocol);
    bench.fleet.deny(&machine.serial(), "stolen", OPERATOR, at(5)).unwrap();
    assert!(renew(&bench, &machine, &next, day(20)).unwrap_err().message.contains("denied: stolen"));
    bench.fleet.retire(gone.id(), "sold", OPERATOR, at(6)).unwrap();
    assert!(renew(&bench, &gone, &next, day(20)).unwrap_err().message.contains("is retired: sold"));
    let other = Bench::new();
    let stranger = other.host("db1");
    assert!(renew(&bench, &stranger, &next, day(20)).unwrap_err().message.contains("none that this collector issued"));
}

#[test]
fn a_host_that_renews_without_end_loses_its_oldest_certificates() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    for _ in 0..CERTIFICATES_MAX {
        renew(&bench, &machine, &new_key(&machine), day(1)).unwrap();
    }
    let refused = bench.fleet.authenticate(machine.leaf(), day(1)).unwrap_err();
    assert!(refused.message.contains("the host has 16 newer ones"), "{}", refused.message);
    bench.fleet.retire(machine.id(), "sold", OPERATOR, day(2)).unwrap();
    assert_eq!(bench.fleet.denied().len(), CERTIFICATES_MAX + 1);
}

#[test]
fn the_ca_is_rotated_by_overlap_and_no_host_is_lost() {
    let bench = Bench::new();
    let (old_pin, machine) = (bench.fleet.pin(), bench.host("db1"));
    assert_eq!(bench.fleet.rotate_ca(OPERATOR, day(1)).unwrap(), Rotation::Prepared { hosts_to_renew: 1 });
    assert_eq!((bench.fleet.ca_der().len(), bench.fleet.pin()), (2, old_pin));
    let error = bench.fleet.rotate_ca(OPERATOR, day(2)).unwrap_err().to_string();
    assert!(error.contains("1 hosts have not renewed since it was made (db1)"), "{error}");
    let next = new_key(&machine);
    let chain_der = renew(&bench, &machine, &next, day(20)).unwrap();
    assert_eq!(chain_der.len(), 3, "the chain brings the next CA");
    let machine = renewed(&machine, next, chain_der);
    let Rotation::Done { pin, .. } = bench.fleet.rotate_ca(OPERATOR, day(21)).unwrap() else { panic!("not done") };
    let bench = bench.reopen();
    assert!(pin != old_pin && bench.fleet.pin() == pin);
    // The host's certificate is of the old CA, the collector's of the new one: both ends know both.
    let server: Identity = bench.fleet.server_identity(day(22)).unwrap().into();
    let stored = Trust::Roots(machine.enrolled.as_ref().unwrap().chain_der[1..].to_vec());
    assert!(handshake(&server, &bench.fleet.ca_der(), &stored, Some(&machine.identity()), day(22)).is_ok());
    let error = bench.fleet.rotate_ca(OPERATOR, day(23)).unwrap_err().to_string();
    assert!(error.contains("still trusted"), "{error}");
    bench.fleet.maintain(day(140)).unwrap();
    assert_eq!(bench.fleet.ca_der().len(), 2);
    bench.fleet.maintain(day(142)).unwrap();
    assert_eq!(bench.fleet.ca_der().len(), 1);
    let token = bench.token(TokenSpec { binding: Binding::Name("db3".into()), ..TokenSpec::default() });
    let mut fresh = Machine::new("db3");
    fresh.enrol(&bench.fleet, &token, at(1)).unwrap();
    assert_eq!(bench.fleet.authenticate(fresh.leaf(), at(2)).unwrap().name, "db3");
}
