//! Where people see what is told: paths and queries of the collector's pages.

use std::fmt::Write as _;

/// Where freezes are seen, and lifted.
pub(super) const FREEZES: &str = "/deploys?view=freezes";

/// Where deploys of a service are seen.
pub(super) fn deploys(service: &str) -> String {
    format!("/deploys?service={}", escaped(service))
}

pub(super) fn of_host(name: &str) -> String {
    format!("/hosts/{}", escaped(name))
}

/// As a part of a path or a value of a query.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // A `String` takes every text.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        assert_eq!(of_host("a/b ?&\u{fc}"), "/hosts/a%2Fb%20%3F%26%C3%BC");
        assert_eq!(deploys("shop-1.x_~"), "/deploys?service=shop-1.x_~");
    }
}
