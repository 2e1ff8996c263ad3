//! `muster-agent remote`: exit codes and words, as scripts and people see them.

use std::path::Path;
use std::process::{Command, Output};

fn agent(folder: &Path, arguments: &[&str]) -> Output {
    let state = folder.join("state").display().to_string();
    let config = folder.join("agent.toml").display().to_string();
    Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .arg("remote")
        .args(arguments)
        .args(["--config", &config, "--state", &state])
        .output()
        .expect("the program runs")
}

fn text(output: &Output) -> (i32, String) {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&both).into_owned())
}

#[test]
fn a_document_is_checked_with_a_code_for_scripts_and_what_is_kept_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("state")).unwrap();
    std::fs::write(
        path("agent.toml"),
        "[remote]\ntargets = [\"localhost\"]\n\n[remote.commands]\nload = [\"/usr/lib/nagios/plugins/check_load\", \"-w\", \"5\"]\n",
    )
    .unwrap();
    let document = path("good.toml").display().to_string();
    std::fs::write(&document, "[[checks]]\nname = \"load\"\nuse = \"load\"\n").unwrap();
    let (code, told) = text(&agent(folder.path(), &["check", &document]));
    assert!(code == 0 && told.contains("it fits: 0 groups of logs, 1 checks"), "{code}: {told}");
    std::fs::write(
        &document,
        "[[checks]]\nname = \"a\"\nkind = \"tcp\"\nhost = \"example.org\"\nport = 25\n\n[spool]\nmax_bytes = 1\n",
    )
    .unwrap();
    let (code, told) = text(&agent(folder.path(), &["check", &document]));
    assert_eq!((code, told.lines().count()), (1, 2), "{told}");
    assert!(told.contains(&format!("{document}:4:1: checks.host: `example.org:25` is beyond")), "{told}");
    assert!(told.contains("agent.toml:2:1") && told.contains("for the host's own file to set"), "{told}");
    let (code, told) = text(&agent(folder.path(), &["check", "/nonexistent"]));
    assert!(code == 2 && told.contains("cannot be read"), "{code}: {told}");
    let (code, told) = text(&agent(folder.path(), &["show"]));
    assert_eq!((code, told.as_str()), (0, "in force    the host's own file alone\n"));
    std::fs::create_dir(path("state/remote")).unwrap();
    std::fs::write(path("state/remote/state.json"), "{").unwrap();
    let (code, told) = text(&agent(folder.path(), &["show", "-o", "json"]));
    let shown: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(code == 0 && shown["problems"][0]["message"].as_str().unwrap().starts_with("it is damaged"), "{told}");
}
