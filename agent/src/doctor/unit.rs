//! The agent's systemd unit, as far as it decides what the agent and its plugins may do: read of its file and its drop-ins. Pure, but for finding them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The unit that packages install.
pub(super) const NAME: &str = "muster-agent.service";
/// Where systemd looks for units, the first that has it counts.
const FOLDERS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// A unit file is a page or two.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// `ProtectHome=`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Home {
    #[default]
    Open,
    ReadOnly,
    /// The folders are empty or closed.
    Hidden,
}

/// What the unit allows. The default is a process without a unit: everything that its user may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// The unit's own file; `None`: there is none, and nothing below is restricted.
    pub(super) file: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) no_new_privileges: bool,
    /// Bits of the capabilities that a program may come to have.
    pub(super) bounding: u64,
    /// Bits that the agent itself and what it starts have.
    pub(super) ambient: u64,
    pub(super) home: Home,
    pub(super) private_devices: bool,
    pub(super) private_tmp: bool,
    /// `ProtectSystem=strict`: only what is named below may be written.
    pub(super) is_strict: bool,
    pub(super) writable: Vec<String>,
    pub(super) inaccessible: Vec<String>,
    /// Those of [`CALLS`] that are filtered out.
    pub(super) denied_calls: BTreeSet<&'static str>,
    /// `RestrictAddressFamilies=`; `None`: all.
    pub(super) families: Option<Vec<String>>,
    /// `MemoryDenyWriteExecute=`: code that a program makes while it runs cannot be run.
    pub(super) denies_new_code: bool,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            file: None,
            user: None,
            groups: Vec::new(),
            no_new_privileges: false,
            bounding: u64::MAX,
            ambient: 0,
            home: Home::Open,
            private_devices: false,
            private_tmp: false,
            is_strict: false,
            writable: Vec::new(),
            inaccessible: Vec::new(),
            denied_calls: BTreeSet::new(),
            families: None,
            denies_new_code: false,
        }
    }
}

/// Calls that plugins make and units deny, each with systemd's sets that it is in.
const CALLS: [(&str, &[&str]); 6] = [
    ("setuid", &["@privileged", "@setuid"]),
    ("setgid", &["@setuid"]),
    ("setresuid", &["@privileged", "@setuid"]),
    ("setresgid", &["@setuid"]),
    ("setgroups", &["@privileged", "@setuid"]),
    ("capset", &["@privileged"]),
];

/// Capabilities by their numbers, as `man 7 capabilities` lists them.
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The bit of a capability; `None`: no such.
pub(super) fn capability(name: &str) -> Option<u64> {
    CAPABILITIES.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|number| 1 << number)
}

/// The names of these bits, as a unit has them.
pub(super) fn capability_names(bits: u64) -> String {
    let names = CAPABILITIES.iter().enumerate().filter(|(number, _)| bits & (1 << number) != 0);
    names.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
}

/// Finds the installed unit with its drop-ins; without restrictions where there is none.
pub(super) fn find(root: &Path) -> Unit {
    let path = |folder: &str| root.join(folder).join(NAME);
    match FOLDERS.iter().map(|folder| path(folder)).find(|path| path.is_file()) {
        Some(file) => read_with_drop_ins(root, &file),
        None => Unit::default(),
    }
}

/// The unit in this file, with the installed drop-ins.
pub(super) fn read_with_drop_ins(root: &Path, file: &Path) -> Unit {
    let mut texts = vec![text(file)];
    // By name, over all folders; of one name the first folder's counts.
    let mut drop_ins = BTreeMap::new();
    let beside = file.parent().unwrap_or(Path::new("/")).to_path_buf();
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).chain([beside]) {
        let Ok(entries) = std::fs::read_dir(folder.join(format!("{NAME}.d"))) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|end| end == "conf") {
                let name = path.file_name().map(std::ffi::OsStr::to_os_string);
                drop_ins.entry(name).or_insert(path);
            }
        }
    }
    texts.extend(drop_ins.values().map(|path| text(path)));
    Unit { file: Some(file.to_path_buf()), ..parse(&texts) }
}

fn text(path: &Path) -> String {
    use std::io::Read;
    let mut text = String::new();
    // One that cannot be read says nothing; systemd would not start it either.
    let _ = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    text
}

/// What these files say together, in their order.
pub(super) fn parse(texts: &[String]) -> Unit {
    let mut unit = Unit::default();
    for text in texts {
        let mut is_service = false;
        // A line that ends in a backslash goes on in the next.
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if line.starts_with(['#', ';']) || line.is_empty() {
                continue;
            }
            if let Some(section) = line.strip_prefix('[') {
                is_service = section == "Service]";
            } else if let Some((key, value)) = line.split_once('=').filter(|_| is_service) {
                unit.set(key.trim(), value.trim());
            }
        }
    }
    unit
}

impl Unit {
    fn set(&mut self, key: &str, value: &str) {
        let words = || value.split_ascii_whitespace().map(|word| word.trim_matches('"').to_owned());
        match key {
            "User" => self.user = (!value.is_empty()).then(|| value.to_owned()),
            "Group" | "SupplementaryGroups" => add(&mut self.groups, value, words()),
            "NoNewPrivileges" => self.no_new_privileges = truth(value),
            "CapabilityBoundingSet" => self.bounding = set_bits(self.bounding, value, u64::MAX),
            "AmbientCapabilities" => self.ambient = set_bits(self.ambient, value, 0),
            "ProtectHome" => {
                self.home = match value {
                    "read-only" => Home::ReadOnly,
                    "tmpfs" => Home::Hidden,
                    other if truth(other) => Home::Hidden,
                    _ => Home::Open,
                };
            }
            "PrivateDevices" => self.private_devices = truth(value),
            "PrivateTmp" => self.private_tmp = truth(value) || value == "disconnected",
            "ProtectSystem" => self.is_strict = value == "strict",
            "ReadWritePaths" => add(&mut self.writable, value, words()),
            "StateDirectory" => self.writable.extend(words().map(|name| format!("/var/lib/{name}"))),
            "InaccessiblePaths" => add(&mut self.inaccessible, value, words()),
            "RestrictAddressFamilies" => {
                if value.is_empty() {
                    self.families = None;
                } else if !value.starts_with('~') {
                    let mut all = self.families.take().unwrap_or_default();
                    all.extend(words().filter(|word| word != "none"));
                    self.families = Some(all);
                }
            }
            "SystemCallFilter" => self.filter(value),
            "MemoryDenyWriteExecute" => self.denies_new_code = truth(value),
            _ => {}
        }
    }

    /// A first list that allows denies all the others; that none of [`CALLS`] is in `@system-service` but by name is what packages' units rely on.
    fn filter(&mut self, value: &str) {
        let (is_denied, words) = match value.strip_prefix('~') {
            Some(words) => (true, words),
            None => (false, value),
        };
        if value.is_empty() {
            self.denied_calls.clear();
        }
        for word in words.split_ascii_whitespace() {
            // `:EPERM` says what a denied call gives.
            let word = word.split(':').next().unwrap_or(word);
            let named =
                CALLS.iter().filter(|(call, sets)| *call == word || sets.contains(&word)).map(|(call, _)| *call);
            for call in named {
                if is_denied {
                    self.denied_calls.insert(call);
                } else {
                    self.denied_calls.remove(call);
                }
            }
        }
    }
}

/// An empty value begins the list anew.
fn add(list: &mut Vec<String>, value: &str, words: impl Iterator<Item = String>) {
    if value.is_empty() {
        list.clear();
    } else {
        // A dash or a plus before a path says what to do where it is missing.
        list.extend(words.map(|word| word.trim_start_matches(['-', '+']).to_owned()));
    }
}

/// As systemd reads a list of capabilities: an empty value is the empty set, `~` takes away, the first list replaces what was not set yet.
fn set_bits(now: u64, value: &str, unset: u64) -> u64 {
    let bits = |words: &str| words.split_ascii_whitespace().filter_map(capability).fold(0, |all, bit| all | bit);
    match value.strip_prefix('~') {
        _ if value.is_empty() => 0,
        Some(words) if words.trim().is_empty() => u64::MAX,
        Some(words) => now & !bits(words),
        None if now == unset => bits(value),
        None => now | bits(value),
    }
}

fn truth(value: &str) -> bool {
    ["yes", "true", "on", "1"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "\
[Unit]
User=nobody
[Service]
User=muster
SupplementaryGroups=adm \\
  systemd-journal
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
PrivateTmp=yes
StateDirectory=muster-agent
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# NoNewPrivileges=no
";

    #[test]
    fn the_packages_unit_restricts_and_a_drop_in_relaxes() {
        let unit = parse(&[UNIT.to_owned()]);
        assert_eq!((unit.user.as_deref(), unit.groups.join(" ").as_str()), (Some("muster"), "adm systemd-journal"));
        assert_eq!((unit.bounding, unit.ambient, unit.home), (0, 0, Home::ReadOnly));
        assert!(
            unit.no_new_privileges
                && unit.private_devices
                && unit.private_tmp
                && unit.is_strict
                && unit.denied_calls.contains("capset")
        );
        assert_eq!((unit.writable.join(" ").as_str(), unit.families.unwrap().len()), ("/var/lib/muster-agent", 3));
        let drop_in = "[Service]\nCapabilityBoundingSet=CAP_NET_RAW\nAmbientCapabilities=CAP_NET_RAW\nPrivateDevices=no\n\
                       NoNewPrivileges=no\nSystemCallFilter=@privileged\nSupplementaryGroups=\nSupplementaryGroups=disk\n\
                       ProtectHome=tmpfs\nReadWritePaths=-/srv/x\n";
        let unit = parse(&[UNIT.to_owned(), drop_in.to_owned()]);
        assert_eq!((capability_names(unit.bounding).as_str(), unit.ambient), ("CAP_NET_RAW", unit.bounding));
        assert!(
            !unit.private_devices
                && !unit.no_new_privileges
                && unit.denied_calls.is_empty()
                && unit.home == Home::Hidden
        );
        assert_eq!(
            (unit.groups, unit.writable),
            (vec!["disk".to_owned()], vec!["/var/lib/muster-agent".into(), "/srv/x".into()])
        );
    }

    #[test]
    fn bounding_sets_are_read_as_systemd_reads_them() {
        let raw = capability("cap_net_raw").unwrap();
        for (lines, expect) in [
            ("", u64::MAX),
            ("CapabilityBoundingSet=\n", 0),
            ("CapabilityBoundingSet=CAP_NET_RAW\n", raw),
            ("CapabilityBoundingSet=~CAP_NET_RAW\n", !raw),
            ("CapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=CAP_NET_RAW\n", raw | 1),
            ("CapabilityBoundingSet=\nCapabilityBoundingSet=~\n", u64::MAX),
        ] {
            assert_eq!(parse(&[format!("[Service]\n{lines}")]).bounding, expect, "{lines}");
        }
        assert_eq!(capability("CAP_NONE"), None);
    }

    #[test]
    fn the_installed_unit_is_found_with_the_drop_ins_of_all_folders() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(find(root.path()), Unit::default());
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("usr/lib/systemd/system/muster-agent.service", UNIT);
        write("usr/lib/systemd/system/muster-agent.service.d/b.conf", "[Service]\nPrivateDevices=no\n");
        write("etc/systemd/system/muster-agent.service.d/b.conf", "[Service]\nPrivateTmp=no\n");
        write("etc/systemd/system/muster-agent.service.d/a.txt", "[Service]\nNoNewPrivileges=no\n");
        let unit = find(root.path());
        assert!(unit.file.is_some_and(|file| file.ends_with("usr/lib/systemd/system/muster-agent.service")));
        assert!(unit.private_devices && !unit.private_tmp && unit.no_new_privileges);
    }
}
