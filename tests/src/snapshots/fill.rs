//! Fills a data folder with lines that do not compress, by Loki's push.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use fastrand::Rng;
use muster_common::time;

use crate::harness::collector::Collector;
use crate::harness::http::Connection;
use crate::load::loki_push;

/// Lines of one body, and bytes of one line.
const LINES: usize = 4_096;
const LINE_BYTES: usize = 256;
const SENDERS: u64 = 2;
/// What a line's random digits are stored in: 6 bits each.
const STORED: f64 = 0.75;
/// While flushes are behind, a body is refused for a moment.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
const TRIES: u32 = 3_000;

/// Pushes until the segments have about so many bytes, and has them written.
pub(super) fn up_to(collector: &Collector, data: &Path, bytes: u64) -> Result<()> {
    let lines = (bytes as f64 / STORED / LINE_BYTES as f64) as u64;
    let (bodies, is_over) = (AtomicU64::new(lines.div_ceil(LINES as u64)), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| {
                let (bodies, is_over) = (&bodies, &is_over);
                let (http, token) = (collector.http, collector.token.as_str());
                scope.spawn(move || {
                    let sent = send((http, token), number, bodies, is_over);
                    is_over.store(true, Ordering::Relaxed);
                    sent
                })
            })
            .collect();
        for sender in senders {
            sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        }
        anyhow::Ok(())
    })?;
    let answer = collector.request("POST", "/-/flush", b"")?;
    if answer.status >= 300 {
        bail!("flush: {}", answer.text());
    }
    let stored = folder_bytes(&data.join("segments"))?;
    if stored < bytes * 9 / 10 {
        bail!("{stored} bytes are stored, not {bytes}");
    }
    Ok(())
}

fn send((http, token): (SocketAddr, &str), number: u64, bodies: &AtomicU64, is_over: &AtomicBool) -> Result<()> {
    let mut rng = Rng::with_seed(number);
    let mut connection = Connection::open(http)?;
    let headers = ["Content-Type: application/x-protobuf".to_owned(), format!("Authorization: Bearer {token}")];
    let take = || bodies.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    while !is_over.load(Ordering::Relaxed) && take() {
        let at_ns = time::now().nanos();
        let lines = (0..LINES as i64).map(|line| (at_ns + line, digits(&mut rng)));
        let body = loki_push::stream(&format!("{{job=\"fill\", sender=\"{number}\"}}"), lines);
        let packed = snap::raw::Encoder::new().compress_vec(&body)?;
        let mut tries = 0;
        loop {
            let answer = connection.request("POST", "/loki/api/v1/push", &headers, &packed)?;
            tries += 1;
            match answer.status {
                200..300 => break,
                429 | 503 if tries < TRIES => std::thread::sleep(AGAIN_AFTER),
                other => bail!("push: {other}: {}", answer.text()),
            }
        }
    }
    Ok(())
}

/// Random digits of base 64.
fn digits(rng: &mut Rng) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..LINE_BYTES).map(|_| ALPHABET[rng.usize(0..64)]).collect()
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { folder_bytes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
