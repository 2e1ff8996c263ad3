//! The cookie of a session: given at the login, read with every request, and taken away at the logout.

use axum::http::{HeaderMap, HeaderValue, header};
use muster_fleet::SESSION_LIFE;

/// Over TLS: browsers take a cookie of this prefix only with Secure, from exactly this host and for all of its paths, so that no other
/// page, not one of a subdomain or over plain HTTP either, can set it.
const SECURE: &str = "__Host-muster";
/// Over plain HTTP, which is of this machine alone: browsers refuse the prefix there.
const PLAIN: &str = "muster";

const fn name(is_over_tls: bool) -> &'static str {
    if is_over_tls { SECURE } else { PLAIN }
}

/// The word of the session; `None`: there is no such cookie. Of several the first counts.
pub(crate) fn find(headers: &HeaderMap, is_over_tls: bool) -> Option<&str> {
    let name = name(is_over_tls);
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// `Set-Cookie` for a session that begins.
pub(crate) fn set(word: &str, is_over_tls: bool) -> HeaderValue {
    made(word, SESSION_LIFE.as_secs(), is_over_tls)
}

/// `Set-Cookie` that takes it away.
pub(crate) fn clear(is_over_tls: bool) -> HeaderValue {
    made("", 0, is_over_tls)
}

fn made(word: &str, seconds: u64, is_over_tls: bool) -> HeaderValue {
    let secure = if is_over_tls { "; Secure" } else { "" };
    let text = format!("{}={word}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", name(is_over_tls));
    // A word is hexadecimal digits, so this cannot fail; an empty value is no cookie.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_only_under_the_name_of_its_transport() {
        let headers = HeaderMap::from_iter([
            (header::COOKIE, HeaderValue::from_static("a=b; xmuster=no; muster=plain")),
            (header::COOKIE, HeaderValue::from_static("__Host-muster=secure; muster=second")),
        ]);
        assert_eq!(find(&headers, true), Some("secure"));
        assert_eq!(find(&headers, false), Some("plain"));
        assert_eq!(find(&HeaderMap::new(), true), None);
    }

    #[test]
    fn scripts_and_other_sites_never_have_it() {
        let expect = "__Host-muster=ab; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(set("ab", true), expect);
        assert_eq!(set("ab", false), "muster=ab; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
        assert_eq!(clear(false), "muster=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
}
