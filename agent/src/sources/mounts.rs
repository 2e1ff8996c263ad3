//! Mount points as the kernel lists them in mountinfo, and which of them are file systems worth a number.

use std::ffi::CString;

use super::parse;

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(super) device: Vec<u8>,
    pub(super) point: Vec<u8>,
    pub(super) kind: Vec<u8>,
    pub(super) major: Vec<u8>,
    pub(super) minor: Vec<u8>,
    pub(super) read_only: bool,
    pub(super) options: Vec<u8>,
}

impl Mount {
    /// The path to ask the kernel about.
    pub(super) fn path(&self) -> Option<CString> {
        CString::new(self.point.clone()).ok()
    }

    pub(crate) fn point(&self) -> &[u8] {
        &self.point
    }

    pub(crate) fn device(&self) -> &[u8] {
        &self.device
    }

    pub(crate) fn kind(&self) -> &[u8] {
        &self.kind
    }

    /// Those of the mount, with commas; not those of the file system under it.
    pub(crate) fn options(&self) -> &[u8] {
        &self.options
    }

    /// Whether it stands on this host's own devices or memory, as far as its line tells.
    pub(super) fn is_local(&self) -> bool {
        self.device.starts_with(b"/dev/") || [&b"tmpfs"[..], b"ramfs", b"zfs", b"rootfs"].contains(&&self.kind[..])
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.device == other.device && self.point == other.point && self.kind == other.kind
    }
}

/// The mounts of a mountinfo file that are not left out, each once.
pub(crate) fn parse_mounts(text: &[u8]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for mount in parse::lines(text).filter_map(parse_mount) {
        let left_out = is_left_out_kind(&mount.kind) || is_left_out_point(&mount.point);
        if !left_out && !mounts.iter().any(|known| known.is_same(&mount)) {
            mounts.push(mount);
        }
    }
    mounts
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda1 rw,errors=continue`: the optional fields end at ` - `.
fn parse_mount(line: &[u8]) -> Option<Mount> {
    let mut words = parse::words(line).skip(2);
    let mut numbers = words.next()?.split(|byte| *byte == b':');
    let (major, minor) = (numbers.next()?.to_vec(), numbers.next()?.to_vec());
    let point = unescape(words.nth(1)?);
    let options = words.next()?;
    let mut words = words.skip_while(|word| *word != b"-").skip(1);
    let kind = words.next()?.to_vec();
    let device = unescape(words.next()?);
    let read_only = has_option(options, b"ro") || words.next().is_some_and(|options| has_option(options, b"ro"));
    Some(Mount { device, point, kind, major, minor, read_only, options: options.to_vec() })
}

fn has_option(options: &[u8], wanted: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == wanted)
}

/// The kernel writes blank, tab, newline and backslash as `\040`, `\011`, `\012` and `\134`.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.first_chunk::<3>().filter(|_| *first == b'\\');
        let value = octal.and_then(|digits| {
            let digit = |byte: u8| (b'0'..=b'7').contains(&byte).then(|| u32::from(byte - b'0'));
            u8::try_from(digit(digits[0])? * 64 + digit(digits[1])? * 8 + digit(digits[2])?).ok()
        });
        plain.push(value.unwrap_or(*first));
        rest = if value.is_some() { &after[3..] } else { after };
    }
    plain
}

/// node_exporter's rule for kinds: what has no blocks of its own.
fn is_left_out_kind(kind: &[u8]) -> bool {
    const KINDS: [&str; 25] = [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "erofs",
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "nsfs",
        "overlay",
        "proc",
        "procfs",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "squashfs",
        "sysfs",
        "tracefs",
    ];
    KINDS.iter().any(|left_out| left_out.as_bytes() == kind)
}

/// node_exporter's rule for places: `^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`.
fn is_left_out_point(point: &[u8]) -> bool {
    let below = |folder: &[u8]| point.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
    let inside = |folder: &[u8]| point.strip_prefix(folder).is_some_and(|rest| !rest.is_empty());
    [&b"/dev"[..], b"/proc", b"/sys"].into_iter().any(below)
        || [&b"/run/credentials/"[..], b"/var/lib/docker/", b"/var/lib/containers/storage/"].into_iter().any(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mountinfo_line_is_read_with_and_without_optional_fields() {
        let text = b"22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n\
            23 22 0:30 / /mnt/my\\040disk ro - nfs4 server:/a\\134b rw\n\
            24 22 8:1 / /data rw - xfs /dev/sdb1 ro,attr2\n\
            24 22 8:1 / /data rw - xfs /dev/sdb1 rw\n\
            25 22 0:5 / /dev/shm rw - tmpfs tmpfs rw\n\
            26 22 0:6 / /sys/x rw - sysfs sysfs rw\n\
            short line\n27 22 x / / rw - \n";
        let mounts = parse_mounts(text);
        let brief: Vec<String> = mounts
            .iter()
            .map(|m| {
                [&m.device, &m.point, &m.kind, &m.major, &m.minor].map(|part| parse::text(part)).join(" ")
                    + if m.read_only { " ro" } else { "" }
            })
            .collect();
        assert_eq!(mounts.iter().map(Mount::is_local).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(
            brief,
            ["/dev/vda / ext4 254 0", "server:/a\\b /mnt/my disk nfs4 0 30 ro", "/dev/sdb1 /data xfs 8 1 ro"]
        );
    }

    #[test]
    fn places_and_kinds_without_blocks_are_left_out() {
        for point in [
            "/dev",
            "/dev/shm",
            "/proc/x",
            "/sys",
            "/run/credentials/a",
            "/var/lib/docker/overlay2/x/merged",
            "/var/lib/containers/storage/o",
        ] {
            assert!(is_left_out_point(point.as_bytes()), "{point}");
        }
        for point in ["/", "/devices", "/run", "/run/credentials/", "/var/lib/docker", "/mnt/dev"] {
            assert!(!is_left_out_point(point.as_bytes()), "{point}");
        }
        assert!(is_left_out_kind(b"overlay") && is_left_out_kind(b"cgroup2"));
        assert!(!is_left_out_kind(b"ext4") && !is_left_out_kind(b"tmpfs") && !is_left_out_kind(b""));
    }
}
