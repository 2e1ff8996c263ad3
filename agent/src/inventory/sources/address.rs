//! Addresses of the host's interfaces, and how the kernel writes addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use muster_common::inventory::Rows;

use super::super::scene::{Ipv4, LARGE_BYTES};
use super::{Problem, Scene, is_cable};
use crate::sources::parse;

/// Marks of IPv6 addresses that come and go by themselves (include/uapi/linux/if_addr.h): temporary ones of privacy, those that are not
/// used any more, and those that are not known to be free.
const TEMPORARY: u64 = 0x01;
const DEPRECATED: u64 = 0x20;
const TENTATIVE: u64 = 0x40;
/// Addresses of one host that are taken from the kernel.
const ADDRESSES_MAX: usize = 100_000;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let ipv4 = (scene.ipv4)().map_err(|error| Problem {
        place: "the kernel's list of addresses".to_owned(),
        problem: format!("cannot be read: {error}; allow AF_NETLINK to the agent's service"),
    })?;
    for (interface, address, prefix) in ipv4 {
        if !is_cable(&interface) {
            rows.add([interface.into(), address.to_string().into(), i64::from(prefix).into()]);
        }
    }
    // A kernel without IPv6 has no such file.
    let bytes = scene.read("proc/net/if_inet6", LARGE_BYTES)?.unwrap_or_default();
    for line in parse::lines(&bytes) {
        let words: Vec<&[u8]> = parse::words(line).collect();
        let [address, _, prefix, _, flags, interface] = words[..] else { continue };
        let flags = parse::hex(flags).unwrap_or(0);
        let interface = parse::text(interface);
        if flags & (TEMPORARY | DEPRECATED | TENTATIVE) != 0 || is_cable(&interface) {
            continue;
        }
        if let (Some(address), Some(prefix)) = (plain_ipv6(address), parse::hex(prefix)) {
            rows.add([interface.into(), address.to_string().into(), i64::try_from(prefix).ok().into()]);
        }
    }
    Ok(())
}

/// 32 digits in the order of the network.
pub(super) fn plain_ipv6(hex: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(hex).ok().filter(|text| text.len() == 32 && text.is_ascii())?;
    u128::from_str_radix(text, 16).ok().map(Ipv6Addr::from)
}

/// As /proc/net/tcp and route write one: words of four bytes in the host's byte order.
pub(crate) fn socket_address(hex: &[u8]) -> Option<IpAddr> {
    let words = hex.chunks(8).map(|word| u32::try_from(parse::hex(word)?).ok().map(u32::to_ne_bytes));
    let bytes = words.collect::<Option<Vec<[u8; 4]>>>()?.concat();
    match (<[u8; 4]>::try_from(bytes.as_slice()), <[u8; 16]>::try_from(bytes.as_slice())) {
        (Ok(four), _) if hex.len() == 8 => Some(Ipv4Addr::from(four).into()),
        (_, Ok(six)) if hex.len() == 32 => Some(Ipv6Addr::from(six).into()),
        _ => None,
    }
}

/// The IPv4 addresses of this host; /proc has none with interface and prefix.
///
/// # Errors
/// The system's.
#[expect(unsafe_code, reason = "no safe call lists addresses of interfaces, and no file of /proc has those of IPv4")]
pub(in super::super) fn ipv4_of_host() -> io::Result<Vec<Ipv4>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the call writes the list's head into a pointer that lives as long as this function.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = first;
    while !next.is_null() && found.len() < ADDRESSES_MAX {
        // SAFETY: a member of the list, which lives until `freeifaddrs` below.
        let entry = unsafe { &*next };
        // SAFETY: address and mask are null, or sockaddrs of the family that they name.
        if let (Some(address), Some(mask)) = unsafe { (ipv4_at(entry.ifa_addr), ipv4_at(entry.ifa_netmask)) } {
            // SAFETY: every member has a name that ends with a zero byte.
            let name = unsafe { std::ffi::CStr::from_ptr(entry.ifa_name) };
            // With IPv4's old aliases it is `eth0:1`, which is no interface.
            let name = name.to_string_lossy().split(':').next().unwrap_or_default().to_owned();
            found.push((name, address, u32::from(mask).count_ones()));
        }
        next = entry.ifa_next;
    }
    // SAFETY: the head that getifaddrs gave, given back once.
    unsafe { libc::freeifaddrs(first) };
    found.sort_unstable();
    Ok(found)
}

/// # Safety
/// `address` is null or points to a `sockaddr` of the length of its family.
#[expect(unsafe_code, reason = "reads what getifaddrs gave")]
unsafe fn ipv4_at(address: *const libc::sockaddr) -> Option<Ipv4Addr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, so a sockaddr; of AF_INET it is a sockaddr_in, which has no stricter alignment.
    unsafe {
        if i32::from((*address).sa_family) != libc::AF_INET {
            return None;
        }
        let inet = address.cast::<libc::sockaddr_in>().read_unaligned();
        Some(Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr)))
    }
}
