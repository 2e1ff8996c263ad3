//! Whole files: read in parts, copied, written at once; and folders with all that is in them.

use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, DiskFile, Open};

/// Bytes read and written at a time.
const PART_BYTES: u64 = 1 << 20;

/// Hands the whole file on, part by part. Answers its length, as it was at the begin.
///
/// # Errors
/// As the file system.
pub fn read_parts(file: &dyn DiskFile, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let length = file.len()?;
    let mut buffer = Vec::new();
    for offset in (0..length).step_by(PART_BYTES as usize) {
        buffer.resize(PART_BYTES.min(length - offset) as usize, 0);
        file.pread(&mut buffer, offset)?;
        each(&buffer)?;
    }
    Ok(length)
}

/// The whole file in memory.
///
/// # Errors
/// As the file system; `FileTooLarge` where it has more than `max` bytes.
pub fn read_all(disk: &dyn Disk, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    if file.len()? > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    read_parts(&*file, &mut |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(bytes)
}

/// Copies the bytes of an open file into a new one, which is synced; `each` sees what was copied, and may end it. The new name is durable
/// after [`Disk::sync_dir`] of its folder.
///
/// # Errors
/// As the file system; `AlreadyExists`; what `each` fails with.
pub fn copy(
    from: &dyn DiskFile,
    disk: &dyn Disk,
    to: &Path,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let file = disk.open(to, Open::Create)?;
    let mut offset = 0;
    let length = read_parts(from, &mut |part| {
        file.pwrite(part, offset)?;
        offset += part.len() as u64;
        each(part)
    })?;
    file.sync()?;
    Ok(length)
}

/// Makes a new file of these bytes, synced.
///
/// # Errors
/// As the file system; `AlreadyExists`.
pub fn write_new(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.open(path, Open::Create)?;
    file.pwrite(bytes, 0)?;
    file.sync()
}

/// All files below this folder, as paths from it, sorted; and all folders, those above before those within.
///
/// # Errors
/// As the file system. Links to folders are followed as folders are.
pub fn walk(disk: &dyn Disk, folder: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut folders, mut waiting) = (Vec::new(), Vec::new(), vec![PathBuf::new()]);
    while let Some(at) = waiting.pop() {
        for name in disk.list(&folder.join(&at))? {
            let path = at.join(name);
            match disk.list(&folder.join(&path)) {
                Ok(_) => waiting.push(path),
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => files.push(path),
                Err(error) => return Err(error),
            }
        }
        folders.push(at);
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok((files, folders))
}

/// Removes a folder with all that is in it. What is not there is none; a power cut leaves some of it.
///
/// # Errors
/// As the file system.
pub fn remove_all(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let (files, folders) = match walk(disk, folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    for file in &files {
        disk.unlink(&folder.join(file))?;
    }
    for inner in folders.iter().rev().filter(|inner| !inner.as_os_str().is_empty()) {
        disk.remove_dir(&folder.join(inner))?;
    }
    disk.remove_dir(folder)?;
    folder.parent().map_or(Ok(()), |above| disk.sync_dir(above))
}

#[cfg(test)]
mod tests {
    use super::super::cut::CutDisk;
    use super::super::real::RealDisk;
    use super::*;

    /// The same on the file system and on the one that tests cut.
    fn on_both(test: impl Fn(&dyn Disk, &Path)) {
        let folder = std::env::temp_dir().join(format!("muster-copy-{}-{:p}", std::process::id(), &test));
        std::fs::create_dir_all(&folder).unwrap();
        test(&RealDisk, &folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let disk = CutDisk::new(1);
        disk.create_dir_all(Path::new("/d")).unwrap();
        test(&disk, Path::new("/d"));
    }

    #[test]
    fn a_copy_is_the_same_and_a_tree_goes_as_a_whole() {
        on_both(|disk, folder| {
            disk.create_dir_all(&folder.join("a/b")).unwrap();
            let bytes: Vec<u8> = (0..PART_BYTES as u32 + 5).map(|byte| byte as u8).collect();
            write_new(disk, &folder.join("a/one"), &bytes).unwrap();
            write_new(disk, &folder.join("a/b/two"), b"").unwrap();
            let (from, to) = (disk.open(&folder.join("a/one"), Open::Read).unwrap(), folder.join("a/b/three"));
            let mut seen = 0;
            let mut count = |part: &[u8]| {
                seen += part.len();
                Ok(())
            };
            assert_eq!(copy(&*from, disk, &to, &mut count).unwrap(), bytes.len() as u64);
            assert_eq!((seen, read_all(disk, &to, 1 << 30).unwrap() == bytes), (bytes.len(), true));
            assert_eq!(read_all(disk, &to, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
            let mut over = |_: &[u8]| Err(io::ErrorKind::Interrupted.into());
            assert_eq!(copy(&*from, disk, &to, &mut over).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            let other = folder.join("a/other");
            assert_eq!(copy(&*from, disk, &other, &mut over).unwrap_err().kind(), io::ErrorKind::Interrupted);
            disk.unlink(&other).unwrap();
            let (files, folders) = walk(disk, folder).unwrap();
            let paths = |words: &[&str]| words.iter().map(PathBuf::from).collect::<Vec<_>>();
            assert_eq!(files, paths(&["a/b/three", "a/b/two", "a/one"]));
            assert_eq!(folders, paths(&["", "a", "a/b"]));
            remove_all(disk, &folder.join("a")).unwrap();
            remove_all(disk, &folder.join("a")).unwrap();
            assert!(disk.list(folder).unwrap().is_empty());
        });
    }

    #[test]
    fn a_second_name_keeps_the_bytes_when_the_first_goes() {
        on_both(|disk, folder| {
            let (first, second) = (folder.join("first"), folder.join("second"));
            write_new(disk, &first, b"bytes").unwrap();
            disk.link(&first, &second).unwrap();
            assert_eq!(disk.link(&first, &second).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(disk.link(&folder.join("none"), &folder.join("x")).unwrap_err().kind(), io::ErrorKind::NotFound);
            disk.unlink(&first).unwrap();
            assert_eq!(read_all(disk, &second, 99).unwrap(), b"bytes");
            disk.create_dir_all(&folder.join("full/in")).unwrap();
            assert_eq!(disk.remove_dir(&folder.join("full")).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
        });
    }

    #[test]
    fn names_given_and_folders_removed_are_durable_when_their_folder_is() {
        let disk = CutDisk::new(4);
        let path = |name: &str| Path::new("/d").join(name);
        disk.create_dir_all(&path("old")).unwrap();
        write_new(&disk, &path("one"), b"bytes").unwrap();
        disk.link(&path("one"), &path("two")).unwrap();
        write_new(&disk, &path("old/file"), b"x").unwrap();
        disk.sync_dir(&path("old")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.unlink(&path("one")).unwrap();
        disk.unlink(&path("old/file")).unwrap();
        disk.remove_dir(&path("old")).unwrap();
        let before = disk.image();
        disk.sync_dir(Path::new("/d")).unwrap();
        assert_ne!(disk.image(), before);
        disk.cut();
        assert_eq!(disk.list(Path::new("/d")).unwrap(), ["two"]);
        assert_eq!(read_all(&disk, &path("two"), 99).unwrap(), b"bytes");
    }
}
