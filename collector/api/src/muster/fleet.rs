//! `fleet`: thousands of hosts in one answer, a short row each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use axum::extract::State as Shared;
use axum::response::Response;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_fleet::{FleetError, HostGlance};
use serde::Serialize;

use super::body::remembered;
use super::problem;
use crate::error::MusterError;
use crate::remembered::Long;
use crate::state::{HostPresence, State};
use crate::strip::{BUCKET_MS, BUCKETS, Mark, Strips, Subject, begin_ms, note_of};

/// Events that a new process reads for the past day, newest first: more than a large fleet's bad day has. What is before them is shown as unknown.
const PAST_MAX: usize = 20_000;

#[derive(Serialize)]
struct Answer {
    version: u32,
    now_ms: i64,
    strip: Legend,
    hosts: Vec<Row>,
}

/// What the characters of `strip` stand for.
#[derive(Serialize)]
struct Legend {
    from_ms: i64,
    bucket_ms: i64,
    buckets: usize,
    states: BTreeMap<char, &'static str>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    state: &'static str,
    presence: Option<String>,
    since_ms: i64,
    labels: BTreeMap<String, String>,
    agent_version: String,
    last_arrival_ms: Option<i64>,
    /// How far the newest of its samples is behind the collector's clock.
    lag_ms: Option<i64>,
    checks: Checks,
    problems: u32,
    unhandled: u32,
    strip: String,
}

#[derive(Serialize)]
struct Checks {
    /// `None`: it has none.
    worst: Option<&'static str>,
    ok: u32,
    warning: u32,
    critical: u32,
    unknown: u32,
}

pub(super) async fn fleet(Shared(state): Shared<Arc<State>>) -> Result<Response, MusterError> {
    remembered(state, Long::Fleet, |state| answer(state, state.now())).await
}

/// Reads the day's events, so that the first page that shows hosts need not.
pub(crate) fn read_past(state: &State) {
    let names = state.fleet.glances().into_iter().map(|glance| (glance.name, glance.id)).collect();
    let mut strips = state.strips.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = read_events(state, &mut strips, &names, state.now().millis()) {
        tracing::error!("the past of hosts is not known yet: {error}");
    }
}

/// A host's problems, and how many of them want somebody.
type Counts = HashMap<HostId, (u32, u32)>;

fn answer(state: &State, now: Timestamp) -> Answer {
    let (glances, presence, now_ms) = (state.fleet.glances(), state.presence(), now.millis());
    let names: HashMap<String, HostId> = glances.iter().map(|glance| (glance.name.clone(), glance.id)).collect();
    let mut current: BTreeMap<Subject, (Mark, i64)> = glances.iter().flat_map(standing_problems).collect();
    let mut counts = Counts::new();
    for one in problem::briefs(state, now_ms) {
        let Some(host) = one.host_id.or_else(|| names.get(one.host.as_deref()?).copied()) else { continue };
        let (all, unhandled) = counts.entry(host).or_default();
        *all += 1;
        *unhandled += u32::from(!one.handled);
        if one.host_id.is_none() {
            current.insert((host, format!("alert {}", one.id)), (one.mark, one.since_ms));
        }
    }
    let mut strips = state.strips.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = read_events(state, &mut strips, &names, now_ms) {
        tracing::error!("the past of hosts is not shown: {error}");
    }
    strips.settle(now_ms, current);
    let rows = glances.into_iter().map(|glance| {
        let strip = strips.text(glance.id, glance.enrolled_ms.unwrap_or(now_ms), now_ms);
        let counts = counts.get(&glance.id).copied().unwrap_or_default();
        let presence = presence.get(&glance.id);
        row(glance, presence, now_ms, counts, strip)
    });
    let mut hosts: Vec<Row> = rows.collect();
    drop(strips);
    hosts.sort_unstable_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let states = Mark::ALL.iter().map(|(_, character, words)| (*character, *words));
    let states = states.chain([(Mark::NONE, "not known")]).collect();
    let strip = Legend { from_ms: begin_ms(now_ms), bucket_ms: BUCKET_MS, buckets: BUCKETS, states };
    Answer { version: 1, now_ms, strip, hosts }
}

/// A host's absence and its bad checks, each with its beginning.
fn standing_problems(glance: &HostGlance) -> impl Iterator<Item = (Subject, (Mark, i64))> {
    let absence = Mark::of_standing(glance.standing).map(|mark| ((glance.id, String::new()), (mark, glance.since_ms)));
    let bad = glance.bad.iter();
    absence.into_iter().chain(bad.map(|bad| ((glance.id, bad.check.clone()), (Mark::of(bad.severity), bad.since_ms))))
}

/// The events since the last look; at the first, those of the day.
fn read_events(
    state: &State,
    strips: &mut Strips,
    names: &HashMap<String, HostId>,
    now_ms: i64,
) -> Result<(), FleetError> {
    let Some(mut seq) = strips.seq else {
        let mut events = state.fleet.events(PAST_MAX)?;
        events.reverse();
        let is_whole = events.len() < PAST_MAX;
        let oldest_ms = events.first().map_or(0, |event| event.ms);
        let from_ms = if is_whole { begin_ms(now_ms) } else { oldest_ms.max(begin_ms(now_ms)) };
        *strips = Strips::of_past(&events, from_ms, names);
        // Of none there is nothing to be read again.
        strips.seq.get_or_insert(0);
        return Ok(());
    };
    let there: HashSet<HostId> = names.values().copied().collect();
    strips.keep(|host| there.contains(host));
    while seq.saturating_add(1) < state.fleet.outbox().next_seq {
        let events = state.fleet.events_after(seq, PAST_MAX)?;
        let Some(last) = events.last() else { break };
        seq = last.seq;
        events.iter().filter_map(|event| note_of(event, names)).for_each(|note| strips.note(note));
    }
    strips.seq = Some(seq);
    Ok(())
}

fn row(
    glance: HostGlance,
    presence: Option<&HostPresence>,
    now_ms: i64,
    (problems, unhandled): (u32, u32),
    strip: String,
) -> Row {
    let newest_data = presence.and_then(|presence| presence.newest_data);
    let counts = glance.checks;
    let worst = match counts {
        counts if counts.critical > 0 => Some("CRITICAL"),
        counts if counts.unknown > 0 => Some("UNKNOWN"),
        counts if counts.warning > 0 => Some("WARNING"),
        counts if counts.ok > 0 => Some("OK"),
        _ => None,
    };
    let (ok, warning, critical, unknown) = (counts.ok, counts.warning, counts.critical, counts.unknown);
    Row {
        id: glance.id.to_string(),
        name: glance.name,
        state: glance.state.as_str(),
        presence: presence.map(|presence| presence.state.clone()),
        since_ms: glance.since_ms,
        labels: glance.labels,
        agent_version: glance.agent_version,
        last_arrival_ms: presence.and_then(|presence| presence.last_arrival).map(Timestamp::millis),
        lag_ms: newest_data.map(|at| now_ms.saturating_sub(at.millis())),
        checks: Checks { worst, ok, warning, critical, unknown },
        problems,
        unhandled,
        strip,
    }
}
