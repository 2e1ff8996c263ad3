//! Looks over made-up trees of /proc, and one over the real one.

use std::path::{Path, PathBuf};

use muster_common::limits::PROCESS_TEXT_BYTES_MAX;
use muster_common::redact::Redactor;
use muster_common::wire::message::{ProcessLook, ProcessUse, Report};

use super::look::Looker;
use super::stat::{Stat, boot_of, io_of, uptime_of};
use super::words::{command_of, users_of};
use super::{ProcessesConfig, worker::TopWorker};
use crate::testing::Tree;

/// Ticks of the kernel's clock, pages of memory: what this machine has.
fn ticks(seconds: f64) -> u64 {
    (seconds * rustix::param::clock_ticks_per_second() as f64) as u64
}

/// proc/PID/stat of a process that began so many seconds after the machine and used so much CPU.
fn stat(pid: u32, name: &str, state: char, started: f64, cpu: f64, rss_pages: u64) -> String {
    let (user, system) = (ticks(cpu) / 2, ticks(cpu) - ticks(cpu) / 2);
    format!(
        "{pid} ({name}) {state} 1 {pid} {pid} 0 -1 4194304 9 8 7 6 {user} {system} 5 4 20 0 3 0 {} 10000 {rss_pages} 18446744073709551615 1 1 0 0\n",
        ticks(started)
    )
}

struct World {
    tree: Tree,
    looker: Looker,
}

impl World {
    fn new(top: usize) -> Self {
        let tree = Tree::new(&[("proc/uptime", "1000.00 5.00\n"), ("proc/stat", "cpu 1 2 3\nbtime 1700000000\n")]);
        let own = rustix::process::getuid().as_raw();
        tree.write("etc/passwd", &format!("worker:x:{own}:0::/:/bin/sh\nother:x:{own}:0::/:/bin/sh\n"));
        let looker = Looker::new(&tree.path("proc"), &tree.path("etc/passwd"), top, None);
        Self { tree, looker }
    }

    fn process(&self, pid: u32, text: &str) {
        self.tree.write(&format!("proc/{pid}/stat"), text);
    }

    fn io(&self, pid: u32, read: u64, written: u64) {
        let text = format!(
            "rchar: 9\nwchar: 9\nsyscr: 1\nread_bytes: {read}\nwrite_bytes: {written}\ncancelled_write_bytes: 0\n"
        );
        self.tree.write(&format!("proc/{pid}/io"), &text);
    }

    fn look_at(&mut self, uptime: f64) -> Option<ProcessLook> {
        self.tree.write("proc/uptime", &format!("{uptime:.2} 5.00\n"));
        self.looker.look(|| false).unwrap()
    }
}

fn names(look: &ProcessLook) -> Vec<&str> {
    look.processes.iter().map(|one| one.name.as_str()).collect()
}

fn one<'a>(look: &'a ProcessLook, name: &str) -> &'a ProcessUse {
    look.processes.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} in {look:?}"))
}

#[test]
fn the_kernels_lines_are_read_whatever_the_name_holds() {
    let text = stat(77, "a) R 1 (b", 'D', 12.0, 4.0, 33);
    let read = Stat::of(text.as_bytes()).unwrap();
    assert_eq!((read.name, read.state, read.threads), (&b"a) R 1 (b"[..], b'D', 3));
    assert_eq!((read.cpu_ticks, read.started_ticks, read.rss_pages), (ticks(4.0), ticks(12.0), 33));
    for bad in ["", "77", "77 (x", "77 (x)", "77 (x) S 1 2", ") (", "77 (x) 5 1 2 3", "\u{ff}(\u{ff}"] {
        assert_eq!(Stat::of(bad.as_bytes()), None, "{bad:?}");
    }
    for cut in 0..text.len() {
        // Cut short it is refused or read as far as it goes, and never a panic.
        let _ = Stat::of(&text.as_bytes()[..cut]);
    }
    assert_eq!(io_of(b"rchar: 1\nread_bytes: 5\nwrite_bytes: 7\n"), Some((5, 7)));
    assert_eq!((io_of(b"read_bytes: 5\n"), io_of(b"read_bytes: x\nwrite_bytes: 1\n")), (None, None));
    assert_eq!((uptime_of(b"12.34 1.0\n"), uptime_of(b""), uptime_of(b"-1 2")), (Some(1_234), None, None));
    assert_eq!((boot_of(b"cpu 1\nbtime 17\n"), boot_of(b"cpu 1\n")), (Some(17), None));
}

#[test]
fn of_a_command_only_its_name_is_told_unless_arguments_are_wanted() {
    let of = |text: &[u8]| command_of(text, None);
    assert_eq!(of(b"/usr/bin/mysql\0-u\0root\0--password=hunter2\0"), ("mysql".to_owned(), 3));
    assert_eq!(of(b"nginx: master process /usr/sbin/nginx -c /secret"), ("nginx".to_owned(), 0));
    assert_eq!(of(b"-bash\0"), ("-bash".to_owned(), 0));
    assert_eq!((of(b""), of(b"\0"), of(b"/\0x\0")), ((String::new(), 0), (String::new(), 0), (String::new(), 1)));
    assert_eq!(of(b"\xff\x1b[31m\0").0, "\u{fffd}\u{1b}[31m", "bytes of a program are data");
    let long = [b"x".repeat(10_000), b"\xff".repeat(300)].concat();
    assert_eq!(of(&long).0.len(), PROCESS_TEXT_BYTES_MAX);
    assert!(of(&b"\xff".repeat(300)).0.len() <= PROCESS_TEXT_BYTES_MAX);
    let redactor = Redactor::new(&[]).unwrap();
    let (told, count) = command_of(b"/usr/bin/mysql\0-u\0root\0--password=hunter2\0", Some(&redactor));
    assert!(told.starts_with("/usr/bin/mysql -u root --password=") && !told.contains("hunter2"), "{told}");
    assert_eq!(count, 3);
}

#[test]
fn the_first_of_two_names_of_a_user_counts() {
    let users = users_of(b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\nbad\n:x:5:\nweb:x:33:33\nno:x:y:1\n");
    assert_eq!((users.len(), users[&0].as_str(), users[&33].as_str()), (2, "root", "web"));
}

#[test]
fn shares_and_rates_are_of_the_time_between_two_looks() {
    let mut world = World::new(5);
    world.process(10, &stat(10, "busy", 'R', 1.0, 100.0, 2));
    world.process(11, &stat(11, "idle", 'S', 1.0, 900.0, 1));
    world.process(12, &stat(12, "writer", 'D', 1.0, 0.0, 0));
    world.process(13, &stat(13, "dead", 'Z', 1.0, 0.0, 0));
    world.tree.write("proc/10/cmdline", "/opt/app/busy\0-x\0");
    world.io(12, 1_000, 5_000);
    assert_eq!(world.look_at(1_000.0), None, "of the first look there is nothing to compare with");
    world.process(10, &stat(10, "busy", 'R', 1.0, 145.0, 2));
    world.io(12, 4_000, 305_000);
    // Began between the looks, and used 6 of the 30 seconds.
    world.process(20, &stat(20, "new", 'S', 1_010.0, 6.0, 0));
    world.io(20, 60, 0);
    let look = world.look_at(1_030.0).unwrap();
    assert_eq!((look.span_ms, look.seen, look.unseen), (30_000, 5, 0));
    assert_eq!((look.running, look.blocked, look.zombies), (1, 1, 1));
    assert_eq!(names(&look), ["busy", "new", "idle", "writer"], "by CPU, and who used nothing is not told");
    let busy = one(&look, "busy");
    assert_eq!((busy.has_cpu, busy.cpu, busy.rss_bytes), (true, 15_000, 2 * rustix::param::page_size() as u64));
    assert_eq!((busy.command.as_str(), busy.arguments, busy.user.as_str()), ("busy", 1, "worker"));
    assert_eq!((busy.has_io, busy.threads, busy.started_ms), (false, 3, 1_700_000_001_000));
    assert_eq!((one(&look, "new").cpu, one(&look, "new").read_rate), (2_000, 2));
    let writer = one(&look, "writer");
    assert_eq!((writer.has_io, writer.read_rate, writer.write_rate, writer.state), (true, 100, 10_000, b'D'));
    assert_eq!(one(&look, "idle").cpu, 0);
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut world = World::new(5);
    world.process(10, &stat(10, "old", 'S', 1.0, 500.0, 1));
    world.look_at(1_000.0);
    world.process(10, &stat(10, "young", 'S', 1_005.0, 3.0, 1));
    let look = world.look_at(1_010.0).unwrap();
    assert_eq!((names(&look), one(&look, "young").cpu), (vec!["young"], 3_000));
    assert_eq!(one(&look, "young").started_ms, 1_700_001_005_000);
    // Nothing of the process before is left: counters that go back are no share.
    world.process(10, &stat(10, "young", 'S', 1_005.0, 1.0, 1));
    assert_eq!(one(&world.look_at(1_020.0).unwrap(), "young").cpu, 0);
}

#[test]
fn what_vanishes_or_is_unreadable_is_left_out() {
    let mut world = World::new(5);
    for pid in 10..20 {
        world.process(pid, &stat(pid, "one", 'S', 1.0, 1.0, 1));
    }
    world.look_at(1_000.0);
    world.tree.remove("proc/11/stat");
    world.tree.remove("proc/12");
    world.process(13, "garbage");
    world.tree.write("proc/not-a-process/stat", "x");
    let look = world.look_at(1_030.0).unwrap();
    assert_eq!((look.seen, look.processes.len()), (7, 5));
    world.tree.write("proc/uptime", "x");
    assert!(world.looker.look(|| false).is_err());
    world.tree.remove("proc");
    assert!(world.looker.look(|| false).is_err());
}

#[test]
fn the_first_of_each_kind_are_told_once_each() {
    let mut world = World::new(2);
    let at = |pid: u32, cpu: f64, rss: u64| stat(pid, &format!("p{pid}"), 'S', 1.0, cpu, rss);
    for pid in 1..=9 {
        world.process(pid, &at(pid, 0.0, 0));
        world.io(pid, 0, 0);
    }
    world.look_at(1_000.0);
    for (pid, cpu, rss, written) in [
        (1, 9.0, 0, 0),
        (2, 8.0, 90, 0),
        (3, 7.0, 0, 0),
        (4, 0.0, 80, 900),
        (5, 0.0, 70, 0),
        (6, 0.0, 0, 800),
        (7, 0.0, 0, 7),
    ] {
        world.process(pid, &at(pid, cpu, rss));
        world.io(pid, 0, written);
    }
    assert_eq!(names(&world.look_at(1_010.0).unwrap()), ["p1", "p2", "p4", "p6"]);
}

#[test]
fn a_look_ends_when_its_time_is_over_and_the_next_goes_on_there() {
    let mut world = World::new(20);
    for pid in 1..=100 {
        world.process(pid, &stat(pid, "one", 'S', 1.0, 1.0, 1));
    }
    let mut partial = |uptime: f64| {
        world.tree.write("proc/uptime", &format!("{uptime:.2} 5.00\n"));
        let mut left = 30;
        world
            .looker
            .look(|| {
                left -= 1;
                left == 0
            })
            .unwrap()
    };
    assert_eq!(partial(1_000.0), None);
    let first = partial(1_010.0).unwrap();
    assert_eq!((first.seen, first.unseen), (30, 70));
    assert!(first.processes.iter().all(|one| (31..=60).contains(&one.pid) && !one.has_cpu), "seen for the first time");
    for uptime in [1_020.0, 1_030.0] {
        partial(uptime);
    }
    // Process 21 was looked at 40 s before, and was not forgotten meanwhile.
    let fifth = partial(1_040.0).unwrap();
    assert!(fifth.processes.iter().all(|one| (21..=50).contains(&one.pid) && one.has_cpu), "{fifth:?}");
}

#[test]
fn a_busy_process_of_this_machine_is_the_first() {
    let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let mut looker = Looker::new(Path::new("/proc"), Path::new("/etc/passwd"), 20, None);
    looker.look(|| false).unwrap();
    // Until it has used something between two looks: at most some seconds, however slow the machine.
    let found = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let look = looker.look(|| false).unwrap()?;
        look.processes.iter().find(|one| one.pid == child.id() && one.has_cpu && one.cpu > 0).cloned()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let found = found.expect("it is among the first");
    assert_eq!((found.name.as_str(), found.command.as_str(), found.arguments), ("sh", "sh", 2));
    assert!(found.rss_bytes > 0 && found.started_ms > 1_600_000_000_000, "{found:?}");
}

#[test]
fn the_thread_tells_looks_and_a_host_without_them_that_it_takes_none() {
    let (say, hear) = std::sync::mpsc::sync_channel(1_000);
    let config = ProcessesConfig { interval: std::time::Duration::from_millis(20), ..ProcessesConfig::default() };
    let own = std::sync::Arc::new(crate::own::Own::default());
    own.clock_correction_ms.set(86_400_000);
    let worker = TopWorker::start(config, &PathBuf::from("/proc"), own, move |report| drop(say.send(report))).unwrap();
    let Report::Processes(look) = hear.recv().unwrap() else { panic!("a look") };
    assert!((look.interval_ms, look.seen > 0) == (20, true) && !look.processes.is_empty(), "{look:?}");
    let ahead = look.at_ms - muster_common::time::now().millis();
    assert!((86_000_000..=86_400_000).contains(&ahead), "by the collector's clock: {ahead}");
    drop(worker);
    // The channel closes when the thread has ended.
    assert!(hear.iter().count() < 1_000);
}
