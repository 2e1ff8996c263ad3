//! What is found, goes and comes back, as events.

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use super::item::{Item, ItemState};
use super::kinds::{KINDS, clean, kind_name};
use super::look::{FirstCounts, ITEMS_A_HOST_MAX, Outcome, Over, Tale};
use super::machine::{Told, WENTS_A_DAY};
use crate::by::By;
use crate::outbox::{Event, EventKind};

/// Things of one host that have an event each of one look; the others have one together.
const TOLD_MAX: usize = 20;
/// Of these so many are named.
const NAMED_MAX: usize = 20;
/// Events of new things of one host in an hour: an installation makes three, somebody at work a dozen.
const EVENTS_AN_HOUR: u64 = 60;
const HOUR_MS: u64 = 3_600_000;

/// How much of what is new a host has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    since_ms: i64,
    told: u64,
    /// New things that no event told since the last one.
    untold: u64,
}

impl Budget {
    /// How many events of new things the host may have now.
    fn left(&mut self, now_ms: i64) -> usize {
        if now_ms.abs_diff(self.since_ms) >= HOUR_MS {
            (self.since_ms, self.told) = (now_ms, 0);
        }
        usize::try_from(EVENTS_AN_HOUR.saturating_sub(self.told)).unwrap_or(0)
    }
}

/// The events of one look at a host, and how many new things none tells since the host has told too many. What is gone or back is told always: it is
/// of accepted things alone, and of those that come and go once a day. `over`: what of it was not taken before.
pub(super) fn events(
    (host, name): (HostId, &str),
    outcome: &Outcome,
    over: &Over,
    budget: &mut Budget,
    now: Timestamp,
) -> (Vec<Event>, u64) {
    let left = budget.left(now.millis());
    let new = |text: String| Event::new(EventKind::Discovered, &By::MUSTER, now, text).of(host, name);
    let (found, others): (Vec<&Tale>, Vec<&Tale>) = outcome.told.iter().partition(|tale| tale.told == Told::Found);
    let mut events = Vec::new();
    if !outcome.first.is_empty() {
        let text = format!("host `{name}` was looked at for the first time: {}", first_words(outcome));
        let count: u64 = outcome.first.values().map(|counts| counts.proposed + counts.accepted + counts.ignored).sum();
        events.push(new(text).with("count", count.to_string()));
    }
    let over_now = &outcome.row.over;
    if over_now.count > 0 && over.count == 0 {
        let named: Vec<String> = over_now.first.iter().map(|key| clean(key)).collect();
        let text = format!(
            "host `{name}` has more than {ITEMS_A_HOST_MAX} things to watch, so {} are not taken, such as {}: ignore kinds of them with a rule, or archive some",
            over_now.count,
            named.join(", ")
        );
        events.push(new(text).with("over", over_now.count.to_string()));
    }
    let (each, rest) = found.split_at(found.len().min(TOLD_MAX));
    events.extend(each.iter().map(|tale| of_item((host, name), tale, now)));
    if !rest.is_empty() {
        let named: Vec<String> = rest.iter().take(NAMED_MAX).map(|tale| tale.item.what.words()).collect();
        let text = format!("host `{name}` has {} more things that are new: {}", rest.len(), named.join("; "));
        events.push(new(text).with("count", rest.len().to_string()));
    }
    let all = events.len();
    events.truncate(left);
    let untold = (all - events.len()) as u64;
    if let Some(last) = events.last_mut() {
        if budget.untold > 0 {
            last.text
                .push_str(&format!("; before that {} events were left out, since there were too many", budget.untold));
        }
        budget.untold = 0;
    }
    (budget.told, budget.untold) = (budget.told + events.len() as u64, budget.untold + untold);
    events.extend(others.iter().map(|tale| of_item((host, name), tale, now)));
    (events, untold)
}

/// `12 units, 5 ports are proposed; 2 ports are accepted by rules`
fn first_words(outcome: &Outcome) -> String {
    let counted = |of: fn(&FirstCounts) -> u64, what: &str| {
        let kinds = KINDS.iter().filter_map(|kind| {
            let count = of(outcome.first.get(kind.name)?);
            (count > 0).then(|| format!("{count} {}", if count == 1 { kind.name } else { kind.many }))
        });
        let kinds: Vec<String> = kinds.collect();
        (!kinds.is_empty()).then(|| format!("{} {what}", kinds.join(", ")))
    };
    let all = [
        counted(|counts| counts.proposed, "proposed"),
        counted(|counts| counts.accepted, "accepted by rules"),
        counted(|counts| counts.ignored, "ignored by rules"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The event of one item.
pub(super) fn of_item((host, name): (HostId, &str), tale: &Tale, now: Timestamp) -> Event {
    let Item { what, fate } = &tale.item;
    let thing = what.words();
    let (kind, text) = match (tale.told, fate.state) {
        (Told::Flaps, state) => {
            let text = format!(
                "host `{name}`: {thing} comes and goes, more than {WENTS_A_DAY} times in a day; that is told once a day"
            );
            (kind_of(state), text)
        }
        (Told::Found, ItemState::Accepted) => {
            (EventKind::Discovered, format!("host `{name}` has {thing}, which is new: accepted by {}", fate.by))
        }
        (Told::Found, _) => {
            (EventKind::Discovered, format!("host `{name}` has {thing}, which is new: accept or ignore it"))
        }
        (Told::Gone, _) => {
            let text =
                format!("host `{name}` has no {thing} any more, and nobody announced it: archive it if that was meant");
            (EventKind::ItemGone, text)
        }
        (Told::Back, _) => (EventKind::ItemReturned, format!("host `{name}` has {thing} again")),
        (Told::Archived, _) => {
            let text = format!("host `{name}` has no {thing} any more: archived, {}", clean(&fate.reason));
            (EventKind::ItemArchived, text)
        }
    };
    let event = Event::new(kind, &By::MUSTER, now, text).of(host, name);
    let event =
        event.with("item", what.key.as_str()).with("kind", kind_name(&what.key)).with("state", fate.state.as_str());
    let fields = [("port", what.value("port")), ("process", what.value("process")), ("unit", what.value("unit"))];
    let known = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let event = known.fold(event, |event, (field, value)| event.with(field, value));
    match fate.went {
        Some(went) => event.with("since_ms", went.after_ms.to_string()).with("at_ms", went.until_ms.to_string()),
        None => event,
    }
}

const fn kind_of(state: ItemState) -> EventKind {
    match state {
        ItemState::Gone => EventKind::ItemGone,
        ItemState::Archived => EventKind::ItemArchived,
        ItemState::Accepted => EventKind::ItemReturned,
        _ => EventKind::Discovered,
    }
}
