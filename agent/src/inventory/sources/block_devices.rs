//! Disks, and what is made of disks: volumes, arrays, encrypted devices.

use muster_common::inventory::Rows;

use super::{Problem, Scene};

/// Devices that are told: a storage host has some thousand paths.
const DEVICES_MAX: usize = 10_000;
/// The kernel's unit in this file, whatever the device has.
const SECTOR_BYTES: i64 = 512;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    for name in scene.list("sys/block", DEVICES_MAX)? {
        if ["loop", "ram", "zram", "fd"].iter().any(|start| is_numbered(&name, start)) {
            continue;
        }
        let word = |file: &str| scene.word(&format!("sys/block/{name}/{file}"));
        let number = |file: &str| word(file).and_then(|text| text.parse::<i64>().ok());
        let size = number("size").and_then(|sectors| sectors.checked_mul(SECTOR_BYTES));
        // Slots of network disks that nothing is in.
        if size == Some(0) && is_numbered(&name, "nbd") {
            continue;
        }
        let serial = word("device/serial").or_else(|| word("serial")).or_else(|| udev_serial(scene, &word("dev")?));
        let model = word("device/model").or_else(|| word("dm/name"));
        let kind = kind(&name, word("dm/uuid").as_deref());
        rows.add([
            name.as_str().into(),
            model.into(),
            serial.into(),
            size.into(),
            number("queue/rotational").into(),
            kind.into(),
        ]);
    }
    Ok(())
}

/// `loop7`, and not `loopback0`.
fn is_numbered(name: &str, start: &str) -> bool {
    name.strip_prefix(start).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn kind(name: &str, mapper: Option<&str>) -> &'static str {
    match mapper {
        Some(uuid) if uuid.starts_with("LVM-") => "lvm",
        Some(uuid) if uuid.starts_with("CRYPT-") => "crypt",
        Some(uuid) if uuid.starts_with("mpath-") => "mpath",
        Some(_) => "dm",
        None if is_numbered(name, "md") => "raid",
        None if is_numbered(name, "sr") => "rom",
        None => "disk",
    }
}

/// What udev read of the device, which only root may ask itself.
fn udev_serial(scene: &Scene, device: &str) -> Option<String> {
    let (bytes, _) =
        super::super::bounded::read(&scene.path(&format!("run/udev/data/b{device}")), super::super::scene::SMALL_BYTES)
            .ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned));
    value("E:ID_SERIAL_SHORT=").or_else(|| value("E:ID_SERIAL="))
}
