//! Which hosts a remote configuration's checks may speak to: patterns of the host's own file, matched by text and address alone.
//!
//! A name is matched as a name. It is not looked up: who may answer for it is whoever the file's writer trusted with that name. So a network
//! holds addresses that are written as addresses, and never a name.

use std::net::IpAddr;

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: String,
    host: Pattern,
    /// `None`: any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// A name, in small letters.
    Name(String),
    /// `*.example.org`: the part from the dot on.
    Below(String),
    Network {
        address: IpAddr,
        bits: u8,
    },
}

/// How to write one.
pub(crate) const REMEDY: &str =
    "write HOST, *.SUFFIX, ADDRESS or NETWORK/BITS, each also with :PORT, such as [\"localhost\", \"10.0.0.0/8:5432\"]";

impl Target {
    /// `HOST`, `*.SUFFIX`, `ADDRESS` or `NETWORK/BITS`, each also with `:PORT` (version 6 then in brackets). `None`: it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(six) => {
                let (host, after) = six.split_once(']')?;
                let address: std::net::Ipv6Addr = host.split('/').next()?.parse().ok()?;
                let _ = address;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(port.parse().ok().filter(|port: &u16| *port > 0)?)
            }
            Some(_) => return None,
            None => None,
        };
        Some(Self { text: text.to_owned(), host: pattern(host)?, port })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is this host, by the name or address that a check has, at this port.
    pub fn holds(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(asked) = host.parse::<IpAddr>() {
            let Pattern::Network { address, bits } = self.host else { return false };
            return is_in(asked.to_canonical(), address, bits);
        }
        let name = plain(host);
        match &self.host {
            Pattern::Name(own) => name == *own,
            Pattern::Below(suffix) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            Pattern::Network { .. } => false,
        }
    }
}

/// Names are alike in small letters and without the dot of the root.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn pattern(text: &str) -> Option<Pattern> {
    if let Some(suffix) = text.strip_prefix("*.") {
        return is_name(suffix).then(|| Pattern::Below(format!(".{}", plain(suffix))));
    }
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    match (address.parse::<IpAddr>(), bits) {
        (Ok(address), bits) => {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(most), |bits| bits.parse().ok()).filter(|bits| *bits <= most)?;
            Some(Pattern::Network { address, bits })
        }
        // What resolvers take for an address though it is written otherwise, such as 127.1, is no name.
        (Err(_), None) if is_name(text) => Some(Pattern::Name(plain(text))),
        (Err(_), _) => None,
    }
}

fn is_name(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(is_part) && !last.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

fn is_in(asked: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (asked, network) = match (asked, network) {
        (IpAddr::V4(asked), IpAddr::V4(network)) => {
            (u128::from(u32::from(asked)) << 96, u128::from(u32::from(network)) << 96)
        }
        (IpAddr::V6(asked), IpAddr::V6(network)) => (u128::from(asked), u128::from(network)),
        _ => return false,
    };
    bits == 0 || (asked ^ network) >> (128 - u32::from(bits)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_names_and_networks_match_addresses() {
        for (target, host, port, expected) in [
            ("localhost", "localhost", 80, true),
            ("localhost", "LocalHost.", 80, true),
            ("localhost", "127.0.0.1", 80, false),
            ("localhost:443", "localhost", 80, false),
            ("localhost:443", "localhost", 443, true),
            ("*.example.org", "db.example.org", 1, true),
            ("*.example.org", "a.b.example.org", 1, true),
            ("*.example.org", "example.org", 1, false),
            ("*.example.org", "badexample.org", 1, false),
            ("*.example.org:5432", "db.example.org", 5432, true),
            ("127.0.0.0/8", "127.9.9.9", 1, true),
            ("127.0.0.0/8", "128.0.0.1", 1, false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", 1, true),
            ("127.0.0.0/8", "2130706433", 1, false),
            ("127.0.0.0/8", "localhost", 1, false),
            ("::/0", "::ffff:10.0.0.1", 1, false),
            ("0.0.0.0/0", "8.8.8.8", 53, true),
            ("::1", "::1", 1, true),
            ("::1", "[::1]", 1, true),
            ("[::1]:22", "::1", 22, true),
            ("[::1]:22", "::1", 23, false),
            ("[2001:db8::/32]:443", "2001:db8:1::5", 443, true),
            ("2001:db8::/32", "2001:db9::1", 443, false),
            ("10.1.2.3", "10.1.2.3", 1, true),
            ("10.1.2.3", "10.1.2.4", 1, false),
            ("10.0.0.0/8:5432", "10.9.9.9", 5432, true),
            ("10.0.0.0/8:5432", "10.9.9.9", 22, false),
        ] {
            let parsed = Target::parse(target).unwrap_or_else(|| panic!("{target} is a pattern"));
            assert_eq!((parsed.holds(host, port), parsed.text()), (expected, target), "{target} on {host}:{port}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in [
            "",
            "*",
            "*.",
            "a b",
            "a:0",
            "a:65536",
            "a:+1",
            "a:",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/x",
            "127.1",
            "2130706433",
            "a/8",
            "[::1",
            "[a]:1",
            "http://a",
            "a..b",
            "*.*.org",
        ] {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }
}
