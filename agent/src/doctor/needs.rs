//! What plugins need that a hardened unit does not give, and the drop-in that gives it. Pure.
//!
//! What the file itself says (set-user-id, capabilities) comes first; the table knows what no file says: sockets, devices, files of their own.

use super::unit::{Home, Unit, capability, capability_names};

/// Something that a plugin needs beyond an ordinary user's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// These capabilities, such as for raw sockets.
    Capabilities(u64),
    /// To become another user or group: a set-user-id or set-group-id program that does not do with capabilities, or sudo.
    OtherUser(String),
    /// System calls that the unit may deny: programs that drop privileges end when they cannot.
    Calls(Vec<&'static str>),
    /// A family of sockets.
    Family(&'static str),
    /// To run code that it makes while it runs, as just-in-time compilers do.
    NewCode(String),
    /// Devices below `/dev`.
    Devices,
    /// A folder that it writes to.
    Writes(String),
    /// A path that the unit may hide.
    Sees(String),
}

/// Programs by their names, and what they need: capabilities, calls, families of sockets, devices, a folder. Of Debian's monitoring-plugins and what
/// is often added to them, and the programs that they start.
const KNOWN: [(&str, &str); 19] = [
    // It drops its privileges once its socket is open, and ends where it cannot.
    ("check_icmp", "CAP_NET_RAW setuid"),
    ("check_host", "CAP_NET_RAW setuid"),
    ("check_rta_multi", "CAP_NET_RAW setuid"),
    ("check_fping", "CAP_NET_RAW"),
    ("check_dhcp", "CAP_NET_RAW CAP_NET_BIND_SERVICE"),
    ("ping", "capset setuid"),
    ("arping", "CAP_NET_RAW capset setuid AF_PACKET"),
    ("check_arping", "CAP_NET_RAW capset setuid AF_PACKET"),
    ("nmap", "CAP_NET_RAW AF_PACKET"),
    ("check_ide_smart", "devices"),
    ("check_smart", "devices"),
    ("check_smart.pl", "devices"),
    ("check_smartmon", "devices"),
    ("check_nvme", "devices"),
    ("check_megaraid_sas", "devices"),
    ("smartctl", "devices"),
    ("nvme", "devices"),
    ("megacli", "devices"),
    ("check_logfiles", "/var/tmp/check_logfiles"),
];
/// Calls and families of [`KNOWN`], as needs have them.
const CALLS: [&str; 2] = ["capset", "setuid"];
const FAMILIES: [&str; 1] = ["AF_PACKET"];
/// Programs that compile while they run.
const COMPILERS: [&str; 10] = ["node", "nodejs", "deno", "bun", "java", "dotnet", "mono", "pwsh", "luajit", "pypy3"];

/// Programs that become somebody else.
const OTHER_USERS: [&str; 5] = ["sudo", "doas", "su", "pkexec", "runuser"];
/// Options of plugins that name a file which they write.
const WRITTEN: [(&str, &str); 2] = [("check_log", "-O"), ("check_mysql_query", "--statefile")];

/// What this command line needs by its words alone.
pub(super) fn of_words(words: &[String]) -> Vec<Need> {
    let mut needs = Vec::new();
    let Some(program) = words.first() else { return needs };
    let name = base_name(program);
    if let Some(other) = words.iter().map(|word| base_name(word)).find(|word| OTHER_USERS.contains(word)) {
        needs.push(Need::OtherUser(other.to_owned()));
    }
    // A word that is no path may be a host's name.
    let programs = words.iter().enumerate().filter(|(number, word)| *number == 0 || word.starts_with('/'));
    for name in programs.map(|(_, word)| base_name(word)) {
        if COMPILERS.contains(&name) {
            needs.push(Need::NewCode(name.to_owned()));
        }
        if let Some((_, wanted)) = KNOWN.iter().find(|(known, _)| *known == name) {
            needs.extend(of_table(wanted));
        }
    }
    for (number, word) in words.iter().enumerate().skip(1) {
        let written = WRITTEN.iter().any(|(known, option)| name == *known && words[number - 1] == *option);
        if written {
            let folder = word.rsplit_once('/').map_or("/", |(folder, _)| folder);
            needs.push(Need::Writes(folder.to_owned()));
        } else if word.starts_with("/dev/")
            && !["/dev/null", "/dev/zero", "/dev/urandom", "/dev/shm"].contains(&word.as_str())
        {
            needs.push(Need::Devices);
        }
    }
    needs.extend(words.iter().filter(|word| word.starts_with('/')).map(|word| Need::Sees(word.clone())));
    needs.dedup();
    needs
}

/// Whether the program only starts another one as somebody else.
pub(super) fn becomes_another(program: &std::path::Path) -> bool {
    OTHER_USERS.contains(&base_name(&program.to_string_lossy()))
}

/// The needs of one line of [`KNOWN`].
fn of_table(wanted: &'static str) -> Vec<Need> {
    let words = || wanted.split(' ');
    let bits = words().filter_map(capability).fold(0, |all, bit| all | bit);
    let calls: Vec<&'static str> = words().filter(|word| CALLS.contains(word)).collect();
    let mut needs = Vec::new();
    if bits != 0 {
        needs.push(Need::Capabilities(bits));
    }
    if !calls.is_empty() {
        needs.push(Need::Calls(calls));
    }
    needs.extend(words().filter(|word| FAMILIES.contains(word)).map(Need::Family));
    if wanted == "devices" {
        needs.push(Need::Devices);
    } else if wanted.starts_with('/') {
        needs.push(Need::Writes(wanted.to_owned()));
    }
    needs
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Why a need is not met, and the lines of `[Service]` that meet it.
type Unmet = (String, Vec<String>);

/// `None`: the unit gives what is needed.
pub(super) fn judge(need: &Need, unit: &Unit) -> Option<Unmet> {
    match need {
        Need::Capabilities(bits) => capabilities(*bits, unit),
        Need::OtherUser(by) => other_user(by, unit),
        Need::Calls(calls) => {
            let denied: Vec<&str> = calls.iter().copied().filter(|call| unit.denied_calls.contains(call)).collect();
            let names = denied.join(" ");
            let why = format!("drops privileges by calls that the unit denies ({names}), and ends where it cannot");
            (!denied.is_empty()).then(|| (why, vec![format!("SystemCallFilter={names}")]))
        }
        Need::Family(family) => {
            let is_denied = unit.families.as_ref().is_some_and(|families| !families.iter().any(|own| own == family));
            let why = format!("opens sockets of {family}, which the unit denies");
            is_denied.then(|| (why, vec![format!("RestrictAddressFamilies={family}")]))
        }
        Need::NewCode(program) => unit.denies_new_code.then(|| {
            let why = format!("is run by {program}, which compiles while it runs, and the unit denies that");
            (why, vec!["MemoryDenyWriteExecute=no".to_owned()])
        }),
        Need::Devices => devices(unit),
        Need::Writes(folder) => writes(folder, unit),
        Need::Sees(path) => hidden(path, unit),
    }
}

fn capabilities(bits: u64, unit: &Unit) -> Option<Unmet> {
    let missing = bits & !(unit.ambient & unit.bounding);
    // Without the flag, and within the bounding set, the file's own capabilities or its owner's do.
    if missing == 0 || (!unit.no_new_privileges && bits & !unit.bounding == 0) {
        return None;
    }
    let names = capability_names(missing);
    let lines = vec![format!("AmbientCapabilities={names}"), format!("CapabilityBoundingSet={names}")];
    Some((format!("needs {names}, which the unit gives to nobody"), lines))
}

fn other_user(by: &str, unit: &Unit) -> Option<Unmet> {
    let mut lines = Vec::new();
    let mut add = |is_wanted: bool, line: &str| lines.extend(is_wanted.then(|| line.to_owned()));
    let wanted = ["CAP_SETUID", "CAP_SETGID", "CAP_AUDIT_WRITE", "CAP_DAC_OVERRIDE"];
    let bits = wanted.into_iter().filter_map(capability).fold(0, |all, bit| all | bit);
    add(unit.no_new_privileges, "NoNewPrivileges=no");
    add(bits & !unit.bounding != 0, &format!("CapabilityBoundingSet={}", wanted.join(" ")));
    add(unit.denied_calls.contains("setresuid"), "SystemCallFilter=@setuid");
    (!lines.is_empty()).then(|| (format!("becomes another user or group by {by}, which the unit forbids"), lines))
}

fn devices(unit: &Unit) -> Option<Unmet> {
    let mut lines = vec![
        "PrivateDevices=no",
        "DeviceAllow=block-sd rw",
        "DeviceAllow=block-blkext rw",
        "DeviceAllow=char-nvme rw",
        "SupplementaryGroups=disk",
    ];
    if unit.ambient & capability("CAP_SYS_RAWIO").unwrap_or(0) == 0 {
        lines.extend(["AmbientCapabilities=CAP_SYS_RAWIO", "CapabilityBoundingSet=CAP_SYS_RAWIO"]);
    }
    let why = "asks devices below /dev, of which the unit shows none (PrivateDevices=yes)";
    unit.private_devices.then(|| (why.to_owned(), lines.into_iter().map(str::to_owned).collect()))
}

fn writes(folder: &str, unit: &Unit) -> Option<Unmet> {
    let by_tmp = unit.private_tmp && (is_below(folder, "/tmp") || is_below(folder, "/var/tmp"));
    let is_named = unit.writable.iter().any(|path| is_below(folder, path.trim_end_matches('/')));
    let why = format!("writes to {folder}, and the unit may write to its own folder alone (ProtectSystem=strict)");
    // With the dash the unit starts where the folder is missing.
    (unit.is_strict && !by_tmp && !is_named).then(|| (why, vec![format!("ReadWritePaths=-{folder}")]))
}

/// Whether the unit hides this path from what runs in it, and the lines that show it.
pub(super) fn hidden(path: &str, unit: &Unit) -> Option<Unmet> {
    let in_home = ["/home", "/root", "/run/user"].iter().any(|home| is_below(path, home));
    if in_home && unit.home == Home::Hidden {
        let why = format!("{path} lies where the unit shows nothing (ProtectHome)");
        return Some((why, vec!["ProtectHome=read-only".to_owned()]));
    }
    let in_tmp = ["/tmp", "/var/tmp"].iter().any(|tmp| is_below(path, tmp));
    if in_tmp && unit.private_tmp {
        let why = format!("{path} lies in a folder of which the unit has one of its own (PrivateTmp=yes)");
        return Some((why, vec!["PrivateTmp=no".to_owned()]));
    }
    let closed = unit.inaccessible.iter().find(|closed| is_below(path, closed))?;
    let why = format!("{path} lies below {closed}, which the unit closes (InaccessiblePaths)");
    Some((why, vec!["InaccessiblePaths=".to_owned()]))
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A drop-in with these lines, as `systemctl edit` takes it.
pub(super) fn drop_in(lines: &[String]) -> String {
    format!(
        "systemctl edit muster-agent   # write these lines, then: systemctl restart muster-agent\n[Service]\n{}",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hardened() -> Unit {
        Unit {
            no_new_privileges: true,
            bounding: 0,
            home: Home::ReadOnly,
            private_devices: true,
            is_strict: true,
            denied_calls: ["setuid", "setresuid", "setgroups", "capset"].into(),
            families: Some(vec!["AF_INET".to_owned()]),
            denies_new_code: true,
            writable: vec!["/var/lib/muster-agent".to_owned()],
            ..Unit::default()
        }
    }

    fn lines(command: &str, unit: &Unit) -> Vec<String> {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        of_words(&words).iter().filter_map(|need| judge(need, unit)).flat_map(|(_, lines)| lines).collect()
    }

    #[test]
    fn each_need_has_exactly_the_lines_that_give_it() {
        let unit = hardened();
        for (command, expect) in [
            ("/p/check_disk -w 10%", &[][..]),
            (
                "/p/check_icmp -H x",
                &["AmbientCapabilities=CAP_NET_RAW", "CapabilityBoundingSet=CAP_NET_RAW", "SystemCallFilter=setuid"],
            ),
            ("/usr/bin/ping -c 1 x", &["SystemCallFilter=capset setuid"]),
            ("/p/check_tcp -H ping", &[]),
            ("/usr/bin/nodejs /opt/x.js", &["MemoryDenyWriteExecute=no"]),
            (
                "/usr/sbin/arping x",
                &[
                    "AmbientCapabilities=CAP_NET_RAW",
                    "CapabilityBoundingSet=CAP_NET_RAW",
                    "SystemCallFilter=capset setuid",
                    "RestrictAddressFamilies=AF_PACKET",
                ],
            ),
            (
                "/p/check_dhcp",
                &[
                    "AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_NET_RAW",
                    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_NET_RAW",
                ],
            ),
            (
                "/usr/bin/sudo /p/check_raid",
                &[
                    "NoNewPrivileges=no",
                    "CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_AUDIT_WRITE CAP_DAC_OVERRIDE",
                    "SystemCallFilter=@setuid",
                ],
            ),
            ("/p/check_log -F /var/log/x -O /var/cache/old/x", &["ReadWritePaths=-/var/cache/old"]),
            ("/p/check_log -F /var/log/x -O /var/lib/muster-agent/x", &[]),
            ("/p/check_logfiles -f /etc/x", &["ReadWritePaths=-/var/tmp/check_logfiles"]),
        ] {
            assert_eq!(lines(command, &unit), expect, "{command}");
            assert_eq!(lines(command, &Unit::default()), [""; 0], "{command} without a unit");
        }
        for command in ["/p/check_ide_smart -d /dev/sda", "/p/check_x /dev/md0"] {
            assert!(lines(command, &unit).contains(&"PrivateDevices=no".to_owned()), "{command}");
        }
        assert_eq!(lines("/p/check_x -f /dev/null", &unit), [""; 0]);
    }

    #[test]
    fn the_lines_that_are_told_are_enough() {
        use super::super::unit::parse;
        let packaged = "[Service]\nNoNewPrivileges=yes\nCapabilityBoundingSet=\nProtectHome=yes\nPrivateDevices=yes\nPrivateTmp=yes\n\
                        ProtectSystem=strict\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n\
                        MemoryDenyWriteExecute=true\nRestrictAddressFamilies=AF_INET AF_INET6\n";
        for command in [
            "/usr/bin/node /opt/x",
            "/usr/sbin/arping x",
            "/bin/ping x",
            "/p/check_icmp -H x",
            "/p/check_dhcp",
            "/usr/bin/sudo /p/x",
            "/p/check_smart -d /dev/sda",
            "/p/check_log -O /srv/old/x",
            &["/ho", "me/me/check"].concat(),
            "/tmp/check",
        ] {
            let told = lines(command, &parse(&[packaged.to_owned()]));
            assert!(!told.is_empty(), "{command}");
            let drop_in = format!("[Service]\n{}\n", told.join("\n"));
            assert_eq!(lines(command, &parse(&[packaged.to_owned(), drop_in])), [""; 0], "{command}: {told:?}");
        }
    }

    #[test]
    fn what_the_unit_hides_is_told_with_the_line_that_shows_it() {
        let unit = Unit { home: Home::Hidden, private_tmp: true, inaccessible: vec!["/srv".to_owned()], ..hardened() };
        let home = ["/ho", "me/me/x"].concat();
        for (path, line) in
            [(home.as_str(), "ProtectHome=read-only"), ("/tmp/x", "PrivateTmp=no"), ("/srv/x", "InaccessiblePaths=")]
        {
            assert_eq!(hidden(path, &unit).unwrap().1, [line], "{path}");
            assert_eq!(hidden(path, &Unit::default()), None);
        }
        assert_eq!(hidden("/homestead/x", &unit), None);
        assert!(drop_in(&["A=b".to_owned()]).ends_with("[Service]\nA=b"));
    }
}
