//! How long a commit waits for more. Pure.

use std::time::Duration;

/// How long to gather. Pure: what the last commit held decides for the next one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather {
    min: Duration,
    max: Duration,
    window: Duration,
}

impl Gather {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, window: min }
    }

    /// How long to wait for more when so many appends are there already; zero: commit at once.
    pub(super) fn wait(&self, appends: usize) -> Duration {
        if appends <= 1 { Duration::ZERO } else { self.window }
    }

    pub(super) fn committed(&mut self, appends: usize) {
        self.window = if appends >= 64 { (self.window * 2).min(self.max) } else { self.min };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_is_committed_at_once_and_crowds_are_waited_for() {
        let [five, twenty] = [5, 20].map(Duration::from_millis);
        let mut gather = Gather::new(five, twenty);
        assert_eq!((gather.wait(0), gather.wait(1), gather.wait(2)), (Duration::ZERO, Duration::ZERO, five));
        for _ in 0..5 {
            gather.committed(100);
        }
        assert_eq!(gather.wait(2), twenty);
        gather.committed(3);
        assert_eq!(gather.wait(2), five);
    }
}
