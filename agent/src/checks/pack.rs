//! The check pack of the host itself: what every host has without a word of configuration, where there is something to check.
//!
//! It has what the collector's default rules cannot see in metrics. A check of the configuration with the same name takes its place.

use std::path::Path;
use std::time::Duration;

use super::native::keys::Keys;
use super::native::raid;
use super::settings::{Check, Checks, RETRY, TIMEOUT, Work};

/// systemd makes this folder, and only where it is the first process (sd_booted(3)).
const SYSTEMD: &str = "systemd/system";

/// One check of the pack.
struct Packed {
    kind: &'static str,
    /// Whether this host (its /proc, its /run) has what is checked.
    is_there: fn(&Path, &Path) -> bool,
    interval: Duration,
    remedy: &'static str,
}

const MINUTE: Duration = Duration::from_secs(60);

/// A check is a line here.
const PACK: &[Packed] = &[
    Packed {
        kind: "units",
        is_there: |_, run| run.join(SYSTEMD).is_dir(),
        interval: MINUTE,
        remedy: "journalctl -u UNIT -n 50 says why it failed. After the repair: systemctl restart UNIT, or systemctl reset-failed UNIT if it is not needed.",
    },
    Packed {
        kind: "raid",
        is_there: |proc, _| raid::is_there(proc),
        interval: MINUTE,
        remedy: "The next disk that fails may lose the data. mdadm --detail /dev/MD names the failed one: replace it and add the new one (mdadm --manage /dev/MD --add DISK).",
    },
];

/// Names of all that the pack has, on this host or on others.
pub fn host_pack_names() -> impl Iterator<Item = &'static str> + use<> {
    PACK.iter().map(|packed| packed.kind)
}

/// Adds the pack's checks of this host, if its configuration wants them.
pub fn add_host_pack(checks: &mut Checks, run: &Path) {
    if !checks.host_pack {
        return;
    }
    for packed in PACK {
        let is_taken = checks.checks.iter().any(|check| check.name == packed.kind);
        if is_taken || !(packed.is_there)(&checks.proc, run) {
            continue;
        }
        let work = Work::Native { kind: packed.kind, keys: Keys::default() };
        let check = Check::new(packed.kind.to_owned(), work, packed.interval, RETRY, TIMEOUT);
        checks.checks.push(Check { remedy: packed.remedy.to_owned(), ..check });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn the_pack_is_what_this_host_has_and_its_configuration_does_not_say_otherwise() {
        let tree = Tree::new(&[(
            "proc/mdstat",
            "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0]\n      100 blocks [2/2] [UU]\n",
        )]);
        std::fs::create_dir_all(tree.path("run/systemd/system")).unwrap();
        let names = |checks: &Checks| checks.checks.iter().map(|check| check.name.clone()).collect::<Vec<_>>();
        let added = |mut checks: Checks, run: &str| {
            add_host_pack(&mut checks, &tree.path(run));
            names(&checks)
        };
        let base = Checks { proc: tree.path("proc"), ..Checks::default() };
        assert_eq!(added(base.clone(), "run"), ["units", "raid"]);
        assert_eq!(added(base.clone(), "other"), ["raid"]);
        assert_eq!(added(Checks { host_pack: false, ..base.clone() }, "run"), [""; 0]);
        let work = Work::Native { kind: "load", keys: Keys::default() };
        let own = Check::new("raid".to_owned(), work.clone(), MINUTE, RETRY, TIMEOUT);
        let mut configured = Checks { checks: vec![own], ..base };
        add_host_pack(&mut configured, &tree.path("run"));
        assert_eq!((names(&configured).join(" "), &configured.checks[0].work), ("raid units".to_owned(), &work));
        assert!(configured.checks[1].remedy.contains("journalctl"));
    }
}
