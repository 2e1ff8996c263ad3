//! Aligned columns and CSV.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Rows under headings. A heading that begins with `>` is a column of numbers, aligned at the right (the `>` is not shown).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    pub headings: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// The headings are somebody's names, such as those of labels: CSV has them as they are.
    are_names: bool,
}

impl Rows {
    pub fn new(headings: &[&str]) -> Self {
        Self {
            headings: headings.iter().map(|&heading| heading.to_owned()).collect(),
            rows: Vec::new(),
            are_names: false,
        }
    }

    /// Rows under names that are not ours.
    pub fn under_names(headings: Vec<String>) -> Self {
        Self { headings, rows: Vec::new(), are_names: true }
    }

    /// Aligned columns, two spaces between; `empty` alone when there are no rows.
    pub fn to_table(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return format!("{empty}\n");
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.headings.iter().map(|heading| heading.trim_start_matches('>')));
        for row in &self.rows {
            // A line break in a foreign text would break the table.
            table.add_row(row.iter().map(|cell| plain(&cell.replace(['\n', '\r', '\t'], " "))));
        }
        let last = self.headings.len() - 1;
        for (column, heading) in table.column_iter_mut().zip(&self.headings) {
            column.set_padding((0, if column.index == last { 0 } else { 2 }));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut out = String::new();
        for line in table.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// RFC 4180: a heading line, fields quoted where they must be, line ends of this system.
    pub fn to_csv(&self) -> String {
        let mut out = String::new();
        let plain = |heading: &String| heading.trim_start_matches('>').to_lowercase().replace(' ', "_");
        let headings: Vec<String> =
            if self.are_names { self.headings.clone() } else { self.headings.iter().map(plain).collect() };
        for row in std::iter::once(&headings).chain(&self.rows) {
            for (index, field) in row.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if field.contains([',', '"', '\n', '\r']) {
                    out.push_str(&format!("\"{}\"", field.replace('"', "\"\"")));
                } else {
                    out.push_str(field);
                }
            }
            out.push('\n');
        }
        out
    }
}

/// What steers a terminal, or turns the direction of a text, is written out: names of hosts, packages and processes are other people's.
pub fn plain(text: &str) -> String {
    let is_bidi = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    let escaped = |c: char| if c.is_control() || is_bidi(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_at_the_right() {
        let mut rows = Rows::new(&["NAME", ">VALUE", "NOTE"]);
        rows.rows.push(vec!["a".into(), "1".into(), "x,y".into()]);
        rows.rows.push(vec!["long name".into(), "1234.5".into(), "two\nlines".into()]);
        assert_eq!(
            rows.to_table("none"),
            "NAME        VALUE  NOTE\na               1  x,y\nlong name  1234.5  two lines\n"
        );
        assert_eq!(rows.to_csv(), "name,value,note\na,1,\"x,y\"\nlong name,1234.5,\"two\nlines\"\n");
    }

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        let mut rows = Rows::new(&["A"]);
        rows.rows.push(vec!["\u{1b}[2Jx\u{202e}y\u{7}".into()]);
        assert_eq!(rows.to_table("none"), "A\n\\u{1b}[2Jx\\u{202e}y\\u{7}\n");
    }

    #[test]
    fn nothing_is_said_plainly() {
        assert_eq!(Rows::new(&["A"]).to_table("no hosts yet"), "no hosts yet\n");
        assert_eq!(Rows::new(&["A", "B C"]).to_csv(), "a,b_c\n");
    }
}
