//! Making, checking, listing and revoking tokens of both kinds.

use std::time::Duration;

use muster_common::identity::{Token, TokenWord};
use muster_common::time::{Span, Timestamp};

use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::http_tokens::{Grant, HTTP_TOKEN_LIFE_MAX, HttpTokenRow, HttpTokenView, Scope};
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::rows::Sha256;
use crate::tokens::{Binding, TOKENS_MAX, TokenRow, TokenSpec, TokenView};

impl Fleet {
    /// Makes an enrolment token; answers the word `id.secret.pin`, which is kept nowhere.
    ///
    /// # Errors
    /// [`FleetError`] names the part of the spec that is wrong, or the disk or the file failed.
    pub fn new_token(&self, spec: TokenSpec, now: Timestamp) -> Result<String, FleetError> {
        spec.check()?;
        self.change(|memory, draft| {
            let token = fresh_token(memory)?;
            let id = token.id.to_string();
            let expires = now.plus(spec.ttl);
            let names = match &spec.binding {
                Binding::Name(name) => format!("host `{name}`"),
                Binding::Pattern(pattern) => format!("hosts like `{pattern}`"),
            };
            let text = format!("made token {id} for {names}, good for {} within {}", spec.uses, Span(spec.ttl));
            draft.events.push(Event::new(EventKind::TokenMade, &spec.by, now, text).with("token", id.as_str()));
            draft.tokens.push(TokenRow {
                id,
                hash: Sha256(token.hash()),
                binding: spec.binding,
                labels: spec.labels,
                made_ms: now.millis(),
                made_by: spec.by.to_string(),
                expires_ms: expires.millis(),
                uses: spec.uses,
                uses_left: spec.uses,
                replace: spec.replace,
                ephemeral_ms: spec.ephemeral.map(|silence| i64::try_from(silence.as_millis()).unwrap_or(i64::MAX)),
                revoked_ms: None,
            });
            Ok(TokenWord { token, pin: memory.pin }.to_string())
        })
    }

    /// Makes a token for the HTTP interfaces; answers the word `id.secret`, which is kept nowhere.
    ///
    /// # Errors
    /// [`FleetError`] when scopes or life are out of bounds, or the disk or the file failed.
    pub fn new_http_token(
        &self,
        scopes: &[Scope],
        ttl: Duration,
        by: &By,
        now: Timestamp,
    ) -> Result<String, FleetError> {
        if scopes.is_empty() {
            let given = "none".to_owned();
            return Err(FleetError::TokenSpec { what: "the scope", given, allowed: "one or more, such as `read`" });
        }
        if ttl < Duration::from_secs(1) || ttl > HTTP_TOKEN_LIFE_MAX {
            let given = Span(ttl).to_string();
            return Err(FleetError::TokenSpec { what: "the life", given, allowed: "between 1s and 3660d" });
        }
        self.change(|memory, draft| {
            let token = fresh_token(memory)?;
            let expires_ms = Some(now.plus(ttl).millis());
            put_http_token(draft, &token, scopes, expires_ms, true, by, now);
            Ok(token.to_string())
        })
    }

    /// The first administrator's token: a new word while no administrator's token is known to have been kept, else `None`. Write it to
    /// its file, durably, then call [`Fleet::admin_token_kept`]; a crash in between gets another word at the next start.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file failed.
    pub fn ensure_admin_token(&self, now: Timestamp) -> Result<Option<String>, FleetError> {
        self.change(|memory, draft| {
            let admins = || memory.http_tokens.values().filter(|row| row.scopes.contains(&Scope::Admin));
            if admins().any(|row| row.kept && row.is_live(now)) {
                return Ok(None);
            }
            make_admin_token(memory, draft, now).map(Some)
        })
    }

    /// Another first administrator's token, for a data folder that was put back without the file of its word, which goes on to work.
    /// Its word is to be kept as that of [`Fleet::ensure_admin_token`] is.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file failed.
    pub fn another_admin_token(&self, now: Timestamp) -> Result<String, FleetError> {
        self.change(|memory, draft| make_admin_token(memory, draft, now))
    }

    /// Says that the word of [`Fleet::ensure_admin_token`] is in its file.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file failed.
    pub fn admin_token_kept(&self) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let unkept = memory.http_tokens.values().filter(|row| !row.kept);
            draft.http_tokens.extend(unkept.map(|row| HttpTokenRow { kept: true, ..row.clone() }));
            Ok(())
        })
    }

    /// What the bearer of this word may do; `None`: nothing, since it is unknown, wrong or expired.
    pub fn check_http_token(&self, word: &str, now: Timestamp) -> Option<Grant> {
        let token = Token::parse(word).ok()?;
        let id = token.id.to_string();
        let grant = {
            let memory = self.memory.read();
            let row = memory.http_tokens.get(&id).filter(|row| token.matches(&row.hash.0) && row.is_live(now))?;
            Grant { id: id.clone(), scopes: row.scopes.clone() }
        };
        self.used.lock().insert(id, now.millis());
        Some(grant)
    }

    /// Enrolment tokens, by id; those that ended are listed for a week.
    pub fn tokens(&self) -> Vec<TokenView> {
        self.memory.read().tokens.values().map(TokenRow::view).collect()
    }

    /// HTTP tokens, by id.
    pub fn http_tokens(&self) -> Vec<HttpTokenView> {
        let memory = self.memory.read();
        let used = self.used.lock();
        let view = |row: &HttpTokenRow| HttpTokenView {
            id: row.id.clone(),
            scopes: row.scopes.clone(),
            made_ms: row.made_ms,
            made_by: row.made_by.clone(),
            expires_ms: row.expires_ms,
            last_used_ms: used.get(&row.id).copied().or(row.last_used_ms),
        };
        memory.http_tokens.values().map(view).collect()
    }

    /// Ends a token of either kind at once.
    ///
    /// # Errors
    /// [`FleetError::NoToken`], or the disk or the file failed.
    pub fn revoke_token(&self, id: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            if let Some(row) = memory.tokens.get(id) {
                draft.tokens.push(TokenRow { revoked_ms: Some(now.millis()), ..row.clone() });
            } else if memory.http_tokens.contains_key(id) {
                draft.forgotten_http_tokens.push(id.to_owned());
            } else {
                return Err(FleetError::NoToken { id: id.chars().take(50).collect() });
            }
            let event = Event::new(EventKind::TokenRevoked, by, now, format!("revoked token {id}"));
            draft.events.push(event.with("token", id));
            Ok(())
        })
    }
}

/// A token whose id no other has.
fn fresh_token(memory: &Memory) -> Result<Token, FleetError> {
    let count = memory.tokens.len() + memory.http_tokens.len();
    if count >= TOKENS_MAX {
        return Err(FleetError::TooManyTokens { count });
    }
    loop {
        let token = Token::generate()?;
        let id = token.id.to_string();
        // With 10,000 of 4 billion ids in use this hardly ever turns twice.
        if !memory.tokens.contains_key(&id) && !memory.http_tokens.contains_key(&id) {
            return Ok(token);
        }
    }
}

fn put_http_token(
    draft: &mut Draft,
    token: &Token,
    scopes: &[Scope],
    expires_ms: Option<i64>,
    kept: bool,
    by: &By,
    now: Timestamp,
) {
    let id = token.id.to_string();
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let text = format!("made HTTP token {id} for {}", names.join(", "));
    draft.events.push(Event::new(EventKind::TokenMade, by, now, text).with("token", id.as_str()));
    draft.http_tokens.push(HttpTokenRow {
        id,
        hash: Sha256(token.hash()),
        scopes,
        made_ms: now.millis(),
        made_by: by.to_string(),
        expires_ms,
        last_used_ms: None,
        kept,
    });
}
/// Makes the token in place of those whose word nobody has kept.
fn make_admin_token(memory: &Memory, draft: &mut Draft, now: Timestamp) -> Result<String, FleetError> {
    let unkept = memory.http_tokens.values().filter(|row| row.scopes.contains(&Scope::Admin) && !row.kept);
    draft.forgotten_http_tokens.extend(unkept.map(|row| row.id.clone()));
    let token = fresh_token(memory)?;
    put_http_token(draft, &token, &[Scope::Admin], None, false, &By::MUSTER, now);
    Ok(token.to_string())
}
