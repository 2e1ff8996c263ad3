//! Sums that lose little: Neumaier's form of Kahan's summation, as Prometheus adds.

/// A sum and what rounding took from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

impl Sum {
    pub(crate) fn starting(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.high + value;
        if total.is_infinite() {
            self.low = 0.0;
        } else if self.high.abs() >= value.abs() {
            self.low += (self.high - total) + value;
        } else {
            self.low += (value - total) + self.high;
        }
        self.high = total;
    }

    pub(crate) fn value(self) -> f64 {
        if self.high.is_infinite() { self.high } else { self.high + self.low }
    }
}

/// A mean that survives sums beyond the range of numbers: from there on it moves by each value's share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    moving: bool,
}

impl Mean {
    pub(crate) fn starting(value: f64) -> Self {
        Self { sum: Sum::starting(value), count: 1.0, moving: false }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.moving {
            let mut sum = self.sum;
            sum.add(value);
            if !sum.high.is_infinite() {
                self.sum = sum;
                return;
            }
            self.moving = true;
            self.sum.high /= self.count - 1.0;
            self.sum.low /= self.count - 1.0;
        }
        let kept = (self.count - 1.0) / self.count;
        self.sum = Sum { high: kept * self.sum.high, low: kept * self.sum.low };
        self.sum.add(value / self.count);
    }

    pub(crate) fn value(self) -> f64 {
        if self.moving { self.sum.high + self.sum.low } else { self.sum.high / self.count + self.sum.low / self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_survive_great_ones() {
        let mut sum = Sum::default();
        [1e100, 1.0, -1e100].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.value(), 1.0);
        sum.add(f64::INFINITY);
        assert_eq!(sum.value(), f64::INFINITY);
    }

    #[test]
    fn means_of_the_greatest_numbers_do_not_overflow() {
        let mut mean = Mean::starting(f64::MAX);
        mean.add(f64::MAX);
        mean.add(f64::MAX);
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-15);
        let mut endless = Mean::starting(f64::INFINITY);
        endless.add(5.0);
        assert_eq!(endless.value(), f64::INFINITY);
    }
}
