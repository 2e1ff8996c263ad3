//! Network interfaces by /sys/class/net.

use muster_common::inventory::Rows;

use super::{Problem, Scene, is_cable};

/// Interfaces that are told: a router with VLANs has some thousand.
const INTERFACES_MAX: usize = 4_096;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    for name in scene.list("sys/class/net", INTERFACES_MAX)? {
        // Beside the interfaces there may be a plain file, `bonding_masters`.
        if is_cable(&name) || name == "bonding_masters" {
            continue;
        }
        let word = |file: &str| scene.word(&format!("sys/class/net/{name}/{file}"));
        let mac = word("address").filter(|mac| mac != "00:00:00:00:00:00");
        let mtu = word("mtu").and_then(|mtu| mtu.parse::<i64>().ok());
        let (state, kind) = (word("operstate"), kind(scene, &name, word("type").as_deref()));
        rows.add([name.into(), mac.into(), kind.into(), mtu.into(), state.into()]);
    }
    Ok(())
}

/// What it is: its driver's word (`bridge`, `bond`, `vlan`, `wlan`, `wireguard`), else by its hardware type (include/uapi/linux/if_arp.h).
fn kind(scene: &Scene, name: &str, hardware: Option<&str>) -> Option<String> {
    let path = |file: &str| scene.path(&format!("sys/class/net/{name}/{file}"));
    if let Ok((bytes, _)) = super::super::bounded::read(&path("uevent"), super::super::scene::SMALL_BYTES) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(kind) = text.lines().find_map(|line| line.strip_prefix("DEVTYPE=")) {
            return Some(kind.to_owned());
        }
    }
    if path("tun_flags").exists() {
        return Some("tun".to_owned());
    }
    let kind = match hardware? {
        "1" if path("device").exists() => "ethernet",
        "1" => "virtual",
        "32" => "infiniband",
        "772" => "loopback",
        "768" | "769" | "776" | "778" => "tunnel",
        "512" => "ppp",
        other => return Some(format!("type {other}")),
    };
    Some(kind.to_owned())
}
