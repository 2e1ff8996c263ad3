//! The bytes of rows in state.redb: plain, value by value, and those of a whole table under zstd.
//!
//! Not JSON: at opening the rows of all hosts are read, and equal bytes of two hosts are one row without being read twice.

use muster_common::inventory::{Digest, Row, Value};

/// The first byte of a packed table, and of a change.
pub(super) const VERSION: u8 = 1;
/// Bytes of rows of one table: 20,000 rows of 200 bytes. A host that tells more is told so; memory and file would be its own to fill else.
pub(super) const TABLE_BYTES_MAX: usize = 4 << 20;
/// 600 packages of a Debian host take 9.4 kB by it; level 6 gains a tenth for five times the work.
const LEVEL: i32 = 3;
const HEAD_BYTES: usize = 1 + 8 + 4 + 4;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;

/// A whole table, unpacked.
pub(super) struct Packed {
    pub(super) digest: Digest,
    pub(super) rows: usize,
    /// Rows one after another, as [`take_row`] reads them.
    pub(super) plain: Vec<u8>,
}

/// Appends a row: the count of its values in a byte, then the values. Both are bounded by the wire.
pub(super) fn put_row(row: &[Value], out: &mut Vec<u8>) {
    out.push(row.len() as u8);
    for value in row {
        match value {
            Value::Null => out.push(NULL),
            Value::Integer(number) => {
                out.push(INTEGER);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(text) => {
                out.push(TEXT);
                out.extend_from_slice(&(text.len() as u16).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// Takes the bytes of the next row; `None`: they are damaged.
pub(super) fn take_row<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all = *rest;
    let mut values = split(rest, 1)?[0];
    while values > 0 {
        match split(rest, 1)?[0] {
            NULL => {}
            INTEGER => drop(split(rest, 8)?),
            TEXT => {
                let length = u16::from_le_bytes(split(rest, 2)?.try_into().ok()?);
                split(rest, length.into())?;
            }
            _ => return None,
        }
        values -= 1;
    }
    all.get(..all.len() - rest.len())
}

/// The row of these bytes, all of them.
pub(super) fn row_of(bytes: &[u8]) -> Option<Row> {
    let mut rest = bytes;
    let count = split(&mut rest, 1)?[0];
    let mut row = Row::with_capacity(count.into());
    for _ in 0..count {
        row.push(match split(&mut rest, 1)?[0] {
            NULL => Value::Null,
            INTEGER => Value::Integer(i64::from_le_bytes(split(&mut rest, 8)?.try_into().ok()?)),
            TEXT => {
                let length = u16::from_le_bytes(split(&mut rest, 2)?.try_into().ok()?);
                Value::Text(String::from_utf8(split(&mut rest, length.into())?.to_vec()).ok()?)
            }
            _ => return None,
        });
    }
    rest.is_empty().then_some(row)
}

pub(super) fn split<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

/// The bytes that these rows take before they are compressed.
pub(super) fn bytes_of(rows: &[Row]) -> usize {
    let of = |value: &Value| match value {
        Value::Null => 1,
        Value::Integer(_) => 9,
        Value::Text(text) => 3 + text.len(),
    };
    rows.iter().map(|row| 1 + row.iter().map(of).sum::<usize>()).sum()
}

/// A whole table as it is written: version, digest (u64 LE), rows (u32 LE), plain bytes (u32 LE), one zstd frame.
///
/// # Errors
/// What zstd says when it has no memory.
pub(super) fn pack<'a>(digest: Digest, rows: impl Iterator<Item = &'a Row>) -> Result<Vec<u8>, std::io::Error> {
    let (mut plain, mut count) = (Vec::new(), 0_u32);
    for row in rows {
        put_row(row, &mut plain);
        count += 1;
    }
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&digest.0.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    // Bounded by `TABLE_BYTES_MAX` and what one more report adds.
    bytes.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    bytes.extend(zstd::bulk::compress(&plain, LEVEL)?);
    Ok(bytes)
}

/// A table as [`pack`] wrote it, or what is wrong with it.
pub(super) fn unpack(bytes: &[u8]) -> Result<Packed, String> {
    let (head, frame) = bytes.split_at_checked(HEAD_BYTES).ok_or("it ends within its head")?;
    let number =
        |from: usize, to: usize| head[from..to].iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    if head[0] != VERSION {
        return Err(format!("version {} is unknown", head[0]));
    }
    let (rows, length) = (number(9, 13) as usize, number(13, 17) as usize);
    if length > 2 * TABLE_BYTES_MAX {
        return Err(format!("it tells {length} bytes"));
    }
    let plain = zstd::bulk::decompress(frame, length).map_err(|error| error.to_string())?;
    if plain.len() != length {
        return Err(format!("{} bytes instead of {length}", plain.len()));
    }
    Ok(Packed { digest: Digest(number(1, 9)), rows, plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_after_packing_and_damage_is_named() {
        let rows: Vec<Row> = vec![
            vec![],
            vec![Value::Null, i64::MIN.into(), "x".into()],
            vec!["\u{e9}".repeat(512).into(), Value::Text(String::new())],
        ];
        let bytes = pack(Digest(7 << 40), rows.iter()).unwrap();
        let packed = unpack(&bytes).unwrap();
        assert_eq!((packed.digest, packed.rows, packed.plain.len()), (Digest(7 << 40), 3, bytes_of(&rows)));
        let mut rest = packed.plain.as_slice();
        let read: Vec<Row> = std::iter::from_fn(|| take_row(&mut rest)).map(|row| row_of(row).unwrap()).collect();
        assert_eq!((read, rest.is_empty()), (rows, true));
        for cut in 0..bytes.len() {
            assert!(unpack(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for cut in 1..packed.plain.len() {
            let mut rest = &packed.plain[..cut];
            while take_row(&mut rest).is_some() {}
            assert!(rest.len() < cut, "the first row has one byte");
        }
        assert_eq!((row_of(&[1, 9]), row_of(&[1, 2, 1, 0, 0xff]), row_of(&[0, 0])), (None, None, None));
        let mut newer = bytes.clone();
        newer[0] = 2;
        assert_eq!(unpack(&newer).err().unwrap(), "version 2 is unknown");
        newer = bytes;
        newer[16] = 0xff;
        assert!(unpack(&newer).err().unwrap().starts_with("it tells"));
    }
}
