//! Who uses the site all the while, each request counted, and who looks at the servers themselves.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};
use parking_lot::Mutex;

use super::LIMIT;
use crate::harness::agent::until;
use crate::harness::http::Connection;

/// Clients that keep a connection for many requests, and clients that open one for each.
const KEEP: usize = 3;
const OPEN: usize = 3;
/// Requests of a kept connection.
const OF_ONE: usize = 200;
/// Between two requests of a client: the machine has work of its own.
const PAUSE: Duration = Duration::from_millis(2);

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answers over kept and over fresh connections.
    pub kept: u64,
    pub fresh: u64,
    pub failed: u64,
    /// How the first few failed.
    pub problems: Vec<String>,
    /// Answers by the release that gave them.
    pub releases: BTreeMap<String, u64>,
}

impl Seen {
    fn note(&mut self, is_kept: bool, answered: Result<String>) {
        match answered {
            Ok(release) => {
                *(if is_kept { &mut self.kept } else { &mut self.fresh }) += 1;
                *self.releases.entry(release).or_default() += 1;
            }
            Err(error) => {
                self.failed += 1;
                if self.problems.len() < 10 {
                    self.problems.push(format!("{error:#}"));
                }
            }
        }
    }
}

/// What is looked at of the servers themselves.
#[derive(Default)]
struct Looks {
    refused: [AtomicU64; 2],
    none_there: AtomicU64,
}

/// Runs until it is ended.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    looks: Arc<Looks>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(site: SocketAddr, servers: [SocketAddr; 2]) -> Self {
        let (is_over, seen, looks) =
            (Arc::<AtomicBool>::default(), Arc::<Mutex<Seen>>::default(), Arc::<Looks>::default());
        let mut threads: Vec<JoinHandle<()>> = (0..KEEP + OPEN)
            .map(|number| {
                let (over, seen) = (Arc::clone(&is_over), Arc::clone(&seen));
                std::thread::spawn(move || use_site(site, number < KEEP, &over, &seen))
            })
            .collect();
        let (over, looked) = (Arc::clone(&is_over), Arc::clone(&looks));
        threads.push(std::thread::spawn(move || look(servers, &over, &looked)));
        Self { is_over, seen, looks, threads }
    }

    /// Until there were so many requests.
    pub(super) fn wait(&self, requests: u64) -> Result<()> {
        until("the load", LIMIT, || {
            let seen = self.seen.lock();
            Ok((seen.kept + seen.fresh + seen.failed >= requests).then_some(()))
        })
    }

    pub(super) fn failed(&self) -> u64 {
        self.seen.lock().failed
    }

    /// What was seen; connections refused by each server itself, and moments at which none was there.
    pub(super) fn end(mut self) -> Result<(Seen, [u64; 2], u64)> {
        self.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            ensure!(thread.join().is_ok(), "a client panicked");
        }
        let seen = self.seen.lock().clone();
        let refused = self.looks.refused.each_ref().map(|count| count.load(Ordering::SeqCst));
        Ok((seen, refused, self.looks.none_there.load(Ordering::SeqCst)))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

fn use_site(site: SocketAddr, is_kept: bool, is_over: &AtomicBool, seen: &Mutex<Seen>) {
    let mut connection: Option<(Connection, usize)> = None;
    while !is_over.load(Ordering::SeqCst) {
        let answered = one_request(site, is_kept, &mut connection);
        seen.lock().note(is_kept, answered);
        std::thread::sleep(PAUSE);
    }
}

/// The release that answers.
fn one_request(site: SocketAddr, is_kept: bool, connection: &mut Option<(Connection, usize)>) -> Result<String> {
    let (mut open, used) = match connection.take() {
        Some(open) => open,
        None => (Connection::open(site)?, 0),
    };
    let headers = if is_kept { Vec::new() } else { vec!["Connection: close".to_owned()] };
    let answer = open.request("GET", "/", &headers, b"")?;
    ensure!(answer.status == 200, "status {}: {}", answer.status, answer.text());
    if is_kept && used + 1 < OF_ONE {
        *connection = Some((open, used + 1));
    }
    let release = answer.header("x-release").unwrap_or_default();
    ensure!(!release.is_empty() && answer.text().starts_with("release "), "no answer of the site: {}", answer.text());
    Ok(release.to_owned())
}

/// Looks at the servers past the load balancer.
fn look(servers: [SocketAddr; 2], is_over: &AtomicBool, looks: &Looks) {
    while !is_over.load(Ordering::SeqCst) {
        let is_gone = servers.map(|server| TcpStream::connect_timeout(&server, Duration::from_secs(1)).is_err());
        for (gone, count) in is_gone.iter().zip(&looks.refused) {
            count.fetch_add(u64::from(*gone), Ordering::SeqCst);
        }
        looks.none_there.fetch_add(u64::from(is_gone == [true, true]), Ordering::SeqCst);
        std::thread::sleep(5 * PAUSE);
    }
}
