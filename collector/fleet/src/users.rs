//! Local users: who they are, what their role lets them do, and how operators change them.

use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::by::{By, Who};
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::http_tokens::Scope;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::passwords::PasswordHash;
use crate::tokens::TokenRow;

/// Users of one collector. A team, not a directory; each is a row in memory.
pub const USERS_MAX: usize = 1_000;
/// Bytes of a user's name.
pub const USER_NAME_BYTES_MAX: usize = 64;

/// What a user may do: a set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything, changes nothing.
    Viewer,
    /// Silences and acknowledges, asks agents, requests tasks.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Viewer => &[Scope::Read],
            Self::Operator => &[Scope::Read, Scope::Silence, Scope::Ask, Scope::TaskRequest, Scope::Deploy],
            Self::Admin => &[Scope::Admin],
        }
    }
}

/// A user as table `users` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserRow {
    pub name: String,
    pub role: Role,
    pub password: PasswordHash,
    pub made_ms: i64,
    pub made_by: String,
    /// Role, password or whether it is disabled.
    pub changed_ms: i64,
    pub disabled_ms: Option<i64>,
    pub last_login_ms: Option<i64>,
}

/// A user as operators see it: never its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    pub name: String,
    pub role: Role,
    pub made_ms: i64,
    pub made_by: String,
    pub changed_ms: i64,
    pub disabled_ms: Option<i64>,
    pub last_login_ms: Option<i64>,
}

impl UserRow {
    fn view(&self) -> UserView {
        UserView {
            name: self.name.clone(),
            role: self.role,
            made_ms: self.made_ms,
            made_by: self.made_by.clone(),
            changed_ms: self.changed_ms,
            disabled_ms: self.disabled_ms,
            last_login_ms: self.last_login_ms,
        }
    }
}

/// What is to become of a user; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    pub role: Option<Role>,
    pub password: Option<PasswordHash>,
    pub disabled: Option<bool>,
}

/// Checks a user's name: that of a host in lower-case letters, and shorter.
///
/// # Errors
/// [`FleetError::UserName`] says what is wrong with it.
pub fn check_user_name(name: &str) -> Result<(), FleetError> {
    let refuse = |what: String| Err(FleetError::UserName { name: name.chars().take(40).collect(), what });
    if name.is_empty() {
        return refuse("is empty".to_owned());
    }
    if name.len() > USER_NAME_BYTES_MAX {
        return refuse(format!("has {} bytes", name.len()));
    }
    let is_plain =
        |(at, c): (usize, char)| c.is_ascii_lowercase() || c.is_ascii_digit() || at > 0 && matches!(c, '.' | '-' | '_');
    match name.char_indices().find(|one| !is_plain(*one)) {
        Some((_, bad)) => refuse(format!("holds {bad:?}")),
        None => Ok(()),
    }
}

impl Fleet {
    /// All users, by name.
    pub fn users(&self) -> Vec<UserView> {
        self.memory.read().users.values().map(UserRow::view).collect()
    }

    /// One user.
    ///
    /// # Errors
    /// [`FleetError::NoUser`].
    pub fn user(&self, name: &str) -> Result<UserView, FleetError> {
        wanted(&self.memory.read(), name).map(UserRow::view)
    }

    /// What a password of this user is compared with; `None`: there is no such user, or it is disabled.
    pub fn password_of(&self, name: &str) -> Option<PasswordHash> {
        let memory = self.memory.read();
        memory.users.get(name).filter(|row| row.disabled_ms.is_none()).map(|row| row.password.clone())
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`FleetError`]: name wrong or taken, too many users, or the disk or the file failed.
    pub fn add_user(
        &self,
        name: &str,
        role: Role,
        password: PasswordHash,
        by: &By,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        check_user_name(name)?;
        self.change(|memory, draft| {
            if memory.users.contains_key(name) {
                return Err(FleetError::UserTaken { name: name.to_owned() });
            }
            if memory.users.len() >= USERS_MAX {
                return Err(FleetError::TooManyUsers { count: memory.users.len() });
            }
            let text = format!("made user `{name}` with the role {}", role.as_str());
            draft.events.push(Event::new(EventKind::UserMade, by, now, text).with("user", name));
            draft.users.push(UserRow {
                name: name.to_owned(),
                role,
                password,
                made_ms: now.millis(),
                made_by: by.to_string(),
                changed_ms: now.millis(),
                disabled_ms: None,
                last_login_ms: None,
            });
            Ok(())
        })
    }

    /// Changes a user; what it could do before ends: its sessions, and the tokens that it made.
    ///
    /// # Errors
    /// [`FleetError::NoUser`], or the disk or the file failed.
    pub fn change_user(&self, name: &str, change: UserChange, by: &By, now: Timestamp) -> Result<UserView, FleetError> {
        self.change(|memory, draft| {
            let mut row = wanted(memory, name)?.clone();
            let mut done = Vec::new();
            if let Some(role) = change.role.filter(|role| *role != row.role) {
                done.push(format!("has the role {} now, before {}", role.as_str(), row.role.as_str()));
                row.role = role;
            }
            if let Some(password) = change.password {
                done.push("has another password".to_owned());
                row.password = password;
            }
            if let Some(disabled) = change.disabled.filter(|disabled| *disabled != row.disabled_ms.is_some()) {
                done.push(if disabled { "is disabled" } else { "is enabled again" }.to_owned());
                row.disabled_ms = disabled.then_some(now.millis());
            }
            if done.is_empty() {
                return Ok(row.view());
            }
            row.changed_ms = now.millis();
            let ended = end_powers(memory, draft, name, now);
            let text = format!("user `{name}` {}{ended}", done.join(" and "));
            draft.events.push(Event::new(EventKind::UserChanged, by, now, text).with("user", name));
            let view = row.view();
            draft.users.push(row);
            Ok(view)
        })
    }

    /// Removes a user with its sessions and the tokens that it made.
    ///
    /// # Errors
    /// [`FleetError::NoUser`], or the disk or the file failed.
    pub fn remove_user(&self, name: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            wanted(memory, name)?;
            let ended = end_powers(memory, draft, name, now);
            let text = format!("removed user `{name}`{ended}");
            draft.events.push(Event::new(EventKind::UserRemoved, by, now, text).with("user", name));
            draft.forgotten_users.push(name.to_owned());
            Ok(())
        })
    }
}

fn wanted<'a>(memory: &'a Memory, name: &str) -> Result<&'a UserRow, FleetError> {
    memory.users.get(name).ok_or_else(|| FleetError::NoUser { name: name.chars().take(80).collect() })
}

/// Ends the user's sessions and the tokens that it made, of both kinds; in words, for the event.
fn end_powers(memory: &Memory, draft: &mut Draft, name: &str, now: Timestamp) -> String {
    let maker = Who::User(name.to_owned()).to_string();
    let sessions = memory.sessions.iter().filter(|(_, row)| row.user == name).map(|(hash, _)| *hash);
    draft.forgotten_sessions.extend(sessions);
    let http = memory.http_tokens.values().filter(|row| row.made_by == maker).map(|row| row.id.clone());
    draft.forgotten_http_tokens.extend(http);
    let live = memory.tokens.values().filter(|row| row.made_by == maker && row.usable(now).is_ok());
    draft.tokens.extend(live.map(|row| TokenRow { revoked_ms: Some(now.millis()), ..row.clone() }));
    let tokens: Vec<&str> = draft
        .forgotten_http_tokens
        .iter()
        .map(String::as_str)
        .chain(draft.tokens.iter().map(|row| row.id.as_str()))
        .collect();
    match (draft.forgotten_sessions.len(), tokens.is_empty()) {
        (0, true) => String::new(),
        (count, true) => format!("; {count} sessions end"),
        (count, false) => format!("; {count} sessions end, and the tokens that it made: {}", tokens.join(", ")),
    }
}

#[cfg(test)]
mod tests;
