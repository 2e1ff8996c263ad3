//! What systems have of their own and nobody needs to watch one by one: never proposed, each with the reason.
//!
//! A name that ends with `*` stands for all that begin so.

/// Why, and names of units.
const UNITS: &[(&str, &[&str])] = &[
    (
        "the base of every system: when it fails, the check `units` of the host pack says so",
        &[
            "systemd-*",
            "dbus.service",
            "dbus-*",
            "polkit.service",
            "polkitd.service",
            "getty@*",
            "serial-getty@*",
            "console-getty.service",
            "container-getty@*",
            "autovt@*",
            "user@*",
            "user-runtime-dir@*",
            "initrd-*",
            "emergency.service",
            "rescue.service",
            "debug-shell.service",
            "plymouth*",
            "dracut-*",
            "rc-local.service",
            "kmod*",
            "modprobe@*",
            "ldconfig.service",
        ],
    ),
    (
        "it sets something up at boot or on a timer and ends",
        &[
            "apparmor.service",
            "keyboard-setup.service",
            "console-setup.service",
            "setvtrgb.service",
            "nftables.service",
            "ufw.service",
            "networking.service",
            "ifup@*",
            "ifupdown-*",
            "cloud-*",
            "selinux-autorelabel*",
            "rhel-*",
            "nis-domainname.service",
            "import-state.service",
            "loadmodules.service",
            "blk-availability.service",
            "lvm2-*",
            "dmraid-*",
            "finalrd.service",
            "grub-*",
            "kdump*",
            "e2scrub*",
            "fstrim.service",
            "apt-daily*",
            "dnf-*",
            "packagekit*",
            "unattended-upgrades.service",
            "man-db.service",
            "mlocate*",
            "plocate*",
            "logrotate.service",
            "dpkg-db-backup.service",
            "motd-news.service",
            "update-notifier*",
            "ua-*",
            "ubuntu-advantage.service",
            "apport*",
            "whoopsie.service",
            "kerneloops.service",
            "sshd-keygen*",
            "ssl-cert.service",
            "sysstat*",
            "alsa-*",
            "pollinate.service",
            "secureboot-db.service",
            "snapd.*",
        ],
    ),
    (
        "it serves somebody who sits at the machine",
        &[
            "gdm*",
            "lightdm.service",
            "sddm.service",
            "display-manager.service",
            "accounts-daemon.service",
            "colord.service",
            "bluetooth.service",
            "cups*",
            "geoclue.service",
            "rtkit-daemon.service",
            "upower.service",
            "power-profiles-daemon.service",
            "switcheroo-control.service",
            "thermald.service",
            "wpa_supplicant.service",
            "ModemManager.service",
            "udisks2.service",
            "avahi-daemon.service",
            "fwupd*",
            "iio-sensor-proxy.service",
        ],
    ),
    ("a silent host tells of it", &["NetworkManager*", "muster-agent.service"]),
    ("it was started once, under a name that does not come again", &["run-*", "session-*", "libpod-conmon-*"]),
];

/// Why, protocol, and ports.
const PORTS: &[(&str, &str, &[i64])] = &[
    ("a client of DHCP listens there for its answers", "udp", &[68, 546]),
    ("neighbours find each other there", "udp", &[1900, 3702, 5353, 5355]),
    ("neighbours find each other there", "tcp", &[5355]),
    ("the clock's own command asks there", "udp", &[323]),
    ("a search for printers listens there", "udp", &[631]),
];

/// Why, and names of processes.
const PROCESSES: &[(&str, &[&str])] = &[
    (
        "the resolver and the network of the system itself",
        &["systemd-resolve", "systemd-network", "NetworkManager", "dhclient", "dhcpcd", "avahi-daemon"],
    ),
    ("a silent host tells of it", &["muster-agent"]),
    ("it takes a port that the kernel gives it, another at each start", &["rpc.statd", "rpc.mountd", "lockd"]),
];

/// File systems that hold something which stays: local ones, and those of other machines.
const FILE_SYSTEMS: [&str; 32] = [
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "bcachefs",
    "zfs",
    "f2fs",
    "jfs",
    "nilfs2",
    "reiserfs",
    "vfat",
    "exfat",
    "msdos",
    "ntfs",
    "ntfs3",
    "fuseblk",
    "hfsplus",
    "ufs",
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "ceph",
    "glusterfs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "gfs2",
    "ocfs2",
    "9p",
    "virtiofs",
];

/// Why, and places: a file system there, or below one that ends with a slash.
const MOUNTS: &[(&str, &[&str])] = &[
    ("it cannot vanish, and the default rules watch its room", &["/"]),
    (
        "containers and packages mount and unmount there all the time",
        &[
            "/var/lib/docker/",
            "/var/lib/containers/",
            "/var/lib/containerd/",
            "/var/lib/kubelet/",
            "/var/lib/lxc/",
            "/var/lib/lxd/",
            "/var/snap/",
            "/snap/",
            "/run/",
            "/tmp/",
        ],
    ),
    ("whoever sits at the machine has put a medium in", &["/media/", "/run/media/"]),
    (
        "the runtime of this container has put a file there",
        &["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/", "/proc/", "/sys/"],
    ),
];

fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Why a unit is never proposed.
pub(super) fn of_unit(name: &str) -> Option<&'static str> {
    let known = UNITS.iter().find(|(_, names)| names.iter().any(|pattern| is_like(name, pattern)));
    known.map(|(why, _)| *why).or_else(|| {
        let stem = name.split('.').next().unwrap_or_default();
        let is_id = stem.len() >= 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        is_id.then_some("it is named by a container's id, which does not come again")
    })
}

/// Why a port is never proposed.
pub(super) fn of_port(protocol: &str, port: i64, process: &str) -> Option<&'static str> {
    let by_port = PORTS.iter().find(|(_, own, ports)| *own == protocol && ports.contains(&port)).map(|(why, ..)| *why);
    by_port.or_else(|| PROCESSES.iter().find(|(_, names)| names.contains(&process)).map(|(why, _)| *why))
}

/// Why a file system is never proposed.
pub(super) fn of_mount(path: &str, kind: &str) -> Option<&'static str> {
    if !FILE_SYSTEMS.contains(&kind) {
        return Some("it holds nothing that stays, or is one of the kernel's own");
    }
    let is_at = |place: &&str| path == *place || place.len() > 1 && place.ends_with('/') && path.starts_with(*place);
    MOUNTS.iter().find(|(_, places)| places.iter().any(is_at)).map(|(why, _)| *why)
}
