//! Which of the forms of a file a browser takes.

use axum::http::{HeaderMap, header};

/// A form in which files lie ready, the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
    Plain,
}

impl Encoding {
    /// What the file's name ends with in this form.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
            Self::Plain => "",
        }
    }

    /// Its name in `Content-Encoding`; `None`: the header is not needed.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Plain => None,
        }
    }
}

/// The forms that the request's `Accept-Encoding` allows, the smallest first (RFC 9110, 12.5.3). The plain one is always among them, as the
/// last: where even that is refused, a file that can be read is better than none.
pub(crate) fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Encoding> {
    let texts = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let text = texts.collect::<Vec<_>>().join(",");
    [Encoding::Brotli, Encoding::Gzip, Encoding::Plain]
        .into_iter()
        .filter(move |encoding| encoding.name().is_none_or(|name| weight(&text, name) > 0.0))
}

/// The weight of a coding: its own, else that of `*`, else 0.
fn weight(text: &str, name: &str) -> f32 {
    let mut any = 0.0;
    for part in text.split(',') {
        let mut words = part.split(';').map(str::trim);
        let coding = words.next().unwrap_or_default();
        let q = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
        // What is no number weighs nothing.
        let q = q.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if coding.eq_ignore_ascii_case(name) {
            return q;
        }
        if coding == "*" {
            any = q;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_form_that_is_taken_comes_first() {
        use Encoding::{Brotli, Gzip, Plain};
        for (text, expect) in [
            (None, vec![Plain]),
            (Some(""), vec![Plain]),
            (Some("gzip, deflate, br, zstd"), vec![Brotli, Gzip, Plain]),
            (Some("gzip"), vec![Gzip, Plain]),
            (Some("GZIP;q=0.5"), vec![Gzip, Plain]),
            (Some("br;q=0, gzip;q=1.0"), vec![Gzip, Plain]),
            (Some("*"), vec![Brotli, Gzip, Plain]),
            (Some("*;q=0"), vec![Plain]),
            (Some("br, *;q=0"), vec![Brotli, Plain]),
            (Some("gzip;q=x"), vec![Plain]),
            (Some("brx, xgzip"), vec![Plain]),
            (Some("identity;q=0"), vec![Plain]),
        ] {
            let headers = text.map(|text| (header::ACCEPT_ENCODING, text.parse().unwrap()));
            let headers: HeaderMap = headers.into_iter().collect();
            assert_eq!(accepted(&headers).collect::<Vec<_>>(), expect, "{text:?}");
        }
    }
}
