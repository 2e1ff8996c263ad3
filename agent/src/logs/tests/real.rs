//! The same rules on the real file system: real inodes, real renames, real gzip, many files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Bench, group, numbered, packed};
use crate::logs::files::RealFiles;
use crate::logs::reader::Limits;

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> (Self, Bench<RealFiles>) {
        let folder = tempfile::tempdir().unwrap();
        let pattern = format!("{}/*.log", folder.path().display());
        let bench = Bench::answered(RealFiles, &[pattern.as_str()]);
        (Self { folder }, bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        append(&self.path(name), bytes);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn whole(bench: &Bench<RealFiles>, range: std::ops::Range<u32>) {
    assert_eq!(bench.lines(), String::from_utf8(numbered(range)).unwrap());
    assert!(bench.collector.is_in_order());
    assert_eq!(bench.collector.losses, []);
}

#[test]
fn renamed_files_are_read_to_their_ends_also_when_the_agent_was_down() {
    for is_wiped in [false, true] {
        let (folder, mut bench) = Folder::new();
        folder.write("a.log", &numbered(0..100));
        bench.settle();
        folder.write("a.log", &numbered(100..120));
        folder.rename("a.log", "a.log.1");
        folder.write("a.log", &numbered(120..130));
        bench.settle();
        whole(&bench, 0..130);
        bench.restart(is_wiped);
        folder.write("a.log", &numbered(130..140));
        fs::write(folder.path("a.log.3.gz"), packed(&fs::read(folder.path("a.log.1")).unwrap())).unwrap();
        fs::remove_file(folder.path("a.log.1")).unwrap();
        folder.rename("a.log", "a.log.2");
        folder.write("a.log", &numbered(140..150));
        folder.rename("a.log", "a.log.1");
        folder.write("a.log", &numbered(150..160));
        bench.answer();
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..160);
    }
}

#[test]
fn copied_and_cut_files_lose_nothing_and_files_made_anew_are_others() {
    let (folder, mut bench) = Folder::new();
    for round in 0..4 {
        folder.write("a.log", &numbered(round * 20..round * 20 + 10));
        bench.settle();
        folder.write("a.log", &numbered(round * 20 + 10..round * 20 + 20));
        fs::copy(folder.path("a.log"), folder.path("a.log.1")).unwrap();
        fs::File::create(folder.path("a.log")).unwrap();
        bench.settle();
    }
    whole(&bench, 0..80);
    for round in 4..8 {
        folder.write("a.log", &numbered(round * 20..round * 20 + 20));
        bench.settle();
        fs::remove_file(folder.path("a.log")).unwrap();
    }
    bench.settle();
    whole(&bench, 0..160);
}

#[test]
fn a_link_that_is_turned_and_bytes_of_any_kind_come_through() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("data")).unwrap();
    let link = path("current");
    let mut bench = Bench::answered(RealFiles, &[link.to_str().unwrap()]);
    append(&path("data/one"), b"\xff\xfe\x01 not text\r\n\n");
    std::os::unix::fs::symlink(path("data/one"), &link).unwrap();
    bench.settle();
    append(&path("data/one"), b"last\n");
    append(&path("data/two"), b"first\n");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(path("data/two"), &link).unwrap();
    bench.settle();
    let lines: Vec<Vec<u8>> = bench.collector.streams.values().flatten().map(|line| line.line.clone()).collect();
    assert_eq!(lines, [&b"\xff\xfe\x01 not text"[..], b"", b"last", b"first"]);
}

#[test]
fn two_thousand_files_are_read_with_few_descriptors() {
    let (folder, mut bench) = Folder::new();
    bench.reader.set_limits(Limits { open_max: 64, ..Limits::default() });
    for number in 0..2_000 {
        folder.write(&format!("{number:04}.log"), b"one\n");
    }
    bench.settle();
    let open = || {
        let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.filter(|target| target.starts_with(folder.folder.path())).count()
    };
    assert!(open() <= 64, "{}", open());
    for number in 0..2_000 {
        folder.write(&format!("{number:04}.log"), b"two\n");
    }
    bench.settle();
    assert_eq!(bench.lines(), "one\ntwo\n".repeat(2_000));
    bench.settle_for(Duration::from_secs(65));
    assert_eq!(open(), 0, "quiet files are closed");
}

#[test]
fn a_preset_pattern_of_one_group_does_not_touch_another() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = |ending: &str| format!("{}/*.{ending}", folder.path().display());
    let (java, plain) = (pattern("java"), pattern("txt"));
    let mut groups = vec![group(&[java.as_str()]), group(&[plain.as_str()])];
    groups[0].multiline = super::starts("java");
    let mut bench = Bench::new(RealFiles, groups);
    bench.answer();
    append(&folder.path().join("a.java"), b"2026 x\n\tat y\n");
    append(&folder.path().join("a.txt"), b"2026 x\n\tat y\n");
    bench.settle_for(Duration::from_secs(3));
    let counts: Vec<usize> = bench.collector.streams.values().map(Vec::len).collect();
    assert_eq!(counts, [1, 2]);
}
