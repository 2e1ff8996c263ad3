//! Who is logged in: the sessions that logind knows; on a host without it those of utmp.

use muster_common::inventory::Value;

use super::{Host, Scene, Stop, Taker};
use crate::inventory::{LARGE_BYTES, SMALL_BYTES};
use crate::sources::parse;

const SESSIONS: &str = "run/systemd/sessions";
const UTMP: &str = "run/utmp";
/// Sessions of one host: a terminal server has some hundred.
const SESSIONS_MAX: usize = 10_000;

/// The bytes of one record of utmp(5), and where in it things are. Of x86_64 it has the times of 32 bits.
const RECORD_BYTES: usize = if cfg!(target_arch = "x86_64") { 384 } else { 400 };
const TIME_AT: usize = if cfg!(target_arch = "x86_64") { 340 } else { 344 };
const USER_PROCESS: i16 = 7;

pub(super) fn read(_: &Host, scene: &Scene, taker: &mut Taker<'_>) -> Result<(), Stop> {
    let sessions = scene.list(SESSIONS, SESSIONS_MAX)?;
    // Beside each session is the pipe that holds it open.
    let mut sessions: Vec<&String> = sessions.iter().filter(|name| !name.ends_with(".ref")).collect();
    sessions.sort_unstable();
    for name in &sessions {
        if let Some(bytes) = scene.beginning(&format!("{SESSIONS}/{name}"), SMALL_BYTES)
            && let Some(row) = of_logind(&bytes)
        {
            taker.add(row)?;
        }
    }
    if scene.path(SESSIONS).is_dir() {
        return Ok(());
    }
    let records = scene.read(UTMP, LARGE_BYTES)?.unwrap_or_default();
    for record in records.chunks_exact(RECORD_BYTES) {
        let Some((pid, row)) = of_utmp(record) else { continue };
        // Some programs leave their records behind.
        if scene.path(&format!("proc/{pid}")).exists() {
            taker.add(row)?;
        }
    }
    Ok(())
}

/// One of its files, `KEY=VALUE` lines; `None`: nobody's session, such as that of a greeter or of a user's services.
fn of_logind(bytes: &[u8]) -> Option<[Value; 7]> {
    let value = |key: &str| {
        let found = parse::lines(bytes).find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="));
        found.map(parse::text).filter(|text| !text.is_empty())
    };
    if !value("CLASS").is_some_and(|class| class == "user" || class.starts_with("user-")) {
        return None;
    }
    let number = |key: &str| value(key)?.parse::<i64>().ok();
    Some([
        value("USER").into(),
        value("TTY").into(),
        number("LEADER").into(),
        value("REMOTE_HOST").into(),
        value("TYPE").into(),
        value("STATE").into(),
        number("REALTIME").map(|micros| micros / 1_000_000).into(),
    ])
}

fn of_utmp(record: &[u8]) -> Option<(u32, [Value; 7])> {
    let word = |at: usize| Some(i32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
    let kind = i16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
    let text = |at: usize, bytes: usize| {
        let field = record.get(at..at + bytes)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(bytes);
        Some(parse::text(&field[..end])).filter(|text| !text.is_empty())
    };
    let user = text(44, 32).filter(|_| kind == USER_PROCESS)?;
    let pid = u32::try_from(word(4)?).ok()?;
    let row = [
        user.into(),
        text(8, 32).into(),
        i64::from(pid).into(),
        text(76, 256).into(),
        Value::Null,
        Value::Null,
        word(TIME_AT).filter(|seconds| *seconds > 0).map(i64::from).into(),
    ];
    Some((pid, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_people_are_read_and_others_left() {
        let file = "# This is private data. Do not parse.\nUID=1000\nUSER=ann\nACTIVE=1\nSTATE=active\nREMOTE=1\n\
                    TYPE=tty\nCLASS=user\nTTY=pts/0\nREMOTE_HOST=192.0.2.7\nLEADER=77\nREALTIME=1700000000123456\n";
        let row = of_logind(file.as_bytes()).unwrap();
        let expect = [
            "ann".into(),
            "pts/0".into(),
            77.into(),
            "192.0.2.7".into(),
            "tty".into(),
            "active".into(),
            1_700_000_000.into(),
        ];
        assert_eq!(row, expect);
        for class in ["manager", "greeter", "background", ""] {
            assert_eq!(of_logind(file.replace("CLASS=user", &format!("CLASS={class}")).as_bytes()), None, "{class}");
        }
        assert_eq!(of_logind(b"\xff\xfe"), None);
    }

    #[test]
    fn records_of_utmp_are_read_by_their_places() {
        let mut record = vec![0; RECORD_BYTES];
        record[..2].copy_from_slice(&USER_PROCESS.to_ne_bytes());
        record[4..8].copy_from_slice(&77_i32.to_ne_bytes());
        record[8..13].copy_from_slice(b"pts/0");
        record[44..47].copy_from_slice(b"ann");
        record[76..85].copy_from_slice(b"192.0.2.7");
        let seconds = 1_700_000_000_i64.to_le_bytes();
        record[TIME_AT..TIME_AT + 4].copy_from_slice(&seconds[..4]);
        let (pid, row) = of_utmp(&record).unwrap();
        assert_eq!((pid, &row[0], &row[3]), (77, &"ann".into(), &"192.0.2.7".into()));
        if cfg!(target_endian = "little") {
            assert_eq!(row[6], 1_700_000_000.into());
        }
        record[0] = 8;
        assert_eq!(of_utmp(&record), None, "a session that has ended");
        assert_eq!(of_utmp(&[0; 3]), None);
    }
}
