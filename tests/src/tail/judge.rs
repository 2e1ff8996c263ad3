//! Counts what came of the numbered lines: lost, doubled, reordered, damaged.

use std::collections::HashMap;

use muster_common::limits::LOG_LINE_BYTES_MAX;

/// What was found. All but `received` must be 0, whole cases apart that say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub received: u64,
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub damaged: u64,
}

/// Takes lines in the order in which their stream has them.
#[derive(Debug, Default)]
pub struct Judge {
    /// How often each number came whole.
    seen: Vec<u8>,
    /// The highest number of each file so far.
    highest: HashMap<u64, u64>,
    counts: Counts,
}

impl Judge {
    /// One line as the collector answers it: bytes that are no UTF-8 may be replaced. Others' lines (headers) are let pass.
    pub fn line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("seq=") else {
            if line.contains("seq=") || line.contains(";end") {
                self.counts.damaged += 1;
            }
            return;
        };
        let number = |text: Option<&str>, key: &str| text?.strip_prefix(key)?.parse::<u64>().ok();
        let mut parts = rest.splitn(4, ';');
        let seq = number(parts.next(), "");
        let (file, length) = (number(parts.next(), "f="), number(parts.next(), "l="));
        let (Some(seq), Some(file), Some(length)) = (seq, file, length) else {
            self.counts.damaged += 1;
            return;
        };
        let cut = length as usize > LOG_LINE_BYTES_MAX;
        let replaced = line.contains('\u{fffd}');
        let whole = match () {
            () if cut => line.len() == LOG_LINE_BYTES_MAX,
            () if replaced => line.ends_with(";end"),
            () => line.len() == length as usize && line.ends_with(";end"),
        };
        if !whole {
            self.counts.damaged += 1;
            return;
        }
        let place = seq as usize;
        if self.seen.len() <= place {
            self.seen.resize((place + 1).next_power_of_two(), 0);
        }
        if self.seen[place] > 0 {
            self.counts.doubled += 1;
            return;
        }
        self.seen[place] = 1;
        self.counts.received += 1;
        let highest = self.highest.entry(file).or_default();
        if seq < *highest {
            self.counts.reordered += 1;
        }
        *highest = seq.max(*highest);
    }

    /// The account of `written` lines, and the first numbers that are lost.
    pub fn finish(&self, written: u64) -> (Counts, Vec<u64>) {
        let is_lost = |seq: &u64| self.seen.get(*seq as usize).is_none_or(|count| *count == 0);
        let lost: Vec<u64> = (0..written).filter(is_lost).collect();
        let first = lost.iter().take(8).copied().collect();
        (Counts { lost: lost.len() as u64, ..self.counts }, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, file: u64) -> String {
        format!("seq={seq:012};f={file:04};l={:08};text;end", "seq=000000000000;f=0000;l=00000000;text;end".len())
    }

    #[test]
    fn each_kind_of_fault_is_counted_as_itself() {
        let mut judge = Judge::default();
        for seq in [0, 2, 1, 2] {
            judge.line(&line(seq, 7));
        }
        judge.line(&line(5, 8)[..30]);
        judge.line("##########");
        judge.line(&line(4, 8).replace(";text;", ";te;"));
        judge.line(&line(4, 8)[20..]);
        let (counts, first) = judge.finish(6);
        assert_eq!(counts, Counts { received: 3, lost: 3, doubled: 1, reordered: 1, damaged: 3 });
        assert_eq!(first, [3, 4, 5]);
    }
}
