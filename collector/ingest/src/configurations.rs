//! Gives hosts the configurations that they are to have, and hands fleet what they say to them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time;
use muster_common::wire::message::{Configuration, ConfigurationState, Problem};
use muster_fleet::Fleet;

use crate::error_text::chain;
use crate::hub::Hub;
use crate::session::Input;

/// How often what hosts told is worked in and a roll-out goes on: its waits are of a minute and more.
const STEP_EVERY: Duration = Duration::from_secs(1);

/// Steps roll-outs, and hands configurations to the sessions of hosts that are due, until the collector stops. A host without a session gets its
/// own by its next welcome.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut moved = hub.fleet.subscribe_configurations();
    moved.mark_changed();
    let mut said = String::new();
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = moved.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(STEP_EVERY) => {
                let fleet = Arc::clone(&hub.fleet);
                let stepped = tokio::task::spawn_blocking(move || fleet.step_profiles(time::now())).await;
                let why = match stepped {
                    Ok(done) => done.err().map(|error| chain(&error)).unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                // A disk that is full says so each second.
                if !why.is_empty() && why != said {
                    tracing::error!("configurations of hosts do not go on: {why}");
                }
                said = why;
            }
        }
        moved.borrow_and_update();
        for host in hub.fleet.take_configurations_due() {
            let Some(configuration) = configuration_of(&hub.fleet, host) else { continue };
            for (connection, _, _) in hub.connections_of(Some(&HashSet::from([host]))) {
                // Nobody waits for it to be carried out.
                drop(hub.order_and_wait(connection, Input::Configure(configuration.clone())));
            }
        }
    }
}

/// What this host is to run by; `None`: nothing was ever meant for it.
pub(crate) fn configuration_of(fleet: &Fleet, host: HostId) -> Option<Configuration> {
    let (number, digest, document) = fleet.configuration_for(host)?;
    let configuration = Configuration::new(number, document.to_string());
    debug_assert_eq!(configuration.digest, digest, "both ends make a digest in the same way");
    Some(configuration)
}

/// What a host told of it.
pub(crate) fn told(fleet: &Fleet, host: HostId, state: &ConfigurationState) {
    let problems: Vec<String> = state.problems.iter().map(text_of).collect();
    fleet.configuration_told(host, state.in_force, state.offered, state.word, &problems, time::now());
}

/// A problem as one text, `place: message: remedy`.
fn text_of(problem: &Problem) -> String {
    let parts = [&problem.place, &problem.message, &problem.remedy];
    let told: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_as_place_message_and_remedy() {
        let problem = |place: &str, message: &str, remedy: &str| Problem {
            place: place.to_owned(),
            message: message.to_owned(),
            remedy: remedy.to_owned(),
        };
        assert_eq!(text_of(&problem("logs[0].paths", "outside", "allow it")), "logs[0].paths: outside: allow it");
        assert_eq!(text_of(&problem("", "it ended", "")), "it ended");
    }
}
