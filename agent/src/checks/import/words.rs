//! A command line cut into words as a shell cuts it (POSIX.1-2017, XCU 2.2), without its expansions: what only a shell can do is refused by its name.

/// What stands in a line that only a shell, or only NRPE, can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// With its dollars.
    #[error("has the macro {0}, which whoever asks NRPE fills in")]
    Macro(String),
    /// As written, and what a shell calls it.
    #[error("has `{0}`, {1}, which needs a shell")]
    Shell(String, &'static str),
    #[error("has a quote {0} that is not closed")]
    Quote(char),
    #[error("ends in a backslash")]
    Backslash,
}

impl Refusal {
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Macro(_) => {
                "write one check for each set of values, with the values in the macros' places: `$ARG1$` to `$ARG16$` come \
                 from check_nrpe's -a at the monitoring server"
                    .to_owned()
            }
            Self::Shell(..) => {
                "put the line into a script with `#!/bin/sh`, make it executable, and name the script".to_owned()
            }
            Self::Quote(_) | Self::Backslash => "correct the line".to_owned(),
        }
    }
}

/// The words of a line.
pub(super) fn split(line: &str) -> Result<Vec<String>, Refusal> {
    if let Some(name) = find_macro(line) {
        return Err(Refusal::Macro(name.to_owned()));
    }
    let (mut words, mut word, mut rest) = (Vec::new(), None::<String>, line.chars().peekable());
    while let Some(one) = rest.next() {
        let next = rest.peek().copied();
        match one {
            blank if blank.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err(Refusal::Quote('\'')),
                    }
                }
            }
            '"' => quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next().ok_or(Refusal::Backslash)?),
            _ => match operator(one, next, word.is_none()) {
                Some((written, name)) => return Err(Refusal::Shell(written, name)),
                None => word.get_or_insert_default().push(one),
            },
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, word: &mut String) -> Result<(), Refusal> {
    while let Some(one) = rest.next() {
        let next = rest.peek().copied();
        match one {
            '"' => return Ok(()),
            '\\' if next.is_some_and(|next| "$`\"\\".contains(next)) => word.extend(rest.next()),
            '$' | '`' => match operator(one, next, false) {
                Some((written, name)) => return Err(Refusal::Shell(written, name)),
                None => word.push(one),
            },
            _ => word.push(one),
        }
    }
    Err(Refusal::Quote('"'))
}

/// Whether a shell would do something with this character, outside of quotes; how it is written and what it is called.
fn operator(one: char, next: Option<char>, begins_word: bool) -> Option<(String, &'static str)> {
    let twice = next == Some(one);
    let both = || [one, one].iter().collect::<String>();
    Some(match one {
        '|' if twice => (both(), "an alternative"),
        '|' => (one.to_string(), "a pipe"),
        '&' if twice => (both(), "a sequence of commands"),
        '&' => (one.to_string(), "a command in the background"),
        ';' => (one.to_string(), "a sequence of commands"),
        '<' | '>' => (one.to_string(), "a redirection"),
        '(' | ')' => (one.to_string(), "a subshell"),
        '`' => (one.to_string(), "the output of a command"),
        '$' if next == Some('(') => ("$(".to_owned(), "the output of a command"),
        '$' if next == Some('{') => ("${".to_owned(), "a variable"),
        '$' if next.is_some_and(|next| next.is_ascii_alphanumeric() || "_@*#?$!-".contains(next)) => {
            (format!("${}", next.unwrap_or_default()), "a variable")
        }
        '*' | '?' | '[' => (one.to_string(), "a pattern of file names"),
        '~' if begins_word => (one.to_string(), "a home folder"),
        '#' if begins_word => (one.to_string(), "a comment"),
        _ => return None,
    })
}

/// The first `$NAME$`.
fn find_macro(line: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(at) = line[from..].find('$') {
        let start = from + at;
        let inner = &line[start + 1..];
        let letters = inner.bytes().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
        if letters > 0 && inner.as_bytes().get(letters) == Some(&b'$') {
            return Some(&line[start..start + letters + 2]);
        }
        from = start + 1;
    }
    None
}
