//! Real processes: what they may, how they end, and that nothing of them is left.

use std::fs;
use std::path::Path;

use muster_common::time;
use muster_common::wire::message::Message;
use muster_common::wire::tasks::{TaskRefusal, TaskWord};

use super::host::{Agent, Given, Host, must_be_root};

const OK: TaskWord = TaskWord::Ended { code: 0 };

/// Processes whose command line names this folder, besides the program itself.
fn left(folder: &Path) -> Vec<String> {
    let name = folder.display().to_string();
    let processes = fs::read_dir("/proc").expect("the list of processes").flatten().filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.contains(&name) && !line.contains("muster-task run")).then_some(line)
    });
    processes.collect()
}

/// Waits until a file that a script writes is whole.
fn wait_for(path: &Path) -> String {
    let until = time::monotonic() + std::time::Duration::from_secs(60);
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(time::monotonic() < until, "{} in time", path.display()),
        }
        std::thread::yield_now();
    }
}

fn is_there(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])))
}

#[test]
fn a_task_runs_without_a_shell_in_a_clean_place_and_is_written_down() {
    let script = r#"echo "word=$2"; env | sort; echo "in $(pwd)"; ls -l /proc/self/fd | grep -c '[0-9] -> '; cat; echo oops >&2; exit 3"#;
    let mut host = Host::new(&[Given::new("show", script)], "");
    let mut agent = host.connect();
    let order = host.order("show", "hello you");
    let task = host.approved(&order);
    let (state, text) = agent.run(&task);
    assert_eq!(state.word, TaskWord::Ended { code: 3 }, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("word=hello you", "oops"));
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let known = [
        "word",
        "HOME",
        "LC_ALL",
        "LOGNAME",
        "MUSTER_ORDER",
        "MUSTER_STEP",
        "MUSTER_TASK",
        "PATH",
        "PWD",
        "USER",
        "_",
        "OLDPWD",
        "SHLVL",
    ];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    assert!(lines.contains(&"in /"), "{text}");
    // Its three, and the folder that ls itself has open.
    assert!(lines.contains(&"4"), "no other descriptor: {text}");
    assert_eq!(agent.again(&task), state, "told again, not run again");
    let events: Vec<String> = host.audit().into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["start", "catalogue", "accepted", "running", "ended"]);
    let verified = host.command(&["audit", "verify"]);
    assert!(verified.status.success() && String::from_utf8_lossy(&verified.stdout).starts_with("5 entries are whole"));
    let shown = String::from_utf8(host.command(&["audit", "show"]).stdout).unwrap();
    assert!(
        shown.contains("\"requester\":\"user:bob\",\"approvers\":[\"anna\"]") && shown.contains("hello you"),
        "{shown}"
    );
    let log = host.path("state/audit.log");
    fs::write(&log, fs::read_to_string(&log).unwrap().replace("hello you", "hello all")).unwrap();
    let verified = host.command(&["audit", "verify"]);
    assert!(!verified.status.success() && String::from_utf8_lossy(&verified.stderr).contains("its hash is not that"));
}

#[test]
fn what_takes_too_long_is_ended_with_all_that_it_had_started() {
    let script = r#"(setsid sh -c "echo \$\$ > $1/daemon; exec sleep 1000" &) ; sleep 1000 & echo started; wait"#;
    let mut host = Host::new(&[Given { limits: "timeout = \"1s\"", ..Given::new("hang", script) }], "");
    let mut agent = host.connect();
    let task = host.task("hang");
    let (state, text) = agent.run(&task);
    assert_eq!((state.word, text.as_str()), (TaskWord::TimedOut, "started\n"), "{}", state.problem);
    let daemon = wait_for(&host.path("daemon"));
    assert!(!is_there(&daemon) && left(host.folder.path()).is_empty(), "{:?}", left(host.folder.path()));
}

#[test]
fn what_a_task_leaves_behind_ends_with_it() {
    let script = r#"setsid sh -c "echo \$\$ > $1/daemon; exec sleep 1000" & while [ ! -s $1/daemon ]; do :; done"#;
    let mut host = Host::new(&[Given::new("leave", script)], "");
    let mut agent = host.connect();
    let task = host.task("leave");
    assert_eq!(agent.run(&task).0.word, OK);
    assert!(!is_there(&wait_for(&host.path("daemon"))));
}

#[test]
fn a_fork_bomb_is_bounded_and_over_at_its_time() {
    must_be_root("another account is needed, whose processes are counted apart");
    let script = "bomb() { bomb | bomb & }\nbomb\nwhile :; do :; done";
    let limits = "timeout = \"2s\"\nprocesses = 40\noutput_kib = 16";
    let bomb = Given { account: "nobody".into(), limits, ..Given::new("bomb", script) };
    let mut host = Host::new(&[bomb, Given::new("after", "echo well")], "");
    let mut agent = host.connect();
    let task = host.task("bomb");
    let (state, _) = agent.run(&task);
    assert!(matches!(state.word, TaskWord::TimedOut | TaskWord::Ended { .. }), "{state:?}");
    assert_eq!(left(host.folder.path()), [] as [String; 0]);
    let after = host.task("after");
    let (state, text) = agent.run(&after);
    assert_eq!((state.word, text.as_str()), (OK, "well\n"), "the host goes on");
}

#[test]
fn a_gigabyte_of_output_is_counted_and_cut() {
    let given =
        Given { limits: "output_kib = 256\ntimeout = \"10m\"", ..Given::new("pour", "yes | head -c 1073741824") };
    let mut host = Host::new(&[given], "");
    let mut agent = host.connect();
    let task = host.task("pour");
    let (state, text) = agent.run(&task);
    assert_eq!((state.word, state.output_bytes), (OK, 1 << 30), "{}", state.problem);
    assert_eq!(state.dropped_bytes, (1 << 30) - (256 << 10));
    assert!(text.len() < (256 << 10) + 100 && text.ends_with("bytes more were written and are not kept]\n"));
}

#[test]
fn binary_output_is_text_and_secrets_stay_on_the_host() {
    let script = "printf '\\000\\033[2Jx\\377\\n'; head -c 3000 /dev/urandom; echo; echo 'password=hunter2hunter2'";
    let mut host = Host::new(&[Given::new("noise", script)], "");
    let mut agent = host.connect();
    let task = host.task("noise");
    let (state, text) = agent.run(&task);
    assert!(state.word == OK && text.starts_with("\\x00\\x1b[2Jx\\xff\n"), "{text:?}");
    assert!(text.chars().all(|letter| letter == '\n' || letter == '\t' || !letter.is_control()));
    assert!(text.ends_with("password=<redacted>\n") && !text.contains("hunter2"));
}

#[test]
fn more_memory_than_allowed_is_not_given() {
    let script = "head -c 300000000 /dev/zero | tail -n 1 | wc -c";
    let given = Given { limits: "memory_mib = 32", ..Given::new("eat", script) };
    let mut host = Host::new(&[given], "");
    let mut agent = host.connect();
    let task = host.task("eat");
    let (state, text) = agent.run(&task);
    assert!(text.contains("memory exhausted") || !text.contains("300000000"), "{state:?} {text}");
}

#[test]
fn an_account_is_taken_whole_and_nothing_leads_back() {
    must_be_root("only root becomes another account");
    let script =
        "id -u; id -G; grep -E 'NoNewPrivs|CapEff|CapPrm' /proc/self/status; touch $1/mine 2>/dev/null || echo refused";
    let given = Given { account: "nobody".into(), ..Given::new("who", script) };
    let mut host = Host::new(&[given], "");
    let mut agent = host.connect();
    let task = host.task("who");
    let (state, text) = agent.run(&task);
    assert_eq!(state.word, OK, "{text}");
    let lines: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((lines[0], lines[1]), ("65534", "65534"), "{text}");
    assert!(text.contains("NoNewPrivs:\t1") && text.contains("CapEff:\t0000000000000000"), "{text}");
    assert!(text.ends_with("refused\n"), "{text}");
}

#[test]
fn a_signal_and_a_program_that_is_not_there_are_told_apart() {
    let mut host = Host::new(&[Given::new("die", "kill -9 $$"), Given::new("gone", "true")], "");
    let mut agent = host.connect();
    let task = host.task("die");
    assert_eq!(agent.run(&task).0.word, TaskWord::Killed { signal: 9 });
    fs::remove_file(host.path("gone")).unwrap();
    let task = host.task("gone");
    let (state, _) = agent.run(&task);
    assert_eq!(state.word, TaskWord::Ended { code: 127 });
    assert!(state.problem.contains("is not there: install it"), "{}", state.problem);
}

#[test]
fn a_cancelled_run_ends_and_what_waits_never_begins() {
    let script = "echo $$ > $1/pid; sleep 1000 & wait";
    let mut host = Host::new(&[Given::new("hang", script), Given::new("touch", "touch $1/ran")], "");
    let mut agent = host.connect();
    let (hang, touch) = (host.task("hang"), host.task("touch"));
    agent.say(Message::Task(hang.clone()));
    let pid = wait_for(&host.path("pid"));
    agent.say(Message::Task(touch.clone()));
    agent.cancel(touch.call);
    assert_eq!(agent.state(touch.call, |state| state.word.is_last()).word, TaskWord::Cancelled);
    agent.cancel(hang.call);
    assert_eq!(agent.state(hang.call, |state| state.word.is_last()).word, TaskWord::Cancelled);
    assert!(!is_there(&pid) && !host.path("ran").exists());
}

#[test]
fn a_kill_in_the_middle_is_told_as_lost_and_nothing_goes_on_or_runs_again() {
    let script = "echo one; echo $$ > $1/pid; echo x >> $1/runs; exec sleep 1000";
    let mut host = Host::new(&[Given::new("hang", script)], "");
    let mut agent = host.connect();
    agent.hold_acks();
    let task = host.task("hang");
    agent.say(Message::Task(task.clone()));
    let pid = wait_for(&host.path("pid"));
    while agent.output.is_empty() {
        if let Some(Message::TaskOutput(output)) = agent.hear() {
            agent.output.entry(output.call).or_default().push((output.chunk, output.text));
        }
    }
    host.kill();
    let until = time::monotonic() + std::time::Duration::from_secs(60);
    while is_there(&pid) {
        assert!(time::monotonic() < until, "it ends with its program");
        std::thread::yield_now();
    }
    host.start();
    let mut agent = Agent::connect(&host.path("sock"));
    let state = agent.state(task.call, |_| true);
    assert_eq!((state.word, state.chunks), (TaskWord::Lost, 1));
    assert_eq!(agent.all_output(&state), "one\n", "what it had written is there");
    assert_eq!(agent.again(&task).word, TaskWord::Lost);
    assert_eq!(fs::read_to_string(host.path("runs")).unwrap(), "x\n", "once");
}

#[test]
fn an_orderly_end_ends_what_runs_and_says_so_to_the_next_session() {
    let script = "echo $$ > $1/pid; exec sleep 1000";
    let mut host = Host::new(&[Given::new("hang", script)], "");
    let mut agent = host.connect();
    agent.hold_acks();
    let task = host.task("hang");
    agent.say(Message::Task(task.clone()));
    let pid = wait_for(&host.path("pid"));
    host.stop();
    assert!(!is_there(&pid));
    host.start();
    let mut agent = Agent::connect(&host.path("sock"));
    assert_eq!(agent.state(task.call, |_| true).word, TaskWord::Cancelled);
}

#[test]
fn a_file_stops_everything_and_a_host_that_does_not_say_so_runs_nothing() {
    let mut host = Host::new(&[Given::new("touch", "touch $1/ran")], "");
    let mut agent = host.connect();
    fs::write(host.path("no-tasks"), "").unwrap();
    let task = host.task("touch");
    assert_eq!(agent.refused(&task), TaskRefusal::Disabled);
    let checked = host.command(&["check"]);
    assert!(String::from_utf8_lossy(&checked.stdout).starts_with("no task runs here while "));
    fs::remove_file(host.path("no-tasks")).unwrap();
    assert_eq!(agent.run(&task).0.word, OK, "a refused call may come again");
    host.stop();
    let text = fs::read_to_string(host.path("task.toml")).unwrap();
    fs::write(host.path("task.toml"), text.replace("enabled = true", "enabled = false")).unwrap();
    fs::remove_file(host.path("ran")).unwrap();
    host.start();
    let mut agent = Agent::connect(&host.path("sock"));
    let task = host.task("touch");
    assert_eq!(agent.refused(&task), TaskRefusal::Disabled);
    assert!(!host.path("ran").exists());
}

#[test]
fn settings_that_are_wrong_or_open_to_others_keep_it_from_beginning() {
    use std::os::unix::fs::PermissionsExt;
    let mut host = Host::new(&[Given::new("touch", "true")], "");
    host.connect();
    host.stop();
    fs::set_permissions(host.path("task.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    let output = host.command(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("whoever may write it may run everything"));
}
