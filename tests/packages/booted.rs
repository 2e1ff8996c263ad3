//! The units under a real systemd, with all of their hardening: installed, enrolled, upgraded, hung, purged.

use muster_tests::harness::booted::Booted;
use muster_tests::harness::packaged::SHELF;
use muster_tests::harness::root::Root;
use muster_tests::tail::Counts;
use muster_tests::upgrade::{AGENT, COLLECTOR, LOGS, account, while_lines_are_written};

use super::made;

fn run(system: &Booted, words: &[&str]) -> String {
    system.run(words).unwrap().ok().unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn property(system: &Booted, unit: &str, name: &str) -> String {
    system.property(unit, name).unwrap()
}

/// Waits until an instant query of the installed command has a number that `wanted` takes.
fn number(system: &Booted, expression: &str, wanted: impl Fn(f64) -> bool) -> f64 {
    let text = system
        .until(expression, |system| {
            let said = system.run(&["muster", "--output", "csv", "query", expression])?;
            let last = said.out.lines().last().unwrap_or_default();
            let number = last.rsplit(',').next().unwrap_or_default().parse::<f64>();
            Ok((
                number.as_ref().is_ok_and(|number| wanted(*number)),
                number.map_or(said.error, |number| number.to_string()),
            ))
        })
        .unwrap();
    text.parse().unwrap()
}

#[test]
fn the_units_do_their_work_behind_their_hardening() {
    let root = Root::with_systemd().unwrap();
    root.bring(made::new(), SHELF).unwrap();
    root.bring(made::old(), SHELF).unwrap();
    let system = match Booted::start(root) {
        Ok(system) => system,
        // Machines that give no namespaces or control groups: `life` runs the units' command lines there.
        Err(error) => {
            return eprintln!("no systemd boots on this machine, so its units are not started by one: {error:#}");
        }
    };
    let deb = |name: &str, version: &str| format!("{SHELF}/{name}_{version}_amd64.deb");
    run(&system, &["dpkg", "-i", &deb("muster-collector", made::OLD), &deb("muster", made::OLD)]);
    system
        .until("active collector", |system| {
            let state = system.property(COLLECTOR, "ActiveState")?;
            Ok((state == "active", format!("{state}: {}", system.journal(COLLECTOR)?)))
        })
        .unwrap();
    let status = property(&system, COLLECTOR, "StatusText");
    assert_eq!(status, "answers at 127.0.0.1:9470, takes agents at 0.0.0.0:9471");
    run(&system, &["systemctl", "reload", COLLECTOR]);
    // Else the agent waits up to 30 s, so that many do not come back at once, when the collector is upgraded.
    let settings = system.root.path("/etc/muster/collector.toml");
    std::fs::write(settings, "[agents]\nspread = \"0s\"\n").unwrap();
    run(&system, &["systemctl", "restart", COLLECTOR]);

    // Settings that were there before the package, as an image has them, are kept.
    let settings =
        "[metrics]\ninterval = \"1s\"\n\n[[checks]]\nname = \"failed-units\"\nkind = \"units\"\ninterval = \"1s\"\n";
    let logs = format!("\n[[logs]]\npaths = [\"{LOGS}/app-*.log\"]\nfrom = \"start\"\n\n[journal]\nenabled = true\n");
    std::fs::write(system.root.path("/etc/muster/agent.toml"), settings.to_owned() + &logs).unwrap();
    // Before the agent, which watches folders that are there: another is found at its next look, and by then a file was renamed away.
    std::fs::create_dir_all(system.root.path(LOGS)).unwrap();
    let word = run(&system, &["muster", "token", "new", "--name", "booted"]).lines().last().unwrap().to_owned();
    let script = format!("{SHELF}/install.sh");
    let said = run(&system, &["sh", &script, "--collector", "127.0.0.1:9471", "--token", &word, "--from", SHELF]);
    assert!(said.contains("the agent runs and is connected"), "{said}");
    assert_eq!(property(&system, AGENT, "StatusText"), "samples and sends as booted");
    number(&system, "count({host=\"booted\"})", |count| count >= 300.0);
    // What its hardening could hide from it: that the root is writable, the clock, the journal, failed units by D-Bus.
    number(&system, "node_filesystem_readonly{host=\"booted\",mountpoint=\"/\"}", |read_only| read_only == 0.0);
    number(&system, "count(node_timex_sync_status{host=\"booted\"})", |count| count == 1.0);
    number(&system, "muster_check_state{host=\"booted\",check=\"failed-units\"}", |state| state == 0.0);
    run(&system, &["systemd-run", "--quiet", "--wait", "--unit", "speaks", "echo", "a line of its own"]);
    // What its inventory watches to hear of units at once: a link for each that runs, which its user may see, and none for one that has ended.
    let running = run(
        &system,
        &["setpriv", "--reuid", "muster", "--regid", "muster", "--clear-groups", "ls", "/run/systemd/units"],
    );
    let has = |unit: &str| running.lines().any(|line| line == format!("invocation:{unit}"));
    assert!(has(AGENT) && has(COLLECTOR) && !has("speaks.service"), "{running}");
    system
        .until("a line of the journal", |system| {
            let said =
                system.run(&["muster", "logs", "{host=\"booted\"} |= \"a line of its own\"", "--since", "10m"])?;
            Ok((said.out.contains("a line of its own"), said.out + &said.error))
        })
        .unwrap();

    let [agent, collector] = ["muster-agent", "muster-collector"].map(|name| deb(name, made::NEW));
    let (written, ()) = while_lines_are_written(&system, 500, || upgrade(&system, &agent, &collector)).unwrap();
    let counts = account(&system, written).unwrap();
    assert_eq!(counts, Counts { received: written, ..Counts::default() });
    hang(&system);
    purge(&system);
}

/// Both are started again by their packages, once, and nothing else changes.
fn upgrade(system: &Booted, agent: &str, collector: &str) {
    let pids = [AGENT, COLLECTOR].map(|unit| property(system, unit, "MainPID"));
    let identity = run(system, &["sha256sum", "/var/lib/muster-agent/identity.pem"]);
    let before = number(system, "timestamp(node_load1{host=\"booted\"})", |_| true);
    run(system, &["dpkg", "-i", agent, collector]);
    for (unit, old) in [AGENT, COLLECTOR].iter().zip(pids) {
        assert_eq!(property(system, unit, "ActiveState"), "active", "{}", system.journal(unit).unwrap());
        assert_ne!(property(system, unit, "MainPID"), old, "{unit} runs the old program");
        assert_eq!(property(system, unit, "NRestarts"), "0");
    }
    assert_eq!(run(system, &["sha256sum", "/var/lib/muster-agent/identity.pem"]), identity);
    let stopped = system.journal(AGENT).unwrap();
    assert!(stopped.contains("agent stops reason=Upgrade"), "{stopped}");
    number(system, "timestamp(node_load1{host=\"booted\"})", |at| at > before);
}

/// An agent that hangs is ended and started again by its watchdog.
fn hang(system: &Booted) {
    let folder = system.root.path("/etc/systemd/system/muster-agent.service.d");
    std::fs::create_dir_all(&folder).unwrap();
    // The package's patience is a minute: here it is short.
    std::fs::write(folder.join("test.conf"), "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n").unwrap();
    run(system, &["systemctl", "daemon-reload"]);
    run(system, &["systemctl", "restart", AGENT]);
    run(system, &["systemctl", "kill", "--signal=STOP", "--kill-whom=main", AGENT]);
    system
        .until("restart by the watchdog", |system| {
            let [restarts, state] = [system.property(AGENT, "NRestarts")?, system.property(AGENT, "ActiveState")?];
            Ok((restarts == "1" && state == "active", format!("{restarts} restarts, {state}")))
        })
        .unwrap();
    let said = system.journal(AGENT).unwrap();
    assert!(said.contains("Watchdog timeout"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
    run(system, &["systemctl", "daemon-reload"]);
}

fn purge(system: &Booted) {
    run(system, &["dpkg", "-P", "muster-agent", "muster-collector", "muster"]);
    // Its exit code says that there is none.
    assert_eq!(system.run(&["systemctl", "list-unit-files", "--no-legend", "muster*"]).unwrap().out, "");
    assert_eq!(run(system, &["systemctl", "list-units", "--all", "--no-legend", "--plain", "muster*"]), "");
    let left = run(system, &["find", "/etc", "/usr", "/var/lib", "-iname", "*muster*"]);
    assert_eq!(left, "");
}
