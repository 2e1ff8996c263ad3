//! Whether something on this host listens at a port.
//!
//! /proc/net/tcp lists listeners first, but a large read of it makes the kernel walk its whole table of connections (40 ms on a host of
//! 24 GiB). So it is read a line at a time and left when the port is found; the file where it was found last is read first.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use muster_common::check::CheckState;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::keys::{KeyError, Keys};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;
use crate::sources::parse;

/// A line of the table, padded by the kernel to this length: a read of as many bytes ends behind it.
const LINE_BYTES: usize = 150;
/// The kernel's numbers of states: listening TCP sockets, bound UDP sockets.
const LISTEN: u64 = 0x0a;
const UNCONNECTED: u64 = 0x07;
/// Lines that are read at most: listeners of a host are some hundred.
const LINES_MAX: usize = 100_000;

struct Port {
    port: u16,
    protocol: &'static str,
    state: u64,
    files: [PathBuf; 2],
}

pub(super) fn build(keys: &Keys, proc: &Path) -> Result<Probe, KeyError> {
    let port = keys.port("port").ok_or_else(|| KeyError::new("port", "is missing", "write `port = 443`"))?;
    let (protocol, state) = match keys.text("protocol").unwrap_or("tcp") {
        "tcp" => ("tcp", LISTEN),
        "udp" => ("udp", UNCONNECTED),
        other => return Err(KeyError::new("protocol", format!("`{other}` is none"), "write \"tcp\" or \"udp\"")),
    };
    let file = |name: String| proc.join("net").join(name);
    Ok(Probe::Look(Box::new(Port {
        port,
        protocol,
        state,
        files: [file(protocol.to_owned()), file(format!("{protocol}6"))],
    })))
}

impl Look for Port {
    fn look(&mut self, _: &mut Host) -> Result<Outcome, String> {
        let (port, protocol) = (self.port, self.protocol);
        for (number, file) in self.files.iter().enumerate() {
            match listens(file, port, self.state) {
                Ok(Some(local)) => {
                    self.files.swap(0, number);
                    let line = format!("PORT OK - {protocol} port {port} is listened at ({local})");
                    return Ok(Outcome::line(CheckState::Ok, line));
                }
                // A host without IPv6 has one file only.
                Ok(None) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(format!("{} cannot be read: {errno}", file.display())),
            }
        }
        Ok(Outcome::line(CheckState::Critical, format!("PORT CRITICAL - nothing listens at {protocol} port {port}")))
    }
}

/// The address that the kernel shows for the listener.
fn listens(file: &Path, port: u16, state: u64) -> Result<Option<String>, Errno> {
    let file = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (mut buffer, mut kept) = ([0u8; 2 * LINE_BYTES], 0);
    for _ in 0..LINES_MAX {
        let read = rustix::io::read(file.as_fd(), &mut buffer[kept..(kept + LINE_BYTES).min(2 * LINE_BYTES)])?;
        let filled = kept + read;
        let mut from = 0;
        while let Some(length) = buffer[from..filled].iter().position(|byte| *byte == b'\n') {
            match judge(&buffer[from..from + length], port, state) {
                Line::Found(local) => return Ok(Some(local)),
                Line::Connection => return Ok(None),
                Line::Other => {}
            }
            from += length + 1;
        }
        if read == 0 {
            return Ok(None);
        }
        // A line that fills the buffer is none of this table's.
        kept = if from == 0 && filled == buffer.len() { 0 } else { filled - from };
        buffer.copy_within(from..filled, 0);
    }
    Ok(None)
}

enum Line {
    Found(String),
    /// TCP connections come behind all listeners.
    Connection,
    Other,
}

/// `0: 0100007F:1F90 00000000:0000 0A ...`
fn judge(line: &[u8], port: u16, state: u64) -> Line {
    let mut words = parse::words(line).skip(1);
    let (local, _, seen) = (words.next().unwrap_or_default(), words.next(), words.next().and_then(parse::hex));
    let mut halves = local.split(|byte| *byte == b':');
    let (address, Some(at)) = (halves.next().unwrap_or_default(), halves.next().and_then(parse::hex)) else {
        return Line::Other;
    };
    match seen {
        Some(seen) if seen == state && at == u64::from(port) => Line::Found(show_address(address)),
        Some(seen) if seen == state || state == UNCONNECTED => Line::Other,
        Some(_) => Line::Connection,
        None => Line::Other,
    }
}

/// The kernel writes addresses as words of 4 bytes in the host's byte order.
fn show_address(hex: &[u8]) -> String {
    let words: Vec<[u8; 4]> = hex
        .chunks(8)
        .filter_map(parse::hex)
        .filter_map(|word| u32::try_from(word).ok())
        .map(u32::to_ne_bytes)
        .collect();
    match words.concat().as_slice() {
        bytes if bytes.iter().all(|byte| *byte == 0) => "all addresses".to_owned(),
        [a, b, c, d] => format!("{a}.{b}.{c}.{d}"),
        bytes => match <[u8; 16]>::try_from(bytes) {
            Ok(six) => std::net::Ipv6Addr::from(six).to_string(),
            Err(_) => parse::text(hex),
        },
    }
}
