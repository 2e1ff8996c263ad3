//! Whether SELinux is on, and in which mode.

use std::path::PathBuf;

use super::metric::Metric;
use super::{Roots, Source, SourceError, Tick, parse};

pub(super) struct Selinux {
    enforce: PathBuf,
    enabled: Metric,
    mode: Metric,
}

impl Selinux {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            enforce: roots.sys.join("fs/selinux/enforce"),
            enabled: Metric::gauge("node_selinux_enabled"),
            mode: Metric::gauge("node_selinux_current_mode"),
        }
    }
}

impl Source for Selinux {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        // The file system is mounted only where SELinux is on.
        let mode = tick.scratch.read_once(&self.enforce).ok().and_then(|text| parse::number(parse::trimmed(text)));
        self.enabled.put(tick.rows, f64::from(u8::from(mode.is_some())));
        self.mode.put_some(tick.rows, mode);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn the_mode_is_told_only_where_it_is_on() {
        assert_eq!(sampled("selinux", &Tree::new(&[])).unwrap(), ["node_selinux_enabled 0"]);
        let tree = Tree::new(&[("sys/fs/selinux/enforce", "1")]);
        assert_eq!(sampled("selinux", &tree).unwrap(), ["node_selinux_current_mode 1", "node_selinux_enabled 1"]);
    }
}
