//! What is mounted, as process 1 sees it: the agent's own view is narrower where its service is fenced in.

use muster_common::inventory::Rows;

use super::super::scene::LARGE_BYTES;
use super::{Problem, Scene};
use crate::sources::{parse, parse_mounts};

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let bytes = match scene.read("proc/1/mountinfo", LARGE_BYTES) {
        Ok(Some(bytes)) => bytes,
        // Where processes of others are hidden.
        _ => scene.must_read("proc/self/mountinfo", LARGE_BYTES)?,
    };
    // What is mounted last at a place is what one sees there, and the first of equal keys stays.
    for mount in parse_mounts(&bytes).iter().rev() {
        let path = parse::text(mount.point());
        // They come and go with logins.
        if path.starts_with("/run/user/") {
            continue;
        }
        rows.add([
            path.into(),
            parse::text(mount.device()).into(),
            parse::text(mount.kind()).into(),
            parse::text(mount.options()).into(),
        ]);
    }
    Ok(())
}
