//! All packages, one after the other.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::options::{Options, Profile};
use super::table::{AGENT, AGENT_PACKAGES, CLI, COLLECTOR};
use super::{deb, files, glibc, installer, rpm, tar};
use crate::{build, process, web};

/// In the package of the agent.
const TASK: &str = "muster-task";
/// Every program that is packed.
const PROGRAMS: [&str; 4] = [AGENT.name, TASK, COLLECTOR.name, CLI.name];

/// What all packages of one run have in common.
pub(super) struct Making {
    /// The folder of what packages are made of.
    pub(super) packaging: PathBuf,
    /// Of the four programs.
    pub(super) programs: PathBuf,
    /// What `muster-pages` wrote.
    pub(super) pages: PathBuf,
    pub(super) version: String,
    /// The time of every file, seconds.
    pub(super) epoch: i64,
    /// Compress in a hurry.
    pub(super) is_quick: bool,
    pub(super) work: PathBuf,
    pub(super) out: PathBuf,
}

impl Making {
    /// A file of `packaging/scripts`.
    pub(super) fn script(&self, name: &str) -> Result<String> {
        let path = self.packaging.join("scripts").join(name);
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    }

    /// What a collector serves to new hosts.
    pub(super) fn served(&self) -> [String; 4] {
        let version = &self.version;
        [
            deb::file_name(&AGENT, version),
            rpm::file_name(&AGENT, version),
            tar::file_name(version),
            installer::NAME.into(),
        ]
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        let none = PathBuf::new();
        Self {
            packaging: build::root().join("packaging"),
            programs: none.clone(),
            pages: none.clone(),
            version: "0.1.0".to_owned(),
            epoch: 1_700_000_000,
            is_quick: true,
            work: none.clone(),
            out: none,
        }
    }
}

/// Makes everything and gives the folder where it is.
pub(crate) fn run(options: &Options) -> Result<PathBuf> {
    anyhow::ensure!(build::MACHINE == "x86_64", "packages are made on x86-64 alone, this is {}", build::MACHINE);
    let out = match &options.out {
        Some(out) => std::path::absolute(out)?,
        None => build::folder(false)?.with_file_name("dist"),
    };
    // What an earlier version left there must not be summed or served.
    if out.exists() {
        clear(&out)?;
    }
    std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let work = tempfile::Builder::new().prefix("muster-dist-").tempdir()?;
    if options.programs.is_none() {
        web::build()?;
    }
    anyhow::ensure!(web::is_built(), "the collector would be packed without its pages: `cargo xtask web` makes them");
    let programs = programs(options, work.path())?;
    for name in PROGRAMS {
        glibc::check(&programs.join(name))?;
    }
    let pages = work.path().join("pages");
    process::run(Command::new(pages_program(options)?).arg(&pages))?;
    let making = Making {
        packaging: build::root().join("packaging"),
        programs,
        pages,
        version: options.version.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        epoch: epoch()?,
        is_quick: options.profile == Profile::Dev,
        work: work.path().to_path_buf(),
        out: out.clone(),
    };
    let mut names = Vec::new();
    for package in [&AGENT, &COLLECTOR, &CLI] {
        names.extend([deb::make(&making, package)?, rpm::make(&making, package)?]);
    }
    names.push(tar::make(&making)?);
    installer::make(&making)?;
    names.push(installer::NAME.to_owned());
    names.extend([deb::make(&making, &AGENT_PACKAGES)?, rpm::make(&making, &AGENT_PACKAGES)?]);
    names.sort();
    files::write_sums(&out, &names)?;
    for name in &names {
        let bytes = out.join(name).metadata()?.len();
        println!("dist: {:>8.2} MB  {name}", bytes as f64 / 1e6);
    }
    println!("dist: {} (glibc {} or newer)", out.display(), glibc::FLOOR);
    Ok(out)
}

/// Takes away packages of an earlier run, and nothing else.
fn clear(out: &Path) -> Result<()> {
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_package =
            name.starts_with("muster") && [".deb", ".rpm", ".tar.gz"].iter().any(|end| name.ends_with(end));
        if is_package || name == installer::NAME || name == "SHA256SUMS" {
            std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    Ok(())
}

/// The folder of the four programs as they are packed.
fn programs(options: &Options, work: &Path) -> Result<PathBuf> {
    let folder = work.join("programs");
    std::fs::create_dir_all(&folder)?;
    let place = |from: &Path, name: &str| files::copy(&from.join(name), &folder.join(name), 0o755);
    match (&options.programs, options.profile) {
        (None, Profile::Release) => {
            let agent = build::packaged_agent()?;
            place(agent.parent().unwrap_or(Path::new(".")), AGENT.name)?;
            place(build::packaged_task()?.parent().unwrap_or(Path::new(".")), TASK)?;
            let others = build::packaged_others()?;
            place(&others, COLLECTOR.name)?;
            place(&others, CLI.name)?;
            return Ok(folder);
        }
        (None, Profile::Dev) => {
            let built = build::programs(&build::PRODUCT, false)?;
            PROGRAMS.iter().try_for_each(|name| place(&built, name))?;
        }
        (Some(given), _) => PROGRAMS.iter().try_for_each(|name| place(given, name))?,
    }
    for name in PROGRAMS {
        process::output(Command::new("strip").arg("--strip-unneeded").arg(folder.join(name)))?;
    }
    Ok(folder)
}

/// `muster-pages`, beside programs that are given, else built.
fn pages_program(options: &Options) -> Result<PathBuf> {
    let given = options.programs.as_ref().map(|folder| folder.join("muster-pages")).filter(|path| path.is_file());
    match given {
        Some(path) => Ok(std::path::absolute(path)?),
        None => Ok(build::programs(&["muster-pages"], false)?.join("muster-pages")),
    }
}

/// SOURCE_DATE_EPOCH, by which all tools agree on a time; else when the commit was made.
fn epoch() -> Result<i64> {
    let text = match std::env::var_os("SOURCE_DATE_EPOCH") {
        Some(text) => text.to_string_lossy().into_owned(),
        None => process::output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(build::root()))
            .context("no commit to take the time from: set SOURCE_DATE_EPOCH")?,
    };
    text.trim().parse().with_context(|| format!("SOURCE_DATE_EPOCH `{}` is no number of seconds", text.trim()))
}
