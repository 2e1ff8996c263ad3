//! Both doctors against what they are for: firewalls, wrong servers, rights, hardened units, full disks, mail servers that do not answer.
//!
//! Namespaces stand in for other machines. Files of other users and capabilities of files need root, as a build machine's container has it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use muster_tests::harness::agent::{AgentHome, muster, run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::mailbox::Mailbox;
use muster_tests::harness::programs;
use serde_json::Value;

use super::LIMIT;

/// A collector and a host that is enrolled there.
struct Scene {
    folder: tempfile::TempDir,
    collector: Collector,
    home: AgentHome,
}

impl Scene {
    fn new() -> Self {
        let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
        let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
        let home = AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
        Self { folder, collector, home }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `muster-agent doctor` behind these words of a shell, with these arguments.
    fn doctor(&self, before: &str, words: &[&str]) -> Found {
        let agent = programs::program(&self.home.programs, "muster-agent");
        let mut all = vec!["doctor", "-o", "json", "--state", self.home.state.to_str().unwrap()];
        all.extend(words);
        let mut command = Command::new("sh");
        command.args(["-ec", &format!("{before} exec \"$0\" \"$@\"")]).arg(agent).args(all);
        Found::read(&command.output().unwrap())
    }
}

/// What a doctor said.
struct Found {
    code: i32,
    findings: Vec<Value>,
}

impl Found {
    fn read(output: &Output) -> Self {
        let json: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", shown(&output.stdout), shown(&output.stderr)));
        Self { code: output.status.code().unwrap(), findings: json["findings"].as_array().unwrap().clone() }
    }

    /// All of this examination: level and text.
    fn of(&self, examination: &str) -> Vec<(&str, &str)> {
        let own = self.findings.iter().filter(|finding| finding["examination"] == examination);
        own.map(|finding| (finding["level"].as_str().unwrap(), finding["what"].as_str().unwrap())).collect()
    }

    /// The one finding of this examination that is not well: its text and its remedy.
    #[track_caller]
    fn problem(&self, examination: &str) -> (&str, &str) {
        let own = self
            .findings
            .iter()
            .filter(|finding| finding["examination"] == examination && finding["level"] == "problem");
        let own: Vec<&Value> = own.collect();
        assert_eq!(own.len(), 1, "{examination}: {:#?}", self.findings);
        assert_eq!(self.code, 1);
        (own[0]["what"].as_str().unwrap(), own[0]["remedy"].as_str().unwrap())
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command that must succeed.
fn must(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {words:?}: {}", shown(&output.stderr));
    shown(&output.stdout)
}

#[test]
fn a_host_that_is_well_is_told_so_and_its_session_goes_on() {
    let scene = Scene::new();
    let _agent = scene.home.start(&["metrics.interval=1s"]).unwrap();
    let state = scene.home.state.to_str().unwrap();
    until("a status that is well", LIMIT, || {
        let (code, _, _) = run(&scene.home.programs, "muster-agent", &["status", "--state", state])?;
        Ok((code == 0).then_some(()))
    })
    .unwrap();
    let sessions = |collector: &Collector| {
        let text = collector.get("/metrics").unwrap().text();
        let line =
            text.lines().find(|line| line.starts_with("muster_collector_ingest_sessions_total")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{text}"))
    };
    let before = sessions(&scene.collector);
    let found = scene.doctor("", &[]);
    assert_eq!(found.code, 0, "{:#?}", found.findings);
    let collector = found.of("collector");
    assert!(
        matches!(collector[..], [("ok", what)] if what.ends_with("the collector takes this host's certificate")),
        "{collector:?}"
    );
    assert!(
        matches!(found.of("identity")[..], [("ok", what)] if what.starts_with("enrolled as web1 ")),
        "{:?}",
        found.of("identity")
    );
    assert!(found.of("agent")[0].1.contains("is connected"), "{:?}", found.of("agent"));
    assert_eq!(sessions(&scene.collector), before, "the doctor is no session");
    let examined = [
        "configuration",
        "identity",
        "state folder",
        "collector",
        "clock",
        "backlog",
        "logs",
        "journal",
        "plugins",
        "agent",
    ];
    assert!(examined.iter().all(|name| !found.of(name).is_empty()), "{:#?}", found.findings);
    // The offset is measured by the doctor itself.
    let clock: Vec<&Value> = found.findings.iter().filter(|finding| finding["examination"] == "clock").collect();
    assert!(clock.iter().all(|finding| finding["level"] != "problem"), "{clock:?}");

    let (code, text, _) = run(&scene.home.programs, "muster-agent", &["doctor", "--state", state]).unwrap();
    assert!(code == 0 && text.lines().last().is_some_and(|line| line.starts_with("0 problems, ")), "{text}");
    let (code, _, _) = run(&scene.home.programs, "muster-agent", &["doctor", "--output", "xml"]).unwrap();
    assert_eq!(code, 2);
}

#[test]
fn a_firewall_that_drops_and_a_port_that_refuses_are_told_apart() {
    let scene = Scene::new();
    let port = scene.collector.agents.port();
    let address = format!("collector.addresses=127.0.0.1:{port}");
    let alone = "exec unshare --user --map-root-user --net sh -ec 'ip link set lo up;";
    let refused = scene.doctor(&format!("{alone} exec \"$0\" \"$@\"' \"$0\" \"$@\";"), &["--set", &address]);
    let (what, remedy) = refused.problem("collector");
    assert!(
        what.contains(&format!("UDP to port {port} is refused")) && remedy.contains(&format!("grep {port}")),
        "{what} {remedy}"
    );

    let rules = format!(
        "nft add table inet f; nft \"add chain inet f in {{ type filter hook input priority 0 ; }}\"; nft add rule inet f in udp dport {port} drop;"
    );
    let dropped = scene.doctor(&format!("{alone} {rules} exec \"$0\" \"$@\"' \"$0\" \"$@\";"), &["--set", &address]);
    let (what, remedy) = dropped.problem("collector");
    assert!(what.contains(&format!("UDP to port {port} is dropped")) && what.contains("only UDP is dropped"), "{what}");
    assert!(remedy.contains(&format!("udp dport {port} accept")), "{remedy}");
    // With the rule that the remedy names, nothing is dropped any more.
    let allow = format!("nft insert rule inet f in udp dport {port} accept;");
    let again =
        scene.doctor(&format!("{alone} {rules} {allow} exec \"$0\" \"$@\"' \"$0\" \"$@\";"), &["--set", &address]);
    assert!(again.problem("collector").0.contains("is refused"), "{:?}", again.of("collector"));

    let lost = scene.doctor("", &["--set", "collector.addresses=nowhere.invalid:9471"]);
    assert!(lost.problem("collector").0.contains("does not resolve"), "{:?}", lost.of("collector"));
}

#[test]
fn another_collector_and_a_denied_certificate_are_told_apart() {
    let scene = Scene::new();
    let other = Collector::start(&Options::new(&scene.home.programs, &scene.folder.path().join("other"))).unwrap();
    let found = scene.doctor("", &["--set", &format!("collector.addresses={}", other.agents)]);
    let (what, remedy) = found.problem("collector");
    assert!(what.contains("not of the CA that this host knows") && remedy.contains("--replace"), "{what}");

    let (code, _, error) = muster(&scene.home.programs, &scene.collector, &["hosts", "retire", "web1"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let found = scene.doctor("", &[]);
    let (what, _) = found.problem("collector");
    assert!(what.contains("does not take this host's certificate"), "{what}");
    // The first address does not do, and the second does.
    let again = AgentHome::enrol(&scene.home.programs, &scene.collector, scene.folder.path(), "web2").unwrap();
    let both = format!("collector.addresses={},{}", other.agents, scene.collector.agents);
    let found = Scene { home: again, ..scene }.doctor("", &["--set", &both]);
    let levels: Vec<&str> = found.of("collector").into_iter().map(|(level, _)| level).collect();
    assert_eq!(levels, ["problem", "ok"], "{:?}", found.of("collector"));
}

/// As the agent's package has it, as far as it decides anything here.
const UNIT: &str = "[Service]\nUser=nobody\nNoNewPrivileges=yes\nCapabilityBoundingSet=\nAmbientCapabilities=\nProtectSystem=strict\n\
                    ProtectHome=read-only\nPrivateDevices=yes\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n";

#[test]
fn a_log_that_the_units_user_may_not_read_is_named_and_the_remedy_mends_it() {
    let scene = Scene::new();
    // Others go through the folder that the test has for itself.
    std::fs::set_permissions(scene.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let log = scene.write("logs/app.log", "one\n");
    std::fs::set_permissions(&log, PermissionsExt::from_mode(0o600)).unwrap();
    let (unit, config) = (
        scene.write("muster-agent.service", UNIT),
        scene.write("agent.toml", &format!("[[logs]]\npaths = [\"{}\"]\n", log.display())),
    );
    let words = ["--unit", unit.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let found = scene.doctor("", &words);
    let logs: Vec<&Value> = found.findings.iter().filter(|finding| finding["examination"] == "logs").collect();
    let (what, remedy) = (logs[0]["what"].as_str().unwrap(), logs[0]["remedy"].as_str().unwrap());
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(
        what.starts_with(&format!("user nobody lacks r (read) on {}, which is root:root 0600", log.display())),
        "{what}"
    );
    let command = remedy.lines().next().unwrap();
    assert!(command.starts_with("setfacl -m u:nobody:r "), "{remedy}");

    // The user itself says the same, without root's eyes.
    let state = scene.folder.path().join("state-of-nobody");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(65_534), Some(65_534)).unwrap();
    let as_nobody = || {
        let agent = programs::program(&scene.home.programs, "muster-agent");
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
            .arg(agent)
            .args(["doctor", "-o", "json", "--config", config.to_str().unwrap(), "--state", state.to_str().unwrap()])
            .output()
            .unwrap();
        Found::read(&output)
    };
    let own = as_nobody();
    assert!(own.of("logs")[0].1.starts_with("user nobody lacks r (read) on "), "{:?}", own.of("logs"));

    must("sh", &["-c", command]);
    assert!(matches!(scene.doctor("", &words).of("logs")[..], [("ok", "1 files can be read")]));
    assert!(matches!(as_nobody().of("logs")[..], [("ok", "1 files can be read")]));
    must("setpriv", &["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "cat", log.to_str().unwrap()]);
}

#[test]
fn a_real_plugin_that_the_unit_hinders_is_named_and_its_drop_in_relaxes_exactly_that() {
    let scene = Scene::new();
    std::fs::set_permissions(scene.folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let real = programs::tool("monitoring-plugins-basic", "usr/lib/nagios/plugins/check_icmp");
    let plugin = scene.folder.path().join("check_icmp");
    std::fs::copy(real, &plugin).unwrap();
    std::fs::set_permissions(&plugin, PermissionsExt::from_mode(0o755)).unwrap();
    let path = plugin.to_str().unwrap();
    must("setcap", &["cap_net_raw+ep", path]);
    let unit = scene.write("muster-agent.service", UNIT);
    let config = scene
        .write("agent.toml", &format!("[[checks]]\nname = \"ping\"\ncommand = [\"{path}\", \"-H\", \"127.0.0.1\"]\n"));
    let words = ["--unit", unit.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let found = scene.doctor("", &words);
    let plugins: Vec<&Value> = found.findings.iter().filter(|finding| finding["examination"] == "plugins").collect();
    let problems: Vec<&&Value> = plugins.iter().filter(|finding| finding["level"] == "problem").collect();
    assert_eq!(problems.len(), 1, "{plugins:#?}");
    let what = problems[0]["what"].as_str().unwrap();
    assert!(what.contains("needs CAP_NET_RAW") && what.contains("drops privileges"), "{what}");
    let remedy = problems[0]["remedy"].as_str().unwrap();
    let drop_in = &remedy[remedy.find("[Service]").unwrap()..];
    let lines = ["AmbientCapabilities=CAP_NET_RAW", "CapabilityBoundingSet=CAP_NET_RAW", "SystemCallFilter=setuid"];
    assert_eq!(drop_in.lines().skip(1).collect::<Vec<_>>(), lines);

    // What the doctor says is what the kernel does: as the unit's user under the unit's limits, then with the drop-in's. The filter of calls
    // is strace's here, which denies as the unit's does.
    let denying =
        ["strace", "-f", "-o", "/dev/null", "-e", "trace=setuid", "-e", "inject=setuid:error=EPERM", "setpriv"];
    let under = |before: &[&str], limits: &[&str]| {
        let mut command = Command::new(before[0]);
        command.args(&before[1..]);
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]).args(limits);
        command.args(["--", path, "-H", "127.0.0.1", "-n", "1"]).output().unwrap()
    };
    let hindered = under(&["setpriv"], &["--inh-caps", "-all", "--bounding-set", "-all"]);
    assert_ne!(hindered.status.code(), Some(0), "{}", shown(&hindered.stdout));
    let relaxed = ["--inh-caps", "-all,+net_raw", "--ambient-caps", "-all,+net_raw", "--bounding-set", "-all,+net_raw"];
    let half = under(&denying, &relaxed);
    assert!(shown(&half.stdout).contains("drop privileges"), "{}{}", shown(&half.stdout), shown(&half.stderr));
    let works = under(&["setpriv"], &relaxed);
    assert_eq!(works.status.code(), Some(0), "{}{}", shown(&works.stdout), shown(&works.stderr));

    scene.write("muster-agent.service.d/icmp.conf", drop_in);
    let found = scene.doctor("", &words);
    assert!(found.of("plugins").iter().all(|(level, _)| *level != "problem"), "{:?}", found.of("plugins"));
}

#[test]
fn a_full_disk_in_memory_is_two_findings() {
    let scene = Scene::new();
    let state = scene.home.state.to_str().unwrap();
    let before = format!(
        "exec unshare --user --map-root-user --mount sh -ec 'cp -r {state} {state}.copy; mount -t tmpfs -o size=64m tmpfs {state}; \
         cp -a {state}.copy/. {state}/; head -c 80m /dev/zero > {state}/filler 2>/dev/null || true; exec \"$0\" \"$@\"' \"$0\" \"$@\";"
    );
    let found = scene.doctor(&before, &[]);
    let folder = found.of("state folder");
    let told = |level: &str, word: &str| folder.iter().any(|(own, what)| *own == level && what.contains(word));
    assert!(told("warning", "on tmpfs") && told("problem", "6 MiB stay free for others"), "{folder:?}");
    assert_eq!(found.code, 1);
}

#[test]
fn the_collectors_doctor_tries_its_mail_server_and_sends_nothing() {
    let (programs, folder, mailbox) = (programs::folder(), tempfile::tempdir().unwrap(), Mailbox::start(None).unwrap());
    let alerting = folder.path().join("alerting.yml");
    let text = format!(
        "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
         route: {{receiver: ops}}\nreceivers:\n- name: ops\n  email_configs:\n  - {{to: ann@example.org}}\n- name: idle\n",
        mailbox.address
    );
    std::fs::write(&alerting, text).unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    options.arguments = vec!["--alerting".to_owned(), alerting.to_string_lossy().into_owned()];
    let collector = Collector::start(&options).unwrap();
    let doctor = || {
        let url = format!("http://{}", collector.http);
        let words = ["--url", &url, "--token", &collector.token, "-o", "json", "doctor"];
        let output = Command::new(programs::program(&programs, "muster")).args(words).output().unwrap();
        Found::read(&output)
    };
    let found = doctor();
    assert_eq!(found.code, 0, "{:#?}", found.findings);
    assert!(
        matches!(found.of("mail")[..], [("ok", what)] if what.ends_with("it answers, in clear text")),
        "{:?}",
        found.of("mail")
    );
    assert!(matches!(found.of("agents' port")[..], [("ok", _)]), "{:?}", found.of("agents' port"));
    let receivers = found.of("receivers");
    assert!(matches!(receivers[..], [("warning", what)] if what.contains("`idle`")), "{receivers:?}");
    for examination in ["HTTP", "certificates", "disk", "forecast", "store", "hosts", "clock", "rules", "notices"] {
        assert!(!found.of(examination).is_empty(), "{examination}: {:#?}", found.findings);
    }
    mailbox.set_away(true);
    let found = doctor();
    let (what, remedy) = found.problem("mail");
    assert!(what.starts_with("no mail can be sent: connecting") && remedy.contains("alerting.yml"), "{what}");
    let (code, text, _) = muster(&programs, &collector, &["doctor"]).unwrap();
    assert!(code == 1 && text.contains("mail") && text.contains("PROBLEM"), "{text}");
    assert!(mailbox.mails().is_empty(), "nothing is sent");
    // Only an administrator may ask.
    let (_, words, _) = muster(&programs, &collector, &["token", "new", "--scope", "read"]).unwrap();
    let url = format!("http://{}", collector.http);
    let read = words.lines().last().unwrap();
    let (code, _, error) = run(&programs, "muster", &["--url", &url, "--token", read, "doctor"]).unwrap();
    assert!(code == 2 && error.contains("needs admin"), "{code} {error}");
}

/// The archive's texts, of the system's own tar.
fn unpacked(archive: &Path) -> String {
    must("tar", &["-xzOf", archive.to_str().unwrap()])
}

#[test]
fn bundles_hold_what_helps_and_none_of_the_keys_and_tokens() {
    let scene = Scene::new();
    let agent = scene.home.start(&["metrics.interval=1s"]).unwrap();
    let newest = "timestamp(node_load1{host=\"web1\"})";
    until("a sample", LIMIT, || scene.collector.number(newest, None)).unwrap();
    // A journalctl that shows what should never have been logged, and a secret in the environment.
    let journalctl = scene.write("bin/journalctl", "#!/bin/sh\necho 'started'\necho 'password=logged-s3cret'\n");
    std::fs::set_permissions(&journalctl, PermissionsExt::from_mode(0o755)).unwrap();
    let config = scene.write("agent.toml", "[redaction]\npatterns = [\"planted-s3cret\"]\n");
    let bundle = |program: &str, words: &[&str], to: &Path| {
        let path = format!("{}:/usr/bin:/bin", scene.folder.path().join("bin").display());
        let mut command = Command::new(programs::program(&scene.home.programs, program));
        command
            .args(words)
            .args(["--to", to.to_str().unwrap()])
            .env("PATH", path)
            .env("DEPLOY_TOKEN", "environment-s3cret");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output.stderr));
        assert_eq!(std::fs::metadata(to).unwrap().permissions().mode() & 0o777, 0o600);
        unpacked(to)
    };
    let (state, config) = (scene.home.state.to_str().unwrap(), config.to_str().unwrap());
    let to = scene.folder.path().join("agent.tar.gz");
    let text = bundle("muster-agent", &["bundle", "--state", state, "--config", config], &to);
    assert!(!text.contains("s3cret"), "{text}");
    let key = std::fs::read_to_string(scene.home.state.join("identity.pem")).unwrap();
    assert!(key.lines().filter(|line| line.len() > 20).all(|line| !text.contains(line)), "no line of the identity");
    assert!(
        text.contains("\"examination\": \"identity\"") && text.contains("started") && text.contains("last_ack_ms"),
        "{text}"
    );

    let to = scene.folder.path().join("collector.tar.gz");
    let url = format!("http://{}", scene.collector.http);
    let text = bundle("muster", &["--url", &url, "--token", &scene.collector.token, "bundle"], &to);
    assert!(!text.contains("s3cret") && !text.contains(&scene.collector.token), "{text}");
    assert!(
        text.contains("retention") && text.contains("web1") && text.contains("\"examination\": \"disk\""),
        "{text}"
    );
    let again = run(
        &scene.home.programs,
        "muster",
        &["--url", &url, "--token", &scene.collector.token, "bundle", "--to", to.to_str().unwrap()],
    );
    let (code, _, error) = again.unwrap();
    assert!(code == 2 && error.contains("name a new file"), "{error}");
    drop(agent);
}
