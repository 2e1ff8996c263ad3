//! Silences: somebody says that alerts are not to be told for a time.
//!
//! Rows of `SmallTable::Silences`: key the id's bytes; value byte 1 (version), then JSON.

use std::collections::{BTreeMap, HashMap};

use muster_common::label::LabelSet;
use muster_common::matcher::{Matcher, Test};
use muster_fleet::{SmallRow, SmallTable};
use serde::{Deserialize, Serialize};

use crate::alert::{Held, HeldReason};
use crate::row_codec;
use muster_common::matcher_text::{MATCHERS_MAX, MatcherError, all_match, make_matcher, parts_of};

/// All that are kept, also those that ended. One a host of the largest fleet.
pub const SILENCES_MAX: usize = 10_000;
/// How long one is kept after its end, so that it can be seen and made again: Alertmanager's five days.
pub const SILENCE_KEPT_MS: i64 = 5 * 86_400_000;
/// Bytes of who made it and why, together.
const WORDS_BYTES_MAX: usize = 16 << 10;
/// A changed meaning is a new number, read beside the old one.
const ROW_VERSION: u8 = 1;

/// One silence.
#[derive(Clone, Debug)]
pub struct Silence {
    /// A UUID's text, made by the caller.
    pub id: String,
    /// All must match.
    pub matchers: Vec<Matcher>,
    pub starts_ms: i64,
    /// From then on it is over.
    pub ends_ms: i64,
    pub created_by: String,
    pub comment: String,
    pub updated_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilenceState {
    Pending,
    Active,
    Expired,
}

impl SilenceState {
    /// As Alertmanager's API names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// Why a silence is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    #[error("a silence needs an id")]
    NoId,
    #[error("a silence needs a matcher that does not match an empty text: it would silence everything")]
    MatchesAll,
    #[error("a silence has at most {MATCHERS_MAX} matchers, this one has {count}: make two of it")]
    TooManyMatchers { count: usize },
    #[error("a silence must end after it starts")]
    EndsBeforeStart,
    #[error("author and comment have {bytes} bytes together, but at most {WORDS_BYTES_MAX} are kept: shorten them")]
    TooManyWords { bytes: usize },
    #[error("there are {SILENCES_MAX} silences, which is the most that are kept: wait until old ones are forgotten")]
    TooMany,
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    #[error("the stored silence cannot be read: {0}")]
    Row(String),
}

impl Silence {
    pub fn state(&self, now_ms: i64) -> SilenceState {
        if now_ms >= self.ends_ms {
            SilenceState::Expired
        } else if now_ms < self.starts_ms {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Whether it silences an alert now.
    pub fn silences(&self, labels: &LabelSet, now_ms: i64) -> Option<Held> {
        let is_on = self.state(now_ms) == SilenceState::Active && all_match(&self.matchers, labels);
        is_on.then(|| Held { why: HeldReason::Silenced, by: self.id.clone(), until_ms: Some(self.ends_ms) })
    }

    /// # Errors
    /// What a silence must not be.
    pub fn check(&self) -> Result<(), SilenceError> {
        let words = self.created_by.len() + self.comment.len();
        if self.id.is_empty() {
            Err(SilenceError::NoId)
        } else if self.matchers.iter().all(Matcher::matches_absent) {
            Err(SilenceError::MatchesAll)
        } else if self.matchers.len() > MATCHERS_MAX {
            Err(SilenceError::TooManyMatchers { count: self.matchers.len() })
        } else if self.ends_ms <= self.starts_ms {
            Err(SilenceError::EndsBeforeStart)
        } else if words > WORDS_BYTES_MAX {
            Err(SilenceError::TooManyWords { bytes: words })
        } else {
            Ok(())
        }
    }

    fn row(&self) -> SmallRow {
        let matchers = self.matchers.iter().map(|matcher| {
            let (operator, value) = parts_of(matcher);
            MatcherRow { name: matcher.name.clone(), op: operator.to_owned(), value: value.to_owned() }
        });
        let row = SilenceRow {
            id: self.id.clone(),
            matchers: matchers.collect(),
            starts_ms: self.starts_ms,
            ends_ms: self.ends_ms,
            created_by: self.created_by.clone(),
            comment: self.comment.clone(),
            updated_ms: self.updated_ms,
        };
        let value = Some(row_codec::encode(ROW_VERSION, &row));
        SmallRow { table: SmallTable::Silences, key: self.id.clone().into_bytes(), value }
    }

    /// The silence of a row's value.
    ///
    /// # Errors
    /// [`SilenceError::Row`] of another version or damaged bytes.
    pub fn of_row(bytes: &[u8]) -> Result<Self, SilenceError> {
        let row: SilenceRow =
            row_codec::decode(ROW_VERSION, bytes).map_err(|error| SilenceError::Row(error.to_string()))?;
        let matchers = row.matchers.iter().map(|own| make_matcher(&own.name, &own.op, &own.value));
        Ok(Self {
            id: row.id,
            matchers: matchers.collect::<Result<_, _>>()?,
            starts_ms: row.starts_ms,
            ends_ms: row.ends_ms,
            created_by: row.created_by,
            comment: row.comment,
            updated_ms: row.updated_ms,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct SilenceRow {
    id: String,
    matchers: Vec<MatcherRow>,
    starts_ms: i64,
    ends_ms: i64,
    created_by: String,
    comment: String,
    updated_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct MatcherRow {
    name: String,
    op: String,
    value: String,
}

/// All silences.
#[derive(Clone, Debug, Default)]
pub struct Silences {
    all: BTreeMap<String, Silence>,
    /// Ids by the label, then the value, of one equality matcher, so that not all are asked of each alert.
    by_label: HashMap<String, HashMap<String, Vec<String>>>,
    /// Ids of those that have none.
    others: Vec<String>,
}

impl Silences {
    /// Those of a store's rows, as it is read at the start; with what was wrong with rows that are left out.
    pub fn restored<'a>(rows: impl Iterator<Item = &'a [u8]>) -> (Self, Vec<SilenceError>) {
        let (mut own, mut faults) = (Self::default(), Vec::new());
        for row in rows {
            match Silence::of_row(row) {
                Ok(silence) => own.insert(silence),
                Err(fault) => faults.push(fault),
            }
        }
        (own, faults)
    }

    /// Takes a new silence or a changed one; the row to write.
    ///
    /// # Errors
    /// What a silence must not be, and the bound of all.
    pub fn put(&mut self, silence: Silence) -> Result<SmallRow, SilenceError> {
        silence.check()?;
        if self.all.len() >= SILENCES_MAX && !self.all.contains_key(&silence.id) {
            return Err(SilenceError::TooMany);
        }
        let row = silence.row();
        self.insert(silence);
        Ok(row)
    }

    /// Ends a silence now; `None`: there is none of this id, or it is over.
    pub fn expire(&mut self, id: &str, now_ms: i64) -> Option<SmallRow> {
        let own = self.all.get_mut(id).filter(|own| own.state(now_ms) != SilenceState::Expired)?;
        own.starts_ms = own.starts_ms.min(now_ms);
        (own.ends_ms, own.updated_ms) = (now_ms, now_ms);
        Some(own.row())
    }

    /// Forgets those that ended [`SILENCE_KEPT_MS`] ago; the rows to remove.
    pub fn sweep(&mut self, now_ms: i64) -> Vec<SmallRow> {
        let is_old = |own: &&Silence| own.ends_ms.saturating_add(SILENCE_KEPT_MS) <= now_ms;
        let old: Vec<String> = self.all.values().filter(is_old).map(|own| own.id.clone()).collect();
        let removed = |id: String| {
            self.remove(&id);
            SmallRow { table: SmallTable::Silences, key: id.into_bytes(), value: None }
        };
        old.into_iter().map(removed).collect()
    }

    /// The silence that holds an alert; of several the one that ends last.
    pub fn held(&self, labels: &LabelSet, now_ms: i64) -> Option<Held> {
        if self.all.is_empty() {
            return None;
        }
        let listed = labels.iter().filter_map(|(name, value)| self.by_label.get(name)?.get(value));
        let ids = listed.flatten().chain(&self.others);
        let held = ids.filter_map(|id| self.all.get(id)?.silences(labels, now_ms));
        held.max_by(|a, b| (a.until_ms, &b.by).cmp(&(b.until_ms, &a.by)))
    }

    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.all.get(id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.all.values()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn insert(&mut self, silence: Silence) {
        self.remove(&silence.id);
        match index_key(&silence) {
            Some((name, value)) => {
                self.by_label.entry(name).or_default().entry(value).or_default().push(silence.id.clone());
            }
            None => self.others.push(silence.id.clone()),
        }
        self.all.insert(silence.id.clone(), silence);
    }

    fn remove(&mut self, id: &str) {
        let Some(old) = self.all.remove(id) else { return };
        match index_key(&old) {
            Some((name, value)) => {
                let Some(values) = self.by_label.get_mut(&name) else { return };
                if let Some(ids) = values.get_mut(&value) {
                    ids.retain(|own| own != id);
                    if ids.is_empty() {
                        values.remove(&value);
                    }
                }
                if values.is_empty() {
                    self.by_label.remove(&name);
                }
            }
            None => self.others.retain(|own| own != id),
        }
    }
}

/// One label and value that every alert it matches has.
fn index_key(silence: &Silence) -> Option<(String, String)> {
    silence.matchers.iter().find_map(|matcher| match &matcher.test {
        Test::Equal(value) if !value.is_empty() => Some((matcher.name.clone(), value.clone())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::matcher_text::read_matchers;

    /// The bytes of version 1.
    const GOLDEN: &str = "\u{1}{\"id\":\"i\",\"matchers\":[{\"name\":\"host\",\"op\":\"=~\",\"value\":\"a|b\"}],\"starts_ms\":10,\"ends_ms\":20,\
                          \"created_by\":\"me\",\"comment\":\"why\",\"updated_ms\":9}";

    fn silence(id: &str, matchers: &str, starts_ms: i64, ends_ms: i64) -> Silence {
        let matchers = read_matchers(matchers).unwrap();
        let (created_by, comment) = ("me".to_owned(), "why".to_owned());
        Silence { id: id.to_owned(), matchers, starts_ms, ends_ms, created_by, comment, updated_ms: 9 }
    }

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::new(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn rows_of_version_1_are_read_and_written_the_same() {
        let read = Silence::of_row(GOLDEN.as_bytes()).unwrap();
        let row = read.row();
        assert_eq!(
            (row.table, &*row.key, row.value.as_deref()),
            (SmallTable::Silences, &b"i"[..], Some(GOLDEN.as_bytes()))
        );
        for damaged in [&b""[..], b"\x02{}", b"\x01{", b"\x01{}"] {
            assert!(matches!(Silence::of_row(damaged), Err(SilenceError::Row(_))), "{damaged:?}");
        }
        let (all, faults) = Silences::restored([GOLDEN.as_bytes(), b"\x02"].into_iter());
        assert_eq!((all.len(), faults.len()), (1, 1));
    }

    #[test]
    fn it_silences_between_start_and_end() {
        let own = silence("i", "host=a", 10, 20);
        let states: Vec<&str> = [9, 10, 19, 20].into_iter().map(|now| own.state(now).name()).collect();
        assert_eq!(states, ["pending", "active", "active", "expired"]);
        let held = own.silences(&labels(&[("host", "a")]), 10).unwrap();
        assert_eq!(held, Held { why: HeldReason::Silenced, by: "i".into(), until_ms: Some(20) });
        assert!(own.silences(&labels(&[("host", "b")]), 10).is_none());
        assert!(own.silences(&labels(&[("host", "a")]), 20).is_none());
    }

    #[test]
    fn the_one_that_ends_last_is_named_and_changes_are_followed() {
        let mut all = Silences::default();
        all.put(silence("1", "host=a", 0, 20)).unwrap();
        all.put(silence("2", "host=~\"a|b\"", 0, 30)).unwrap();
        let by = |all: &Silences, host: &str, now| all.held(&labels(&[("host", host)]), now).map(|held| held.by);
        assert_eq!(by(&all, "a", 5).as_deref(), Some("2"));
        assert_eq!(by(&all, "b", 5).as_deref(), Some("2"));
        assert!(all.expire("2", 6).is_some() && all.expire("2", 7).is_none() && all.expire("3", 7).is_none());
        assert_eq!((by(&all, "a", 6).as_deref(), by(&all, "b", 6)), (Some("1"), None));
        all.put(silence("1", "host=b", 0, 20)).unwrap();
        assert_eq!((by(&all, "a", 6), by(&all, "b", 6).as_deref()), (None, Some("1")));
        // One that had not begun ends in order, too.
        all.put(silence("4", "host=c", 100, 200)).unwrap();
        all.expire("4", 50);
        let own = all.get("4").unwrap();
        assert_eq!((own.starts_ms, own.ends_ms), (50, 50));
    }

    #[test]
    fn they_are_kept_five_days_and_bounded() {
        let mut all = Silences::default();
        all.put(silence("1", "host=a", 0, 20)).unwrap();
        assert!(all.sweep(19 + SILENCE_KEPT_MS).is_empty());
        let rows = all.sweep(20 + SILENCE_KEPT_MS);
        assert_eq!((rows.len(), rows[0].value.is_none(), all.is_empty(), all.by_label.len()), (1, true, true, 0));
        for index in 0..SILENCES_MAX {
            all.put(silence(&index.to_string(), "host=a", 0, 20)).unwrap();
        }
        assert_eq!(all.put(silence("one more", "host=a", 0, 20)).unwrap_err(), SilenceError::TooMany);
        assert!(all.put(silence("5", "host=b", 0, 20)).is_ok());
    }

    #[test]
    fn what_silences_everything_or_never_is_refused() {
        let mut all = Silences::default();
        for (own, expected) in [
            (silence("1", "", 0, 1), SilenceError::MatchesAll),
            (silence("1", "a!=b", 0, 1), SilenceError::MatchesAll),
            (silence("1", "a=~\".*\"", 0, 1), SilenceError::MatchesAll),
            (silence("1", "a=b", 1, 1), SilenceError::EndsBeforeStart),
            (silence("", "a=b", 0, 1), SilenceError::NoId),
        ] {
            assert_eq!(all.put(own).unwrap_err(), expected);
        }
        let mut long = silence("1", "a=b", 0, 1);
        long.comment = "x".repeat(WORDS_BYTES_MAX);
        assert!(matches!(all.put(long), Err(SilenceError::TooManyWords { .. })));
        assert!(all.is_empty());
    }
}
