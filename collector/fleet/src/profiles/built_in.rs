//! The profiles that come with the collector: proposed where they fit, in force where somebody assigns them.

use super::cut::trimmed;
use super::set::{ProfileSource, ProfileText};

/// Name and document. A daemon that discovery knows has its profile here under the same name.
pub(super) const BUILT_IN: [(&str, &str); 10] = [
    ("apache", include_str!("../../profiles/apache.yml")),
    ("bind", include_str!("../../profiles/bind.yml")),
    ("docker", include_str!("../../profiles/docker.yml")),
    ("haproxy", include_str!("../../profiles/haproxy.yml")),
    ("mysql", include_str!("../../profiles/mysql.yml")),
    ("nginx", include_str!("../../profiles/nginx.yml")),
    ("postfix", include_str!("../../profiles/postfix.yml")),
    ("postgresql", include_str!("../../profiles/postgresql.yml")),
    ("redis", include_str!("../../profiles/redis.yml")),
    ("sshd", include_str!("../../profiles/sshd.yml")),
];

/// As sets keep them, by name.
pub(super) fn built_in() -> impl Iterator<Item = ProfileText> {
    BUILT_IN.iter().map(|(name, text)| ProfileText {
        name: (*name).to_owned(),
        source: ProfileSource::BuiltIn,
        file: String::new(),
        text: trimmed(text),
    })
}

/// The documents of the built-in profiles by name, for whoever wants to begin with one, and for tests that have the agent's reader.
pub fn built_in_profiles() -> Vec<(&'static str, &'static str)> {
    BUILT_IN.to_vec()
}
