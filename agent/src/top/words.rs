//! What a process is called: its command, its user. Foreign bytes: kept as they are but cut, and never more of the arguments than is wanted.

use std::collections::HashMap;

use muster_common::limits::PROCESS_TEXT_BYTES_MAX;
use muster_common::redact::{KeyState, Redactor};

use crate::sources::parse;

/// The command of /proc/PID/cmdline, and how many arguments follow it. With a redactor the arguments are part of it.
///
/// Programs that write a title into their arguments (`nginx: master process /usr/sbin/nginx -c ...`) have all of it in the first one: so
/// that is cut at its first blank.
pub(crate) fn command_of(cmdline: &[u8], redactor: Option<&Redactor>) -> (String, u32) {
    let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    if cmdline.is_empty() {
        return (String::new(), 0);
    }
    let arguments = cmdline.iter().filter(|byte| **byte == 0).count();
    let arguments = u32::try_from(arguments).unwrap_or(u32::MAX);
    if let Some(redactor) = redactor {
        let mut line: Vec<u8> = cmdline.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
        redactor.redact(&mut line, &mut KeyState::default());
        return (cut(&line), arguments);
    }
    let first = cmdline.split(|byte| *byte == 0).next().unwrap_or_default();
    let path = first.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    (cut(name.strip_suffix(b":").unwrap_or(name)), arguments)
}

/// As text, within what a report may hold.
pub(super) fn cut(bytes: &[u8]) -> String {
    let mut text = parse::text(&bytes[..bytes.len().min(PROCESS_TEXT_BYTES_MAX)]);
    // What is no UTF-8 grows when it is replaced.
    text.truncate(text.floor_char_boundary(PROCESS_TEXT_BYTES_MAX));
    text
}

/// Users of /etc/passwd by number.
pub(super) fn users_of(passwd: &[u8]) -> HashMap<u32, String> {
    let user = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
        Some((uid, cut(name)))
    };
    // Of two names of a number the first counts, as everywhere.
    let mut users = HashMap::new();
    for (uid, name) in parse::lines(passwd).filter_map(user) {
        users.entry(uid).or_insert(name);
    }
    users
}
