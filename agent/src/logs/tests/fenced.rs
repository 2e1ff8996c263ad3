//! A forged configuration, which asks for whatever its author likes: nothing outside of what the host opens arrives.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Bench, group};
use crate::fence::Fence;
use crate::logs::files::RealFiles;
use crate::logs::memory::MemoryFiles;

/// `in` is open, `out` is not.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["in/deep", "out/deep", "state"] {
            fs::create_dir_all(host.path(name)).unwrap();
        }
        fs::write(host.path("in/a.log"), "inside\n").unwrap();
        fs::write(host.path("out/secret.log"), "SECRET\n").unwrap();
        fs::write(host.path("out/deep/secret.log"), "SECRET deep\n").unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A reader whose groups, but for the first `own`, are of a remote configuration.
    fn bench(&self, patterns: &[&str], own: usize) -> Bench<RealFiles> {
        let full: Vec<String> = patterns.iter().map(|pattern| self.path(pattern).display().to_string()).collect();
        let groups = full.iter().map(|pattern| group(&[pattern.as_str()])).collect();
        let mut bench = Bench::new(RealFiles, groups);
        bench.reader.set_fence(own, Fence::new(vec![self.path("in")], vec![self.path("in/state")]));
        bench.answer();
        bench
    }
}

fn places(bench: &Bench<RealFiles>) -> Vec<String> {
    let name = |place: &str| Path::new(place).file_name().unwrap().to_string_lossy().into_owned();
    bench.reader.problems().iter().map(|problem| name(&problem.place)).collect()
}

#[test]
fn forged_configuration_reads_no_file_outside_the_local_bounds() {
    let host = Host::new();
    symlink(host.path("out/secret.log"), host.path("in/link.log")).unwrap();
    symlink("../out/secret.log", host.path("in/relative.log")).unwrap();
    symlink("link.log", host.path("in/twice.log")).unwrap();
    symlink(host.path("out"), host.path("in/folder")).unwrap();
    symlink("/", host.path("in/slash")).unwrap();
    symlink("/proc/self/root", host.path("in/root")).unwrap();
    symlink(format!("/proc/self/root{}", host.path("out/secret.log").display()), host.path("in/magic.log")).unwrap();
    let open = fs::File::open(host.path("out/secret.log")).unwrap();
    let descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
    symlink(descriptor, host.path("in/descriptor.log")).unwrap();
    // Names that rotation would give, beside a file that may be read: copies and packed forms are looked into by their content.
    symlink(host.path("out/secret.log"), host.path("in/a.log.1")).unwrap();
    symlink(host.path("out/secret.log"), host.path("in/a.log.2.gz")).unwrap();
    fs::create_dir(host.path("in/state")).unwrap();
    fs::write(host.path("in/state/key.log"), "SECRET key\n").unwrap();
    let through_root = format!("in/root{}", host.path("out/*.log").display());
    let through_slash = format!("in/slash{}", host.path("out/secret.log").display());
    let patterns = [
        "in/*.log",
        "in/*.log*",
        "in/**/*.log",
        "in/**",
        "in/folder/*.log",
        "in/folder/secret.log",
        "in/*/secret.log",
        "in/f*/**",
        "in/link.log",
        "in/a.log.1",
        "in/state/key.log",
        // What the bounds of the document refuse before: also the reader itself would not.
        "out/secret.log",
        "out/*.log",
        "in/../out/secret.log",
        through_root.trim_start_matches('/'),
        through_slash.trim_start_matches('/'),
    ];
    let patterns: Vec<&str> = patterns.into_iter().filter(|pattern| !pattern.contains("..")).collect();
    let mut bench = host.bench(&patterns, 0);
    bench.settle_for(Duration::from_secs(25));
    fs::write(host.path("in/deep/b.log"), "deep inside\n").unwrap();
    bench.settle_for(Duration::from_secs(25));
    let mut lines: Vec<String> = bench.lines().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["deep inside", "inside"], "nothing else arrives");
    let told = places(&bench);
    for name in ["link.log", "relative.log", "twice.log", "magic.log", "descriptor.log", "folder", "out"] {
        assert!(told.iter().any(|place| place == name), "{name}: {told:?}");
    }
    assert!(!told.iter().any(|place| place == "secret.log"), "what a folder outside has is not even told: {told:?}");
    let problems = bench.reader.problems();
    let link = problems.iter().find(|problem| problem.place.ends_with("in/link.log")).unwrap();
    assert!(
        link.message.contains("out/secret.log, which is outside of") && link.remedy.contains("log_paths"),
        "{link:?}"
    );
    drop(open);
}

/// The collector's positions are foreign words too: a path in them leads nowhere that no pattern leads.
#[test]
fn forged_positions_read_no_file_outside() {
    use muster_common::wire::message::{Position, SourceId};
    use std::os::unix::fs::MetadataExt;

    for own in [0, 1] {
        let host = Host::new();
        let pattern = host.path("in/**").display().to_string();
        let mut bench = Bench::new(RealFiles, vec![group(&[pattern.as_str()])]);
        // Also the host's own groups, which follow links, follow no position beyond their patterns.
        bench.reader.set_fence(own, Fence::new(vec![host.path("in")], Vec::new()));
        let meta = fs::metadata(host.path("out/secret.log")).unwrap();
        let forged = |path: &str| Position {
            source: SourceId {
                device: meta.dev(),
                inode: meta.ino(),
                fingerprint: xxhash_rust::xxh3::xxh3_64(&[]),
                fingerprint_bytes: 0,
                incarnation: 0,
                path: format!("{}/{path}", host.folder.path().display()),
            },
            offset: 0,
            tail_hash: xxhash_rust::xxh3::xxh3_64(&[]),
        };
        let mut paths = vec!["in/../out/secret.log", "in/deep/../../out/secret.log", "out/secret.log", "in/./a.log"];
        if own == 0 {
            symlink(host.path("out"), host.path("in/folder")).unwrap();
            paths.push("in/folder/secret.log");
        }
        let positions: Vec<Position> = paths.into_iter().map(forged).collect();
        bench.reader.seek(&positions, crate::logs::reader::Scope::All, bench.now);
        bench.settle_for(Duration::from_secs(25));
        let lines = bench.lines();
        assert!(lines.contains("inside") && !lines.contains("SECRET"), "{own}: {lines}");
    }
}

#[test]
fn a_link_that_is_turned_outwards_while_it_is_read_gives_nothing_of_what_it_leads_to() {
    let host = Host::new();
    fs::write(host.path("in/deep/one"), "one\n").unwrap();
    symlink(host.path("in/deep/one"), host.path("in/current.log")).unwrap();
    let mut bench = host.bench(&["in/current.log"], 0);
    bench.settle();
    for _ in 0..3 {
        fs::remove_file(host.path("in/current.log")).unwrap();
        symlink(host.path("out/secret.log"), host.path("in/current.log")).unwrap();
        bench.settle_for(Duration::from_secs(12));
        assert_eq!(places(&bench), ["current.log"]);
        bench.restart(false);
        bench.reader.set_fence(0, Fence::new(vec![host.path("in")], Vec::new()));
        bench.answer();
        bench.settle_for(Duration::from_secs(12));
        fs::remove_file(host.path("in/current.log")).unwrap();
        symlink(host.path("in/deep/one"), host.path("in/current.log")).unwrap();
        bench.settle_for(Duration::from_secs(12));
        assert_eq!(places(&bench), [""; 0], "it is no problem any more");
    }
    // A file that was gone for long and comes back is another one to the reader.
    let lines = bench.lines();
    assert!(lines.starts_with("one\n") && lines.lines().all(|line| line == "one"), "{lines}");
}

#[test]
fn the_hosts_own_groups_read_what_they_like_also_beside_remote_ones() {
    let host = Host::new();
    symlink(host.path("out/secret.log"), host.path("in/link.log")).unwrap();
    let mut bench = host.bench(&["in/link.log", "in/*.log", "out/deep/*.log"], 1);
    bench.settle_for(Duration::from_secs(12));
    let mut lines: Vec<String> = bench.lines().lines().map(str::to_owned).collect();
    lines.sort();
    // The link is of the host's own group, which comes first; the last pattern is a remote one.
    assert_eq!(lines, ["SECRET", "inside"]);
}

#[test]
fn a_scripted_file_system_is_fenced_as_the_real_one_and_not_even_opened() {
    let files = MemoryFiles::default();
    files.write("/var/log/a.log", b"inside\n");
    files.write("/etc/shadow", b"SECRET\n");
    files.link("/var/log/b.log", "/etc/shadow");
    files.link("/var/log/a.log.1", "/etc/shadow");
    let mut bench = Bench::new(files.clone(), vec![group(&["/var/log/*.log"]), group(&["/var/log/b.log"])]);
    bench.reader.set_fence(0, Fence::new(vec!["/var/log".into()], Vec::new()));
    bench.answer();
    bench.settle_for(Duration::from_secs(30));
    assert_eq!((bench.lines().as_str(), files.open_handles()), ("inside\n", 1));
    assert_eq!(bench.reader.problems()[0].place, "/var/log/b.log");
}
