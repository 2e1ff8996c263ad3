//! What keeps a file from being read, in words, with the command that helps.

use std::io;
use std::path::Path;

use muster_common::limits::PROBLEM_TEXT_BYTES_MAX;
use muster_common::wire::message::Problem;

use super::files::Stat;

/// Files of the users' and groups' names; read for a message only.
const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// The user that packages run the agent as.
const USER: &str = "muster";

/// A file or folder that cannot be read.
pub(crate) fn unreadable(path: &Path, stat: &Stat, kind: io::ErrorKind) -> Problem {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    describe(path, stat, kind, &read(PASSWD), &read(GROUP))
}

fn describe(path: &Path, stat: &Stat, kind: io::ErrorKind, passwd: &str, group: &str) -> Problem {
    let place = path.display().to_string();
    let (owner, owners) = (name_of(passwd, stat.owner), name_of(group, stat.group));
    if kind != io::ErrorKind::PermissionDenied {
        let message = format!("cannot be read: {kind}");
        return shortened(place, message, "look at the file system and the kernel's log".to_owned());
    }
    let what = if stat.is_folder { "folder" } else { "file" };
    let message = format!(
        "this {what} cannot be read: it belongs to {owner}:{owners} and {} (mode {:04o})",
        mode_in_words(stat.mode),
        stat.mode
    );
    let is_open_to_group = stat.mode & if stat.is_folder { 0o050 } else { 0o040 } != 0;
    let remedy = if is_open_to_group && stat.group != 0 {
        format!("run `usermod -aG {owners} {USER}` and restart the agent")
    } else if stat.is_folder {
        format!("run `setfacl -m u:{USER}:rx {}`", quoted(&place))
    } else {
        format!("run `setfacl -m u:{USER}:r {}`", quoted(&place))
    };
    shortened(place, message, remedy)
}

fn mode_in_words(mode: u32) -> &'static str {
    match (mode & 0o040 != 0, mode & 0o004 != 0) {
        (_, true) => "everybody may read it",
        (true, false) => "its owner and its group may read it",
        (false, false) => "its owner alone may read it",
    }
}

/// The name of this number in a file of `name:x:number:...` lines.
fn name_of(table: &str, number: u32) -> String {
    let name = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then_some(name)
    });
    name.map_or_else(|| number.to_string(), str::to_owned)
}

/// For a shell.
fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@%".contains(&byte));
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

pub(crate) fn shortened(mut place: String, mut message: String, mut remedy: String) -> Problem {
    for text in [&mut place, &mut message, &mut remedy] {
        let mut end = text.len().min(PROBLEM_TEXT_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    Problem { place, message, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_file_is_told_with_owner_mode_and_command() {
        let (passwd, group) = ("root:x:0:0:root:/:/bin/sh\nsyslog:x:104:110::/:/x\n", "root:x:0:\nadm:x:4:syslog\n");
        let stat = Stat { owner: 104, group: 4, mode: 0o640, is_file: true, ..Stat::default() };
        let tell = |path: &str, stat: &Stat| {
            let problem = describe(Path::new(path), stat, io::ErrorKind::PermissionDenied, passwd, group);
            format!("{}: {}: {}", problem.place, problem.message, problem.remedy)
        };
        assert_eq!(
            tell("/var/log/auth.log", &stat),
            "/var/log/auth.log: this file cannot be read: it belongs to syslog:adm and its owner and its group may read it (mode 0640): run `usermod -aG adm muster` and restart the agent"
        );
        let private = Stat { owner: 0, group: 0, mode: 0o600, ..stat };
        assert!(tell("/var/log/a b's.log", &private).ends_with("run `setfacl -m u:muster:r '/var/log/a b'\\''s.log'`"));
        let folder = Stat { owner: 77, group: 0, mode: 0o700, is_folder: true, is_file: false, ..stat };
        assert!(tell("/var/log/x", &folder).contains("this folder cannot be read: it belongs to 77:root"));
    }
}
