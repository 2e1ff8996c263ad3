//! Places in a text, and what is wrong there.

/// Bytes of the text that a node covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }
}

/// What is wrong with the text, and at which byte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) trouble: Trouble,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    Wrong(String),
    /// Part of the language, but not answered here: by name, and what to do instead.
    Refused(String, &'static str),
}

pub(crate) type Parsed<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, trouble: Trouble::Wrong(message.into()) }
    }

    pub(crate) fn refused(at: usize, what: impl Into<String>, remedy: &'static str) -> Self {
        Self { at, trouble: Trouble::Refused(what.into(), remedy) }
    }
}
