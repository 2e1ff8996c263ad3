//! Loki's push as its clients send it: protobuf in snappy, over keep-alive connections, one host's group of lines a request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

use crate::harness::http::Connection;

use super::corpus::{Block, HostLines, Service};
use super::protobuf::{bytes, varint};
use super::remote_write::post;
use super::workload::host_name;

/// What to send. Hosts are dealt out over the connections.
#[derive(Clone, Debug)]
pub struct Load {
    pub target: SocketAddr,
    pub token: String,
    pub seed: u64,
    pub hosts: usize,
    pub groups: i64,
    pub connections: usize,
    /// The first line's time and the time up to the last, ns.
    pub span: (i64, i64),
}

/// Sends all of it; gives the bytes of lines with their ends, and those on the wire.
///
/// # Errors
/// The first answer other than success, with its text.
pub fn run(load: &Load) -> Result<(u64, u64)> {
    let (plain, wire) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..load.connections)
            .map(|number| {
                let (plain, wire) = (&plain, &wire);
                scope.spawn(move || send(load, number, plain, wire))
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        }
        anyhow::Ok(())
    })?;
    Ok((plain.into_inner(), wire.into_inner()))
}

fn send(load: &Load, number: usize, plain: &AtomicU64, wire: &AtomicU64) -> Result<()> {
    let own = (0..load.hosts).filter(|host| host % load.connections == number);
    let mut hosts: Vec<(usize, HostLines)> =
        own.map(|host| (host, HostLines::new(load.seed, host, load.span, load.groups))).collect();
    let mut connection = Connection::open(load.target)?;
    let headers = ["Content-Type: application/x-protobuf".to_owned(), format!("Authorization: Bearer {}", load.token)];
    let (mut encoder, mut packed) = (snap::raw::Encoder::new(), Vec::new());
    for group in 0..load.groups {
        for (host, lines) in &mut hosts {
            let (blocks, count) = lines.group(group);
            let body = request(*host, &blocks);
            packed.resize(snap::raw::max_compress_len(body.len()), 0);
            let size = encoder.compress(&body, &mut packed).context("snappy")?;
            post(&mut connection, "/loki/api/v1/push", &headers, &packed[..size])?;
            plain.fetch_add(count, Ordering::Relaxed);
            wire.fetch_add(size as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// A PushRequest: streams (1), each its labels as text (1) and entries (2) of a time (1) and a line (2).
fn request(host: usize, blocks: &[Block; 3]) -> Vec<u8> {
    let mut out = Vec::new();
    for (block, service) in blocks.iter().zip(Service::ALL) {
        let labels = format!("{{filename=\"{}\", instance=\"{}\", job=\"logs\"}}", service.path(), host_name(host));
        push_stream(&mut out, &labels, block.iter().map(|(at_ns, line)| (*at_ns, line)));
    }
    out
}

/// A PushRequest of one stream: its labels as a selector, and lines with their times, ns.
pub fn stream(labels: &str, lines: impl Iterator<Item = (i64, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::new();
    push_stream(&mut out, labels, lines);
    out
}

fn push_stream<L: AsRef<[u8]>>(out: &mut Vec<u8>, labels: &str, lines: impl Iterator<Item = (i64, L)>) {
    let (mut stream, mut entry, mut time) = (Vec::new(), Vec::new(), Vec::new());
    bytes(&mut stream, 1, labels.as_bytes());
    for (at_ns, line) in lines {
        time.clear();
        // Seconds (1) and nanoseconds (2) since 1970, as varints.
        for (tag, number) in [(0x08, at_ns.div_euclid(1_000_000_000)), (0x10, at_ns.rem_euclid(1_000_000_000))] {
            time.push(tag);
            varint(&mut time, number as u64);
        }
        entry.clear();
        bytes(&mut entry, 1, &time);
        bytes(&mut entry, 2, line.as_ref());
        bytes(&mut stream, 2, &entry);
    }
    bytes(out, 1, &stream);
}
