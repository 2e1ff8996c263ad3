//! `[remote]`: what this host lets a remote configuration do, and the judgement of what one asks for. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::targets::Target;
use crate::checks::native::Touch;
use crate::config::Place;
use crate::fence::Fence;
use crate::logs::glob::Glob;

/// Where every system has its logs.
pub const LOG_PATHS: &str = "/var/log";
/// Beside the host's own name: what never leaves it.
pub const TARGETS: [&str; 3] = ["localhost", "127.0.0.0/8", "::1"];

/// `[remote]`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteConfig {
    /// Whether a remote configuration is taken at all.
    pub enabled: bool,
    /// Folders whose files may be read as logs.
    pub log_paths: Vec<PathBuf>,
    /// Folders whose files checks may look at; `None`: those of the logs.
    pub paths: Option<Vec<PathBuf>>,
    /// Hosts that checks may speak to; `None`: this one.
    pub targets: Option<Vec<Target>>,
    /// Programs with their arguments, by the name that a check's `use` has.
    pub commands: BTreeMap<String, Vec<String>>,
    pub written: Written,
}

/// Where the bounds are written, for whoever must widen them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The host's own file.
    pub file: String,
    /// By [`Bound`].
    pub at: [Option<Place>; 3],
}

/// A bound of the host's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    LogPaths,
    Paths,
    Targets,
}

impl Bound {
    pub const ALL: [Self; 3] = [Self::LogPaths, Self::Paths, Self::Targets];

    pub const fn key(self) -> &'static str {
        match self {
            Self::LogPaths => "log_paths",
            Self::Paths => "paths",
            Self::Targets => "targets",
        }
    }
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            log_paths: vec![PathBuf::from(LOG_PATHS)],
            paths: None,
            targets: None,
            commands: BTreeMap::new(),
            written: Written::default(),
        }
    }
}

/// What a remote configuration asks for beyond its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    pub message: String,
    pub remedy: String,
}

impl RemoteConfig {
    fn check_paths(&self) -> &[PathBuf] {
        self.paths.as_ref().unwrap_or(&self.log_paths)
    }

    /// What logs are read within. The agent's state is never read.
    pub fn log_fence(&self, state_dir: &Path) -> Fence {
        Fence::new(self.log_paths.clone(), vec![state_dir.to_path_buf()])
    }

    /// What checks look at files within.
    pub fn check_fence(&self, state_dir: &Path) -> Fence {
        Fence::new(self.check_paths().to_vec(), vec![state_dir.to_path_buf()])
    }

    /// Judges a pattern of log files by its fixed head: the parts before the first wildcard. Where links lead is seen when files are opened.
    ///
    /// # Errors
    /// [`Excess`]
    pub fn judge_log_path(&self, glob: &Glob) -> Result<(), Excess> {
        let head = glob.fixed_head();
        if self.log_paths.iter().any(|folder| head.starts_with(folder)) {
            return Ok(());
        }
        let is_wild = head.as_os_str().len() < glob.text().len();
        let value = if is_wild { &head } else { head.parent().unwrap_or(&head) };
        Err(self.excess(Bound::LogPaths, glob.text(), &value.display().to_string()))
    }

    /// Judges what a native check reads or speaks to. `own_names`: this host's.
    ///
    /// # Errors
    /// [`Excess`]
    pub(crate) fn judge_touch(&self, touch: &Touch, own_names: &[String]) -> Result<(), Excess> {
        match touch {
            // Which there are is asked when it is looked at, and in metrics told anyway.
            Touch::Mount { .. } => Ok(()),
            Touch::File { path, .. } => {
                let text = path.display().to_string();
                // By text: `..` leads anywhere.
                let is_plain = !text.split('/').any(|part| part == ".." || part == ".");
                if is_plain && self.check_paths().iter().any(|folder| path.starts_with(folder)) {
                    return Ok(());
                }
                let folder = path.parent().unwrap_or(path).display().to_string();
                let bound = if self.paths.is_none() { Bound::LogPaths } else { Bound::Paths };
                let excess = self.excess(bound, &text, &folder);
                Err(if is_plain {
                    excess
                } else {
                    Excess { remedy: "write the path without `.` and `..`".to_owned(), ..excess }
                })
            }
            Touch::Host { host, port, .. } => {
                let is_own =
                    |name: &String| !name.is_empty() && Target::parse(name).is_some_and(|own| own.holds(host, *port));
                let is_allowed = match &self.targets {
                    Some(targets) => targets.iter().any(|target| target.holds(host, *port)),
                    None => {
                        let mut always = TARGETS.iter().filter_map(|text| Target::parse(text));
                        always.any(|target| target.holds(host, *port)) || own_names.iter().any(is_own)
                    }
                };
                let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                if is_allowed { Ok(()) } else { Err(self.excess(Bound::Targets, &place, &place)) }
            }
        }
    }

    /// `add`: what the bound would have to hold.
    fn excess(&self, bound: Bound, value: &str, add: &str) -> Excess {
        let allowed: Vec<String> = match bound {
            Bound::LogPaths => self.log_paths.iter().map(|path| path.display().to_string()).collect(),
            Bound::Paths => self.check_paths().iter().map(|path| path.display().to_string()).collect(),
            Bound::Targets => match &self.targets {
                Some(targets) => targets.iter().map(|target| target.text().to_owned()).collect(),
                None => TARGETS.iter().map(|text| (*text).to_owned()).chain(["its own name".to_owned()]).collect(),
            },
        };
        let opens = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
        let message = format!("`{value}` is beyond what this host opens to a remote configuration ({opens})");
        let key = bound.key();
        let remedy = match &self.written.at[bound as usize] {
            Some(place) => {
                format!("add \"{add}\" to `{key}` under [remote] at {place}, or leave it out of the profile")
            }
            None => {
                let file = &self.written.file;
                format!("write `{key}` with \"{add}\" in it under [remote] in {file}, or leave it out of the profile")
            }
        };
        Excess { message, remedy }
    }
}
