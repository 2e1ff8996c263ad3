//! Sessions: who has logged in, known by a word that only their browser has.

use std::time::Duration;

use muster_common::identity::random;
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::passwords::PasswordHash;
use crate::rows::{Sha256, hex, unhex};
use crate::users::{Role, UserRow};

/// A session ends so long after its login, whatever is done: a working day.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// A session ends when nothing was asked for so long.
pub const SESSION_IDLE: Duration = Duration::from_secs(2 * 3_600);
/// Sessions of one user: a few machines and browsers. The oldest goes.
pub const SESSIONS_A_USER_MAX: usize = 10;
/// Sessions in all, which lie in memory. The oldest goes.
pub const SESSIONS_MAX: usize = 10_000;

/// A session as table `sessions` keeps it, under the SHA-256 of its word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionRow {
    pub user: String,
    pub made_ms: i64,
    /// To the minute or so: written along with other changes.
    pub used_ms: i64,
    /// From where it was begun.
    pub source: String,
}

/// A session as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The beginning of the word's hash: tells nothing of the word.
    pub id: String,
    pub user: String,
    pub made_ms: i64,
    pub used_ms: i64,
    /// Whatever is done.
    pub ends_ms: i64,
    pub source: String,
}

/// Who has the word of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub user: String,
    pub role: Role,
}

impl Fleet {
    /// Begins a session of a user whose password matched `proof`; answers its word, which is kept nowhere.
    ///
    /// # Errors
    /// [`FleetError::NoUser`] when the user is disabled or has another password since; or the disk or the file failed.
    pub fn open_session(
        &self,
        user: &str,
        proof: &PasswordHash,
        source: &str,
        now: Timestamp,
    ) -> Result<String, FleetError> {
        let secret = random::<32>()?;
        let hash = Sha256::of(&secret);
        self.change(|memory, draft| {
            let row = memory.users.get(user).filter(|row| row.disabled_ms.is_none() && row.password == *proof);
            let row = row.ok_or_else(|| FleetError::NoUser { name: user.to_owned() })?;
            make_room(self, memory, draft, user);
            let text = format!("user `{user}` logged in");
            let event = Event::new(EventKind::SessionMade, &By::user(user, source), now, text);
            draft.events.push(event.with("session", id_of(&hash)));
            draft.users.push(UserRow { last_login_ms: Some(now.millis()), ..row.clone() });
            let session = SessionRow {
                user: user.to_owned(),
                made_ms: now.millis(),
                used_ms: now.millis(),
                source: source.to_owned(),
            };
            draft.sessions.push((hash, session));
            Ok(hex(&secret))
        })
    }

    /// Whose session this word is; `None`: nobody's, or it has ended.
    pub fn check_session(&self, word: &str, now: Timestamp) -> Option<Session> {
        self.session_of(word, true, now)
    }

    /// As [`Self::check_session`], but no use of it: an open stream that looks whether its session goes on must not be why it does.
    pub fn peek_session(&self, word: &str, now: Timestamp) -> Option<Session> {
        self.session_of(word, false, now)
    }

    fn session_of(&self, word: &str, is_use: bool, now: Timestamp) -> Option<Session> {
        let hash = Sha256::of(&unhex::<32>(word)?);
        let memory = self.memory.read();
        let row = memory.sessions.get(&hash)?;
        let mut used = self.session_used.lock();
        let used_ms = used.get(&hash).copied().unwrap_or(0).max(row.used_ms);
        if is_over(row, used_ms, now) {
            return None;
        }
        let user = memory.users.get(&row.user).filter(|user| user.disabled_ms.is_none())?;
        if is_use {
            used.insert(hash, used_ms.max(now.millis()));
        }
        Some(Session { id: id_of(&hash), user: user.name.clone(), role: user.role })
    }

    /// The sessions that have not ended, of one user or of all, newest first.
    pub fn sessions(&self, user: Option<&str>, now: Timestamp) -> Vec<SessionView> {
        let memory = self.memory.read();
        let used = self.session_used.lock();
        let mut views: Vec<SessionView> = memory
            .sessions
            .iter()
            .filter(|(_, row)| user.is_none_or(|user| row.user == user))
            .map(|(hash, row)| (hash, row, used.get(hash).copied().unwrap_or(0).max(row.used_ms)))
            .filter(|(_, row, used_ms)| !is_over(row, *used_ms, now))
            .map(|(hash, row, used_ms)| SessionView {
                id: id_of(hash),
                user: row.user.clone(),
                made_ms: row.made_ms,
                used_ms,
                ends_ms: Timestamp::from_millis(row.made_ms).plus(SESSION_LIFE).millis(),
                source: row.source.clone(),
            })
            .collect();
        views.sort_unstable_by(|a, b| (b.made_ms, &b.id).cmp(&(a.made_ms, &a.id)));
        views
    }

    /// Ends a session of this user, or of anybody.
    ///
    /// # Errors
    /// [`FleetError::NoSession`], or the disk or the file failed.
    pub fn end_session(&self, id: &str, of: Option<&str>, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let mut found = memory.sessions.iter().filter(|(hash, _)| id_of(hash) == id);
            let found = found.find(|(_, row)| of.is_none_or(|user| row.user == user));
            let (hash, row) = found.ok_or_else(|| FleetError::NoSession { id: id.chars().take(50).collect() })?;
            let text = format!("a session of user `{}` was ended", row.user);
            draft.events.push(Event::new(EventKind::SessionEnded, by, now, text).with("session", id));
            draft.forgotten_sessions.push(*hash);
            Ok(())
        })
    }
}

/// What time alone brings about: ended sessions go, and when the others were used is written.
pub(crate) fn maintain(fleet: &Fleet, memory: &Memory, draft: &mut Draft, now: Timestamp) {
    let mut used = fleet.session_used.lock();
    used.retain(|hash, _| memory.sessions.contains_key(hash));
    for (hash, row) in &memory.sessions {
        let used_ms = used.get(hash).copied().unwrap_or(0).max(row.used_ms);
        if is_over(row, used_ms, now) {
            draft.forgotten_sessions.push(*hash);
        } else if used_ms != row.used_ms {
            draft.sessions.push((*hash, SessionRow { used_ms, ..row.clone() }));
        }
    }
}

/// Before one more session: the user's oldest goes where it has too many, and the oldest of all.
fn make_room(fleet: &Fleet, memory: &Memory, draft: &mut Draft, user: &str) {
    let mut own: Vec<_> = memory.sessions.iter().filter(|(_, row)| row.user == user).collect();
    own.sort_unstable_by_key(|(hash, row)| (row.made_ms, **hash));
    let over = (own.len() + 1).saturating_sub(SESSIONS_A_USER_MAX);
    draft.forgotten_sessions.extend(own.iter().take(over).map(|(hash, _)| **hash));
    if memory.sessions.len() - over >= SESSIONS_MAX {
        let used = fleet.session_used.lock();
        let last = |hash: &Sha256, row: &SessionRow| used.get(hash).copied().unwrap_or(0).max(row.used_ms);
        let idle = memory.sessions.iter().min_by_key(|(hash, row)| (last(hash, row), **hash));
        draft.forgotten_sessions.extend(idle.map(|(hash, _)| *hash));
    }
}

fn is_over(row: &SessionRow, used_ms: i64, now: Timestamp) -> bool {
    now.since(Timestamp::from_millis(row.made_ms)) >= SESSION_LIFE
        || now.since(Timestamp::from_millis(used_ms)) >= SESSION_IDLE
}

/// What a session is named by: eight bytes of the hash of its word.
fn id_of(hash: &Sha256) -> String {
    hex(&hash.0[..8])
}

#[cfg(test)]
mod tests;
