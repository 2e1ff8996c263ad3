//! NRPE's configuration through the built program, and real plugins run from what came of it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AGENT: &str = env!("CARGO_BIN_EXE_muster-agent");

/// Debian's plugins, which `cargo xtask test` unpacks.
fn plugin(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let path = root.join("target/tools/monitoring-plugins-basic/usr/lib/nagios/plugins").join(name);
    assert!(path.is_file(), "{} is missing: `cargo xtask test` unpacks it", path.display());
    path
}

fn agent(words: &[&str]) -> Output {
    Command::new(AGENT).args(words).output().expect("the agent starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn commands_of_nrpe_run_as_checks_of_the_agent() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (dummy, disk) = (plugin("check_dummy"), plugin("check_disk"));
    let nrpe = format!(
        "# sample\ncommand_timeout=20\ndont_blame_nrpe=0\ncommand[dummy]={} 1 'it is warm'\ninclude_dir={}\n",
        dummy.display(),
        at("nrpe.d")
    );
    std::fs::write(at("nrpe.cfg"), nrpe).expect("written");
    std::fs::create_dir(at("nrpe.d")).expect("a folder");
    let more = format!("command[disk]={} -w 1% -c 1% -p \"/\"\ncommand[args]={0} -w $ARG1$\n", disk.display());
    std::fs::write(at("nrpe.d/disk.cfg"), more).expect("written");

    let done = agent(&["check", "import", &at("nrpe.cfg"), "--write", &at("agent.toml")]);
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("nrpe.d/disk.cfg:2: command[args]: has the macro $ARG1$"), "{told}");
    assert!(told.ends_with("2 commands taken, 1 lines told above\n"), "{told}");
    assert_eq!(std::fs::metadata(at("agent.toml")).expect("made").permissions().mode() & 0o777, 0o600);

    let ran = agent(&["check", "run", "dummy", "--config", &at("agent.toml")]);
    assert!(ran.status.code() == Some(1) && text(&ran.stdout).contains("it is warm"), "{}", text(&ran.stdout));
    let ran = agent(&["check", "run", "disk", "--config", &at("agent.toml")]);
    assert!(
        ran.status.code().is_some_and(|code| code <= 2) && text(&ran.stdout).contains("DISK"),
        "{}",
        text(&ran.stdout)
    );

    let again = agent(&["check", "import", &at("nrpe.cfg"), "--write", &at("agent.toml")]);
    assert!(
        again.status.code() == Some(2) && text(&again.stderr).contains("name a new file"),
        "{}",
        text(&again.stderr)
    );
    let missing = agent(&["check", "import", &at("none.cfg")]);
    assert!(missing.status.code() == Some(2) && text(&missing.stderr).contains("/etc/nagios/nrpe.cfg"));
}
