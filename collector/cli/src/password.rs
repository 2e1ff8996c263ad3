//! Passwords from the terminal, without showing them, or from a file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::Failure;

/// Bytes that are read of a file: longer than any password that is taken.
const BYTES_MAX: u64 = 4_096;

/// A new password: the file's first line, or what is typed twice the same.
///
/// # Errors
/// The file cannot be read, there is no terminal, or the two differ.
pub fn new_password(user: &str, file: Option<&Path>) -> Result<String, Failure> {
    if let Some(file) = file {
        return of_file(file);
    }
    let first = ask(&format!("New password of user {user}: "))?;
    let second = ask("Once more: ")?;
    if first == second { Ok(first) } else { Err(Failure::Usage("the two passwords differ: run it again".to_owned())) }
}

/// The password that a user has.
///
/// # Errors
/// As [`new_password`].
pub fn password(user: &str, file: Option<&Path>) -> Result<String, Failure> {
    file.map_or_else(|| ask(&format!("Password of user {user}: ")), of_file)
}

fn of_file(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let failed = |error: io::Error| {
        Failure::Usage(format!("failed to read --password-file `{shown}`: {error}; name a file with one line"))
    };
    let line = if path == Path::new("-") {
        first_line(io::stdin().lock())
    } else {
        File::open(path).and_then(|file| first_line(BufReader::new(file)))
    };
    let line = line.map_err(failed)?;
    if line.is_empty() {
        return Err(Failure::Usage(format!(
            "--password-file `{shown}` is empty: write the password on its first line"
        )));
    }
    Ok(line)
}

fn first_line(input: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.take(BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks on the terminal, whatever standard input is.
fn ask(prompt: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        Failure::Usage(format!("there is no terminal to ask for a password on ({error}): give --password-file FILE"))
    };
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(failed)?;
    // Before the prompt: whoever is quick is not shown either.
    let quiet = Quiet::new(&terminal).map_err(failed)?;
    (&terminal).write_all(prompt.as_bytes()).map_err(failed)?;
    let line = first_line(BufReader::new(&terminal));
    drop(quiet);
    (&terminal).write_all(b"\n").map_err(failed)?;
    line.map_err(failed)
}

/// A terminal that shows nothing of what is typed; dropping it puts it back.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_first_line_and_a_bad_one_is_named() {
        let path = std::env::temp_dir().join(format!("muster-cli-password-{}", std::process::id()));
        std::fs::write(&path, "correct horse \nsecond line\n").unwrap();
        assert_eq!(new_password("ann", Some(&path)).unwrap(), "correct horse ");
        std::fs::write(&path, "\n").unwrap();
        let told = password("ann", Some(&path)).unwrap_err().to_string();
        assert!(told.contains("is empty"), "{told}");
        std::fs::remove_file(&path).unwrap();
        let told = password("ann", Some(&path)).unwrap_err().to_string();
        assert!(told.starts_with("failed to read --password-file `"), "{told}");
    }
}
