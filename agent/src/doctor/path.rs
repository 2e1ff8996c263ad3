//! The way to the collector: each address is resolved, asked over UDP, connected to with this host's certificate, and tried over TCP.

use std::net::SocketAddr;
use std::time::Duration;

use muster_common::finding::Finding;
use muster_common::identity::Trust;
use muster_common::version_probe::VERSION_1;
use quinn::ClientConfig;
use tokio::time::timeout;

use super::handshake::{Shaken, shake};
use super::scene::Scene;
use super::udp_probe::{Probed, probe};
use crate::uplink::quic::client_config;

/// Two tries of the system's resolver at its usual 5 s.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);
const TCP_WITHIN: Duration = Duration::from_secs(3);
/// Addresses of one name that are tried, as the agent does.
const PEERS_MAX: usize = 8;

/// Whether TCP is let through to the port: where UDP is not, that says whether it is the host or the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tcp {
    Open,
    Refused,
    Silent,
}

/// What became of one configured address.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reached {
    pub(super) address: String,
    /// Why the name gives no address; or its addresses, each with what was found.
    pub(super) peers: Result<Vec<Peer>, String>,
}

/// One address of a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Peer {
    pub(super) peer: SocketAddr,
    pub(super) probed: Probed,
    /// `None`: there is no identity to connect with.
    pub(super) shaken: Option<Shaken>,
    pub(super) tcp: Tcp,
}

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    if scene.addresses().is_empty() {
        let place = scene.config_file.display().to_string();
        let remedy = "enrol this host, or write [collector] addresses = [\"HOST:9471\"]";
        return vec![Finding::problem("no address of a collector is known", place, remedy)];
    }
    scene.reached().iter().flat_map(judge).collect()
}

/// Asks all addresses, beside each other. Blocks.
pub(super) fn reach(scene: &Scene) -> Vec<Reached> {
    let config = scene.enrolled.as_ref().ok().and_then(Option::as_ref).map(|enrolled| {
        let trust = Trust::Roots(enrolled.roots_der());
        client_config(&trust, Some(&enrolled.identity))
    });
    let config = match config {
        Some(Ok(config)) => Some(config),
        // What is wrong with it is the identity's finding.
        Some(Err(_)) | None => None,
    };
    let addresses = scene.addresses();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let failed = |address| Reached { address, peers: Err(format!("no runtime can be started: {error}")) };
            return addresses.into_iter().map(failed).collect();
        }
    };
    runtime.block_on(async {
        let mut reached = Vec::new();
        for address in addresses {
            reached.push(reach_one(address, config.as_ref()).await);
        }
        reached
    })
}

async fn reach_one(address: String, config: Option<&ClientConfig>) -> Reached {
    let looked = match timeout(RESOLVE_WITHIN, tokio::net::lookup_host(address.as_str())).await {
        Ok(found) => found.map(|found| found.take(PEERS_MAX).collect::<Vec<_>>()).map_err(|error| error.to_string()),
        Err(_) => Err("the name server does not answer".to_owned()),
    };
    let found = match looked {
        Ok(found) => found,
        Err(why) => return Reached { address, peers: Err(why) },
    };
    let mut tasks = tokio::task::JoinSet::new();
    for (number, peer) in found.into_iter().enumerate() {
        let config = config.cloned();
        tasks.spawn(async move { (number, reach_peer(peer, config).await) });
    }
    let mut peers = tasks.join_all().await;
    peers.sort_unstable_by_key(|(number, _)| *number);
    Reached { address, peers: Ok(peers.into_iter().map(|(_, peer)| peer).collect()) }
}

async fn reach_peer(peer: SocketAddr, config: Option<ClientConfig>) -> Peer {
    let connecting = async {
        match timeout(TCP_WITHIN, tokio::net::TcpStream::connect(peer)).await {
            Ok(Ok(_)) => Tcp::Open,
            Ok(Err(_)) => Tcp::Refused,
            Err(_) => Tcp::Silent,
        }
    };
    let shaking = async {
        match config {
            Some(config) => Some(shake(peer, config).await),
            None => None,
        }
    };
    let (probed, shaken, tcp) = tokio::join!(probe(peer), shaking, connecting);
    Peer { peer, probed, shaken, tcp }
}

/// What is to be said of an address: one finding for each of its peers that does not do, one for all that do.
fn judge(reached: &Reached) -> Vec<Finding> {
    let address = &reached.address;
    let peers = match &reached.peers {
        Err(why) => {
            let what = format!("the name of {address} does not resolve: {why}");
            let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
            let remedy = format!("getent hosts {host}   # correct the name, or the name server in /etc/resolv.conf");
            return vec![Finding::problem(what, address.clone(), remedy)];
        }
        Ok(peers) if peers.is_empty() => {
            let what = format!("the name of {address} has no address");
            return vec![Finding::problem(what, address.clone(), "correct [collector] addresses, or the name's zone")];
        }
        Ok(peers) => peers,
    };
    let is_any_up = peers.iter().any(|peer| judge_peer(address, peer).is_none());
    let mut findings: Vec<Finding> = peers.iter().filter_map(|peer| judge_peer(address, peer)).collect();
    if is_any_up {
        // The agent takes whichever answers.
        findings.iter_mut().for_each(|finding| finding.level = muster_common::finding::Level::Warning);
        let proof = if peers.iter().any(|peer| peer.shaken.is_some()) {
            "the collector takes this host's certificate"
        } else {
            "a QUIC server answers; without an identity no more can be tried"
        };
        findings.push(Finding::ok(format!("{address}: {proof}"), address.clone()));
    }
    findings
}

fn judge_peer(address: &str, peer: &Peer) -> Option<Finding> {
    let place =
        if peer.peer.to_string() == address { address.to_owned() } else { format!("{address} ({})", peer.peer) };
    let problem = |what: String, remedy: String| Some(Finding::problem(what, place.clone(), remedy));
    let port = peer.peer.port();
    match (&peer.shaken, &peer.probed) {
        (Some(Shaken::Up { .. }), _) => None,
        (None, Probed::Versions(versions)) if versions.contains(&VERSION_1) => None,
        (Some(Shaken::WrongServer(why)), _) => problem(
            format!("a server answers whose certificate is not of the CA that this host knows: {why}"),
            "correct the address; if this is the collector and it was set up anew, enrol again: muster-agent enrol --replace".to_owned(),
        ),
        (Some(Shaken::CertificateRefused(why)), _) => problem(
            format!("the collector does not take this host's certificate: {why}"),
            "muster hosts list   # at the collector; a host that is retired or unknown there enrols again with --replace".to_owned(),
        ),
        (Some(Shaken::Version(why)), _) => problem(format!("no common version: {why}"), "upgrade the older end".to_owned()),
        (_, Probed::Versions(versions)) if !versions.contains(&VERSION_1) => problem(
            format!("the server speaks no QUIC version 1, but {versions:x?}"),
            "check that the port is the collector's for agents (9471)".to_owned(),
        ),
        (_, Probed::Refused(why)) => problem(
            format!("UDP to port {port} is refused: {why}; nothing listens there, or a firewall rejects it"),
            format!("ss -lun | grep {port}   # at the collector: start it, or correct the address; else allow UDP in the firewall"),
        ),
        (_, Probed::Silent) => problem(silence(peer.tcp, port), firewall(port)),
        (_, Probed::Strange) => problem(
            format!("what answers on UDP port {port} speaks no QUIC"),
            "correct the port: agents use 9471".to_owned(),
        ),
        (Some(Shaken::Silent), Probed::Versions(_)) => problem(
            "small packets pass and the handshake does not: packets of 1,200 bytes and more get lost on the way".to_owned(),
            "let ICMP `fragmentation needed` and `packet too big` pass, or raise the tunnel's MTU to 1280 at least".to_owned(),
        ),
        (Some(Shaken::Closed(why) | Shaken::Local(why)), Probed::Versions(_)) => problem(
            format!("the connection does not come about: {why}"),
            "journalctl -u muster-collector   # at the collector: it says why".to_owned(),
        ),
        // The guard above leaves none of these.
        (None, Probed::Versions(_)) => None,
    }
}

fn silence(tcp: Tcp, port: u16) -> String {
    let beside = match tcp {
        Tcp::Open | Tcp::Refused => "; TCP to the same port is answered, so the host is there and only UDP is dropped",
        Tcp::Silent => "; TCP is not answered either: the host is away, or all of it is dropped",
    };
    format!("UDP to port {port} is dropped: no answer and no refusal{beside}")
}

fn firewall(port: u16) -> String {
    format!(
        "allow UDP to port {port} in the firewalls of this host, of the collector and between them, such as\n\
         nft add rule inet filter input udp dport {port} accept   # at the collector"
    )
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::*;

    fn peer(probed: Probed, shaken: Option<Shaken>, tcp: Tcp) -> Peer {
        Peer { peer: "192.0.2.1:9471".parse().unwrap(), probed, shaken, tcp }
    }

    fn told(peers: Vec<Peer>) -> Vec<Finding> {
        judge(&Reached { address: "collector.example:9471".to_owned(), peers: Ok(peers) })
    }

    #[test]
    fn each_way_to_fail_has_its_own_words() {
        let good = || Probed::Versions(vec![VERSION_1]);
        let why = || "w".to_owned();
        for (probed, shaken, tcp, what, remedy) in [
            (Probed::Silent, Some(Shaken::Silent), Tcp::Refused, "UDP to port 9471 is dropped", "nft add rule"),
            (Probed::Silent, Some(Shaken::Silent), Tcp::Silent, "the host is away", "firewalls"),
            (Probed::Refused(why()), Some(Shaken::Silent), Tcp::Refused, "UDP to port 9471 is refused: w", "ss -lun"),
            (good(), Some(Shaken::WrongServer(why())), Tcp::Open, "not of the CA that this host knows", "--replace"),
            (
                good(),
                Some(Shaken::CertificateRefused(why())),
                Tcp::Open,
                "does not take this host's",
                "muster hosts list",
            ),
            (good(), Some(Shaken::Version(why())), Tcp::Open, "no common version", "upgrade"),
            (Probed::Versions(vec![2]), Some(Shaken::Silent), Tcp::Open, "no QUIC version 1", "9471"),
            (Probed::Versions(vec![2]), None, Tcp::Open, "no QUIC version 1", "9471"),
            (Probed::Strange, None, Tcp::Open, "speaks no QUIC", "9471"),
            (good(), Some(Shaken::Silent), Tcp::Open, "the handshake does not", "MTU"),
            (good(), Some(Shaken::Closed(why())), Tcp::Open, "does not come about: w", "journalctl"),
        ] {
            let found = told(vec![peer(probed, shaken, tcp)]);
            assert_eq!((found.len(), found[0].level), (1, Level::Problem), "{found:?}");
            assert!(found[0].what.contains(what) && found[0].remedy.contains(remedy), "{found:?}");
            assert_eq!(found[0].place, "collector.example:9471 (192.0.2.1:9471)");
        }
    }

    #[test]
    fn one_peer_that_does_is_enough_and_the_others_are_warnings() {
        let up = || peer(Probed::Silent, Some(Shaken::Up { offset_seconds: None }), Tcp::Silent);
        let found = told(vec![up()]);
        assert!(
            found.len() == 1 && found[0].level == Level::Ok && found[0].what.contains("takes this host's"),
            "{found:?}"
        );
        let found = told(vec![peer(Probed::Silent, Some(Shaken::Silent), Tcp::Silent), up()]);
        assert_eq!(found.iter().map(|finding| finding.level).collect::<Vec<_>>(), [Level::Warning, Level::Ok]);
        let found = told(vec![peer(Probed::Versions(vec![1]), None, Tcp::Open)]);
        assert!(found[0].level == Level::Ok && found[0].what.contains("without an identity"), "{found:?}");
    }

    #[test]
    fn a_name_that_gives_no_address_is_told() {
        let lost = |peers| judge(&Reached { address: "nowhere.example:9471".to_owned(), peers });
        assert!(lost(Err("no such name".to_owned()))[0].remedy.starts_with("getent hosts nowhere.example "));
        assert!(lost(Ok(Vec::new()))[0].what.contains("has no address"));
    }
}
