//! `problems`: the default page in one answer, and how fresh what it says is.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_common::time::Timestamp;
use muster_fleet::HostState;
use serde::Serialize;

use super::body::{object, remembered, truth};
use super::problem::{self, Group, Problem, Wanted};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::remembered::Long;
use crate::state::State;

#[derive(Serialize)]
struct Answer {
    version: u32,
    now_ms: i64,
    unhandled: usize,
    groups: Vec<Group>,
    problems: Vec<Problem>,
    freshness: Freshness,
}

/// How much an empty page is worth.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Freshness {
    /// The newest arrival of any host.
    newest_arrival_ms: Option<i64>,
    /// When rules and checks were looked at last to the end.
    rules_ms: i64,
    hosts: Hosts,
}

/// Hosts by how they are heard.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Hosts {
    active: u32,
    heard: u32,
    silent: u32,
    unreachable: u32,
    stopped: u32,
    rebooting: u32,
    /// Active, and not heard since the collector started.
    unheard: u32,
    /// They wait to be let in.
    pending: u32,
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let soft = truth(&form, "soft", false, "write soft=true to see problems that are not confirmed yet")?;
    if let Some(host) = form.first("host").filter(|host| !host.is_empty()).map(str::to_owned) {
        return object(move || answer(&state, Wanted { soft, host: Some(&host) })).await;
    }
    let long = if soft { Long::SoftProblems } else { Long::Problems };
    remembered(state, long, move |state| answer(state, Wanted { soft, host: None })).await
}

fn answer(state: &State, wanted: Wanted<'_>) -> Answer {
    let now = state.now();
    let problems = problem::gather(state, now.millis(), wanted);
    Answer {
        version: 1,
        now_ms: now.millis(),
        unhandled: problems.iter().filter(|one| !one.handled).count(),
        groups: problem::groups(&problems),
        freshness: freshness(state),
        problems,
    }
}

fn freshness(state: &State) -> Freshness {
    let presence = state.presence();
    let mut hosts = Hosts::default();
    for (id, standing) in state.fleet.host_states() {
        match standing {
            HostState::Pending => hosts.pending += 1,
            HostState::Active => {
                hosts.active += 1;
                let count = match presence.get(&id).map(|presence| presence.state.as_str()) {
                    Some("up") => &mut hosts.heard,
                    Some("silent") => &mut hosts.silent,
                    Some("unreachable") => &mut hosts.unreachable,
                    Some("rebooting") => &mut hosts.rebooting,
                    Some(_) => &mut hosts.stopped,
                    None => &mut hosts.unheard,
                };
                *count += 1;
            }
            HostState::Retired | HostState::Quarantined => {}
        }
    }
    let newest = presence.values().filter_map(|presence| presence.last_arrival).max();
    let rules_ms = state.alerting.last_round().millis();
    Freshness { newest_arrival_ms: newest.map(Timestamp::millis), rules_ms, hosts }
}
