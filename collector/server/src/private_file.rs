//! Small files of the data folder that hold a secret: whole or not there, and readable by the collector's user alone.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes the text so that there is either the whole file or none, also after a power cut.
pub(crate) fn write(data: &Path, name: &str, text: &str) -> io::Result<()> {
    let (path, temporary) = (data.join(name), data.join(format!("{name}.new")));
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, &path)?;
    std::fs::File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret.new"), "torn").unwrap();
        write(folder.path(), "secret", "a.b\n").unwrap();
        let path = folder.path().join("secret");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a.b\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("secret.new").exists());
    }
}
