//! Where something stands in a file.

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Byte offset.
    pub at: usize,
    /// Both from 1; the column counts characters.
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The first byte.
    pub const START: Self = Self { at: 0, line: 1, column: 1 };

    /// The place of a byte of a text.
    pub fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { at, line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() }
    }

    /// The place in the file of a byte of a scalar's value, which begins here: blanks and line ends may differ, since YAML folds them.
    pub fn inside(self, file: &str, value: &str, at: usize) -> Self {
        let Some(written) = file.get(self.at..) else { return self };
        let header = match written.as_bytes().first() {
            Some(b'|' | b'>') => written.find('\n').map_or(0, |end| end + 1),
            Some(b'"' | b'\'') => 1,
            _ => 0,
        };
        let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        let at = at.min(value.len());
        let mut left = value.get(..at).map_or(0, solid);
        let is_end = value.get(at..).is_none_or(|rest| rest.trim().is_empty());
        let solids = written[header..].char_indices().filter(|(_, c)| !c.is_whitespace());
        for (index, c) in solids {
            if left == 0 {
                return Self::of(file, self.at + header + index);
            }
            left -= 1;
            // At the end there is no character to point at: just behind the last one.
            if left == 0 && is_end {
                return Self::of(file, self.at + header + index + c.len_utf8());
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_inside_of_scalars_are_found_however_they_are_written() {
        for (file, start, value, at, expected) in [
            ("expr: a + b", 6, "a + b", 4, (1, 11)),
            ("expr: |\n  a +\n    b\n", 6, "a +\n  b\n", 6, (3, 5)),
            ("expr: >-\n  a +\n  b\n", 6, "a + b", 4, (3, 3)),
            ("expr: \"a + b\"", 6, "a + b", 4, (1, 12)),
            ("expr: a", 6, "a", 1, (1, 8)),
            ("expr: |\n  sum(a\nfor: 5m", 6, "sum(a\n", 6, (2, 8)),
        ] {
            let place = Place::of(file, start).inside(file, value, at);
            assert_eq!((place.line, place.column), expected, "{file:?}");
        }
    }
}
