//! What a plugin wrote to standard output, by the plugin interface: text, `|`, perfdata; long text; a second `|`, perfdata to the end.
//!
//! Pure, and never fails: whatever a program writes has a reading. Perfdata that is none stays visible at the end of the long output.

use muster_common::limits::{CHECK_PERFDATA_MAX, REPORT_TEXT_BYTES_MAX};
use muster_common::wire::message::Perfdata;

use super::outcome::shorten;
use super::perfdata::{Item, items};

/// What is shown of perfdata that was not understood; some hundred bytes tell what the plugin does wrong.
const UNPARSED_BYTES_MAX: usize = 1_024;

/// A plugin's output, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginOutput {
    /// The first line with anything in it, without perfdata.
    pub output: String,
    /// The further lines, and what of the perfdata was not understood.
    pub long_output: String,
    /// At most [`CHECK_PERFDATA_MAX`], each (label, unit) once.
    pub perfdata: Vec<Perfdata>,
    /// Pieces of perfdata that gave no number, or a number without all its parts.
    pub unparsed: usize,
    /// Numbers beyond the limit.
    pub left_out: usize,
}

/// Reads what a plugin wrote. Bytes that are not UTF-8 are replaced.
pub fn parse_plugin_output(stdout: &[u8]) -> PluginOutput {
    let text = String::from_utf8_lossy(stdout);
    let mut lines =
        text.lines().map(|line| line.trim_end_matches(['\r', '\0'])).skip_while(|line| line.trim().is_empty());
    let mut reading = Reading::default();
    let mut result = PluginOutput::default();
    if let Some(first) = lines.next() {
        let (output, perfdata) = first.split_once('|').unwrap_or((first, ""));
        output.trim().clone_into(&mut result.output);
        reading.take(perfdata);
    }
    let (mut long, mut in_perfdata) = (Vec::new(), false);
    for line in lines {
        if in_perfdata {
            reading.take(line);
        } else if let Some((text, perfdata)) = line.split_once('|') {
            long.push(text.trim_end());
            reading.take(perfdata);
            in_perfdata = true;
        } else {
            long.push(line.trim_end());
        }
    }
    let long = long.join("\n");
    let note = reading.note();
    let room = REPORT_TEXT_BYTES_MAX.saturating_sub(note.len() + 1);
    result.output = shorten(result.output, REPORT_TEXT_BYTES_MAX);
    result.long_output = shorten(long.trim_matches('\n').to_owned(), room);
    if !note.is_empty() {
        if !result.long_output.is_empty() {
            result.long_output.push('\n');
        }
        result.long_output.push_str(&note);
    }
    PluginOutput { perfdata: reading.numbers, unparsed: reading.unparsed, left_out: reading.left_out, ..result }
}

#[derive(Default)]
struct Reading {
    numbers: Vec<Perfdata>,
    /// As written, joined by blanks, up to its limit.
    shown: String,
    unparsed: usize,
    left_out: usize,
}

impl Reading {
    fn take(&mut self, text: &str) {
        for item in items(text) {
            match item {
                Item::Number(number) => self.push(number),
                Item::Partly(number, written) => {
                    self.push(number);
                    self.not_understood(written);
                }
                Item::Unparsed(written) => self.not_understood(written),
            }
        }
    }

    fn push(&mut self, number: Perfdata) {
        let is_known = |known: &Perfdata| known.label == number.label && known.unit == number.unit;
        if self.numbers.iter().any(is_known) {
            // Two values of one series at one time: the first counts.
            self.not_understood(&number.label);
        } else if self.numbers.len() >= CHECK_PERFDATA_MAX {
            self.left_out += 1;
        } else {
            self.numbers.push(number);
        }
    }

    fn not_understood(&mut self, written: &str) {
        self.unparsed += 1;
        let room = UNPARSED_BYTES_MAX.saturating_sub(self.shown.len());
        if room > 0 {
            if !self.shown.is_empty() {
                self.shown.push(' ');
            }
            self.shown.push_str(&shorten(written.to_owned(), room));
        }
    }

    fn note(&self) -> String {
        let mut lines = Vec::new();
        if self.unparsed > 0 {
            lines.push(format!("not understood of the perfdata ({}): {}", self.unparsed, self.shown));
        }
        if self.left_out > 0 {
            lines.push(format!("{} numbers beyond the first {CHECK_PERFDATA_MAX} are left out", self.left_out));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::perfdata::show;
    use super::*;

    /// Outputs in the forms that common plugins write, and what they are read as.
    #[test]
    fn outputs_of_plugins_are_read() {
        let cases: [(&str, &str, &str, &[&str]); 9] = [
            (
                "DISK OK - free space: / 7012 MB (73% inode=88%);| /=2519MB;8577;9053;0;9530\n",
                "DISK OK - free space: / 7012 MB (73% inode=88%);",
                "",
                &["/=2519MB;8577;9053;0;9530"],
            ),
            (
                "OK - load average: 0.12, 0.20, 0.18|load1=0.120;15.000;30.000;0; load5=0.200;10.000;25.000;0; load15=0.180;5.000;20.000;0; \n",
                "OK - load average: 0.12, 0.20, 0.18",
                "",
                &["load1=0.12;15;30;0", "load5=0.2;10;25;0", "load15=0.18;5;20;0"],
            ),
            (
                "HTTP OK: HTTP/1.1 200 OK - 612 bytes in 0.001 second response time |time=0.000893s;;;0.000000;10.000000 size=612B;;;0\n",
                "HTTP OK: HTTP/1.1 200 OK - 612 bytes in 0.001 second response time",
                "",
                &["time=0.000893s;;;0;10", "size=612B;;;0"],
            ),
            (
                "PING OK - Packet loss = 0%, RTA = 0.05 ms|rta=0.051000ms;100.000000;500.000000;0.000000 pl=0%;20;60;0\n",
                "PING OK - Packet loss = 0%, RTA = 0.05 ms",
                "",
                &["rta=0.051ms;100;500;0", "pl=0%;20;60;0"],
            ),
            (
                "one | a=1\nline 2\nline 3 | b=2\nc=3 d=4\n'e f'=5|g=6\n",
                "one",
                "line 2\nline 3\nnot understood of the perfdata (1): 'e f'=5|g=6",
                &["a=1", "b=2", "c=3", "d=4"],
            ),
            ("no perfdata at all\r\nbut more text\r\n", "no perfdata at all", "but more text", &[]),
            ("\n\n  late text|a=1", "late text", "", &["a=1"]),
            ("", "", "", &[]),
            ("x|a=1 a=2 a=3ms junk", "x", "not understood of the perfdata (2): a junk", &["a=1", "a=3ms"]),
        ];
        for (written, output, long_output, perfdata) in cases {
            let read = parse_plugin_output(written.as_bytes());
            assert_eq!((read.output.as_str(), read.long_output.as_str()), (output, long_output), "{written}");
            assert_eq!(read.perfdata.iter().map(show).collect::<Vec<_>>(), perfdata, "{written}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced_and_numbers_beyond_the_limit_counted() {
        let read = parse_plugin_output(b"caf\xe9 | '\xff'=1");
        assert_eq!((read.output.as_str(), read.perfdata[0].label.as_str()), ("caf\u{fffd}", "\u{fffd}"));
        let many: String = (0..300).map(|number| format!(" n{number}={number}")).collect();
        let read = parse_plugin_output(format!("x|{many}").as_bytes());
        assert_eq!(
            (read.perfdata.len(), read.left_out, read.unparsed),
            (CHECK_PERFDATA_MAX, 300 - CHECK_PERFDATA_MAX, 0)
        );
        assert!(read.long_output.contains("44 numbers beyond"), "{}", read.long_output);
    }

    #[test]
    fn no_bytes_break_the_reader_or_the_limits() {
        let seeds: [&[u8]; 5] = [
            b"DISK OK - free| /=2519MB;8577;9053;0;9530 'a b'=1,5e3s;@1:2;~:3\nlong\nmore|c=U;;;0;1\nd=1",
            b"'''=1'='' = = ;;;;|'x'=1|||",
            b"\xff\xfe|\xc3=1\n\n|\n",
            b"t|a=1e+ b=-e c=+.,e d=.e1",
            b"text|l=1;@~:;10:;:;~\r\n",
        ];
        let mut rng = fastrand::Rng::with_seed(4);
        for round in 0..200_000 {
            let mut bytes = seeds[round % seeds.len()].to_vec();
            for _ in 0..rng.usize(1..8) {
                let at = rng.usize(..bytes.len());
                match rng.u8(..4) {
                    0 => bytes[at] = rng.u8(..),
                    1 => bytes.insert(at, *rng.choice(b"|=;'\n ,.e-+@~:U\xc3").unwrap_or(&b'|')),
                    2 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.extend_from_within(at..),
                }
                bytes.truncate(4_096);
            }
            let read = parse_plugin_output(&bytes);
            assert!(read.perfdata.len() <= CHECK_PERFDATA_MAX && !read.output.contains('\n'));
            assert!(
                read.long_output.len() <= REPORT_TEXT_BYTES_MAX
                    && read.perfdata.iter().all(|one| !one.value.is_infinite())
            );
        }
    }
}
