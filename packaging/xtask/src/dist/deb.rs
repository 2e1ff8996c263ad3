//! The .deb of a package.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::files;
use super::glibc::FLOOR;
use super::run::Making;
use super::stage::{self, Form};
use super::table::{Package, Service};
use super::template::fill;
use crate::process;

/// Whom packages name. There is no list to write to yet.
pub(super) const MAINTAINER: &str = "Muster authors <muster@packages.invalid>";

/// Characters of a description's line, as lintian wants them.
const LINE: usize = 78;

/// Makes it and gives its name in the out folder.
pub(super) fn make(making: &Making, package: &Package) -> Result<String> {
    let root = making.work.join(format!("{}.deb.d", package.name));
    stage::lay_out(making, package, Form::Deb, &root)?;
    documents(making, package, &root)?;
    let sums = sums(&root)?;
    let kibibytes = installed_bytes(&root)?.div_ceil(1024);
    let control = root.join("DEBIAN");
    files::write(&control.join("control"), fields(making, package, kibibytes).as_bytes(), 0o644)?;
    files::write(&control.join("md5sums"), sums.as_bytes(), 0o644)?;
    if !package.settings.is_empty() {
        let kept: String = package.settings.iter().map(|(_, to, _)| format!("/{to}\n")).collect();
        files::write(&control.join("conffiles"), kept.as_bytes(), 0o644)?;
    }
    if let Some(service) = &package.service {
        for script in ["postinst", "prerm", "postrm"] {
            let text = fill_script(making, package, service, &making.script(script)?, "deb-systemd-invoke restart")?;
            files::write(&control.join(script), text.as_bytes(), 0o755)?;
        }
    }
    let name = file_name(package, &making.version);
    let mut command = Command::new("dpkg-deb");
    // xz, since lintian and older tools know nothing newer.
    command.args(["--root-owner-group", "-Zxz", if making.is_quick { "-z0" } else { "-z9" }, "--build"]);
    command.arg(&root).arg(making.out.join(&name)).env("SOURCE_DATE_EPOCH", making.epoch.to_string());
    process::output(&mut command)?;
    Ok(name)
}

pub(super) fn file_name(package: &Package, version: &str) -> String {
    format!("{}_{version}_{}.deb", package.name, package.deb_architecture())
}

/// A script with this package's names in it. `restart`: the command that restarts a unit.
pub(super) fn fill_script(
    making: &Making,
    package: &Package,
    service: &Service,
    text: &str,
    restart: &str,
) -> Result<String> {
    let script = |name: Option<&str>| name.map_or(Ok(String::new()), |name| making.script(name));
    let names = [
        ("PACKAGE", package.name),
        ("VERSION", &making.version),
        ("UNIT", service.unit),
        ("USER", service.user),
        ("GECOS", service.gecos),
        ("STATE", service.state),
    ];
    let account = fill(&making.script("account.sh")?, &names)?;
    let (goodbye, private) = (script(service.goodbye)?, script(service.private)?);
    let restart = format!("{restart} {}.service > /dev/null || true", service.unit);
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        names.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let inner = with(&[("GOODBYE", &goodbye), ("RESTART", &restart)]);
    let running = fill(&making.script("restart.sh")?, &borrowed(&inner))?;
    let outer = with(&[("ACCOUNT", &account), ("PRIVATE", &private), ("RESTART_RUNNING", &running)]);
    fill(text, &borrowed(&outer)).with_context(|| format!("a script of {}", package.name))
}

fn borrowed<'a>(values: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    values.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Copyright, changelog, and why lintian is wrong where it is.
fn documents(making: &Making, package: &Package, root: &Path) -> Result<()> {
    let folder = root.join(package.documents_folder());
    files::copy(&making.packaging.join("copyright"), &folder.join("copyright"), 0o644)?;
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date", &format!("@{}", making.epoch)]).env("LC_ALL", "C");
    let date = process::output(&mut date)?;
    let text = format!(
        "{} ({}) unstable; urgency=medium\n\n  * Version {} of Muster; its CHANGELOG.md tells what is new.\n\n -- {MAINTAINER}  {}\n",
        package.name,
        making.version,
        making.version,
        date.trim()
    );
    let changelog = folder.join("changelog");
    files::write(&changelog, text.as_bytes(), 0o644)?;
    files::gzip(&changelog)?;
    let overrides = making.packaging.join("lintian").join(package.name);
    if overrides.is_file() {
        files::copy(&overrides, &root.join("usr/share/lintian/overrides").join(package.name), 0o644)?;
    }
    Ok(())
}

fn fields(making: &Making, package: &Package, kibibytes: u64) -> String {
    let mut needs: Vec<String> = package.needs.iter().map(|need| need.deb.to_owned()).collect();
    if package.program.is_some() {
        needs.extend([format!("libc6 (>= {FLOOR})"), "libgcc-s1".to_owned()]);
    }
    needs.sort();
    let mut text = format!(
        "Package: {}\nVersion: {}\nArchitecture: {}\nMaintainer: {MAINTAINER}\nInstalled-Size: {kibibytes}\n",
        package.name,
        making.version,
        package.deb_architecture()
    );
    if !needs.is_empty() {
        text.push_str(&format!("Depends: {}\n", needs.join(", ")));
    }
    if !package.recommends.is_empty() {
        text.push_str(&format!("Recommends: {}\n", package.recommends.join(", ")));
    }
    text.push_str(&format!("Section: admin\nPriority: optional\nDescription: {}\n", package.summary));
    let paragraphs: Vec<String> = package.description.iter().map(|paragraph| folded(paragraph)).collect();
    text.push_str(&paragraphs.join(" .\n"));
    text
}

/// A paragraph in lines, each behind a space.
fn folded(paragraph: &str) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    for word in paragraph.split_whitespace() {
        if line.len() + word.len() + 1 > LINE {
            out.push_str(&format!("{line}\n"));
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    out + &line + "\n"
}

fn sums(root: &Path) -> Result<String> {
    let mut command = Command::new("md5sum");
    command.current_dir(root);
    for (path, _, is_folder) in files::walk(root)? {
        if !is_folder && !path.starts_with("etc") {
            command.arg(path);
        }
    }
    process::output(&mut command)
}

/// Bytes of all files, as Installed-Size counts them.
fn installed_bytes(root: &Path) -> Result<u64> {
    let mut bytes = 0;
    for (path, ..) in files::walk(root)? {
        // Folders count for a block.
        bytes += root.join(path).metadata()?.len().max(1024);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::table::{AGENT, COLLECTOR};

    #[test]
    fn a_description_is_folded_and_its_paragraphs_are_kept_apart() {
        let making = Making::for_tests();
        let text = fields(&making, &AGENT, 7);
        assert!(text.contains("Depends: libc6 (>= 2.34), libgcc-s1, passwd\n"), "{text}");
        assert!(text.contains("\n .\n ") && text.lines().all(|line| line.len() <= LINE + 2), "{text}");
        assert!(fields(&making, &COLLECTOR, 7).contains("Recommends: muster, muster-agent-packages\n"));
        assert_eq!(file_name(&AGENT, "0.1.0"), "muster-agent_0.1.0_amd64.deb");
    }

    #[test]
    fn scripts_have_no_placeholder_left_and_are_shell() {
        let making = Making::for_tests();
        for package in [&AGENT, &COLLECTOR] {
            let service = package.service.as_ref().unwrap();
            for name in
                ["postinst", "prerm", "postrm", "rpm-post.sh", "rpm-preun.sh", "rpm-postun.sh", "tar-install.sh"]
            {
                let text = fill_script(&making, package, service, &making.script(name).unwrap(), "restart").unwrap();
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), &text).unwrap();
                process::run(Command::new("sh").arg("-n").arg(file.path())).unwrap();
                assert!(!text.contains("@UNIT@"), "{name}: {text}");
            }
        }
    }
}
