//! What the command line asks for.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// How the programs are built, and how hard packages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As people get them.
    Release,
    /// The programs of tests, stripped; compressed in a hurry.
    Dev,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) profile: Profile,
    /// Programs that are built already; else they are built.
    pub(crate) programs: Option<PathBuf>,
    /// Where the packages go; else `target/dist`.
    pub(crate) out: Option<PathBuf>,
    /// The version to give; else the workspace's. Tests of upgrades need two of them.
    pub(crate) version: Option<String>,
}

impl Options {
    pub(crate) const RELEASE: Self = Self { profile: Profile::Release, programs: None, out: None, version: None };

    /// Reads `--profile release|dev --programs DIR --out DIR --version V`.
    pub(crate) fn read(words: &[&str]) -> Result<Self> {
        let mut options = Self::RELEASE;
        for pair in words.chunks(2) {
            let [name, value] = pair else { bail!("dist: {} needs a value", pair.join(" ")) };
            match *name {
                "--profile" => options.profile = profile(value)?,
                "--programs" => options.programs = Some(PathBuf::from(value)),
                "--out" => options.out = Some(PathBuf::from(value)),
                "--version" => options.version = Some(version(value)?),
                other => bail!("dist: no option `{other}`; there are --profile, --programs, --out and --version"),
            }
        }
        Ok(options)
    }
}

fn profile(value: &str) -> Result<Profile> {
    match value {
        "release" => Ok(Profile::Release),
        "dev" => Ok(Profile::Dev),
        other => bail!("dist: no profile `{other}`: write release or dev"),
    }
}

/// One that dpkg and rpm order alike: no epoch, no revision.
fn version(value: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_digit() || c == '.';
    if value.starts_with(|c: char| c.is_ascii_digit()) && value.chars().all(is_plain) {
        return Ok(value.to_owned());
    }
    bail!("dist: `{value}` is no version: write digits and dots, such as 0.1.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_is_read_and_mistakes_are_named() {
        let words = ["--profile", "dev", "--programs", "a", "--out", "b", "--version", "0.1.10"];
        let read = Options::read(&words).unwrap();
        assert_eq!((read.profile, read.version.as_deref()), (Profile::Dev, Some("0.1.10")));
        assert_eq!((read.programs, read.out), (Some(PathBuf::from("a")), Some(PathBuf::from("b"))));
        assert_eq!(Options::read(&[]).unwrap(), Options::RELEASE);
        for (words, told) in [
            (&["--profile", "fast"][..], "no profile `fast`"),
            (&["--version", "1.0-rc"], "`1.0-rc` is no version"),
            (&["--out"], "--out needs a value"),
            (&["--into", "x"], "no option `--into`"),
        ] {
            assert!(Options::read(words).unwrap_err().to_string().contains(told), "{words:?}");
        }
    }
}
