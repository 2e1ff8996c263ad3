//! Each kind over a scripted /proc, or over real files and sockets.

use std::path::Path;

use muster_common::check::CheckState;
use muster_common::time::{self, Timestamp};

use super::keys::Raw;
use super::*;
use crate::testing::Tree;

fn keys(kind: &NativeKind, values: &[(&str, &str)]) -> Keys {
    let mut keys = Keys::default();
    for (name, value) in values {
        let key = kind.keys.iter().find(|key| key.name == *name).expect("a key of this kind");
        let raw = match (key.form, *value) {
            (Form::Port, value) => Raw::Integer(value.parse().unwrap()),
            (Form::Flag, value) => Raw::Flag(value == "true"),
            (_, value) => Raw::Text(value.to_owned()),
        };
        keys.set(*key, raw).unwrap();
    }
    keys
}

/// Runs a check of this kind once; an error is an UNKNOWN.
pub(super) fn run(name: &str, values: &[(&str, &str)], host: &mut Host, net: &Net, limit: Duration) -> Outcome {
    let kind = kind(name).expect("a kind");
    let probe = (kind.build)(&keys(kind, values), &host.proc).unwrap();
    let moment = Moment { now: host.now, limit, fence: host.fence.clone() };
    let result = match probe {
        Probe::Look(mut look) | Probe::SlowLook(mut look) => look.look(host),
        Probe::Ask(ask) => crate::checks::worker::runtime().unwrap().block_on(ask.ask(net, moment)),
    };
    result.unwrap_or_else(Outcome::unknown)
}

fn looked(name: &str, values: &[(&str, &str)], tree: &Tree) -> Outcome {
    let mut host = Host::new(&tree.path("proc"), time::now(), Duration::ZERO);
    run(name, values, &mut host, &Net::new(), Duration::from_secs(10))
}

fn line(outcome: &Outcome) -> (CheckState, &str) {
    (outcome.state, outcome.output.as_str())
}

#[test]
fn every_file_of_a_kind_has_its_line_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks/native");
    let text = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_file() && name != "tests" && std::fs::read_to_string(&path).unwrap().contains("pub(super) fn build(")
        {
            assert_eq!(text.matches(&format!("build: {name}::build")).count(), 1, "{name} in the table");
            assert!(kind(&name).is_some(), "{name} is its name");
            files += 1;
        }
    }
    assert_eq!(files, KINDS.len());
}

#[test]
fn load_is_judged_whole_or_per_core() {
    let tree = Tree::new(&[
        ("proc/loadavg", "0.05 12.5 100.00 1/100 15445\n"),
        ("proc/stat", "cpu 1\ncpu0 1\ncpu1 1\nintr 5\n"),
    ]);
    assert_eq!(looked("load", &[], &tree).state, CheckState::Ok, "without limits it is only told");
    let outcome = looked("load", &[("warn", "5"), ("crit", "10")], &tree);
    assert_eq!(line(&outcome), (CheckState::Critical, "LOAD CRITICAL - 12.5 over 5 min (limit 10)"));
    let outcome = looked("load", &[("warn", "5"), ("crit", "10"), ("per_core", "true")], &tree);
    assert_eq!(line(&outcome), (CheckState::Warning, "LOAD WARNING - 6.25 per core over 5 min (limit 5)"));
    let load15 = outcome.perfdata.iter().find(|one| one.label == "load15").unwrap();
    assert_eq!((load15.value, load15.warn.as_str()), (50.0, ""));
    assert_eq!(looked("load", &[("minutes", "15"), ("crit", "99")], &tree).state, CheckState::Critical);
    assert!(looked("load", &[], &Tree::new(&[])).output.starts_with("UNKNOWN - "));
}

#[test]
fn memory_and_swap_are_judged_by_per_cent() {
    let meminfo = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 70 kB\nSwapTotal: 200 kB\nSwapFree: 80 kB\n";
    let tree = Tree::new(&[("proc/meminfo", meminfo)]);
    let outcome = looked("memory", &[], &tree);
    assert_eq!(line(&outcome).1, "MEMORY WARNING - 7 % available, 70 KiB of 1000 KiB (at least 10 %)");
    assert_eq!((outcome.perfdata[1].value, outcome.perfdata[1].max), (71_680.0, 1_024_000.0));
    assert_eq!(line(&looked("swap", &[], &tree)).1, "SWAP WARNING - 60 % used, 120 KiB of 200 KiB (limit 50 %)");
    tree.write("proc/meminfo", "MemTotal: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    assert_eq!(line(&looked("swap", &[], &tree)), (CheckState::Ok, "SWAP OK - this host has none"));
    assert_eq!(
        line(&looked("memory", &[], &tree)),
        (CheckState::Unknown, "UNKNOWN - /proc/meminfo has no MemAvailable")
    );
}

#[test]
fn processes_are_counted_by_name_and_by_pattern_and_one_walk_serves_many() {
    let tree = Tree::new(&[
        ("proc/1/stat", "1 (init) S 0"),
        ("proc/22/stat", "22 (a (b) c) R 1"),
        ("proc/22/cmdline", "/bin/java\0-jar\0shop.jar\0"),
        ("proc/23/stat", "23 (init) Z 1"),
        ("proc/24/stat", "24 (a-very-long-nam) S 1"),
        ("proc/self/stat", "99 (init) S 0"),
    ]);
    assert_eq!(line(&looked("process", &[("process", "init")], &tree)).1, "PROCESS OK - 1 process named init");
    assert_eq!(looked("process", &[("process", "a (b) c")], &tree).state, CheckState::Ok);
    assert_eq!(looked("process", &[("process", "a-very-long-name-of-a-program")], &tree).state, CheckState::Ok);
    let outcome = looked("process", &[("process", "nginx")], &tree);
    assert_eq!(line(&outcome), (CheckState::Critical, "PROCESS CRITICAL - no processes named nginx (at least 1)"));
    let outcome = looked("process", &[("pattern", "java .*shop\\.jar$"), ("warn", "2:4")], &tree);
    assert_eq!(line(&outcome).1, "PROCESS WARNING - 1 process like `java .*shop\\.jar$` (has to be 2 to 4)");
    // Within ten seconds the table is the same.
    let mut host = Host::new(&tree.path("proc"), time::now(), Duration::ZERO);
    let mut count = |seconds| {
        host.steady = Duration::from_secs(seconds);
        run("process", &[("process", "init")], &mut host, &Net::new(), Duration::ZERO).perfdata[0].value
    };
    assert_eq!(count(0), 1.0);
    tree.write("proc/30/stat", "30 (init) S 1");
    assert_eq!((count(9), count(10)), (1.0, 2.0));
}

#[test]
fn listeners_are_found_in_both_tables() {
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    let row = |text: &str| format!("{text:<149}\n");
    let listeners: String =
        (0..40).map(|n| row(&format!("{n}: 0100007F:{:04X} 00000000:0000 0A 0:0", 9_000 + n))).collect();
    let four = format!("{}{listeners}{}", row(head.trim_end()), row("40: 0100007F:0050 0100007F:9999 01 0:0"));
    let tree = Tree::new(&[("proc/net/tcp", &four), ("proc/net/udp", &row("1: 00000000:0035 00000000:0000 07 0:0"))]);
    let outcome = looked("port", &[("port", "9039")], &tree);
    assert_eq!(line(&outcome), (CheckState::Ok, "PORT OK - tcp port 9039 is listened at (127.0.0.1)"));
    assert_eq!(line(&looked("port", &[("port", "80")], &tree)).1, "PORT CRITICAL - nothing listens at tcp port 80");
    assert_eq!(
        looked("port", &[("port", "53"), ("protocol", "udp")], &tree).output,
        "PORT OK - udp port 53 is listened at (all addresses)"
    );
    tree.write("proc/net/tcp6", &row("0: 00000000000000000000000001000000:0050 0:0 0A 0:0"));
    assert_eq!(looked("port", &[("port", "80")], &tree).output, "PORT OK - tcp port 80 is listened at (::1)");
    assert_eq!(looked("port", &[("port", "80")], &Tree::new(&[])).state, CheckState::Critical);
    // The kernel's own table.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut host = Host::new(Path::new("/proc"), time::now(), Duration::ZERO);
    let outcome = run("port", &[("port", &port)], &mut host, &Net::new(), Duration::ZERO);
    assert!(outcome.output.ends_with("is listened at (127.0.0.1)"), "{}", outcome.output);
    drop(listener);
    let outcome = run("port", &[("port", &port)], &mut host, &Net::new(), Duration::ZERO);
    assert_eq!(outcome.state, CheckState::Critical);
}

#[test]
fn room_and_inodes_of_file_systems_are_judged_as_chosen() {
    let tree = Tree::new(&[]);
    let here = tree.path("proc").display().to_string();
    let outcome = looked("disk", &[("path", &here), ("warn", "100"), ("crit", "100")], &tree);
    assert_eq!(
        (outcome.state, outcome.perfdata[0].unit.as_str(), outcome.perfdata[0].max),
        (CheckState::Ok, "%", 100.0)
    );
    assert!(
        outcome.output.starts_with(&format!("DISK OK - {here} ")) && outcome.output.ends_with(" % used"),
        "{}",
        outcome.output
    );
    let outcome = looked("disk", &[("path", &here), ("measure", "free_bytes"), ("crit", "9999999TiB:")], &tree);
    assert_eq!((outcome.state, outcome.perfdata[0].unit.as_str()), (CheckState::Critical, "B"));
    assert!(outcome.output.contains("(at least "), "{}", outcome.output);
    let outcome = looked("disk", &[("path", "/nonexistent")], &tree);
    assert!(outcome.output.starts_with("UNKNOWN - /nonexistent cannot be asked"), "{}", outcome.output);
    // All real ones, by the table of mounts.
    tree.write("proc/self/mountinfo", &format!("1 1 8:1 / {here} rw - ext4 /dev/a rw\n2 1 0:5 / /nonexistent rw - ext4 /dev/b rw\n3 1 0:6 / / rw - proc p rw\n"));
    assert_eq!(looked("disk", &[], &tree).perfdata.len(), 1);
    assert!(looked("disk", &[("exclude", &here)], &tree).output.contains("no file system"));
    let outcome = looked("inode", &[("path", &here), ("warn", "100"), ("crit", "100")], &tree);
    assert!(outcome.output.starts_with("INODE OK - "), "{}", outcome.output);
}

#[test]
fn the_age_of_a_file_is_judged() {
    let tree = Tree::new(&[("proc/file", "12345")]);
    let path = tree.path("proc/file").display().to_string();
    let aged = |seconds: i64, values: &[(&str, &str)]| {
        let now = Timestamp::from_millis(time::now().millis() + seconds * 1_000);
        let mut host = Host::new(&tree.path("proc"), now, Duration::ZERO);
        run("file_age", &[&[("path", path.as_str())], values].concat(), &mut host, &Net::new(), Duration::ZERO)
    };
    let outcome = aged(10 * 3_600 + 30, &[("warn", "9h"), ("crit", "26h")]);
    assert_eq!((outcome.state, outcome.perfdata[1].value), (CheckState::Warning, 5.0));
    assert!(outcome.output.contains("was written 10h") && outcome.output.ends_with("(limit 9h)"), "{}", outcome.output);
    assert_eq!(aged(0, &[("crit", "26h")]).state, CheckState::Ok);
    tree.remove("proc/file");
    assert!(aged(0, &[("crit", "26h")]).output.ends_with("is not there"));
}

#[test]
fn the_clock_is_asked_of_the_kernel_or_of_a_server() {
    let outcome = looked("time", &[("warn", "-1:1"), ("crit", "-1:1")], &Tree::new(&[]));
    assert!(outcome.output.starts_with("TIME "), "{}", outcome.output);
    assert_eq!(outcome.perfdata.len(), 2);
    // A server whose clock is 10 s behind; its first answer is to somebody else.
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let mut packet = [0; 48];
        let (_, from) = server.recv_from(&mut packet).unwrap();
        let seconds = u64::from_be_bytes(packet[40..].try_into().unwrap());
        let mut answer = [0u8; 48];
        (answer[0], answer[1]) = (0x24, 1);
        server.send_to(&answer, from).unwrap();
        answer[24..32].copy_from_slice(&packet[40..]);
        answer[32..40].copy_from_slice(&(seconds - (10 << 32)).to_be_bytes());
        answer[40..48].copy_from_slice(&(seconds - (10 << 32)).to_be_bytes());
        server.send_to(&answer, from).unwrap();
    });
    let outcome = looked("time", &[("server", &address)], &Tree::new(&[]));
    serving.join().unwrap();
    assert_eq!(outcome.state, CheckState::Critical, "{}", outcome.output);
    assert!(
        (10.0..12.0).contains(&outcome.perfdata[0].value)
            && outcome.output.contains("from 127.0.0.1 (has to be -5 s to 5 s)"),
        "{}",
        outcome.output
    );
}

#[test]
fn tcp_ports_of_any_host_are_tried() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let tried = |warn: &str| looked("tcp", &[("host", "127.0.0.1"), ("port", &port), ("warn", warn)], &Tree::new(&[]));
    let outcome = tried("60");
    assert!(outcome.output.starts_with(&format!("TCP OK - 127.0.0.1:{port} connected in ")), "{}", outcome.output);
    assert_eq!(tried("~:0").state, CheckState::Warning);
    drop(listener);
    let outcome = tried("60");
    assert!(
        outcome.state == CheckState::Critical && outcome.output.contains("takes no connection"),
        "{}",
        outcome.output
    );
    let outcome = looked("tcp", &[("host", "no such host"), ("port", "80")], &Tree::new(&[]));
    assert!(outcome.output.starts_with("UNKNOWN - no such host has no address"), "{}", outcome.output);
}

#[test]
fn units_are_asked_of_systemctl_where_there_is_no_bus() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new(&[]);
    let systemctl = tree.path("systemctl");
    std::fs::write(&systemctl, "#!/bin/sh\n[ \"$4\" = nginx.service ] || exit 1\nprintf 'LoadState=loaded\\nActiveState=failed\\nSubState=failed\\nResult=signal\\nNRestarts=2\\n'\n").unwrap();
    std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut host = Host::new(&tree.path("proc"), time::now(), Duration::ZERO);
    let bus = || tree.path("no-bus");
    let net = Net { systemctl, bus: bus(), ..Net::new() };
    let outcome = run("unit", &[("unit", "nginx")], &mut host, &net, Duration::from_secs(20));
    assert_eq!(line(&outcome), (CheckState::Critical, "UNIT CRITICAL - nginx.service is failed (failed, signal)"));
    assert_eq!(run("unit", &[("unit", "other")], &mut host, &net, Duration::from_secs(20)).state, CheckState::Unknown);
    let net = Net { systemctl: tree.path("missing"), bus: bus(), ..Net::new() };
    let outcome = run("unit", &[("unit", "nginx")], &mut host, &net, Duration::from_secs(20));
    assert!(outcome.output.contains("this host may have no systemd"), "{}", outcome.output);
}

#[test]
fn units_are_asked_over_the_bus() {
    let tree = Tree::new(&[]);
    let values = &[("LoadState", "loaded"), ("ActiveState", "active"), ("SubState", "running"), ("NRestarts", "#7")];
    let serving = bus::tests::fake_bus(&tree.path("bus"), values, false);
    let mut host = Host::new(&tree.path("proc"), time::now(), Duration::ZERO);
    let net = Net { bus: tree.path("bus"), systemctl: tree.path("missing"), ..Net::new() };
    let outcome = run("unit", &[("unit", "nginx")], &mut host, &net, Duration::from_secs(20));
    assert_eq!(line(&outcome), (CheckState::Ok, "UNIT OK - nginx.service is active (running)"));
    assert_eq!(outcome.perfdata[0].value, 7.0);
    let asked = String::from_utf8_lossy(&serving.join().unwrap()).into_owned();
    assert!(asked.contains("/org/freedesktop/systemd1/unit/nginx_2eservice\0"), "{asked:?}");
}

#[test]
fn failed_units_are_counted_over_the_bus_and_named_by_systemctl() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new(&[]);
    let systemctl = tree.path("systemctl");
    let script = "#!/bin/sh\n[ \"$1 $2\" = 'list-units --state=failed' ] || exit 1\necho 'nginx.service loaded failed failed A web server'\necho 'x.mount loaded failed failed /x'\n";
    std::fs::write(&systemctl, script).unwrap();
    std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut host = Host::new(&tree.path("proc"), time::now(), Duration::ZERO);
    let limit = Duration::from_secs(20);
    let serving = bus::tests::fake_bus(&tree.path("quiet"), &[("NFailedUnits", "#0")], false);
    let net = Net { bus: tree.path("quiet"), systemctl: tree.path("missing"), ..Net::new() };
    let outcome = run("units", &[], &mut host, &net, limit);
    assert_eq!(line(&outcome), (CheckState::Ok, "UNITS OK - no unit has failed"));
    let asked = String::from_utf8_lossy(&serving.join().unwrap()).into_owned();
    assert!(asked.contains("org.freedesktop.systemd1.Manager\0"), "{asked:?}");
    let serving = bus::tests::fake_bus(&tree.path("loud"), &[("NFailedUnits", "#2")], false);
    let net = Net { bus: tree.path("loud"), systemctl, ..Net::new() };
    let outcome = run("units", &[], &mut host, &net, limit);
    let words = "UNITS WARNING - 2 units have failed: nginx.service, x.mount";
    assert_eq!(line(&outcome), (CheckState::Warning, words));
    drop(serving.join());
    let outcome = run("units", &[("exclude", "nginx")], &mut host, &net, limit);
    assert_eq!(line(&outcome), (CheckState::Warning, "UNITS WARNING - x.mount has failed"), "without the bus");
    let net = Net { bus: tree.path("no-bus"), systemctl: tree.path("missing"), ..Net::new() };
    let outcome = run("units", &[], &mut host, &net, limit);
    assert!(outcome.output.contains("this host may have no systemd"), "{}", outcome.output);
}

#[test]
fn arrays_are_whole_or_what_they_lack_is_told() {
    let mdstat = |lines: &str| {
        let text = format!("Personalities : [raid1] [raid6] [raid5] [raid4]\n{lines}\nunused devices: <none>\n");
        looked("raid", &[], &Tree::new(&[("proc/mdstat", &text)]))
    };
    const WHOLE: &str = "md0 : active raid1 sdb1[1] sda1[0]\n      1048512 blocks super 1.2 [2/2] [UU]\n      [>....]  check =  1.0% (1/2) finish=9min speed=1K/sec\n";
    for (lines, state, words) in [
        (WHOLE.to_owned(), CheckState::Ok, "RAID OK - md0 complete"),
        (
            format!("{WHOLE}md1 : active raid5 sdd[3](F) sdc[1] sda[0]\n      100 blocks level 5, 64k chunk [3/2] [UU_]\n"),
            CheckState::Critical,
            "RAID CRITICAL - md1 has 2 of 3 disks, sdd failed",
        ),
        (
            "md1 : active raid1 sdb[2] sda[0]\n      100 blocks [2/1] [U_]\n      [==>...]  recovery = 12.6% (1/8) finish=1min speed=9K/sec\n".to_owned(),
            CheckState::Warning,
            "RAID WARNING - md1 has 1 of 2 disks, recovery = 12.6%",
        ),
        ("md2 : inactive sda[0](S)\n      100 blocks\n".to_owned(), CheckState::Critical, "RAID CRITICAL - md2 is not active"),
        (
            "md127 : inactive sdb[1](S) sda[0](S)\n      6306 blocks super external:imsm\n".to_owned(),
            CheckState::Ok,
            "RAID OK - md127 complete",
        ),
    ] {
        assert_eq!(line(&mdstat(&lines)), (state, words));
    }
    let none = mdstat("");
    assert!(none.state == CheckState::Unknown && none.output.contains("no software RAID"), "{}", none.output);
}

/// A kind, keys that it can be built of, and what they touch.
type Touching<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// Where a kind's keys name files, file systems or hosts, a remote configuration is bounded: whoever adds a kind, or a key, says so here too.
#[test]
fn every_kind_says_what_its_keys_touch() {
    let values: [Touching<'_>; 14] = [
        ("disk", &[("path", "/srv")], &["mount path"]),
        ("inode", &[("path", "/srv")], &["mount path"]),
        ("load", &[], &[]),
        ("memory", &[], &[]),
        ("swap", &[], &[]),
        ("process", &[("process", "cron")], &[]),
        ("unit", &[("unit", "ssh.service")], &[]),
        ("units", &[], &[]),
        ("raid", &[], &[]),
        ("tcp", &[("host", "[::1]"), ("port", "22")], &["host host ::1 22"]),
        (
            "http",
            &[("url", "https://a.b:8443/x"), ("ca_file", "/x.pem")],
            &["host url a.b 8443", "file ca_file /x.pem"],
        ),
        ("file_age", &[("path", "/x"), ("crit", "5")], &["file path /x"]),
        ("port", &[("port", "22")], &[]),
        ("time", &[("server", "pool.ntp.org")], &["host server pool.ntp.org 123"]),
    ];
    let told = |touch: Touch| match touch {
        Touch::File { key, path } => format!("file {key} {}", path.display()),
        Touch::Mount { key } => format!("mount {key}"),
        Touch::Host { key, host, port } => format!("host {key} {host} {port}"),
    };
    for ((name, values, expected), kind) in values.into_iter().zip(KINDS) {
        assert_eq!(name, kind.name, "a kind is missing here");
        let keys = keys(kind, values);
        assert!((kind.build)(&keys, Path::new("/proc")).is_ok(), "{name} cannot be built");
        let touches: Vec<String> = (kind.touches)(&keys).into_iter().map(told).collect();
        assert_eq!(touches, expected, "{name}");
        // A key that must be a path, or is called as such keys are, is one.
        let is_place = |key: &&Key| key.form == Form::Path || ["path", "host", "url", "server"].contains(&key.name);
        let named: Vec<&str> = kind.keys.iter().filter(is_place).map(|key| key.name).collect();
        let touched: Vec<&str> = (kind.touches)(&keys).iter().map(Touch::key).collect();
        assert!(named.iter().all(|key| touched.contains(key)), "{name}: {named:?} of which {touched:?} are told");
    }
    assert_eq!(values.len(), KINDS.len());
}

#[test]
fn a_fenced_check_looks_at_no_file_outside_and_asks_mount_points_alone() {
    let tree = Tree::new(&[
        ("in/stamp", "x"),
        ("out/secret", "x"),
        ("proc/1/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"),
    ]);
    std::os::unix::fs::symlink(tree.path("out/secret"), tree.path("in/link")).unwrap();
    let fence = Some(Arc::new(Fence::new(vec![tree.path("in")], Vec::new())));
    let looked = |kind: &str, values: &[(&str, &str)]| {
        let mut host = Host::new(&tree.path("proc"), time::now(), Duration::ZERO);
        host.fence.clone_from(&fence);
        run(kind, values, &mut host, &Net::new(), Duration::from_secs(10))
    };
    let path = |name: &str| tree.path(name).display().to_string();
    let age = |name: &str| looked("file_age", &[("path", &path(name)), ("crit", "3600")]);
    assert_eq!(age("in/stamp").state, CheckState::Ok);
    assert_eq!(age("in/none").state, CheckState::Critical, "what is not there is told as ever");
    for name in ["in/link", "out/secret"] {
        let outcome = age(name);
        assert!(outcome.state == CheckState::Unknown && outcome.output.contains("outside of"), "{outcome:?}");
    }
    for kind in ["disk", "inode"] {
        assert_ne!(looked(kind, &[("path", "/")]).state, CheckState::Unknown, "a mount point");
        assert_ne!(looked(kind, &[("path", &path("in"))]).state, CheckState::Unknown, "inside");
        for name in [path("out"), path("none")] {
            let outcome = looked(kind, &[("path", &name)]);
            let is_told = outcome.output.contains("is no mount point");
            assert!(outcome.state == CheckState::Unknown && is_told, "there or not, the same is said: {outcome:?}");
        }
    }
    let file = path("in/link");
    let outcome = looked("http", &[("url", "https://127.0.0.1:1/"), ("ca_file", &file)]);
    assert!(outcome.state == CheckState::Unknown && outcome.output.contains("outside of"), "{outcome:?}");
}
