//! Why this process ends, as far as can be told at that moment: the goodbye names it, and how long a silence is expected follows from it.
//!
//! First the state folder's file `stop-reason`, one word (`restart`, `upgrade`, `reboot`, `shutdown`), written by whoever stops the agent
//! (a package's scripts write `upgrade`) and used once; then what systemd is about to do, by its jobs; where it cannot be asked, what is
//! planned in `/run/systemd/shutdown/scheduled`; else a restart. `retire` is not among them: retiring is the collector's decision.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use muster_common::wire::message::GoodbyeReason;

const MARKER: &str = "stop-reason";
const SCHEDULED: &str = "systemd/shutdown/scheduled";
/// The goodbye must be out before the network goes, so an answer that takes longer is of no use.
const JOBS_WITHIN: Duration = Duration::from_secs(1);

/// Looks once; `run` is `/run`, `systemctl` the program's name or path.
pub async fn stop_reason(state_dir: &Path, run: &Path, systemctl: &Path) -> GoodbyeReason {
    let marker = state_dir.join(MARKER);
    if let Ok(word) = std::fs::read_to_string(&marker) {
        // Used once, so that it does not speak for a later end.
        let _ = std::fs::remove_file(&marker);
        if let Some(reason) = parse(word.trim()) {
            return reason;
        }
    }
    // A plan is for later, so it says nothing of an agent that is restarted before.
    let reason = match jobs(systemctl).await {
        Some(jobs) => of_jobs(&jobs),
        None => of_plan(&std::fs::read_to_string(run.join(SCHEDULED)).unwrap_or_default()),
    };
    reason.unwrap_or(GoodbyeReason::Restart)
}

/// What systemd is doing, a job a line: number, unit, kind, state. `None`: it cannot be asked.
async fn jobs(systemctl: &Path) -> Option<String> {
    let mut command = tokio::process::Command::new(systemctl);
    command.args(["list-jobs", "--no-legend", "--plain"]).env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(JOBS_WITHIN, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The target that is being reached.
fn of_jobs(jobs: &str) -> Option<GoodbyeReason> {
    jobs.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let target = words.next()?.strip_suffix(".target")?;
        (words.next()? == "start").then(|| parse(target)).flatten()
    })
}

fn of_plan(scheduled: &str) -> Option<GoodbyeReason> {
    parse(scheduled.lines().find_map(|line| line.strip_prefix("MODE="))?.trim())
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_marker_speaks_once_then_systemds_jobs_then_its_plan_then_it_is_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run, systemctl) =
            (folder.path().join("state"), folder.path().join("run"), folder.path().join("systemctl"));
        std::fs::create_dir_all(run.join("systemd/shutdown")).unwrap();
        std::fs::create_dir_all(&state).unwrap();
        let reason = || stop_reason(&state, &run, &systemctl);
        assert_eq!(reason().await, GoodbyeReason::Restart);
        std::fs::write(run.join(SCHEDULED), "USEC=1\nWARN_WALL=1\nMODE=reboot\n").unwrap();
        assert_eq!(reason().await, GoodbyeReason::Reboot);
        std::fs::write(&systemctl, "#!/bin/sh\necho 'No jobs running.'\n").unwrap();
        std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(reason().await, GoodbyeReason::Restart, "what is planned for later is not why it ends now");
        std::fs::write(&systemctl, "#!/bin/sh\n[ \"$1\" = list-jobs ] && echo ' 91 poweroff.target start waiting'\n")
            .unwrap();
        assert_eq!(reason().await, GoodbyeReason::Shutdown);
        std::fs::write(state.join(MARKER), "upgrade\n").unwrap();
        assert_eq!(reason().await, GoodbyeReason::Upgrade);
        assert_eq!(reason().await, GoodbyeReason::Shutdown);
        std::fs::write(state.join(MARKER), "because").unwrap();
        assert_eq!(reason().await, GoodbyeReason::Shutdown);
    }

    #[test]
    fn a_target_that_is_reached_is_told_from_other_jobs() {
        for (jobs, expect) in [
            ("No jobs running.", None),
            ("", None),
            ("12 nginx.service restart running", None),
            ("12 reboot.target stop waiting", None),
            ("11 muster-agent.service stop running\n 12 reboot.target start waiting\n", Some(GoodbyeReason::Reboot)),
            ("  7 kexec.target start waiting", Some(GoodbyeReason::Reboot)),
            ("7 halt.target start waiting", Some(GoodbyeReason::Shutdown)),
        ] {
            assert_eq!(of_jobs(jobs), expect, "{jobs}");
        }
    }
}
