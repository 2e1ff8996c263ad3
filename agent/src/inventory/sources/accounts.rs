//! Users and groups of the files, never what they log in with.

use std::collections::BTreeMap;

use muster_common::inventory::Rows;

use super::super::scene::LARGE_BYTES;
use super::{Problem, Scene};
use crate::sources::parse;

const PASSWD: &str = "etc/passwd";
const GROUP: &str = "etc/group";

/// The fields of each line that has so many; remarks, and lines of the compatibility with NIS (`+::::::`), are left.
fn entries<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [String; N]> {
    parse::lines(bytes).filter(|line| !line.starts_with(b"#") && !line.starts_with(b"+")).filter_map(|line| {
        let fields: Vec<String> = line.split(|byte| *byte == b':').map(parse::text).collect();
        <[String; N]>::try_from(fields).ok().filter(|fields| !fields[0].is_empty())
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse::<u32>().ok().map(i64::from)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn read_users(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let bytes = scene.must_read(PASSWD, LARGE_BYTES)?;
    for [name, _, uid, gid, comment, home, shell] in entries(&bytes) {
        rows.add([
            name.into(),
            number(&uid).into(),
            number(&gid).into(),
            some(comment).into(),
            some(home).into(),
            some(shell).into(),
        ]);
    }
    Ok(())
}

pub(super) fn read_groups(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let bytes = scene.must_read(GROUP, LARGE_BYTES)?;
    for [name, _, gid, members] in entries(&bytes) {
        rows.add([name.into(), number(&gid).into(), some(members).into()]);
    }
    Ok(())
}

/// Names by number, for tables that show owners. Empty where the file cannot be read: then numbers are shown.
pub(crate) fn user_names(scene: &Scene) -> BTreeMap<u32, String> {
    let bytes = scene.read(PASSWD, LARGE_BYTES).ok().flatten().unwrap_or_default();
    first_names(entries(&bytes).map(|[name, _, uid, ..]: [String; 7]| (name, uid)))
}

/// The same of groups.
pub(super) fn group_names(scene: &Scene) -> BTreeMap<u32, String> {
    let bytes = scene.read(GROUP, LARGE_BYTES).ok().flatten().unwrap_or_default();
    first_names(entries(&bytes).map(|[name, _, gid, _]: [String; 4]| (name, gid)))
}

/// Of two names of a number the first counts, as everywhere.
fn first_names(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for (name, number) in pairs {
        if let Ok(number) = number.parse() {
            names.entry(number).or_insert(name);
        }
    }
    names
}

/// The name, or the number where it has none.
pub(crate) fn shown(names: &BTreeMap<u32, String>, number: u32) -> String {
    names.get(&number).cloned().unwrap_or_else(|| number.to_string())
}
