//! Text as parts of URLs and forms.

/// One component of a path or a query.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Names and values, as a query and a form have them.
pub(super) fn encode(pairs: &[(&str, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_it() {
        let pairs = [("query", "{a=\"b\"} & c+d".to_owned()), ("match[]", "\u{e9}".to_owned())];
        assert_eq!(encode(&pairs), "query=%7Ba%3D%22b%22%7D%20%26%20c%2Bd&match%5B%5D=%C3%A9");
    }
}
