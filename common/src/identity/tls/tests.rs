//! Real handshakes, through buffers instead of sockets, for each right and wrong combination.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{ClientConnection, Connection, Error, ServerConnection};
use rustls_pki_types::ServerName;

use super::super::{CertificateError, SERVER_NAME, certificate, explain};
use super::*;
use crate::host::HostId;

const HOST: HostId = HostId([0x01, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x73, 4, 0x85, 6, 7, 8, 9, 10, 11, 12]);
/// 2026-11-22 12:00 UTC.
const NOW_MS: i64 = 1_795_348_800_000;
const DAY_MS: i64 = 86_400_000;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn at(now_ms: i64) -> Clock {
    Arc::new(move || Timestamp::from_millis(now_ms))
}

fn new_ca(name: &str) -> Ca {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A leaf from 2026-11-01 to 2026-12-01.
fn leaf(ca: &Ca, name: SanType, usages: &[ExtendedKeyUsagePurpose]) -> Identity {
    let key_der = certificate::new_key().unwrap();
    let key = KeyPair::try_from(key_der.as_slice()).unwrap();
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2026, 11, 1);
    params.not_after = date_time_ymd(2026, 12, 1);
    params.subject_alt_names = vec![name];
    params.extended_key_usages = usages.to_vec();
    params.serial_number = Some(vec![0, 0x12, 0x34].into());
    let certificate = params.signed_by(&key, ca).unwrap();
    Identity { chain_der: vec![certificate.der().to_vec(), ca.der().to_vec()], key_der }
}

fn collector(ca: &Ca) -> Identity {
    leaf(ca, SanType::DnsName(SERVER_NAME.try_into().unwrap()), &[ExtendedKeyUsagePurpose::ServerAuth])
}

fn agent(ca: &Ca) -> Identity {
    leaf(ca, host_name(), &[ExtendedKeyUsagePurpose::ClientAuth])
}

fn host_name() -> SanType {
    SanType::URI(certificate::host_uri(HOST).try_into().unwrap())
}

fn pin(ca: &Ca) -> Trust {
    Trust::Pin(Pin::of_certificate(ca.der()).unwrap())
}

fn roots(ca: &Ca) -> Trust {
    Trust::Roots(vec![ca.der().to_vec()])
}

/// Both ends of one handshake; times in ms.
struct Ends<'a> {
    collector: &'a Identity,
    collector_roots: &'a Ca,
    collector_ms: i64,
    trust: Trust,
    agent: Option<&'a Identity>,
    agent_ms: i64,
}

#[derive(Debug)]
struct Done {
    agent: ClientConnection,
    collector: ServerConnection,
}

/// What went wrong at each end; the other end's is what the alert told it.
#[derive(Debug)]
struct Failed {
    agent: Option<Error>,
    collector: Option<Error>,
}

impl<'a> Ends<'a> {
    fn new(ca: &'a Ca, collector: &'a Identity, trust: Trust, agent: Option<&'a Identity>) -> Self {
        Self { collector, collector_roots: ca, collector_ms: NOW_MS, trust, agent, agent_ms: NOW_MS }
    }

    fn shake(&self) -> Result<Done, Box<Failed>> {
        let roots = [self.collector_roots.der().to_vec()];
        let server = server_config(self.collector, &roots, at(self.collector_ms)).unwrap();
        let client = client_config(&self.trust, self.agent, at(self.agent_ms)).unwrap();
        shake(client, server)
    }

    fn refused_by_agent(&self) -> String {
        let failed = self.shake().unwrap_err();
        assert!(matches!(failed.collector, Some(Error::AlertReceived(_))), "the collector is told: {failed:?}");
        explain(&failed.agent.unwrap())
    }

    fn refused_by_collector(&self) -> String {
        let failed = self.shake().unwrap_err();
        assert!(matches!(failed.agent, Some(Error::AlertReceived(_))), "the agent is told: {failed:?}");
        explain(&failed.collector.unwrap())
    }
}

fn shake(client: ClientConfig, server: ServerConfig) -> Result<Done, Box<Failed>> {
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let mut agent = Connection::from(ClientConnection::new(Arc::new(client), name).unwrap());
    let mut collector = Connection::from(ServerConnection::new(Arc::new(server)).unwrap());
    let mut failed = Box::new(Failed { agent: None, collector: None });
    // Three flights, and one more for an alert in either direction.
    for _ in 0..8 {
        carry(&mut agent, &mut collector, &mut failed.collector);
        carry(&mut collector, &mut agent, &mut failed.agent);
    }
    if failed.agent.is_some() || failed.collector.is_some() {
        return Err(failed);
    }
    match (agent, collector) {
        (Connection::Client(agent), Connection::Server(collector)) => Ok(Done { agent, collector }),
        other => panic!("{other:?}"),
    }
}

fn carry(from: &mut Connection, to: &mut Connection, failed: &mut Option<Error>) {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && failed.is_none() {
        to.read_tls(&mut rest).unwrap();
        *failed = to.process_new_packets().err();
    }
}

#[test]
fn an_enrolled_agent_and_its_collector_know_each_other() {
    let ca = new_ca("Muster CA");
    let (collector, agent) = (collector(&ca), agent(&ca));
    let done = Ends::new(&ca, &collector, roots(&ca), Some(&agent)).shake().unwrap();
    assert!(!done.agent.is_handshaking() && !done.collector.is_handshaking());
    assert_eq!(done.agent.alpn_protocol(), Some(ALPN));
    assert_eq!(done.collector.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let seen = done.collector.peer_certificates().unwrap();
    let facts = certificate::read(&seen[0]).unwrap();
    assert_eq!(facts.host, Some(HOST));
    assert_eq!((facts.serial.to_string().as_str(), facts.is_ca, facts.for_clients), ("1234", false, true));
    assert_eq!((facts.not_before.millis() / DAY_MS, facts.not_after.millis() / DAY_MS), (20_758, 20_788));
    assert!(certificate::read(ca.der()).unwrap().is_ca);
}

#[test]
fn an_enrolling_agent_has_no_certificate_and_knows_the_collector_by_its_pin() {
    let ca = new_ca("Muster CA");
    let done = Ends::new(&ca, &collector(&ca), pin(&ca), None).shake().unwrap();
    assert!(done.collector.peer_certificates().is_none());
}

#[test]
fn a_wrong_pin_is_refused_and_so_is_the_right_ca_shown_beside_a_foreign_leaf() {
    let (ca, other) = (new_ca("Muster CA"), new_ca("Muster CA"));
    let text = Ends::new(&ca, &collector(&ca), pin(&other), None).refused_by_agent();
    assert!(text.contains("not the one that the token is for") && text.contains("muster token new"), "{text}");

    let mut imposter = collector(&other);
    imposter.chain_der[1] = ca.der().to_vec();
    let text = Ends::new(&ca, &imposter, pin(&ca), None).refused_by_agent();
    assert!(text.contains("another CA"), "{text}");
    // A pin of the leaf's own key names no CA, wherever in the chain that leaf stands.
    let mut twice = collector(&ca);
    twice.chain_der.push(twice.chain_der[0].clone());
    let own = Trust::Pin(Pin::of_certificate(&twice.chain_der[0]).unwrap());
    let text = Ends::new(&ca, &twice, own, None).refused_by_agent();
    assert!(text.contains("not the one that the token is for"), "{text}");
    let mut bare = collector(&ca);
    bare.chain_der.truncate(1);
    let text = Ends::new(&ca, &bare, pin(&ca), None).refused_by_agent();
    assert!(text.contains("not the one that the token is for"), "a chain without its CA: {text}");
}

#[test]
fn an_agent_certificate_does_not_make_a_collector() {
    let ca = new_ca("Muster CA");
    let named_only =
        leaf(&ca, SanType::DnsName(SERVER_NAME.try_into().unwrap()), &[ExtendedKeyUsagePurpose::ClientAuth]);
    for trust in [pin(&ca), roots(&ca)] {
        let text = Ends::new(&ca, &agent(&ca), trust.clone(), None).refused_by_agent();
        assert!(text.contains("not one that Muster issues") || text.contains("not for this use"), "{text}");
        let text = Ends::new(&ca, &named_only, trust, None).refused_by_agent();
        assert!(text.contains("not for this use"), "{text}");
    }
}

#[test]
fn a_collector_of_another_ca_is_refused() {
    let (ca, other) = (new_ca("Muster CA"), new_ca("Other CA"));
    let text = Ends::new(&other, &collector(&other), roots(&ca), None).refused_by_agent();
    assert!(text.contains("another CA"), "{text}");
    let both = Trust::Roots(vec![ca.der().to_vec(), other.der().to_vec()]);
    Ends::new(&other, &collector(&other), both, None).shake().expect("rotation: old and new CA are both stored");
}

#[test]
fn an_agent_of_another_ca_or_with_a_certificate_not_for_clients_is_refused() {
    let (ca, other) = (new_ca("Muster CA"), new_ca("Other CA"));
    let collector = collector(&ca);
    let text = Ends::new(&ca, &collector, roots(&ca), Some(&agent(&other))).refused_by_collector();
    assert!(text.contains("another CA"), "{text}");
    for usages in [&[][..], &[ExtendedKeyUsagePurpose::ServerAuth]] {
        let wrong = leaf(&ca, host_name(), usages);
        let text = Ends::new(&ca, &collector, roots(&ca), Some(&wrong)).refused_by_collector();
        assert!(text.contains("not for this use"), "{text}");
    }
}

#[test]
fn a_collector_whose_time_is_not_now_is_refused_with_a_word_about_clocks() {
    let ca = new_ca("Muster CA");
    let collector = collector(&ca);
    for trust in [pin(&ca), roots(&ca)] {
        for days in [-60, 60] {
            let mut ends = Ends::new(&ca, &collector, trust.clone(), None);
            ends.agent_ms += days * DAY_MS;
            let text = ends.refused_by_agent();
            assert!(text.contains("not yet valid or expired: check this host's clock"), "{text}");
        }
    }
}

#[test]
fn an_expired_agent_is_let_in_for_90_days_and_an_early_one_never() {
    let ca = new_ca("Muster CA");
    let (collector, agent) = (collector(&ca), agent(&ca));
    // Ends on 2026-12-01 00:00, which is 8.5 days from now.
    for (days, passes) in
        [(0, true), (9, true), (98, true), (99, false), (1000, false), (-21, true), (-22, false), (-9000, false)]
    {
        let mut ends = Ends::new(&ca, &collector, roots(&ca), Some(&agent));
        ends.collector_ms += days * DAY_MS;
        if passes {
            let done = ends.shake().unwrap_or_else(|failed| panic!("{days} days: {failed:?}"));
            assert!(done.collector.peer_certificates().is_some());
        } else {
            let text = ends.refused_by_collector();
            assert!(text.contains("not yet valid or expired: check this host's clock"), "{days} days: {text}");
        }
    }
    // Expiry is forgiven, nothing else.
    let other = new_ca("Other CA");
    let stranger = self::agent(&other);
    let mut ends = Ends::new(&ca, &collector, roots(&ca), Some(&stranger));
    ends.collector_ms += 20 * DAY_MS;
    assert!(ends.refused_by_collector().contains("another CA"));
}

#[test]
fn the_other_end_learns_the_remedy_from_the_alert() {
    let ca = new_ca("Muster CA");
    let (collector, agent) = (collector(&ca), agent(&ca));
    let mut ends = Ends::new(&ca, &collector, roots(&ca), Some(&agent));
    ends.collector_ms += 1000 * DAY_MS;
    let text = explain(&ends.shake().unwrap_err().agent.unwrap());
    assert!(text.starts_with("the other end refused") && text.contains("check this host's clock"), "{text}");
}

#[test]
fn a_peer_that_speaks_something_else_is_refused() {
    let ca = new_ca("Muster CA");
    let mut client = client_config(&roots(&ca), None, at(NOW_MS)).unwrap();
    client.alpn_protocols = vec![b"h3".to_vec()];
    let server = server_config(&collector(&ca), &[ca.der().to_vec()], at(NOW_MS)).unwrap();
    let failed = shake(client, server).unwrap_err();
    let text = explain(&failed.agent.unwrap());
    assert!(text.contains("does not speak muster/1"), "{text}");
}

#[test]
fn no_session_is_resumed() {
    let ca = new_ca("Muster CA");
    let (collector, agent) = (collector(&ca), agent(&ca));
    let server = server_config(&collector, &[ca.der().to_vec()], at(NOW_MS)).unwrap();
    let client = client_config(&roots(&ca), Some(&agent), at(NOW_MS)).unwrap();
    assert_eq!((server.send_tls13_tickets, server.max_early_data_size, client.enable_early_data), (0, 0, false));
    for _ in 0..2 {
        let done = shake(client.clone(), server.clone()).unwrap();
        assert_eq!(done.agent.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[test]
fn keys_requests_and_roots_that_cannot_be_used_are_named() {
    let ca = new_ca("Muster CA");
    let mut broken = collector(&ca);
    broken.key_der = certificate::new_key().unwrap();
    let roots = [ca.der().to_vec()];
    assert!(
        matches!(server_config(&broken, &roots, at(0)), Err(TlsError::Identity { .. })),
        "key of another certificate"
    );
    assert!(matches!(server_config(&collector(&ca), &[], at(0)), Err(TlsError::NoRoots)));
    assert!(matches!(client_config(&Trust::Roots(Vec::new()), None, at(0)), Err(TlsError::NoRoots)));
    let damaged = Trust::Roots(vec![ca.der().to_vec(), vec![1, 2, 3]]);
    assert!(matches!(client_config(&damaged, None, at(0)), Err(TlsError::Root { index: 1, .. })));
    let broken = Identity { chain_der: vec![vec![0]], key_der: vec![0] };
    assert!(matches!(client_config(&pin(&ca), Some(&broken), at(0)), Err(TlsError::Identity { .. })));
    assert!(matches!(certificate::new_request(&[1, 2, 3]), Err(CertificateError::StoredKey { .. })));
    assert!(!format!("{:?}", collector(&ca)).contains("key_der"));
}

#[test]
fn a_request_is_for_the_key_it_was_made_with_and_asks_for_no_name() {
    let key_der = certificate::new_key().unwrap();
    let request = certificate::new_request(&key_der).unwrap();
    let params = rcgen::CertificateSigningRequestParams::from_der(&request.as_slice().into()).unwrap();
    assert!(params.params.subject_alt_names.is_empty());
    let key = KeyPair::try_from(key_der.as_slice()).unwrap();
    assert_eq!(rcgen::PublicKeyData::der_bytes(&params.public_key), rcgen::PublicKeyData::der_bytes(&key));
    let again = certificate::new_request(&key_der).unwrap();
    assert!(
        rcgen::CertificateSigningRequestParams::from_der(&again.as_slice().into()).is_ok(),
        "the same key once more"
    );
}

#[test]
fn certificates_with_other_names_or_bytes_name_no_host() {
    let ca = new_ca("Muster CA");
    let wrong_uri = SanType::URI("muster:host/nobody".try_into().unwrap());
    for name in [wrong_uri, SanType::DnsName("db1".try_into().unwrap())] {
        let identity = leaf(&ca, name, &[ExtendedKeyUsagePurpose::ClientAuth]);
        assert_eq!(certificate::read(&identity.chain_der[0]).unwrap().host, None);
    }
    let good = agent(&ca).chain_der[0].clone();
    for cut in 0..good.len() {
        assert!(certificate::read(&good[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 0x15;
        // Damaged or another certificate, whose signature TLS would refuse; never a panic.
        let _ = certificate::read(&flipped);
        let _ = Pin::of_certificate(&flipped);
    }
    assert!(certificate::read(&[good, vec![0]].concat()).is_err());
}
