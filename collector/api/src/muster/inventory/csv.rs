//! An answer as comma-separated values (RFC 4180): a line of headings, lines that end with CR LF, null as nothing.

use muster_sql::{Answer, Cell};

pub(super) fn write(answer: &Answer) -> String {
    let mut text = line(answer.columns.iter().map(|name| quoted(name)));
    for row in &answer.rows {
        text.push_str(&line(row.iter().map(cell)));
    }
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("{}\r\n", cells.collect::<Vec<_>>().join(","))
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        // An empty text is told from a null by its quotes.
        Cell::Text(text) if text.is_empty() => "\"\"".to_owned(),
        Cell::Text(text) => quoted(text),
        Cell::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn quoted(text: &str) -> String {
    let needs = |letter: char| matches!(letter, ',' | '"' | '\r' | '\n') || letter.is_control();
    if text.contains(needs) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_comma_a_quote_or_a_line_end_is_quoted() {
        let answer = Answer {
            columns: vec!["a".into(), "b,c".into()],
            rows: vec![
                vec![Cell::Text("x\"y\nz".into()), Cell::Null],
                vec![Cell::Text(String::new()), Cell::Real(1.5)],
                vec![Cell::Bytes(vec![0, 255]), Cell::Integer(-3)],
            ],
            is_cut: false,
        };
        assert_eq!(write(&answer), "a,\"b,c\"\r\n\"x\"\"y\nz\",\r\n\"\",1.5\r\n00ff,-3\r\n");
    }
}
