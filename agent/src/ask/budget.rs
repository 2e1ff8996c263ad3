//! How long one look may take, in time and in processor time.

use std::time::Duration;

use muster_common::time;

/// Processor time of one question: what looking at all processes of a host of 20,000 takes. A question is never dearer for the host than
/// this, whoever asks.
pub(super) const CPU_MAX: Duration = Duration::from_secs(1);
/// The longest that anybody may wait, whatever the collector says.
pub(super) const WITHIN_MAX: Duration = Duration::from_secs(30);

/// The end of one look, on the thread that made it.
pub(super) struct Budget {
    /// On the steady clock.
    until: Duration,
    /// Of this thread's processor time.
    cpu_until: Duration,
}

impl Budget {
    /// From now on, for a question that came at `came` (steady clock).
    pub(super) fn new(came: Duration, within: Duration) -> Self {
        Self { until: came + within.min(WITHIN_MAX), cpu_until: time::thread_cpu() + CPU_MAX }
    }

    /// Time that is left.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_sub(time::monotonic())
    }

    /// Why looking must end; `None`: it may go on.
    pub(super) fn over(&self) -> Option<String> {
        if self.left().is_zero() {
            Some("looking took longer than the question may wait: ask again with a longer timeout".to_owned())
        } else if time::thread_cpu() >= self.cpu_until {
            Some(format!("looking took {} s of processor time, and no question may take more", CPU_MAX.as_secs()))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_processor_time_each_end_a_look() {
        let now = time::monotonic();
        let budget = Budget::new(now, Duration::from_secs(3_600));
        assert!(budget.over().is_none() && budget.left() <= WITHIN_MAX);
        let late = Budget::new(now, Duration::ZERO);
        assert!(late.over().unwrap().contains("longer timeout") && late.left().is_zero());
        let spent = Budget { until: now + WITHIN_MAX, cpu_until: Duration::ZERO };
        assert!(spent.over().unwrap().contains("1 s of processor time"));
    }
}
