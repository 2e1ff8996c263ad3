//! Alertmanager's own checker of configurations as the measure of ours.

use std::path::Path;
use std::process::Command;

use muster_tests::harness::programs;

/// What Alertmanager finds only when it connects.
const FOUND_LATER: [&str; 1] = ["cert_without_key.yml"];

/// amtool's judgement of a file.
fn check_config(path: &Path) -> Result<(), String> {
    let mut command = Command::new(programs::tool("prometheus-alertmanager", "usr/bin/amtool"));
    let output = command.arg("check-config").arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// The same files are judged by the tests beside our reader. `good.yml` there has options that Debian's amtool is too old for.
#[test]
fn amtool_takes_and_refuses_the_same_configurations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/alert/src/routing/testdata");
    check_config(&folder.join("good_classic.yml")).unwrap_or_else(|said| panic!("{said}"));
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join("mistakes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".yml") && !FOUND_LATER.contains(&&*name) {
            assert!(check_config(&path).is_err(), "amtool takes {name}");
            count += 1;
        }
    }
    assert!(count >= 30, "{count}");
}
