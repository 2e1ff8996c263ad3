//! The systemd journal: a child `journalctl -o json -f`, read entry by entry.
//!
//! **Position.** The wire's position is a u64, the journal's is a cursor. So the position of an entry is its `__REALTIME_TIMESTAMP` in
//! microseconds, made strictly rising: `max(position before + 1, realtime)`. `tail_hash` of a range is the xxh3-64 of the last entry's cursor.
//! After a restart the cursor of the hint file is used if its hash is the collector's (`--after-cursor`). Else the journal is read from 2 s
//! before the position (`--since`), and entries are dropped up to the one whose cursor has that hash; if none has it before the journal
//! has passed the position by realtime (it was vacuumed), entries go on from the first one later than the position. Why not a counter: it would mean nothing to a host
//! that forgot everything; the time does.
//!
//! [`machine`] decides, [`entry`] parses, [`child`] is the process at the edge. No journalctl is no error.

pub mod child;
pub mod entry;
pub mod machine;
