//! The end of what a command writes: its last lines, bounded, while it runs for as long and writes as much as it likes.

use std::collections::VecDeque;

/// Lines and bytes that are kept.
pub(super) const LINES_MAX: usize = 50;
pub(super) const BYTES_MAX: usize = 60 << 10;

/// The last lines of both streams, in the order in which they were read.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that are not finished yet, by stream.
    open: [Vec<u8>; 2],
}

impl Tail {
    /// Takes what a stream (0 or 1) said next.
    pub(super) fn push(&mut self, stream: usize, mut said: &[u8]) {
        while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
            let mut line = std::mem::take(&mut self.open[stream]);
            line.extend_from_slice(&said[..end]);
            said = &said[end + 1..];
            self.line(line);
        }
        let open = &mut self.open[stream];
        open.extend_from_slice(said);
        if open.len() > BYTES_MAX {
            open.drain(..open.len() - BYTES_MAX);
        }
    }

    fn line(&mut self, mut line: Vec<u8>) {
        if line.len() > BYTES_MAX {
            line.drain(..line.len() - BYTES_MAX);
        }
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX + 1 {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.len() + 1;
        }
    }

    /// What there is, as text of at most [`BYTES_MAX`] bytes; what is not UTF-8 is replaced.
    pub(super) fn finish(mut self) -> String {
        for stream in 0..2 {
            let open = std::mem::take(&mut self.open[stream]);
            if !open.is_empty() {
                self.line(open);
            }
        }
        let lines: Vec<String> = self.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let mut text = lines.join("\n");
        // Replaced bytes are longer than they were.
        let mut from = text.len().saturating_sub(BYTES_MAX);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.drain(..from);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_within_their_bounds() {
        let mut tail = Tail::default();
        for number in 0..200 {
            tail.push(number % 2, format!("line {number}\n").as_bytes());
        }
        let text = tail.finish();
        assert_eq!(
            (text.lines().count(), text.lines().next(), text.lines().last()),
            (50, Some("line 150"), Some("line 199"))
        );
        let mut tail = Tail::default();
        for _ in 0..1_000 {
            tail.push(0, &[b'x'; 1_000]);
        }
        assert_eq!(tail.finish().len(), BYTES_MAX);
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.push(1, &[vec![0xff; 30_000], b"\n".to_vec()].concat());
        }
        assert!(tail.bytes <= BYTES_MAX + 1 && tail.finish().len() <= BYTES_MAX);
    }

    #[test]
    fn halves_of_lines_stay_with_their_stream() {
        let mut tail = Tail::default();
        tail.push(0, b"out ");
        tail.push(1, b"err\n");
        tail.push(0, b"put\nrest");
        assert_eq!(tail.finish(), "err\nout put\nrest");
        assert_eq!(Tail::default().finish(), "");
    }
}
