//! Who may log in, how often, and how much of the machine that takes.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_common::stat::Stat;
use muster_fleet::{AuditResult, By, EventKind, FleetError, PasswordHash, Record, counted_source};
use tokio::sync::Semaphore;

use crate::auth::Asked;
use crate::error::{ApiError, ErrorKind, chain};
use crate::login_limit::LoginLimit;
use crate::state::State;
use crate::work::{blocking, refusal};

/// Passwords hashed at once: each takes 19 MiB and a processor for tens of milliseconds, which queries need too.
const HASHING_MAX: usize = 2;
/// Passwords that wait to be hashed: a second's worth. More are a flood.
const WAITING_MAX: usize = 16;

/// What the collector remembers of those who log in; nothing of it outlives the process.
pub struct Logins {
    limit: Mutex<LoginLimit>,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    wrong: AtomicU64,
    limited: AtomicU64,
    busy: AtomicU64,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            limit: Mutex::default(),
            places: Arc::new(Semaphore::new(HASHING_MAX)),
            waiting: AtomicUsize::new(0),
            counts: Counts::default(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Steps of these machines do not panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Logins {
    /// Begins a session; its word.
    ///
    /// # Errors
    /// 401, the same for a user that there is not, one that is disabled, and a wrong password; 429 when it was tried too often.
    pub(crate) async fn log_in(
        &self,
        state: &Arc<State>,
        user: &str,
        password: &str,
        asked: &Asked,
    ) -> Result<String, ApiError> {
        let proof = self.prove(state, user, password, asked).await?;
        let (fleet, user, source, now) = (Arc::clone(&state.fleet), user.to_owned(), asked.source.clone(), state.now());
        let opened = blocking("the login", move || match fleet.open_session(&user, &proof, &source, now) {
            // Changed or disabled while its password was checked.
            Err(FleetError::NoUser { .. }) => Ok(None),
            opened => opened.map(Some),
        });
        opened.await?.ok_or_else(wrong)
    }

    /// Checks a user's password; what it was compared with.
    ///
    /// # Errors
    /// As [`Logins::log_in`].
    pub(crate) async fn prove(
        &self,
        state: &Arc<State>,
        user: &str,
        password: &str,
        asked: &Asked,
    ) -> Result<PasswordHash, ApiError> {
        // What no user can be called is remembered under one name, so that a flood of names costs nothing.
        let known = if muster_fleet::check_user_name(user).is_ok() { user } else { "?" };
        let source = counted_source(&asked.source);
        let admitted = locked(&self.limit).admit(known, &source, state.now());
        if let Err(wait) = admitted {
            self.counts.limited.fetch_add(1, Ordering::Relaxed);
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
            self.note_failure(state, known, asked, "it was tried too often").await;
            return Err(ApiError::new(ErrorKind::TooMany, "too many failed logins")
                .place("the login")
                .remedy(format!("try again in {seconds} s"))
                .retry_after_seconds(seconds));
        }
        let stored = state.fleet.password_of(known);
        let is_user = stored.is_some();
        let compared = stored.unwrap_or_else(PasswordHash::of_nobody);
        let (given, hash) = (password.to_owned(), compared.clone());
        let matches = match self.hashing(move || hash.matches(&given)).await {
            Ok(matches) => matches,
            Err(error) => {
                locked(&self.limit).withdrawn(known, &source, state.now());
                return Err(error);
            }
        };
        if matches && is_user {
            locked(&self.limit).succeeded(known, &source, state.now());
            self.counts.done.fetch_add(1, Ordering::Relaxed);
            return Ok(compared);
        }
        self.counts.wrong.fetch_add(1, Ordering::Relaxed);
        self.note_failure(state, known, asked, "the user or the password is wrong").await;
        Err(wrong())
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// 503 when too many are hashed already; what is wrong with the password.
    pub(crate) async fn hash(&self, user: &str, password: &str) -> Result<PasswordHash, ApiError> {
        let place = "field `password`";
        muster_fleet::check_password(user, password).map_err(|error| refusal(&error.into(), place))?;
        let given = password.to_owned();
        let made = self.hashing(move || PasswordHash::new(&given)).await?;
        made.map_err(|error| refusal(&error.into(), place))
    }

    /// Hashes off the runtime's threads, so many at once.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let busy = || {
            self.counts.busy.fetch_add(1, Ordering::Relaxed);
            ApiError::new(ErrorKind::Unavailable, "too many passwords are being checked")
                .place("the login")
                .remedy("try again in a moment")
                .retry_after_seconds(1)
        };
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let before = self.waiting.fetch_add(1, Ordering::AcqRel);
                let _waits = Waits(&self.waiting);
                if before >= WAITING_MAX {
                    return Err(busy());
                }
                Arc::clone(&self.places).acquire_owned().await.map_err(|_| busy())?
            }
        };
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|error| {
            tracing::error!("a password's hash ended in a panic: {error}");
            ApiError::new(ErrorKind::Internal, "this ended in a panic; the collector's log says where")
        })
    }

    async fn note_failure(&self, state: &Arc<State>, user: &str, asked: &Asked, why: &str) {
        let record = Record {
            by: By::anybody(&asked.source),
            action: EventKind::LoginFailed,
            object: user.to_owned(),
            text: format!("user `{user}` did not log in: {why}"),
            result: AuditResult::Refused,
        };
        note_refusal(state, record).await;
    }

    pub(crate) fn stats(&self) -> Vec<Stat> {
        let counts = &self.counts;
        let logins =
            [("done", &counts.done), ("wrong", &counts.wrong), ("limited", &counts.limited), ("busy", &counts.busy)];
        let mut stats: Vec<Stat> = logins
            .into_iter()
            .map(|(result, count)| {
                let help = "Passwords that were checked or refused, by the result.";
                let count = count.load(Ordering::Relaxed);
                Stat::counter("muster_collector_logins_total", help, count).with("result", result)
            })
            .collect();
        stats.push(Stat::gauge(
            "muster_collector_login_limits",
            "Users and source addresses whose failed logins are remembered.",
            locked(&self.limit).len() as f64,
        ));
        stats
    }
}

/// Puts a refusal into the audit.
pub(crate) async fn note_refusal(state: &Arc<State>, record: Record) {
    let (fleet, now) = (Arc::clone(&state.fleet), state.now());
    match tokio::task::spawn_blocking(move || fleet.record_refusal(record, now)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("a refusal is missing in the audit: {}", chain(&error)),
        Err(error) => tracing::error!("a refusal is missing in the audit after a panic: {error}"),
    }
}

/// The same for all that can be wrong: who guesses learns nothing of names.
fn wrong() -> ApiError {
    ApiError::new(ErrorKind::Unauthorized, "the user or the password is wrong")
        .place("the login")
        .remedy("try again; `muster user passwd NAME` of an administrator sets another password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_are_hashed_sixteen_wait_and_more_are_turned_away() {
        let logins = Arc::new(Logins::default());
        let (release, wait) = std::sync::mpsc::sync_channel::<()>(0);
        let wait = Arc::new(Mutex::new(wait));
        let mut tasks = Vec::new();
        for _ in 0..HASHING_MAX + WAITING_MAX {
            let (logins, wait) = (Arc::clone(&logins), Arc::clone(&wait));
            tasks.push(tokio::spawn(async move {
                logins.hashing(move || wait.lock().unwrap().recv().is_err()).await.is_ok()
            }));
        }
        while logins.waiting.load(Ordering::Acquire) < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        let error = logins.hashing(|| ()).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "too many passwords are being checked"));
        // Nobody sends any more: all that wait go on.
        drop(release);
        for task in tasks {
            assert!(task.await.unwrap());
        }
        assert_eq!((logins.waiting.load(Ordering::Acquire), logins.hashing(|| 7).await.unwrap()), (0, 7));
    }
}
