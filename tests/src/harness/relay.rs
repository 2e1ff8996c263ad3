//! A way of datagrams that can be cut: an agent that knows the collector by its address here.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use parking_lot::Mutex;

/// How soon its threads hear that it ends.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Shared {
    is_cut: AtomicBool,
    is_over: AtomicBool,
    lost: AtomicU64,
    /// Who sent last: one sender has it at a time.
    sender: Mutex<Option<SocketAddr>>,
}

/// A running one. Dropping it ends it.
pub struct Relay {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Passes datagrams on to this address, and its answers back.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let socket = |target: Option<SocketAddr>| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(LOOK))?;
            target.map(|target| socket.connect(target)).transpose()?;
            anyhow::Ok(Arc::new(socket))
        };
        let (near, far) = (socket(None)?, socket(Some(target))?);
        let address = near.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (there, back) =
            ((Arc::clone(&near), Arc::clone(&far), Arc::clone(&shared)), (near, far, Arc::clone(&shared)));
        let threads = vec![
            std::thread::spawn(move || {
                pass(&there.0, &there.2, |bytes, from| {
                    *there.2.sender.lock() = Some(from);
                    // What cannot be sent is lost, as it may be on any way.
                    let _ = there.1.send(bytes);
                });
            }),
            std::thread::spawn(move || {
                pass(&back.1, &back.2, |bytes, _| {
                    let sender = *back.2.sender.lock();
                    if let Some(sender) = sender {
                        let _ = back.0.send_to(bytes, sender);
                    }
                });
            }),
        ];
        Ok(Self { address, shared, threads })
    }

    /// From now on nothing comes through, in either direction.
    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }

    /// Datagrams that were lost by cuts.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn pass(from: &UdpSocket, shared: &Shared, mut hand_on: impl FnMut(&[u8], SocketAddr)) {
    let mut buffer = vec![0; 1 << 16];
    while !shared.is_over.load(Ordering::SeqCst) {
        match from.recv_from(&mut buffer) {
            Ok(_) if shared.is_cut.load(Ordering::SeqCst) => {
                shared.lost.fetch_add(1, Ordering::SeqCst);
            }
            Ok((bytes, sender)) => hand_on(&buffer[..bytes], sender),
            // Nothing came, or nobody listens at the other end just now.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}
