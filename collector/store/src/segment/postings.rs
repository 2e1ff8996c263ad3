//! Postings of a segment: one block a label name, with its values in order and the series of each.

use std::collections::HashMap;

use muster_common::label::LabelSet;

use super::write::put_front_coded;
use crate::bytes::{Bytes, put_varint};

/// Collects label pairs as the series go by in order.
#[derive(Default)]
pub(crate) struct PostingsBuilder {
    names: Vec<NameBuilder>,
    name_numbers: HashMap<String, usize>,
    /// For the n-th label of the series before: its name and value, as numbers. Neighbours share most labels.
    last: Vec<(usize, usize)>,
}

struct NameBuilder {
    name: String,
    numbers: HashMap<String, usize>,
    values: Vec<(String, Vec<u32>)>,
}

impl PostingsBuilder {
    pub(crate) fn push(&mut self, series: u32, labels: &LabelSet) {
        for (place, (name, value)) in labels.iter().enumerate() {
            let found = match self.last.get(place) {
                Some(&(number, last_value)) if self.names[number].name == name => {
                    let same = self.names[number].values[last_value].0 == value;
                    (number, if same { last_value } else { self.names[number].number(value) })
                }
                _ => {
                    let number = self.name_number(name);
                    (number, self.names[number].number(value))
                }
            };
            self.names[found.0].values[found.1].1.push(series);
            match self.last.get_mut(place) {
                Some(last) => *last = found,
                None => self.last.push(found),
            }
        }
    }

    fn name_number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.name_numbers.get(name) {
            return number;
        }
        let number = self.names.len();
        self.name_numbers.insert(name.to_owned(), number);
        self.names.push(NameBuilder { name: name.to_owned(), numbers: HashMap::new(), values: Vec::new() });
        number
    }

    /// The names in order, each with its block's plain bytes.
    pub(crate) fn finish(mut self) -> Vec<(String, Vec<u8>)> {
        self.names.sort_by(|a, b| a.name.cmp(&b.name));
        self.names.into_iter().map(|name| name.finish()).collect()
    }
}

impl NameBuilder {
    fn number(&mut self, value: &str) -> usize {
        if let Some(&number) = self.numbers.get(value) {
            return number;
        }
        self.numbers.insert(value.to_owned(), self.values.len());
        self.values.push((value.to_owned(), Vec::new()));
        self.values.len() - 1
    }

    fn finish(mut self) -> (String, Vec<u8>) {
        self.values.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = Vec::new();
        put_varint(&mut out, self.values.len() as u64);
        let mut last: &[u8] = &[];
        for (value, series) in &self.values {
            put_front_coded(&mut out, last, value.as_bytes());
            put_varint(&mut out, series.len() as u64);
            last = value.as_bytes();
        }
        for (_, series) in &self.values {
            let mut last = 0;
            for &number in series {
                put_varint(&mut out, u64::from(number - last));
                last = number;
            }
        }
        (self.name, out)
    }
}

/// One label name's block, decoded.
pub(crate) struct NameBlock {
    text: String,
    /// Where each value ends in `text`, and its list in `series`.
    ends: Vec<(usize, usize)>,
    series: Vec<u32>,
}

impl NameBlock {
    /// `None`: the bytes are no such block of a segment with that many series.
    pub(crate) fn decode(plain: &[u8], series_count: u64) -> Option<Self> {
        let mut rest = Bytes(plain);
        let count = rest.count()?;
        let (mut text, mut value, mut ends, mut total) = (String::new(), Vec::new(), Vec::new(), 0usize);
        for _ in 0..count {
            take_front_coded(&mut rest, &mut value)?;
            let length = rest.count()?;
            text.push_str(std::str::from_utf8(&value).ok()?);
            total = total.checked_add(length).filter(|&total| total <= rest.0.len())?;
            ends.push((text.len(), total));
        }
        let mut series = Vec::with_capacity(total);
        let mut start = 0;
        for &(_, end) in &ends {
            let mut number = 0u32;
            for _ in start..end {
                number = number.checked_add(rest.varint_u32()?)?;
                series.push(number);
            }
            (u64::from(number) < series_count || start == end).then_some(())?;
            start = end;
        }
        rest.is_empty().then_some(Self { text, ends, series })
    }

    /// About what it occupies.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 16 + self.series.len() * 4
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn value(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1].0 };
        &self.text[start..self.ends[number].0]
    }

    pub(crate) fn list(&self, number: usize) -> &[u32] {
        let start = if number == 0 { 0 } else { self.ends[number - 1].1 };
        &self.series[start..self.ends[number].1]
    }

    pub(crate) fn find(&self, value: &str) -> Option<&[u32]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.value(middle).cmp(value) {
                std::cmp::Ordering::Equal => return Some(self.list(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Makes `value`, the one before, the next one.
pub(crate) fn take_front_coded(rest: &mut Bytes<'_>, value: &mut Vec<u8>) -> Option<()> {
    let (shared, length) = (rest.varint()?, rest.count()?);
    let shared = usize::try_from(shared).ok().filter(|&shared| shared <= value.len())?;
    value.truncate(shared);
    value.extend_from_slice(rest.take(length)?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_with_their_series() {
        let mut builder = PostingsBuilder::default();
        for (number, (job, mode)) in [("a", "user"), ("a", "idle"), ("b", "idle"), ("b", "")].into_iter().enumerate() {
            builder.push(number as u32, &LabelSet::new([("job", job), ("mode", mode)]).unwrap());
        }
        let blocks = builder.finish();
        let names: Vec<&str> = blocks.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["job", "mode"]);
        let mode = NameBlock::decode(&blocks[1].1, 4).unwrap();
        assert_eq!((mode.len(), mode.value(0), mode.value(1)), (2, "idle", "user"));
        assert_eq!((mode.find("idle"), mode.find("user"), mode.find("x")), (Some(&[1, 2][..]), Some(&[0][..]), None));
        assert!(NameBlock::decode(&blocks[1].1, 2).is_none(), "a series that the segment has not");
        for cut in 0..blocks[1].1.len() {
            assert!(NameBlock::decode(&blocks[1].1[..cut], 4).is_none(), "cut at {cut}");
        }
    }
}
