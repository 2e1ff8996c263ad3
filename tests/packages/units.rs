//! The units as systemd reads them, without one that runs.

use std::process::Command;

use muster_tests::harness::packaged::{AGENT_UNIT, COLLECTOR_UNIT, exposure, source};

#[test]
fn units_are_as_closed_as_promised() {
    for (unit, most) in [(AGENT_UNIT, 2.5), (COLLECTOR_UNIT, 1.5)] {
        let found = exposure(unit).unwrap();
        assert!(found <= most, "{unit} is exposed by {found}, more than {most}");
    }
}

#[test]
fn systemd_knows_every_word_of_the_units() {
    for unit in [AGENT_UNIT, COLLECTOR_UNIT] {
        // The programs are not installed here: what they are called is checked where they are.
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(source(unit)).unwrap().replace("/usr/bin/muster-", "/bin/echo muster-");
        let copy = folder.path().join(source(unit).file_name().unwrap());
        std::fs::write(&copy, text).unwrap();
        let output =
            Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(&copy).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let own: Vec<&str> = said.lines().filter(|line| line.contains("muster-")).collect();
        assert!(output.status.success() && own.is_empty(), "{said}");
    }
}

#[test]
fn a_unit_is_notified_watched_and_started_again_for_ever() {
    for (unit, user) in [(AGENT_UNIT, "muster"), (COLLECTOR_UNIT, "muster-collector")] {
        let text = std::fs::read_to_string(source(unit)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let user = format!("User={user}");
        for line in ["Type=notify", "Restart=always", "StartLimitIntervalSec=0", "NoNewPrivileges=true", user.as_str()]
        {
            assert!(lines.contains(&line), "{unit} lacks {line}");
        }
        assert!(text.contains("WatchdogSec="), "{unit} has no watchdog");
    }
    let agent = std::fs::read_to_string(source(AGENT_UNIT)).unwrap();
    assert!(agent.contains("MemoryMax=") && agent.contains("SupplementaryGroups=adm systemd-journal"), "{agent}");
}
