//! Lines and ranges in a blob (LAYOUT.md, "blob"): places and lengths in meta, the bytes of lines in a part of their own.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::wire::message::SourceId;

use super::positions::Lost;
use crate::bytes::{Bytes, put_signed, put_varint};
use crate::logs::record::{LogBlock, LogClass, LogEntry, RangeRecord};

pub(crate) const LOGS: u8 = 4;
pub(crate) const RANGE: u8 = 5;

const GONE: u8 = 1;
/// The range loses something: how much, and since when, follows.
const LOSES: u8 = 2;

/// Labels stand inline: streams have no numbers of their own, and zstd takes repeats for little.
pub(crate) fn put_logs(meta: &mut Vec<u8>, lines: &mut Vec<u8>, block: &LogBlock) {
    meta.push(LOGS);
    meta.push(block.class as u8);
    put_bytes(meta, block.labels.canonical());
    put_varint(meta, block.entries.len() as u64);
    let mut last_ns = 0;
    for entry in &block.entries {
        put_signed(meta, entry.at_ns.wrapping_sub(last_ns));
        last_ns = entry.at_ns;
        put_varint(meta, entry.line.len() as u64);
        put_varint(meta, entry.fields.canonical().len() as u64);
        lines.extend_from_slice(&entry.line);
        lines.extend_from_slice(entry.fields.canonical());
    }
}

pub(crate) fn put_range(meta: &mut Vec<u8>, range: &RangeRecord, lost: Option<&Lost>) {
    meta.push(RANGE);
    let source = &range.source;
    for number in [source.device, source.inode, source.fingerprint] {
        meta.extend(number.to_le_bytes());
    }
    meta.extend(source.fingerprint_bytes.to_le_bytes());
    meta.extend(source.incarnation.to_le_bytes());
    put_bytes(meta, source.path.as_bytes());
    for number in [range.from, range.to, range.tail_hash] {
        meta.extend(number.to_le_bytes());
    }
    put_bytes(meta, range.skipped.as_bytes());
    meta.push(if range.gone { GONE } else { 0 } | if lost.is_some() { LOSES } else { 0 });
    if let Some(lost) = lost {
        meta.extend(lost.bytes.to_le_bytes());
        meta.extend(lost.from_ms.to_le_bytes());
    }
}

fn put_bytes(meta: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(meta, bytes.len() as u64);
    meta.extend_from_slice(bytes);
}

fn take_bytes<'a>(meta: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let length = meta.count()?;
    meta.take(length)
}

fn take_text(meta: &mut Bytes<'_>) -> Option<String> {
    String::from_utf8(take_bytes(meta)?.to_vec()).ok()
}

/// Without `with_lines` the record is only passed over.
pub(crate) fn decode_logs(
    meta: &mut Bytes<'_>,
    lines: &mut Bytes<'_>,
    with_lines: bool,
    out: &mut Vec<LogBlock>,
) -> Option<()> {
    let class = LogClass::from_u8(meta.u8()?)?;
    let labels = LabelSet::from_canonical(take_bytes(meta)?).ok()?;
    let (count, mut at_ns) = (meta.count()?, 0i64);
    let mut entries = Vec::new();
    for _ in 0..count {
        at_ns = at_ns.wrapping_add(meta.signed()?);
        let (line, fields) = (usize::try_from(meta.varint()?).ok()?, usize::try_from(meta.varint()?).ok()?);
        if with_lines {
            let line = lines.take(line)?.to_vec();
            entries.push(LogEntry { at_ns, line, fields: LabelSet::from_canonical(lines.take(fields)?).ok()? });
        }
    }
    if with_lines {
        out.push(LogBlock { class, labels: Arc::new(labels), entries });
    }
    Some(())
}

/// The range, and how many bytes it loses since when.
pub(crate) fn decode_range(meta: &mut Bytes<'_>) -> Option<(RangeRecord, Option<(u64, i64)>)> {
    let (device, inode, fingerprint) = (meta.u64()?, meta.u64()?, meta.u64()?);
    let (fingerprint_bytes, incarnation) = (meta.u16()?, meta.u32()?);
    let path = take_text(meta)?;
    let source = SourceId { device, inode, fingerprint, fingerprint_bytes, incarnation, path };
    let (from, to, tail_hash) = (meta.u64()?, meta.u64()?, meta.u64()?);
    let skipped = take_text(meta)?;
    let flags = meta.u8()?;
    let lost = if flags & LOSES == 0 { None } else { Some((meta.u64()?, meta.i64()?)) };
    Some((RangeRecord { source, from, to, skipped, tail_hash, gone: flags & GONE != 0 }, lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_lines_read_back_and_cut_ones_do_not() {
        let path = "/var/log/a".to_owned();
        let source =
            SourceId { device: 1, inode: u64::MAX, fingerprint: 3, fingerprint_bytes: 4, incarnation: 5, path };
        let range = RangeRecord { source, from: 6, to: 7, skipped: "why".into(), tail_hash: 8, gone: true };
        let labels = Arc::new(LabelSet::new([("job", "a")]).unwrap());
        let fields = LabelSet::new([("trace", "9")]).unwrap();
        let entries = vec![
            LogEntry { at_ns: i64::MAX, line: b"\x00\xff".to_vec(), fields },
            LogEntry { at_ns: i64::MIN, line: vec![], fields: LabelSet::default() },
        ];
        let block = LogBlock { class: LogClass::Events, labels, entries };
        let (mut meta, mut lines) = (Vec::new(), Vec::new());
        put_range(&mut meta, &range, Some(&Lost { record: 0, bytes: 9, from_ms: -1 }));
        let end = meta.len();
        put_logs(&mut meta, &mut lines, &block);
        assert_eq!(decode_range(&mut Bytes(&meta[1..])), Some((range, Some((9, -1)))));
        let mut out = Vec::new();
        let decode = |meta: &[u8], lines: &[u8], out: &mut Vec<LogBlock>| {
            decode_logs(&mut Bytes(meta), &mut Bytes(lines), true, out)
        };
        assert_eq!(decode(&meta[end + 1..], &lines, &mut out), Some(()));
        assert_eq!(out, [block]);
        for cut in end + 1..meta.len() {
            assert_eq!(decode(&meta[end + 1..cut], &lines, &mut out), None);
        }
        assert_eq!(decode(&meta[end + 1..], &lines[1..], &mut out), None);
        (1..end).for_each(|cut| assert_eq!(decode_range(&mut Bytes(&meta[1..cut])), None));
    }
}
