//! Columns of one series being put together: in the order of precedence, sorted only where that is needed.

/// Times and values of one series. Later entries win over earlier ones of the same time.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) millis: Vec<i64>,
    pub(crate) values: Vec<f64>,
    unsorted: bool,
}

impl Columns {
    pub(crate) fn push(&mut self, at_ms: i64, value: f64) {
        self.unsorted |= self.millis.last().is_some_and(|&last| last >= at_ms);
        self.millis.push(at_ms);
        self.values.push(value);
    }

    /// Adds a run that rises strictly in itself.
    pub(crate) fn extend(&mut self, millis: &[i64], values: impl Iterator<Item = f64>) {
        let Some(&first) = millis.first() else { return };
        self.unsorted |= self.millis.last().is_some_and(|&last| last >= first);
        self.millis.extend_from_slice(millis);
        self.values.extend(values.take(millis.len()));
    }

    pub(crate) fn len(&self) -> usize {
        self.millis.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.millis.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.millis.clear();
        self.values.clear();
        self.unsorted = false;
    }

    /// Makes the times rise strictly: of equal times the last added stays. Answers how many went.
    pub(crate) fn settle(&mut self) -> usize {
        if !self.unsorted {
            return 0;
        }
        let before = self.millis.len();
        let mut order: Vec<u32> = (0..before as u32).collect();
        // Stable: equal times keep the order in which they were added.
        order.sort_by_key(|&place| self.millis[place as usize]);
        let (mut millis, mut values) = (Vec::with_capacity(before), Vec::with_capacity(before));
        for place in order {
            let (at_ms, value) = (self.millis[place as usize], self.values[place as usize]);
            if millis.last() == Some(&at_ms) {
                values.pop();
                values.push(value);
            } else {
                millis.push(at_ms);
                values.push(value);
            }
        }
        *self = Self { millis, values, unsorted: false };
        before - self.millis.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_equal_times_wins_and_times_rise() {
        let mut columns = Columns::default();
        for (at_ms, value) in [(10, 1.0), (30, 3.0), (20, 2.0), (10, 9.0), (30, 4.0), (30, 5.0)] {
            columns.push(at_ms, value);
        }
        assert_eq!(columns.settle(), 3);
        assert_eq!((columns.millis, columns.values), (vec![10, 20, 30], vec![9.0, 2.0, 5.0]));
    }
}
