//! The machine as its firmware and its kernel name it, and what it is if it is none.

use muster_common::inventory::Rows;

use super::super::scene::LARGE_BYTES;
use super::{Problem, Scene};
use crate::facts;
use crate::sources::parse;

/// What firmware says where its maker said nothing.
const NOTHING: [&str; 8] = [
    "to be filled by o.e.m.",
    "default string",
    "not specified",
    "none",
    "system product name",
    "system serial number",
    "unknown",
    "0",
];

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let firmware = |name: &str| {
        let word = scene.word(&format!("sys/class/dmi/id/{name}"));
        word.filter(|word| !NOTHING.contains(&word.to_lowercase().as_str()))
    };
    // Boards without such tables have a device tree.
    let model = firmware("product_name").or_else(|| {
        let model = scene.word("sys/firmware/devicetree/base/model")?;
        Some(model.trim_end_matches('\0').to_owned())
    });
    let cpuinfo = scene.must_read("proc/cpuinfo", LARGE_BYTES)?;
    let value = |key: &str| {
        parse::lines(&cpuinfo).find_map(|line| {
            let at = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(at);
            (name.trim_ascii() == key.as_bytes()).then(|| parse::text(value[1..].trim_ascii()))
        })
    };
    let processor = value("model name").or_else(|| value("Processor")).or_else(|| value("cpu model"));
    let processors = parse::lines(&cpuinfo).filter(|line| line.starts_with(b"processor")).count();
    let meminfo = scene.must_read("proc/meminfo", LARGE_BYTES)?;
    let memory = parse::lines(&meminfo).find_map(|line| {
        let kibibytes = parse::words(line.strip_prefix(b"MemTotal:")?).next()?;
        std::str::from_utf8(kibibytes).ok()?.parse::<i64>().ok()?.checked_mul(1_024)
    });
    rows.add([
        firmware("sys_vendor").into(),
        model.into(),
        firmware("product_serial").into(),
        firmware("board_name").into(),
        firmware("bios_version").into(),
        firmware("bios_date").into(),
        processor.into(),
        i64::try_from(processors).ok().filter(|count| *count > 0).into(),
        memory.into(),
    ]);
    Ok(())
}

pub(super) fn read_virtualisation(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let container = facts::container(scene.root());
    rows.add([facts::hypervisor(scene.root()).into(), container.into()]);
    Ok(())
}
