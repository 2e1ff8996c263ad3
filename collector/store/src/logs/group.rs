//! A row group: lines of one or more streams, sorted by (stream, time, arrival). Two blocks: where the rows are, and their text,
//! so that counting and finding need no text.

use std::ops::Range;

use super::select::is_before;
use crate::bytes::{Bytes, put_signed, put_varint};

/// Bytes of lines and fields of a group at most, a single longer line apart.
pub(crate) const GROUP_RAW_MAX: usize = 1 << 20;
/// Rows of a group at most: 1.5 MiB once decoded.
pub(crate) const GROUP_ROWS_MAX: usize = 64 << 10;

/// A group being filled.
#[derive(Default)]
pub(crate) struct GroupBuilder {
    /// Stream, and where its rows end.
    runs: Vec<(u32, usize)>,
    times: Vec<i64>,
    lengths: Vec<(usize, usize)>,
    lines: Vec<u8>,
    fields: Vec<u8>,
}

/// What the directory says of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupRow {
    pub(crate) rows: u32,
    /// Bytes of lines and fields.
    pub(crate) raw: u64,
    pub(crate) min_ns: i64,
    pub(crate) max_ns: i64,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// Where the rows of a group are.
pub(crate) struct RowsBlock {
    /// Stream, and where its rows end; streams rise.
    runs: Vec<(u32, u32)>,
    pub(crate) times: Vec<i64>,
    /// Where each line, and each row's fields, end in the text.
    line_ends: Vec<u32>,
    field_ends: Vec<u32>,
}

impl GroupBuilder {
    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    pub(crate) fn has_room(&self, raw: usize) -> bool {
        self.is_empty()
            || (self.times.len() < GROUP_ROWS_MAX && self.lines.len() + self.fields.len() + raw <= GROUP_RAW_MAX)
    }

    pub(crate) fn push(&mut self, stream: u32, at_ns: i64, line: &[u8], fields: &[u8]) {
        self.times.push(at_ns);
        self.lengths.push((line.len(), fields.len()));
        self.lines.extend_from_slice(line);
        self.fields.extend_from_slice(fields);
        match self.runs.last_mut() {
            Some((last, end)) if *last == stream => *end = self.times.len(),
            _ => self.runs.push((stream, self.times.len())),
        }
    }

    /// What the directory is to say.
    pub(crate) fn row(&self) -> GroupRow {
        GroupRow {
            rows: self.times.len() as u32,
            raw: (self.lines.len() + self.fields.len()) as u64,
            min_ns: self.times.iter().copied().min().unwrap_or(i64::MAX),
            max_ns: self.times.iter().copied().max().unwrap_or(i64::MIN),
            first: self.runs.first().map_or(0, |run| run.0),
            last: self.runs.last().map_or(0, |run| run.0),
        }
    }

    /// The plain bytes of both blocks, rows then text; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> (Vec<u8>, Vec<u8>) {
        let mut rows = Vec::with_capacity(self.times.len() * 6);
        put_varint(&mut rows, self.times.len() as u64);
        put_varint(&mut rows, self.runs.len() as u64);
        let (mut before, mut start) = (0, 0);
        for &(stream, end) in &self.runs {
            put_varint(&mut rows, u64::from(stream - before));
            put_varint(&mut rows, (end - start) as u64);
            (before, start) = (stream, end);
        }
        start = 0;
        for &(_, end) in &self.runs {
            let mut last = 0;
            for &at_ns in &self.times[start..end] {
                put_signed(&mut rows, at_ns.wrapping_sub(last));
                last = at_ns;
            }
            start = end;
        }
        self.lengths.iter().for_each(|(line, _)| put_varint(&mut rows, *line as u64));
        self.lengths.iter().for_each(|(_, fields)| put_varint(&mut rows, *fields as u64));
        let mut text = std::mem::take(&mut self.lines);
        text.append(&mut self.fields);
        *self = Self::default();
        (rows, text)
    }
}

impl RowsBlock {
    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut rest = Bytes(plain);
        let (rows, count) = (rest.count()?, rest.count()?);
        let (mut runs, mut stream, mut end) = (Vec::with_capacity(count), 0u32, 0u32);
        for place in 0..count {
            let step = rest.varint_u32()?;
            stream = stream.checked_add(step).filter(|_| place == 0 || step > 0)?;
            let length = rest.varint_u32().filter(|&length| length > 0)?;
            end = end.checked_add(length).filter(|&end| end as usize <= rows)?;
            runs.push((stream, end));
        }
        (end as usize == rows).then_some(())?;
        let mut times = Vec::with_capacity(rows);
        for &(_, end) in &runs {
            let (mut last, mut first) = (0i64, true);
            while times.len() < end as usize {
                let at_ns = last.wrapping_add(rest.signed()?);
                // Searches rely on times that do not fall.
                (first || at_ns >= last).then_some(())?;
                (last, first) = (at_ns, false);
                times.push(at_ns);
            }
        }
        let mut total = 0u32;
        let mut ends = || -> Option<Vec<u32>> {
            let mut ends = Vec::with_capacity(rows);
            for _ in 0..rows {
                total = total.checked_add(rest.varint_u32()?)?;
                ends.push(total);
            }
            Some(ends)
        };
        let (line_ends, field_ends) = (ends()?, ends()?);
        rest.is_empty().then_some(Self { runs, times, line_ends, field_ends })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.runs.len() * 8 + self.times.len() * 16
    }

    /// Bytes that the text must have.
    pub(crate) fn text_bytes(&self) -> usize {
        self.field_ends.last().map_or(0, |&end| end as usize)
    }

    /// The streams with their rows.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u32, Range<usize>)> + '_ {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|run| run.1));
        self.runs.iter().zip(starts).map(|(&(stream, end), start)| (stream, start as usize..end as usize))
    }

    /// The rows of one stream.
    pub(crate) fn run_of(&self, stream: u32) -> Option<Range<usize>> {
        let place = self.runs.binary_search_by_key(&stream, |run| run.0).ok()?;
        let start = if place == 0 { 0 } else { self.runs[place - 1].1 };
        Some(start as usize..self.runs[place].1 as usize)
    }

    /// Of these rows, which are of one stream, those at or after `from_ns` and before `to_ns`.
    pub(crate) fn within(&self, rows: Range<usize>, from_ns: i64, to_ns: i64) -> Range<usize> {
        let times = &self.times[rows.clone()];
        let first = times.partition_point(|&at_ns| at_ns < from_ns);
        let end = times.partition_point(|&at_ns| is_before(at_ns, to_ns)).max(first);
        rows.start + first..rows.start + end
    }

    /// Where a row's line is in the text.
    pub(crate) fn line(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { 0 } else { self.line_ends[row - 1] as usize };
        start..self.line_ends[row] as usize
    }

    pub(crate) fn fields(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { self.line_ends.last().map_or(0, |&end| end) } else { self.field_ends[row - 1] };
        start as usize..self.field_ends[row] as usize
    }

    /// Where the lines of these rows are in the text.
    pub(crate) fn lines(&self, rows: &Range<usize>) -> Range<usize> {
        if rows.is_empty() { 0..0 } else { self.line(rows.start).start..self.line(rows.end - 1).end }
    }

    /// Bytes of lines and fields of these rows.
    pub(crate) fn raw(&self, rows: &Range<usize>) -> u64 {
        if rows.is_empty() {
            return 0;
        }
        let fields = self.fields(rows.start).start..self.fields(rows.end - 1).end;
        (self.lines(rows).len() + fields.len()) as u64
    }

    /// The row whose line has this byte of the text.
    pub(crate) fn row_at(&self, place: usize) -> usize {
        self.line_ends.partition_point(|&end| end as usize <= place)
    }
}

/// The directory's block: groups, then the first hashes of the token map's pages.
pub(crate) fn encode_directory(groups: &[GroupRow], fences: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(groups.len() * 16 + fences.len() * 5);
    put_varint(&mut out, groups.len() as u64);
    let (mut min, mut last) = (0i64, 0u32);
    for group in groups {
        put_varint(&mut out, u64::from(group.rows));
        put_varint(&mut out, group.raw);
        put_signed(&mut out, group.min_ns.wrapping_sub(min));
        put_varint(&mut out, group.max_ns.wrapping_sub(group.min_ns).cast_unsigned());
        put_varint(&mut out, u64::from(group.first - last));
        put_varint(&mut out, u64::from(group.last - group.first));
        (min, last) = (group.min_ns, group.last);
    }
    put_varint(&mut out, fences.len() as u64);
    let mut before = 0;
    for &fence in fences {
        put_varint(&mut out, fence - before);
        before = fence;
    }
    out
}

pub(crate) fn decode_directory(plain: &[u8]) -> Option<(Vec<GroupRow>, Vec<u64>)> {
    let mut rest = Bytes(plain);
    let count = rest.count()?;
    let (mut groups, mut min, mut stream) = (Vec::with_capacity(count), 0i64, 0u32);
    for _ in 0..count {
        let (rows, raw) = (rest.varint_u32()?, rest.varint()?);
        let min_ns = min.wrapping_add(rest.signed()?);
        let max_ns = min_ns.wrapping_add(rest.varint()?.cast_signed());
        let first = stream.checked_add(rest.varint_u32()?)?;
        let last = first.checked_add(rest.varint_u32()?)?;
        groups.push(GroupRow { rows, raw, min_ns, max_ns, first, last });
        (min, stream) = (min_ns, last);
    }
    let count = rest.count()?;
    let (mut fences, mut fence) = (Vec::with_capacity(count), 0u64);
    for _ in 0..count {
        fence = fence.checked_add(rest.varint()?)?;
        fences.push(fence);
    }
    rest.is_empty().then_some((groups, fences))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> GroupBuilder {
        let mut builder = GroupBuilder::default();
        builder.push(3, -5, b"first", b"");
        builder.push(3, -5, b"", b"fields");
        builder.push(3, i64::MAX, b"last", b"f");
        builder.push(9, i64::MIN, b"other", b"");
        builder
    }

    #[test]
    fn rows_are_found_by_stream_time_and_place() {
        let mut builder = filled();
        assert_eq!((builder.row().first, builder.row().last, builder.row().raw), (3, 9, 21));
        let (rows, text) = builder.finish();
        assert!(builder.is_empty() && builder.has_room(9 << 20));
        let block = RowsBlock::decode(&rows).unwrap();
        assert_eq!(block.runs().collect::<Vec<_>>(), [(3, 0..3), (9, 3..4)]);
        assert_eq!((block.text_bytes(), text.len()), (21, 21));
        assert_eq!(
            (&text[block.line(2)], &text[block.fields(1)], block.fields(3).len()),
            (&b"last"[..], &b"fields"[..], 0)
        );
        assert_eq!((block.within(0..3, -5, 9), block.within(0..3, -5, i64::MAX)), (0..2, 0..3));
        assert_eq!(block.within(0..3, -4, i64::MAX - 1), 2..2);
        assert_eq!((block.row_at(0), block.row_at(4), block.row_at(5), block.row_at(13)), (0, 0, 2, 3));
        assert_eq!((block.raw(&(0..2)), block.raw(&(1..4)), block.raw(&(2..2))), (11, 16, 0));
    }

    #[test]
    fn cut_or_changed_bytes_never_panic() {
        let (rows, _) = filled().finish();
        for cut in 0..rows.len() {
            assert!(RowsBlock::decode(&rows[..cut]).is_none(), "cut at {cut}");
        }
        for at in 0..rows.len() * 8 {
            let mut changed = rows.clone();
            changed[at / 8] ^= 1 << (at % 8);
            if let Some(block) = RowsBlock::decode(&changed) {
                block.runs().for_each(|(_, rows)| assert!(block.within(rows, 0, 9).end <= block.times.len()));
            }
        }
    }

    #[test]
    fn a_directory_reads_back() {
        let second = GroupRow { rows: 1, raw: 7, min_ns: i64::MIN, max_ns: i64::MAX, first: 9, last: 9 };
        let groups = vec![filled().row(), second];
        let fences = vec![1, 5, 1 << 39];
        let bytes = encode_directory(&groups, &fences);
        assert_eq!(decode_directory(&bytes), Some((groups, fences)));
        (0..bytes.len()).for_each(|cut| assert_eq!(decode_directory(&bytes[..cut]), None));
    }
}
