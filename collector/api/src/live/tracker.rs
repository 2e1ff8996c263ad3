//! What differs from what was told last. Pure.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What one step found, by the rows' ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// New or otherwise than they were told.
    pub(crate) changed: Vec<String>,
    /// Told, and no more.
    pub(crate) gone: Vec<String>,
}

impl Delta {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

/// The rows of one topic as they were told last: 8 bytes each beside their ids.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    told: HashMap<String, u64>,
}

impl Tracker {
    /// These are all rows there are, each with the digest of what counts of it.
    pub(crate) fn step_all(&mut self, rows: impl IntoIterator<Item = (String, u64)>) -> Delta {
        let before = std::mem::take(&mut self.told);
        let mut delta = Delta::default();
        for (id, digest) in rows {
            if before.get(&id) != Some(&digest) {
                delta.changed.push(id.clone());
            }
            self.told.insert(id, digest);
        }
        delta.gone = before.into_keys().filter(|id| !self.told.contains_key(id)).collect();
        delta.gone.sort_unstable();
        delta
    }

    /// These rows may have changed, and those without a digest may be gone; the others stand as they did.
    pub(crate) fn step_some(&mut self, rows: impl IntoIterator<Item = (String, Option<u64>)>) -> Delta {
        let mut delta = Delta::default();
        for (id, digest) in rows {
            match digest {
                Some(digest) if self.told.get(&id) != Some(&digest) => {
                    self.told.insert(id.clone(), digest);
                    delta.changed.push(id);
                }
                Some(_) => {}
                None => {
                    if self.told.remove(&id).is_some() {
                        delta.gone.push(id);
                    }
                }
            }
        }
        delta
    }
}

/// Of what counts of a row. Good in this process only.
pub(crate) fn digest(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
        pairs.iter().map(|(id, digest)| ((*id).to_owned(), *digest)).collect()
    }

    fn told(delta: &Delta) -> (Vec<&str>, Vec<&str>) {
        (delta.changed.iter().map(String::as_str).collect(), delta.gone.iter().map(String::as_str).collect())
    }

    #[test]
    fn only_what_differs_is_told() {
        let mut tracker = Tracker::default();
        assert_eq!(told(&tracker.step_all(rows(&[("a", 1), ("b", 1)]))), (vec!["a", "b"], vec![]));
        assert!(tracker.step_all(rows(&[("a", 1), ("b", 1)])).is_empty());
        assert_eq!(told(&tracker.step_all(rows(&[("a", 2), ("c", 1)]))), (vec!["a", "c"], vec!["b"]));
        let some = tracker.step_some([("a".to_owned(), Some(2)), ("c".to_owned(), None), ("x".to_owned(), None)]);
        assert_eq!(told(&some), (vec![], vec!["c"]));
        let some = tracker.step_some([("a".to_owned(), Some(3)), ("c".to_owned(), Some(1))]);
        assert_eq!(told(&some), (vec!["a", "c"], vec![]));
    }

    /// Whoever begins with the whole list and applies each delta has the whole list at every later moment.
    #[test]
    fn deltas_add_up_to_the_list() {
        let (mut tracker, mut page) = (Tracker::default(), HashMap::new());
        let mut random = 7_u64;
        let mut rows: HashMap<String, u64> = HashMap::new();
        for _ in 0..2_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = (random >> 33) % 12;
            match (random >> 60) % 3 {
                0 => drop(rows.remove(&id.to_string())),
                _ => drop(rows.insert(id.to_string(), (random >> 40) % 4)),
            }
            let delta = if random >> 63 == 0 {
                tracker.step_all(rows.clone())
            } else {
                tracker.step_some([(id.to_string(), rows.get(&id.to_string()).copied())])
            };
            for id in delta.changed {
                let digest = rows[&id];
                page.insert(id, digest);
            }
            page.retain(|id, _| !delta.gone.contains(id));
            assert_eq!(page, rows);
        }
    }
}
