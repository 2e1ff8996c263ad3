//! The name servers that programs of this host ask.

use muster_common::inventory::Rows;

use super::super::scene::SMALL_BYTES;
use super::{Problem, Scene};

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let bytes = scene.read("etc/resolv.conf", SMALL_BYTES)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    // The last of these lines counts, says resolv.conf(5).
    let search = lines().rev().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let names: Vec<&str> = match words.next() {
            Some("search" | "domain") => words.collect(),
            _ => return None,
        };
        Some(names.join(" "))
    });
    for line in lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some("nameserver"), Some(address)) = (words.next(), words.next()) {
            rows.add([address.into(), search.clone().into()]);
        }
    }
    Ok(())
}
