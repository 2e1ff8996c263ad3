//! A stretch of time, or its parts that come again.

use super::recurrence::Recurrence;

/// From a start to an end, all of it or the windows of a week in it. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    starts_ms: i64,
    ends_ms: i64,
    recurrence: Option<Recurrence>,
}

impl Window {
    /// `recurrence`: `sun 02:00-04:00`, empty: all of the time; `zone`: its IANA name, empty: UTC.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn new((starts_ms, ends_ms): (i64, i64), recurrence: &str, zone: &str) -> Result<Self, String> {
        if ends_ms <= starts_ms {
            return Err("it ends before it starts: give an end after the start".to_owned());
        }
        let zone = if zone.is_empty() { "UTC" } else { zone };
        let recurrence = match recurrence.trim() {
            "" => None,
            text => Some(Recurrence::parse(text, zone)?),
        };
        Ok(Self { starts_ms, ends_ms, recurrence })
    }

    pub(crate) fn is_on(&self, now_ms: i64) -> bool {
        self.on(now_ms).is_some()
    }

    /// The stretch that is on now: begin and end.
    pub(crate) fn on(&self, now_ms: i64) -> Option<(i64, i64)> {
        self.stretches(now_ms).find(|(from, to)| (*from..*to).contains(&now_ms))
    }

    /// Whether it is on at some moment after `since_ms` and not after `at_ms`, as far as two weeks after the first show.
    pub(crate) fn touches(&self, since_ms: i64, at_ms: i64) -> bool {
        self.stretches(since_ms).take_while(|(from, _)| *from <= at_ms).any(|(_, to)| to > since_ms)
    }

    /// When it begins or ends next; `None`: never again, as far as two weeks ahead show.
    pub(crate) fn next_change(&self, now_ms: i64) -> Option<i64> {
        self.stretches(now_ms).flat_map(|(from, to)| [from, to]).find(|at| *at > now_ms)
    }

    /// The times between these two at which it is on, in order and apart from each other.
    pub(crate) fn within(&self, from_ms: i64, to_ms: i64) -> Vec<(i64, i64)> {
        let mut found: Vec<(i64, i64)> = Vec::new();
        let mut around = from_ms;
        while around < to_ms {
            for (from, to) in self.stretches(around) {
                let (from, to) = (from.max(from_ms), to.min(to_ms));
                if from < to && found.last().is_none_or(|(last, _)| *last < from) {
                    found.push((from, to));
                }
            }
            if self.recurrence.is_none() {
                break;
            }
            // As far as one look shows, less what lies before it.
            around = around.saturating_add(7 * 86_400_000);
        }
        found
    }

    /// The times that it is on, in order, from about now on.
    fn stretches(&self, now_ms: i64) -> Box<dyn Iterator<Item = (i64, i64)> + '_> {
        let (starts, ends) = (self.starts_ms, self.ends_ms);
        match &self.recurrence {
            None => Box::new(std::iter::once((starts, ends))),
            Some(recurrence) => {
                let windows = recurrence.windows(now_ms.max(starts));
                let within = windows.map(move |(from, to)| (from.max(starts), to.min(ends)));
                Box::new(within.filter(|(from, to)| from < to))
            }
        }
    }
}
