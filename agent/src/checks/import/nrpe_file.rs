//! NRPE's files: a setting a line, `include`, `include_file` and `include_dir`, in the order in which NRPE comes by them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::convert::Left;

/// NRPE reads lines of 2 KiB; a file of more than this is none.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Files in all: beyond it something else than NRPE's configuration is being walked.
const FILES_MAX: usize = 1_000;
/// Settings in all: a hundred times what any host has.
const SETTINGS_MAX: usize = 100_000;
/// Files that include files: a cycle through links that no path tells ends here too.
const DEPTH_MAX: usize = 16;

/// Why nothing can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{path} cannot be read: {problem}; name NRPE's configuration, which is mostly /etc/nagios/nrpe.cfg")]
    First { path: String, problem: String },
}

/// One setting as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// All settings in order, and what could not be read.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) settings: Vec<Setting>,
    pub(super) left: Vec<Left>,
    files: usize,
    /// The files that are being read, for cycles.
    open: BTreeSet<PathBuf>,
}

pub(super) fn read(path: &Path) -> Result<Settings, ImportError> {
    let mut settings = Settings::default();
    match settings.file(path, 0) {
        Ok(()) => Ok(settings),
        Err(problem) => Err(ImportError::First { path: path.display().to_string(), problem }),
    }
}

impl Settings {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("files include each other more than {DEPTH_MAX} deep"));
        }
        if self.settings.len() >= SETTINGS_MAX {
            return Err(format!("there are more than {SETTINGS_MAX} settings already"));
        }
        if self.files >= FILES_MAX {
            return Err(format!("more than {FILES_MAX} files are included"));
        }
        self.files += 1;
        let real = std::fs::canonicalize(path).map_err(|error| error.to_string())?;
        let meta = std::fs::metadata(&real).map_err(|error| error.to_string())?;
        if !meta.is_file() {
            return Err("it is no file".to_owned());
        }
        if meta.len() > FILE_BYTES_MAX {
            return Err(format!("it has {} bytes, more than any configuration of NRPE", meta.len()));
        }
        if !self.open.insert(real.clone()) {
            return Err("it includes itself".to_owned());
        }
        let read = std::fs::read(&real).map_err(|error| error.to_string());
        if let Ok(bytes) = &read {
            self.lines(path, bytes, depth);
        }
        self.open.remove(&real);
        read.map(drop)
    }

    fn lines(&mut self, path: &Path, bytes: &[u8], depth: usize) {
        let file = path.display().to_string();
        for (number, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = number + 1;
            let text = String::from_utf8_lossy(bytes);
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let Some((name, value)) = text.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                self.leave(&file, line, text, "is no `name=value`", "correct the line");
                continue;
            };
            if std::str::from_utf8(bytes).is_err() {
                self.leave(&file, line, name, "is not UTF-8", "write the file in UTF-8");
                continue;
            }
            let read = match name {
                "include" | "include_file" => self.file(Path::new(value), depth + 1),
                "include_dir" => self.folder(Path::new(value.trim_end_matches('/')), depth + 1),
                _ => {
                    let (file, name, value) = (file.clone(), name.to_owned(), value.to_owned());
                    self.settings.push(Setting { file, line, name, value });
                    Ok(())
                }
            };
            if let Err(problem) = read {
                let why = format!("{value} is not read: {problem}");
                self.leave(&file, line, name, &why, "correct the path, or run the import as a user who may read it");
            }
        }
    }

    /// Files that end in `.cfg`, by name, and the folders below that are not hidden.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("folders lie more than {DEPTH_MAX} deep"));
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())? {
            names.push(entry.map_err(|error| error.to_string())?.file_name());
            if names.len() > FILES_MAX {
                return Err(format!("it holds more than {FILES_MAX} names"));
            }
        }
        names.sort_unstable();
        for name in names {
            let path = folder.join(&name);
            let name = name.to_string_lossy();
            let is_folder = path.is_dir();
            let read = if name.len() > 4 && name.ends_with(".cfg") && !is_folder {
                self.file(&path, depth)
            } else if is_folder && !name.starts_with('.') {
                self.folder(&path, depth + 1)
            } else {
                Ok(())
            };
            if let Err(problem) = read {
                let file = path.display().to_string();
                self.leave(&file, 0, "include_dir", &format!("is not read: {problem}"), "correct it, and import again");
            }
        }
        Ok(())
    }

    fn leave(&mut self, file: &str, line: usize, what: &str, why: &str, remedy: &str) {
        self.left.push(Left {
            file: file.to_owned(),
            line,
            what: what.chars().take(100).collect(),
            why: why.to_owned(),
            remedy: remedy.to_owned(),
            is_lost: true,
        });
    }
}
