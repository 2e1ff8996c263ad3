//! What lines of the history say about an alert: what happened to its host, which of that a plot marks, and its earlier cases. Pure.

use muster_common::label::LabelSet;
use muster_common::matcher_text::{all_match, read_matchers};
use muster_fleet::EventKind;

use crate::mail::{Earlier, Moment};
use crate::plot::{MARKS, Mark};

/// Cases of a mail: enough to see whether it comes each night, or since last week.
const CASES: usize = 5;
/// Kinds of events that explain nothing: what a healthy host does by itself, and what status says of its checks.
pub(super) const NO_NEWS: [EventKind; 5] = [
    EventKind::CertificateRenewed,
    EventKind::CheckState,
    EventKind::CheckFlapping,
    EventKind::Acknowledged,
    EventKind::Unacknowledged,
];

/// A line as it was found: its time, its text, the labels of its stream and its own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) at_ms: i64,
    pub(super) text: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) fields: Vec<(String, String)>,
}

fn value<'a>(of: &'a [(String, String)], name: &str) -> Option<&'a str> {
    of.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

impl Found {
    fn field(&self, name: &str) -> &str {
        value(&self.fields, name).unwrap_or_default()
    }

    fn is(&self, kind: EventKind) -> bool {
        self.field("kind") == kind.as_str()
    }

    /// Unit or file of a line of a log.
    pub(super) fn source(&self) -> String {
        let named = value(&self.labels, "unit").or(value(&self.labels, "filename"));
        named.unwrap_or_default().to_owned()
    }

    pub(super) fn moment(self) -> Moment {
        Moment { at_ms: self.at_ms, text: self.text }
    }

    /// Whether it tells of a downtime for these labels. Such an event is of no host: its text has the matchers, after the number that is a
    /// field and before the reason.
    pub(super) fn is_downtime_of(&self, labels: &LabelSet) -> bool {
        let Some(rest) = self.text.strip_prefix(&format!("downtime {} of ", self.field("downtime"))) else {
            return false;
        };
        let fits = |text: &str| read_matchers(text).is_ok_and(|matchers| all_match(&matchers, labels));
        match rest.strip_suffix(" has ended") {
            Some(matchers) => fits(matchers),
            // A quoted value may hold a colon too: what stands before that one is no list of matchers.
            None => {
                let first =
                    rest.match_indices(": ").map(|(at, _)| &rest[..at]).find(|text| read_matchers(text).is_ok());
                first.is_some_and(fits)
            }
        }
    }

    /// Whether somebody silenced these labels with it.
    pub(super) fn is_silence_of(&self, labels: &LabelSet) -> bool {
        read_matchers(self.field("matchers")).is_ok_and(|matchers| all_match(&matchers, labels))
    }

    /// Who took the alert over or silenced it, and what was said: `anna: old WAL removed`.
    fn taken(&self) -> String {
        let said = if self.is(EventKind::SilenceSet) {
            self.text.strip_prefix(&format!("silenced {}: ", self.field("matchers")))
        } else {
            self.text.split_once(" is acknowledged: ").map(|(_, said)| said)
        };
        let (by, said) = (self.field("by"), said.unwrap_or_default().trim());
        if said.is_empty() { by.to_owned() } else { format!("{by}: {said}") }
    }
}

/// What a plot marks, oldest first: the events before the onset that are nearest to it, then those after it.
pub(super) fn marks(events: &[Moment], (from_ms, to_ms): (i64, i64), onset_ms: i64) -> Vec<Mark> {
    let mut inside: Vec<&Moment> = events.iter().filter(|event| (from_ms..=to_ms).contains(&event.at_ms)).collect();
    inside.sort_by_key(|event| (event.at_ms > onset_ms, event.at_ms.abs_diff(onset_ms)));
    inside.truncate(MARKS);
    inside.sort_by_key(|event| event.at_ms);
    inside.into_iter().map(|event| Mark { at_ms: event.at_ms, text: event.text.clone() }).collect()
}

/// The last cases of an alert that were over before `active_ms`, newest first.
///
/// `found` are its beginnings and ends, and who took it over, oldest first. A beginning whose end is not known is one with the next; an end
/// whose beginning is not known is none.
pub(super) fn cases(found: &[Found], active_ms: i64) -> Vec<Earlier> {
    let mut cases = Vec::new();
    let mut open: Option<(i64, String)> = None;
    for line in found {
        if line.is(EventKind::AlertFiring) {
            open.get_or_insert_with(|| (line.at_ms, String::new()));
        } else if line.is(EventKind::AlertResolved) {
            let Some((from_ms, taken)) = open.take() else { continue };
            let note = if taken.is_empty() { line.field("why").to_owned() } else { taken };
            cases.push(Earlier { from_ms, to_ms: line.at_ms, note });
        } else if let Some((_, taken)) = &mut open {
            *taken = line.taken();
        }
    }
    // What ended after the condition began to hold is the present case, whose end is being told.
    cases.retain(|case| case.to_ms < active_ms);
    cases.reverse();
    cases.truncate(CASES);
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at_ms: i64, kind: EventKind, text: &str, fields: &[(&str, &str)]) -> Found {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let fields = fields.iter().chain(&[("kind", kind.as_str())]).map(own).collect();
        Found { at_ms, text: text.to_owned(), labels: Vec::new(), fields }
    }

    fn fires(at_ms: i64) -> Found {
        line(at_ms, EventKind::AlertFiring, "disk fires: full", &[])
    }

    fn ends(at_ms: i64) -> Found {
        line(at_ms, EventKind::AlertResolved, "disk has ended: recovered", &[("why", "recovered")])
    }

    fn shown(cases: Vec<Earlier>) -> Vec<(i64, i64, String)> {
        cases.into_iter().map(|case| (case.from_ms, case.to_ms, case.note)).collect()
    }

    #[test]
    fn cases_are_from_a_beginning_to_its_end_and_say_who_took_them() {
        let text = "check `disk` of host `db1` is acknowledged: old WAL: removed";
        let taken = |at_ms| line(at_ms, EventKind::Acknowledged, text, &[("by", "anna")]);
        let silenced =
            |at_ms, text| line(at_ms, EventKind::SilenceSet, text, &[("by", "bea"), ("matchers", "a=\"b\"")]);
        let found = [
            // Its beginning is older than what was asked for.
            ends(5),
            fires(10),
            taken(12),
            ends(20),
            // Taken while nothing was bad: of no case.
            taken(25),
            fires(30),
            // The end between them never came to be known.
            fires(40),
            ends(50),
            fires(60),
            silenced(61, "silenced a=\"b\": the fans"),
            ends(70),
            fires(75),
            silenced(76, "silenced a=\"b\": "),
            ends(80),
            // The present one, whose condition holds since 90.
            fires(91),
            ends(99),
        ];
        let recovered = "recovered".to_owned();
        let all = [
            (75, 80, "bea".to_owned()),
            (60, 70, "bea: the fans".to_owned()),
            (30, 50, recovered.clone()),
            (10, 20, "anna: old WAL: removed".to_owned()),
        ];
        assert_eq!(shown(cases(&found, 90)), all);
        assert_eq!(shown(cases(&found[..14], 90)), all);
        assert_eq!(cases(&[], 90), []);
        let many: Vec<Found> = (0..50).flat_map(|number| [fires(number * 10), ends(number * 10 + 5)]).collect();
        let last: Vec<_> = (0..5).map(|back| (490 - back * 10, 495 - back * 10, recovered.clone())).collect();
        assert_eq!(shown(cases(&many, 1_000)), last);
    }

    #[test]
    fn a_plot_marks_what_came_nearest_before_the_onset() {
        let event = |at_ms: i64| Moment { at_ms, text: at_ms.to_string() };
        let marked = |times: &[i64]| {
            let events: Vec<Moment> = times.iter().copied().map(event).collect();
            marks(&events, (100, 200), 150).into_iter().map(|mark| mark.at_ms).collect::<Vec<_>>()
        };
        assert_eq!(marked(&[99, 100, 150, 151, 200, 201]), [100, 150, 151, 200]);
        assert_eq!(marked(&[100, 110, 120, 130, 140, 141, 142, 151]), [110, 120, 130, 140, 141, 142]);
        assert_eq!(marked(&[149, 160, 161, 162, 163, 164, 165]), [149, 160, 161, 162, 163, 164]);
    }

    #[test]
    fn a_downtime_is_of_whom_its_matchers_name() {
        let labels = LabelSet::new([("host", "db1"), ("note", "a: b")]).unwrap();
        for (text, expect) in [
            ("downtime 3 of host=db1: disks", true),
            ("downtime 3 of host=\"db1\", note=\"a: b\": disks: two", true),
            ("downtime 3 of host=db2: host=db1: x", false),
            ("downtime 3 of host=~\"db.\" has ended", true),
            ("downtime 3 of host=~\"web.\" has ended", false),
            ("downtime 4 of host=db1: disks", false),
        ] {
            let event = line(0, EventKind::DowntimeSet, text, &[("downtime", "3")]);
            assert_eq!(event.is_downtime_of(&labels), expect, "{text}");
        }
    }
}
