//! The question of [`muster_common::version_probe`] over UDP. The socket is connected, so that the kernel hands over ICMP's refusals, which a QUIC endpoint never sees. So silence, refusal and a server that
//! speaks other versions are told apart before any handshake.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use muster_common::version_probe::{id_of, question, read_answer};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Packets get lost: the question goes out so often, each time after a longer wait. Some 3 s in all.
const WAITS: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_millis(500), Duration::from_millis(900), Duration::from_millis(1_300)];

/// What became of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probed {
    /// The versions that the server speaks.
    Versions(Vec<u32>),
    /// Something answers that speaks no QUIC.
    Strange,
    /// ICMP, or the kernel itself: the error's words.
    Refused(String),
    Silent,
}

/// Asks one address.
pub(super) async fn probe(peer: SocketAddr) -> Probed {
    match ask(peer).await {
        Ok(probed) => probed,
        Err(error) => Probed::Refused(error.to_string()),
    }
}

async fn ask(peer: SocketAddr) -> io::Result<Probed> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(peer).await?;
    let id = id_of(socket.local_addr()?.port());
    let packet = question(id);
    let mut buffer = vec![0; 2_048];
    for wait in WAITS {
        // What a full queue of the network drops comes again with the next.
        match socket.send(&packet).await {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        if let Ok(received) = timeout(wait, socket.recv(&mut buffer)).await {
            return Ok(read_answer(&buffer[..received?], id).map_or(Probed::Strange, Probed::Versions));
        }
    }
    Ok(Probed::Silent)
}

#[cfg(test)]
mod tests {
    use muster_common::version_probe::{PACKET_BYTES, VERSION_1};

    use super::*;

    fn answer(id: &[u8]) -> Vec<u8> {
        [&[0x80, 0, 0, 0, 0, id.len() as u8], id, &[0], &1_u32.to_be_bytes()].concat()
    }

    #[tokio::test]
    async fn silence_refusal_and_an_answer_are_told_apart() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = socket.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut buffer = [0; 2_000];
            let mut sizes = Vec::new();
            for number in 0..3 {
                let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
                sizes.push(size);
                let id: [u8; 8] = buffer[15..23].try_into().unwrap();
                // The first question is left unanswered.
                if number == 1 {
                    socket.send_to(&answer(&id), from).await.unwrap();
                } else if number == 2 {
                    socket.send_to(b"hello", from).await.unwrap();
                }
            }
            sizes
        });
        assert_eq!(probe(peer).await, Probed::Versions(vec![VERSION_1]));
        assert_eq!(probe(peer).await, Probed::Strange);
        assert_eq!(serving.await.unwrap(), [PACKET_BYTES; 3]);
        assert!(
            matches!(probe(peer).await, Probed::Refused(why) if why.contains("refused")),
            "its socket is closed now"
        );
        let mute = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(probe(mute.local_addr().unwrap()).await, Probed::Silent);
    }
}
