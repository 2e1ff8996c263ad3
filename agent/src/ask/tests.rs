//! Questions over folders made by hand, over this machine beside its own commands, and hostile ones.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;

use muster_common::ask::{LIVE, all};
use muster_common::inventory::Value;
use muster_common::time;
use muster_common::wire::frame::{Frame, encode};
use muster_common::wire::message::{Answer, AnswerWord, Ask, AskFilter, AskTest, Message};

use super::answer::ROWS_BYTES_MAX;
use super::host::Host;
use super::tables::{READERS, Statvfs};
use super::worker::{AskWorker, answer};
use crate::config;
use crate::inventory::{InventoryConfig, Scene};
use crate::own::Own;
use crate::testing::Tree;

fn host(sets: &[&str]) -> Host {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Host::new(&config::parse("test", "", &sets).unwrap(), 1_700_000_000)
}

/// A host whose root is this folder.
fn host_below(tree: &Tree) -> Host {
    let root = tree.path("");
    Host { scene: Box::new(move || Scene::below(&root, &InventoryConfig::default())), ..host(&[]) }
}

fn ask(table: &str, columns: &[&str], filters: &[(&str, AskTest, Value)]) -> Ask {
    let filter = |(column, test, value): &(&str, AskTest, Value)| AskFilter {
        column: (*column).to_owned(),
        test: *test,
        value: value.clone(),
    };
    Ask {
        id: 7,
        table: table.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        filters: filters.iter().map(filter).collect(),
        rows_max: 1_000,
        within_ms: 30_000,
        extensions: Vec::new(),
    }
}

fn answered(host: &Host, ask: &Ask) -> Answer {
    let answer = answer(host, ask, time::monotonic());
    assert_eq!(answer.id, ask.id);
    encode(&Frame::control(Message::Answer(answer.clone()))).expect("every answer is a frame");
    answer
}

/// Rows as text, values with `|` between them, `-` for null.
fn rows(host: &Host, ask: &Ask) -> Vec<String> {
    let answer = answered(host, ask);
    assert_eq!(answer.word, AnswerWord::Rows, "{}", answer.problem);
    let value = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    };
    answer.rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>().join("|")).collect()
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_live_table_has_its_reader_and_every_table_of_this_machine_is_answered() {
    let names = |tables: &mut dyn Iterator<Item = &str>| tables.map(str::to_owned).collect::<BTreeSet<_>>();
    let live = names(&mut LIVE.iter().map(|table| table.name));
    assert_eq!(names(&mut READERS.iter().map(|(name, _)| *name)), live);
    let host = host(&[]);
    for table in all() {
        let answer = answered(&host, &ask(table.name, &[], &[]));
        assert_eq!(answer.word, AnswerWord::Rows, "{}: {}", table.name, answer.problem);
        assert_eq!(answer.columns.len(), table.columns.len());
        assert!(answer.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.name);
    }
}

#[test]
fn processes_are_those_of_ps() {
    let host = host(&[]);
    let mine = i64::from(std::process::id());
    let is_mine = [("pid", AskTest::Equal, Value::Integer(mine))];
    let own = rows(&host, &ask("processes", &["pid", "user", "state", "command", "threads", "rss_bytes"], &is_mine));
    let words: Vec<&str> = own[0].split('|').collect();
    assert_eq!((own.len(), words[0]), (1, mine.to_string().as_str()));
    assert!(words[4].parse::<u32>().unwrap() >= 1 && words[5].parse::<u64>().unwrap() > 1 << 20, "{own:?}");
    if let Some(text) = output("ps", &["-o", "user=", "-p", &mine.to_string()]) {
        assert_eq!(text.trim().trim_end_matches('+'), words[1], "{own:?}");
    }
    // The command without arguments, unless the host tells them.
    let sleep = |host: &Host| {
        let mut child = Command::new("sleep").args(["77", "60"]).spawn().unwrap();
        let is_it = [("pid", AskTest::Equal, Value::Integer(child.id().into()))];
        let found = rows(host, &ask("processes", &["name", "command", "started"], &is_it));
        child.kill().unwrap();
        child.wait().unwrap();
        found
    };
    let now = time::now().millis() / 1_000;
    let found = sleep(&host);
    let words: Vec<&str> = found[0].split('|').collect();
    assert_eq!(words[1], "sleep");
    assert!(words[2].parse::<i64>().unwrap().abs_diff(now) < 60, "{found:?}");
    assert!(sleep(&super::tests::host(&["processes.arguments=true"]))[0].contains("|sleep 77 60|"));
}

#[test]
fn a_share_of_a_processor_is_of_the_moment() {
    let host = host(&[]);
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let busy = std::thread::spawn(move || while !seen.load(Ordering::Relaxed) {});
    let is_mine = [("pid", AskTest::Equal, Value::Integer(std::process::id().into()))];
    let shares = rows(&host, &ask("processes", &["cpu_percent"], &is_mine));
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    assert!(shares[0].parse::<i64>().unwrap() >= 5, "{shares:?}");
}

#[test]
fn a_connection_of_this_process_is_told_with_both_ends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _server = listener.accept().unwrap();
    let port = i64::from(client.local_addr().unwrap().port());
    let is_it =
        [("local_port", AskTest::Equal, Value::Integer(port)), ("remote_address", AskTest::Equal, "127.0.0.1".into())];
    let host = host(&[]);
    let found = rows(&host, &ask("connections", &["local_address", "remote_port", "process"], &is_it));
    let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(found, [format!("127.0.0.1|{}|{}", listener.local_addr().unwrap().port(), comm.trim())]);
    if let Some(text) = output("ss", &["-tnH", "state", "established"]) {
        assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    }
}

#[test]
fn disk_usage_is_that_of_df() {
    let host = host(&[]);
    let sizes = rows(&host, &ask("disk_usage", &["path", "size_bytes", "used_percent"], &[]));
    let Some(text) = output("df", &["--block-size=1", "--output=size,target", "/"]) else { return };
    let Some(size) = text.lines().nth(1).and_then(|line| line.split_whitespace().next()) else { return };
    // Where / is no file system that is told (a container's overlay), there is nothing to compare.
    if let Some(root) = sizes.iter().find(|row| row.starts_with("/|")) {
        assert_eq!(root.split('|').nth(1), Some(size), "{sizes:?}");
    }
}

#[test]
fn a_mount_that_hangs_is_left_out_and_named_and_not_asked_again() {
    let info = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 0 0:9 / /dead rw - nfs4 gone:/x rw\n3 0 8:2 / /srv rw - ext4 /dev/sdb1 rw\n";
    let tree = Tree::new(&[("proc/1/mountinfo", info)]);
    let host = host_below(&tree);
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let hangs: Statvfs = |path| {
        if path.to_bytes() == b"/dead" {
            ASKED.fetch_add(1, Ordering::Relaxed);
            loop {
                std::thread::park();
            }
        }
        rustix::fs::statvfs("/")
    };
    host.disks.borrow_mut().statvfs = hangs;
    let asked = ask("disk_usage", &["path"], &[]);
    let first = answered(&host, &asked);
    let paths: Vec<&Value> = first.rows.iter().map(|row| &row[0]).collect();
    assert_eq!((first.word, paths), (AnswerWord::Rows, vec![&"/".into(), &"/srv".into()]));
    assert_eq!(first.problem, "/dead is left out: it gives no answer");
    assert_eq!(answered(&host, &asked), first);
    assert_eq!(ASKED.load(Ordering::Relaxed), 1, "nobody waits for it again");
}

#[test]
fn who_is_logged_in_is_read_from_either_place() {
    let session = "USER=ann\nCLASS=user\nTTY=pts/1\nLEADER=5\nSTATE=active\nTYPE=tty\nREALTIME=1700000000000000\n";
    let greeter = "USER=gdm\nCLASS=greeter\n";
    let tree = Tree::new(&[
        ("run/systemd/sessions/3", session),
        ("run/systemd/sessions/c1", greeter),
        ("run/systemd/sessions/3.ref", ""),
    ]);
    assert_eq!(rows(&host_below(&tree), &ask("logged_in", &[], &[])), ["ann|pts/1|5|-|tty|active|1700000000"]);
    assert_eq!(rows(&host_below(&Tree::new(&[("etc/passwd", "")])), &ask("logged_in", &[], &[])), [""; 0]);
}

#[test]
fn the_agent_tells_its_configuration() {
    let host = host(&["metrics.interval=15s", "inventory.enabled=false"]);
    let told = rows(&host, &ask("agent", &["version", "started", "interval_ms", "inventory_interval_s"], &[]));
    assert_eq!(told, [format!("{}|1700000000|15000|-", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn tables_of_the_inventory_are_looked_at_anew_and_filtered() {
    let tree =
        Tree::new(&[("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:100::/:/bin/zsh\nbob:x:1001:100::/:\n")]);
    let host = host_below(&tree);
    let people = [("uid", AskTest::GreaterOrEqual, 1_000.into()), ("shell", AskTest::NotEqual, Value::Null)];
    assert_eq!(rows(&host, &ask("users", &["name", "uid"], &people)), ["ann|1000"]);
    tree.write("etc/passwd", "eve:x:2000:100::/:/bin/sh\n");
    assert_eq!(rows(&host, &ask("users", &["name", "uid"], &people)), ["eve|2000"]);
}

#[test]
fn what_is_no_question_of_this_host_is_refused_by_name() {
    let host = host(&[]);
    let mut none = ask("users", &[], &[]);
    none.filters = vec![AskFilter { column: "x".repeat(4_096), test: AskTest::Less, value: Value::Null }; 8];
    for (asked, word, told) in [
        (ask("porcesses", &[], &[]), AnswerWord::Unknown, "there is no table `porcesses` to ask: there are os,"),
        (ask("users", &["pid"], &[]), AnswerWord::Unknown, "table users has no column `pid`: it has name, uid"),
        (ask("users", &[], &[("uid", AskTest::Contains, "1".into())]), AnswerWord::Unknown, "`contains` does not fit"),
        (none, AnswerWord::Unknown, "table users has no column `xxxx"),
        (Ask { within_ms: 0, ..ask("users", &[], &[]) }, AnswerWord::Late, "ask again with a longer timeout"),
    ] {
        let answer = answered(&host, &asked);
        assert!(answer.word == word && answer.problem.contains(told), "{answer:?}");
        assert!(answer.rows.is_empty() && answer.problem.len() <= 1_000);
    }
    let unreadable = Tree::new(&[("etc/group", "")]);
    let failed = answered(&host_below(&unreadable), &ask("users", &[], &[]));
    assert_eq!(
        (failed.word, failed.problem.as_str()),
        (AnswerWord::Failed, "/etc/passwd: is not there: is it mounted?")
    );
}

#[test]
fn an_answer_keeps_to_its_bounds_whatever_the_host_has() {
    // Users whose comments cannot be compressed, and more of them than an answer takes.
    let mut random = fastrand::Rng::with_seed(1);
    let mut passwd = String::new();
    for number in 0..3_000 {
        let comment: String = (0..1_000).map(|_| random.char(' '..='~')).filter(|one| *one != ':').collect();
        passwd.push_str(&format!("u{number}:x:{number}:1:{comment}:/:/bin/sh\n"));
    }
    let tree = Tree::new(&[("etc/passwd", &passwd)]);
    let host = host_below(&tree);
    let all = answered(&host, &ask("users", &[], &[]));
    let bytes: usize = all.rows.iter().map(|row| if let Value::Text(text) = &row[3] { text.len() } else { 0 }).sum();
    assert!((150..220).contains(&all.rows.len()) && bytes < ROWS_BYTES_MAX, "{} rows, {bytes}", all.rows.len());
    assert_eq!(all.dropped as usize + all.rows.len(), 3_000);
    let names = answered(&host, &ask("users", &["name"], &[]));
    assert_eq!((names.rows.len(), names.dropped), (1_000, 2_000));
    let few = answered(&host, &Ask { rows_max: 5, ..ask("users", &["name"], &[]) });
    assert_eq!((few.rows.len(), few.dropped), (5, 2_995));
}

#[test]
fn one_is_answered_four_wait_and_the_next_is_told_to_come_again() {
    let info = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n";
    let tree = Tree::new(&[("proc/1/mountinfo", info), ("etc/passwd", "ann:x:1:1::/:/bin/sh\n")]);
    let host = host_below(&tree);
    let (say, answers) = sync_channel(10);
    let own = Arc::new(Own::default());
    let (hold, held) = sync_channel::<()>(0);
    let held = std::sync::Mutex::new(held);
    let worker = AskWorker::start(host, Arc::clone(&own), move |answer| {
        // The first answer holds the thread up until the test lets it go.
        let _ = held.lock().unwrap().recv();
        say.send(answer).unwrap();
    })
    .unwrap();
    let numbered = |id| Ask { id, ..ask("users", &["name"], &[]) };
    let mut busy = Vec::new();
    for id in 0..8 {
        // One may be under way before the next comes, or not yet.
        busy.extend(worker.ask(numbered(id)));
    }
    assert!((3..=4).contains(&busy.len()) && busy.iter().all(|one| one.word == AnswerWord::Busy), "{busy:?}");
    drop(hold);
    let answered: BTreeSet<u64> = (0..8 - busy.len()).map(|_| answers.recv().unwrap().id).collect();
    assert_eq!(answered.len() + busy.len(), 8);
    assert_eq!(own.ask.answers(AnswerWord::Busy), busy.len() as u64);
    assert_eq!(own.ask.answers(AnswerWord::Rows), answered.len() as u64);
}

#[test]
fn a_host_that_answers_nothing_says_by_which_key() {
    let own = Arc::new(Own::default());
    let worker = AskWorker::start(host(&["ask.enabled=false"]), Arc::clone(&own), |_| panic!("nobody looks")).unwrap();
    let refused = worker.ask(ask("users", &[], &[])).unwrap();
    assert_eq!((refused.word, refused.id), (AnswerWord::Refused, 7));
    assert!(refused.problem.contains("`enabled = true` under [ask]"), "{}", refused.problem);
    assert_eq!(own.ask.answers(AnswerWord::Refused), 1);
}
