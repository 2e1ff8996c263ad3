//! Established TCP connections, of /proc/net, and whose they are as far as the agent's rights go.
//!
//! Whose a connection is takes a walk over the open files of all processes, so it is only found out where it is asked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;

use muster_common::inventory::Value;

use super::{Host, Scene, Stop, Taker};
use crate::inventory::{Problem, each_socket_line, shown, socket_address, socket_inode, user_names};
use crate::sources::parse;

/// The kernel's number of the state.
const ESTABLISHED: u64 = 0x01;
/// One read of the table: a page, of which the kernel fills as much as it has.
const READ_BYTES: usize = 64 << 10;
/// Connections that are held to be told: some 10 MB. Beyond it they are counted.
const CONNECTIONS_MAX: usize = 100_000;

struct Connection {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    uid: u32,
    inode: u64,
}

pub(super) fn read(_: &Host, scene: &Scene, taker: &mut Taker<'_>) -> Result<(), Stop> {
    let (mut connections, mut beyond, mut late) = (Vec::new(), 0, None);
    for file in ["tcp", "tcp6"] {
        let place = format!("proc/net/{file}");
        let each = |line: &[u8]| {
            match parse_line(line) {
                Some(connection) if connections.len() < CONNECTIONS_MAX => connections.push(connection),
                Some(_) => beyond += 1,
                None => {}
            }
            late = taker.go_on().err();
            late.is_none()
        };
        match each_socket_line(&scene.path(&place), READ_BYTES, each) {
            // A kernel without IPv6 has no such file.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let problem = format!("cannot be read: {error}");
                return Err(Problem { place: format!("/{place}"), problem }.into());
            }
            _ => {}
        }
        if let Some(late) = late.take() {
            return Err(late);
        }
    }
    taker.drop_unseen(beyond);
    connections.sort_unstable_by_key(|one| (one.local, one.remote));
    let processes = if taker.sieve.needs("process") { processes(scene, &connections, taker)? } else { BTreeMap::new() };
    let users = if taker.sieve.needs("user") { user_names(scene) } else { BTreeMap::new() };
    for one in connections {
        taker.add([
            "tcp".into(),
            one.local.0.to_string().into(),
            i64::from(one.local.1).into(),
            one.remote.0.to_string().into(),
            i64::from(one.remote.1).into(),
            shown(&users, one.uid).into(),
            Value::from(processes.get(&one.inode).cloned()),
        ])?;
    }
    Ok(())
}

/// `1: 0100007F:1F90 0200007F:D431 01 00000000:00000000 00:00000000 00000000 1000 0 12345 ...`; `None`: it is in another state, or the heading.
fn parse_line(line: &[u8]) -> Option<Connection> {
    let words: Vec<&[u8]> = parse::words(line).take(10).collect();
    let [_, local, remote, state, _, _, _, uid, _, inode] = words[..] else { return None };
    if parse::hex(state)? != ESTABLISHED {
        return None;
    }
    let end = |word: &[u8]| {
        let at = word.iter().position(|byte| *byte == b':')?;
        let port = u16::try_from(parse::hex(&word[at + 1..])?).ok()?;
        Some((socket_address(&word[..at])?.to_canonical(), port))
    };
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<u64>().ok();
    let uid = u32::try_from(number(uid)?).ok()?;
    Some(Connection { local: end(local)?, remote: end(remote)?, uid, inode: number(inode)? })
}

/// Names of the processes that hold these connections, by inode: of several the oldest, as of who listens.
fn processes(scene: &Scene, connections: &[Connection], taker: &Taker<'_>) -> Result<BTreeMap<u64, String>, Stop> {
    let mut found: BTreeMap<u64, Option<String>> =
        connections.iter().filter(|one| one.inode != 0).map(|one| (one.inode, None)).collect();
    let mut left = found.len();
    let Ok(entries) = std::fs::read_dir(scene.path("proc")) else { return Ok(BTreeMap::new()) };
    let number = |name: OsString| name.to_str()?.parse::<u32>().ok();
    let mut pids: Vec<u32> = entries.flatten().filter_map(|entry| number(entry.file_name())).collect();
    pids.sort_unstable();
    for pid in pids {
        if left == 0 {
            break;
        }
        // Of other users' processes only root may see them.
        let Ok(files) = std::fs::read_dir(scene.path(&format!("proc/{pid}/fd"))) else { continue };
        for file in files.flatten() {
            taker.go_on()?;
            let inode = std::fs::read_link(file.path()).ok().and_then(|target| socket_inode(&target));
            if let Some(process) = inode.and_then(|inode| found.get_mut(&inode))
                && process.is_none()
            {
                *process = scene.word(&format!("proc/{pid}/comm"));
                left -= usize::from(process.is_some());
            }
        }
    }
    Ok(found.into_iter().filter_map(|(inode, process)| Some((inode, process?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_connections_are_read_and_those_of_listeners_left() {
        let line = |state: &str| {
            format!(
                "   1: 0100007F:1F90 0200007F:D431 {state} 00000000:00000000 00:00000000 00000000  1000        0 12345 1 x"
            )
        };
        let one = parse_line(line("01").as_bytes()).unwrap();
        assert_eq!((one.local.1, one.remote.1, one.uid, one.inode), (8_080, 54_321, 1_000, 12_345));
        if cfg!(target_endian = "little") {
            assert_eq!(one.remote.0.to_string(), "127.0.0.2");
        }
        assert!(parse_line(line("0A").as_bytes()).is_none());
        let heading =
            b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert!(parse_line(heading).is_none());
        let mapped =
            "1: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200007F:0051 01 0:0 0:0 0 0 0 7 x";
        if cfg!(target_endian = "little") {
            let one = parse_line(mapped.as_bytes()).unwrap();
            assert_eq!(one.local.0.to_string(), "127.0.0.1", "as IPv4, which it is");
        }
        for cut in 0..line("01").len() {
            let _ = parse_line(&line("01").as_bytes()[..cut]);
        }
    }
}
