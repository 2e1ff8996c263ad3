//! LIKE and GLOB as SQLite has them, to leave out rows before SQLite looks at them. It looks at all that are left, so that these may say
//! yes too often, and never no where SQLite says yes.

/// `%` is any text, `_` any letter; letters of ASCII are equal in both cases.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    matches(&pattern.chars().collect::<Vec<_>>(), text, ('%', '_'), |wanted, found| wanted.eq_ignore_ascii_case(&found))
}

/// `*` is any text, `?` any letter. A pattern with a set of letters is taken to fit whatever follows its first `[`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let simple = pattern.split_once('[').map_or_else(|| pattern.to_owned(), |(before, _)| format!("{before}*"));
    matches(&simple.chars().collect::<Vec<_>>(), text, ('*', '?'), |wanted, found| wanted == found)
}

/// Goes back to the last `any` alone, so that no pattern takes longer than the product of both lengths.
fn matches(pattern: &[char], text: &str, (any, one): (char, char), is_equal: impl Fn(char, char) -> bool) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut place, mut back) = (0, 0, None);
    while place < text.len() {
        match pattern.get(at) {
            Some(wanted) if *wanted == any => {
                back = Some((at + 1, place));
                at += 1;
            }
            Some(wanted) if *wanted == one || is_equal(*wanted, text[place]) => {
                at += 1;
                place += 1;
            }
            _ => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    (at, place) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_sqlite() {
        for (pattern, text, fits) in [
            ("openssl%", "OpenSSL-libs", true),
            ("%ssl%", "libssl3", true),
            ("%ssl", "libssl3", false),
            ("l_bssl3", "libssl3", true),
            ("%a%b%c", "xaxbxcxc", true),
            ("%a%b%c", "xaxcxb", false),
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
            ("\u{e9}%", "\u{e9}t\u{e9}", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
        for (pattern, text, fits) in [
            ("open*", "openssl", true),
            ("Open*", "openssl", false),
            ("?pen*", "openssl", true),
            ("o[xyz]*", "openssl", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
        // As many ways back as there are letters, and no more.
        assert!(!like(&"%a".repeat(200), &"a".repeat(199)));
    }
}
