//! One collector a data folder: an advisory lock that the kernel drops with the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::StartError;

const FILE_NAME: &str = "lock";

/// Held for as long as the collector runs.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder when it is missing, and locks it.
    ///
    /// # Errors
    /// [`StartError::Data`], [`StartError::Locked`].
    pub fn take(data: &Path) -> Result<Self, StartError> {
        let path = data.display().to_string();
        let unusable = |source| StartError::Data { path: path.clone(), source };
        std::fs::create_dir_all(data).map_err(unusable)?;
        let file = data.join(FILE_NAME);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::Locked { other: holder(&mut file), path }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let text = format!("{}\n", std::process::id());
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(pid) => format!("another collector (process {pid})"),
        None => "another collector".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_collector_is_refused_and_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let lock = Lock::take(&data).unwrap();
        let told = Lock::take(&data).unwrap_err().to_string();
        let expect = format!(
            "another collector (process {}) uses the data folder `{}`: stop it, or give this one another folder with --data DIR",
            std::process::id(),
            data.display()
        );
        assert_eq!(told, expect);
        drop(lock);
        Lock::take(&data).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let told = Lock::take(&file.join("data")).unwrap_err().to_string();
        assert!(told.contains("/file/data` cannot be used: let user muster-collector own it"), "{told}");
    }
}
