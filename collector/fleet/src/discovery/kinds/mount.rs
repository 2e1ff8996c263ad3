//! File systems that hold something which stays: that each is mounted, and has room.

use serde_json::json;

use super::{Found, ItemKind, Looked, Offer, What, check, clean, noise, with_details};

const PATH: &str = "path";
const DEVICE: &str = "device";
const TYPE: &str = "type";
/// `yes`: its host has systemd, which has a unit for each mount.
const HAS_UNIT: &str = "has_unit";
const YES: &str = "yes";
/// The longest name that systemd takes.
const UNIT_BYTES_MAX: usize = 255;

pub(super) const KIND: ItemKind = ItemKind {
    name: "mount",
    many: "file systems",
    fields: &[PATH, DEVICE, TYPE, HAS_UNIT],
    tables: &["mounts"],
    find,
    checks,
    words: |what| {
        let path = format!("file system {}", clean(what.value(PATH)));
        with_details(path, &[("", what.value(TYPE)), ("on ", what.value(DEVICE))])
    },
};

fn find(looked: &Looked<'_>) -> Vec<Found> {
    // Only systemd itself tells how units are.
    let has_systemd = looked.rows("units").any(|row| row.text("load_state").is_some());
    let has_unit = if has_systemd { YES } else { "" };
    let mounts = || looked.rows("mounts").filter_map(|row| Some((row, row.text("path")?)));
    // What is mounted below such a place comes and goes with its users.
    let automatic: Vec<&str> =
        mounts().filter(|(row, _)| row.text("type") == Some("autofs")).map(|(_, path)| path).collect();
    let is_automatic = |path: &str| {
        let is_below = |place: &&str| path.strip_prefix(*place).is_some_and(|rest| rest.starts_with('/'));
        automatic.iter().any(is_below)
    };
    mounts()
        .map(|(row, path)| {
            let [device, kind] = ["device", "type"].map(|column| row.text(column).unwrap_or_default());
            // What has control characters in its path is no place that somebody made for good.
            let is_plain = path.starts_with('/') && !path.chars().any(char::is_control);
            let values = vec![path.to_owned(), device.to_owned(), kind.to_owned(), has_unit.to_owned()];
            let offer = Offer::when(is_plain && !is_automatic(path) && noise::of_mount(path, kind).is_none());
            Found { what: row.what(format!("mount:{path}"), values), offer }
        })
        .collect()
}

/// Where a file system was unmounted its folder is one of the file system above, which has room: so its unit is asked as well.
fn checks(what: &What) -> Vec<serde_json::Value> {
    let path = what.value(PATH);
    let mut checks = vec![check("disk", path, "disk", json!({"path": [path]}))];
    let unit = unit_of(path);
    if what.value(HAS_UNIT) == YES && unit.len() <= UNIT_BYTES_MAX {
        checks.push(check("mount", path, "unit", json!({"unit": unit})));
    }
    checks
}

/// The unit of a mount, as `systemd-escape --path --suffix=mount` has it.
fn unit_of(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let joined = parts.join("/");
    if joined.is_empty() {
        return "-.mount".to_owned();
    }
    let mut name = String::with_capacity(joined.len() + 8);
    for (at, byte) in joined.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(char::from(byte)),
            other => name.push_str(&format!("\\x{other:02x}")),
        }
    }
    name.push_str(".mount");
    name
}

#[cfg(test)]
mod tests {
    use super::unit_of;

    #[test]
    fn mounts_have_the_units_that_systemd_gives_them() {
        for (path, unit) in [
            ("/srv/data", "srv-data.mount"),
            ("/srv//my data/", "srv-my\\x20data.mount"),
            ("/.snapshots", "\\x2esnapshots.mount"),
            ("/a-b/.c", "a\\x2db-.c.mount"),
            ("/", "-.mount"),
            ("/\u{e9}", "\\xc3\\xa9.mount"),
        ] {
            assert_eq!(unit_of(path), unit);
        }
    }
}
