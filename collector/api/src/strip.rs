//! How hosts stood over the last 24 hours, as one short text a host. Pure.
//!
//! Every problem is a span that is painted over half hours, of which each shows the worst. Spans come from the events that fleet keeps anyway
//! (so a new process knows what was before it), and are set right by how everything stands at each look: so none stays open for an event that
//! was not kept, and no list costs a query a host.

use std::collections::{BTreeMap, HashMap};

use muster_common::host::HostId;
use muster_fleet::status::Severity;
use muster_fleet::{Event, EventKind, Standing};

/// What one character stands for.
pub(crate) const BUCKET_MS: i64 = 1_800_000;
/// Characters of a strip: 24 hours.
pub(crate) const BUCKETS: usize = 48;

/// The worst of a half hour; a later one hides an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    #[default]
    Ok,
    Rebooting,
    Warning,
    Unknown,
    Critical,
    Stopped,
    Silent,
}

impl Mark {
    pub(crate) const ALL: [(Self, char, &'static str); 7] = [
        (Self::Ok, '.', "no problem"),
        (Self::Rebooting, 'r', "rebooting"),
        (Self::Warning, 'w', "WARNING"),
        (Self::Unknown, 'u', "UNKNOWN"),
        (Self::Critical, 'c', "CRITICAL"),
        (Self::Stopped, 'x', "agent_stopped"),
        (Self::Silent, 's', "silent"),
    ];
    /// Before the host was enrolled, or before what is known.
    pub(crate) const NONE: char = '-';

    fn character(self) -> char {
        Self::ALL[self as usize].1
    }

    /// Of an alert's or a check's severity.
    pub(crate) fn of_severity(severity: &str) -> Self {
        match severity {
            "critical" | "page" | "error" | "CRITICAL" => Self::Critical,
            "unknown" | "UNKNOWN" => Self::Unknown,
            _ => Self::Warning,
        }
    }

    pub(crate) const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::Unknown => Self::Unknown,
            Severity::Warning => Self::Warning,
        }
    }

    /// `None`: it is there.
    pub(crate) const fn of_standing(standing: Standing) -> Option<Self> {
        match standing {
            Standing::Present => None,
            Standing::Rebooting => Some(Self::Rebooting),
            Standing::Stopped => Some(Self::Stopped),
            Standing::Silent => Some(Self::Silent),
        }
    }
}

/// A host and one of its problems: a check's name, empty for its absence, an alert's id.
pub(crate) type Subject = (HostId, String);

/// That a problem begins, becomes another (`mark`) or ends (none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at_ms: i64,
    pub(crate) subject: Subject,
    pub(crate) mark: Option<Mark>,
    /// What it was before, of one whose beginning is not known.
    was: Mark,
}

#[derive(Clone, Copy)]
struct Line {
    /// By number of the half hour modulo their count.
    marks: [Mark; BUCKETS],
    newest: i64,
}

/// How all hosts stood over the last day.
#[derive(Default)]
pub struct Strips {
    lines: HashMap<HostId, Line>,
    /// What goes on, and up to when it is painted.
    open: BTreeMap<Subject, (Mark, i64)>,
    /// Before this nothing is known.
    known_from_ms: i64,
    /// The event that was read last; `None`: none was yet.
    pub(crate) seq: Option<u64>,
}

/// The first moment that a strip of now shows.
pub(crate) fn begin_ms(now_ms: i64) -> i64 {
    (now_ms.div_euclid(BUCKET_MS) - BUCKETS as i64 + 1) * BUCKET_MS
}

impl Strips {
    /// Of the events from this time on, oldest first: what a process that starts reads once.
    pub(crate) fn of_past(events: &[Event], known_from_ms: i64, names: &HashMap<String, HostId>) -> Self {
        let mut strips = Self { known_from_ms, ..Self::default() };
        for event in events.iter().filter(|event| event.ms >= known_from_ms) {
            if let Some(note) = note_of(event, names) {
                // What ends without having begun was there before.
                if note.mark.is_none() && !strips.open.contains_key(&note.subject) {
                    strips.paint(note.subject.0, known_from_ms, note.at_ms, note.was);
                }
                strips.note(note);
            }
        }
        strips.seq = events.last().map(|event| event.seq);
        strips
    }

    pub(crate) fn note(&mut self, note: Note) {
        let Note { at_ms, subject, mark, .. } = note;
        if let Some((before, from_ms)) = self.open.remove(&subject) {
            self.paint(subject.0, from_ms, at_ms, before);
        }
        if let Some(mark) = mark {
            self.open.insert(subject, (mark, at_ms));
        }
    }

    /// These are all problems there are now, each with its beginning.
    pub(crate) fn settle(&mut self, now_ms: i64, mut current: BTreeMap<Subject, (Mark, i64)>) {
        for (subject, (mark, from_ms)) in std::mem::take(&mut self.open) {
            self.paint(subject.0, from_ms, now_ms, mark);
            if let Some((_, since_ms)) = current.get_mut(&subject) {
                // That is painted already.
                *since_ms = (*since_ms).max(from_ms);
            }
        }
        for (subject, (mark, since_ms)) in current {
            self.paint(subject.0, since_ms, now_ms, mark);
            self.open.insert(subject, (mark, now_ms));
        }
    }

    /// Hosts that are no more are forgotten.
    pub(crate) fn keep(&mut self, is_there: impl Fn(&HostId) -> bool) {
        self.lines.retain(|host, _| is_there(host));
        self.open.retain(|(host, _), _| is_there(host));
    }

    fn paint(&mut self, host: HostId, from_ms: i64, to_ms: i64, mark: Mark) {
        let (from, to) = (from_ms.div_euclid(BUCKET_MS), to_ms.max(from_ms).div_euclid(BUCKET_MS));
        let line = self.lines.entry(host).or_insert(Line { marks: [Mark::Ok; BUCKETS], newest: to });
        line.advance(to);
        for number in from.max(line.newest - BUCKETS as i64 + 1)..=to {
            let slot = &mut line.marks[slot(number)];
            *slot = (*slot).max(mark);
        }
    }

    /// The strip of a host, oldest first, ending with the half hour of now.
    pub(crate) fn text(&self, host: HostId, enrolled_ms: i64, now_ms: i64) -> String {
        let newest = now_ms.div_euclid(BUCKET_MS);
        let first = newest - BUCKETS as i64 + 1;
        let known = enrolled_ms.max(self.known_from_ms).div_euclid(BUCKET_MS);
        let line = self.lines.get(&host);
        let character = |number: i64| {
            if number < known {
                return Mark::NONE;
            }
            line.map_or(Mark::Ok, |line| line.mark(number)).character()
        };
        (first..=newest).map(character).collect()
    }
}

impl Line {
    /// The half hours up to this one begin without a problem.
    fn advance(&mut self, to: i64) {
        let fresh = (to - self.newest).clamp(0, BUCKETS as i64);
        for number in to - fresh + 1..=to {
            self.marks[slot(number)] = Mark::Ok;
        }
        self.newest = self.newest.max(to);
    }

    fn mark(&self, number: i64) -> Mark {
        let is_held = number <= self.newest && number > self.newest - BUCKETS as i64;
        if is_held { self.marks[slot(number)] } else { Mark::Ok }
    }
}

fn slot(number: i64) -> usize {
    // Below BUCKETS.
    number.rem_euclid(BUCKETS as i64) as usize
}

/// What an event says of a host's problems.
pub(crate) fn note_of(event: &Event, names: &HashMap<String, HostId>) -> Option<Note> {
    let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
    let check = field("check").to_owned();
    let (host, subject, mark, was) = match event.kind {
        EventKind::HostSilent => (event.host?, String::new(), Some(Mark::Silent), Mark::Silent),
        EventKind::AgentStopped => (event.host?, String::new(), Some(Mark::Stopped), Mark::Stopped),
        EventKind::HostRebooting => (event.host?, String::new(), Some(Mark::Rebooting), Mark::Rebooting),
        EventKind::HostReturned => (event.host?, String::new(), None, Mark::Silent),
        EventKind::CheckState => {
            let mark = match field("to") {
                "OK" => None,
                "" => Some(Mark::Unknown),
                state => Some(Mark::of_severity(state)),
            };
            let was = if field("from") == "OK" { Mark::Ok } else { Mark::of_severity(field("from")) };
            (event.host?, check, mark, was)
        }
        EventKind::CheckRemoved => (event.host?, check, None, Mark::Ok),
        // A check's or a host's own is known from these.
        EventKind::AlertFiring | EventKind::AlertResolved if event.host.is_none() => {
            let severity = Mark::of_severity(field("severity"));
            let mark = (event.kind == EventKind::AlertFiring).then_some(severity);
            (*names.get(&event.host_name)?, format!("alert {}", field("alert_id")), mark, severity)
        }
        _ => return None,
    };
    Some(Note { at_ms: event.ms, subject: (host, subject), mark, was })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId([1; 16]);
    /// The beginning of a half hour.
    const NOW: i64 = 1_000_000 * BUCKET_MS;

    fn subject(check: &str) -> Subject {
        (HOST, check.to_owned())
    }

    fn note(ago: i64, check: &str, mark: Option<Mark>) -> Note {
        Note { at_ms: NOW - ago * BUCKET_MS, subject: subject(check), mark, was: Mark::Warning }
    }

    /// The last so many characters.
    fn tail(strips: &Strips, now_ms: i64, count: usize) -> String {
        let text = strips.text(HOST, 0, now_ms);
        assert_eq!(text.len(), BUCKETS);
        text[BUCKETS - count..].to_owned()
    }

    #[test]
    fn each_half_hour_shows_its_worst() {
        let mut strips = Strips::default();
        for one in [
            note(6, "disk", Some(Mark::Warning)),
            note(5, "", Some(Mark::Silent)),
            note(4, "disk", Some(Mark::Critical)),
            note(4, "", None),
            note(2, "disk", None),
        ] {
            strips.note(one);
        }
        assert_eq!(tail(&strips, NOW, 8), ".wsscc..");
        strips.settle(NOW, BTreeMap::from([(subject("load"), (Mark::Unknown, NOW - BUCKET_MS))]));
        assert_eq!(tail(&strips, NOW, 8), ".wssccuu");
        // It went on, without that anybody looked; then it is over.
        strips.settle(NOW + 3 * BUCKET_MS, BTreeMap::new());
        assert_eq!(tail(&strips, NOW + 4 * BUCKET_MS, 8), "scuuuuu.".replace("sc", "cc"));
        assert_eq!(tail(&strips, NOW + 100 * BUCKET_MS, 8), "........", "a day later nothing is left");
        assert_eq!(strips.text(HOST, NOW, NOW + BUCKET_MS)[..47], "-".repeat(46) + "u");
    }

    #[test]
    fn what_is_told_long_after_paints_no_more_than_a_day() {
        let mut strips = Strips::default();
        strips.settle(NOW, BTreeMap::from([(subject(""), (Mark::Silent, 0))]));
        assert_eq!(strips.text(HOST, 0, NOW), "s".repeat(48));
        strips.settle(NOW + 1_000 * BUCKET_MS, BTreeMap::new());
        assert_eq!(strips.text(HOST, 0, NOW + 1_000 * BUCKET_MS), "s".repeat(48));
        strips.keep(|_| false);
        assert!(strips.lines.is_empty() && strips.open.is_empty());
    }
}
