//! The agent as .tar.gz with a plain installer, for systems that have neither dpkg nor rpm.

use std::process::Command;

use anyhow::Result;

use super::deb::fill_script;
use super::files;
use super::run::Making;
use super::stage::{self, Form};
use super::table::{AGENT, Package};
use crate::process;

/// Makes it and gives its name in the out folder.
pub(super) fn make(making: &Making) -> Result<String> {
    let top = format!("{}-{}-x86_64", AGENT.name, making.version);
    let folder = making.work.join("tar.d").join(&top);
    stage::lay_out(making, &AGENT, Form::Tar, &folder.join("files"))?;
    files::copy(&making.packaging.join("../LICENSE"), &folder.join("LICENSE"), 0o644)?;
    let Package { service: Some(service), .. } = &AGENT else { anyhow::bail!("the agent has a unit") };
    let script = fill_script(making, &AGENT, service, &making.script("tar-install.sh")?, "systemctl restart")?;
    files::write(&folder.join("install.sh"), script.as_bytes(), 0o755)?;
    let plain = making.out.join(format!("{top}.tar"));
    let mut command = Command::new("tar");
    command.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]);
    command.arg(format!("--mtime=@{}", making.epoch)).arg("--create").arg("--file").arg(&plain);
    command.arg("--directory").arg(making.work.join("tar.d")).arg(&top);
    process::output(&mut command)?;
    let level = if making.is_quick { "-1n" } else { "-9n" };
    process::output(Command::new("gzip").args([level, "--force"]).arg(&plain))?;
    Ok(file_name(&making.version))
}

pub(super) fn file_name(version: &str) -> String {
    format!("{}-{version}-x86_64.tar.gz", AGENT.name)
}
