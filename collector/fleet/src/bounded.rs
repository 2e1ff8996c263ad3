//! A table of what is known of each source for a while: so many, and those that were touched longest ago go for a new one.

use std::collections::HashMap;

use muster_common::time::Timestamp;

/// Keys with what is known of each.
pub struct Bounded<V> {
    rows: HashMap<String, (Timestamp, V)>,
    rows_max: usize,
}

impl<V: Default> Bounded<V> {
    /// An empty table of so many rows.
    pub fn new(rows_max: usize) -> Self {
        Self { rows: HashMap::new(), rows_max }
    }

    /// When a key was touched last, and what is known of it.
    pub fn get(&self, key: &str) -> Option<&(Timestamp, V)> {
        self.rows.get(key)
    }

    /// The row of this key, new if there was none, touched now; and what went for it.
    pub fn touch(&mut self, key: &str, now: Timestamp) -> (&mut V, Vec<V>) {
        let is_over = !self.rows.contains_key(key) && self.rows.len() >= self.rows_max;
        let gone = if is_over { self.drop_oldest() } else { Vec::new() };
        let (at, value) = self.rows.entry(key.to_owned()).or_insert_with(|| (now, V::default()));
        *at = now;
        (value, gone)
    }

    /// A tenth at once, so that a flood of new keys does not cost a look at all rows for each.
    fn drop_oldest(&mut self) -> Vec<V> {
        let mut times: Vec<Timestamp> = self.rows.values().map(|(at, _)| *at).collect();
        let count = (self.rows_max / 10).max(1).min(times.len());
        let (_, last, _) = times.select_nth_unstable(count - 1);
        let (last, mut left) = (*last, count);
        let gone = self.rows.extract_if(|_, (at, _)| {
            let goes = left > 0 && *at <= last;
            left -= usize::from(goes);
            goes
        });
        gone.map(|(_, (_, value))| value).collect()
    }

    pub fn remove(&mut self, key: &str) {
        self.rows.remove(key);
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_that_was_touched_longest_ago_goes_first() {
        let at = Timestamp::from_millis;
        let mut table: Bounded<u32> = Bounded::new(2);
        for (ms, key) in [(1, "a"), (2, "b"), (3, "a")] {
            *table.touch(key, at(ms)).0 += 1;
        }
        assert_eq!(table.touch("c", at(4)), (&mut 0, vec![1]), "b went");
        assert!(table.get("b").is_none() && table.get("a") == Some(&(at(3), 2)) && table.len() == 2);
    }
}
