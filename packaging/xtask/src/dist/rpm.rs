//! The .rpm of a package, from the same files.

use std::process::Command;

use anyhow::{Context, Result};

use super::deb::fill_script;
use super::files;
use super::glibc::FLOOR;
use super::run::Making;
use super::stage::{self, Form};
use super::table::Package;
use crate::process;

/// Of this version; we have no second build of one.
const RELEASE: &str = "1";

/// Makes it and gives its name in the out folder.
pub(super) fn make(making: &Making, package: &Package) -> Result<String> {
    let top = making.work.join(format!("{}.rpm.d", package.name));
    let root = top.join("files");
    stage::lay_out(making, package, Form::Rpm, &root)?;
    let licence = root.join("usr/share/licenses").join(package.name).join("LICENSE");
    files::copy(&making.packaging.join("../LICENSE"), &licence, 0o644)?;
    let spec = top.join("package.spec");
    files::write(&spec, text(making, package, &root)?.as_bytes(), 0o644)?;
    let mut command = Command::new("rpmbuild");
    command.arg("-bb").arg("--quiet").args(["--target", package.rpm_architecture()]);
    command.arg("--define").arg(format!("_topdir {}", top.display()));
    command.arg("--define").arg(format!("_rpmdir {}", making.out.display()));
    command.arg(&spec).env("SOURCE_DATE_EPOCH", making.epoch.to_string()).env("LC_ALL", "C");
    process::output(&mut command)?;
    let name = file_name(package, &making.version);
    anyhow::ensure!(making.out.join(&name).is_file(), "rpmbuild left no {name}");
    Ok(name)
}

pub(super) fn file_name(package: &Package, version: &str) -> String {
    format!("{}-{version}-{RELEASE}.{}.rpm", package.name, package.rpm_architecture())
}

fn text(making: &Making, package: &Package, root: &std::path::Path) -> Result<String> {
    let level = if making.is_quick { 1 } else { 19 };
    // The host's own macros may strip, index and rename: what is packed is what was laid out.
    let mut text = format!(
        "%global debug_package %{{nil}}\n%global __os_install_post %{{nil}}\n%global _build_id_links none\n\
         %global _buildhost localhost\n%global use_source_date_epoch_as_buildtime 1\n\
         %global clamp_mtime_to_source_date_epoch 1\n%global _binary_payload w{level}.zstdio\n\
         %define _build_name_fmt %%{{NAME}}-%%{{VERSION}}-%%{{RELEASE}}.%%{{ARCH}}.rpm\n\
         Name: {}\nVersion: {}\nRelease: {RELEASE}\nSummary: {}\nLicense: Apache-2.0\nAutoReqProv: no\n",
        package.name, making.version, package.summary
    );
    if package.program.is_some() {
        text.push_str(&format!("Requires: glibc >= {FLOOR}\nRequires: libc.so.6(GLIBC_{FLOOR})(64bit)\n"));
        text.push_str("Requires: libgcc_s.so.1()(64bit)\n");
    }
    for need in package.needs {
        text.push_str(&format!("Requires(pre): {0}\nRequires: {0}\n", need.rpm));
    }
    for other in package.recommends {
        text.push_str(&format!("Recommends: {other}\n"));
    }
    text.push_str(&format!("\n%description\n{}\n", package.description.join("\n\n")));
    text.push_str(&format!("\n%install\ncp -a {}/. %{{buildroot}}/\n", root.display()));
    if let Some(service) = &package.service {
        for (section, script) in [("post", "rpm-post.sh"), ("preun", "rpm-preun.sh"), ("postun", "rpm-postun.sh")] {
            let script = fill_script(making, package, service, &making.script(script)?, "systemctl restart")?;
            // rpm reads its macros in scripts too.
            text.push_str(&format!("\n%{section}\n{}", script.replace('%', "%%")));
        }
    }
    text.push_str("\n%files\n");
    text.push_str(&list(package, root)?);
    Ok(text)
}

/// Every file, and the folders that no package of the system has.
fn list(package: &Package, root: &std::path::Path) -> Result<String> {
    const OWN_FOLDERS: [&str; 3] = ["etc/muster", "usr/share/muster", "usr/share/licenses/muster"];
    let documents = package.documents_folder();
    let mut text = String::new();
    for (path, mode, is_folder) in files::walk(root)? {
        let path = path.to_str().context("a path that is no text")?;
        if is_folder {
            if path.starts_with(&documents) || OWN_FOLDERS.iter().any(|own| path.starts_with(own)) {
                text.push_str(&format!("%dir %attr(0755, root, root) /{path}\n"));
            }
            continue;
        }
        let kind = match path {
            _ if package.settings.iter().any(|(_, to, _)| *to == path) => "%config(noreplace) ",
            _ if path.starts_with("usr/share/licenses/") => "%license ",
            _ if path.starts_with(&documents) => "%doc ",
            _ => "",
        };
        text.push_str(&format!("%attr({mode:04o}, root, root) {kind}/{path}\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::table::COLLECTOR;

    #[test]
    fn settings_are_kept_and_requirements_stated() {
        let making = Making::for_tests();
        let root = tempfile::tempdir().unwrap();
        for (_, to, mode) in COLLECTOR.settings {
            files::write(&root.path().join(to), b"x", *mode).unwrap();
        }
        let example = root.path().join(COLLECTOR.documents_folder()).join("examples/a.yaml");
        files::write(&example, b"x", 0o644).unwrap();
        let text = text(&making, &COLLECTOR, root.path()).unwrap();
        for line in [
            "%attr(0640, root, root) %config(noreplace) /etc/muster/alerting.yml\n",
            "%dir %attr(0755, root, root) /etc/muster\n",
            "%dir %attr(0755, root, root) /usr/share/doc/muster-collector/examples\n",
            "%attr(0644, root, root) %doc /usr/share/doc/muster-collector/examples/a.yaml\n",
            "Requires: glibc >= 2.34\n",
            "Requires: libc.so.6(GLIBC_2.34)(64bit)\n",
            "stat -c %%G",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
