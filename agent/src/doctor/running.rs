//! The running agent's own word: what `muster-agent status` calls a problem.

use muster_common::finding::Finding;

use super::scene::Scene;

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let place = scene.state_dir.join("status.json").display().to_string();
    if let Some(user) = scene.missing_user() {
        let place = scene.unit_file().unwrap_or_default();
        return vec![no_user(user, &scene.account.name, place)];
    }
    match &scene.status {
        Ok(Some(status)) => {
            let problems = status.problems(scene.now);
            if problems.is_empty() {
                let text = format!("version {} runs as process {} and is connected", status.agent_version, status.pid);
                return vec![Finding::ok(text, place)];
            }
            problems.iter().map(|problem| told(problem, &place)).collect()
        }
        Ok(None) => vec![Finding::warning(
            "no agent has run with this state folder",
            place,
            "systemctl enable --now muster-agent",
        )],
        Err(error) => {
            vec![Finding::warning(format!("its status cannot be read: {error}"), place, "run the doctor as root")]
        }
    }
}

/// The service cannot start, and rights were judged by another user's.
fn no_user(user: &str, judged: &str, place: String) -> Finding {
    let what = format!("the service works as user {user}, who does not exist; rights above are those of user {judged}");
    let remedy = format!(
        "systemd-sysusers   # or: useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {user}"
    );
    Finding::problem(what, place, remedy)
}

/// Its problems are sentences with the remedy behind a semicolon or a colon.
fn told(problem: &str, place: &str) -> Finding {
    let cut = problem.rsplit_once("; ").or_else(|| problem.rsplit_once(": "));
    match cut {
        Some((what, remedy)) => Finding::problem(what, place, remedy),
        None => Finding::problem(problem, place, "journalctl -u muster-agent   # says more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_without_its_user_is_told() {
        let found = no_user("muster", "root", "/u".to_owned());
        assert!(found.what.contains("user muster, who does not exist") && found.remedy.ends_with("nologin muster"));
    }

    #[test]
    fn the_remedy_is_behind_the_last_semicolon_or_colon() {
        for (text, what, remedy) in [
            ("the collector refuses: denied; enrol again", "the collector refuses: denied", "enrol again"),
            ("the agent was stopped: start it", "the agent was stopped", "start it"),
            ("no more", "no more", "journalctl -u muster-agent   # says more"),
        ] {
            let found = told(text, "p");
            assert_eq!((found.what.as_str(), found.remedy.as_str()), (what, remedy));
        }
    }
}
