//! Which system is installed: os-release, the id of the installation, the zone of its wall clock.

use muster_common::inventory::Rows;

use super::{Problem, Scene};
use crate::facts::machine_id;
use crate::sources::os_release_value;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let text = match scene.read("etc/os-release", super::super::scene::SMALL_BYTES)? {
        Some(text) => text,
        None => scene.read("usr/lib/os-release", super::super::scene::SMALL_BYTES)?.unwrap_or_default(),
    };
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| os_release_value(&text, key);
    let id = value("ID");
    let point = scene.word("etc/debian_version").filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    // Debian's own file alone has the point release.
    let version = if id.as_deref() == Some("debian") { point } else { None }.or_else(|| value("VERSION_ID"));
    let machine = Some(scene.machine.clone()).filter(|machine| !machine.is_empty());
    let machine_id = Some(machine_id(scene.root())).filter(|id| !id.is_empty());
    let name = value("NAME");
    let codename = value("VERSION_CODENAME");
    rows.add([
        id.into(),
        name.into(),
        version.into(),
        codename.into(),
        machine.into(),
        machine_id.into(),
        zone(scene).into(),
    ]);
    Ok(())
}

/// The zone by the link's target, or as Debian writes it; `None`: the file is a copy without a name.
fn zone(scene: &Scene) -> Option<String> {
    let link = std::fs::read_link(scene.path("etc/localtime")).ok();
    let by_link = link.and_then(|target| {
        let target = target.to_string_lossy().into_owned();
        target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned())
    });
    by_link.or_else(|| scene.word("etc/timezone"))
}
