//! Installed packages: of dpkg, apk and pacman by their files, of rpm by asking it.
//!
//! Databases are read again only when their files are others than before: a look costs then what a few stats cost.

use muster_common::inventory::Rows;

use super::super::scene::SMALL_BYTES;
use super::{Problem, Scene, packages_rpm};
use crate::sources::parse;

/// Files whose change means other packages, of every manager; folders count too, since databases are replaced by new names.
pub(in super::super) const DATABASES: [&str; 13] = [
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d",
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
    "var/lib/pacman/local",
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/rpmdb.sqlite-wal",
    "usr/lib/sysimage/rpm/Packages",
    "usr/lib/sysimage/rpm/Packages.db",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
];
/// Where the files of rpm begin among them.
const RPM_FIRST: usize = 5;
/// Files of a database that has one a package.
const FILES_MAX: usize = 20_000;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let stamps: Vec<_> = DATABASES.iter().map(|path| scene.stamp(path)).collect();
    if let Some((before, found)) = &scene.memory.borrow().packages
        && *before == stamps
    {
        rows.clone_from(found);
        return Ok(());
    }
    let mut dpkg = Dpkg::default();
    scene.each_line(DATABASES[0], |line| dpkg.line(line, rows))?;
    dpkg.line(b"", rows);
    // Images that were made without dpkg have a file a package.
    for name in scene.list(DATABASES[1], FILES_MAX)? {
        if !name.ends_with(".md5sums") {
            scene.each_line(&format!("{}/{name}", DATABASES[1]), |line| dpkg.line(line, rows))?;
            dpkg.line(b"", rows);
        }
    }
    let mut apk = Apk::default();
    for path in [DATABASES[2], DATABASES[3]] {
        scene.each_line(path, |line| apk.line(line, rows))?;
        apk.line(b"", rows);
    }
    for name in scene.list(DATABASES[4], FILES_MAX)? {
        pacman(&scene.read(&format!("{}/{name}/desc", DATABASES[4]), SMALL_BYTES)?.unwrap_or_default(), rows);
    }
    if stamps[RPM_FIRST..].iter().any(|stamp| *stamp != Default::default()) {
        packages_rpm::read(scene, rows)?;
    }
    scene.memory.borrow_mut().packages = Some((stamps, rows.clone()));
    Ok(())
}

/// Reads dpkg's status file: paragraphs of `Field: value`, apart by empty lines; lines that begin with a blank go on with the field above.
#[derive(Default)]
struct Dpkg {
    fields: [Option<String>; 5],
}

impl Dpkg {
    const FIELDS: [&[u8]; 5] = [b"Package", b"Architecture", b"Version", b"Source", b"Status"];

    fn line(&mut self, line: &[u8], rows: &mut Rows) {
        if line.trim_ascii().is_empty() {
            return self.end(rows);
        }
        let Some(at) = line.iter().position(|byte| *byte == b':') else { return };
        if let Some(place) = Self::FIELDS.iter().position(|field| *field == &line[..at]) {
            self.fields[place].get_or_insert_with(|| parse::text(line[at + 1..].trim_ascii()));
        }
    }

    fn end(&mut self, rows: &mut Rows) {
        let [name, architecture, version, source, status] = std::mem::take(&mut self.fields);
        let Some(name) = name else { return };
        let status = status.map_or_else(|| Some("installed".to_owned()), |status| shown_status(&status));
        // Names that dpkg only knows of, such as ones that are selected.
        let (Some(status), Some(version)) = (status, version) else { return };
        // `openssl (3.0.2)` where its version is another one.
        let source = source.and_then(|source| source.split_ascii_whitespace().next().map(str::to_owned));
        let source = source.unwrap_or_else(|| name.clone());
        rows.add(["dpkg".into(), name.into(), architecture.into(), version.into(), source.into(), status.into()]);
    }
}

/// `install ok installed` is `installed`, as dpkg-query's `db:Status-Status`; what was held or is broken is told in full.
fn shown_status(status: &str) -> Option<String> {
    match status.split_ascii_whitespace().collect::<Vec<_>>()[..] {
        [_, _, "not-installed"] => None,
        ["install" | "deinstall" | "purge", "ok", state] => Some(state.to_owned()),
        _ => Some(status.to_owned()),
    }
}

/// Reads apk's database: paragraphs of `P:name`, apart by empty lines.
#[derive(Default)]
struct Apk {
    fields: [Option<String>; 4],
}

impl Apk {
    fn line(&mut self, line: &[u8], rows: &mut Rows) {
        match line {
            [] => self.end(rows),
            [key, b':', value @ ..] => {
                if let Some(place) = b"PAVo".iter().position(|known| known == key) {
                    self.fields[place].get_or_insert_with(|| parse::text(value));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, rows: &mut Rows) {
        let [name, architecture, version, source] = std::mem::take(&mut self.fields);
        let Some(name) = name else { return };
        let source = source.unwrap_or_else(|| name.clone());
        let (manager, status) = ("apk", "installed");
        rows.add([manager.into(), name.into(), architecture.into(), version.into(), source.into(), status.into()]);
    }
}

/// pacman's file of one package: `%NAME%`, and its value on the next line.
fn pacman(bytes: &[u8], rows: &mut Rows) {
    let value = |key: &[u8]| {
        let mut lines = bytes.split(|byte| *byte == b'\n').skip_while(|line| *line != key).skip(1);
        lines.next().map(parse::text)
    };
    let (Some(name), Some(version)) = (value(b"%NAME%"), value(b"%VERSION%")) else { return };
    let source = value(b"%BASE%").unwrap_or_else(|| name.clone());
    let architecture = value(b"%ARCH%");
    rows.add(["pacman".into(), name.into(), architecture.into(), version.into(), source.into(), "installed".into()]);
}
