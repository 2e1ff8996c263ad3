//! Bytes into lines: the decision alone. Nothing is kept of a line that is not whole; it is read again when more has come.

use muster_common::limits::LOG_LINE_BYTES_MAX;

/// What stands at the beginning of these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A whole line without its ending, of this many bytes with it.
    Line { line: &'a [u8], length: usize },
    /// So many zeros that are no line's: a hole, or what a writer had set aside and did not use.
    Zeros { length: usize },
    /// A line that is not whole yet.
    Partial,
    /// More than a line may have, and no end in sight.
    Overlong,
    /// Zeros to the end: a writer may have set them aside and write over them.
    MaybeZeros,
}

/// The next step. `bytes` is not empty.
pub(super) fn next_step(bytes: &[u8]) -> Step<'_> {
    if bytes.first() == Some(&0) {
        return match bytes.iter().position(|byte| *byte != 0) {
            Some(length) => Step::Zeros { length },
            None => Step::MaybeZeros,
        };
    }
    match memchr::memchr(b'\n', bytes) {
        Some(end) => Step::Line { line: without_return(&bytes[..end]), length: end + 1 },
        // Zeros behind it are none of the line's: a writer may have set them aside.
        None if bytes.len() > LOG_LINE_BYTES_MAX && without_zeros(bytes).len() > LOG_LINE_BYTES_MAX => Step::Overlong,
        None => Step::Partial,
    }
}

/// What is left when nothing more will come: the last line without its newline, and without zeros behind it.
pub(super) fn last_line(bytes: &[u8]) -> &[u8] {
    without_return(without_zeros(bytes))
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_newlines_and_lose_their_return() {
        assert_eq!(next_step(b"a\r\nb"), Step::Line { line: b"a", length: 3 });
        assert_eq!(next_step(b"\nb"), Step::Line { line: b"", length: 1 });
        assert_eq!(next_step(b"a\0b\xff\n"), Step::Line { line: b"a\0b\xff", length: 5 });
        assert_eq!(next_step(b"abc"), Step::Partial);
        assert_eq!(next_step(b"\0\0abc\n"), Step::Zeros { length: 2 });
        assert_eq!(next_step(b"\0\0"), Step::MaybeZeros);
        assert_eq!(next_step(&vec![b'x'; LOG_LINE_BYTES_MAX]), Step::Partial);
        assert_eq!(next_step(&vec![b'x'; LOG_LINE_BYTES_MAX + 1]), Step::Overlong);
        assert_eq!((last_line(b"abc\r\0\0"), last_line(b"\0")), (&b"abc"[..], &b""[..]));
    }
}
