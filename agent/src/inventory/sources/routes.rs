//! The host's routes of both families, without those that the kernel makes for its own addresses.

use std::net::Ipv6Addr;

use muster_common::inventory::Rows;

use super::super::scene::LARGE_BYTES;
use super::address::{plain_ipv6, socket_address};
use super::{Problem, Scene, is_cable};
use crate::sources::parse;

/// Marks (include/uapi/linux/route.h, ipv6_route.h): in use, refused, of the host itself, learnt from one packet, anycast.
const UP: u64 = 0x0001;
const REJECT: u64 = 0x0200;
const LOCAL: u64 = 0x8000_0000;
const CACHE: u64 = 0x0100_0000;
const ANYCAST: u64 = 0x0010_0000;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let bytes = scene.read("proc/net/route", LARGE_BYTES)?.unwrap_or_default();
    for line in parse::lines(&bytes).skip(1) {
        let words: Vec<&[u8]> = parse::words(line).collect();
        let [interface, destination, gateway, flags, _, _, metric, mask, ..] = words[..] else { continue };
        let interface = parse::text(interface);
        let flags = parse::hex(flags).unwrap_or(0);
        let (Some(to), Some(by), Some(mask)) = (socket_address(destination), socket_address(gateway), parse::hex(mask))
        else {
            continue;
        };
        if flags & UP == 0 || is_cable(&interface) {
            continue;
        }
        let by = (!by.is_unspecified()).then(|| by.to_string());
        add(rows, (to.to_string(), i64::from(mask.count_ones())), by, interface, decimal(metric));
    }
    let bytes = scene.read("proc/net/ipv6_route", LARGE_BYTES)?.unwrap_or_default();
    for line in parse::lines(&bytes) {
        let words: Vec<&[u8]> = parse::words(line).collect();
        let [destination, prefix, _, _, gateway, metric, _, _, flags, interface] = words[..] else { continue };
        let interface = parse::text(interface);
        let flags = parse::hex(flags).unwrap_or(0);
        let (Some(to), Some(by), Some(prefix)) = (plain_ipv6(destination), plain_ipv6(gateway), parse::hex(prefix))
        else {
            continue;
        };
        let is_own = interface == "lo" || is_cable(&interface) || to.is_multicast();
        if is_own || flags & UP == 0 || flags & (REJECT | LOCAL | CACHE | ANYCAST) != 0 {
            continue;
        }
        let by = (by != Ipv6Addr::UNSPECIFIED).then(|| by.to_string());
        let metric = parse::hex(metric).and_then(|metric| i64::try_from(metric).ok());
        add(rows, (to.to_string(), i64::try_from(prefix).unwrap_or(0)), by, interface, metric);
    }
    Ok(())
}

fn decimal(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn add(rows: &mut Rows, to: (String, i64), by: Option<String>, interface: String, metric: Option<i64>) {
    rows.add([to.0.into(), to.1.into(), by.into(), interface.into(), metric.into()]);
}
