//! Why this process ends, as far as can be told at that moment: the goodbye names it, and how long a silence is expected follows from it.
//!
//! First the state folder's file `stop-reason`, one word (`restart`, `upgrade`, `reboot`, `shutdown`), written by whoever stops the agent
//! (a package's scripts write `upgrade`) and used once; then what systemd has planned in `/run/systemd/shutdown/scheduled`; else a restart.
//! `retire` is not among them: retiring is the collector's decision.

use std::path::Path;

use muster_common::wire::message::GoodbyeReason;

const MARKER: &str = "stop-reason";
const SCHEDULED: &str = "systemd/shutdown/scheduled";

/// Looks once; `run` is `/run`.
pub fn stop_reason(state_dir: &Path, run: &Path) -> GoodbyeReason {
    let marker = state_dir.join(MARKER);
    if let Ok(word) = std::fs::read_to_string(&marker) {
        // Used once, so that it does not speak for a later end.
        let _ = std::fs::remove_file(&marker);
        if let Some(reason) = parse(word.trim()) {
            return reason;
        }
    }
    let scheduled = std::fs::read_to_string(run.join(SCHEDULED)).unwrap_or_default();
    let mode = scheduled.lines().find_map(|line| line.strip_prefix("MODE="));
    mode.and_then(|mode| parse(mode.trim())).unwrap_or(GoodbyeReason::Restart)
}

fn parse(word: &str) -> Option<GoodbyeReason> {
    match word {
        "restart" => Some(GoodbyeReason::Restart),
        "upgrade" => Some(GoodbyeReason::Upgrade),
        "reboot" | "kexec" | "soft-reboot" => Some(GoodbyeReason::Reboot),
        "shutdown" | "poweroff" | "halt" => Some(GoodbyeReason::Shutdown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_speaks_once_then_systemds_plan_then_it_is_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path().join("state"), folder.path().join("run"));
        std::fs::create_dir_all(run.join("systemd/shutdown")).unwrap();
        std::fs::create_dir_all(&state).unwrap();
        assert_eq!(stop_reason(&state, &run), GoodbyeReason::Restart);
        std::fs::write(run.join(SCHEDULED), "USEC=1\nWARN_WALL=1\nMODE=reboot\n").unwrap();
        assert_eq!(stop_reason(&state, &run), GoodbyeReason::Reboot);
        std::fs::write(state.join(MARKER), "upgrade\n").unwrap();
        assert_eq!(stop_reason(&state, &run), GoodbyeReason::Upgrade);
        assert_eq!(stop_reason(&state, &run), GoodbyeReason::Reboot);
        std::fs::write(state.join(MARKER), "because").unwrap();
        assert_eq!(stop_reason(&state, &run), GoodbyeReason::Reboot);
    }
}
