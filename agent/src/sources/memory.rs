//! /proc/meminfo: every field, as `node_memory_<Field>_bytes`, or without the unit where the kernel counts pages.

use muster_common::sample::MetricKind;

use super::metric::Fields;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const KIB: f64 = 1024.0;

pub(super) struct Memory {
    file: ProcFile,
    fields: Fields,
}

impl Memory {
    pub(super) fn new(roots: &Roots) -> Self {
        Self { file: ProcFile::new(&roots.proc.join("meminfo"), Shape::Record), fields: Fields::default() }
    }
}

impl Source for Memory {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.fields.begin();
        let mut found = false;
        for line in parse::lines(text) {
            let mut words = parse::words(line);
            let Some(field) = words.next().and_then(|word| word.strip_suffix(b":")) else { continue };
            let Some(value) = words.next().and_then(parse::number) else { continue };
            let in_kib = words.next() == Some(b"kB");
            let value = if in_kib { value * KIB } else { value };
            let name = || metric_name(field, in_kib);
            self.fields.put(tick.rows, (b"", field), MetricKind::Gauge, value, name);
            found = true;
        }
        if found { Ok(()) } else { Err(self.file.malformed("field")) }
    }
}

/// `Active(anon)` in kB is `node_memory_Active_anon_bytes`.
fn metric_name(field: &[u8], in_kib: bool) -> String {
    let mut name = String::from("node_memory_");
    for byte in field {
        match byte {
            b')' => {}
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(*byte)),
            _ => name.push('_'),
        }
    }
    if in_kib {
        name.push_str("_bytes");
    }
    name
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn every_field_is_given_in_bytes_unless_it_counts_pages() {
        let text = "MemTotal:       2048 kB\nActive(anon):      1 kB\nHugePages_Total:       3\nHugepagesize:    2048 kB\nDirectMap4k: 4 kB\n";
        assert_eq!(
            sampled("meminfo", &Tree::new(&[("proc/meminfo", text)])).unwrap(),
            [
                "node_memory_Active_anon_bytes 1024",
                "node_memory_DirectMap4k_bytes 4096",
                "node_memory_HugePages_Total 3",
                "node_memory_Hugepagesize_bytes 2097152",
                "node_memory_MemTotal_bytes 2097152",
            ]
        );
    }

    #[test]
    fn odd_lines_are_left_out() {
        let text = "MemTotal 5 kB\nMemFree:\nBuffers: x kB\n:\nCached: 1 kB trailing words\nNew-Field: 7 kB";
        assert_eq!(
            sampled("meminfo", &Tree::new(&[("proc/meminfo", text)])).unwrap(),
            ["node_memory_Cached_bytes 1024", "node_memory_New_Field_bytes 7168"]
        );
        assert!(sampled("meminfo", &Tree::new(&[("proc/meminfo", "nothing\n")])).is_err());
    }
}
