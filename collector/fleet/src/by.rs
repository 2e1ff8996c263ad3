//! Who makes a change, and from where: what every change must be given, so that none can be made which the audit does not know of.

use std::fmt;
use std::net::IpAddr;

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The collector or an agent by itself: told as an event, and nothing for the audit.
    Itself(&'static str),
    /// Somebody, who answers for it: told and audited.
    Somebody {
        who: Who,
        /// An address, `unix` or `file`.
        source: String,
    },
}

/// Somebody, as events and audit name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A user who logged in: `user:ann`.
    User(String),
    /// The bearer of an HTTP token: `token:3f2a90b1`.
    Token(String),
    /// A user of the collector's machine, over the unix socket: `unix:1000`.
    Unix(u32),
    /// A webhook that proved to know its secret: `hook:github`.
    Hook(&'static str),
    /// Whoever changed the configuration's files: `file`.
    File,
    /// Nobody knows: a request that was refused, or any with `--no-auth`: `anybody`.
    Anybody,
}

impl By {
    /// What the collector does by itself.
    pub const MUSTER: Self = Self::Itself("muster");
    /// What an agent says or does.
    pub const AGENT: Self = Self::Itself("agent");

    pub fn user(name: &str, source: &str) -> Self {
        Self::Somebody { who: Who::User(name.to_owned()), source: source.to_owned() }
    }

    pub fn token(id: &str, source: &str) -> Self {
        Self::Somebody { who: Who::Token(id.to_owned()), source: source.to_owned() }
    }

    pub fn unix(uid: u32) -> Self {
        Self::Somebody { who: Who::Unix(uid), source: "unix".to_owned() }
    }

    /// A webhook of this hoster, from this address.
    pub fn hook(hoster: &'static str, source: &str) -> Self {
        Self::Somebody { who: Who::Hook(hoster), source: source.to_owned() }
    }

    /// Whoever wrote the files that are read anew.
    pub fn file() -> Self {
        Self::Somebody { who: Who::File, source: "file".to_owned() }
    }

    pub fn anybody(source: &str) -> Self {
        Self::Somebody { who: Who::Anybody, source: source.to_owned() }
    }

    /// From where, if somebody answers for it.
    pub(crate) fn source(&self) -> Option<&str> {
        match self {
            Self::Itself(_) => None,
            Self::Somebody { source, .. } => Some(source),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself(name) => f.write_str(name),
            Self::Somebody { who, .. } => who.fmt(f),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Unix(uid) => write!(f, "unix:{uid}"),
            Self::Hook(hoster) => write!(f, "hook:{hoster}"),
            Self::File => f.write_str("file"),
            Self::Anybody => f.write_str("anybody"),
        }
    }
}

/// The text of an address as a source: IPv4 in IPv6 is IPv4, so that one machine has one.
pub fn source_of(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// An address as limits of logins and of the audit count it: of IPv6 the network of 64 bits, which one machine has whole.
pub fn counted_source(source: &str) -> String {
    match source.parse::<std::net::Ipv6Addr>() {
        Ok(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Err(_) => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_text_and_only_somebody_has_a_source() {
        for (by, text, source) in [
            (By::MUSTER, "muster", None),
            (By::user("ann", "192.0.2.1"), "user:ann", Some("192.0.2.1")),
            (By::token("3f2a", "192.0.2.1"), "token:3f2a", Some("192.0.2.1")),
            (By::unix(1000), "unix:1000", Some("unix")),
            (By::hook("github", "192.0.2.1"), "hook:github", Some("192.0.2.1")),
            (By::file(), "file", Some("file")),
            (By::anybody("192.0.2.1"), "anybody", Some("192.0.2.1")),
        ] {
            assert_eq!((by.to_string().as_str(), by.source()), (text, source));
        }
        assert_eq!(counted_source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(counted_source("192.0.2.1"), "192.0.2.1");
        assert_eq!(source_of("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
