//! Sockets that listen: /proc/net, and whose they are as far as the agent's rights go.
//!
//! Whose a socket is takes a walk over the open files of all processes, so it is looked for once in a socket's life. Sockets of UDP that
//! are connected are clients'; so are those at ports that the kernel gave (such as the agent's own), which would change at each start.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use muster_common::inventory::Rows;

use super::super::scene::{Listener, SMALL_BYTES};
use super::accounts::{shown, user_names};
use super::address::socket_address;
use super::{Problem, Scene};
use crate::sources::parse;

/// The kernel's numbers of states: listening TCP sockets, bound UDP sockets.
const LISTEN: u64 = 0x0a;
const UNCONNECTED: u64 = 0x07;
/// A read of TCP's table: short, since the kernel goes through its whole table of connections to fill a long one, and listeners come first.
const TCP_READ_BYTES: usize = 150;
const UDP_READ_BYTES: usize = 64 << 10;
/// Lines of one table that are read: listeners of a host are some hundred, and the inventory has no more rows than this.
const LINES_MAX: usize = 100_000;
/// Processes and open files that one walk looks at: some 0.5 s.
const PIDS_MAX: usize = 50_000;
const LINKS_MAX: usize = 300_000;
/// Where the kernel takes ports from unless told otherwise.
const EPHEMERAL: (u16, u16) = (32_768, 60_999);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    protocol: &'static str,
    address: String,
    port: u16,
    uid: u32,
    inode: u64,
}

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let ephemeral = ephemeral(scene);
    let mut sockets = Vec::new();
    for (file, protocol) in [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")] {
        let place = format!("proc/net/{file}");
        let (state, read_bytes) =
            if protocol == "tcp" { (LISTEN, TCP_READ_BYTES) } else { (UNCONNECTED, UDP_READ_BYTES) };
        let each = |line: &[u8]| {
            let Some((seen, socket)) = parse_line(line, protocol) else { return true };
            let is_client =
                protocol == "udp" && socket.inode != 0 && (ephemeral.0..=ephemeral.1).contains(&socket.port);
            if seen == state && !is_client {
                sockets.push(socket);
            }
            // TCP's connections come behind all listeners.
            seen == state || protocol == "udp"
        };
        match read_lines(&scene.path(&place), read_bytes, each) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Problem { place: format!("/{place}"), problem: format!("cannot be read: {error}") });
            }
            _ => {}
        }
    }
    // Of several at one port the same one is told each time.
    sockets.sort_unstable();
    let listeners = listeners(scene, &sockets);
    let users = user_names(scene);
    for socket in sockets {
        let Listener { process, unit } = listeners.get(&socket.inode).cloned().unwrap_or_default();
        rows.add([
            socket.protocol.into(),
            socket.address.into(),
            i64::from(socket.port).into(),
            process.into(),
            unit.into(),
            shown(&users, socket.uid).into(),
        ]);
    }
    Ok(())
}

fn ephemeral(scene: &Scene) -> (u16, u16) {
    let range = scene.word("proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = range.split_ascii_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first, last),
        _ => EPHEMERAL,
    }
}

/// `0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 12345 ...`
fn parse_line(line: &[u8], protocol: &'static str) -> Option<(u64, Socket)> {
    let words: Vec<&[u8]> = parse::words(line).take(10).collect();
    let [_, local, _, state, _, _, _, uid, _, inode] = words[..] else { return None };
    let at = local.iter().position(|byte| *byte == b':')?;
    let address = socket_address(&local[..at])?.to_string();
    let port = u16::try_from(parse::hex(&local[at + 1..])?).ok()?;
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<u64>().ok();
    let uid = u32::try_from(number(uid)?).ok()?;
    Some((parse::hex(state)?, Socket { protocol, address, port, uid, inode: number(inode)? }))
}

/// Gives the lines until `each` wants no more.
pub(crate) fn read_lines(path: &Path, read_bytes: usize, mut each: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let (mut buffer, mut kept) = (vec![0; 2 * read_bytes], 0);
    for _ in 0..LINES_MAX {
        let read = file.read(&mut buffer[kept..kept + read_bytes])?;
        let filled = kept + read;
        let whole = buffer[..filled].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let is_over = parse::lines(&buffer[..whole]).any(|line| !each(line));
        if is_over || read == 0 {
            return Ok(());
        }
        kept = filled - whole;
        if kept > read_bytes {
            return Err(io::Error::other("it has a line that is too long to be one of sockets"));
        }
        buffer.copy_within(whole..filled, 0);
    }
    Ok(())
}

/// Who holds these sockets. Those that were looked for before are remembered, found or not.
fn listeners(scene: &Scene, sockets: &[Socket]) -> BTreeMap<u64, Listener> {
    let mut known = std::mem::take(&mut scene.memory.borrow_mut().sockets);
    known.retain(|inode, _| sockets.iter().any(|socket| socket.inode == *inode));
    let mut wanted: BTreeMap<u64, Listener> = sockets
        .iter()
        // The kernel's own have none.
        .filter(|socket| socket.inode != 0 && !known.contains_key(&socket.inode))
        .map(|socket| (socket.inode, Listener::default()))
        .collect();
    if !wanted.is_empty() {
        walk(scene, &mut wanted);
        known.append(&mut wanted);
    }
    scene.memory.borrow_mut().sockets.clone_from(&known);
    known
}

/// Looks through the open files of all processes, the oldest first: of a server and the workers that it started it is the server.
fn walk(scene: &Scene, wanted: &mut BTreeMap<u64, Listener>) {
    let Ok(entries) = std::fs::read_dir(scene.path("proc")) else { return };
    let number = |name: std::ffi::OsString| name.to_str()?.parse::<u32>().ok();
    let mut pids: Vec<u32> = entries.flatten().filter_map(|entry| number(entry.file_name())).take(PIDS_MAX).collect();
    pids.sort_unstable();
    let (mut left, mut links) = (wanted.len(), 0);
    for pid in pids {
        // Of other users' processes only root may see them.
        let Ok(files) = std::fs::read_dir(scene.path(&format!("proc/{pid}/fd"))) else { continue };
        for file in files.flatten() {
            links += 1;
            let Some(inode) = std::fs::read_link(file.path()).ok().and_then(|target| socket_inode(&target)) else {
                continue;
            };
            if let Some(listener) = wanted.get_mut(&inode)
                && listener.process.is_none()
            {
                listener.process = scene.word(&format!("proc/{pid}/comm"));
                listener.unit = unit_of(scene, pid);
                left -= usize::from(listener.process.is_some());
            }
        }
        if left == 0 {
            return;
        }
        if links > LINKS_MAX {
            return scene.note(format!("/proc: only {LINKS_MAX} open files are looked at for who listens"));
        }
    }
}

/// `socket:[12345]`
pub(crate) fn socket_inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The innermost unit of a process by its control group: `0::/system.slice/nginx.service`.
fn unit_of(scene: &Scene, pid: u32) -> Option<String> {
    let bytes = scene.read(&format!("proc/{pid}/cgroup"), SMALL_BYTES).ok()??;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::").or_else(|| line.split_once("name=systemd:").map(|(_, path)| path)))?;
    let is_unit = |part: &&str| [".service", ".scope", ".socket"].iter().any(|end| part.ends_with(end));
    path.rsplit('/').find(is_unit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_sockets_are_read_and_others_left() {
        let line =
            b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 x";
        let (state, socket) = parse_line(line, "tcp").unwrap();
        assert_eq!((state, socket.port, socket.uid, socket.inode), (LISTEN, 8_080, 1_000, 12_345));
        if cfg!(target_endian = "little") {
            assert_eq!(socket.address, "127.0.0.1");
        }
        for cut in 0..line.len() - 4 {
            assert!(parse_line(&line[..cut], "tcp").is_none_or(|(_, socket)| socket.inode != 12_345));
        }
        assert_eq!(parse_line(b"0: ZZ:1F90 0:0 0A 0:0 0:0 0 0 0 1", "tcp"), None);
    }

    #[test]
    fn the_kernels_names_of_sockets_are_read() {
        assert_eq!(socket_inode(Path::new("socket:[77]")), Some(77));
        assert_eq!(socket_inode(Path::new("pipe:[77]")), None);
        assert_eq!(socket_inode(Path::new("socket:[]")), None);
    }
}
