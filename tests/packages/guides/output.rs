//! Whether commands printed what their guide shows.

/// What a shortened text leaves out.
const GAP: &str = "...";

/// The first line of `shown` that has no like in `printed` behind that of the line before; `None`: all have.
pub(super) fn missing<'a>(shown: &'a str, printed: &str) -> Option<&'a str> {
    let mut lines = printed.lines().map(plain);
    shown.lines().filter(|line| line.trim() != GAP).find(|wanted| !lines.any(|line| is_like(&plain(wanted), &line)))
}

/// Without what columns are aligned by.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_like(wanted: &str, line: &str) -> bool {
    let parts: Vec<&str> = wanted.split(GAP).map(str::trim).collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return line == first;
    }
    let mut rest = line;
    let has_all = parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    });
    has_all && line.starts_with(first) && line.ends_with(last)
}

#[test]
fn a_shortened_text_is_found_in_order_and_nothing_else_is() {
    let printed = "NAME    STATE   SEEN\nweb-1   active  2s ago\n\nweb-2   active  never\ntoken ab.cd\n";
    for (shown, missed) in [
        ("NAME  STATE  SEEN\nweb-1 active ...\n", None),
        ("...\nweb-2 ... never\ntoken ...\n", None),
        ("... active ... ago\n", None),
        ("web-2 ...\nweb-1 ...\n", Some("web-1 ...")),
        ("web-1 active\n", Some("web-1 active")),
        ("eb-1 ...\n", Some("eb-1 ...")),
        ("web-1 ... nev\n", Some("web-1 ... nev")),
    ] {
        assert_eq!(missing(shown, printed), missed, "{shown:?}");
    }
}
