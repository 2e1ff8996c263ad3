//! /proc/interrupts: interrupts of each line by processor. Not read unless `[sources.interrupts]` says so, since a large
//! host has tens of thousands of such series.

use super::metric::{Column, Devices};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const COLUMNS: &[Column] = &[Column::counter("node_interrupts_total")];

pub(super) struct Interrupts {
    file: ProcFile,
    lines: Devices,
    key: Vec<u8>,
}

impl Interrupts {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = ProcFile::new(&roots.proc.join("interrupts"), Shape::LongLines);
        Self { file, lines: Devices::new(COLUMNS), key: Vec::new() }
    }
}

impl Source for Interrupts {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        let mut lines = parse::lines(text);
        let heads = lines.next().unwrap_or_default();
        let processors = parse::words(heads).count();
        self.lines.begin();
        let mut found = false;
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (kind, tail) = (line[..colon].trim_ascii(), &line[colon + 1..]);
            // ERR and MIS are one number for the whole host, and what has no description is left out there as here.
            if parse::words(tail).count() <= processors {
                continue;
            }
            for (head, word) in parse::words(heads).zip(parse::words(tail)) {
                let (Some(processor), Some(count)) = (head.strip_prefix(b"CPU"), parse::number(word)) else { continue };
                self.key.clear();
                [kind, b"\0", processor].iter().for_each(|part| self.key.extend_from_slice(part));
                let series = self.lines.device_with(&self.key, || labels(kind, processor, tail, processors));
                self.lines.put(tick.rows, series, 0, count);
                found = true;
            }
        }
        if !found {
            return Err(self.file.malformed("interrupt line"));
        }
        self.lines.finish(tick.rows);
        Ok(())
    }
}

/// After the counts come, for numbered lines, the controller and the rest as devices; for named ones, a description.
fn labels(kind: &[u8], processor: &[u8], tail: &[u8], processors: usize) -> Vec<(&'static str, String)> {
    let words: Vec<&[u8]> = parse::words(tail).skip(processors).collect();
    let split = if kind.iter().all(u8::is_ascii_digit) { words.len().min(1) } else { words.len() };
    let [info, devices] = [&words[..split], &words[split..]].map(|part| parse::text(&part.join(&b' ')));
    vec![("cpu", parse::text(processor)), ("devices", devices), ("info", info), ("type", parse::text(kind))]
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn each_line_has_a_count_a_processor() {
        let text = "           CPU0       CPU1\n 26:          0         13  IO-APIC   4-edge      ttyS0\nNMI:  5  6   Non-maskable interrupts\nERR:          7\nodd\n";
        assert_eq!(
            sampled("interrupts", &Tree::new(&[("proc/interrupts", text)])).unwrap(),
            [
                "node_interrupts_total{cpu=\"0\",devices=\"4-edge ttyS0\",info=\"IO-APIC\",type=\"26\"} 0",
                "node_interrupts_total{cpu=\"0\",info=\"Non-maskable interrupts\",type=\"NMI\"} 5",
                "node_interrupts_total{cpu=\"1\",devices=\"4-edge ttyS0\",info=\"IO-APIC\",type=\"26\"} 13",
                "node_interrupts_total{cpu=\"1\",info=\"Non-maskable interrupts\",type=\"NMI\"} 6",
            ]
        );
        assert!(sampled("interrupts", &Tree::new(&[("proc/interrupts", "CPU0\n")])).is_err());
    }
}
