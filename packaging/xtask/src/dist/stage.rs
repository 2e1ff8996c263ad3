//! The files of a package, laid out below a folder as they will lie below `/`.

use std::path::Path;

use anyhow::{Context, Result};

use super::files;
use super::run::Making;
use super::table::{Beside, Package, Program, SERVED, Service};

/// What the folder is for: a few places differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Deb,
    Rpm,
    Tar,
}

impl Form {
    /// Where zsh looks for what packages bring.
    fn zsh(self) -> &'static str {
        if self == Self::Deb { "usr/share/zsh/vendor-completions" } else { "usr/share/zsh/site-functions" }
    }
}

/// Lays out everything that operators see; what only one form has is added by that form.
pub(super) fn lay_out(making: &Making, package: &Package, form: Form, root: &Path) -> Result<()> {
    std::fs::create_dir_all(root)?;
    if let Some(program) = &package.program {
        let bytes = making.programs.join(program.name);
        files::copy(&bytes, &root.join("usr/bin").join(program.name), 0o755)?;
        pages(making, program, form, root)?;
    }
    if let Some(beside) = &package.beside {
        let Beside { program, units } = beside;
        files::copy(&making.programs.join(program.name), &root.join("usr/bin").join(program.name), 0o755)?;
        pages(making, program, form, root)?;
        for file in *units {
            let from = making.packaging.join(file);
            let name = from.file_name().context("a unit has a name")?;
            files::copy(&from, &root.join("usr/lib/systemd/system").join(name), 0o644)?;
        }
    }
    if let Some(service) = &package.service {
        unit(making, service, root)?;
    }
    for (from, to, mode) in package.settings {
        files::copy(&making.packaging.join(from), &root.join(to), *mode)?;
    }
    for (from, to) in package.documents {
        let (from, to) = (making.packaging.join(from), root.join(package.documents_folder()).join(to));
        if !from.is_dir() {
            files::copy(&from, &to, 0o644)?;
            continue;
        }
        for entry in std::fs::read_dir(&from).with_context(|| from.display().to_string())? {
            let entry = entry?;
            files::copy(&entry.path(), &to.join(entry.file_name()), 0o644)?;
        }
    }
    for folder in package.folders {
        std::fs::create_dir_all(root.join(folder))?;
    }
    if package.program.is_none() {
        for name in making.served() {
            let mode = if name.ends_with(".sh") { 0o755 } else { 0o644 };
            files::copy(&making.out.join(&name), &root.join(SERVED).join(&name), mode)?;
        }
        files::write_sums(&root.join(SERVED), &making.served())?;
    }
    Ok(())
}

fn unit(making: &Making, service: &Service, root: &Path) -> Result<()> {
    let from = making.packaging.join(service.folder);
    for (file, to) in [
        (format!("{}.service", service.unit), format!("usr/lib/systemd/system/{}.service", service.unit)),
        ("sysusers.conf".to_owned(), format!("usr/lib/sysusers.d/{}.conf", service.unit)),
        ("tmpfiles.conf".to_owned(), format!("usr/lib/tmpfiles.d/{}.conf", service.unit)),
    ] {
        files::copy(&from.join(file), &root.join(to), 0o644)?;
    }
    Ok(())
}

/// Man pages and completion of one program.
fn pages(making: &Making, program: &Program, form: Form, root: &Path) -> Result<()> {
    let Program { name, section } = program;
    let man = making.pages.join("man");
    let mut count = 0;
    for entry in std::fs::read_dir(&man).with_context(|| format!("{} cannot be read", man.display()))? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if is_page_of(&file, name, section) {
            let to = root.join(format!("usr/share/man/man{section}")).join(&file);
            files::copy(&man.join(&file), &to, 0o644)?;
            files::gzip(&to)?;
            count += 1;
        }
    }
    anyhow::ensure!(count > 0, "{} has no page of {name}", man.display());
    for (from, to) in [
        (format!("bash/{name}"), format!("usr/share/bash-completion/completions/{name}")),
        (format!("zsh/_{name}"), format!("{}/_{name}", form.zsh())),
        (format!("fish/{name}.fish"), format!("usr/share/fish/vendor_completions.d/{name}.fish")),
    ] {
        files::copy(&making.pages.join(from), &root.join(to), 0o644)?;
    }
    Ok(())
}

/// `muster` has pages in section 1 and the units' programs in section 8, so that `muster-agent.8` is none of `muster`.
fn is_page_of(file: &str, name: &str, section: &str) -> bool {
    let Some(stem) = file.strip_suffix(&format!(".{section}")) else { return false };
    stem == name || stem.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::is_page_of;

    #[test]
    fn each_page_belongs_to_one_program() {
        for (file, name, section, expect) in [
            ("muster.1", "muster", "1", true),
            ("muster-token-new.1", "muster", "1", true),
            ("muster-agent.8", "muster", "1", false),
            ("muster-agent-enrol.8", "muster-agent", "8", true),
            ("muster-collector.8", "muster-agent", "8", false),
            ("musterroll.1", "muster", "1", false),
        ] {
            assert_eq!(is_page_of(file, name, section), expect, "{file} of {name}");
        }
    }
}
