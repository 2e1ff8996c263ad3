//! By which name hosts reach this collector: what was configured, else what whoever asks dialled, else the machine's name.

use std::fmt;
use std::net::IpAddr;

/// A host as it stands before a port, safe in shells and URLs: an address of version 6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host(String);

impl Host {
    /// A name or address without its port.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self(match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            }));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_host = !text.is_empty()
            && text.len() <= 253
            && text.bytes().all(is_name)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        is_host.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Of a `Host` header, with or without a port.
    pub(super) fn of_header(text: &str) -> Option<Self> {
        let without_port = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => host,
            _ => text,
        };
        Self::parse(without_port)
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.trim_matches(['[', ']']).parse().ok()
    }

    /// Whether other machines may mean this one by it.
    pub(super) fn is_of_others(&self) -> bool {
        let is_local_name =
            self.0 == "localhost" || self.0.ends_with(".localhost") || self.0 == muster_common::identity::SERVER_NAME;
        !is_local_name && self.address().is_none_or(|address| !address.is_loopback() && !address.is_unspecified())
    }

    /// Whether a certificate for this DNS name is one for the host: the same name, or `*` for its first label.
    pub(super) fn is_named_by(&self, dns: &str) -> bool {
        let dns = dns.to_ascii_lowercase();
        match dns.strip_prefix("*.") {
            Some(rest) => self.0.split_once('.').is_some_and(|(_, parent)| parent == rest),
            None => self.0 == dns,
        }
    }
}

/// Whether this is a name or an address without a port.
pub fn is_host(text: &str) -> bool {
    Host::parse(text).is_some()
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first of these that other machines can dial.
pub(super) fn choose(advertise: Option<&str>, header: Option<&str>, machine: &str) -> Option<Host> {
    let asked = || header.and_then(Host::of_header).filter(Host::is_of_others);
    let own = || Host::parse(machine).filter(Host::is_of_others);
    advertise.and_then(Host::parse).or_else(asked).or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_shell_reads_is_a_host() {
        for (text, expect) in [
            ("collector.example", Some("collector.example")),
            ("Collector.Example:9470", Some("collector.example")),
            ("192.0.2.7:9470", Some("192.0.2.7")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("[2001:db8::7]:9470", Some("[2001:db8::7]")),
            ("2001:db8::7", Some("[2001:db8::7]")),
            ("web_1", Some("web_1")),
            ("", None),
            ("-rf", None),
            ("a b", None),
            ("a;reboot", None),
            ("$(reboot)", None),
            ("`reboot`", None),
            ("a\"b", None),
            ("a'b", None),
            ("a:b:c", None),
            ("x@y", None),
        ] {
            assert_eq!(Host::of_header(text).map(|host| host.to_string()).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn the_configured_name_wins_then_what_was_dialled_then_the_machines() {
        for (advertise, header, machine, expect) in [
            (Some("a.example"), Some("b.example:1"), "c", Some("a.example")),
            (None, Some("b.example:1"), "c", Some("b.example")),
            (None, Some("127.0.0.1:9470"), "c", Some("c")),
            (None, Some("localhost"), "c", Some("c")),
            (None, Some("collector.muster:9470"), "c", Some("c")),
            (None, Some("0.0.0.0:9470"), "c", Some("c")),
            (None, Some("a;b"), "c", Some("c")),
            (None, None, "localhost", None),
        ] {
            let chosen = choose(advertise, header, machine).map(|host| host.to_string());
            assert_eq!(chosen.as_deref(), expect, "{advertise:?} {header:?} {machine}");
        }
    }

    #[test]
    fn certificates_name_hosts_exactly_or_by_their_first_label() {
        let host = Host::parse("a.b.example").unwrap();
        for (dns, is_named) in
            [("A.b.example", true), ("*.b.example", true), ("*.example", false), ("b.example", false), ("*", false)]
        {
            assert_eq!(host.is_named_by(dns), is_named, "{dns}");
        }
    }
}
