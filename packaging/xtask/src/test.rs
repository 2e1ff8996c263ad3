//! `cargo xtask test`: what CI runs, and a developer before a commit. The demo is a part of it.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::build::{self, cargo};
use crate::{demo, process, tools, web};

pub(crate) fn run() -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a command that tells how long it took; nothing decides by it")]
    let start = Instant::now();
    tools::ensure()?;
    process::run(&mut cargo(&["fmt", "--all", "--check"])).context("format: run `cargo fmt --all`")?;
    web::build().context("pages")?;
    web::test()?;
    let lint = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut cargo(&lint)).context("clippy")?;
    process::run(&mut cargo(&["build", "--locked", "--workspace", "--all-targets"])).context("build")?;
    process::run(&mut cargo(&["test", "--locked", "--workspace", "--no-fail-fast"])).context("tests")?;
    // The programs that the build above left: nothing is built anew.
    demo::run_with(&build::folder(false)?, true).context("demo")?;
    println!("test: everything passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

pub(crate) fn deny() -> Result<()> {
    if process::output(&mut cargo(&["deny", "--version"])).is_err() {
        process::run(&mut cargo(&["install", "--locked", "cargo-deny@0.20.2"])).context("installing cargo-deny")?;
    }
    // Advisories need a fresh copy of their database, which not every machine can reach: checked where it can be had.
    process::run(&mut cargo(&["deny", "--locked", "check", "licenses", "bans", "sources"]))
}
