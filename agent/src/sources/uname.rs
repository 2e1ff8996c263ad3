//! uname(): what the kernel calls itself and the host.

use super::metric::Info;
use super::{Source, SourceError, Tick};

const LABELS: &[&str] = &["domainname", "machine", "nodename", "release", "sysname", "version"];

pub(super) struct Uname {
    info: Info,
}

impl Uname {
    pub(super) fn new() -> Self {
        Self { info: Info::new("node_uname_info", LABELS) }
    }
}

impl Source for Uname {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        tick.scratch.calls += 1;
        let names = rustix::system::uname();
        let words =
            [names.domainname(), names.machine(), names.nodename(), names.release(), names.sysname(), names.version()];
        self.info.put(tick.rows, &words.map(|word| word.to_str().unwrap_or_default()), 1.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn the_kernel_tells_its_names() {
        let seen = sampled("uname", &Tree::new(&[])).unwrap();
        assert!(seen.len() == 1 && seen[0].contains("sysname=\"Linux\"") && seen[0].ends_with("} 1"), "{seen:?}");
    }
}
