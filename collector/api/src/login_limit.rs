//! How often may be tried to log in: a few failures are free, then every one makes the next wait longer. Pure; lies in memory only.

use std::time::Duration;

use muster_common::time::Timestamp;

use muster_fleet::Bounded;

/// Failures without a wait: people mistype.
const FREE: u32 = 5;
/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest: at 4 an hour the weakest password that is taken lasts, and whoever was locked out by another is back soon.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten when none came for so long.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Users and sources that are remembered, each.
const ROWS_MAX: usize = 10_000;

/// Failures in a row by user and by source address.
pub(crate) struct LoginLimit {
    users: Bounded<u32>,
    sources: Bounded<u32>,
}

impl Default for LoginLimit {
    fn default() -> Self {
        Self { users: Bounded::new(ROWS_MAX), sources: Bounded::new(ROWS_MAX) }
    }
}

impl LoginLimit {
    /// Whether this user may be tried from this source now. It is counted as a failure until [`LoginLimit::succeeded`], so that many that
    /// are under way at once are no way round.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn admit(&mut self, user: &str, source: &str, now: Timestamp) -> Result<(), Duration> {
        let wait = wait_of(&self.users, user, now).max(wait_of(&self.sources, source, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        count(&mut self.users, user, now);
        count(&mut self.sources, source, now);
        Ok(())
    }

    /// The password was right: the user's failures are over, and the source has one less, so that who has one password cannot try others'
    /// without a wait.
    pub(crate) fn succeeded(&mut self, user: &str, source: &str, now: Timestamp) {
        self.users.remove(user);
        let (failures, _) = self.sources.touch(source, now);
        *failures = failures.saturating_sub(1);
    }

    /// It was not tried after all.
    pub(crate) fn withdrawn(&mut self, user: &str, source: &str, now: Timestamp) {
        for (table, key) in [(&mut self.users, user), (&mut self.sources, source)] {
            let (failures, _) = table.touch(key, now);
            *failures = failures.saturating_sub(1);
        }
    }

    /// Users and sources remembered.
    pub(crate) fn len(&self) -> usize {
        self.users.len() + self.sources.len()
    }
}

fn wait_of(table: &Bounded<u32>, key: &str, now: Timestamp) -> Duration {
    let Some((last, failures)) = table.get(key) else { return Duration::ZERO };
    let since = now.since(*last);
    if since >= FORGOTTEN || *failures < FREE {
        return Duration::ZERO;
    }
    let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(failures - FREE).unwrap_or(u32::MAX)).min(LONGEST_WAIT);
    wait.saturating_sub(since)
}

fn count(table: &mut Bounded<u32>, key: &str, now: Timestamp) {
    let is_old = table.get(key).is_some_and(|(last, _)| now.since(*last) >= FORGOTTEN);
    let (failures, _) = table.touch(key, now);
    *failures = if is_old { 1 } else { failures.saturating_add(1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn five_failures_are_free_then_waits_double_up_to_the_longest() {
        let mut limit = LoginLimit::default();
        for _ in 0..5 {
            assert_eq!(limit.admit("ann", "a", at(0)), Ok(()));
        }
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
            assert_eq!(limit.admit("ann", "a", at(now)), Err(Duration::from_secs(wait)), "{now}");
            assert_eq!(limit.admit("ann", "b", at(now)), Err(Duration::from_secs(wait)), "the user is known elsewhere");
            assert!(limit.admit("bob", "a", at(now)).is_err(), "and so is the source");
            now += wait;
            assert_eq!(limit.admit("ann", "a", at(now)), Ok(()));
        }
        assert_eq!(limit.admit("bob", "c", at(now)), Ok(()), "another user from elsewhere is nobody's business");
        assert_eq!(limit.admit("ann", "a", at(now + 3_600)), Ok(()), "forgotten after an hour");
        assert_eq!(limit.admit("ann", "a", at(now + 3_600)), Ok(()));
    }

    #[test]
    fn a_right_password_ends_the_users_failures_but_not_the_sources() {
        let mut limit = LoginLimit::default();
        for _ in 0..5 {
            limit.admit("ann", "a", at(0)).unwrap();
        }
        limit.succeeded("ann", "a", at(0));
        for _ in 0..4 {
            assert_eq!(limit.admit("ann", "b", at(0)), Ok(()));
        }
        assert_eq!(limit.admit("bob", "a", at(0)), Ok(()), "the one that was given back");
        assert!(limit.admit("bob", "a", at(0)).is_err());
        let mut limit = LoginLimit::default();
        for _ in 0..20 {
            limit.admit("ann", "a", at(0)).unwrap();
            limit.withdrawn("ann", "a", at(0));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut limit = LoginLimit::default();
        for number in 0..20_050_u32 {
            let _ = limit.admit(&format!("u{number}"), &format!("s{number}"), at(u64::from(number)));
        }
        assert!(limit.len() <= 2 * ROWS_MAX && limit.len() > ROWS_MAX);
    }
}
