//! Rotation of the CA by overlap, in two calls that may lie weeks apart.

use muster_common::identity::Pin;
use muster_common::time::Timestamp;

use crate::by::By;
use crate::ca::{AUTHORITIES_MAX, Authority, AuthorityRole, AuthorityRow};
use crate::changes::RegistryChange;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};

/// What a call of [`Fleet::rotate_ca`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A next CA was made. Every certificate issued from now on carries it along; call again when these many hosts have renewed.
    Prepared { hosts_to_renew: usize },
    /// The next CA signs; the one before stays trusted for 120 days. Token words made before carry the old hash and are void.
    Done { pin: Pin, void_tokens: usize },
}

impl Fleet {
    /// Rotates the CA: the first call makes the next one, the second puts it in force once every active host holds a chain that
    /// carries it (at the latest 30 days later, since renewals bring it).
    ///
    /// # Errors
    /// [`FleetError::Rotation`] while hosts still hold older chains or a CA of the rotation before is still trusted; or the
    /// disk, the file or the random generator failed.
    pub fn rotate_ca(&self, by: &By, now: Timestamp) -> Result<Rotation, FleetError> {
        self.change(|memory, draft| {
            let current = &memory.current_authority()?.row;
            let next = memory.authorities.iter().find(|authority| authority.row.role == AuthorityRole::Next);
            let Some(next) = next else {
                if memory.authorities.len() + 1 >= AUTHORITIES_MAX {
                    let what =
                        "the CA of the rotation before is still trusted: wait until 120 days after it".to_owned();
                    return Err(FleetError::Rotation { what });
                }
                let authority = Authority::make(current.number + 1, AuthorityRole::Next, now)?;
                let text = format!("made the next CA, its key has the hash {}", authority.pin());
                draft.events.push(Event::new(EventKind::AuthorityMade, by, now, text));
                draft.changes.push(RegistryChange::Authorities);
                draft.authorities.push(authority.row);
                return Ok(Rotation::Prepared { hosts_to_renew: memory.count(HostState::Active) });
            };
            let made_ms = next.row.made_ms;
            let behind = memory.hosts().filter(|row| {
                row.state == HostState::Active && row.certificate().is_some_and(|leaf| leaf.issued_ms < made_ms)
            });
            let mut behind: Vec<&str> = behind.map(|row| row.name.as_str()).collect();
            if !behind.is_empty() {
                let count = behind.len();
                behind.truncate(10);
                let names = behind.join(", ");
                return Err(FleetError::Rotation {
                    what: format!(
                        "{count} hosts have not renewed since it was made ({names}): wait for them, or retire them"
                    ),
                });
            }
            let pin = next.pin();
            let void_tokens = memory.tokens.values().filter(|token| token.usable(now).is_ok()).count();
            let text =
                format!("the CA whose key has the hash {pin} signs from now on; {void_tokens} tokens are void by it");
            draft.events.push(Event::new(EventKind::AuthorityRotated, by, now, text));
            draft.changes.push(RegistryChange::Authorities);
            let role = |row: &AuthorityRow, role| AuthorityRow { role, role_ms: now.millis(), ..row.clone() };
            draft.authorities.push(role(current, AuthorityRole::Old));
            draft.authorities.push(role(&next.row, AuthorityRole::Current));
            Ok(Rotation::Done { pin, void_tokens })
        })
    }
}
