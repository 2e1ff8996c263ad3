//! `DATA/admin.token`: the first administrator, written once, readable by the collector's user alone.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) const FILE_NAME: &str = "admin.token";

/// Writes the word so that there is either the whole file or none, also after a power cut.
pub(crate) fn write(data: &Path, word: &str) -> io::Result<()> {
    let (path, temporary) = (data.join(FILE_NAME), data.join("admin.token.new"));
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(format!("{word}\n").as_bytes())?;
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
        std::fs::write(folder.path().join("admin.token.new"), "torn").unwrap();
        write(folder.path(), "a.b").unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a.b\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("admin.token.new").exists());
    }
}
