//! Files that are none: bytes that are no text, names that are no names, what is too large and what has no end.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use muster_common::limits::{INVENTORY_ROWS_MAX, INVENTORY_TEXT_BYTES_MAX};

use super::*;

/// Files that sources read, each a place for bytes that are anything.
const FILES: [&str; 26] = [
    "etc/os-release",
    "etc/passwd",
    "etc/group",
    "etc/resolv.conf",
    "etc/machine-id",
    "proc/stat",
    "proc/cmdline",
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/modules",
    "proc/self/mountinfo",
    "proc/net/tcp",
    "proc/net/tcp6",
    "proc/net/udp",
    "proc/net/route",
    "proc/net/ipv6_route",
    "proc/net/if_inet6",
    "proc/sys/vm/swappiness",
    "sys/block/sda/size",
    "sys/class/net/eth0/uevent",
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
    "var/lib/pacman/local/a/desc",
    "etc/systemd/system/a.timer",
    "etc/nginx/a.pem",
    "etc/nginx/nginx.conf",
];

#[test]
fn no_bytes_break_a_source() {
    let words: [&[u8]; 12] = [
        b"\n",
        b":",
        b"=",
        b" ",
        b"Package: x",
        b"00000000:0016",
        b"btime 99999999999999999999",
        b"\xff\xfe",
        b"0A",
        b"[Timer]",
        b"\0",
        b"|",
    ];
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let tree = Tree::new(&[]);
        for file in FILES {
            tree.write(file, "");
            let bytes: Vec<u8> =
                (0..random.usize(0..400)).flat_map(|_| random.choice(words).unwrap().to_vec()).collect();
            std::fs::write(tree.path(file), bytes).unwrap();
        }
        let scene = scene(&tree);
        for source in &SOURCES {
            if let Ok(found) = look(&scene, source) {
                assert!(Rows::of(source.table, found.iter().cloned()).is_ok(), "{} {seed}", source.table.name);
            }
        }
    }
}

#[test]
fn names_that_are_no_text_and_folders_in_place_of_files_do_no_harm() {
    let tree = Tree::new(&[
        ("etc/cron.d/x/y", ""),
        ("etc/passwd/x", ""),
        ("proc/modules/x", ""),
        ("sys/block/a\nb|c/size", "8\n"),
    ]);
    let bad = std::ffi::OsStr::from_bytes(b"bad\xff\xfename");
    std::fs::write(tree.path("etc/cron.d").join(bad), "x").unwrap();
    std::fs::create_dir_all(tree.path("etc/systemd/system")).unwrap();
    symlink("itself.service", tree.path("etc/systemd/system/itself.service")).unwrap();
    symlink("/", tree.path("etc/nginx")).unwrap();
    let scene = scene(&tree);
    let files = shown(&scene, "files");
    assert!(files.iter().any(|line| line.starts_with("/etc/cron.d/bad\u{fffd}\u{fffd}name|")), "{files:?}");
    assert_eq!(shown(&scene, "block_devices"), ["a\nb|c|-|-|4096|-|disk"]);
    assert!(shown(&scene, "units")[0].starts_with("itself.service|-|-|-|-|static|"));
    for (table, place) in [("users", "/etc/passwd"), ("modules", "/proc/modules")] {
        let problem = rows(&scene, table).unwrap_err();
        assert!(problem.place == place && problem.problem.contains("it is no file"), "{problem}");
    }
}

#[test]
fn what_is_too_much_is_bounded_and_said() {
    let many: String = (0..INVENTORY_ROWS_MAX + 50).map(|number| format!("user{number}:x:1:1:::\n")).collect();
    let long = format!("[Unit]\nDescription={}\n", "d".repeat(5 * INVENTORY_TEXT_BYTES_MAX));
    let tree = Tree::new(&[("etc/passwd", &many), ("etc/systemd/system/long.service", &long)]);
    for number in 0..2_100 {
        tree.write(&format!("etc/cron.d/{number}"), "");
    }
    let scene = scene(&tree);
    let users = rows(&scene, "users").unwrap();
    assert_eq!((users.len(), users.dropped()), (INVENTORY_ROWS_MAX, 50));
    assert_eq!(
        shown(&scene, "units")[0].len(),
        "long.service|".len() + INVENTORY_TEXT_BYTES_MAX + "|-|-|-|static|/etc/systemd/system/long.service".len()
    );
    assert_eq!(rows(&scene, "files").unwrap().len(), 2_000);
    let notes = scene.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("at most 2000 files"), "{notes:?}");
    // A file that says it has no bytes and gives them for ever ends at the bound.
    symlink("/dev/zero", tree.path("etc/endless")).unwrap();
    assert!(scene.read("etc/endless", 1_000).is_err(), "it is no file");
    assert_eq!(scene.read("etc/passwd", 10).unwrap().unwrap().len(), 10);
    assert!(scene.take_notes()[0].contains("/etc/passwd: only its first 10 bytes"));
}
