//! Modules that the kernel has loaded.

use muster_common::inventory::Rows;

use super::super::scene::LARGE_BYTES;
use super::{Problem, Scene};
use crate::sources::parse;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    // A kernel that can load none has no such file.
    let bytes = scene.read("proc/modules", LARGE_BYTES)?.unwrap_or_default();
    for line in parse::lines(&bytes) {
        let mut words = parse::words(line).map(parse::text);
        let (Some(name), size, _, users) = (words.next(), words.next(), words.next(), words.next()) else { continue };
        let size = size.and_then(|size| size.parse::<i64>().ok());
        // `a,b,` in the order in which they were loaded.
        let mut users: Vec<String> = users.unwrap_or_default().split(',').map(str::to_owned).collect();
        users.retain(|user| !user.is_empty() && user != "-");
        users.sort_unstable();
        let users = users.join(",");
        rows.add([name.into(), size.into(), (!users.is_empty()).then_some(users).into()]);
    }
    Ok(())
}
