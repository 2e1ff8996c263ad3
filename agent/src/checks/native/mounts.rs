//! Room of file systems: those that are named, or all real ones.

use std::path::Path;

use rustix::fs::StatVfs;
use rustix::io::Errno;

use super::keys::Keys;
use super::{Host, Touch};
use crate::sources::{ProcFile, Shape, parse, parse_mounts};

/// One file system and its numbers.
pub(super) struct Usage {
    pub(super) point: String,
    pub(super) stat: StatVfs,
}

pub(super) fn touches(keys: &Keys) -> Vec<Touch> {
    keys.texts("path").iter().map(|_| Touch::Mount { key: "path" }).collect()
}

/// Which file systems a check is about.
pub(super) struct Chosen {
    /// Empty: all real ones.
    paths: Vec<String>,
    exclude: Vec<String>,
}

impl Chosen {
    pub(super) fn of(keys: &Keys) -> Self {
        Self { paths: keys.texts("path").to_vec(), exclude: keys.texts("exclude").to_vec() }
    }

    /// Asks each. What has no blocks is left out, and what this user may not see, unless it is named.
    ///
    /// # Errors
    /// A path that is named and gives no answer, or no list of mounts.
    pub(super) fn usages(&self, host: &mut Host) -> Result<Vec<Usage>, String> {
        let is_named = !self.paths.is_empty();
        let points = if is_named { self.paths.clone() } else { mount_points(host)? };
        // Whether any other path exists, and on what, is none of a remote configuration's business.
        if let Some(fence) = host.fence.clone().filter(|_| is_named) {
            let mounted = mount_points(host)?;
            let is_open = |point: &String| mounted.contains(point) || fence.holds(Path::new(point));
            if let Some(point) = points.iter().find(|point| !is_open(point)) {
                return Err(format!(
                    "{point} is no mount point: a remote configuration asks those alone, and what lies in `paths` under [remote]"
                ));
            }
        }
        let mut usages = Vec::new();
        for point in points {
            if self.exclude.iter().any(|left_out| is_below(&point, left_out)) {
                continue;
            }
            match rustix::fs::statvfs(point.as_str()) {
                Ok(stat) if stat.f_blocks > 0 => usages.push(Usage { point, stat }),
                Ok(_) => {}
                Err(Errno::ACCESS | Errno::NOENT) if !is_named => {}
                Err(errno) => {
                    return Err(format!("{point} cannot be asked ({errno}): check `path`, and that it is mounted"));
                }
            }
        }
        if usages.is_empty() {
            return Err("there is no file system with blocks: name one with `path`".to_owned());
        }
        Ok(usages)
    }
}

fn is_below(point: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    point.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Of process 1, which sees the host; else of ourselves.
fn mount_points(host: &mut Host) -> Result<Vec<String>, String> {
    let mut problem = String::new();
    for process in ["1", "self"] {
        let path = host.proc.join(process).join("mountinfo");
        match ProcFile::new(&path, Shape::LongLines).read(&mut host.scratch) {
            Ok(text) => {
                let mut points: Vec<String> =
                    parse_mounts(text).iter().map(|mount| parse::text(mount.point())).collect();
                points.dedup();
                return Ok(points);
            }
            Err(error) => problem = error.to_string(),
        }
    }
    Err(format!("the mounts cannot be listed: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn what_is_left_out_is_a_folder_with_all_below_it() {
        for (point, folder, expect) in
            [("/srv/a", "/srv", true), ("/srv", "/srv/", true), ("/srv2", "/srv", false), ("/", "/srv", false)]
        {
            assert_eq!(is_below(point, folder), expect, "{point} {folder}");
        }
    }
}
