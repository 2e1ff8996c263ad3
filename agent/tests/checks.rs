//! Plugins run for real, through the built program: what hangs, forks, floods or is not there, and what real ones say.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use muster_agent::checks::run_once;
use muster_agent::checks::settings::Checks;
use muster_agent::checks::worker::CheckWorker;
use muster_agent::config;
use muster_agent::own::Own;
use muster_common::check::CheckState;
use muster_common::time;
use muster_common::wire::message::{CheckReport, Report};

const AGENT: &str = env!("CARGO_BIN_EXE_muster-agent");

/// A folder with plugins that the test writes.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A word that only this scene's processes have.
    fn mark(&self) -> String {
        self.folder.path().file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("rights");
        path
    }

    /// One `[[checks]]` named `it`, with this script and these further lines.
    fn toml(&self, body: &str, more: &str) -> String {
        let path = self.script("plugin", body);
        format!("[[checks]]\nname = \"it\"\ncommand = [\"{}\", \"an argument\", \"$HOME;*\"]\n{more}\n", path.display())
    }

    fn run(&self, body: &str, more: &str) -> CheckReport {
        once(&checks(&self.toml(body, more)))
    }

    /// Processes with the mark in their command line, this scene's scripts and what they started.
    fn processes(&self) -> Vec<u32> {
        let mark = self.mark();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let id = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().ok();
        let is_ours = |id: &u32| {
            let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&mark)
        };
        entries.filter_map(id).filter(is_ours).collect()
    }

    /// Waits until that many processes are there.
    fn await_processes(&self, count: impl Fn(usize) -> bool) {
        let begun = time::monotonic();
        while !count(self.processes().len()) {
            assert!(time::monotonic() - begun < Duration::from_secs(20), "still there: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn checks(toml: &str) -> Checks {
    let config = config::parse("agent.toml", toml, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    Checks { launcher: PathBuf::from(AGENT), ..config.checks }
}

fn once(checks: &Checks) -> CheckReport {
    run_once(checks, "it").unwrap_or_else(|error| panic!("{error}")).report
}

fn state(report: &CheckReport) -> CheckState {
    CheckState::from_u8(report.state).expect("a state")
}

#[test]
fn a_plugin_has_a_clean_place_its_limits_and_a_group_of_its_own() {
    let scene = Scene::new();
    let body = "read line && echo 'standard input'\necho OK\nenv | sort | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD\necho \"dir $(pwd) core $(ulimit -c) files $(ulimit -n) data $(ulimit -d) cpu $(ulimit -t)\"\nset -- $(cat /proc/$$/stat) \"$1\" \"$2\"\necho \"group $(( $5 == $$ )) nice ${19}\"\nshift 52; echo \"arguments $1 $2\"";
    let report = scene.run(body, "memory = \"64MiB\"\nenv = { GREETING = \"hello\" }\ntimeout = \"20s\"");
    let nice: i32 = {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().parse().unwrap()
    };
    let expect = [
        "GREETING=hello".to_owned(),
        "LC_ALL=C".to_owned(),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "dir / core 0 files 1024 data 65536 cpu 25".to_owned(),
        format!("group 1 nice {}", (nice + 5).min(19)),
        "arguments an argument $HOME;*".to_owned(),
    ];
    assert_eq!(
        (report.output.as_str(), report.long_output.lines().collect::<Vec<_>>()),
        ("OK", expect.iter().map(String::as_str).collect())
    );
}

#[test]
fn exit_codes_are_states_and_all_else_is_told_by_name() {
    let scene = Scene::new();
    for (body, expect, words) in [
        ("echo 'fine | a=1'; exit 0", CheckState::Ok, "fine"),
        ("echo warm; exit 1", CheckState::Warning, "warm"),
        ("echo hot; exit 2", CheckState::Critical, "hot"),
        ("echo what; exit 3", CheckState::Unknown, "what"),
        ("echo odd; exit 4", CheckState::Unknown, "exit code 4 of "),
        ("kill -SEGV $$", CheckState::Unknown, "was ended by signal 11 (SIGSEGV)"),
        ("exit 1", CheckState::Warning, "WARNING - the plugin printed nothing"),
        ("echo 'no licence' >&2; exit 2", CheckState::Critical, "printed nothing; on standard error: no licence"),
    ] {
        let report = scene.run(body, "");
        assert!(state(&report) == expect && report.output.contains(words), "{body}: {report:?}");
    }
    assert_eq!(scene.run("echo odd; exit 4", "").long_output, "odd");
    let check = |path: &str| once(&checks(&format!("[[checks]]\nname = \"it\"\ncommand = [\"{path}\"]\n")));
    let report = check("/nonexistent/check_x");
    assert!(report.output.contains("/nonexistent/check_x is not there (exit code 127): install it"), "{report:?}");
    let plain = scene.script("plain", "exit 0");
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    let report = check(&plain.display().to_string());
    assert!(report.output.contains("(exit code 126): chmod +x it"), "{report:?}");
}

#[test]
fn a_plugin_that_hangs_ends_at_its_time_with_all_that_it_started() {
    let scene = Scene::new();
    let mark = scene.mark();
    // The shell's own command line has the folder's name; its children get it by name too.
    let body = format!("echo begun\nsh -c 'sleep 600; : {mark}' &\nsh -c 'sleep 600; : {mark}'");
    let report = scene.run(&body, "timeout = \"500ms\"");
    assert!(report.output.contains("no end within 0.5 s") && report.output.contains("ended by SIGTERM"), "{report:?}");
    assert_eq!((state(&report), report.long_output.as_str()), (CheckState::Unknown, "begun"));
    assert!(report.duration_ms < 5_000, "{report:?}");
    scene.await_processes(|count| count == 0);
    let report = scene.run(&format!("trap '' TERM\n{body}\nwhile :; do sleep 600; done"), "timeout = \"300ms\"");
    assert!(report.output.contains("ended by SIGKILL"), "{report:?}");
    assert!((5_000..15_000).contains(&report.duration_ms), "{report:?}");
    scene.await_processes(|count| count == 0);
}

#[test]
fn what_a_plugin_leaves_running_is_ended_and_holds_nothing_up() {
    let scene = Scene::new();
    let mark = scene.mark();
    let body = format!(
        "for n in 1 2 3 4 5 6 7 8; do sh -c 'sleep 600; : {mark}' & done\nsh -c 'sleep 600; : {mark}' >/dev/null 2>&1 </dev/null &\necho 'OK - done | children=9'"
    );
    let report = scene.run(&body, "");
    assert_eq!((report.output.as_str(), report.perfdata[0].value), ("OK - done", 9.0));
    assert!(report.duration_ms < 5_000, "{report:?}");
    scene.await_processes(|count| count == 0);
    // One that left the group cannot be found, but it holds nobody up either.
    let report = scene.run("setsid sleep 8 &\necho 'OK - gone'", "");
    assert_eq!(report.output, "OK - gone");
    assert!(report.duration_ms < 5_000, "{report:?}");
}

#[test]
fn a_gigabyte_of_output_is_drained_and_its_head_kept() {
    let scene = Scene::new();
    let peak = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before = peak();
    let body = "echo 'OK - much | a=1'\nyes 'a line of a plugin that does not stop' | head -c 1000000000\nyes complaint | head -c 10000000 >&2";
    let report = scene.run(body, "timeout = \"120s\"");
    assert_eq!(
        (state(&report), report.output.as_str(), report.perfdata.len()),
        (CheckState::Ok, "OK - much", 1),
        "{}",
        report.output
    );
    assert!(
        report.long_output.len() <= 64 << 10 && report.long_output.ends_with("beyond the first 65536 are left out")
    );
    assert!(
        report.long_output.contains("999934"),
        "999,934,4xx bytes: {}",
        &report.long_output[report.long_output.len() - 90..]
    );
    assert!(peak() - before < 32 << 10, "{} kB more than before", peak() - before);
}

#[test]
fn a_hanging_plugin_holds_up_no_other_check_and_ends_with_the_worker() {
    let scene = Scene::new();
    let mut toml =
        scene.toml(&format!("sh -c 'sleep 600; : {}'", scene.mark()), "interval = \"1s\"\ntimeout = \"60s\"");
    toml.push_str("[[checks]]\nname = \"load\"\nkind = \"load\"\ninterval = \"1s\"\n");
    let own = Arc::new(Own::default());
    own.clock_correction_ms.set(3_600_000);
    let (sender, reports) = sync_channel(64);
    let worker = CheckWorker::start(checks(&toml), Arc::clone(&own), move |report| drop(sender.send(report))).unwrap();
    let next = || reports.recv_timeout(Duration::from_secs(20)).unwrap();
    let Report::Checks(list) = next() else { panic!("the list comes first") };
    assert_eq!(list.checks, ["it", "load"]);
    scene.await_processes(|count| count > 0);
    for _ in 0..3 {
        let Report::Check(report) = next() else { panic!("a result") };
        assert_eq!((report.check.as_str(), state(&report)), ("load", CheckState::Ok));
        let ahead = report.at_ms - time::now().millis();
        assert!((3_590_000..=3_600_000).contains(&ahead), "stamped by the corrected clock: {ahead}");
    }
    assert!(own.checks.runs.value() >= 3 && own.checks.running.value() == 1);
    drop(worker);
    scene.await_processes(|count| count == 0);
    while let Ok(report) = reports.recv() {
        assert!(
            matches!(report, Report::Check(report) if report.check == "load"),
            "nothing is said of a run that was ended"
        );
    }
}

/// Answers each request of HTTPS by `fine`, with a certificate of its own making.
fn serve_https() -> u16 {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key.into()).expect("settings"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = rustls::StreamOwned::new(connection, stream);
            // Who only tries the port asks nothing.
            if stream.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
                let _ = stream.flush();
            }
        }
    });
    port
}

#[test]
fn every_native_kind_runs_in_the_worker() {
    let port = serve_https();
    let toml: String = [
        ("disk", "path = \"/\"\nwarn = \"100\"\ncrit = \"100\"".to_owned()),
        ("inode", "path = \"/\"\nwarn = \"100\"\ncrit = \"100\"".to_owned()),
        ("load", String::new()),
        ("memory", "warn = \"0:\"".to_owned()),
        ("swap", "warn = \"100\"".to_owned()),
        ("process", "pattern = \".\"".to_owned()),
        ("tcp", format!("host = \"localhost\"\nport = {port}")),
        ("http", format!("url = \"https://localhost:{port}/\"\nverify = false\nbody = \"fine\"")),
        ("file_age", "path = \"/etc/passwd\"\ncrit = \"36500d\"".to_owned()),
        ("port", format!("port = {port}")),
        ("time", "server = \"127.0.0.1:9\"\ntimeout = \"500ms\"".to_owned()),
        ("unit", "unit = \"no-such-unit\"".to_owned()),
    ]
    .iter()
    .map(|(kind, keys)| format!("[[checks]]\nname = \"{kind}\"\nkind = \"{kind}\"\ninterval = \"1s\"\n{keys}\n"))
    .collect();
    let (sender, reports) = sync_channel(1_024);
    let worker = CheckWorker::start(checks(&toml), Arc::default(), move |report| drop(sender.send(report))).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 12 {
        match reports.recv_timeout(Duration::from_secs(30)).unwrap() {
            Report::Check(report) => drop(seen.insert(report.check.clone(), report)),
            other => assert!(matches!(other, Report::Checks(list) if list.checks.len() == 12)),
        }
    }
    drop(worker);
    for (kind, report) in seen {
        // Nobody answers at that port of UDP, and no host has that unit.
        let expect = if ["time", "unit"].contains(&kind.as_str()) { CheckState::Unknown } else { CheckState::Ok };
        assert_eq!((state(&report), report.definition.kind), (expect, 1), "{report:?}");
    }
}

fn agent(toml: &str, folder: &Path, words: &[&str]) -> Command {
    let file = folder.join("agent.toml");
    std::fs::write(&file, toml).expect("a file");
    let mut command = Command::new(AGENT);
    command.args(words).arg("--config").arg(file);
    command
}

#[test]
fn one_check_can_be_run_by_hand() {
    let scene = Scene::new();
    let toml =
        scene.toml("echo 'hot | a=5C;1;2 b=3'; echo more; exit 2", "labels = { team = \"web\" }\nremedy = \"cool it\"");
    let run = |name: &str| -> Output { agent(&toml, scene.folder.path(), &["check", "run", name]).output().unwrap() };
    let output = run("it");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for words in [
        "it  CRITICAL  (",
        "hot\nmore\n",
        "a      5C     1     2",
        "b      3\n",
        "muster_check_perfdata",
        "team=\"web\"",
        "remedy: cool it",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let output = run("other");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint.contains("no check is named other: the configuration has it"), "{complaint}");
}

#[test]
fn an_agent_that_is_killed_leaves_no_plugin() {
    let scene = Scene::new();
    let body = format!("exec sh -c 'while :; do sleep 1; done; : {}'", scene.mark());
    let toml = scene.toml(&body, "timeout = \"1h\"");
    let mut command = agent(&toml, scene.folder.path(), &["check", "run", "it"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    // The agent itself, whose arguments have the folder's name too, and the plugin.
    scene.await_processes(|count| count == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    scene.await_processes(|count| count == 0);
}

#[test]
fn a_plugin_whose_agent_has_ended_is_not_started() {
    let scene = Scene::new();
    let touched = scene.folder.path().join("touched");
    let run = |parent: u32| {
        let parent = format!("--parent={parent}");
        Command::new(AGENT).args(["exec-check", &parent, "--", "/usr/bin/touch"]).arg(&touched).output().unwrap()
    };
    let gone = run(1);
    let complaint = String::from_utf8(gone.stderr).unwrap();
    assert_eq!((gone.status.code(), touched.exists()), (Some(125), false), "{complaint}");
    assert!(complaint.contains("the agent that started this has ended"), "{complaint}");
    let there = run(std::process::id());
    assert_eq!((there.status.code(), touched.exists()), (Some(0), true), "{there:?}");
}

/// Debian's plugins, which `cargo xtask test` unpacks.
#[test]
fn real_plugins_are_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let plugins = root.join("target/tools/monitoring-plugins-basic/usr/lib/nagios/plugins");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (words, expect, output, labels) in [
        (
            &["check_disk", "-w", "0%", "-c", "0%", "-p", "/"][..],
            CheckState::Ok,
            "DISK OK - free space: / ",
            &["/"][..],
        ),
        (
            &["check_disk", "-w", "100%", "-c", "100%", "-p", "/"],
            CheckState::Critical,
            "DISK CRITICAL - free space: / ",
            &["/"],
        ),
        (&["check_dummy", "1", "some text"], CheckState::Warning, "WARNING: some text", &[]),
        (&["check_tcp", "-H", "127.0.0.1", "-p", &port], CheckState::Ok, "TCP OK - ", &["time"]),
        (&["check_load", "-w", "999,999,999", "-c", "999,999,999"], CheckState::Ok, "", &["load1", "load5", "load15"]),
        (&["check_disk", "--no-such-option"], CheckState::Unknown, "", &[]),
    ] {
        let plugin = plugins.join(words[0]);
        assert!(
            plugin.is_file(),
            "{} is missing: `cargo xtask test` unpacks monitoring-plugins-basic",
            plugin.display()
        );
        let mut command = vec![plugin.display().to_string()];
        command.extend(words[1..].iter().map(|word| (*word).to_owned()));
        let report = once(&checks(&format!("[[checks]]\nname = \"it\"\ncommand = {command:?}\n")));
        assert!(state(&report) == expect && report.output.starts_with(output), "{words:?}: {report:?}");
        let seen: Vec<&str> = report.perfdata.iter().map(|one| one.label.as_str()).collect();
        assert_eq!(seen, labels, "{report:?}");
        // Their usage has `|` in it, which is no perfdata and stays readable.
        let is_usage = words.contains(&"--no-such-option");
        assert_eq!(report.long_output.contains("not understood"), is_usage, "{report:?}");
    }
}
