//! os-release: the distribution and its version.

use std::path::Path;
use std::sync::Arc;

use super::metric::Info;
use super::{Roots, Source, SourceError, Tick, parse};

const KEYS: [&str; 12] = [
    "BUILD_ID",
    "ID",
    "ID_LIKE",
    "IMAGE_ID",
    "IMAGE_VERSION",
    "NAME",
    "PRETTY_NAME",
    "VARIANT",
    "VARIANT_ID",
    "VERSION",
    "VERSION_CODENAME",
    "VERSION_ID",
];
const LABELS: &[&str] = &[
    "build_id",
    "id",
    "id_like",
    "image_id",
    "image_version",
    "name",
    "pretty_name",
    "variant",
    "variant_id",
    "version",
    "version_codename",
    "version_id",
];

pub(super) struct OperatingSystem {
    files: [Arc<Path>; 2],
    /// The text that the values were read from: parsed again only when it differs.
    text: Vec<u8>,
    values: [String; KEYS.len()],
    info: Info,
    version: Info,
}

impl OperatingSystem {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            files: ["etc/os-release", "usr/lib/os-release"].map(|file| Arc::from(roots.root.join(file))),
            text: Vec::new(),
            values: Default::default(),
            info: Info::new("node_os_info", LABELS),
            version: Info::new("node_os_version", &["id", "id_like", "name"]),
        }
    }
}

impl Source for OperatingSystem {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let [etc, usr] = &self.files;
        let length = match tick.scratch.read_once(etc) {
            Ok(text) => text.len(),
            Err(_) => {
                let read = tick.scratch.read_once(usr).map(<[u8]>::len);
                read.map_err(|errno| SourceError::of(usr, errno))?
            }
        };
        let text = tick.scratch.text(length);
        if text != self.text {
            self.text = text.to_vec();
            self.values = parse_os_release(text);
        }
        self.info.put(tick.rows, &self.values, 1.0);
        let [_, id, id_like, _, _, name, .., version_id] = &self.values;
        // Rolling distributions have no version.
        if let Some(version) = parse::number(major_and_minor(version_id).as_bytes()) {
            self.version.put(tick.rows, &[id, id_like, name], version);
        }
        Ok(())
    }
}

/// The values of the known keys, in their order. Shell quoting is undone; unknown lines are left.
fn parse_os_release(text: &[u8]) -> [String; KEYS.len()] {
    let mut values: [String; KEYS.len()] = Default::default();
    for line in String::from_utf8_lossy(text).lines() {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        if let Some(place) = KEYS.iter().position(|known| *known == key) {
            values[place] = unquote(value);
        }
    }
    values
}

/// One value of an os-release file; `None`: it has none, or an empty one.
pub(crate) fn os_release_value(text: &str, key: &str) -> Option<String> {
    let of = |line: &str| line.trim().strip_prefix(key)?.strip_prefix('=').map(unquote);
    text.lines().find_map(of).filter(|value| !value.is_empty())
}

fn unquote(value: &str) -> String {
    let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    if let Some(inner) = quoted('\'') {
        return inner.to_owned();
    }
    let inner = quoted('"').unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    plain
}

/// `12.4` of `12.4.1-beta`.
fn major_and_minor(version: &str) -> &str {
    let mut dots = 0;
    let end = version.find(|letter: char| {
        dots += u32::from(letter == '.');
        !(letter.is_ascii_digit() || (letter == '.' && dots < 2))
    });
    version[..end.unwrap_or(version.len())].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, sampled};

    #[test]
    fn the_distribution_is_read_from_either_place() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME='Debian'\nVERSION_ID=\"12\"\nID=debian\n# remark\nHOME_URL=x\nVARIANT=a\\\"b\n";
        for file in ["etc/os-release", "usr/lib/os-release"] {
            assert_eq!(
                sampled("os", &Tree::new(&[(file, text)])).unwrap(),
                [
                    "node_os_info{id=\"debian\",name=\"Debian\",pretty_name=\"Debian GNU/Linux 12 (bookworm)\",variant=\"a\\\"b\",version_id=\"12\"} 1",
                    "node_os_version{id=\"debian\",name=\"Debian\"} 12",
                ]
            );
        }
        assert_eq!(
            sampled("os", &Tree::new(&[("etc/os-release", "ID=arch\n")])).unwrap(),
            ["node_os_info{id=\"arch\"} 1"]
        );
        assert!(sampled("os", &Tree::new(&[])).unwrap_err().is_absence());
    }

    #[test]
    fn only_major_and_minor_make_the_version() {
        for (version, expect) in
            [("12", "12"), ("24.04", "24.04"), ("9.4.1", "9.4"), ("10-rc", "10"), ("", ""), ("7.", "7"), ("sid", "")]
        {
            assert_eq!(major_and_minor(version), expect, "{version}");
        }
    }
}
