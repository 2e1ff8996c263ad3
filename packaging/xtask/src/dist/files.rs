//! Files of the folders that packages are made of.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// Writes a file with its folders and its mode.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    std::fs::write(path, bytes).with_context(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).with_context(failed)
}

/// Copies a file with its folders.
pub(super) fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
    write(to, &bytes, mode)
}

/// Compresses a file in place, without name and time in it.
pub(super) fn gzip(path: &Path) -> Result<()> {
    process::output(Command::new("gzip").args(["-9n", "--force"]).arg(path)).map(drop)
}

/// Every file and folder below, relative, in order; the mode of each; `true`: a folder.
pub(super) fn walk(root: &Path) -> Result<Vec<(PathBuf, u32, bool)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let (path, data) = (folder.join(entry.file_name()), entry.metadata()?);
            if data.is_dir() {
                folders.push(path.clone());
            }
            found.push((path, data.permissions().mode() & 0o7777, data.is_dir()));
        }
    }
    found.sort();
    Ok(found)
}

/// SHA-256 of a file, as 64 hexadecimal digits.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let line = process::output(Command::new("sha256sum").arg("--binary").arg(path))?;
    line.split_whitespace().next().map(str::to_owned).context("sha256sum printed nothing")
}

/// `SHA256SUMS` of these files of a folder, as `sha256sum --check` reads it.
pub(super) fn write_sums(folder: &Path, names: &[String]) -> Result<()> {
    let mut text = String::new();
    for name in names {
        text.push_str(&format!("{}  {name}\n", sha256(&folder.join(name))?));
    }
    write(&folder.join("SHA256SUMS"), text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_listed_in_order_and_summed_as_sha256sum_checks_it() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("b/one"), b"1", 0o755).unwrap();
        write(&folder.path().join("a"), b"", 0o640).unwrap();
        let listed = walk(folder.path()).unwrap();
        let names: Vec<_> =
            listed.iter().map(|(path, mode, is_folder)| (path.display().to_string(), *mode, *is_folder)).collect();
        assert_eq!((names[0].clone(), names[2].clone()), (("a".into(), 0o640, false), ("b/one".into(), 0o755, false)));
        assert!(names[1].2);
        write_sums(folder.path(), &["a".into(), "b/one".into()]).unwrap();
        let sums = std::fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        // Of nothing: known from everywhere.
        assert!(sums.starts_with("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"), "{sums}");
    }
}
